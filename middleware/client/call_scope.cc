#include "middleware/client/call_scope.h"

#include <optional>
#include <utility>

#include "middleware/http/trace_context.h"

namespace understudy {

Result<CallScope> CallScope::From(const http::Headers& headers, TimePoint now,
                                  const DeadlineHeaderOptions& options, std::stop_token stop) {
  UNDERSTUDY_ASSIGN_OR_RETURN(const std::optional<Deadline> callers,
                              ParseDeadlineHeader(headers, now, options));
  CallScope scope;
  scope.deadline = callers.value_or(Deadline::Never());
  scope.stop = std::move(stop);
  if (auto trace = http::TraceContext::FromHeaders(headers)) {
    scope.traceparent = trace->Traceparent();
    scope.tracestate = std::move(trace->state);
  }
  return scope;
}

CallScope CallScope::Within(Deadline other) const {
  CallScope scope = *this;
  scope.deadline = deadline.Tightened(other);
  return scope;
}

CallScope CallScope::WithReserve(Duration reserve) const {
  CallScope scope = *this;
  scope.deadline = deadline.WithReserve(reserve);
  return scope;
}

CallOptions CallScope::ToOptions(std::string operation, CallOptions options) const {
  options.operation = std::move(operation);
  options.deadline = options.deadline.Tightened(deadline);
  if (stop.stop_possible()) options.stop = stop;
  if (!traceparent.empty()) {
    options.traceparent = traceparent;
    options.tracestate = tracestate;
  }
  return options;
}

}  // namespace understudy
