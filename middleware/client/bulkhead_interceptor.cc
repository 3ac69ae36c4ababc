#include "middleware/client/bulkhead_interceptor.h"

namespace understudy {

Result<http::Response> BulkheadInterceptor::Intercept(http::Request& request, CallContext& context,
                                                      Next next) {
  Result<Bulkhead::Permit> place = bulkhead_.Acquire(context.deadline(), context.stop());
  if (!place || place->waited()) context.Waited();
  if (!place) {
    runtime_.events.Publish("bulkhead", {{"operation", context.operation()},
                                         {"decision", "refused"},
                                         {"reason", std::string_view(place.error().reason)}});
    context.Explain(context.Now(runtime_.clock), "bulkhead", "refused: " + place.error().message);
    return place.error();
  }
  if (!options_.adaptive) return next(request, context);
  const TimePoint start = context.Now(runtime_.clock);
  Result<http::Response> result = next(request, context);
  const Duration round_trip = context.Now(runtime_.clock) - start;
  place->Record(round_trip, classifier_.Classify(result, runtime_.clock).sample);
  return result;
}

std::string BulkheadInterceptor::Describe() const {
  std::string text = "bulkhead: ";
  if (const auto& adaptive = options_.adaptive) {
    text += std::to_string(adaptive->min) + " to " + std::to_string(adaptive->max) +
            " at a time, adaptive (" + std::string(ToString(adaptive->kind)) + ") from " +
            std::to_string(adaptive->initial);
  } else {
    text += std::to_string(options_.concurrent_max) + " at a time";
  }
  return text + ", queue of " + std::to_string(options_.queue_max);
}

}  // namespace understudy
