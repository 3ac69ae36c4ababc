#include "middleware/runtime/deadline.h"

#include <gtest/gtest.h>

namespace understudy {
namespace {

using namespace std::chrono_literals;  // NOLINT: literals

constexpr TimePoint kStart{};

TEST(DeadlineTest, DefaultIsUnreachable) {
  EXPECT_FALSE(Deadline().reachable());
  EXPECT_FALSE(Deadline().Passed(kNever));
  EXPECT_EQ(Deadline().Remaining(kStart), Duration::max());
}

TEST(DeadlineTest, PassesExactlyAtItsPoint) {
  const Deadline deadline = Deadline::After(kStart, 2s);
  EXPECT_FALSE(deadline.Passed(kStart + 2s - 1ns));
  EXPECT_TRUE(deadline.Passed(kStart + 2s));
  EXPECT_EQ(deadline.Remaining(kStart + 2s), 0ns);
  EXPECT_EQ(deadline.Remaining(kStart + 2s - 1ns), 1ns);
}

TEST(DeadlineTest, ZeroAndNegativeDurationsHavePassed) {
  EXPECT_TRUE(Deadline::After(kStart, 0s).Passed(kStart));
  EXPECT_TRUE(Deadline::After(kStart, -1s).Passed(kStart));
}

TEST(DeadlineTest, HugeDurationsSaturate) {
  EXPECT_FALSE(Deadline::After(kStart + 1h, Duration::max()).reachable());
}

TEST(DeadlineTest, NestingOnlyTightens) {
  const Deadline outer = Deadline::After(kStart, 1s);
  EXPECT_EQ(outer.Tightened(Deadline::After(kStart, 5s)), outer);
  EXPECT_EQ(outer.Tightened(Deadline::After(kStart, 200ms)).Remaining(kStart), 200ms);
  EXPECT_EQ(Deadline().Tightened(outer), outer);
}

TEST(DeadlineTest, DL10_AReserveShortensAndNeverLoosens) {
  const Deadline deadline = Deadline::After(kStart, 1s);
  EXPECT_EQ(deadline.WithReserve(200ms).Remaining(kStart), 800ms);
  EXPECT_EQ(deadline.WithReserve(0s), deadline);
  EXPECT_EQ(deadline.WithReserve(-1s), deadline);
  EXPECT_EQ(deadline.WithReserve(Duration::min()), deadline);
}

TEST(DeadlineTest, DL10_AReserveThatLeavesNothingHasPassedAndIsNeverNegative) {
  const Deadline deadline = Deadline::After(kStart, 1s);
  EXPECT_EQ(deadline.WithReserve(1s - 1ns).Remaining(kStart), 1ns);
  EXPECT_TRUE(deadline.WithReserve(1s).Passed(kStart));
  EXPECT_TRUE(deadline.WithReserve(Duration::max()).Passed(kStart));
  EXPECT_EQ(deadline.WithReserve(Duration::max()).Remaining(kStart), 0s);
  EXPECT_EQ(Deadline::At(TimePoint::min()).WithReserve(1s).point(), TimePoint::min());
}

TEST(DeadlineTest, DL10_WhatIsUnreachableNeedsNoReserve) {
  EXPECT_EQ(Deadline().WithReserve(1h), Deadline());
}

TEST(DeadlineTest, ReservesOfNestedCallsAddUp) {
  constexpr Deadline kOuter = Deadline::After(kStart, 10s);
  static_assert(kOuter.WithReserve(2s).WithReserve(3s) == Deadline::After(kStart, 5s));
}

}  // namespace
}  // namespace understudy
