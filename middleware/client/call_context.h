// CallContext: what one logical call carries through the pipeline, and what the layers decided
// about it.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "middleware/base/error.h"
#include "middleware/runtime/clock.h"
#include "middleware/runtime/deadline.h"

namespace understudy {

// One line of a call's explanation: which layer decided what, when and why.
struct Decision {
  TimePoint at = {};
  std::string_view layer = {};  // "retry", "breaker", ... a literal
  std::string what = {};        // "admitted", "retry in 200ms", "gave up: not idempotent"
};

// What the caller chooses per call.
struct CallOptions {
  std::string operation =
      {};  // Low-cardinality name for metrics and breakers, e.g. "charges.create".
  std::optional<Duration> timeout = {};  // Tightens the client's total deadline; never loosens it.
  Deadline deadline = {};                // Tightens it as well; carried from an outer call.
  std::optional<std::string> idempotency_key = {};  // Makes a non-idempotent call safe to repeat.
  std::stop_token stop = {};
  std::string traceparent = {};  // W3C Trace Context of the caller; empty: none.
  std::string tracestate = {};
  // Which of the vendor's quotas the request uses ("core", "search", a bucket); empty: the only
  // one.
  std::string resource = {};
  int cost = 1;  // What it takes from a rate limit or quota; at least 1.
  // A larger answer ends the call with kProtocol; unset: the client's limit.
  std::optional<std::size_t> response_bytes_max = {};
  // Redirects to follow, within the origin's rules of http::SendOptions; unset: they are answers.
  int redirects_max = 0;
};

// Created by Client::Call, owned by that call, used by one thread at a time. Layers read the
// deadline, tighten it for what they wrap, and append decisions.
class CallContext {
 public:
  explicit CallContext(CallOptions options) : options_(std::move(options)) {}

  const CallOptions& options() const { return options_; }
  std::string_view operation() const { return options_.operation; }
  const std::stop_token& stop() const { return options_.stop; }
  // For layers that may stop what they wrap: returns the token to put back.
  std::stop_token ReplaceStop(std::stop_token stop) {
    return std::exchange(options_.stop, std::move(stop));
  }

  Deadline deadline() const { return deadline_; }
  void TightenDeadline(Deadline other) { deadline_ = deadline_.Tightened(other); }
  // For layers that bound only what they wrap: restores what the outer layers set.
  void RestoreDeadline(Deadline outer) { deadline_ = outer; }

  // The monotonic time. Read once for all layers that a call passes without a wait: a reading costs
  // as much as a whole layer. Who may have waited says so: Waited.
  TimePoint Now(const Clock& clock) {
    if (!now_) now_ = clock.Now();
    return *now_;
  }
  // Time has passed since anybody asked. Next says it after the transport, and around every layer
  // that does not promise to say it itself (Interceptor::MayWait).
  void Waited() { now_.reset(); }

  // 1 during the first attempt; set by retry.
  int attempt() const { return attempt_; }
  void set_attempt(int attempt) { attempt_ = attempt; }

  // May this call be repeated after bytes were sent? Set by the idempotency layer: safe or
  // idempotent method, or keyed.
  bool replayable() const { return replayable_; }
  void set_replayable(bool replayable) { replayable_ = replayable; }

  // Does the request carry an idempotency key?
  bool keyed() const { return keyed_; }
  void set_keyed(bool keyed) { keyed_ = keyed; }

  // "closed", "half-open" or "" (no breaker); set by the breaker around an attempt. A literal.
  std::string_view breaker_state() const { return breaker_state_; }
  void set_breaker_state(std::string_view state) { breaker_state_ = state; }

  // Has a breaker recorded an attempt of this call? Later ones are weaker evidence.
  bool breaker_sampled() const { return breaker_sampled_; }
  void set_breaker_sampled() { breaker_sampled_ = true; }

  // Requests handed to the transport so far: attempts and the repetitions of auth. 0 if a layer
  // refused before.
  int sends() const { return sends_; }
  void CountSend() { ++sends_; }

  // Was the response made up by the fallback layer instead of answered by the vendor?
  bool served_by_fallback() const { return served_by_fallback_; }
  void set_served_by_fallback() { served_by_fallback_ = true; }

  // Which call it is in the audit trail, and since when; call 0: it is not audited. Set by audit.
  struct AuditTag {
    std::uint64_t call = 0;
    TimePoint started = {};
  };
  const AuditTag& audit_tag() const { return audit_tag_; }
  void set_audit_tag(const AuditTag& tag) { audit_tag_ = tag; }

  // A context for another request of the same call, on a thread of its own: with the same deadline
  // and standing, but its own stop and decisions. Absorb takes over what it did; for that nobody
  // may use it any more.
  CallContext Fork(std::stop_token stop) const {
    CallContext fork(options_);
    fork.options_.stop = std::move(stop);
    fork.deadline_ = deadline_;
    fork.replayable_ = replayable_;
    fork.keyed_ = keyed_;
    fork.breaker_sampled_ = breaker_sampled_;
    fork.audit_tag_ = audit_tag_;
    return fork;
  }
  void Absorb(const CallContext& fork) {
    for (const Decision& decision : fork.decisions_) {
      if (decisions_.size() < kDecisionsMax) decisions_.push_back(decision);
    }
    std::stable_sort(decisions_.begin(), decisions_.end(),
                     [](const Decision& a, const Decision& b) { return a.at < b.at; });
    sends_ += fork.sends_;
    breaker_sampled_ = breaker_sampled_ || fork.breaker_sampled_;
  }

  void Explain(TimePoint at, std::string_view layer, std::string what) {
    if (decisions_.size() < kDecisionsMax) decisions_.push_back({at, layer, std::move(what)});
  }
  const std::vector<Decision>& decisions() const { return decisions_; }
  // At the end of the call.
  std::vector<Decision> TakeDecisions() { return std::move(decisions_); }

 private:
  static constexpr std::size_t kDecisionsMax =
      256;  // A call that never ends must not grow without bound.

  CallOptions options_;
  Deadline deadline_;
  std::optional<TimePoint> now_;
  std::vector<Decision> decisions_;
  std::string_view breaker_state_;
  AuditTag audit_tag_;
  int attempt_ = 1;
  int sends_ = 0;
  bool replayable_ = false;
  bool keyed_ = false;
  bool served_by_fallback_ = false;
  bool breaker_sampled_ = false;
};

}  // namespace understudy
