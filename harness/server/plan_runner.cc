#include "harness/server/plan_runner.h"

#include <algorithm>
#include <chrono>
#include <string>

#include "harness/server/response_writer.h"
#include "middleware/base/check.h"
#include "middleware/base/text.h"

namespace understudy::harness {
namespace {

using std::chrono::milliseconds;

// On real sockets, for the peer's system to acknowledge what was sent: microseconds on the
// loopback.
constexpr Duration kDeliveryWaitMax = milliseconds(1000);
// Below it, one copy is cheaper than a second system call.
constexpr std::size_t kJoinBytesMax = std::size_t{16} * 1024;

bool SendResponse(const http::Response& response, const Framing& framing, SocketStream& stream) {
  std::string head = EncodeHead(response, framing);
  if (framing.bodiless) return stream.Send(head);
  if (response.body.size() <= kJoinBytesMax) return stream.Send(head.append(response.body));
  return stream.Send(head, /*more=*/true) && stream.Send(response.body);
}

Framing LastFraming(const http::Response& response, const http::Request& request) {
  return Framing{.bodiless = IsBodiless(request.method, response.status),
                 .close = true,
                 .body_bytes = response.body.size()};
}

// The head and half of the body. Where half a body would be a complete answer, the promise is
// raised or the head is cut: the client must notice.
bool SendHalf(const http::Response& response, const http::Request& request, SocketStream& stream) {
  Framing framing = LastFraming(response, request);
  framing.body_bytes = std::max<std::size_t>(framing.body_bytes, 1);
  const std::string head = EncodeHead(response, framing);
  if (framing.bodiless) return stream.Send(std::string_view(head).substr(0, head.size() / 2));
  const std::string_view body = response.body;
  return stream.Send(head, /*more=*/true) && stream.Send(body.substr(0, body.size() / 2));
}

bool SendBadGzip(const http::Response& planned, const http::Request& request,
                 SocketStream& stream) {
  http::Response response = planned;
  const auto set = response.headers.Set("Content-Encoding", "gzip");
  UNDERSTUDY_CHECK(set.has_value(), "a literal header is valid");
  const bool could_be_gzip = response.body.empty() || response.body.starts_with("\x1f\x8b");
  if (could_be_gzip) response.body = "these bytes are not gzip";
  return SendResponse(response, LastFraming(response, request), stream);
}

bool PlansToClose(const http::Response& response) {
  const auto connection = response.headers.Get("Connection");
  return connection && EqualsIgnoreAsciiCase(*connection, "close");
}

// The plan may come from a file; a status line that no client can read would look like a fault
// nobody asked for.
void CheckStatus(ResponsePlan& plan) {
  if (plan.response.status >= 200 && plan.response.status <= 999) return;
  plan.response = {.status = 500,
                   .headers = {{"Content-Type", "text/plain; charset=utf-8"}},
                   .body = "the planned status " + std::to_string(plan.response.status) +
                           " is not one of a final response; use 200 to 999\n"};
}

}  // namespace

bool PlanRunner::Run(SocketStream& stream, const http::Request& request, bool keep_alive) {
  ResponsePlan plan = handler_.Handle(request);
  CheckStatus(plan);
  const End end = CarryOut(plan, stream, request, keep_alive);
  handler_.Completed(plan, end.outcome);
  return end.reusable;
}

PlanRunner::End PlanRunner::CarryOut(const ResponsePlan& plan, SocketStream& stream,
                                     const http::Request& request, bool keep_alive) {
  if (plan.abandoned)
    return End{.outcome = {.ended_by = plan.fault ? ToString(*plan.fault) : "client-gone"}};
  // A connection that should not exist ends at once; a latency belongs to an answer.
  const bool waits =
      plan.latency > Duration::zero() && !(plan.fault && IsConnectFault(*plan.fault));
  const bool stopped = waits && !gate_.SleepUntil(SaturatingAdd(gate_.clock().Now(), plan.latency));
  if (plan.fault) {
    const bool completed = !stopped && CarryOutFault(plan, stream, request);
    return End{.outcome = {.completed = completed, .ended_by = ToString(*plan.fault)}};
  }
  if (stopped) {
    return End{.outcome = {.ended_by = stream.PeerClosed() ? "client-gone" : "host-stopped"}};
  }
  return Answer(plan, stream, request, keep_alive);
}

PlanRunner::End PlanRunner::Answer(const ResponsePlan& plan, SocketStream& stream,
                                   const http::Request& request, bool keep_alive) {
  const http::Response& response = plan.response;
  // A client that gave up during the latency, or one that has only closed its sending direction?
  // Both look the same until an answer is sent: the first one's system refuses it.
  const bool peer_closed = plan.latency > Duration::zero() && stream.PeerClosed();
  const bool reusable = keep_alive && !peer_closed && !gate_.stopping() && !PlansToClose(response);
  const Framing framing{.bodiless = IsBodiless(request.method, response.status),
                        .close = !reusable,
                        .body_bytes = response.body.size()};
  const bool sent = SendResponse(response, framing, stream) &&
                    (!peer_closed || stream.AwaitDelivered(kDeliveryWaitMax));
  if (!sent) return End{.outcome = {.ended_by = "client-gone"}};
  return End{.outcome = {.completed = true}, .reusable = reusable};
}

bool PlanRunner::CarryOutFault(const ResponsePlan& plan, SocketStream& stream,
                               const http::Request& request) {
  switch (*plan.fault) {
    case FaultKind::kReset:
    case FaultKind::kRefuse:
    case FaultKind::kDnsFail:
      stream.Reset();
      return false;
    case FaultKind::kResetMidBody:
      // The half must be at the client before the reset, which discards what is under way.
      if (SendHalf(plan.response, request, stream)) stream.AwaitDelivered(kDeliveryWaitMax);
      stream.Reset();
      return false;
    case FaultKind::kTruncate:
      SendHalf(plan.response, request, stream);
      return false;
    case FaultKind::kBadGzip:
      SendBadGzip(plan.response, request, stream);
      return false;
    case FaultKind::kHang:
      gate_.SleepUntil(kNever);
      return false;
    case FaultKind::kSlowDrip:
      return SendSlowly(plan, stream, request);
  }
  return false;
}

bool PlanRunner::SendSlowly(const ResponsePlan& plan, SocketStream& stream,
                            const http::Request& request) {
  const Framing framing = LastFraming(plan.response, request);
  if (!stream.Send(EncodeHead(plan.response, framing), /*more=*/!plan.response.body.empty()))
    return false;
  if (framing.bodiless) return true;
  const std::size_t piece_bytes = std::max<std::size_t>(plan.drip.piece_bytes, 1);
  // From piece to piece, not from send to send: the drip does not get slower with the machine.
  TimePoint due = gate_.clock().Now();
  std::string_view rest = plan.response.body;
  while (!rest.empty()) {
    if (!stream.Send(rest.substr(0, piece_bytes))) return false;
    rest.remove_prefix(std::min(piece_bytes, rest.size()));
    due = SaturatingAdd(due, plan.drip.pause);
    if (!rest.empty() && !gate_.SleepUntil(due)) return false;
  }
  return true;
}

}  // namespace understudy::harness
