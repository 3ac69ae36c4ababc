// CallContext: what one logical call carries through the pipeline, and what the layers decided
// about it.
#pragma once

#include <cstdint>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "middleware/base/error.h"
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
  std::optional<std::string> idempotency_key = {};  // Makes a non-idempotent call safe to repeat.
  std::stop_token stop = {};
};

// Created by Client::Call, owned by that call, used by one thread at a time. Layers read the
// deadline, tighten it for what they wrap, and append decisions.
class CallContext {
 public:
  explicit CallContext(CallOptions options) : options_(std::move(options)) {}

  const CallOptions& options() const { return options_; }
  std::string_view operation() const { return options_.operation; }
  const std::stop_token& stop() const { return options_.stop; }

  Deadline deadline() const { return deadline_; }
  void TightenDeadline(Deadline other) { deadline_ = deadline_.Tightened(other); }
  // For layers that bound only what they wrap: restores what the outer layers set.
  void RestoreDeadline(Deadline outer) { deadline_ = outer; }

  // 1 during the first attempt; set by retry.
  int attempt() const { return attempt_; }
  void set_attempt(int attempt) { attempt_ = attempt; }

  // May this call be repeated after bytes were sent? Set by the idempotency layer: safe or
  // idempotent method, or keyed.
  bool replayable() const { return replayable_; }
  void set_replayable(bool replayable) { replayable_ = replayable; }

  // "closed", "half-open" or "" (no breaker); set by the breaker around an attempt. A literal.
  std::string_view breaker_state() const { return breaker_state_; }
  void set_breaker_state(std::string_view state) { breaker_state_ = state; }

  // Requests handed to the transport so far: attempts and the repetitions of auth. 0 if a layer
  // refused before.
  int sends() const { return sends_; }
  void CountSend() { ++sends_; }

  // Was the response made up by the fallback layer instead of answered by the vendor?
  bool served_by_fallback() const { return served_by_fallback_; }
  void set_served_by_fallback() { served_by_fallback_ = true; }

  void Explain(TimePoint at, std::string_view layer, std::string what) {
    if (decisions_.size() < kDecisionsMax) decisions_.push_back({at, layer, std::move(what)});
  }
  const std::vector<Decision>& decisions() const { return decisions_; }

 private:
  static constexpr std::size_t kDecisionsMax =
      256;  // A call that never ends must not grow without bound.

  CallOptions options_;
  Deadline deadline_;
  std::vector<Decision> decisions_;
  std::string_view breaker_state_;
  int attempt_ = 1;
  int sends_ = 0;
  bool replayable_ = false;
  bool served_by_fallback_ = false;
};

}  // namespace understudy
