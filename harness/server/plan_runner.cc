#include "harness/server/plan_runner.h"

#include <algorithm>
#include <chrono>
#include <string>

#include "harness/plan/answer_head.h"

namespace understudy::harness {
namespace {

using std::chrono::milliseconds;

// On real sockets, for the peer's system to acknowledge what was sent: microseconds on the
// loopback.
constexpr Duration kDeliveryWaitMax = milliseconds(1000);
// On real sockets, for a client that still sends when its connection ends.
constexpr Duration kDrainMax = milliseconds(1000);
// Below it, one copy is cheaper than a second system call.
constexpr std::size_t kJoinBytesMax = std::size_t{16} * 1024;

bool SendResponse(const http::Response& response, const Framing& framing, SocketStream& stream) {
  std::string head = EncodeHead(response, framing);
  if (framing.bodiless) return stream.Send(head);
  if (response.body.size() <= kJoinBytesMax) return stream.Send(head.append(response.body));
  return stream.Send(head, /*more=*/true) && stream.Send(response.body);
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

PlanRunner::Next PlanRunner::Run(SocketStream& stream, const http::Request& request,
                                 bool keep_alive) {
  return Perform(handler_.Handle(request), stream, request, keep_alive);
}

AfterHead PlanRunner::OnHead(SocketStream& stream, const RequestHead& head, Next before,
                             bool keep_alive) {
  if (before == Next::kReset) {
    stream.Reset();
    return AfterHead::kEnd;
  }
  if (before == Next::kClose) {
    stream.CloseAfterDraining(kDrainMax);
    return AfterHead::kEnd;
  }
  if (!head.chunked && head.content_length == 0) return AfterHead::kReadBody;
  auto plan = handler_.OnHead(head.request);
  if (!plan) return AfterHead::kReadBody;
  // A client that waits for "100 Continue" may leave the body out now: where the next request
  // begins would be a guess.
  const bool can_go_on = keep_alive && head.keep_alive && !head.expects_continue;
  const Next next = Perform(*std::move(plan), stream, head.request, can_go_on);
  if (next == Next::kServe) return AfterHead::kDiscardBody;
  // The client is still sending: without draining, a FIN would be an RST.
  stream.CloseAfterDraining(kDrainMax);
  return AfterHead::kEnd;
}

PlanRunner::Next PlanRunner::Perform(ResponsePlan plan, SocketStream& stream,
                                     const http::Request& request, bool keep_alive) {
  CheckStatus(plan);
  End end = CarryOut(plan, stream, request, keep_alive);
  // Now, so that the facts tell of it. With input unread the rest is for CloseAfterDraining.
  if (end.next == Next::kEnd) stream.FinishSending();
  const bool look = end.next == Next::kEnd || plan.latency > Duration::zero();
  end.outcome.wire = stream.TakeExchangeFacts(look, end.outcome.completed);
  handler_.Completed(plan, end.outcome);
  return end.next;
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
    if (stopped) return End{.outcome = {.ended_by = ToString(*plan.fault)}};
    return Fail(plan, stream, request, keep_alive);
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
  return End{.outcome = {.completed = true}, .next = reusable ? Next::kServe : Next::kEnd};
}

PlanRunner::End PlanRunner::Fail(const ResponsePlan& plan, SocketStream& stream,
                                 const http::Request& request, bool keep_alive) {
  End end{.outcome = {.ended_by = ToString(*plan.fault)}};
  if (IsConnectFault(*plan.fault)) {  // Too late to refuse: the request is here already.
    stream.Reset();
    return end;
  }
  const AnswerScript script = ComposeAnswer(plan, request.method, keep_alive && !gate_.stopping());
  const bool sent = SendScript(script, stream);
  end.outcome.completed = sent && script.completes();
  if (sent) {
    end.next = Finish(script, stream);
  } else if (script.finish == AnswerScript::Finish::kReset) {
    stream.Reset();
  }
  return end;
}

// True if every byte of the script was handed over.
bool PlanRunner::SendScript(const AnswerScript& script, SocketStream& stream) {
  const std::string_view head = std::string_view(script.head).substr(0, script.sent);
  std::string_view rest = std::string_view(script.body).substr(0, script.body_sent());
  if (!head.empty() && !stream.Send(head, /*more=*/!rest.empty())) return false;
  const std::size_t piece_bytes = script.piece_bytes == 0 ? rest.size() : script.piece_bytes;
  // Against the beginning, not from send to send: a slow body does not get slower with the machine.
  const TimePoint began = script.piece_bytes == 0 ? TimePoint() : gate_.clock().Now();
  for (std::size_t offset = 0; !rest.empty(); offset += piece_bytes) {
    const Duration due = script.DueOf(offset);
    if (due > Duration::zero() && !gate_.SleepUntil(SaturatingAdd(began, due))) return false;
    if (!stream.Send(rest.substr(0, piece_bytes))) return false;
    rest.remove_prefix(std::min(piece_bytes, rest.size()));
  }
  return true;
}

PlanRunner::Next PlanRunner::Finish(const AnswerScript& script, SocketStream& stream) {
  using Finish = AnswerScript::Finish;
  switch (script.finish) {
    case Finish::kServeNext:
      return Next::kServe;
    case Finish::kCloseNext:
      return Next::kClose;
    case Finish::kResetNext:
      return Next::kReset;
    case Finish::kReset:
      // What was sent must be at the client before the reset, which discards what is under way.
      if (script.sent > 0) stream.AwaitDelivered(kDeliveryWaitMax);
      stream.Reset();
      return Next::kEnd;
    case Finish::kStall:
      // A client that has given up frees the thread; one that has only finished sending sees a FIN.
      if (!handler_.AwaitClientGone()) stream.AwaitPeerEnd();
      return Next::kEnd;
    case Finish::kClose:
      return Next::kEnd;
  }
  return Next::kEnd;
}

}  // namespace understudy::harness
