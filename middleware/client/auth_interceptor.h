// AuthInterceptor: applies an AuthStrategy to each attempt, and once more after a 401 that new
// credentials can help.
#pragma once

#include <memory>
#include <string>

#include "middleware/auth/auth_strategy.h"
#include "middleware/client/interceptor.h"
#include "middleware/runtime/runtime.h"

namespace understudy {

// The repetition after a 401 is part of the same attempt: it costs neither a retry nor a breaker
// failure. It is safe for every method, because a request refused with 401 was not executed. Errors
// of the strategy count as local: they say nothing about the vendor's API.
class AuthInterceptor final : public Interceptor {
 public:
  AuthInterceptor(std::shared_ptr<AuthStrategy> strategy, const Runtime& runtime)
      : strategy_(std::move(strategy)), runtime_(runtime) {}

  Result<http::Response> Intercept(http::Request& request, CallContext& context,
                                   Next next) override;
  std::string Describe() const override { return "auth: " + strategy_->Describe(); }

 private:
  Result<void> Apply(http::Request& request, CallContext& context);

  const std::shared_ptr<AuthStrategy> strategy_;
  const Runtime runtime_;
};

}  // namespace understudy
