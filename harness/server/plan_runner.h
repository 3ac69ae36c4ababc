// PlanRunner: asks the handler for a plan and carries it out on a socket, faults included.
//
// Per exchange, on one thread and in this order: Handle, the planned waits in the clock, the bytes
// or the fault, Completed. A harness that skips idle time relies on it.
#pragma once

#include <string>
#include <string_view>

#include "harness/plan/response_plan.h"
#include "harness/server/socket_stream.h"
#include "harness/server/stop_gate.h"

namespace understudy::harness {

// Thread-safe if the handler is. Both references must outlive it.
class PlanRunner {
 public:
  PlanRunner(PlannedHandler& handler, StopGate& gate) : handler_(handler), gate_(gate) {}

  // One exchange. `keep_alive` says if the connection could serve another; returns true if it still
  // can. Otherwise the stream may be closed already.
  bool Run(SocketStream& stream, const http::Request& request, bool keep_alive);

 private:
  // What is left of the exchange and of the connection.
  struct End {
    ExchangeOutcome outcome = {};
    bool reusable = false;
  };

  End CarryOut(const ResponsePlan& plan, SocketStream& stream, const http::Request& request,
               bool keep_alive);
  End Answer(const ResponsePlan& plan, SocketStream& stream, const http::Request& request,
             bool keep_alive);
  // Each returns true if every planned byte was sent.
  bool CarryOutFault(const ResponsePlan& plan, SocketStream& stream, const http::Request& request);
  bool SendSlowly(const ResponsePlan& plan, SocketStream& stream, const http::Request& request);

  PlannedHandler& handler_;
  StopGate& gate_;
};

}  // namespace understudy::harness
