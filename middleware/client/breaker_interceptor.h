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
  // The origin that every request goes to; empty for a client without a base URL, which may talk to
  // several and then has a breaker for each, with the origin in its name.
  std::string origin = {};
  // A breaker for each operation, instead of one for all.
  bool per_operation = false;
  // Whose account it is: one tenant's bad credential must not shut out the others. Never the secret
  // itself; it appears in names. Empty: one for all.
  std::string credential = {};
  // One breaker of this name for everything, whatever the provider and origin; empty: not so.
  std::string shared_name = {};
};

// Inside retry: every attempt counts, and an open breaker ends the call at once. Returns the
// breaker's kCircuitOpen, or the registry's error, without sending.
class BreakerInterceptor final : public Interceptor {
 public:
  // The registry's error if its breaker for a scope with one origin has other options.
  static Result<std::unique_ptr<BreakerInterceptor>> Create(
      BreakerScope scope, const CircuitBreakerOptions& options,
      std::shared_ptr<BreakerRegistry> registry, const OutcomeClassifier& classifier,
      const Runtime& runtime);

  Result<http::Response> Intercept(http::Request& request, CallContext& context,
                                   Next next) override;
  bool MayWait() const override { return false; }
  std::string Describe() const override;

 private:
  BreakerInterceptor(BreakerScope scope, const CircuitBreakerOptions& options,
                     std::shared_ptr<BreakerRegistry> registry, const OutcomeClassifier& classifier,
                     const Runtime& runtime)
      : scope_(std::move(scope)),
        options_(options),
        registry_(std::move(registry)),
        classifier_(classifier),
        runtime_(runtime) {}

  Result<std::shared_ptr<CircuitBreaker>> BreakerFor(const std::string& origin,
                                                     std::string_view operation) const;

  const BreakerScope scope_;
  const CircuitBreakerOptions options_;
  const std::shared_ptr<BreakerRegistry> registry_;
  const OutcomeClassifier classifier_;
  const Runtime runtime_;
  std::shared_ptr<CircuitBreaker> only_;  // If one serves every request.
};

}  // namespace understudy
