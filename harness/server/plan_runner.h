// PlanRunner: asks the handler for a plan and carries it out on a socket, faults included.
//
// Per exchange, on one thread and in this order: Handle (or OnHead), the planned waits in the
// clock, the bytes or the fault, Completed. A harness that skips idle time relies on it.
#pragma once

#include <string>
#include <string_view>

#include "harness/plan/answer_script.h"
#include "harness/plan/response_plan.h"
#include "harness/server/request_reader.h"
#include "harness/server/socket_stream.h"
#include "harness/server/stop_gate.h"

namespace understudy::harness {

// Thread-safe if the handler is. Both references must outlive it.
class PlanRunner {
 public:
  // What becomes of the connection after an exchange.
  enum class Next {
    kServe,  // The next request.
    kEnd,    // It ends; the stream may be closed already.
    kClose,  // It ends with FIN when the head of another request has arrived,
    kReset,  // or with RST.
  };

  PlanRunner(PlannedHandler& handler, StopGate& gate) : handler_(handler), gate_(gate) {}

  // One exchange. `keep_alive` says if the connection could serve another.
  Next Run(SocketStream& stream, const http::Request& request, bool keep_alive);

  // For RequestReader::Next: carries out what the exchange before has left to do (`before`), and an
  // answer that comes before the body.
  AfterHead OnHead(SocketStream& stream, const RequestHead& head, Next before, bool keep_alive);

 private:
  // What is left of the exchange and of the connection.
  struct End {
    ExchangeOutcome outcome = {};
    Next next = Next::kEnd;
  };

  Next Perform(ResponsePlan plan, SocketStream& stream, const http::Request& request,
               bool keep_alive);
  End CarryOut(const ResponsePlan& plan, SocketStream& stream, const http::Request& request,
               bool keep_alive);
  End Answer(const ResponsePlan& plan, SocketStream& stream, const http::Request& request,
             bool keep_alive);
  End Fail(const ResponsePlan& plan, SocketStream& stream, const http::Request& request,
           bool keep_alive);
  bool SendScript(const AnswerScript& script, SocketStream& stream);
  Next Finish(const AnswerScript& script, SocketStream& stream);

  PlannedHandler& handler_;
  StopGate& gate_;
};

}  // namespace understudy::harness
