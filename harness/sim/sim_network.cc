#include "harness/sim/sim_network.h"

#include <optional>
#include <utility>

#include "harness/plan/answer_head.h"
#include "harness/plan/lane.h"
#include "middleware/base/check.h"

namespace understudy::harness {
namespace {

Error ConnectionError(std::string_view reason, std::string message, Delivery delivery) {
  return Error{.code = ErrorCode::kConnection,
               .message = std::move(message),
               .delivery = delivery,
               .origin = Origin::kRemote,
               .reason = std::string(reason)};
}

Error ConnectFault(FaultKind kind, const http::Request& request) {
  if (kind == FaultKind::kDnsFail) {
    return ConnectionError("dns",
                           "the name " + std::string(request.url.host()) + " does not resolve",
                           Delivery::kNotSent);
  }
  return ConnectionError("refused", "connection to " + request.url.origin() + " refused",
                         Delivery::kNotSent);
}

Error ClientGone(const Clock& clock, const http::SendOptions& options, Delivery delivery) {
  // The deadline first: a stop may have been requested because of it.
  if (options.deadline.Passed(clock.Now())) {
    return Error{.code = ErrorCode::kDeadlineExceeded,
                 .message = "no complete answer before the deadline",
                 .delivery = delivery};
  }
  return Error{.code = ErrorCode::kCancelled,
               .message = "the caller stopped the call",
               .delivery = delivery};
}

// As many as CurlTransport keeps.
constexpr std::size_t kIdleMax = 256;

Error Reset(std::string message) {
  return ConnectionError("reset", std::move(message), Delivery::kMaybeSent);
}

Error Protocol(std::string_view reason, std::string message, Delivery delivery) {
  return Error{.code = ErrorCode::kProtocol,
               .message = std::move(message),
               .delivery = delivery,
               .origin = Origin::kRemote,
               .reason = std::string(reason)};
}

// What a client makes of an answer that ended too soon, or was none.
Error Broken(const AnswerScript& script) {
  using Reached = AnswerScript::Reached;
  if (script.reached == Reached::kNotHttp) {
    return Protocol("malformed", "the answer is not HTTP", Delivery::kMaybeSent);
  }
  if (script.reached == Reached::kMalformed) {
    return Reset("the chunked coding of the body is malformed");
  }
  if (script.finish == AnswerScript::Finish::kReset) {
    return Reset(script.sent == 0 ? "the connection was reset before an answer"
                                  : "the connection was reset in the middle of the answer");
  }
  // libcurl calls less than a status line nothing.
  if (script.reached == Reached::kNothing || script.reached == Reached::kStatusLine) {
    return Reset("the connection was closed before an answer");
  }
  return ConnectionError("truncated", "the connection was closed in the middle of the answer",
                         Delivery::kMaybeSent);
}

}  // namespace

// One request at a blocking handler, shared by the client's and the server's actor.
struct SimNetwork::Serving {
  Mutex mutex;
  CondVar answered{"the server's answer"};
  std::optional<ResponsePlan> plan GUARDED_BY(mutex);
  bool client_done GUARDED_BY(mutex) = false;
  ExchangeOutcome outcome GUARDED_BY(mutex);
  bool finished GUARDED_BY(mutex) = false;
  Task task;
};

SimNetwork::SimNetwork(Simulation& simulation) : simulation_(simulation) {}

SimNetwork::~SimNetwork() = default;

void SimNetwork::Listen(std::string origin, PlannedHandler& handler) {
  const MutexLock lock(mutex_);
  hosts_[std::move(origin)] = Host{.handler = &handler};
}

void SimNetwork::ListenBlocking(std::string origin, PlannedHandler& handler, std::string lane) {
  const MutexLock lock(mutex_);
  hosts_[std::move(origin)] = Host{.handler = &handler, .blocking = true, .lane = std::move(lane)};
}

void SimNetwork::Close(std::string_view origin) {
  const MutexLock lock(mutex_);
  const auto idle = idle_.find(origin);
  if (idle != idle_.end()) idle_.erase(idle);
  const auto found = hosts_.find(origin);
  if (found != hosts_.end()) found->second.handler = nullptr;
}

Result<SimNetwork::Host> SimNetwork::FindHost(const http::Request& request) const {
  const MutexLock lock(mutex_);
  const auto found = hosts_.find(request.url.origin());
  if (found == hosts_.end()) return ConnectFault(FaultKind::kDnsFail, request);
  if (found->second.handler == nullptr) return ConnectFault(FaultKind::kRefuse, request);
  return found->second;
}

Result<http::Response> SimNetwork::Send(const http::Request& request,
                                        const http::SendOptions& options) {
  UNDERSTUDY_CHECK(HeldMutexCount() == 0, "a request is sent while a mutex is held");
  if (request.url.host().empty()) return InvalidArgument("the request has no URL; set request.url");
  Clock& clock = simulation_.clock();
  if (options.deadline.Passed(clock.Now()) || options.stop.stop_requested()) {
    return ClientGone(clock, options, Delivery::kNotSent);
  }
  simulation_.Yield();
  UNDERSTUDY_ASSIGN_OR_RETURN(Host host, FindHost(request));
  if (const auto fault = host.handler->OnConnect(request)) return ConnectFault(*fault, request);
  return Exchange(host, request, options);
}

std::optional<SimNetwork::Connection> SimNetwork::TakeIdle(const std::string& origin) {
  const MutexLock lock(mutex_);
  const auto idle = idle_.find(origin);
  if (idle == idle_.end() || idle->second.empty()) return std::nullopt;
  Connection connection = std::move(idle->second.back());
  idle->second.pop_back();
  return connection;
}

void SimNetwork::PutBack(Host& host, const std::string& origin, Connection connection) {
  using Finish = AnswerScript::Finish;
  const bool open = connection.next == Finish::kServeNext ||
                    connection.next == Finish::kResetNext || connection.next == Finish::kCloseNext;
  if (open) {
    const MutexLock lock(mutex_);
    std::vector<Connection>& idle = idle_[origin];
    if (idle.size() < kIdleMax) {
      idle.push_back(std::move(connection));
      return;
    }
  }
  host.handler->OnConnectionEnd(connection.report);
}

Result<SimNetwork::Connection> SimNetwork::Connect(Host& host, const http::Request& request,
                                                   const http::SendOptions& options) {
  const std::string origin = request.url.origin();
  bool repeated = false;
  while (auto used = TakeIdle(origin)) {
    if (used->next == AnswerScript::Finish::kServeNext) return *std::move(used);
    host.handler->OnConnectionEnd(used->report);
    // One repetition, as CurlTransport; the second time the client gives up.
    if (!options.replayable || repeated) {
      return Reset("the reused connection was closed before an answer");
    }
    repeated = true;
  }
  Connection made;
  {
    const MutexLock lock(mutex_);
    made.report.connection.index = ++accepted_[origin];
  }
  made.report.plan = host.handler->OnAccept(made.report.connection);
  const ConnectionPlan& plan = made.report.plan;
  const auto fail = [&]() -> Result<void> {
    if (plan.latency > Duration::zero()) {
      UNDERSTUDY_RETURN_IF_ERROR(
          WaitForClient(SaturatingAdd(simulation_.clock().Now(), plan.latency), options));
    }
    if (!plan.fault || IsTlsFault(*plan.fault)) return {};
    if (*plan.fault == ConnectionFault::kSilence) return WaitForClient(kNever, options);
    return Reset("the connection was closed as soon as it was accepted");
  };
  if (auto failed = fail(); !failed) {
    host.handler->OnConnectionEnd(made.report);
    return failed.error();
  }
  return made;
}

Result<http::Response> SimNetwork::Exchange(Host& host, const http::Request& request,
                                            const http::SendOptions& options) {
  UNDERSTUDY_ASSIGN_OR_RETURN(Connection connection, Connect(host, request, options));
  std::shared_ptr<Serving> serving;
  auto asked = Ask(host, request, options, serving);
  if (!asked) {
    connection.next = AnswerScript::Finish::kClose;
    PutBack(host, request.url.origin(), std::move(connection));
    return asked.error();
  }
  const ResponsePlan plan = *std::move(asked);
  ++connection.report.requests;
  auto response = CarryOut(plan, request, options, connection.next);
  const bool client_gone = !response && (response.error().code == ErrorCode::kDeadlineExceeded ||
                                         response.error().code == ErrorCode::kCancelled);
  ExchangeOutcome outcome{.completed = response.has_value()};
  if (client_gone) outcome.wire.client_abort = simulation_.clock().Now();
  if (plan.fault) {
    outcome.ended_by = ToString(*plan.fault);
  } else if (client_gone) {
    outcome.ended_by = "client-gone";
  }
  if (serving == nullptr) {
    host.handler->Completed(plan, outcome);
  } else {
    const MutexLock lock(serving->mutex);
    serving->outcome = outcome;
    serving->client_done = true;
    serving->answered.NotifyAll();
  }
  PutBack(host, request.url.origin(), std::move(connection));
  // The response has left; others may act before the caller sees it.
  simulation_.Yield();
  return response;
}

Result<ResponsePlan> SimNetwork::Ask(Host& host, const http::Request& request,
                                     const http::SendOptions& options,
                                     std::shared_ptr<Serving>& serving) {
  if (!host.blocking) {
    if (!request.body.empty()) {
      http::Request head = request;
      head.body.clear();
      if (auto early = host.handler->OnHead(head)) return *std::move(early);
    }
    return host.handler->Handle(request);
  }
  ReapServed();
  serving = std::make_shared<Serving>();
  Serving* const shared = serving.get();
  serving->task = simulation_.executor().Spawn(host.lane, [this, shared, handler = host.handler,
                                                           request](const std::stop_token&) {
    ResponsePlan plan = handler->Handle(request);
    ExchangeOutcome outcome{.ended_by = "client-gone"};
    {
      const MutexLock lock(shared->mutex);
      shared->plan = plan;
      shared->answered.NotifyAll();
      simulation_.clock().AwaitUntil(shared->mutex, shared->answered, kNever,
                                     [&]() REQUIRES(shared->mutex) { return shared->client_done; });
      outcome = shared->outcome;
    }
    handler->Completed(plan, outcome);
    const MutexLock lock(shared->mutex);
    shared->finished = true;
  });
  {
    const MutexLock lock(mutex_);
    served_.push_back(serving);
  }
  Serving& mine = *serving;
  const std::stop_callback wake(options.stop, [&mine] {
    const MutexLock lock(mine.mutex);
    mine.answered.NotifyAll();
  });
  const MutexLock lock(mine.mutex);
  const bool answered = simulation_.clock().AwaitUntil(
      mine.mutex, mine.answered, options.deadline.point(), [&]() REQUIRES(mine.mutex) {
        return mine.plan.has_value() || options.stop.stop_requested();
      });
  if (answered && mine.plan) return *mine.plan;
  mine.outcome = ExchangeOutcome{.ended_by = "client-gone",
                                 .wire = {.client_abort = simulation_.clock().Now()}};
  mine.client_done = true;
  mine.answered.NotifyAll();
  return ClientGone(simulation_.clock(), options, Delivery::kMaybeSent);
}

Result<void> SimNetwork::WaitForClient(TimePoint until, const http::SendOptions& options) {
  Clock& clock = simulation_.clock();
  const TimePoint deadline = options.deadline.point();
  const bool in_time = until < deadline;
  const bool woke = clock.SleepUntil(std::min(until, deadline), options.stop);
  if (!woke || !in_time) return ClientGone(clock, options, Delivery::kMaybeSent);
  return {};
}

Result<http::Response> SimNetwork::CarryOut(const ResponsePlan& plan, const http::Request& request,
                                            const http::SendOptions& options,
                                            AnswerScript::Finish& next) {
  Clock& clock = simulation_.clock();
  next = AnswerScript::Finish::kClose;  // Whatever fails ends the connection.
  UNDERSTUDY_RETURN_IF_ERROR(WaitForClient(SaturatingAdd(clock.Now(), plan.latency), options));
  Result<http::Response> response = plan.response;
  AnswerScript::Finish then =
      PlansToClose(plan.response) ? AnswerScript::Finish::kClose : AnswerScript::Finish::kServeNext;
  if (plan.fault) response = Fail(plan, request, options, then);
  if (!response) return response;
  if (response->body.size() > options.response_bytes_max) {
    return Protocol(
        "too-large",
        "the body is larger than " + std::to_string(options.response_bytes_max) + " bytes",
        Delivery::kAnswered);
  }
  next = then;
  return response;
}

Result<http::Response> SimNetwork::Fail(const ResponsePlan& plan, const http::Request& request,
                                        const http::SendOptions& options,
                                        AnswerScript::Finish& next) {
  if (IsConnectFault(*plan.fault)) {  // Too late to refuse: the request is here already.
    return Reset("the connection was reset before an answer");
  }
  const AnswerScript script = ComposeAnswer(plan, request.method, /*keep_alive=*/true);
  next = script.finish;
  if (const Duration total = script.Total(); total > Duration::zero()) {
    UNDERSTUDY_RETURN_IF_ERROR(
        WaitForClient(SaturatingAdd(simulation_.clock().Now(), total), options));
  }
  if (script.reached == AnswerScript::Reached::kAll) {
    if (!script.readable && !IsBodiless(request.method, script.response.status)) {
      return Protocol("decode", "the body is not in the announced content coding gzip",
                      Delivery::kAnswered);
    }
    return script.response;
  }
  if (script.finish == AnswerScript::Finish::kStall) {
    UNDERSTUDY_RETURN_IF_ERROR(WaitForClient(kNever, options));
  }
  return Broken(script);
}

void SimNetwork::ReapServed() {
  std::list<std::shared_ptr<Serving>> finished;
  {
    const MutexLock lock(mutex_);
    for (auto it = served_.begin(); it != served_.end();) {
      const auto next = std::next(it);
      const MutexLock serving_lock((*it)->mutex);
      if ((*it)->finished) finished.splice(finished.end(), served_, it);
      it = next;
    }
  }
  // Joined here, outside the lock: they have finished.
}

}  // namespace understudy::harness
