#include "middleware/client/rate_limit_interceptor.h"

#include "middleware/base/text.h"

namespace understudy {

Result<http::Response> RateLimitInterceptor::Intercept(http::Request& request, CallContext& context,
                                                       Next next) {
  Result<RateLimiter::Permit> permit = limiter_.Acquire(context.deadline(), context.stop());
  if (!permit) {
    Report(context, "refused", permit.error().retry_after.value_or(Duration::zero()));
    return std::move(permit).error();
  }
  if (permit->waited() > Duration::zero()) Report(context, "waited", permit->waited());
  Result<http::Response> result = next(request, context);
  if (!result && classifier_.Classify(result, runtime_.clock.SystemNow()).refund_quota)
    permit->Refund();
  return result;
}

void RateLimitInterceptor::Report(CallContext& context, std::string_view decision, Duration wait) {
  runtime_.events.Publish(
      "rate_limit", {{"operation", context.operation()}, {"decision", decision}, {"wait", wait}});
  context.Explain(runtime_.clock.Now(), "rate_limit",
                  std::string(decision) + ", wait " + FormatDuration(wait));
}

std::string RateLimitInterceptor::Describe() const {
  return "rate limit: " + std::to_string(options_.permits) + " per " +
         FormatDuration(options_.per) + ", burst " + std::to_string(options_.burst);
}

}  // namespace understudy
