#include "middleware/resilience/adaptive_throttle.h"

#include <limits>

#include <gtest/gtest.h>

namespace understudy {
namespace {

using std::chrono::hours;
using std::chrono::seconds;

constexpr TimePoint kStart = TimePoint(hours(1));

AdaptiveThrottleOptions Eager() { return {.accept_share = 0.9, .requests_min = 1}; }

void Record(AdaptiveThrottle& throttle, TimePoint now, int accepted, int refused) {
  for (int i = 0; i < accepted; ++i) throttle.Record(now, true);
  for (int i = 0; i < refused; ++i) throttle.Record(now, false);
}

TEST(AdaptiveThrottleTest, RefusesNothingWithoutEvidence) {
  const AdaptiveThrottle throttle(Eager());
  EXPECT_EQ(throttle.RejectionProbability(kStart), 0.0);
  EXPECT_TRUE(throttle.Admits(kStart, 0.0));
}

TEST(AdaptiveThrottleTest, N5_RefusesTheShareThatIsNotAccepted) {
  AdaptiveThrottle throttle(Eager());
  Record(throttle, kStart, 90, 30);
  EXPECT_DOUBLE_EQ(throttle.RejectionProbability(kStart), 20.0 / 121.0);
}

TEST(AdaptiveThrottleTest, N5_RefusesNothingWhileEnoughIsAccepted) {
  AdaptiveThrottle throttle(Eager());
  Record(throttle, kStart, 95, 5);
  EXPECT_EQ(throttle.RejectionProbability(kStart), 0.0);
}

TEST(AdaptiveThrottleTest, N5_OneFailureIsHalf) {
  AdaptiveThrottle throttle(Eager());
  throttle.Record(kStart, false);
  EXPECT_DOUBLE_EQ(throttle.RejectionProbability(kStart), 0.5);
}

TEST(AdaptiveThrottleTest, LetsSomeThroughHoweverBadItIs) {
  AdaptiveThrottleOptions options = Eager();
  options.rejection_max = 0.8;
  AdaptiveThrottle throttle(options);
  Record(throttle, kStart, 0, 1000);
  EXPECT_DOUBLE_EQ(throttle.RejectionProbability(kStart), 0.8);
  EXPECT_FALSE(throttle.Admits(kStart, 0.79));
  EXPECT_TRUE(throttle.Admits(kStart, 0.8));
}

TEST(AdaptiveThrottleTest, JudgesNothingByTooFewRequests) {
  AdaptiveThrottle throttle({.requests_min = 3});
  Record(throttle, kStart, 0, 2);
  EXPECT_EQ(throttle.RejectionProbability(kStart), 0.0);
  throttle.Record(kStart, false);
  EXPECT_DOUBLE_EQ(throttle.RejectionProbability(kStart), 0.75);
}

TEST(AdaptiveThrottleTest, ForgetsWhatIsOlderThanItsWindow) {
  AdaptiveThrottleOptions options = Eager();
  options.window = seconds(60);
  options.buckets = 6;
  AdaptiveThrottle throttle(options);
  Record(throttle, kStart, 0, 10);
  EXPECT_GT(throttle.RejectionProbability(kStart + seconds(59)), 0.8);
  EXPECT_EQ(throttle.RejectionProbability(kStart + seconds(60)), 0.0);
}

TEST(AdaptiveThrottleTest, AskingCountsNothing) {
  AdaptiveThrottle throttle(Eager());
  Record(throttle, kStart, 1, 1);
  const double before = throttle.RejectionProbability(kStart);
  for (int i = 0; i < 100; ++i) (void)throttle.Admits(kStart, 0.0);
  EXPECT_EQ(throttle.RejectionProbability(kStart), before);
}

TEST(AdaptiveThrottleTest, ValidationNamesEveryProblem) {
  EXPECT_TRUE(FindProblems(AdaptiveThrottleOptions{}).empty());
  EXPECT_EQ(FindProblems(AdaptiveThrottleOptions{.accept_share = 0,
                                                 .rejection_max = 1.1,
                                                 .window = seconds(0),
                                                 .buckets = 0,
                                                 .requests_min = 0})
                .size(),
            5u);
  const double nan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(FindProblems(AdaptiveThrottleOptions{.accept_share = nan, .rejection_max = nan}).size(),
            2u);
  EXPECT_EQ(FindProblems(AdaptiveThrottleOptions{.window = hours(25), .buckets = 1001}).size(), 2u);
}

}  // namespace
}  // namespace understudy
