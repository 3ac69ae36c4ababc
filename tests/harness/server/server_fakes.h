// Fakes for the tests of the HTTP server: a handler that answers by script and remembers, and a
// clock that skips.
#pragma once

#include <functional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "harness/plan/response_plan.h"
#include "middleware/base/mutex.h"
#include "middleware/platform/system_clock.h"

namespace understudy::harness {

// Answers each request with `answer(request)`; thread-safe.
class ScriptedHandler final : public PlannedHandler {
 public:
  using Answer = std::function<ResponsePlan(const http::Request&)>;

  struct Exchange {
    std::uint64_t id = 0;
    std::string ended_by;
    bool completed = false;
    bool same_thread = false;
  };

  explicit ScriptedHandler(Answer answer) : answer_(std::move(answer)) {}

  ResponsePlan Handle(const http::Request& request) override {
    ResponsePlan plan = answer_(request);
    const MutexLock lock(mutex_);
    requests_.push_back(request);
    threads_.push_back(std::this_thread::get_id());
    plan.id = requests_.size();
    changed_.NotifyAll();
    return plan;
  }

  void Completed(const ResponsePlan& plan, const ExchangeOutcome& outcome) override {
    const MutexLock lock(mutex_);
    exchanges_.push_back({.id = plan.id,
                          .ended_by = std::string(outcome.ended_by),
                          .completed = outcome.completed,
                          .same_thread = threads_.at(plan.id - 1) == std::this_thread::get_id()});
    changed_.NotifyAll();
  }

  // Block (for a minute at most) until so many have been seen; return what was seen.
  std::vector<http::Request> AwaitRequests(std::size_t count) {
    const MutexLock lock(mutex_);
    clock_.AwaitUntil(mutex_, changed_, Patience(),
                      [&]() REQUIRES(mutex_) { return requests_.size() >= count; });
    return requests_;
  }
  std::vector<Exchange> AwaitExchanges(std::size_t count) {
    const MutexLock lock(mutex_);
    clock_.AwaitUntil(mutex_, changed_, Patience(),
                      [&]() REQUIRES(mutex_) { return exchanges_.size() >= count; });
    return exchanges_;
  }
  std::size_t requests() const {
    const MutexLock lock(mutex_);
    return requests_.size();
  }

 private:
  TimePoint Patience() const { return clock_.Now() + std::chrono::minutes(1); }

  const Answer answer_;
  mutable Mutex mutex_;
  CondVar changed_{"the handler was called"};
  SystemClock clock_;
  std::vector<http::Request> requests_ GUARDED_BY(mutex_);
  std::vector<std::thread::id> threads_ GUARDED_BY(mutex_);
  std::vector<Exchange> exchanges_ GUARDED_BY(mutex_);
};

// Time that moves only by waiting: every wait returns at once, as if its deadline had come, and is
// remembered. A wait without a deadline really blocks.
class SkippingClock final : public Clock {
 public:
  using Clock::SleepUntil;

  TimePoint Now() const override {
    const MutexLock lock(mutex_);
    return now_;
  }
  SystemTime SystemNow() const override { return SystemTime{}; }
  void SleepUntil(TimePoint wake_at) override { Skip(wake_at); }
  bool AwaitUntil(Mutex& mutex, CondVar& condition, TimePoint deadline,
                  FunctionRef<bool()> predicate) override REQUIRES(mutex) {
    if (deadline == kNever) return real_.AwaitUntil(mutex, condition, deadline, predicate);
    if (!predicate()) Skip(deadline);
    return predicate();
  }

  std::vector<TimePoint> waits() const {
    const MutexLock lock(mutex_);
    return waits_;
  }

 private:
  void Skip(TimePoint wake_at) {
    const MutexLock lock(mutex_);
    waits_.push_back(wake_at);
    if (wake_at > now_) now_ = wake_at;
  }

  SystemClock real_;
  mutable Mutex mutex_;
  TimePoint now_ GUARDED_BY(mutex_) = TimePoint(std::chrono::hours(1));
  std::vector<TimePoint> waits_ GUARDED_BY(mutex_);
};

}  // namespace understudy::harness
