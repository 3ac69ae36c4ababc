#include "harness/sim/simulation.h"

#include <algorithm>
#include <deque>
#include <exception>
#include <map>
#include <semaphore>
#include <utility>
#include <vector>

#include "harness/plan/lane.h"
#include "middleware/base/check.h"
#include "middleware/base/text.h"

namespace understudy::harness {
namespace {

// Unwinds an actor whose run was ended early. Private to this file: nobody can name it, `catch
// (...)` can only delay it.
struct RunEnded {};

constexpr int kSwallowedEndsMax = 1000;

bool Unwinding() { return std::uncaught_exceptions() > 0; }

using Gate = std::binary_semaphore;

}  // namespace

std::string_view ToString(SimulationEnd end) {
  switch (end) {
    case SimulationEnd::kFinished:
      return "finished";
    case SimulationEnd::kDeadlock:
      return "deadlock";
    case SimulationEnd::kTimeLimit:
      return "time-limit";
    case SimulationEnd::kLivelock:
      return "livelock";
    case SimulationEnd::kHeldMutex:
      return "held-mutex";
  }
  return "unknown";
}

// All state is touched only by the actor that holds the token; the gates order those accesses. No
// lock is needed.
class Simulation::Core final : public Clock, public Executor, public SchedulerHook {
 public:
  Core(SimulationOptions options, WorkerPool& pool)
      : options_(std::move(options)),
        pool_(pool),
        schedule_(options_.seed == 0 ? Scheduler::kRoundRobin : options_.scheduler, options_.seed,
                  options_.preemptions_max, options_.expected_steps) {}

  // Clock
  TimePoint Now() const override { return now_; }
  SystemTime SystemNow() const override { return options_.start + now_.time_since_epoch(); }
  void SleepUntil(TimePoint wake_at) override;
  bool AwaitUntil(Mutex& mutex, CondVar& condition, TimePoint deadline,
                  FunctionRef<bool()> predicate) override REQUIRES(mutex);

  // Executor
  Task Spawn(std::string name, std::function<void(std::stop_token)> body) override;

  // SchedulerHook
  void BeforeLock() override {
    // Does not unwind: locks are also taken where nothing may be thrown (stop callbacks, event
    // sinks).
    if (schedule_.PreemptBeforeLock() && !ended_ && !Unwinding()) LetOthersRun(*current_);
  }

  SimulationReport Run(FunctionRef<void()> main);
  void Yield();

 private:
  struct Actor;
  class ActorControl;

  void ActorMain(Actor& actor, std::function<void(std::stop_token)> body);
  void LetOthersRun(Actor& self);
  void Park(Actor& self, TimePoint wake_at, std::string_view waits_for);
  void MakeReady(Actor& actor);
  void SwitchFrom(Actor* self);
  Actor& PickNext();
  bool AdvanceTime();
  void End(SimulationEnd end, std::string detail);
  std::string DescribeWaits() const;
  void ThrowIfEnded(Actor& self);
  void CheckNoMutexHeld(Actor& self, int allowed, std::string_view what);
  void JoinActor(Actor& target);
  void RequestStop(Actor& target);
  void JoinAll();

  const SimulationOptions options_;
  WorkerPool& pool_;
  Schedule schedule_;
  TimePoint now_{};
  std::vector<std::unique_ptr<Actor>> actors_;
  std::deque<Actor*> ready_;  // in the order in which they became runnable
  std::multimap<TimePoint, Actor*> timers_;
  Actor* current_ = nullptr;
  std::size_t alive_ = 0;
  bool ended_ = false;
  SimulationReport report_;
};

struct Simulation::Core::Actor final : CondVar::Waiter {
  enum class State { kReady, kRunning, kParked, kDone };

  void Wake() override { core->MakeReady(*this); }

  Core* core = nullptr;
  int id = 0;
  std::string name;
  std::string step;  // Of the scenario, inherited from whoever spawned it.
  State state = State::kReady;
  std::string_view waits_for;
  std::string
      joins;  // Name of the actor it joins; a join is never interrupted by the end of the run.
  TimePoint parked_since{};
  std::multimap<TimePoint, Actor*>::iterator timer;
  bool has_timer = false;
  std::uint64_t steps = 0;
  int ends_swallowed = 0;
  std::stop_source stop;
  std::vector<Actor*> joiners;
  // Shared with whoever releases it last, who may still be inside release() when the actor is
  // destroyed.
  std::shared_ptr<Gate> gate = std::make_shared<Gate>(0);
};

class Simulation::Core::ActorControl final : public Task::Control {
 public:
  ActorControl(Core& core, Actor& actor) : core_(core), actor_(actor) {}
  void RequestStop() override { core_.RequestStop(actor_); }
  void Join() override { core_.JoinActor(actor_); }

