// ResponsePlan and PlannedHandler: how a model of a vendor tells its host (sockets or memory) what
// to do.
//
// The model decides, the host carries out. Both hosts (harness/server on sockets, harness/sim in
// memory) take the same plan, so a client sees the same answers in both worlds; a contract suite
// holds them to it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "harness/plan/connection_plan.h"
#include "harness/plan/fault.h"
#include "harness/plan/wire_facts.h"
#include "middleware/http/request.h"
#include "middleware/http/response.h"

namespace understudy::harness {

struct ResponsePlan {
  std::uint64_t id = 0;          // Given by the model; identifies the exchange in Completed().
  http::Response response = {};  // What to answer, unless a fault says otherwise.
  Duration latency = {};  // Wait this long, on the world's clock, between request and first byte.
  std::optional<FaultKind> fault = {};
  bool abandoned = false;         // The client has left already: close, and wait for nothing.
  Drip drip = {};                 // For kSlowDrip.
  FaultDetail fault_detail = {};  // Where and how, for the other faults.
  std::uint64_t journal = 0;  // Given by the model: the number of its journal entry; 0 for none.
};

// How the exchange ended, as the host saw it.
struct ExchangeOutcome {
  bool completed = false;  // Every planned byte was handed to the client's side.
  // "" or the fault's name, "client-gone" when the client closed first, or "host-stopped" when the
  // host stopped during the latency.
  std::string_view ended_by = {};
  WireFacts wire = {};  // Of this exchange.
};

// A vendor, as its hosts see it. Thread-safe: called from many connections at once.
class PlannedHandler {
 public:
  virtual ~PlannedHandler() = default;

  // Asked before a connection is made for `request`, where the host sits on the client's side and
  // can know: a returned fault (kRefuse or kDnsFail) means that the request never leaves. Consumes
  // the response entry that says so.
  virtual std::optional<FaultKind> OnConnect(const http::Request& request) {
    static_cast<void>(request);
    return std::nullopt;
  }

  // The head of a request has arrived, its body is still on its way. A plan is carried out at once,
  // in place of Handle, and what is left of the body is read by nobody, or for nobody; see
  // FaultKind::kEarlyResponse. Hosts need not ask for a request without a body. Decides at once and
  // does not block. Completed is called for a plan.
  virtual std::optional<ResponsePlan> OnHead(const http::Request& head) {
    static_cast<void>(head);
    return std::nullopt;
  }

  // The request has arrived. Decides at once and does not block.
  virtual ResponsePlan Handle(const http::Request& request) = 0;

  // The host is done with the exchange `id`; called exactly once per Handle (or plan of OnHead),
  // on the thread that called it.
  virtual void Completed(const ResponsePlan& plan, const ExchangeOutcome& outcome) {
    static_cast<void>(plan);
    static_cast<void>(outcome);
  }

  // A host on sockets has accepted a connection: what to do with it. Decides at once and does not
  // block; called on the thread that will serve the connection, hence from many at once.
  virtual ConnectionPlan OnAccept(const ConnectionInfo& connection) {
    static_cast<void>(connection);
    return {};
  }

  // Called exactly once per OnAccept, on the same thread, when the connection has been closed.
  virtual void OnConnectionEnd(const ConnectionReport& report) { static_cast<void>(report); }

  // A hanging answer has got as far as it ever will. Where the handler knows when the client leaves
  // it waits here until then and returns true; false leaves the waiting to the host. On the thread
  // of Handle.
  virtual bool AwaitClientGone() { return false; }
};

}  // namespace understudy::harness
