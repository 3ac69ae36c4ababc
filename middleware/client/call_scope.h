// CallScope: what a piece of work owes to the call it is part of, as one value to carry into other
// threads, queues and vendors.
//
//   CallScope scope = CallScope::From(request.headers, clock.Now(), {}, stop).value();
//   scope = scope.Within(Deadline::After(clock.Now(), 2s)).WithReserve(100ms);  // Our own promise.
//   executor.Spawn("enrich", [scope, &client, request = *std::move(outgoing)](std::stop_token) {
//     auto answer = client.Call(request, scope.ToOptions("enrich"));  // The same deadline there.
//   });
//
// There is no ambient "current" deadline: a thread-local one does not follow the work into a worker
// thread, and then a default silently takes its place.
#pragma once

#include <stop_token>
#include <string>

#include "middleware/base/result.h"
#include "middleware/client/call_context.h"
#include "middleware/client/deadline_header.h"
#include "middleware/http/headers.h"
#include "middleware/runtime/deadline.h"

namespace understudy {

// A value: copy it into the closure; thread-safe as values are. It owns what it holds, so it may
// outlive the request that it came from. Its deadline is a point on this process's clock: it does
// not age in a queue, and must not be stored or sent (DeadlineHeaderInterceptor sends a duration).
struct CallScope {
  Deadline deadline = {};
  std::stop_token stop = {};
  std::string traceparent = {};  // W3C Trace Context of the caller; empty: none.
  std::string tracestate = {};

  // The scope of an incoming request: its deadline header (see ParseDeadlineHeader, also for the
  // error), its trace, and the stop of whoever serves it. Without a deadline header the deadline is
  // unreachable: bound it with Within. A malformed trace is none, and no error.
  static Result<CallScope> From(const http::Headers& headers, TimePoint now,
                                const DeadlineHeaderOptions& options = {},
                                std::stop_token stop = {});

  // The tighter of the two deadlines.
  CallScope Within(Deadline other) const;
  // For the next call, when `reserve` is needed for the work after it; see Deadline::WithReserve.
  CallScope WithReserve(Duration reserve) const;

  // Options for a call inside this scope; add a timeout or a key to them as usual. The scope's stop
  // token, if it can be stopped at all, and its trace, if it has one, replace those of `options`;
  // of the two deadlines the tighter counts.
  CallOptions ToOptions(std::string operation, CallOptions options = {}) const;
};

}  // namespace understudy
