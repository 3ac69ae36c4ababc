#include "middleware/resilience/bulkhead.h"

#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/fake_clock.h"

namespace understudy {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using test::FakeClock;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(BulkheadTest, AdmitsUpToTheMaximumAndRefusesAboveTheQueue) {
  FakeClock clock;
  Bulkhead bulkhead({.concurrent_max = 2, .queue_max = 0}, clock);
  const auto first = bulkhead.Acquire(Deadline::Never());
  const auto second = bulkhead.Acquire(Deadline::Never());
  const auto third = bulkhead.Acquire(Deadline::Never());
  EXPECT_TRUE(first && second);
  ASSERT_FALSE(third);
  EXPECT_EQ(third.error().code, ErrorCode::kOverloaded);
  EXPECT_EQ(third.error().delivery, Delivery::kNotSent);
  EXPECT_EQ(third.error().reason, "bulkhead-full");
}

TEST(BulkheadTest, AnEndedPermitFreesItsPlace) {
  FakeClock clock;
  Bulkhead bulkhead({.concurrent_max = 1, .queue_max = 0}, clock);
  { const auto permit = bulkhead.Acquire(Deadline::Never()); }
  EXPECT_TRUE(bulkhead.Acquire(Deadline::Never()));
  EXPECT_EQ(bulkhead.in_use(), 0);
}

TEST(BulkheadTest, WaitsUntilAPlaceIsFree) {
  FakeClock clock;
  Bulkhead bulkhead({.concurrent_max = 1}, clock);
  std::optional<Bulkhead::Permit> held = bulkhead.Acquire(Deadline::Never()).value();
  clock.At(milliseconds(50), [&] { held.reset(); });
  EXPECT_TRUE(bulkhead.Acquire(Deadline::After(clock.Now(), seconds(1))));
  EXPECT_EQ(clock.Elapsed(), milliseconds(50));
}

TEST(BulkheadTest, WaitsNoLongerThanTheDeadline) {
  FakeClock clock;
  Bulkhead bulkhead({.concurrent_max = 1}, clock);
  const auto held = bulkhead.Acquire(Deadline::Never());
  const auto late = bulkhead.Acquire(Deadline::After(clock.Now(), milliseconds(20)));
  EXPECT_EQ(late.error().code, ErrorCode::kDeadlineExceeded);
  EXPECT_EQ(clock.Elapsed(), milliseconds(20));
  EXPECT_EQ(bulkhead.waiting(), 0);
}

TEST(BulkheadTest, WaitsNoLongerThanItsOwnLimit) {
  FakeClock clock;
  Bulkhead bulkhead({.concurrent_max = 1, .wait_max = milliseconds(5)}, clock);
  const auto held = bulkhead.Acquire(Deadline::Never());
  EXPECT_EQ(bulkhead.Acquire(Deadline::After(clock.Now(), seconds(1))).error().reason,
            "bulkhead-wait");
  EXPECT_EQ(clock.Elapsed(), milliseconds(5));
}

TEST(BulkheadTest, AStopEndsTheWait) {
  FakeClock clock;
  Bulkhead bulkhead({.concurrent_max = 1}, clock);
  const auto held = bulkhead.Acquire(Deadline::Never());
  std::stop_source source;
  clock.At(milliseconds(3), [&] { source.request_stop(); });
  const auto stopped = bulkhead.Acquire(Deadline::Never(), source.get_token());
  EXPECT_EQ(stopped.error().code, ErrorCode::kCancelled);
  EXPECT_EQ(clock.Elapsed(), milliseconds(3));
}

TEST(BulkheadTest, FreesPlacesInTheOrderOfArrival) {
  FakeClock clock(FakeClock::Waits::kBlock);
  Bulkhead bulkhead({.concurrent_max = 1}, clock);
  std::optional<Bulkhead::Permit> held = bulkhead.Acquire(Deadline::Never()).value();
  std::mutex mutex;
  std::vector<int> order;
  std::vector<std::jthread> threads;
  for (int caller = 0; caller < 5; ++caller) {
    threads.emplace_back([&, caller] {
      const auto permit = bulkhead.Acquire(Deadline::Never());
      const std::lock_guard lock(mutex);
      order.push_back(caller);
    });
    clock.AwaitSleepers(static_cast<std::size_t>(caller) + 1);
  }
  held.reset();
  threads.clear();
  EXPECT_THAT(order, ElementsAre(0, 1, 2, 3, 4));
  EXPECT_EQ(bulkhead.in_use(), 0);
}

TEST(BulkheadTest, ShowsItselfInASnapshot) {
  FakeClock clock;
  Bulkhead bulkhead({.concurrent_max = 1, .queue_max = 0}, clock);
  const auto held = bulkhead.Acquire(Deadline::Never());
  EXPECT_FALSE(bulkhead.Acquire(Deadline::Never()));
  EXPECT_EQ(bulkhead.Snapshot(),
            (BulkheadSnapshot{.limit = 1, .in_use = 1, .waiting = 0, .refused = 1}));
}

TEST(BulkheadTest, CountsWhoWaitedInVainAndNotWhoStopped) {
  FakeClock clock;
  Bulkhead bulkhead({.concurrent_max = 1, .wait_max = milliseconds(5)}, clock);
  const auto held = bulkhead.Acquire(Deadline::Never());
  EXPECT_FALSE(bulkhead.Acquire(Deadline::Never()));
  EXPECT_FALSE(bulkhead.Acquire(Deadline::After(clock.Now(), milliseconds(1))));
  std::stop_source source;
  clock.At(clock.Elapsed() + milliseconds(1), [&] { source.request_stop(); });
  EXPECT_FALSE(bulkhead.Acquire(Deadline::Never(), source.get_token()));
  EXPECT_EQ(bulkhead.Snapshot().refused, 2);
}

// --- adaptive

BulkheadOptions Adaptive(int initial, int queue_max = 0) {
  BulkheadOptions options;
  options.queue_max = queue_max;
  options.adaptive = AdaptiveLimitOptions{.initial = initial, .max = 8, .backoff = 0.5};
  return options;
}

class AdaptiveBulkheadTest : public ::testing::Test {
 protected:
  using Permits = std::vector<Bulkhead::Permit>;

