// QuotaInterceptor: keeps attempts within the quota that the vendor reports, and learns it from
// every answer.
#pragma once

#include <memory>
#include <string>

#include "middleware/client/interceptor.h"
#include "middleware/resilience/outcome.h"
#include "middleware/resilience/quota_limiter.h"
#include "middleware/resilience/rate_limit_dialect.h"
#include "middleware/resilience/rate_limit_hint.h"
#include "middleware/runtime/runtime.h"

namespace understudy {

// Inside the breaker, outside the local rate limiter: the vendor's word comes first. What it learns
// goes to everybody who shares the limiter; the same hints reach retry and breaker through the
// Outcome, which is made from the same dialect. Returns the limiter's errors without sending.
//
// Publishes "rate_limit": operation, decision ("quota-waited", "quota-refused", "throttled"), wait.
class QuotaInterceptor final : public Interceptor {
 public:
  QuotaInterceptor(std::shared_ptr<QuotaLimiter> limiter,
                   std::shared_ptr<const RateLimitDialect> dialect,
                   const OutcomeClassifier& classifier, const Runtime& runtime)
      : limiter_(std::move(limiter)),
        hints_(std::move(dialect)),
        classifier_(classifier),
        runtime_(runtime) {}

  Result<http::Response> Intercept(http::Request& request, CallContext& context,
                                   Next next) override;
  bool MayWait() const override { return false; }
  std::string Describe() const override;

 private:
  void Report(CallContext& context, std::string_view decision, Duration wait);

  const std::shared_ptr<QuotaLimiter> limiter_;
  const RateLimitHintParser hints_;
  const OutcomeClassifier classifier_;
  const Runtime runtime_;
};

}  // namespace understudy
