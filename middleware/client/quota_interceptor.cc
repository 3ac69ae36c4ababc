#include "middleware/client/quota_interceptor.h"

#include <algorithm>

#include "middleware/base/text.h"
#include "middleware/resilience/rate_limit_hint.h"

namespace understudy {

Result<http::Response> QuotaInterceptor::Intercept(http::Request& request, CallContext& context,
                                                   Next next) {
  const CallOptions& options = context.options();
  Result<QuotaLimiter::Permit> permit = limiter_->Acquire(
      options.resource, std::max(options.cost, 1), context.deadline(), context.stop());
  const bool waited = !permit || permit->waited() > Duration::zero();
  if (waited) context.Waited();
  if (!permit) {
    Report(context, "quota-refused", permit.error().retry_after.value_or(Duration::zero()));
    return std::move(permit).error();
  }
  if (waited) Report(context, "quota-waited", permit->waited());
  Result<http::Response> result = next(request, context);
  if (result) {
    const RateLimitHint hint = hints_.Parse(*result, [&] { return runtime_.clock.SystemNow(); });
    if (hint.throttled) {
      Report(context, "throttled", hint.retry_after.value_or(Duration::zero()));
    }
    permit->Learn(hint);
  } else if (classifier_.Classify(result, runtime_.clock).refund_quota) {
    permit->Refund();
  }
  return result;
}

void QuotaInterceptor::Report(CallContext& context, std::string_view decision, Duration wait) {
  runtime_.events.Publish(
      "rate_limit", {{"operation", context.operation()}, {"decision", decision}, {"wait", wait}});
  context.Explain(context.Now(runtime_.clock), "quota",
                  std::string(decision) + ", wait " + FormatDuration(wait));
}

std::string QuotaInterceptor::Describe() const {
  return "quota: what the vendor reports, waits at most " +
         FormatDuration(limiter_->options().wait_max);
}

}  // namespace understudy
