// BulkheadInterceptor: takes a place of a Bulkhead for each attempt, and tells an adaptive one how
// the attempt went.
#pragma once

#include <string>
#include <utility>

#include "middleware/client/interceptor.h"
#include "middleware/resilience/bulkhead.h"
#include "middleware/resilience/outcome.h"
#include "middleware/runtime/runtime.h"

namespace understudy {

// Inside the rate limit: waiting for quota must not occupy a place. What an adaptive limit measures
// is the time from the place to the answer, without any queue of ours; `classifier` says which
// answers are measurements and which are drops. The clock is only read for an adaptive one.
//
// Publishes "bulkhead" for a caller that got no place: operation, decision ("refused"), reason
// ("bulkhead-full", "bulkhead-wait", "bulkhead" for its deadline; empty for its stop).
class BulkheadInterceptor final : public Interceptor {
 public:
  BulkheadInterceptor(const BulkheadOptions& options, const Runtime& runtime,
                      OutcomeClassifier classifier = {})
      : options_(options),
        bulkhead_(options, runtime.clock),
        runtime_(runtime),
        classifier_(std::move(classifier)) {}

  Result<http::Response> Intercept(http::Request& request, CallContext& context,
                                   Next next) override;
  bool MayWait() const override { return false; }
  std::string Describe() const override;

  BulkheadSnapshot Snapshot() const { return bulkhead_.Snapshot(); }

 private:
  const BulkheadOptions options_;
  Bulkhead bulkhead_;
  const Runtime runtime_;
  const OutcomeClassifier classifier_;
};

}  // namespace understudy
