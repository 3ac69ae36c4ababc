#include "middleware/client/auth_interceptor.h"

namespace understudy {

Result<http::Response> AuthInterceptor::Intercept(http::Request& request, CallContext& context,
                                                  Next next) {
  UNDERSTUDY_RETURN_IF_ERROR(Apply(request, context));
  Result<http::Response> result = next(request, context);
  if (!result || result->status != 401) return result;
  const bool again =
      strategy_->HandleUnauthorized(request, *result, context.deadline(), context.stop());
  context.Explain(runtime_.clock.Now(), "auth",
                  again ? "401, repeated with new credentials" : "401, no other credentials");
  if (!again) return result;
  UNDERSTUDY_RETURN_IF_ERROR(Apply(request, context));
  return next(request, context);
}

Result<void> AuthInterceptor::Apply(http::Request& request, CallContext& context) {
  Result<void> applied = strategy_->Apply(request, context.deadline(), context.stop());
  if (applied) return applied;
  Error error = applied.error();
  context.Explain(runtime_.clock.Now(), "auth", "no credentials: " + error.ToString());
  // The vendor's API was not asked: whatever failed, its breaker must not count it.
  error.origin = Origin::kLocal;
  error.delivery = Delivery::kNotSent;
  return error;
}

}  // namespace understudy
