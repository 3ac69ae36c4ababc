#include "middleware/resilience/retry_policy.h"

#include <algorithm>
#include <utility>

#include "middleware/base/check.h"
#include "middleware/base/text.h"

namespace understudy {

Problems FindProblems(const RetryOptions& options) {
  constexpr int kAttemptsMax = 100;
  Problems problems = FindProblems(options.backoff);
  RequireRange(problems, "retry.attempts_max", options.attempts_max, 1, kAttemptsMax);
  if (options.throttle_base < Duration::zero()) {
    problems.push_back("retry.throttle_base is " + FormatDuration(options.throttle_base) +
                       "; it must not be negative");
  }
  if (options.retry_after_max < Duration::zero()) {
    problems.push_back("retry.retry_after_max is " + FormatDuration(options.retry_after_max) +
                       "; it must not be negative");
  }
  if (options.generate_idempotency_keys && options.idempotency_header.empty()) {
    problems.push_back("retry.generate_idempotency_keys needs retry.idempotency_header");
  }
  return problems;
}

RetryPolicy::RetryPolicy(RetryOptions options) : options_(std::move(options)) {
  UNDERSTUDY_CHECK(FindProblems(options_).empty(), "invalid retry options");
}

void RetryPolicy::RecordCall() const {
  if (options_.budget) options_.budget->RecordCall();
}

std::optional<std::string> RetryPolicy::WhyNotAtAll(const Outcome& outcome,
                                                    const RetryFacts& facts) const {
  if (outcome.retry == RetryVerdict::kNo) return outcome.reason + " is final";
  if (facts.attempt >= options_.attempts_max) {
    return std::to_string(facts.attempt) +
           (facts.attempt == 1 ? " attempt was made" : " attempts were made");
  }
  if (outcome.retry == RetryVerdict::kIfKeyed && !facts.keyed) return outcome.reason + " is final";
  if (outcome.retry == RetryVerdict::kIfReplayable && !facts.replayable) {
    return "the request may have been executed, and it is neither idempotent nor keyed";
  }
  const Duration hint = HintOf(outcome);
  if (hint > options_.retry_after_max) {
    return "the vendor asks to wait " + FormatDuration(hint) + ", more than the limit of " +
           FormatDuration(options_.retry_after_max);
  }
  return std::nullopt;
}

Duration RetryPolicy::HintOf(const Outcome& outcome) const {
  return options_.respect_hints ? outcome.retry_after.value_or(Duration::zero()) : Duration::zero();
}

Duration RetryPolicy::Backoff(const Outcome& outcome, int attempt, Random& random,
                              RetryMemory& memory) const {
  // A hint says more than any back-off could.
  if (!outcome.throttled || HintOf(outcome) > Duration::zero()) {
    return BackoffDelay(options_.backoff, attempt, random, memory.jitter);
  }
  BackoffOptions throttled = options_.backoff;
  throttled.base = std::max(throttled.base, options_.throttle_base);
  throttled.cap = std::max(throttled.cap, throttled.base);
  return BackoffDelay(throttled, attempt, random, memory.jitter);
}

void RetryPolicy::RecordEnd(const Outcome& outcome, const RetryMemory& memory) const {
  if (!options_.budget) return;
  if (outcome.breaker == BreakerOutcome::kSuccess) options_.budget->RecordSuccess(memory.last_cost);
  if (outcome.breaker == BreakerOutcome::kFailure) {
    options_.budget->RecordFailure(outcome.budget_cost);
  }
}

RetryDecision RetryPolicy::Decide(const Outcome& outcome, const RetryFacts& facts, Random& random,
                                  RetryMemory& memory) const {
  RetryDecision decision;
  if (std::optional<std::string> why_not = WhyNotAtAll(outcome, facts)) {
    RecordEnd(outcome, memory);
    decision.why = std::move(*why_not);
    return decision;
  }
  const Duration backoff = Backoff(outcome, facts.attempt, random, memory);
  const Duration hint = HintOf(outcome);
  decision.delay = std::max(backoff, hint);
  decision.from_hint = hint > Duration::zero() && hint >= backoff;
  const Duration least = std::max(facts.min_attempt_time, Duration(1));
  if (facts.deadline.reachable() &&
      SaturatingAdd(SaturatingAdd(facts.now, decision.delay), least) > facts.deadline.point()) {
    decision.deadline_cut = true;
    RecordEnd(outcome, memory);
    decision.why = "waiting " + FormatDuration(decision.delay) + " does not fit the " +
                   FormatDuration(facts.deadline.Remaining(facts.now)) + " left";
    return decision;
  }
  if (options_.budget && !options_.budget->TryWithdraw(outcome.budget_cost)) {
    decision.why = "the retry budget is used up";
    return decision;
  }
  memory.last_cost = outcome.budget_cost;
  decision.retry = true;
  decision.why = outcome.reason;
  return decision;
}

}  // namespace understudy
