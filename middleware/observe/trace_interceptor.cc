#include "middleware/observe/trace_interceptor.h"

namespace understudy {

Result<http::Response> TraceInterceptor::Intercept(http::Request& request, CallContext& context,
                                                   Next next) {
  std::optional<http::TraceContext> trace = ContextFor(request, context);
  if (trace) {
    if (!options_.forward_state) trace->state.clear();
    UNDERSTUDY_RETURN_IF_ERROR(trace->WriteTo(request.headers));
  }
  return next(request, context);
}

std::optional<http::TraceContext> TraceInterceptor::ContextFor(const http::Request& request,
                                                               CallContext& context) const {
  const CallOptions& call = context.options();
  bool malformed = false;
  if (!call.traceparent.empty()) {
    const auto given = http::TraceContext::Parse(call.traceparent, call.tracestate);
    if (given) return given->Child(runtime_.random);
    malformed = true;
  }
  // After a malformed one this still finds what an earlier attempt started instead.
  const auto stamped = http::TraceContext::FromHeaders(request.headers);
  if (stamped) return stamped->Child(runtime_.random);
  malformed = malformed || stamped.error().code != ErrorCode::kNotFound;
  if (malformed) return Start(context, "the traceparent is malformed, started trace ");
  if (options_.start) return Start(context, "started trace ");
  return std::nullopt;
}

http::TraceContext TraceInterceptor::Start(CallContext& context, std::string_view why) const {
  http::TraceContext trace = http::TraceContext::Start(runtime_.random, options_.sampled);
  context.Explain(context.Now(runtime_.clock), "trace", std::string(why) + trace.TraceIdText());
  return trace;
}

std::string TraceInterceptor::Describe() const {
  std::string text = "trace: W3C trace context";
  text += options_.start ? ", a new trace for a call without one" : ", only what the caller gives";
  if (options_.start && options_.sampled) text += ", sampled";
  if (!options_.forward_state) text += ", without tracestate";
  return text;
}

}  // namespace understudy
