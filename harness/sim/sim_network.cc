#include "harness/sim/sim_network.h"

#include <optional>
#include <utility>

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

Duration DripTime(const ResponsePlan& plan) {
  const std::size_t pieces =
      (plan.response.body.size() + plan.drip.piece_bytes - 1) / plan.drip.piece_bytes;
  return pieces <= 1 ? Duration::zero() : plan.drip.pause * static_cast<Duration::rep>(pieces - 1);
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

Result<http::Response> SimNetwork::Exchange(Host& host, const http::Request& request,
                                            const http::SendOptions& options) {
  std::shared_ptr<Serving> serving;
  UNDERSTUDY_ASSIGN_OR_RETURN(const ResponsePlan plan, Ask(host, request, options, serving));
  auto response = CarryOut(plan, options);
  const bool client_gone = !response && (response.error().code == ErrorCode::kDeadlineExceeded ||
                                         response.error().code == ErrorCode::kCancelled);
  ExchangeOutcome outcome{.completed = response.has_value()};
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
  // The response has left; others may act before the caller sees it.
  simulation_.Yield();
  return response;
}

Result<ResponsePlan> SimNetwork::Ask(Host& host, const http::Request& request,
                                     const http::SendOptions& options,
                                     std::shared_ptr<Serving>& serving) {
  if (!host.blocking) return host.handler->Handle(request);
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
  mine.outcome = ExchangeOutcome{.ended_by = "client-gone"};
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

Result<http::Response> SimNetwork::CarryOut(const ResponsePlan& plan,
                                            const http::SendOptions& options) {
  Clock& clock = simulation_.clock();
  UNDERSTUDY_RETURN_IF_ERROR(WaitForClient(SaturatingAdd(clock.Now(), plan.latency), options));
  if (plan.fault) {
    switch (*plan.fault) {
      case FaultKind::kReset:
      case FaultKind::kRefuse:  // Too late to refuse: the request is here already.
      case FaultKind::kDnsFail:
        return ConnectionError("reset", "the connection was reset before an answer",
                               Delivery::kMaybeSent);
      case FaultKind::kResetMidBody:
        return ConnectionError("reset", "the connection was reset in the middle of the body",
                               Delivery::kMaybeSent);
      case FaultKind::kTruncate:
        return ConnectionError("truncated", "the connection was closed in the middle of the body",
                               Delivery::kMaybeSent);
      case FaultKind::kBadGzip:
        return Error{.code = ErrorCode::kProtocol,
                     .message = "the body is not in the announced content coding gzip",
                     .delivery = Delivery::kAnswered,
                     .origin = Origin::kRemote,
                     .reason = "decode"};
      case FaultKind::kHang:
        UNDERSTUDY_RETURN_IF_ERROR(WaitForClient(kNever, options));
        break;
      case FaultKind::kSlowDrip:
        UNDERSTUDY_RETURN_IF_ERROR(
            WaitForClient(SaturatingAdd(clock.Now(), DripTime(plan)), options));
        break;
    }
  }
  if (plan.response.body.size() > options.response_bytes_max) {
    return Error{.code = ErrorCode::kProtocol,
                 .message = "the body is larger than " +
                            std::to_string(options.response_bytes_max) + " bytes",
                 .delivery = Delivery::kAnswered,
                 .origin = Origin::kRemote,
                 .reason = "too-large"};
  }
  return plan.response;
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
