#include "harness/wire/wire_handler.h"

#include "harness/plan/correlation.h"

namespace understudy::harness {

ResponsePlan WireHandler::Handle(const http::Request& request) {
  const auto correlation = Peek(request.headers);
  clock_.ServingBegun(correlation ? correlation->exchange : 0);
  const ResponsePlan plan = inner_.Handle(request);
  return plan.fault == FaultKind::kHang ? HangUntilClientGone(plan) : plan;
}

// A real server would hold the connection until it sees it closed; here the clock tells when that
// is.
ResponsePlan WireHandler::HangUntilClientGone(const ResponsePlan& plan) {
  clock_.SleepFor(plan.latency);
  clock_.AwaitClientGone();
  return {.id = plan.id, .fault = FaultKind::kHang, .abandoned = true};
}

void WireHandler::Completed(const ResponsePlan& plan, const ExchangeOutcome& outcome) {
  // What was written to a connection that nobody reads any more has not arrived, though the kernel
  // took it.
  const bool lost = outcome.completed && clock_.ClientGaveUp();
  inner_.Completed(plan, lost ? ExchangeOutcome{.ended_by = "client-gone"} : outcome);
  clock_.ServingEnded();
}

}  // namespace understudy::harness
