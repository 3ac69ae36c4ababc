// RetryInterceptor: repeats attempts as a RetryPolicy decides.
#pragma once

#include <string>

#include "middleware/client/interceptor.h"
#include "middleware/resilience/retry_policy.h"
#include "middleware/runtime/runtime.h"

namespace understudy {

// Waits through the clock; a stop ends the wait with kCancelled. Otherwise the outcome of the last
// attempt is the outcome of the call, and the context's decisions say why it was the last.
//
// Publishes "retry" before each wait: operation, attempt (the one about to start), delay, reason
// ("503", "timeout", "connection:reset", ...), hint (the vendor chose the delay); and "deadline"
// with phase "backoff" when a retry is given up because its wait does not fit.
class RetryInterceptor final : public Interceptor {
 public:
  // `options` without problems; aborts otherwise.
  RetryInterceptor(RetryOptions options, OutcomeClassifier classifier, Duration min_attempt_time,
                   const Runtime& runtime)
      : policy_(std::move(options)),
        classifier_(classifier),
        min_attempt_time_(min_attempt_time),
        runtime_(runtime) {}

  Result<http::Response> Intercept(http::Request& request, CallContext& context,
                                   Next next) override;
  bool MayWait() const override { return false; }
  std::string Describe() const override;

 private:
  RetryDecision Decide(const Result<http::Response>& result, CallContext& context,
                       RetryMemory& memory);
  void Publish(const RetryDecision& decision, const CallContext& context);

  const RetryPolicy policy_;
  const OutcomeClassifier classifier_;
  const Duration min_attempt_time_;
  const Runtime runtime_;
};

}  // namespace understudy
