// RateLimitInterceptor: takes a permit of a RateLimiter before each attempt.
//
//   RateLimitInterceptor layer({.permits = 100, .per = 1s}, classifier, runtime);
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "middleware/client/interceptor.h"
#include "middleware/resilience/outcome.h"
#include "middleware/resilience/rate_limiter.h"
#include "middleware/runtime/runtime.h"

namespace understudy {

// An attempt costs what the call's options say, at least 1. Waits only if the permit is due before
// the deadline; gives it back if nothing reached the vendor.
// Publishes "rate_limit" when it does not admit at once: operation, decision ("waited", "refused"),
// wait. Blocks in Intercept through the runtime's clock, no longer than the call's deadline.
class RateLimitInterceptor final : public Interceptor {
 public:
  RateLimitInterceptor(const RateLimiterOptions& options, OutcomeClassifier classifier,
                       const Runtime& runtime)
      : limiter_(options, runtime.clock), classifier_(std::move(classifier)), runtime_(runtime) {}

  Result<http::Response> Intercept(http::Request& request, CallContext& context,
                                   Next next) override;
  // "rate limit: 100 per 1s, burst 10", "rate limit: 100 per 1s, sliding-window".
  bool MayWait() const override { return false; }
  std::string Describe() const override;

  RateLimiterSnapshot Snapshot() const { return limiter_.Snapshot(); }

 private:
  void Report(CallContext& context, std::string_view decision, Duration wait);

  RateLimiter limiter_;
  const OutcomeClassifier classifier_;
  const Runtime runtime_;
};

}  // namespace understudy
