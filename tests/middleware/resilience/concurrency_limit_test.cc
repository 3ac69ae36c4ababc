#include "middleware/resilience/concurrency_limit.h"

#include <functional>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "middleware/resilience/aimd_limit.h"
#include "middleware/resilience/fixed_limit.h"
#include "middleware/resilience/vegas_limit.h"

namespace understudy {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr Duration kQuick = milliseconds(10);

AdaptiveLimitOptions Vegas(int initial, int max = 200) {
  return {.kind = AdaptiveLimitKind::kVegas, .initial = initial, .max = max};
}

// --- fixed

TEST(FixedLimitTest, LearnsNothing) {
  FixedLimit limit(3);
  EXPECT_EQ(limit.Update(kQuick, 3, false), 3);
  EXPECT_EQ(limit.Update(kQuick, 3, true), 3);
  EXPECT_EQ(limit.limit(), 3);
}

// --- additive increase, multiplicative decrease

TEST(AimdLimitTest, N6_GrowsByOneIfAtLeastHalfIsInUse) {
  AimdLimit limit({.initial = 20, .max = 200});
  EXPECT_EQ(limit.Update(kQuick, 9, false), 20) << "nine of twenty: less than half";
  EXPECT_EQ(limit.Update(kQuick, 10, false), 21);
  EXPECT_EQ(limit.Update(kQuick, 10, false), 21) << "ten of 21";
  EXPECT_EQ(limit.Update(kQuick, 11, false), 22);
}

TEST(AimdLimitTest, N6_ADropLeavesItsShareRoundedDown) {
  AimdLimit limit({.initial = 30, .max = 200});
  EXPECT_EQ(limit.Update(kQuick, 0, true), 27);
  EXPECT_EQ(limit.Update(kQuick, 0, true), 24);
}

TEST(AimdLimitTest, StaysWithinItsBounds) {
  AimdLimit limit({.initial = 4, .min = 3, .max = 5});
  EXPECT_EQ(limit.Update(kQuick, 5, false), 5);
  EXPECT_EQ(limit.Update(kQuick, 5, false), 5);
  EXPECT_EQ(limit.Update(kQuick, 5, true), 4);
  EXPECT_EQ(limit.Update(kQuick, 5, true), 3);
  EXPECT_EQ(limit.Update(kQuick, 5, true), 3);
}

TEST(AimdLimitTest, NeverGoesBelowOne) {
  AimdLimit limit({.initial = 1, .max = 2, .backoff = 0.01});
  EXPECT_EQ(limit.Update(kQuick, 1, true), 1);
  EXPECT_EQ(limit.Update(kQuick, 1, false), 2) << "and finds back";
}

TEST(AimdLimitTest, ASlowAnswerIsADropIfAskedFor) {
  AimdLimit limit({.initial = 10, .slow_after = seconds(1)});
  EXPECT_EQ(limit.Update(seconds(1), 10, false), 11);
  EXPECT_EQ(limit.Update(seconds(1) + Duration(1), 10, false), 9);
}

// --- Vegas

TEST(VegasLimitTest, N6_TheQuickestRoundTripIsOnlyRemembered) {
  VegasLimit limit(Vegas(10));
  EXPECT_EQ(limit.Update(milliseconds(20), 10, false), 10);
  EXPECT_EQ(limit.Update(milliseconds(10), 10, false), 10) << "quicker still";
}

TEST(VegasLimitTest, N6_GrowsByBetaWhileNobodyQueues) {
  VegasLimit limit(Vegas(10));
  limit.Update(kQuick, 10, false);
  EXPECT_EQ(limit.Update(kQuick, 11, false), 16);
}

struct QueueCase {
  const char* name;
  int round_trip_ms;
  int limit;
};

class VegasQueueTest : public ::testing::TestWithParam<QueueCase> {};

// The queue of a limit of 10 whose quickest round trip is 60 ms: the ceiling of 10 * (1 - 60 / t).
TEST_P(VegasQueueTest, MovesTheLimit) {
  VegasLimit limit({.kind = AdaptiveLimitKind::kVegas, .initial = 10, .max = 20, .alpha = 4});
  limit.Update(milliseconds(60), 10, false);
  EXPECT_EQ(limit.Update(milliseconds(GetParam().round_trip_ms), 10, false), GetParam().limit);
}

INSTANTIATE_TEST_SUITE_P(
    Queues, VegasQueueTest,
    ::testing::Values(QueueCase{"OneIsNone", 66, 16}, QueueCase{"TwoIsBelowAlpha", 75, 11},
                      QueueCase{"ThreeIsBelowAlpha", 85, 11}, QueueCase{"FourIsAlpha", 100, 10},
                      QueueCase{"SixIsBeta", 150, 10}, QueueCase{"SevenIsAboveBeta", 200, 9}),
    [](const auto& test) { return std::string(test.param.name); });

TEST(VegasLimitTest, AQuietClientLearnsNothing) {
  VegasLimit limit(Vegas(10));
  limit.Update(kQuick, 10, false);
  EXPECT_EQ(limit.Update(kQuick, 4, false), 10);
  EXPECT_EQ(limit.Update(kQuick, 5, false), 16);
}

TEST(VegasLimitTest, ADropLowersTheLimitHoweverQuiet) {
  VegasLimit limit(Vegas(10));
  limit.Update(kQuick, 10, false);
  EXPECT_EQ(limit.Update(kQuick, 1, true), 9);
}

TEST(VegasLimitTest, AQuickRefusalIsNotTheQuickestAnswer) {
  VegasLimit limit(Vegas(10));
  limit.Update(kQuick, 10, false);
  EXPECT_EQ(limit.Update(Duration(1), 10, true), 9);
  EXPECT_EQ(limit.Update(kQuick, 10, false), 15) << "an answer as quick as ever shows no queue";
}

TEST(VegasLimitTest, ARoundTripOfNothingMeasuresNothing) {
  VegasLimit limit(Vegas(10));
  EXPECT_EQ(limit.Update(Duration::zero(), 10, false), 10);
  EXPECT_EQ(limit.Update(kQuick, 10, false), 10) << "the quickest";
  EXPECT_EQ(limit.Update(Duration(-5), 10, false), 10);
  EXPECT_EQ(limit.Update(kQuick, 10, false), 16);
}

TEST(VegasLimitTest, N6_SmoothingGoesPartOfTheWay) {
  AdaptiveLimitOptions options = Vegas(100);
  options.decrease = 0.5;
  for (const auto& [smoothing, limits] :
       std::vector<std::pair<double, std::vector<int>>>{{0.5, {75, 56}}, {1.0, {50, 25}}}) {
    options.smoothing = smoothing;
    VegasLimit limit(options);
    limit.Update(milliseconds(10), 100, false);
    EXPECT_EQ(limit.Update(milliseconds(20), 100, false), limits[0]);
    EXPECT_EQ(limit.Update(milliseconds(20), 100, false), limits[1]);
  }
}

TEST(VegasLimitTest, LargeLimitsMoveInLargerSteps) {
  VegasLimit limit(Vegas(200, 1000));
  limit.Update(milliseconds(10), 200, false);
  EXPECT_EQ(limit.Update(milliseconds(20), 200, false), 198);
}

TEST(VegasLimitTest, StaysWithinItsBounds) {
  VegasLimit limit({.kind = AdaptiveLimitKind::kVegas, .initial = 4, .min = 3, .max = 5});
  limit.Update(kQuick, 5, false);
  EXPECT_EQ(limit.Update(kQuick, 5, false), 5);
  for (int i = 0; i < 5; ++i) limit.Update(kQuick, 5, true);
  EXPECT_EQ(limit.limit(), 3);
}

TEST(VegasLimitTest, MeasuresTheQuickestRoundTripAnewNowAndThen) {
  VegasLimit limit(Vegas(10, 10));
  limit.Update(milliseconds(10), 10, false);
  for (int i = 0; i < 10; ++i) limit.Update(milliseconds(40), 10, false);
  EXPECT_EQ(limit.limit(), 8) << "a queue of six, which is beta";
  for (int i = 0; i < 300; ++i) limit.Update(milliseconds(40), 10, false);
  EXPECT_EQ(limit.limit(), 10) << "the vendor has become slower, and nobody queues";
}

// --- options

TEST(AdaptiveLimitOptionsTest, CreateTheLimitOfTheirKind) {
  EXPECT_NE(dynamic_cast<AimdLimit*>(CreateConcurrencyLimit({}).get()), nullptr);
  EXPECT_NE(dynamic_cast<VegasLimit*>(CreateConcurrencyLimit(Vegas(10)).get()), nullptr);
  EXPECT_EQ(ToString(AdaptiveLimitKind::kAimd), "aimd");
  EXPECT_EQ(ToString(AdaptiveLimitKind::kVegas), "vegas");
}

struct ProblemCase {
  const char* name;
  std::function<void(AdaptiveLimitOptions&)> spoil;
  const char* option;
};

class AdaptiveLimitProblemTest : public ::testing::TestWithParam<ProblemCase> {};

TEST_P(AdaptiveLimitProblemTest, IsNamed) {
  AdaptiveLimitOptions options;
  ASSERT_THAT(FindProblems(options), ElementsAre());
  GetParam().spoil(options);
  EXPECT_THAT(FindProblems(options), ElementsAre(HasSubstr(GetParam().option)));
}

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

INSTANTIATE_TEST_SUITE_P(
    Problems, AdaptiveLimitProblemTest,
    ::testing::Values(
        ProblemCase{"MinZero", [](auto& o) { o.min = 0; }, "adaptive.min is 0"},
        ProblemCase{"MaxBelowMin", [](auto& o) { o.min = 9, o.max = 8; }, "adaptive.max is 8"},
        ProblemCase{"MaxTooLarge", [](auto& o) { o.max = 100'001; }, "adaptive.max is 100001"},
        ProblemCase{"InitialAboveMax", [](auto& o) { o.initial = 33; }, "adaptive.initial is 33"},
        ProblemCase{"InitialBelowMin", [](auto& o) { o.min = 9; }, "adaptive.initial is 8"},
        ProblemCase{"BackoffZero", [](auto& o) { o.backoff = 0; }, "adaptive.backoff"},
        ProblemCase{"BackoffOne", [](auto& o) { o.backoff = 1; }, "adaptive.backoff"},
        ProblemCase{"BackoffNaN", [](auto& o) { o.backoff = kNaN; }, "adaptive.backoff"},
        ProblemCase{"SlowAfterZero", [](auto& o) { o.slow_after = Duration(0); }, "slow_after"},
        ProblemCase{"AlphaZero", [](auto& o) { o.alpha = 0; }, "adaptive.alpha"},
        ProblemCase{"BetaBelowAlpha", [](auto& o) { o.beta = 2; }, "adaptive.beta"},
        ProblemCase{"SmoothingZero", [](auto& o) { o.smoothing = 0; }, "adaptive.smoothing"},
        ProblemCase{"SmoothingNaN", [](auto& o) { o.smoothing = kNaN; }, "adaptive.smoothing"},
        ProblemCase{"DecreaseOne", [](auto& o) { o.decrease = 1.0; }, "adaptive.decrease"}),
    [](const auto& test) { return std::string(test.param.name); });

}  // namespace
}  // namespace understudy
