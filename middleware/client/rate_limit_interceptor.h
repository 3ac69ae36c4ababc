// RateLimitInterceptor: takes a permit of a RateLimiter before each attempt.
#pragma once

#include <memory>
#include <string>

#include "middleware/client/interceptor.h"
#include "middleware/resilience/outcome.h"
#include "middleware/resilience/rate_limiter.h"
#include "middleware/runtime/runtime.h"

namespace understudy {

// Waits only if the permit is due before the deadline; gives it back if nothing reached the vendor.
// Publishes "rate_limit" when it does not admit at once: operation, decision ("waited", "refused"),
// wait.
class RateLimitInterceptor final : public Interceptor {
 public:
  RateLimitInterceptor(const RateLimiterOptions& options, OutcomeClassifier classifier,
                       const Runtime& runtime)
      : options_(options),
        limiter_(options, runtime.clock),
        classifier_(classifier),
        runtime_(runtime) {}

  Result<http::Response> Intercept(http::Request& request, CallContext& context,
                                   Next next) override;
  std::string Describe() const override;

 private:
  void Report(CallContext& context, std::string_view decision, Duration wait);

  const RateLimiterOptions options_;
  RateLimiter limiter_;
  const OutcomeClassifier classifier_;
  const Runtime runtime_;
};

}  // namespace understudy
