// JournalEntry: one request to a fake vendor, what the vendor decided, and how the exchange ended.
//
//   for (const JournalEntry& entry : journal.Find({.route = "orders"})) {
//     Log(entry.number, entry.record->request.url.path(), entry.record->status);
//     if (entry.outcome != nullptr && entry.outcome->wire.rst_received) Log("the client reset it");
//   }
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "harness/plan/fault.h"
#include "harness/plan/wire_facts.h"
#include "middleware/base/time.h"
#include "middleware/http/request.h"
#include "middleware/http/response.h"

namespace understudy::harness {

// A route that a request did not fit, and why.
struct JournalNearMiss {
  std::string route = {};
  double distance = 1;    // As MatchResult::distance: 0 would be a match.
  std::string text = {};  // RequestMatcher::Explain.
};

// What is known when the vendor has decided. A plain value until it is in a journal; immutable
// then.
struct JournalRecord {
  std::string vendor = {};
  std::string route = {};   // Empty if none matched.
  std::string test = {};    // Of vendors that isolate tests; empty without.
  std::string caller = {};  // Of routes that tell callers apart; empty without.
  // From the correlation header, which the request does not show.
  std::string lane = {};
  std::string step = {};
  std::string operation = {};
  int attempt = 1;
  std::uint64_t exchange = 0;

  http::Request request = {};    // The body is cut at JournalOptions::body_bytes_max.
  std::uint64_t body_bytes = 0;  // Of the whole body; set by the journal.
  // Of the whole body, in hex, if it was cut; set by a journal that has a Crypto.
  std::string body_sha256 = {};
  TimePoint at = {};  // The world's clock.
  SystemTime wall = {};
  std::int64_t n = 0;  // The request's number on its route, from 1.

  std::string why = {};    // What it matched: RequestMatcher::Describe of the route.
  std::string limit = {};  // The limit that refused it; empty if none did.
  std::vector<JournalNearMiss> near_misses = {};  // If no route matched: nearest first.

  int status = 0;                                            // Planned.
  std::shared_ptr<const http::Response> response = nullptr;  // Planned, whole; may be shared.
  Duration latency = {};
  std::optional<FaultKind> fault = {};
};

// What is known when the host is done with the exchange.
struct JournalOutcome {
  bool completed = false;     // Every planned byte was handed to the client's side.
  std::string ended_by = {};  // As ExchangeOutcome::ended_by.
  WireFacts wire = {};
  TimePoint at = {};  // The world's clock.
};

// An entry as it was when a journal was asked; copies share what they show.
struct JournalEntry {
  std::uint64_t number = 0;                                 // From 1, in the order of arrival.
  std::shared_ptr<const JournalRecord> record = nullptr;    // Never null in a journal's answer.
  std::shared_ptr<const JournalOutcome> outcome = nullptr;  // nullptr while in flight.

  bool matched() const { return !record->route.empty(); }
  // From arrival to the end; nullopt while in flight.
  std::optional<Duration> duration() const {
    return outcome == nullptr ? std::nullopt : std::optional(outcome->at - record->at);
  }
};

}  // namespace understudy::harness
