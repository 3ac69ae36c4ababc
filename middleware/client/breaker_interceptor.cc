#include "middleware/client/breaker_interceptor.h"

#include "middleware/base/text.h"

namespace understudy {

Result<std::unique_ptr<BreakerInterceptor>> BreakerInterceptor::Create(
    BreakerScope scope, const CircuitBreakerOptions& options,
    std::shared_ptr<BreakerRegistry> registry, const OutcomeClassifier& classifier,
    const Runtime& runtime) {
  const bool one_for_all =
      !scope.shared_name.empty() || (!scope.origin.empty() && !scope.per_operation);
  // Not make_unique: the constructor is private.
  std::unique_ptr<BreakerInterceptor> interceptor(
      new BreakerInterceptor(std::move(scope), options, std::move(registry), classifier, runtime));
  if (one_for_all) {
    UNDERSTUDY_ASSIGN_OR_RETURN(interceptor->only_,
                                interceptor->BreakerFor(interceptor->scope_.origin, {}));
  }
  return interceptor;
}

Result<http::Response> BreakerInterceptor::Intercept(http::Request& request, CallContext& context,
                                                     Next next) {
  // Held until the permit is gone: the permit refers to it.
  std::shared_ptr<CircuitBreaker> held;
  if (!only_) {
    UNDERSTUDY_ASSIGN_OR_RETURN(held, BreakerFor(request.url.origin(), context.operation()));
  }
  CircuitBreaker& breaker = only_ ? *only_ : *held;
  Result<CircuitBreaker::Permit> permit = breaker.TryAcquire();
  if (!permit) {
    context.Explain(context.Now(runtime_.clock), "breaker", "refused: " + permit.error().message);
    return std::move(permit).error();
  }
  context.set_breaker_state(ToString(permit->state()));
  if (permit->state() == BreakerState::kHalfOpen) {
    context.Explain(context.Now(runtime_.clock), "breaker", "admitted as a probe");
  }
  const bool timed = options_.slow_call > Duration::zero();
  const TimePoint started = timed ? context.Now(runtime_.clock) : TimePoint();
  Result<http::Response> result = next(request, context);
  context.set_breaker_state({});
  if (result && !timed && !context.breaker_sampled() && classifier_.IsPlainSuccess(*result)) {
    permit->Record(BreakerOutcome::kSuccess, {.ended = context.Now(runtime_.clock)});
    context.set_breaker_sampled();
    return result;
  }
  const Outcome outcome = classifier_.Classify(result, runtime_.clock);
  BreakerReport report{.retry_after = outcome.retry_after, .repeated = context.breaker_sampled()};
  report.ended = context.Now(runtime_.clock);
  if (timed) report.duration = report.ended - started;
  permit->Record(outcome.breaker, report);
  context.set_breaker_sampled();
  return result;
}

Result<std::shared_ptr<CircuitBreaker>> BreakerInterceptor::BreakerFor(
    const std::string& origin, std::string_view operation) const {
  if (!scope_.shared_name.empty()) {
    return registry_->Get({scope_.shared_name, {}, {}, scope_.credential}, options_,
                          scope_.shared_name);
  }
  BreakerKey key{scope_.provider, origin, {}, scope_.credential};
  if (scope_.per_operation) key.operation_class = operation;
  std::string name = scope_.provider;
  if (scope_.origin.empty()) name.append(" ").append(key.authority);
  if (!key.operation_class.empty()) name.append(" ").append(key.operation_class);
  if (!key.credential.empty()) name.append(" as ").append(key.credential);
  return registry_->Get(key, options_, std::move(name));
}

std::string BreakerInterceptor::Describe() const {
  const int probes = options_.half_open_calls;
  return "breaker: opens after " + DescribeTrip(options_) + ", for " +
         FormatDuration(options_.open_steps.empty() ? options_.open_for
                                                    : options_.open_steps.front()) +
         ", then " + std::to_string(probes) + (probes == 1 ? " probe" : " probes") +
         (scope_.per_operation ? ", per operation" : "");
}

}  // namespace understudy
