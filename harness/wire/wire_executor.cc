#include "harness/wire/wire_executor.h"

#include <exception>
#include <thread>
#include <utility>

#include "harness/plan/lane.h"

namespace understudy::harness {
namespace {

class ThreadControl final : public Task::Control {
 public:
  ThreadControl(WireClock& clock, std::string name, std::function<void(std::stop_token)> body)
      : clock_(clock) {
    clock_.ActorStarted();
    const Lane& parent = CurrentLane();
    lane_ = {.name = ChildLaneName(parent, name), .step = parent.step};
    thread_ = std::thread([this, name = std::move(name), body = std::move(body)]() mutable {
      Run(name, std::move(body));
    });
  }

  ~ThreadControl() override {
    if (thread_.joinable()) thread_.join();
  }

  void RequestStop() override { stop_.request_stop(); }

  void Join() override {
    {
      // Waits in the clock, so that the joining actor does not hold time.
      const MutexLock lock(mutex_);
      clock_.AwaitUntil(mutex_, ended_, kNever, [&]() REQUIRES(mutex_) { return done_; });
    }
    // The body has returned, or the run was ended and it is about to.
    if (thread_.joinable()) thread_.join();
  }

 private:
  void Run(const std::string& name, std::function<void(std::stop_token)> body) {
    clock_.ActorEnter(name);
    WireClock::RunActor([&] {
      const LaneScope lane(lane_);
      body(stop_.get_token());
    });
    body = nullptr;  // What it captured ends before the actor does.
    {
      const MutexLock lock(mutex_);
      done_ = true;
      ended_.NotifyAll();
    }
    clock_.ActorLeave();
  }

  WireClock& clock_;
  Lane lane_;
  std::stop_source stop_;
  Mutex mutex_;
  CondVar ended_{"the end of a task"};
  bool done_ GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace

Task WireExecutor::Spawn(std::string name, std::function<void(std::stop_token)> body) {
  return Task(std::make_unique<ThreadControl>(clock_, std::move(name), std::move(body)));
}

}  // namespace understudy::harness
