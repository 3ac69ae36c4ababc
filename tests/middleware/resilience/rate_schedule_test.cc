#include "middleware/resilience/rate_schedule.h"

#include <algorithm>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "middleware/resilience/bursty_schedule.h"
#include "middleware/resilience/gcra_schedule.h"
#include "middleware/resilience/sliding_window_schedule.h"
#include "middleware/resilience/smooth_schedule.h"
#include "middleware/resilience/token_bucket_schedule.h"

namespace understudy {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;
using Reservation = RateSchedule::Reservation;

constexpr Duration kForEver = RateSchedule::kForEver;
constexpr TimePoint kStart = TimePoint(hours(1));

TimePoint At(Duration offset) { return kStart + offset; }

// ---- GCRA ---------------------------------------------------------------------------------------

TEST(GcraScheduleTest, AnIdleOneGrantsItsBurstAndThenOnePerInterval) {
  GcraSchedule schedule(seconds(1), 3, kStart);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(schedule.Reserve(kStart, 1).wait, seconds(0));
  EXPECT_EQ(schedule.Reserve(kStart, 1).wait, seconds(1));
  EXPECT_EQ(schedule.Reserve(kStart, 1).wait, seconds(2));
}

TEST(GcraScheduleTest, TheBurstComesBackOneUnitPerInterval) {
  GcraSchedule schedule(seconds(1), 3, kStart);
  schedule.Reserve(kStart, 3);
  EXPECT_EQ(schedule.Available(At(milliseconds(999))), 0);
  EXPECT_EQ(schedule.Available(At(seconds(1))), 1);
  EXPECT_EQ(schedule.Available(At(hours(1000))), 3);
  EXPECT_EQ(schedule.ResetAfter(At(seconds(1))), seconds(2));
  EXPECT_EQ(schedule.ResetAfter(At(seconds(4))), seconds(0));
}

TEST(GcraScheduleTest, ACostAboveTheBurstIsRefusedForEverAndTakesNothing) {
  GcraSchedule schedule(seconds(1), 3, kStart);
  EXPECT_EQ(schedule.WaitFor(kStart, 4), kForEver);
  EXPECT_FALSE(schedule.Reserve(kStart, 4).taken());
  EXPECT_EQ(schedule.Available(kStart), 3);
}

TEST(GcraScheduleTest, ACostOfZeroOnlyLooks) {
  GcraSchedule schedule(seconds(1), 1, kStart);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(schedule.Reserve(At(seconds(i)), 0).wait, seconds(0));
  EXPECT_EQ(schedule.WaitFor(At(seconds(4)), 1), seconds(0));
}

TEST(GcraScheduleTest, TheNewestReservationIsUndoneToTheLastBit) {
  GcraSchedule schedule(seconds(1), 3, kStart);
  schedule.Reserve(kStart, 2);
  const Reservation newest = schedule.Reserve(At(seconds(9)), 3);
  EXPECT_TRUE(schedule.Cancel(newest));
  EXPECT_EQ(schedule.ResetAfter(kStart), seconds(2)) << "and not nine seconds later";
}

TEST(GcraScheduleTest, ASeriesIsUndoneNewestFirst) {
  GcraSchedule schedule(seconds(1), 2, kStart);
  std::vector<Reservation> taken;
  for (int i = 0; i < 4; ++i) taken.push_back(schedule.Reserve(kStart, 1));
  for (auto last = taken.rbegin(); last != taken.rend(); ++last)
    EXPECT_TRUE(schedule.Cancel(*last));
  EXPECT_EQ(schedule.Available(kStart), 2);
}

TEST(GcraScheduleTest, AnOlderReservationIsNotGivenBack) {
  GcraSchedule schedule(seconds(1), 2, kStart);
  const Reservation older = schedule.Reserve(kStart, 1);
  schedule.Reserve(kStart, 1);
  EXPECT_FALSE(schedule.Cancel(older));
  EXPECT_EQ(schedule.Available(kStart), 0);
}

// ---- token bucket -------------------------------------------------------------------------------

TEST(TokenBucketScheduleTest, WholeTokensComeAtTheEndOfEachPeriod) {
  TokenBucketSchedule schedule({.refill = 2, .every = seconds(1), .capacity = 5}, kStart);
  schedule.Reserve(kStart, 5);
  EXPECT_EQ(schedule.Balance(At(milliseconds(999))), 0);
  EXPECT_EQ(schedule.Balance(At(milliseconds(1000))), 2);
  EXPECT_EQ(schedule.Balance(At(milliseconds(1999))), 2);
  EXPECT_EQ(schedule.Balance(At(seconds(2))), 4);
  EXPECT_EQ(schedule.Balance(At(seconds(3))), 5) << "the capacity";
}

TEST(TokenBucketScheduleTest, PeriodsAreCountedFromTheStartWhateverHappensBetween) {
  TokenBucketSchedule schedule({.refill = 1, .every = seconds(1), .capacity = 1}, kStart);
  schedule.Reserve(At(milliseconds(700)), 1);
  EXPECT_EQ(schedule.WaitFor(At(milliseconds(700)), 1), milliseconds(300));
}

TEST(TokenBucketScheduleTest, AReservationTakesTokensToCome) {
  TokenBucketSchedule schedule({.refill = 2, .every = seconds(1), .capacity = 4}, kStart);
  schedule.Reserve(kStart, 4);
  EXPECT_EQ(schedule.Reserve(kStart, 3).wait, seconds(2));
  EXPECT_EQ(schedule.Balance(kStart), -3);
  EXPECT_EQ(schedule.Reserve(kStart, 1).wait, seconds(2)) << "the other token of that refill";
  EXPECT_EQ(schedule.Reserve(kStart, 1).wait, seconds(3));
}

TEST(TokenBucketScheduleTest, ACostAboveTheCapacityIsRefusedForEver) {
  TokenBucketSchedule schedule({.refill = 2, .every = seconds(1), .capacity = 4}, kStart);
  EXPECT_FALSE(schedule.Reserve(kStart, 5).taken());
  EXPECT_EQ(schedule.Balance(kStart), 4);
}

TEST(TokenBucketScheduleTest, AnOlderReservationComesBackWithinItsPeriod) {
  TokenBucketSchedule schedule({.refill = 5, .every = seconds(1), .capacity = 5}, kStart);
  const Reservation older = schedule.Reserve(kStart, 2);
  schedule.Reserve(At(milliseconds(10)), 3);
  EXPECT_TRUE(schedule.Cancel(older));
  EXPECT_EQ(schedule.Balance(At(milliseconds(10))), 2);
}

TEST(TokenBucketScheduleTest, AnOlderReservationDoesNotComeBackAfterARefillThatWouldHaveSpilled) {
  TokenBucketSchedule schedule({.refill = 5, .every = seconds(1), .capacity = 5}, kStart);
  const Reservation older = schedule.Reserve(kStart, 2);
  schedule.Reserve(At(seconds(1)), 5);
  EXPECT_FALSE(schedule.Cancel(older)) << "or seven would go within one second";
  EXPECT_EQ(schedule.Balance(At(seconds(1))), 0);
}

TEST(TokenBucketScheduleTest, AnOlderReservationDoesNotComeBackWhileOthersWait) {
  TokenBucketSchedule schedule({.refill = 1, .every = seconds(1), .capacity = 1}, kStart);
  const Reservation older = schedule.Reserve(kStart, 1);
  schedule.Reserve(kStart, 1);
  EXPECT_FALSE(schedule.Cancel(older)) << "or two would be due in a second";
}

TEST(TokenBucketScheduleTest, UndoingTheNewestDoesNotBringBackWhatHasSpilled) {
  TokenBucketSchedule schedule({.refill = 5, .every = seconds(1), .capacity = 5}, kStart);
  const Reservation first = schedule.Reserve(kStart, 2);
  const Reservation second = schedule.Reserve(At(seconds(9)), 1);
  EXPECT_TRUE(schedule.Cancel(second));
  EXPECT_TRUE(schedule.Cancel(first));
  EXPECT_EQ(schedule.Balance(At(seconds(9))), 5);
}

TEST(TokenBucketScheduleTest, CountsVeryManyPeriodsWithoutOverflow) {
  TokenBucketSchedule schedule(
      {.refill = std::numeric_limits<int>::max(), .every = nanoseconds(1), .capacity = 7}, kStart);
  schedule.Reserve(kStart, 7);
  EXPECT_EQ(schedule.Balance(At(hours(24 * 365 * 200))), 7);
}

// ---- bursty -------------------------------------------------------------------------------------

TEST(BurstyScheduleTest, UnusedUnitsEndWithTheirCycle) {
  BurstySchedule schedule(2, seconds(1), kStart);
  EXPECT_EQ(schedule.Available(At(hours(1))), 2);
}

TEST(BurstyScheduleTest, ALargeCostUsesSeveralCycles) {
  BurstySchedule schedule(5, seconds(1), kStart);
  EXPECT_EQ(schedule.Reserve(kStart, 12).wait, seconds(2));
  EXPECT_EQ(schedule.Reserve(kStart, 3).wait, seconds(2)) << "the rest of the third cycle";
  EXPECT_EQ(schedule.Reserve(kStart, 1).wait, seconds(3));
}

TEST(BurstyScheduleTest, AReservationUsesUpExactlyItsCycles) {
  BurstySchedule schedule(5, seconds(1), kStart);
  EXPECT_EQ(schedule.Reserve(kStart, 10).wait, seconds(1));
  EXPECT_EQ(schedule.WaitFor(kStart, 1), seconds(2));
}

TEST(BurstyScheduleTest, ADebtThatWasPaidLongAgoLeavesOneCyclesUnits) {
  BurstySchedule schedule(2, seconds(1), kStart);
  schedule.Reserve(kStart, 5);
  EXPECT_EQ(schedule.Balance(At(seconds(100))), 2);
}

// ---- smooth -------------------------------------------------------------------------------------

TEST(SmoothScheduleTest, AFreeSlotIsUsedAtOnceAndTheNextBeginsOnTheGrid) {
  SmoothSchedule schedule(milliseconds(100), kStart);
  EXPECT_EQ(schedule.Reserve(At(milliseconds(250)), 1).wait, milliseconds(0));
  EXPECT_EQ(schedule.Reserve(At(milliseconds(250)), 1).wait, milliseconds(50));
  EXPECT_EQ(schedule.next_free(), At(milliseconds(400)));
}

TEST(SmoothScheduleTest, NothingIsSavedUp) {
  SmoothSchedule schedule(milliseconds(100), kStart);
  EXPECT_EQ(schedule.Available(At(hours(1))), 1);
  EXPECT_EQ(schedule.WaitFor(At(hours(1)), 2), milliseconds(100));
}

TEST(SmoothScheduleTest, OnlyTheNewestReservationIsUndone) {
  SmoothSchedule schedule(milliseconds(100), kStart);
  const Reservation first = schedule.Reserve(kStart, 3);
  const Reservation second = schedule.Reserve(kStart, 1);
  EXPECT_FALSE(schedule.Cancel(first));
  EXPECT_TRUE(schedule.Cancel(second));
  EXPECT_TRUE(schedule.Cancel(first));
  EXPECT_EQ(schedule.next_free(), kStart);
}

// ---- sliding window -----------------------------------------------------------------------------

TEST(SlidingWindowScheduleTest, ThePermitsGoAtOnceAndComeBackAsTheyLeaveTheWindow) {
  SlidingWindowSchedule schedule(3, seconds(1));
  schedule.Reserve(kStart, 2);
  EXPECT_EQ(schedule.Reserve(At(milliseconds(400)), 1).wait, seconds(0));
  EXPECT_EQ(schedule.WaitFor(At(milliseconds(500)), 1), milliseconds(500));
  EXPECT_EQ(schedule.WaitFor(At(milliseconds(500)), 2), milliseconds(500));
  EXPECT_EQ(schedule.WaitFor(At(milliseconds(500)), 3), milliseconds(900));
}

TEST(SlidingWindowScheduleTest, WhatWentExactlyOneWindowAgoHasLeftIt) {
  SlidingWindowSchedule schedule(1, seconds(1));
  schedule.Reserve(kStart, 1);
  EXPECT_EQ(schedule.Available(At(seconds(1) - nanoseconds(1))), 0);
  EXPECT_EQ(schedule.Available(At(seconds(1))), 1);
  EXPECT_EQ(schedule.WaitFor(At(seconds(1) - nanoseconds(1)), 1), nanoseconds(1));
  EXPECT_EQ(schedule.WaitFor(At(seconds(1)), 1), nanoseconds(0));
}

TEST(SlidingWindowScheduleTest, TwiceTheLimitDoesNotPassAroundABorder) {
  SlidingWindowSchedule schedule(100, seconds(1));
  for (int i = 0; i < 100; ++i) schedule.Reserve(At(milliseconds(900)), 1);
  EXPECT_EQ(schedule.Reserve(At(milliseconds(1100)), 1).wait, milliseconds(800));
}

TEST(SlidingWindowScheduleTest, RL11_AReservationThatWaitsCountsWhereItIsDue) {
  SlidingWindowSchedule schedule(2, seconds(1));
  schedule.Reserve(kStart, 2);
  EXPECT_EQ(schedule.Reserve(kStart, 1).wait, seconds(1));
  EXPECT_EQ(schedule.Reserve(kStart, 1).wait, seconds(1));
  EXPECT_EQ(schedule.Reserve(kStart, 1).wait, seconds(2));
}

TEST(SlidingWindowScheduleTest, RL11_SmallRequestsDoNotOvertakeALargeOne) {
  SlidingWindowSchedule schedule(4, seconds(1));
  schedule.Reserve(kStart, 2);
  EXPECT_EQ(schedule.Reserve(At(milliseconds(500)), 3).wait, milliseconds(500));
  EXPECT_EQ(schedule.Reserve(At(milliseconds(500)), 1).wait, milliseconds(500))
      << "there is room for it now, but the large one was first";
}

TEST(SlidingWindowScheduleTest, RL11_TheLogHoldsNoMoreThanTheLimit) {
  SlidingWindowSchedule schedule(5, seconds(1));
  for (int i = 0; i < 10'000; ++i) {
    const TimePoint now = At(milliseconds(10) * i);
    if (schedule.WaitFor(now, 1) == Duration::zero()) schedule.Reserve(now, 1);
    ASSERT_LE(schedule.log_size(), 5u);
  }
}

TEST(SlidingWindowScheduleTest, ACostAboveTheLimitIsRefusedForEver) {
  SlidingWindowSchedule schedule(5, seconds(1));
  EXPECT_EQ(schedule.WaitFor(kStart, 6), kForEver);
  EXPECT_FALSE(schedule.Reserve(kStart, 6).taken());
}

TEST(SlidingWindowScheduleTest, AnyReservationInTheWindowIsGivenBack) {
  SlidingWindowSchedule schedule(3, seconds(1));
  const Reservation oldest = schedule.Reserve(kStart, 2);
  schedule.Reserve(At(milliseconds(100)), 1);
  EXPECT_TRUE(schedule.Cancel(oldest));
  EXPECT_EQ(schedule.Available(At(milliseconds(100))), 2);
  EXPECT_EQ(schedule.WaitFor(At(milliseconds(100)), 3), seconds(1)) << "for the younger one";
}

TEST(SlidingWindowScheduleTest, GivingBackWhatHasLeftTheWindowDoesNothing) {
  SlidingWindowSchedule schedule(3, seconds(1));
  const Reservation old = schedule.Reserve(kStart, 2);
  schedule.Reserve(At(seconds(2)), 3);
  EXPECT_FALSE(schedule.Cancel(old));
  EXPECT_EQ(schedule.Available(At(seconds(2))), 0);
}

TEST(SlidingWindowScheduleTest, AfterTheLastWaitingOneIsGivenBackNobodyWaitsForItsTime) {
  SlidingWindowSchedule schedule(2, seconds(1));
  schedule.Reserve(kStart, 1);
  const Reservation second = schedule.Reserve(kStart, 2);  // Due in one second.
  const Reservation third = schedule.Reserve(kStart, 1);   // Due in two.
  EXPECT_TRUE(schedule.Cancel(second));
  EXPECT_EQ(schedule.WaitFor(kStart, 1), seconds(2)) << "behind the third";
  EXPECT_TRUE(schedule.Cancel(third));
  EXPECT_EQ(schedule.WaitFor(kStart, 1), seconds(0));
}

// ---- all of them --------------------------------------------------------------------------------

// The most units that may be due in a window of that length, its start not included.
using Bound = std::function<std::int64_t(Duration)>;

struct Kind {
  const char* name;
  std::function<std::unique_ptr<RateSchedule>()> make;
  int cost_max;
  Bound bound;
};

const Kind kKinds[] = {
    {"gcra", [] { return std::make_unique<GcraSchedule>(milliseconds(7), 5, kStart); }, 5,
     [](Duration window) { return 5 + window / milliseconds(7); }},
    {"gcra_without_burst",
     [] { return std::make_unique<GcraSchedule>(milliseconds(7), 1, kStart); }, 1,
     [](Duration window) { return 1 + window / milliseconds(7); }},
    {"token_bucket",
     [] {
       return std::make_unique<TokenBucketSchedule>(
           TokenBucket{.refill = 3, .every = milliseconds(20), .capacity = 8}, kStart);
     },
     8, [](Duration window) { return 8 + 3 * (window / milliseconds(20) + 1); }},
    {"bursty", [] { return std::make_unique<BurstySchedule>(6, milliseconds(30), kStart); }, 6,
     [](Duration window) { return 6 * (window / milliseconds(30) + 2); }},
    {"smooth", [] { return std::make_unique<SmoothSchedule>(milliseconds(5), kStart); }, 1,
     [](Duration window) { return window / milliseconds(5) + 2; }},
    {"sliding_window", [] { return std::make_unique<SlidingWindowSchedule>(9, milliseconds(50)); },
     9, [](Duration window) { return 9 * (window / milliseconds(50) + 1); }},
};

struct Granted {
  Reservation reservation;
  TimePoint due;
};

class EveryScheduleTest : public testing::TestWithParam<Kind> {
 protected:
  // Requests at random times, of random costs; some wait, some are given back.
  std::vector<Granted> RandomTraffic(std::uint64_t seed) {
    std::mt19937_64 random(seed);
    const auto pick = [&](int low, int high) {
      return std::uniform_int_distribution<int>(low, high)(random);
    };
    const auto schedule = GetParam().make();
    std::vector<Granted> live;
    TimePoint now = kStart;
    for (int step = 0; step < 400; ++step) {
      now += std::chrono::microseconds(pick(0, 3) == 0 ? pick(0, 90'000) : pick(0, 900));
      const int cost = pick(1, GetParam().cost_max);
      const Duration wait = schedule->WaitFor(now, cost);
      if (wait > milliseconds(pick(0, 1) * 200)) continue;
      const Reservation taken = schedule->Reserve(now, cost);
      EXPECT_EQ(taken.wait, wait);
      live.push_back({taken, now + wait});
      const std::size_t undone = static_cast<std::size_t>(pick(0, 9));
      if (undone < live.size() && undone < 3) {
        const auto which = live.end() - 1 - static_cast<std::ptrdiff_t>(undone);
        if (schedule->Cancel(which->reservation)) live.erase(which);
      }
    }
    return live;
  }
};

TEST_P(EveryScheduleTest, NeverExceedsItsLimitInAnyWindow) {
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    std::vector<Granted> granted = RandomTraffic(seed);
    ASSERT_GT(granted.size(), 40u) << "or the property says nothing";
    std::ranges::stable_sort(granted, {}, &Granted::due);
    for (std::size_t first = 0; first < granted.size(); ++first) {
      std::int64_t units = 0;
      for (std::size_t last = first; last < granted.size(); ++last) {
        units += granted[last].reservation.cost;
        const Duration window = granted[last].due - granted[first].due;
        ASSERT_LE(units, GetParam().bound(window)) << "seed " << seed << ", in " << window.count();
      }
    }
  }
}

TEST_P(EveryScheduleTest, WhatIsReservedLaterIsNeverDueEarlier) {
  std::mt19937_64 random(7);
  const auto schedule = GetParam().make();
  TimePoint now = kStart;
  TimePoint last = kStart;
  for (int step = 0; step < 2000; ++step) {
    now += std::chrono::microseconds(random() % 9000);
    const int cost = 1 + static_cast<int>(random() % static_cast<unsigned>(GetParam().cost_max));
    const TimePoint due = now + schedule->Reserve(now, cost).wait;
    ASSERT_GE(due, last);
    last = due;
  }
}

TEST_P(EveryScheduleTest, AvailableIsTheLargestCostWithoutAWait) {
  std::mt19937_64 random(11);
  const auto schedule = GetParam().make();
  TimePoint now = kStart;
  for (int step = 0; step < 2000; ++step) {
    now += std::chrono::microseconds(random() % 20'000);
    const int available = schedule->Available(now);
    if (available > 0) {
      ASSERT_EQ(schedule->WaitFor(now, available), Duration::zero());
    }
    ASSERT_GT(schedule->WaitFor(now, available + 1), Duration::zero());
    const int cost = 1 + static_cast<int>(random() % static_cast<unsigned>(GetParam().cost_max));
    if (schedule->WaitFor(now, cost) < milliseconds(20)) schedule->Reserve(now, cost);
  }
}

TEST_P(EveryScheduleTest, UndoingTheNewestLeavesNoTrace) {
  std::mt19937_64 random(13);
  const auto schedule = GetParam().make();
  const auto twin = GetParam().make();
  TimePoint now = kStart;
  for (int step = 0; step < 2000; ++step) {
    now += std::chrono::microseconds(random() % 9000);
    const int cost = 1 + static_cast<int>(random() % static_cast<unsigned>(GetParam().cost_max));
    std::vector<Reservation> undone;
    for (std::uint64_t i = random() % 4; i > 0; --i) undone.push_back(schedule->Reserve(now, cost));
    for (auto last = undone.rbegin(); last != undone.rend(); ++last)
      ASSERT_TRUE(schedule->Cancel(*last));
    ASSERT_EQ(schedule->WaitFor(now, cost), twin->WaitFor(now, cost));
    ASSERT_EQ(schedule->Available(now), twin->Available(now));
    if (schedule->WaitFor(now, cost) < milliseconds(100)) {
      schedule->Reserve(now, cost);
      twin->Reserve(now, cost);
    }
  }
}

TEST_P(EveryScheduleTest, WhatLiesBehindTheEndOfTimeIsNeverDue) {
  const auto schedule = GetParam().make();
  const TimePoint late = kNever - milliseconds(1);
  schedule->Reserve(late, schedule->Available(late));
  EXPECT_EQ(schedule->WaitFor(late, GetParam().cost_max), kForEver);
  EXPECT_FALSE(schedule->Reserve(late, GetParam().cost_max).taken());
}

TEST_P(EveryScheduleTest, ARefusedReservationCannotBeCancelled) {
  EXPECT_FALSE(GetParam().make()->Cancel(Reservation{}));
}

INSTANTIATE_TEST_SUITE_P(Kinds, EveryScheduleTest, testing::ValuesIn(kKinds),
                         [](const auto& test) { return std::string(test.param.name); });

}  // namespace
}  // namespace understudy
