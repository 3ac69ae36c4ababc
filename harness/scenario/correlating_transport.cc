#include "harness/scenario/correlating_transport.h"

#include "harness/plan/correlation.h"
#include "harness/plan/lane.h"

namespace understudy::harness {

Result<http::Response> CorrelatingTransport::Send(const http::Request& request,
                                                  const http::SendOptions& options) {
  http::Request stamped = request;
  Attach(Correlation{.lane = CurrentLane().name,
                     .step = CurrentLane().step,
                     .breaker_state = std::string(options.attempt.breaker_state),
                     .operation = std::string(options.attempt.operation),
                     .attempt = options.attempt.attempt,
                     .exchange = ++exchanges_},
         stamped.headers);
  return inner_.Send(stamped, options);
}

}  // namespace understudy::harness
