#include "harness/vendor/journal_json.h"

#include <utility>

#include <nlohmann/json.hpp>

#include "harness/vendor/journal_members.h"
#include "middleware/base/iso_time.h"
#include "middleware/base/text.h"
#include "middleware/base/utf8.h"

namespace understudy::harness {
namespace {

using nlohmann::ordered_json;

constexpr int kNanosecondDigits = 9;

void AddText(ordered_json& members, const char* name, const std::string& value) {
  if (!value.empty()) members[name] = value;
}

void AddTrue(ordered_json& members, const char* name, bool value) {
  if (value) members[name] = true;
}

ordered_json RequestMembers(const JournalRecord& record, const JournalRedaction& redaction) {
  const http::Request& request = record.request;
  ordered_json members = {{"method", request.method.name()}, {"url", redaction.Url(request.url)}};
  ordered_json headers = ordered_json::array();
  for (const auto& [name, value] : request.headers) {
    headers.push_back({name, redaction.Header(name, value)});
  }
  members["headers"] = std::move(headers);
  if (record.body_bytes == 0) return members;
  const std::string body =
      redaction.Body(request.headers.Get("Content-Type").value_or(""), request.body);
  if (IsShownAsText(body)) {
    members["body"] = body;
  } else {
    members["body_base64"] = Base64Encode(body);
  }
  members["body_bytes"] = record.body_bytes;
  AddText(members, "body_sha256", record.body_sha256);
  return members;
}

ordered_json DecisionMembers(const JournalRecord& record) {
  ordered_json members = {{"status", record.status}, {"latency_ns", record.latency.count()}};
  if (record.fault) members["fault"] = ToString(*record.fault);
  AddText(members, "limit", record.limit);
  return members;
}

ordered_json EntryMembers(const JournalEntry& entry, const JournalRedaction& redaction) {
  const JournalRecord& record = *entry.record;
  ordered_json members = {{"number", entry.number},
                          {"at_ns", record.at.time_since_epoch().count()},
                          {"wall", FormatIsoInstant(record.wall, kNanosecondDigits)}};
  AddFacts(entry, members);
  members["request"] = RequestMembers(record, redaction);
  members["decision"] = DecisionMembers(record);
  if (entry.outcome == nullptr) return members;
  ordered_json outcome = {{"completed", entry.outcome->completed}};
  AddText(outcome, "ended_by", entry.outcome->ended_by);
  outcome["duration_ns"] = entry.duration()->count();
  outcome["wire"] = WireMembers(entry.outcome->wire, record.at);
  members["outcome"] = std::move(outcome);
  return members;
}

}  // namespace

ordered_json WireMembers(const WireFacts& wire, TimePoint arrival) {
  ordered_json members = ordered_json::object();
  if (wire.connection != 0) {
    members = {{"connection", wire.connection},
               {"reuse", wire.reuse},
               {"request_bytes", wire.request_bytes},
               {"response_bytes", wire.response_bytes}};
  }
  AddTrue(members, "fin_sent", wire.fin_sent);
  AddTrue(members, "rst_sent", wire.rst_sent);
  AddTrue(members, "fin_received", wire.fin_received);
  AddTrue(members, "rst_received", wire.rst_received);
  if (wire.client_abort != kNever) {
    members["client_abort_after_ns"] = (wire.client_abort - arrival).count();
  }
  if (wire.tls) {
    members["tls"] = {{"version", wire.tls->version},
                      {"session_reused", wire.tls->session_reused},
                      {"sni", wire.tls->sni}};
  }
  AddText(members, "client_address", wire.client_address);
  return members;
}

void AddFacts(const JournalEntry& entry, ordered_json& members) {
  const JournalRecord& record = *entry.record;
  AddText(members, "vendor", record.vendor);
  AddText(members, "route", record.route);
  members["matched"] = entry.matched();
  AddText(members, "why", record.why);
  if (record.n != 0) members["n"] = record.n;
  AddText(members, "test", record.test);
  AddText(members, "caller", record.caller);
  AddText(members, "lane", record.lane);
  AddText(members, "step", record.step);
  AddText(members, "operation", record.operation);
  if (record.exchange != 0) {
    members["exchange"] = record.exchange;
    members["attempt"] = record.attempt;
  }
  for (const JournalNearMiss& miss : record.near_misses) {
    members["near_misses"].push_back(
        {{"route", miss.route}, {"distance", miss.distance}, {"text", miss.text}});
  }
}

bool IsShownAsText(std::string_view body) {
  for (const char c : body) {
    const auto byte = static_cast<unsigned char>(c);
    if ((byte < 0x20 && c != '\t' && c != '\n' && c != '\r') || byte == 0x7f) return false;
  }
  return IsUtf8(body);
}

std::string ToJson(const JournalEntry& entry, JournalSecrets secrets) {
  // Headers and paths may hold bytes that are no UTF-8.
  return EntryMembers(entry, JournalRedaction(secrets))
      .dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

std::string ToJsonLines(std::span<const JournalEntry> entries, JournalSecrets secrets) {
  std::string lines;
  for (const JournalEntry& entry : entries) lines.append(ToJson(entry, secrets)).append("\n");
  return lines;
}

}  // namespace understudy::harness