  static void Take(Bulkhead& bulkhead, int count, Permits& permits) {
    for (int i = 0; i < count; ++i) {
      permits.push_back(bulkhead.Acquire(Deadline::Never()).value());
    }
  }

  FakeClock clock_;
};

TEST_F(AdaptiveBulkheadTest, StartsWithItsInitialLimit) {
  Bulkhead bulkhead(Adaptive(2), clock_);
  Permits permits;
  Take(bulkhead, 2, permits);
  EXPECT_EQ(bulkhead.Acquire(Deadline::Never()).error().reason, "bulkhead-full");
  EXPECT_EQ(bulkhead.Snapshot().limit, 2);
}

TEST_F(AdaptiveBulkheadTest, ASampleRaisesTheLimit) {
  Bulkhead bulkhead(Adaptive(2), clock_);
  Permits permits;
  Take(bulkhead, 1, permits);
  permits[0].Record(milliseconds(10), ConcurrencySample::kSample);
  EXPECT_EQ(bulkhead.Snapshot().limit, 3);
  Take(bulkhead, 2, permits);
  EXPECT_FALSE(bulkhead.Acquire(Deadline::Never()));
}

TEST_F(AdaptiveBulkheadTest, ADropLowersTheLimit) {
  Bulkhead bulkhead(Adaptive(4), clock_);
  bulkhead.Acquire(Deadline::Never()).value().Record(milliseconds(10), ConcurrencySample::kDrop);
  EXPECT_EQ(bulkhead.Snapshot().limit, 2);
}

TEST_F(AdaptiveBulkheadTest, WhatIsIgnoredOrJustEndsTeachesNothing) {
  Bulkhead bulkhead(Adaptive(2), clock_);
  bulkhead.Acquire(Deadline::Never()).value().Record(seconds(10), ConcurrencySample::kIgnore);
  { const auto permit = bulkhead.Acquire(Deadline::Never()); }
  EXPECT_EQ(bulkhead.Snapshot(), (BulkheadSnapshot{.limit = 2}));
}

TEST_F(AdaptiveBulkheadTest, AMeasurementCountsTheCallsThatRanWhenItBegan) {
  Bulkhead bulkhead(Adaptive(4), clock_);
  Permits permits;
  Take(bulkhead, 3, permits);
  permits[0].Record(milliseconds(10), ConcurrencySample::kSample);
  EXPECT_EQ(bulkhead.Snapshot().limit, 4) << "it ran alone: less than half of the limit";
  permits[2].Record(milliseconds(10), ConcurrencySample::kSample);
  EXPECT_EQ(bulkhead.Snapshot().limit, 5);
}

TEST_F(AdaptiveBulkheadTest, AMovedPermitKeepsItsMeasurement) {
  Bulkhead bulkhead(Adaptive(4), clock_);
  Permits permits;
  Take(bulkhead, 2, permits);
  Bulkhead::Permit moved = std::move(permits[1]);
  moved.Record(milliseconds(10), ConcurrencySample::kSample);
  EXPECT_EQ(bulkhead.Snapshot().limit, 5);
  permits[0] = std::move(moved);
  EXPECT_EQ(bulkhead.in_use(), 1);
}

TEST_F(AdaptiveBulkheadTest, ALoweredLimitEndsNoCall) {
  Bulkhead bulkhead(Adaptive(4), clock_);
  Permits permits;
  Take(bulkhead, 4, permits);
  permits.back().Record(milliseconds(10), ConcurrencySample::kDrop);
  EXPECT_EQ(bulkhead.Snapshot(), (BulkheadSnapshot{.limit = 2, .in_use = 4}));
  permits.pop_back();
  permits.pop_back();
  EXPECT_FALSE(bulkhead.Acquire(Deadline::Never())) << "two still hold the two places";
  permits.pop_back();
  EXPECT_TRUE(bulkhead.Acquire(Deadline::Never()));
}

TEST_F(AdaptiveBulkheadTest, WithoutAdaptiveNothingIsLearned) {
  Bulkhead bulkhead({.concurrent_max = 2}, clock_);
  bulkhead.Acquire(Deadline::Never()).value().Record(milliseconds(10), ConcurrencySample::kDrop);
  EXPECT_EQ(bulkhead.Snapshot().limit, 2);
}

TEST_F(AdaptiveBulkheadTest, ARaisedLimitGoesToTheWaitersInTheirOrder) {
  FakeClock clock(FakeClock::Waits::kBlock);
  Bulkhead bulkhead(Adaptive(1, 3), clock);
  Bulkhead::Permit held = bulkhead.Acquire(Deadline::Never()).value();
  std::mutex mutex;
  std::vector<int> order;
  std::vector<std::optional<Bulkhead::Permit>> granted(3);
  std::vector<std::jthread> threads;
  for (std::size_t caller = 0; caller < 3; ++caller) {
    threads.emplace_back([&, caller] {
      granted[caller] = bulkhead.Acquire(Deadline::Never()).value();
      const std::lock_guard lock(mutex);
      order.push_back(static_cast<int>(caller));
    });
    clock.AwaitSleepers(caller + 1);
  }
  held.Record(milliseconds(10), ConcurrencySample::kSample);
  threads[0].join();
  EXPECT_EQ(bulkhead.Snapshot(), (BulkheadSnapshot{.limit = 2, .in_use = 2, .waiting = 2}));
  granted[0]->Record(milliseconds(10), ConcurrencySample::kSample);
  threads[1].join();
  granted[1]->Record(milliseconds(10), ConcurrencySample::kSample);
  threads[2].join();
  EXPECT_THAT(order, ElementsAre(0, 1, 2));
}

TEST_F(AdaptiveBulkheadTest, ALoweredLimitKeepsTheWaitersWaiting) {
  FakeClock clock(FakeClock::Waits::kBlock);
  Bulkhead bulkhead(Adaptive(2, 1), clock);
  std::optional<Bulkhead::Permit> first = bulkhead.Acquire(Deadline::Never()).value();
  std::optional<Bulkhead::Permit> second = bulkhead.Acquire(Deadline::Never()).value();
  std::jthread waiter([&] { EXPECT_TRUE(bulkhead.Acquire(Deadline::Never())); });
  clock.AwaitSleepers(1);
  first->Record(milliseconds(10), ConcurrencySample::kDrop);
  first.reset();
  EXPECT_EQ(bulkhead.Snapshot(), (BulkheadSnapshot{.limit = 1, .in_use = 1, .waiting = 1}));
  second.reset();
  waiter.join();
  EXPECT_EQ(bulkhead.Snapshot(), (BulkheadSnapshot{.limit = 1}));
}

TEST_F(AdaptiveBulkheadTest, ALimitAboveTheMaximumIsAProblem) {
  BulkheadOptions options = Adaptive(2);
  options.concurrent_max = 8;
  EXPECT_TRUE(FindProblems(options).empty());
  options.concurrent_max = 7;
  EXPECT_THAT(FindProblems(options), ElementsAre(HasSubstr("bulkhead.adaptive.max is 8")));
}

TEST_F(AdaptiveBulkheadTest, ProblemsOfTheLimitAreProblemsOfTheBulkhead) {
  BulkheadOptions options = Adaptive(2);
  options.adaptive->min = 0;
  EXPECT_THAT(FindProblems(options), ElementsAre(HasSubstr("bulkhead.adaptive.min is 0")));
}

}  // namespace
}  // namespace understudy
