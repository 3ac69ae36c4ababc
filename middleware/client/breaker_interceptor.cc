#include "middleware/client/breaker_interceptor.h"

#include "middleware/base/text.h"

namespace understudy {

Result<http::Response> BreakerInterceptor::Intercept(http::Request& request, CallContext& context,
                                                     Next next) {
  // Held until the permit is gone: the permit refers to it.
  UNDERSTUDY_ASSIGN_OR_RETURN(const std::shared_ptr<CircuitBreaker> breaker,
                              BreakerFor(request, context));
  Result<CircuitBreaker::Permit> permit = breaker->TryAcquire();
  if (!permit) {
    context.Explain(runtime_.clock.Now(), "breaker", "refused: " + permit.error().message);
    return std::move(permit).error();
  }
  context.set_breaker_state(ToString(permit->state()));
  if (permit->state() == BreakerState::kHalfOpen) {
    context.Explain(runtime_.clock.Now(), "breaker", "admitted as a probe");
  }
  Result<http::Response> result = next(request, context);
  context.set_breaker_state({});
  const Outcome outcome = classifier_.Classify(result, runtime_.clock.SystemNow());
  permit->Record(outcome.breaker, outcome.retry_after);
  return result;
}

Result<std::shared_ptr<CircuitBreaker>> BreakerInterceptor::BreakerFor(const http::Request& request,
                                                                       const CallContext& context) {
  BreakerKey key{scope_.provider, request.url.origin(), {}};
  if (scope_.per_operation) key.operation_class = context.operation();
  std::string name = scope_.provider;
  if (scope_.name_with_origin) name.append(" ").append(key.authority);
  if (!key.operation_class.empty()) name.append(" ").append(key.operation_class);
  return registry_->Get(key, options_, std::move(name));
}

std::string BreakerInterceptor::Describe() const {
  const int probes = options_.half_open_calls;
  return "breaker: opens after " + std::to_string(options_.failures) +
         " failures in a row within " + FormatDuration(options_.window) + ", for " +
         FormatDuration(options_.open_for) + ", then " + std::to_string(probes) +
         (probes == 1 ? " probe" : " probes") + (scope_.per_operation ? ", per operation" : "");
}

}  // namespace understudy
