#include "harness/wire/wire_clock.h"

#include <atomic>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "harness/wire/wire_executor.h"
#include "middleware/platform/system_clock.h"

namespace understudy::harness {
namespace {

using namespace std::chrono_literals;  // NOLINT: literals
using ::testing::HasSubstr;

// Runs `body` as the first actor of a world with real threads.
class WireClockTest : public ::testing::Test {
 protected:
  void Run(FunctionRef<void()> body) {
    clock_.ActorStarted();
    clock_.ActorEnter("main");
    WireClock::RunActor(body);
    clock_.ActorLeave();
  }

  SystemClock real_;
  WireClock clock_{real_, {.limit = 365 * 24h, .stall_limit = 10s}};
  WireExecutor executor_{clock_};
};

TEST_F(WireClockTest, TwentyFourHoursPassInMilliseconds) {
  const TimePoint before = real_.Now();
  Run([&] { clock_.SleepFor(24h); });
  EXPECT_EQ(clock_.Now().time_since_epoch(), 24h);
  EXPECT_LT(real_.Now() - before, 5s);
}

TEST_F(WireClockTest, TimeStandsStillWhileAnActorWorks) {
  Run([&] {
    std::atomic<bool> worked{false};
    Task sleeper = executor_.Spawn("sleeper", [&](const std::stop_token&) {
      clock_.SleepFor(1h);
      EXPECT_TRUE(worked.load());
    });
    const TimePoint until = real_.Now() + 20ms;
    while (real_.Now() < until) {
      ASSERT_EQ(clock_.Now().time_since_epoch(), 0ns);
    }
    worked = true;
    sleeper.Join();
  });
  EXPECT_EQ(clock_.Now().time_since_epoch(), 1h);
}

TEST_F(WireClockTest, SleepersWakeInTheOrderOfTheirTimes) {
  std::vector<int> woken;
  std::mutex mutex;
  Run([&] {
    std::vector<Task> tasks;
    for (int i = 5; i >= 1; --i) {
      tasks.push_back(executor_.Spawn("sleeper", [&, i](const std::stop_token&) {
        clock_.SleepFor(Duration(1h) * i);
        const std::lock_guard lock(mutex);
        woken.push_back(i);
      }));
    }
    for (Task& task : tasks) task.Join();
  });
  EXPECT_THAT(woken, ::testing::ElementsAre(1, 2, 3, 4, 5));
}

TEST_F(WireClockTest, ANotificationWakesAWaiterBeforeItsDeadline) {
  Run([&] {
    Mutex mutex;
    CondVar changed("a change");
    bool done = false;
    Task notifier = executor_.Spawn("notifier", [&](const std::stop_token&) {
      clock_.SleepFor(1s);
      const MutexLock lock(mutex);
      done = true;
      changed.NotifyAll();
    });
    {
      const MutexLock lock(mutex);
      EXPECT_TRUE(clock_.AwaitUntil(mutex, changed, clock_.Now() + 1h, [&] { return done; }));
    }
    EXPECT_EQ(clock_.Now().time_since_epoch(), 1s);
  });
}

TEST_F(WireClockTest, ADeadlockEndsTheRunWithWhoWaitsForWhat) {
  Run([&] {
    Task stuck = executor_.Spawn("caller-3", [&](const std::stop_token&) {
      Mutex mutex;
      CondVar token("a token that never comes");
      const MutexLock lock(mutex);
      clock_.AwaitUntil(mutex, token, kNever, [] { return false; });
    });
    stuck.Join();
  });
  EXPECT_EQ(clock_.end(), WireEnd::kDeadlock);
  EXPECT_THAT(clock_.detail(), HasSubstr("caller-3 waits for a token that never comes"));
}

TEST_F(WireClockTest, TheCeilingEndsTheRun) {
  Run([&] {
    for (;;) clock_.SleepFor(24h * 30);
  });
  EXPECT_EQ(clock_.end(), WireEnd::kTimeLimit);
}

TEST_F(WireClockTest, ARequestThatItsServerSitsOnHoldsNoTime) {
  Run([&] {
    std::atomic<bool> waking{false};
    clock_.RequestBegun(1, TimePoint(5s), [&] { waking = true; });
    // The server waits an hour before it answers; the client's deadline comes first.
    std::thread server([&] {
      clock_.ServingBegun(1);
      clock_.SleepFor(1h);
      clock_.ServingEnded();
    });
    while (!waking) std::this_thread::yield();
    EXPECT_EQ(clock_.Now().time_since_epoch(), 5s);
    clock_.RequestEnded(1, true);
    clock_.SleepFor(2h);
    server.join();
  });
  EXPECT_EQ(clock_.end(), WireEnd::kRunning);
}

TEST_F(WireClockTest, AServerLearnsThatItsClientHasGivenUp) {
  Run([&] {
    std::atomic<bool> waking{false};
    clock_.RequestBegun(7, TimePoint(5s), [&] { waking = true; });
    std::thread server([&] {
      clock_.ServingBegun(7);
      EXPECT_FALSE(clock_.ClientGaveUp());
      clock_.AwaitClientGone();
      EXPECT_TRUE(clock_.ClientGaveUp());
      clock_.ServingEnded();
    });
    while (!waking) std::this_thread::yield();
    clock_.RequestEnded(7, true);
    server.join();
  });
  EXPECT_EQ(clock_.end(), WireEnd::kRunning);
}

TEST(WireClockStallTest, WhoHoldsTimeForTooLongIsReported) {
  SystemClock real;
  WireClock clock(real, {.stall_limit = 300ms});
  clock.ActorStarted();
  clock.ActorEnter("busy");
  const TimePoint give_up = real.Now() + 20s;
  while (clock.end() == WireEnd::kRunning && real.Now() < give_up) std::this_thread::yield();
  clock.ActorLeave();
  EXPECT_EQ(clock.end(), WireEnd::kStalled);
  EXPECT_THAT(clock.detail(), HasSubstr("hold it"));
}

TEST(WireClockRealTest, RealModeSkipsNothing) {
  SystemClock real;
  WireClock clock(real, {.mode = WireClockOptions::Mode::kReal});
  clock.ActorStarted();
  clock.ActorEnter("main");
  const TimePoint before = real.Now();
  clock.SleepFor(30ms);
  EXPECT_GE(real.Now() - before, 30ms);
  clock.ActorLeave();
}

}  // namespace
}  // namespace understudy::harness
