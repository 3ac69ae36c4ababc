#include "harness/scenario/application.h"

#include <utility>

namespace understudy::harness {
namespace {

constexpr Duration kRestartAfterExploredCrash = std::chrono::seconds(2);

std::string_view PointName(LifePoint point) {
  switch (point) {
    case LifePoint::kBeforeEffect:
      return "before a store operation";
    case LifePoint::kAfterEffect:
      return "after a store operation";
    case LifePoint::kBeforeAck:
      return "effect..ack";
  }
  return "";
}

}  // namespace

Application::~Application() { Stop(); }

void Application::Configure(std::map<std::string, VendorAddress, std::less<>> vendors,
                            std::string config) {
  vendors_ = std::move(vendors);
  config_ = std::move(config);
}

Result<void> Application::Start() {
  auto incarnation = std::make_shared<Incarnation>(parts_, nullptr);
  if (parts_.crash) {
    // Weak: the fence is part of what it would keep alive.
    const std::weak_ptr<Incarnation> weak = incarnation;
    incarnation->webhooks.SetCrashChoice([this, weak](LifePoint point) {
      const auto alive = weak.lock();
      if (!alive || alive->life->over() || !parts_.crash(point)) return false;
      return EndLife(alive, PointName(point), kRestartAfterExploredCrash);
    });
  }
  World& world = parts_.world;
  auto program = parts_.start(
      ProgramEnvironment{.runtime = Runtime{world.clock(), world.executor(), world.random(),
                                            incarnation->logger, incarnation->events},
                         .network = incarnation->network,
                         .crypto = world.crypto(),
                         .webhooks = incarnation->webhooks,
                         .tokens = incarnation->tokens,
                         .vendors = vendors_,
                         .config = config_});
  if (!program) return std::move(program).error();
  incarnation->program = *std::move(program);
  {
    const MutexLock lock(mutex_);
    if (!stopped_) {
      current_ = std::move(incarnation);
      return {};
    }
  }
  // As in Stop: a thread of this life may hold its last reference, and would wait for itself.
  incarnation->program->Stop();
  return {};
}

std::shared_ptr<Application::Incarnation> Application::Current() const {
  const MutexLock lock(mutex_);
  return current_;
}

bool Application::Crash(std::string_view between, std::optional<Duration> restart_after) {
  const auto incarnation = Current();
  return incarnation != nullptr && EndLife(incarnation, between, restart_after);
}

bool Application::EndLife(const std::shared_ptr<Incarnation>& incarnation, std::string_view between,
                          std::optional<Duration> restart_after) {
  if (!incarnation->life->End()) return false;
  {
    const MutexLock lock(mutex_);
    if (current_ == incarnation) current_ = nullptr;
    ghosts_.push_back(incarnation);
  }
  History& history = parts_.world.history();
  history.Publish("crash", {{"target", name_}, {"between", between}});
  if (!restart_after) return true;
  Task restart = parts_.world.executor().Spawn(
      name_ + " restart", [this, wait = *restart_after](const std::stop_token& stop) {
        Clock& clock = parts_.world.clock();
        if (!clock.SleepUntil(SaturatingAdd(clock.Now(), wait), stop)) return;
        if (const auto started = Start(); !started) {
          const MutexLock lock(mutex_);
          problems_.push_back(name_ + " did not start again: " + started.error().message);
          return;
        }
        parts_.world.history().Publish("restart", {{"target", name_}});
      });
  const MutexLock lock(mutex_);
  restarts_.push_back(std::move(restart));
  return true;
}

Result<http::Response> Application::Call(std::string_view operation, const std::string& args,
                                         const std::stop_token& stop) {
  const auto incarnation = Current();
  if (incarnation == nullptr) {
    return Error{.code = ErrorCode::kConnection,
                 .message = name_ + " is down",
                 .delivery = Delivery::kNotSent,
                 .reason = "crashed"};
  }
  return incarnation->program->Call(operation, args, stop);
}

std::vector<std::string> Application::problems() const {
  const MutexLock lock(mutex_);
  return problems_;
}

std::optional<FaultKind> Application::OnConnect(const http::Request&) {
  const auto incarnation = Current();
  if (incarnation != nullptr && incarnation->program->server() != nullptr) return std::nullopt;
  return FaultKind::kRefuse;
}

ResponsePlan Application::Handle(const http::Request& request) {
  const auto incarnation = Current();
  http::Handler* const server = incarnation == nullptr ? nullptr : incarnation->program->server();
  if (server == nullptr) return {.fault = FaultKind::kReset};
  ResponsePlan plan{.response = server->Handle(request)};
  if (parts_.crash && !incarnation->life->over() && parts_.crash(LifePoint::kBeforeAck)) {
    EndLife(incarnation, PointName(LifePoint::kBeforeAck), kRestartAfterExploredCrash);
  }
  if (incarnation->life->over()) plan.fault = FaultKind::kReset;
  return plan;
}

void Application::Stop() {
  std::vector<Task> restarts;
  std::vector<std::shared_ptr<Incarnation>> lives;
  {
    const MutexLock lock(mutex_);
    stopped_ = true;
    restarts.swap(restarts_);
    lives.swap(ghosts_);
    if (current_) lives.push_back(std::exchange(current_, nullptr));
  }
  // Outside the lock: both wait for threads. A thread of a life may hold its last reference, so it
  // must not be the destructor that waits.
  restarts.clear();
  for (const auto& life : lives) {
    if (life->program != nullptr) life->program->Stop();  // Else it has died while it started.
  }
}

}  // namespace understudy::harness
