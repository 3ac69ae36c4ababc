#include "middleware/client/bulkhead_interceptor.h"

namespace understudy {

Result<http::Response> BulkheadInterceptor::Intercept(http::Request& request, CallContext& context,
                                                      Next next) {
  const Result<Bulkhead::Permit> place = bulkhead_.Acquire(context.deadline(), context.stop());
  if (!place) {
    context.Explain(runtime_.clock.Now(), "bulkhead", "refused: " + place.error().message);
    return place.error();
  }
  return next(request, context);
}

std::string BulkheadInterceptor::Describe() const {
  return "bulkhead: " + std::to_string(options_.concurrent_max) + " at a time, queue of " +
         std::to_string(options_.queue_max);
}

}  // namespace understudy
