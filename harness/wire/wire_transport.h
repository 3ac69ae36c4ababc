// WireTransport: the client's end of a wire run. Tells the WireClock which requests are on their
// way.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <optional>
#include <string>

#include "harness/plan/response_plan.h"
#include "harness/wire/wire_clock.h"
#include "middleware/http/transport.h"

namespace understudy::harness {

// Wraps a real transport. Before a request goes out it asks the addressed vendor for a connect
// fault (refused, name does not resolve) and sends the request where that really happens.
// Thread-safe.
class WireTransport final : public http::Transport {
 public:
  // Sends through `inner`. `refused_origin` is an address on which nobody listens.
  WireTransport(WireClock& clock, http::Transport& inner, std::string refused_origin);

  // Requests to `origin` ask `vendor` first. Call before the run.
  void AskBeforeConnect(std::string origin, PlannedHandler& vendor);

  // The request must carry its correlation header with a unique exchange number.
  Result<http::Response> Send(const http::Request& request,
                              const http::SendOptions& options) override;

 private:
  std::optional<FaultKind> ConnectFault(const http::Request& request) const;

  WireClock& clock_;
  http::Transport& inner_;
  const std::string refused_origin_;
  std::map<std::string, PlannedHandler*, std::less<>> vendors_;
};

}  // namespace understudy::harness
