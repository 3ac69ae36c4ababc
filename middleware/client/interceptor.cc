#include "middleware/client/interceptor.h"

namespace understudy {

Result<http::Response> Next::operator()(http::Request& request, CallContext& context) const {
  if (!inner_.empty()) {
    return inner_.front()->Intercept(request, context, Next(inner_.subspan(1), *transport_));
  }
  http::SendOptions options;
  options.deadline = context.deadline();
  options.stop = context.stop();
  options.replayable = context.replayable();
  if (const auto& limit = context.options().response_bytes_max) options.response_bytes_max = *limit;
  options.redirects_max = context.options().redirects_max;
  options.attempt.operation = context.operation();
  options.attempt.attempt = context.attempt();
  options.attempt.breaker_state = context.breaker_state();
  context.CountSend();
  return transport_->Send(request, options);
}

}  // namespace understudy
