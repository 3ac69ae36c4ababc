#include "middleware/client/retry_interceptor.h"

#include "middleware/base/text.h"

namespace understudy {
namespace {

Error CancelledAfter(const Result<http::Response>& last) {
  const Delivery delivery = last ? Delivery::kAnswered : last.error().delivery;
  return Error{
      ErrorCode::kCancelled, "stopped while waiting to retry", delivery, Origin::kLocal, {}, {}};
}

}  // namespace

Result<http::Response> RetryInterceptor::Intercept(http::Request& request, CallContext& context,
                                                   Next next) {
  policy_.RecordCall();
  RetryMemory memory;
  for (int attempt = 1;; ++attempt) {  // Ends: the policy refuses after attempts_max.
    context.set_attempt(attempt);
    Result<http::Response> result = next(request, context);
    const RetryDecision decision = Decide(result, context, memory);
    if (!decision.retry) return result;
    const TimePoint until = SaturatingAdd(context.Now(runtime_.clock), decision.delay);
    const bool slept = runtime_.clock.SleepUntil(until, context.stop());
    context.Waited();
    if (!slept) {
      context.Explain(context.Now(runtime_.clock), "retry", "stopped while waiting");
      return CancelledAfter(result);
    }
  }
}

RetryDecision RetryInterceptor::Decide(const Result<http::Response>& result, CallContext& context,
                                       RetryMemory& memory) {
  const TimePoint now = context.Now(runtime_.clock);
  const Outcome outcome = classifier_.Classify(result, runtime_.clock);
  RetryFacts facts;
  facts.attempt = context.attempt();
  facts.replayable = context.replayable();
  facts.keyed = context.keyed();
  facts.now = now;
  facts.deadline = context.deadline();
  facts.min_attempt_time = min_attempt_time_;
  RetryDecision decision = policy_.Decide(outcome, facts, runtime_.random, memory);
  // A success needs no explanation.
  if (!decision.retry && result && result->status < 400) return decision;
  context.Explain(now, "retry",
                  decision.retry ? decision.why + ", retry in " + FormatDuration(decision.delay)
                                 : "no retry: " + decision.why);
  Publish(decision, context);
  return decision;
}

void RetryInterceptor::Publish(const RetryDecision& decision, const CallContext& context) {
  if (decision.retry) {
    runtime_.events.Publish("retry", {{"operation", context.operation()},
                                      {"attempt", context.attempt() + 1},
                                      {"delay", decision.delay},
                                      {"reason", std::string_view(decision.why)},
                                      {"hint", decision.from_hint}});
  } else if (decision.deadline_cut) {
    runtime_.events.Publish("deadline", {{"operation", context.operation()}, {"phase", "backoff"}});
  }
}

std::string RetryInterceptor::Describe() const {
  const RetryOptions& options = policy_.options();
  std::string text = "retry: " + std::to_string(options.attempts_max) + " attempts, back-off " +
                     FormatDuration(options.backoff.base) + " to " +
                     FormatDuration(options.backoff.cap) +
                     (options.backoff.jitter ? " with full jitter" : "");
  text += options.budget ? ", budget of " + std::to_string(options.budget->options().capacity)
                         : ", no budget";
  return text;
}

}  // namespace understudy
