// WireHandler: a PlannedHandler as a server hosts it in a wire run. Tells the WireClock what the
// server's thread does.
#pragma once

#include "harness/plan/response_plan.h"
#include "harness/wire/wire_clock.h"

namespace understudy::harness {

// Relies on the server's promise that Handle, the wait for the latency and Completed happen on one
// thread, in order. Thread-safe as far as `inner` is.
class WireHandler final : public PlannedHandler {
 public:
  WireHandler(WireClock& clock, PlannedHandler& inner) : clock_(clock), inner_(inner) {}

  std::optional<ResponsePlan> OnHead(const http::Request& head) override;
  ResponsePlan Handle(const http::Request& request) override;
  void Completed(const ResponsePlan& plan, const ExchangeOutcome& outcome) override;
  ConnectionPlan OnAccept(const ConnectionInfo& connection) override;
  void OnConnectionEnd(const ConnectionReport& report) override { inner_.OnConnectionEnd(report); }
  bool AwaitClientGone() override;

 private:
  WireClock& clock_;
  PlannedHandler& inner_;
};

}  // namespace understudy::harness
