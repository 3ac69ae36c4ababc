// TraceInterceptor: puts every attempt into a distributed trace (W3C Trace Context), so that the
// vendor's side of a call can be found from ours.
//
//   // What the application got from its own caller goes on to the vendor:
//   const auto incoming = http::TraceContext::FromHeaders(request.headers);
//   CallOptions options;
//   if (incoming) options.traceparent = incoming->Traceparent();
//   if (incoming) options.tracestate = incoming->state;
#pragma once

#include <optional>
#include <string>

#include "middleware/client/interceptor.h"
#include "middleware/http/trace_context.h"
#include "middleware/runtime/runtime.h"

namespace understudy {

struct TraceOptions {
  // Start a new trace for a call that has none; otherwise nothing is added to such a call.
  bool start = true;
  // The sampled flag of the traces that are started here. One that is given is passed on as it is.
  bool sampled = false;
  // Pass tracestate on. It can hold what other systems of the company wrote there; false keeps that
  // from the vendor.
  bool forward_state = true;
};

// Inside retry: each attempt gets a span id of its own, all attempts of a call the same trace id.
//
// The trace is that of CallOptions::traceparent (and tracestate); without one, that of the
// traceparent header which the request has already: from an earlier attempt, from a second
// TraceInterceptor further out, or from the caller. So a chain that copies requests (hedging) takes
// one TraceInterceptor outside the copying, which gives the call its trace, and one inside, which
// gives each attempt its span.
//
// A malformed traceparent is never an error of the call: as the recommendation says, the trace is
// started anew, without tracestate. Started traces are explained in the call's report with their
// id.
//
// Stateless. Draws one random number per attempt, and three for a new trace. Publishes nothing.
class TraceInterceptor final : public Interceptor {
 public:
  TraceInterceptor(const TraceOptions& options, const Runtime& runtime)
      : options_(options), runtime_(runtime) {}

  Result<http::Response> Intercept(http::Request& request, CallContext& context,
                                   Next next) override;
  bool MayWait() const override { return false; }
  std::string Describe() const override;

 private:
  // The context of this attempt; nullopt if it is to have none.
  std::optional<http::TraceContext> ContextFor(const http::Request& request,
                                               CallContext& context) const;
  http::TraceContext Start(CallContext& context, std::string_view why) const;

  const TraceOptions options_;
  const Runtime runtime_;
};

}  // namespace understudy
