#include "middleware/resilience/cubic_rate.h"

#include <limits>

#include <gtest/gtest.h>

namespace understudy {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr TimePoint kStart = TimePoint(hours(1));

// Limits from kStart on, at the lowest rate, with an empty bucket.
CubicRate Limiting(CubicRateOptions options = {}) {
  CubicRate rate(options, kStart);
  rate.Record(kStart, true);
  return rate;
}

// --- the curve

TEST(CubicCurveTest, R3_StartsAtBetaOfThePlateau) {
  const CubicCurve curve{.rate_max = 10, .throttled_at = kStart};
  EXPECT_NEAR(curve.RateAt(kStart), 7, 1e-12);
  EXPECT_NEAR(curve.RateAt(kStart - seconds(5)), 7, 1e-12) << "no time has passed";
}

TEST(CubicCurveTest, R3_IsFlatAtThePlateauAndLooksForMoreAfterIt) {
  const CubicCurve curve{.rate_max = 10, .throttled_at = kStart};
  EXPECT_NEAR(curve.RateAt(kStart + seconds(2)), 10, 1e-4);
  EXPECT_GT(curve.RateAt(kStart + seconds(6)), 30);
}

// --- the limiter

TEST(CubicRateTest, LimitsNothingBeforeTheFirstThrottle) {
  CubicRate rate({}, kStart);
  for (int i = 0; i < 1000; ++i) {
    EXPECT_EQ(rate.TryAcquire(kStart), Duration::zero());
    rate.Record(kStart, false);
  }
  EXPECT_FALSE(rate.limits());
}

TEST(CubicRateTest, MeasuresTheAnswersOfCompleteHalfSeconds) {
  CubicRate rate({}, kStart);
  rate.Record(kStart + milliseconds(100), false);
  rate.Record(kStart + milliseconds(499), false);
  EXPECT_EQ(rate.measured_rate(), 0);
  rate.Record(kStart + milliseconds(500), false);
  EXPECT_NEAR(rate.measured_rate(), 3 / 0.5 * 0.8, 1e-12);
}

TEST(CubicRateTest, AThrottleLeavesBetaOfWhatWasSent) {
  CubicRate rate({}, kStart);
  for (int i = 1; i <= 20; ++i) rate.Record(kStart + milliseconds(50) * i, i == 20);
  EXPECT_TRUE(rate.limits());
  EXPECT_NEAR(rate.rate(), 0.7 * rate.measured_rate(), 1e-12);
}

TEST(CubicRateTest, R3_TellsHowLongToWaitAndTakesNothing) {
  CubicRate rate = Limiting();
  const TimePoint now = kStart + milliseconds(100);
  for (int caller = 0; caller < 10; ++caller) {
    EXPECT_EQ(rate.TryAcquire(now), milliseconds(1900)) << "every waiter is told the same";
  }
  EXPECT_NEAR(rate.tokens(now), 0.05, 1e-12);
}

TEST(CubicRateTest, R3_GrantsAfterTheWaitItAskedFor) {
  CubicRate rate = Limiting();
  const Duration wait = rate.TryAcquire(kStart + milliseconds(100));
  EXPECT_EQ(rate.TryAcquire(kStart + milliseconds(100) + wait), Duration::zero());
  EXPECT_GE(rate.tokens(kStart + milliseconds(100) + wait), 0.0);
}

TEST(CubicRateTest, R3_AShortfallByRoundingIsNoShortfall) {
  CubicRate rate = Limiting({.initial_tokens = 1 - 1e-12});
  EXPECT_EQ(rate.TryAcquire(kStart), Duration::zero());
  EXPECT_EQ(rate.tokens(kStart), 0.0) << "never below zero";
}

TEST(CubicRateTest, AShortfallOfNanosecondsWaitsAtLeastAsLong) {
  CubicRate rate = Limiting({.initial_tokens = 1 - 3.2e-9});
  EXPECT_EQ(rate.TryAcquire(kStart), Duration(7)) << "6.4 ns";
  EXPECT_EQ(rate.TryAcquire(kStart + Duration(3)), Duration(4));
  EXPECT_EQ(rate.TryAcquire(kStart + Duration(7)), Duration::zero());
}

TEST(CubicRateTest, NoSequenceOfWaitsSpinsOrNeverEnds) {
  for (const double rate_min : {0.001, 0.3, 1.0 / 3.0, 7.0, 999'999.9}) {
    CubicRate rate = Limiting({.rate_min = rate_min});
    TimePoint now = kStart;
    for (int granted = 0, asked = 0; granted < 100; ++asked) {
      ASSERT_LT(asked, 300) << rate_min;
      const Duration wait = rate.TryAcquire(now);
      if (wait == Duration::zero()) ++granted;
      now += wait;
    }
  }
}

// aws-sdk-cpp issue 806: a limiter that sleeps for ever.
TEST(CubicRateTest, ACostAboveTheCapacityTakesAFullBucket) {
  CubicRate rate = Limiting();
  EXPECT_EQ(rate.TryAcquire(kStart + seconds(1), 5), seconds(1));
  EXPECT_EQ(rate.TryAcquire(kStart + seconds(2), 5), Duration::zero());
  EXPECT_EQ(rate.tokens(kStart + seconds(2)), 0.0);
}

TEST(CubicRateTest, SavesUpNothingWhileItDoesNotLimit) {
  CubicRate rate({}, kStart);
  for (int i = 1; i <= 20; ++i) rate.Record(kStart + milliseconds(50) * i, false);
  const TimePoint later = kStart + seconds(30);
  rate.Record(later, true);
  EXPECT_EQ(rate.tokens(later), 0.0);
}

TEST(CubicRateTest, GrowsToAtMostTwiceWhatIsSent) {
  CubicRate rate = Limiting();
  TimePoint now = kStart;
  for (int i = 0; i < 40; ++i) rate.Record(now += milliseconds(250), false);
  EXPECT_NEAR(rate.measured_rate(), 4, 0.1);
  EXPECT_NEAR(rate.rate(), 2 * rate.measured_rate(), 1e-9);
}

TEST(CubicRateTest, NeverFallsBelowTheLowestRate) {
  CubicRate rate = Limiting({.rate_min = 2});
  for (int i = 0; i < 10; ++i) rate.Record(kStart + seconds(i), true);
  EXPECT_EQ(rate.rate(), 2);
}

TEST(CubicRateTest, AnEarlierTimeIsNoTimePassed) {
  CubicRate rate = Limiting();
  ASSERT_EQ(rate.TryAcquire(kStart + seconds(2)), Duration::zero());
  EXPECT_EQ(rate.TryAcquire(kStart), seconds(2));
  EXPECT_EQ(rate.TryAcquire(kStart + seconds(4)), Duration::zero());
}

TEST(CubicRateTest, ValidationNamesEveryProblem) {
  EXPECT_TRUE(FindProblems(CubicRateOptions{}).empty());
  const double nan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(
      FindProblems(
          CubicRateOptions{
              .beta = nan, .scale = nan, .smoothing = nan, .rate_min = nan, .initial_tokens = nan})
          .size(),
      5u);
  EXPECT_EQ(
      FindProblems(CubicRateOptions{
                       .beta = 1, .scale = 0, .smoothing = 0, .rate_min = 0, .initial_tokens = 2})
          .size(),
      5u);
}

}  // namespace
}  // namespace understudy
