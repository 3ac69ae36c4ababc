// FlightGroup, BackgroundTasks and ExpiringKeys: what the caches are built of. The clock blocks
// threads until the test moves it.
#include "middleware/client/flight_group.h"

#include <atomic>
#include <chrono>
#include <memory>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "middleware/client/background_tasks.h"
#include "middleware/client/expiring_keys.h"
#include "tests/support/test_runtime.h"

namespace understudy::test {
namespace {

using std::chrono::seconds;
using WaitEnd = FlightGroup::WaitEnd;
using Start = TaskStart;

class FlightGroupTest : public testing::Test {
 protected:
  Deadline In(Duration duration) { return Deadline::After(clock_.Now(), duration); }

  FakeClock clock_{FakeClock::Waits::kBlock};
  FlightGroup flights_{clock_};
};

TEST_F(FlightGroupTest, TheFirstLeadsAndTheOthersJoin) {
  FlightGroup::Entry first = flights_.Enter("k", "t");
  const FlightGroup::Entry second = flights_.Enter("k", "t");
  const FlightGroup::Entry other = flights_.Enter("other", "t");
  EXPECT_TRUE(first.leads());
  EXPECT_FALSE(second.leads());
  EXPECT_TRUE(other.leads());
}

TEST_F(FlightGroupTest, AWaiterGetsWhatTheLeaderLands) {
  FlightGroup::Entry leader = flights_.Enter("k", "t");
  const FlightGroup::Entry waiter = flights_.Enter("k", "t");
  {
    const std::jthread thread([&] {
      EXPECT_EQ(flights_.Await(waiter, Deadline::Never(), {}), WaitEnd::kLanded);
      EXPECT_EQ(*waiter.value<int>(), 7);
    });
    clock_.AwaitSleepers(1);
    leader.Land(std::make_shared<const int>(7));
  }
  EXPECT_TRUE(flights_.Enter("k", "t").leads());  // It has ended.
}

TEST_F(FlightGroupTest, ALeaderThatNobodyJoinedMayEndWithoutAValue) {
  FlightGroup::Entry alone = flights_.Enter("k", "t");
  EXPECT_TRUE(alone.EndIfAlone());
  EXPECT_TRUE(flights_.Enter("k", "t").leads()) << "it has ended";
}

TEST_F(FlightGroupTest, ALeaderThatSomebodyJoinedMustLand) {
  FlightGroup::Entry leader = flights_.Enter("k", "t");
  const FlightGroup::Entry joined = flights_.Enter("k", "t");
  EXPECT_FALSE(leader.EndIfAlone());
  EXPECT_FALSE(flights_.Enter("k", "t").leads()) << "it goes on";
  leader.Land(std::make_shared<const int>(7));
  EXPECT_EQ(flights_.Await(joined, In(seconds(1)), {}), WaitEnd::kLanded);
}

TEST_F(FlightGroupTest, ALeaderThatEndsWithoutLandingAbandons) {
  auto leader = std::make_unique<FlightGroup::Entry>(flights_.Enter("k", "t"));
  const FlightGroup::Entry waiter = flights_.Enter("k", "t");
  leader.reset();
  EXPECT_EQ(flights_.Await(waiter, Deadline::Never(), {}), WaitEnd::kAbandoned);
  EXPECT_TRUE(flights_.Enter("k", "t").leads());
}

TEST_F(FlightGroupTest, TheWaitEndsWithTheWaitersOwnDeadline) {
  const FlightGroup::Entry leader = flights_.Enter("k", "t");
  const FlightGroup::Entry waiter = flights_.Enter("k", "t");
  std::jthread thread(
      [&] { EXPECT_EQ(flights_.Await(waiter, In(seconds(2)), {}), WaitEnd::kDeadline); });
  clock_.AwaitSleepers(1);
  clock_.Advance(seconds(2));
  thread.join();
}

TEST_F(FlightGroupTest, TheWaitEndsWithTheWaitersOwnStop) {
  const FlightGroup::Entry leader = flights_.Enter("k", "t");
  const FlightGroup::Entry waiter = flights_.Enter("k", "t");
  std::stop_source stop;
  std::jthread thread([&] {
    EXPECT_EQ(flights_.Await(waiter, Deadline::Never(), stop.get_token()), WaitEnd::kStopped);
  });
  clock_.AwaitSleepers(1);
  stop.request_stop();
  thread.join();
}

TEST_F(FlightGroupTest, NobodyJoinsAnOutdatedFlight) {
  const FlightGroup::Entry leader = flights_.Enter("k", "t");
  const FlightGroup::Entry alone = flights_.EnterAlone("t");
  const FlightGroup::Entry other = flights_.Enter("other", "u");
  flights_.Outdate("t");
  EXPECT_TRUE(leader.outdated());
  EXPECT_TRUE(alone.outdated());
  EXPECT_FALSE(other.outdated());
  const FlightGroup::Entry next = flights_.Enter("k", "t");
  EXPECT_TRUE(next.leads());
  EXPECT_FALSE(next.outdated());
}

TEST_F(FlightGroupTest, AnOutdatedFlightDoesNotEndItsSuccessor) {
  FlightGroup::Entry leader = flights_.Enter("k", "t");
  flights_.Outdate("t");
  const FlightGroup::Entry next = flights_.Enter("k", "t");
  leader.Land(std::make_shared<const int>(1));
  EXPECT_FALSE(flights_.Enter("k", "t").leads());
}

TEST_F(FlightGroupTest, NobodyJoinsAFlightOfItsOwn) {
  const FlightGroup::Entry alone = flights_.EnterAlone("t");
  EXPECT_TRUE(alone.leads());
  EXPECT_TRUE(flights_.EnterAlone("t").leads());
  EXPECT_TRUE(flights_.Enter("", "t").leads());
}

TEST(SharedErrorTest, OnlyTheLeadersOwnTroubleIsItsAlone) {
  const Deadline early = Deadline::At(TimePoint(seconds(1)));
  const Deadline late = Deadline::At(TimePoint(seconds(2)));
  for (const ErrorCode code :
       {ErrorCode::kCancelled, ErrorCode::kDeadlineExceeded, ErrorCode::kInvalidArgument}) {
    EXPECT_TRUE(IsLeadersOwn(Error{code}));
    EXPECT_FALSE(HoldsForWaiter(Error{code}, late, early));
  }
  for (const ErrorCode code :
       {ErrorCode::kConnection, ErrorCode::kCircuitOpen, ErrorCode::kOverloaded, ErrorCode::kTls,
        ErrorCode::kAuth, ErrorCode::kProtocol}) {
    EXPECT_TRUE(HoldsForWaiter(Error{code}, early, late));
  }
  for (const ErrorCode code : {ErrorCode::kRateLimited, ErrorCode::kTimeout}) {
    EXPECT_FALSE(IsLeadersOwn(Error{code}));
    EXPECT_FALSE(HoldsForWaiter(Error{code}, early, late));
    EXPECT_TRUE(HoldsForWaiter(Error{code}, late, late));
  }
}

class BackgroundTasksTest : public testing::Test {
 protected:
  // Runs until `release`, then returns `pause`.
  BackgroundTasks::Body Until(const std::shared_ptr<std::atomic<bool>>& release,
                              Duration pause = {}) {
    return [release, pause](const std::stop_token&) {
      release->wait(false);
      return pause;
    };
  }
  static void Release(std::atomic<bool>& release) {
    release = true;
    release.notify_all();
  }
  // Starts until the answer is another one than "running": a task ends a little after its body.
  Start StartWhenEnded(BackgroundTasks& tasks, const std::string& key, BackgroundTasks::Body body) {
    for (;;) {
      const Start start = tasks.TryStart(key, body);
      if (start != Start::kRunning) return start;
      std::this_thread::yield();
    }
  }
  static Duration Nothing(const std::stop_token&) { return {}; }

