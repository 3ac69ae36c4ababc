// BulkheadInterceptor: takes a place of a Bulkhead for each attempt.
#pragma once

#include <string>

#include "middleware/client/interceptor.h"
#include "middleware/resilience/bulkhead.h"
#include "middleware/runtime/runtime.h"

namespace understudy {

// Inside the rate limit: waiting for quota must not occupy a place.
class BulkheadInterceptor final : public Interceptor {
 public:
  BulkheadInterceptor(const BulkheadOptions& options, const Runtime& runtime)
      : options_(options), bulkhead_(options, runtime.clock), runtime_(runtime) {}

  Result<http::Response> Intercept(http::Request& request, CallContext& context,
                                   Next next) override;
  std::string Describe() const override;

 private:
  const BulkheadOptions options_;
  Bulkhead bulkhead_;
  const Runtime runtime_;
};

}  // namespace understudy
