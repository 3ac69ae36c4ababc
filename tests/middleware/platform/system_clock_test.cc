#include "middleware/platform/system_clock.h"

#include <atomic>
#include <thread>

#include <gtest/gtest.h>

namespace understudy {
namespace {

using namespace std::chrono_literals;

TEST(SystemClockTest, SleepsUntilThePointAndNotBeyondIt) {
  SystemClock clock;
  const TimePoint wake_at = clock.Now() + 5ms;
  clock.SleepUntil(wake_at);
  EXPECT_GE(clock.Now(), wake_at);
  EXPECT_LT(clock.Now(), wake_at + 500ms);
}

TEST(SystemClockTest, ReturnsAtOnceForAPointInThePast) {
  SystemClock clock;
  const TimePoint before = clock.Now();
  clock.SleepUntil(before - 1h);
  clock.SleepUntil(TimePoint::min());
  EXPECT_LT(clock.Now() - before, 500ms);
}

TEST(SystemClockTest, AwaitReturnsTrueWithoutBlockingWhenThePredicateHolds) {
  SystemClock clock;
  Mutex mutex;
  CondVar changed;
  const MutexLock lock(mutex);
  EXPECT_TRUE(clock.AwaitUntil(mutex, changed, kNever, [] { return true; }));
  EXPECT_TRUE(clock.AwaitUntil(mutex, changed, TimePoint::min(), [] { return true; }));
}

TEST(SystemClockTest, AwaitReturnsFalseAtTheDeadlineWithTheMutexHeldAgain) {
  SystemClock clock;
  Mutex mutex;
  CondVar changed;
  const MutexLock lock(mutex);
  const TimePoint deadline = clock.Now() + 5ms;
  EXPECT_FALSE(clock.AwaitUntil(mutex, changed, deadline, [] { return false; }));
  EXPECT_GE(clock.Now(), deadline);
  EXPECT_EQ(HeldMutexCount(), 1);
}

TEST(SystemClockTest, AwaitWakesForANotificationAndChecksThePredicateAgain) {
  SystemClock clock;
  Mutex mutex;
  CondVar changed;
  int value = 0;
  std::thread changer([&] {
    for (int i = 0; i < 1000; ++i) {
      const MutexLock lock(mutex);
      ++value;
      changed.NotifyAll();
    }
  });
  {
    const MutexLock lock(mutex);
    EXPECT_TRUE(clock.AwaitUntil(mutex, changed, kNever, [&] { return value == 1000; }));
  }
  changer.join();
}

TEST(SystemClockTest, LosesNoWakeUpBetweenTwoThreadsThatTakeTurns) {
  SystemClock clock;
  Mutex mutex;
  CondVar changed;
  int turn = 0;
  const auto play = [&](int parity) {
    for (int i = 0; i < 2000; ++i) {
      const MutexLock lock(mutex);
      ASSERT_TRUE(
          clock.AwaitUntil(mutex, changed, clock.Now() + 10s, [&] { return turn % 2 == parity; }));
      ++turn;
      changed.NotifyAll();
    }
  };
  std::thread other([&] { play(1); });
  play(0);
  other.join();
  EXPECT_EQ(turn, 4000);
}

TEST(SystemClockTest, AStopRequestEndsASleep) {
  SystemClock clock;
  std::stop_source stop;
  std::thread stopper([&] { stop.request_stop(); });
  EXPECT_FALSE(static_cast<Clock&>(clock).SleepUntil(kNever, stop.get_token()));
  stopper.join();
}

TEST(SystemClockDeathTest, AbortsWhenAThreadSleepsWithAMutexHeld) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(
      {
        SystemClock clock;
        Mutex mutex;
        const MutexLock lock(mutex);
        clock.SleepFor(1ms);
      },
      "must not sleep while it holds a Mutex");
}

TEST(SystemClockDeathTest, AbortsWhenAThreadAwaitsWithASecondMutexHeld) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(
      {
        SystemClock clock;
        Mutex outer;
        Mutex mutex;
        CondVar changed("a permit");
        const MutexLock outer_lock(outer);
        const MutexLock lock(mutex);
        clock.AwaitUntil(mutex, changed, kNever, [] { return true; });
      },
      "exactly the awaited Mutex while it waits for \"a permit\"");
}

}  // namespace
}  // namespace understudy
