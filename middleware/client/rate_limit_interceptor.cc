#include "middleware/client/rate_limit_interceptor.h"

#include <algorithm>

#include "middleware/base/text.h"

namespace understudy {

Result<http::Response> RateLimitInterceptor::Intercept(http::Request& request, CallContext& context,
                                                       Next next) {
  const int cost = std::max(context.options().cost, 1);
  Result<RateLimiter::Permit> permit = limiter_.Acquire(cost, context.deadline(), context.stop());
  const bool waited = !permit || permit->waited() > Duration::zero();
  if (waited) context.Waited();
  if (!permit) {
    Report(context, "refused", permit.error().retry_after.value_or(Duration::zero()));
    return std::move(permit).error();
  }
  if (waited) Report(context, "waited", permit->waited());
  Result<http::Response> result = next(request, context);
  if (!result && classifier_.Classify(result, runtime_.clock).refund_quota) permit->Refund();
  return result;
}

void RateLimitInterceptor::Report(CallContext& context, std::string_view decision, Duration wait) {
  runtime_.events.Publish(
      "rate_limit", {{"operation", context.operation()}, {"decision", decision}, {"wait", wait}});
  context.Explain(context.Now(runtime_.clock), "rate_limit",
                  std::string(decision) + ", wait " + FormatDuration(wait));
}

std::string RateLimitInterceptor::Describe() const {
  const RateLimiterOptions& options = limiter_.options();
  std::string text =
      "rate limit: " + std::to_string(options.permits) + " per " + FormatDuration(options.per);
  if (options.algorithm != RateAlgorithm::kGcra)
    text += ", " + std::string(ToString(options.algorithm));
  if (options.algorithm == RateAlgorithm::kGcra || options.algorithm == RateAlgorithm::kTokenBucket)
    text += ", burst " + std::to_string(options.burst);
  return text;
}

}  // namespace understudy