 private:
  Core& core_;
  Actor& actor_;
};

void Simulation::Core::MakeReady(Actor& actor) {
  if (actor.state != Actor::State::kParked) return;
  if (actor.has_timer) {
    timers_.erase(actor.timer);
    actor.has_timer = false;
  }
  actor.state = Actor::State::kReady;
  ready_.push_back(&actor);
}

void Simulation::Core::Park(Actor& self, TimePoint wake_at, std::string_view waits_for) {
  self.state = Actor::State::kParked;
  self.waits_for = waits_for;
  self.parked_since = now_;
  self.has_timer = wake_at != kNever;
  if (self.has_timer) self.timer = timers_.emplace(wake_at, &self);
  SwitchFrom(&self);
}

void Simulation::Core::Yield() {
  Actor& self = *current_;
  ThrowIfEnded(self);
  LetOthersRun(self);
  ThrowIfEnded(self);
}

void Simulation::Core::LetOthersRun(Actor& self) {
  if (ready_.empty()) return;
  self.state = Actor::State::kReady;
  // Round-robin puts it behind the others; an exploring schedule may choose it again.
  ready_.push_back(&self);
  SwitchFrom(&self);
}

// Hands the token to the next actor; returns when `self` has it again (at once, if it is the next).
// A finished actor passes nullptr and does not come back.
void Simulation::Core::SwitchFrom(Actor* self) {
  Actor& next = PickNext();
  next.state = Actor::State::kRunning;
  ++next.steps;
  if (&next == self) return;
  const std::shared_ptr<Gate> next_gate = next.gate;
  const std::shared_ptr<Gate> own_gate = self != nullptr ? self->gate : nullptr;
  current_ = &next;
  next_gate->release();
  // From here on another thread owns every member.
  if (own_gate) own_gate->acquire();
}

Simulation::Core::Actor& Simulation::Core::PickNext() {
  ++report_.switches;
  if (!ended_ && report_.switches > options_.switches_max) {
    End(SimulationEnd::kLivelock, "more than " + std::to_string(options_.switches_max) +
                                      " switches; the last actor was " + current_->name);
  }
  while (ready_.empty()) {
    if (!AdvanceTime()) End(SimulationEnd::kDeadlock, DescribeWaits());
  }
  std::size_t index = 0;
  if (schedule_.exploring()) {
    std::vector<Schedule::Candidate> candidates;
    candidates.reserve(ready_.size());
    for (const Actor* actor : ready_) candidates.push_back({actor->id, actor->name, actor->steps});
    index = schedule_.Choose(candidates);
  }
  Actor& next = *ready_[index];
  ready_.erase(ready_.begin() + static_cast<std::ptrdiff_t>(index));
  return next;
}

// Jumps to the earliest timer. False if there is none. Past the ceiling it ends the run instead.
bool Simulation::Core::AdvanceTime() {
  if (timers_.empty()) return false;
  const TimePoint next = timers_.begin()->first;
  if (!ended_ && next.time_since_epoch() > options_.limit) {
    now_ = std::max(now_, TimePoint(options_.limit));
    End(SimulationEnd::kTimeLimit, "virtual time would pass the limit of " +
                                       FormatDuration(options_.limit) + "\n" + DescribeWaits());
    return true;
  }
  now_ = std::max(now_, next);
  while (!timers_.empty() && timers_.begin()->first <= now_) MakeReady(*timers_.begin()->second);
  return true;
}

void Simulation::Core::End(SimulationEnd end, std::string detail) {
  UNDERSTUDY_CHECK(!ended_, "the simulation cannot make progress while it unwinds: " + detail);
  ended_ = true;
  report_.end = end;
  report_.detail = std::move(detail);
  for (const auto& actor : actors_) {
    if (actor->joins.empty()) MakeReady(*actor);
  }
}

std::string Simulation::Core::DescribeWaits() const {
  std::string text;
  for (const auto& actor : actors_) {
    if (actor->state != Actor::State::kParked) continue;
    if (!text.empty()) text.append("\n");
    text.append(actor->name).append(" waits for ");
    if (actor->joins.empty()) {
      text.append(actor->waits_for);
    } else {
      text.append("the end of ").append(actor->joins);
    }
    text.append(", since ").append(FormatDuration(actor->parked_since.time_since_epoch()));
  }
  return text;
}

void Simulation::Core::ThrowIfEnded(Actor& self) {
  if (!ended_ || Unwinding()) return;
  ++self.ends_swallowed;
  UNDERSTUDY_CHECK(
      self.ends_swallowed < kSwallowedEndsMax,
      self.name + " keeps running after the simulation has ended: it swallows every exception");
  throw RunEnded{};
}

void Simulation::Core::CheckNoMutexHeld(Actor& self, int allowed, std::string_view what) {
  if (HeldMutexCount() == allowed || ended_) return;
  End(SimulationEnd::kHeldMutex,
      self.name + " holds a mutex across a wait for " + std::string(what));
}

void Simulation::Core::SleepUntil(TimePoint wake_at) {
  Actor& self = *current_;
  CheckNoMutexHeld(self, 0, "the clock");
  ThrowIfEnded(self);
  if (wake_at <= now_ || ended_) return;
  Park(self, wake_at, "the clock");
  ThrowIfEnded(self);
}

bool Simulation::Core::AwaitUntil(Mutex& mutex, CondVar& condition, TimePoint deadline,
                                  FunctionRef<bool()> predicate) {
  Actor& self = *current_;
  CheckNoMutexHeld(self, 1, condition.name());
  for (;;) {
    ThrowIfEnded(self);
    if (predicate()) return true;
    if (deadline <= now_ || ended_) return false;
    condition.Register(self);
    mutex.Unlock();
    Park(self, deadline, condition.name());
    // Not through BeforeLock: the actor has just been scheduled.
    SchedulerHook* const hook = SetSchedulerHook(nullptr);
    mutex.Lock();
    SetSchedulerHook(hook);
    condition.Unregister(self);
  }
}

Task Simulation::Core::Spawn(std::string name, std::function<void(std::stop_token)> body) {
  actors_.push_back(std::make_unique<Actor>());
  Actor& actor = *actors_.back();
  actor.core = this;
  actor.id = static_cast<int>(actors_.size());
  const Lane& parent = CurrentLane();
  actor.name = ChildLaneName(parent, name);
  actor.step = parent.step;
  ++alive_;
  ready_.push_back(&actor);
  pool_.Run([this, &actor, gate = actor.gate, body = std::move(body)]() mutable {
    gate->acquire();
    ActorMain(actor, std::move(body));
  });
  return Task(std::make_unique<ActorControl>(*this, actor));
}

void Simulation::Core::ActorMain(Actor& actor, std::function<void(std::stop_token)> body) {
  {
    const LaneScope lane({.name = actor.name, .step = actor.step});
    SchedulerHook* const previous = SetSchedulerHook(this);
    try {
      if (!ended_) body(actor.stop.get_token());
    } catch (const RunEnded&) {
      // The run was ended; the actor has been unwound.
    }
    SetSchedulerHook(previous);
    body = nullptr;  // What it captured ends inside the simulation.
  }
  actor.state = Actor::State::kDone;
  --alive_;
  for (Actor* joiner : actor.joiners) MakeReady(*joiner);
  SwitchFrom(nullptr);
}

void Simulation::Core::JoinActor(Actor& target) {
  Actor& self = *current_;
  CheckNoMutexHeld(self, 0, "the end of " + target.name);
  while (target.state != Actor::State::kDone) {
    target.joiners.push_back(&self);
    self.joins = target.name;
    Park(self, kNever, "the end of an actor");
    self.joins.clear();
  }
}

// Stop callbacks take locks. A switch inside one would let its owner destroy the
// std::stop_callback, which blocks the whole simulation until the callback, which cannot run, has
// returned.
void Simulation::Core::RequestStop(Actor& target) {
  SchedulerHook* const hook = SetSchedulerHook(nullptr);
  target.stop.request_stop();
  SetSchedulerHook(hook);
}

void Simulation::Core::JoinAll() {
  for (std::size_t i = 1; i < actors_.size(); ++i) JoinActor(*actors_[i]);
}

SimulationReport Simulation::Core::Run(FunctionRef<void()> main) {
  UNDERSTUDY_CHECK(actors_.empty(), "a Simulation runs once");
  actors_.push_back(std::make_unique<Actor>());
  Actor& self = *actors_.back();
  self.core = this;
  self.name = "main";
  self.state = Actor::State::kRunning;
  current_ = &self;
  ++alive_;
  {
    const LaneScope lane({.name = self.name});
    SchedulerHook* const previous = SetSchedulerHook(this);
    try {
      main();
    } catch (const RunEnded&) {
      // Unwound; the other actors follow below.
    }
    SetSchedulerHook(previous);
    JoinAll();
  }
  report_.ended_at = now_;
  for (const auto& actor : actors_) report_.steps[actor->name] += actor->steps;
  return report_;
}

Simulation::Simulation(SimulationOptions options, WorkerPool& pool)
    : core_(std::make_unique<Core>(std::move(options), pool)) {}

Simulation::~Simulation() = default;

Clock& Simulation::clock() { return *core_; }

Executor& Simulation::executor() { return *core_; }

SimulationReport Simulation::Run(FunctionRef<void()> main) { return core_->Run(main); }

void Simulation::Yield() { core_->Yield(); }

}  // namespace understudy::harness
