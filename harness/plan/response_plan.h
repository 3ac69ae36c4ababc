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

#include "harness/plan/fault.h"
#include "middleware/http/request.h"
#include "middleware/http/response.h"

namespace understudy::harness {

// How a slow body arrives: `piece_bytes` every `pause`, the first at once.
struct Drip {
  std::size_t piece_bytes = 16;
  Duration pause = std::chrono::milliseconds(100);
};

struct ResponsePlan {
  std::uint64_t id = 0;          // Given by the model; identifies the exchange in Completed().
  http::Response response = {};  // What to answer, unless a fault says otherwise.
  Duration latency = {};  // Wait this long, on the world's clock, between request and first byte.
  std::optional<FaultKind> fault = {};
  bool abandoned = false;  // The client has left already: close, and wait for nothing.
  Drip drip = {};          // For kSlowDrip.
};

// How the exchange ended, as the host saw it.
struct ExchangeOutcome {
  bool completed = false;  // Every planned byte was handed to the client's side.
  // "" or the fault's name, "client-gone" when the client closed first, or "host-stopped" when the
  // host stopped during the latency.
  std::string_view ended_by = {};
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

  // The request has arrived. Decides at once and does not block.
  virtual ResponsePlan Handle(const http::Request& request) = 0;

  // The host is done with the exchange `id`; called exactly once per Handle, on the thread that
  // called it.
  virtual void Completed(const ResponsePlan& plan, const ExchangeOutcome& outcome) {
    static_cast<void>(plan);
    static_cast<void>(outcome);
  }
};

}  // namespace understudy::harness
