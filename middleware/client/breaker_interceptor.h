// BreakerInterceptor: asks the circuit breaker of the request's vendor before each attempt, and
// tells it the end.
#pragma once

#include <memory>
#include <string>

#include "middleware/client/interceptor.h"
#include "middleware/resilience/breaker_registry.h"
#include "middleware/resilience/outcome.h"
#include "middleware/runtime/runtime.h"

namespace understudy {

struct BreakerScope {
  std::string provider = {};
  // Put the origin into the breaker's name: for a client without a base URL, which may talk to
  // several.
  bool name_with_origin = false;
  // A breaker for each operation, instead of one for all.
  bool per_operation = false;
};

// Inside retry: every attempt counts, and an open breaker ends the call at once. Returns the
// breaker's kCircuitOpen, or the registry's error, without sending.
class BreakerInterceptor final : public Interceptor {
 public:
  BreakerInterceptor(BreakerScope scope, const CircuitBreakerOptions& options,
                     std::shared_ptr<BreakerRegistry> registry, OutcomeClassifier classifier,
                     const Runtime& runtime)
      : scope_(std::move(scope)),
        options_(options),
        registry_(std::move(registry)),
        classifier_(classifier),
        runtime_(runtime) {}

  Result<http::Response> Intercept(http::Request& request, CallContext& context,
                                   Next next) override;
  std::string Describe() const override;

 private:
  Result<std::shared_ptr<CircuitBreaker>> BreakerFor(const http::Request& request,
                                                     const CallContext& context);

  const BreakerScope scope_;
  const CircuitBreakerOptions options_;
  const std::shared_ptr<BreakerRegistry> registry_;
  const OutcomeClassifier classifier_;
  const Runtime runtime_;
};

}  // namespace understudy
