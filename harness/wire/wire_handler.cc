#include "harness/wire/wire_handler.h"

#include "harness/plan/correlation.h"

namespace understudy::harness {
namespace {

// The connection that the calling thread serves is one that nobody reads. Read it nevertheless: the
// clock must learn which request waits in vain.
thread_local bool silent_connection = false;
// The exchange that the calling thread serves never reached the vendor.
thread_local bool unseen_exchange = false;

std::uint64_t ExchangeOf(const http::Request& request) {
  const auto correlation = Peek(request.headers);
  return correlation ? correlation->exchange : 0;
}

}  // namespace

ConnectionPlan WireHandler::OnAccept(const ConnectionInfo& connection) {
  ConnectionPlan plan = inner_.OnAccept(connection);
  silent_connection = plan.fault == ConnectionFault::kSilence;
  if (silent_connection) plan.fault.reset();
  return plan;
}

std::optional<ResponsePlan> WireHandler::OnHead(const http::Request& head) {
  if (silent_connection) return std::nullopt;
  auto plan = inner_.OnHead(head);
  if (plan) clock_.ServingBegun(ExchangeOf(head));
  return plan;
}

ResponsePlan WireHandler::Handle(const http::Request& request) {
  clock_.ServingBegun(ExchangeOf(request));
  unseen_exchange = silent_connection;
  if (unseen_exchange) return {.fault = FaultKind::kHang};
  return inner_.Handle(request);
}

// A real server would hold the connection until it sees it closed; here the clock tells when that
// is.
bool WireHandler::AwaitClientGone() {
  clock_.AwaitClientGone();
  return true;
}

void WireHandler::Completed(const ResponsePlan& plan, const ExchangeOutcome& outcome) {
  // What was written to a connection that nobody reads any more has not arrived, though the kernel
  // took it.
  const bool lost = outcome.completed && clock_.ClientGaveUp();
  if (!unseen_exchange) {
    inner_.Completed(plan, lost ? ExchangeOutcome{.ended_by = "client-gone"} : outcome);
  }
  unseen_exchange = false;
  clock_.ServingEnded();
}

}  // namespace understudy::harness
