#include "middleware/client/interceptor.h"

namespace understudy {

Result<http::Response> Next::operator()(http::Request& request, CallContext& context) const {
  if (caller_may_wait_) context.Waited();
  if (!inner_.empty()) {
    Interceptor& layer = *inner_.front();
    const bool may_wait = layer.MayWait();
    Result<http::Response> result =
        layer.Intercept(request, context, Next(inner_.subspan(1), *transport_, may_wait));
    if (may_wait) context.Waited();
    return result;
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
  Result<http::Response> result = transport_->Send(request, options);
  context.Waited();
  return result;
}

}  // namespace understudy
