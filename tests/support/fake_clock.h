// FakeClock: time that moves only when a test says so, or when the code under test waits.
//
//   FakeClock clock;                       // every wait passes at once and moves the time
//   clock.At(50ms, [&] { permit.reset(); });   // happens when a wait reaches that time
//   limiter.Acquire(...);
//   EXPECT_EQ(clock.Elapsed(), 50ms);
//
//   FakeClock clock(FakeClock::Waits::kBlock);  // waits block real threads, until Advance() or a
//                                               // NotifyAll ends them
//   std::jthread caller([&] { bulkhead.Acquire(...); });
//   clock.AwaitSleepers(1);
//   clock.Advance(1s);
#pragma once

#include <algorithm>
#include <condition_variable>
#include <cstddef>
#include <functional>
#include <map>
#include <mutex>
#include <utility>
#include <vector>

#include "middleware/base/check.h"
#include "middleware/runtime/clock.h"

namespace understudy::test {

// Thread-safe. Aborts, as every Clock does, if a thread waits while it holds a Mutex.
class FakeClock final : public Clock {
 public:
  enum class Waits {
    kAdvance,  // A wait moves the time to its end. For tests with one thread.
    kBlock,    // A wait blocks its thread until Advance reaches it. For tests with several threads.
  };

  explicit FakeClock(Waits waits = Waits::kAdvance) : waits_(waits) {}

  using Clock::SleepUntil;

  TimePoint Now() const override {
    const std::lock_guard lock(mutex_);
    return now_;
  }
  SystemTime SystemNow() const override {
    const std::lock_guard lock(mutex_);
    return system_start_ + (now_ - kStart) + system_offset_;
  }

  void SleepUntil(TimePoint wake_at) override {
    UNDERSTUDY_CHECK(HeldMutexCount() == 0, "a thread sleeps while it holds a Mutex");
    if (waits_ == Waits::kAdvance) {
      AdvanceTo(wake_at);
      return;
    }
    std::unique_lock lock(mutex_);
    ++sleepers_;
    changed_.notify_all();
    changed_.wait(lock, [&] { return now_ >= wake_at; });
    --sleepers_;
  }

  bool AwaitUntil(Mutex& mutex, CondVar& condition, TimePoint deadline,
                  FunctionRef<bool()> predicate) override NO_THREAD_SAFETY_ANALYSIS {
    UNDERSTUDY_CHECK(HeldMutexCount() == 1, "a thread waits while it holds a second Mutex");
    Flag flag(*this);
    condition.Register(flag);
    bool holds = predicate();
    while (!holds && Now() < deadline) {
      mutex.Unlock();
      WaitForFlag(flag, deadline);
      mutex.Lock();
      holds = predicate();
    }
    condition.Unregister(flag);
    return holds;
  }

  // Moves the time; actions set with At run on the way, in order, on this thread.
  void Advance(Duration duration) {
    TimePoint target;
    {
      const std::lock_guard lock(mutex_);
      target = SaturatingAdd(now_, duration);
      if (actions_.empty() || actions_.begin()->first > target) {
        now_ = target;  // At once, so that advances of several threads add up.
        changed_.notify_all();
        return;
      }
    }
    AdvanceTo(target);
  }

  // Runs `action` when the time reaches `after` from the start of the clock. Never with a Mutex
  // held.
  void At(Duration after, std::function<void()> action) {
    const std::lock_guard lock(mutex_);
    actions_.emplace(kStart + after, std::move(action));
  }

  // Since construction.
  Duration Elapsed() const { return Now() - kStart; }

  // The wall clock of the start, or a jump of it (NTP) that the monotonic clock does not see.
  void SetSystemStart(SystemTime start) {
    const std::lock_guard lock(mutex_);
    system_start_ = start;
  }
  void JumpSystemClock(Duration by) {
    const std::lock_guard lock(mutex_);
    system_offset_ += by;
  }

  // kBlock: blocks (really) until `count` threads wait on this clock.
  void AwaitSleepers(std::size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return sleepers_ >= count; });
  }
  std::size_t sleepers() const {
    const std::lock_guard lock(mutex_);
    return sleepers_;
  }

 private:
  // Not zero: zero is a legitimate time, and neither is special.
  static constexpr TimePoint kStart = TimePoint(std::chrono::hours(1));

  class Flag final : public CondVar::Waiter {
   public:
    explicit Flag(FakeClock& clock) : clock_(clock) {}
    void Wake() override {
      const std::lock_guard lock(clock_.mutex_);
      woken = true;
      clock_.changed_.notify_all();
    }
    bool woken = false;  // Under clock_.mutex_.

   private:
    FakeClock& clock_;
  };

  void WaitForFlag(Flag& flag, TimePoint deadline) {
    if (waits_ == Waits::kBlock) {
      std::unique_lock lock(mutex_);
      ++sleepers_;
      changed_.notify_all();
      changed_.wait(lock, [&] { return std::exchange(flag.woken, false) || now_ >= deadline; });
      --sleepers_;
      return;
    }
    while (Now() < deadline) {
      if (TakeFlag(flag)) return;
      const bool stepped = StepTo(deadline);
      UNDERSTUDY_CHECK(stepped || deadline != kNever, "waits for ever: nobody can notify");
      if (!stepped) {
        AdvanceTo(deadline);
        return;
      }
    }
  }

  bool TakeFlag(Flag& flag) {
    const std::lock_guard lock(mutex_);
    return std::exchange(flag.woken, false);
  }

  void AdvanceTo(TimePoint point) {
    while (StepTo(point)) {
    }
    const std::lock_guard lock(mutex_);
    now_ = std::max(now_, point);
    changed_.notify_all();
  }

  // Runs the first action due by `limit`; false if there is none.
  bool StepTo(TimePoint limit) {
    std::function<void()> action;
    {
      const std::lock_guard lock(mutex_);
      if (actions_.empty() || actions_.begin()->first > limit) return false;
      auto first = actions_.extract(actions_.begin());
      now_ = std::max(now_, first.key());
      action = std::move(first.mapped());
      changed_.notify_all();
    }
    action();
    return true;
  }

  const Waits waits_;
  mutable std::mutex mutex_;  // std::mutex: a Clock is below Mutex.
  std::condition_variable changed_;
  TimePoint now_ = kStart;
  // Sun, 06 Nov 1994 08:49:37 GMT, the example date of RFC 9110.
  SystemTime system_start_ = SystemTime(std::chrono::seconds(784111777));
  Duration system_offset_{0};
  std::multimap<TimePoint, std::function<void()>> actions_;
  std::size_t sleepers_ = 0;
};

}  // namespace understudy::test