  TestRuntime world_;
};

TEST_F(BackgroundTasksTest, OnePerKeyAndABoundForAll) {
  const auto release = std::make_shared<std::atomic<bool>>(false);
  BackgroundTasks tasks("test", 2, world_.runtime());
  EXPECT_EQ(tasks.TryStart("a", Until(release)), Start::kStarted);
  EXPECT_EQ(tasks.TryStart("a", Until(release)), Start::kRunning);
  EXPECT_EQ(tasks.TryStart("b", Until(release)), Start::kStarted);
  EXPECT_EQ(tasks.TryStart("c", Until(release)), Start::kFull);
  Release(*release);
  EXPECT_EQ(StartWhenEnded(tasks, "a", Nothing), Start::kStarted);
}

TEST_F(BackgroundTasksTest, AKeyRestsForThePauseOfItsBody) {
  const auto release = std::make_shared<std::atomic<bool>>(true);
  BackgroundTasks tasks("test", 2, world_.runtime());
  EXPECT_EQ(tasks.TryStart("a", Until(release, seconds(5))), Start::kStarted);
  EXPECT_EQ(StartWhenEnded(tasks, "a", Nothing), Start::kPaused);
  EXPECT_EQ(tasks.TryStart("b", Nothing), Start::kStarted);
  world_.clock.Advance(seconds(5) - Duration(1));
  EXPECT_EQ(tasks.TryStart("a", Nothing), Start::kPaused);
  world_.clock.Advance(Duration(1));
  EXPECT_EQ(tasks.TryStart("a", Nothing), Start::kStarted);
}

TEST_F(BackgroundTasksTest, TheDestructorStopsAllAndWaitsForAll) {
  std::atomic<int> requested{0};
  std::atomic<int> ended{0};
  {
    BackgroundTasks tasks("test", 2, world_.runtime());
    for (const char* key : {"a", "b"}) {
      tasks.TryStart(key, [&](const std::stop_token& stop) -> Duration {
        const std::stop_callback wake(stop, [&] {
          ++requested;
          requested.notify_all();
        });
        // Each waits for the stop of both: they are not stopped one after the other.
        for (int seen = requested; seen < 2; seen = requested) requested.wait(seen);
        ++ended;
        return {};
      });
    }
  }
  EXPECT_EQ(ended, 2);
}

TEST(ExpiringKeysTest, AKeyHoldsUntilJustBeforeItsTime) {
  const TimePoint now(seconds(100));
  ExpiringKeys keys(2);
  EXPECT_FALSE(keys.Holds("a", now));
  keys.Add("a", now + seconds(1), now);
  EXPECT_TRUE(keys.Holds("a", now + seconds(1) - Duration(1)));
  EXPECT_FALSE(keys.Holds("a", now + seconds(1)));
  keys.Add("a", now + seconds(3), now);
  EXPECT_TRUE(keys.Holds("a", now + seconds(2)));
  keys.Remove("a");
  keys.Remove("a");
  EXPECT_FALSE(keys.Holds("a", now));
}

TEST(ExpiringKeysTest, TheFirstToExpireMakesRoom) {
  const TimePoint now(seconds(100));
  ExpiringKeys keys(2);
  keys.Add("late", now + seconds(9), now);
  keys.Add("soon", now + seconds(1), now);
  keys.Add("new", now + seconds(5), now);
  EXPECT_EQ(keys.size(), 2u);
  EXPECT_TRUE(keys.Holds("late", now));
  EXPECT_FALSE(keys.Holds("soon", now));
  EXPECT_TRUE(keys.Holds("new", now));
}

TEST(ExpiringKeysTest, TheExpiredMakeRoomFirst) {
  const TimePoint now(seconds(100));
  ExpiringKeys keys(3);
  for (const char* key : {"a", "b", "c"}) keys.Add(key, now + seconds(1), now);
  keys.Add("d", now + seconds(9), now + seconds(1));
  EXPECT_EQ(keys.size(), 1u);
}

}  // namespace
}  // namespace understudy::test
