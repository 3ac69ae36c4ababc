#include "middleware/resilience/backoff.h"

#include <limits>
#include <optional>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/fixed_random.h"

namespace understudy {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;

std::vector<int> CeilingsInSeconds(const BackoffOptions& options, int count) {
  std::vector<int> ceilings;
  for (int retry = 1; retry <= count; ++retry) {
    ceilings.push_back(static_cast<int>(BackoffCeiling(options, retry) / seconds(1)));
  }
  return ceilings;
}

// Reference resilience 5.3, R5 (Azure core).
TEST(BackoffTest, R5_DoublesUpToTheCap) {
  EXPECT_THAT(CeilingsInSeconds({.base = seconds(1), .factor = 2, .cap = seconds(20)}, 7),
              ElementsAre(1, 2, 4, 8, 16, 20, 20));
}

// R4 (Polly, exponential without jitter; overflow gives the maximum).
TEST(BackoffTest, R4_NeverOverflows) {
  const BackoffOptions options{.base = seconds(1), .factor = 2, .cap = Duration::max()};
  EXPECT_EQ(BackoffCeiling(options, 3), seconds(4));
  EXPECT_EQ(BackoffCeiling(options, 64), Duration::max());
  EXPECT_EQ(BackoffCeiling(options, std::numeric_limits<int>::max()), Duration::max());
}

TEST(BackoffTest, FullJitterDrawsBetweenZeroAndTheCeiling) {
  const BackoffOptions options{.base = milliseconds(100)};
  test::FixedRandom random({0.0, 0.25, 1.0 - 0x1p-53});
  EXPECT_EQ(BackoffDelay(options, 3, random), milliseconds(0));
  EXPECT_EQ(BackoffDelay(options, 3, random), milliseconds(100));
  EXPECT_EQ(BackoffDelay(options, 3, random), milliseconds(400) - Duration(1));
  EXPECT_THAT(random.sites(), ElementsAre("retry/backoff", "retry/backoff", "retry/backoff"));
}

TEST(BackoffTest, WithoutJitterWaitsTheCeilingAndDrawsNothing) {
  test::FixedRandom random;
  EXPECT_EQ(BackoffDelay({.base = milliseconds(100), .jitter = false}, 2, random),
            milliseconds(200));
  EXPECT_TRUE(random.sites().empty());
}

TEST(BackoffTest, ValidationNamesEveryProblem) {
  EXPECT_EQ(
      FindProblems(BackoffOptions{.base = seconds(-1), .factor = 0.5, .cap = seconds(-2)}).size(),
      3u);
  EXPECT_TRUE(FindProblems(BackoffOptions{}).empty());
}

TEST(BackoffTest, TheDecorrelatedCurveHasItsOwnGrowth) {
  BackoffOptions options{.kind = BackoffJitter::kDecorrelated};
  EXPECT_TRUE(FindProblems(options).empty());
  options.factor = 3;
  EXPECT_EQ(FindProblems(options).size(), 1u);
  options.factor = 2;
  options.growth = BackoffGrowth::kLinear;
  EXPECT_EQ(FindProblems(options).size(), 1u);
  options.jitter = false;
  EXPECT_TRUE(FindProblems(options).empty()) << "then its kind does not matter";
}

TEST(BackoffTest, ANumberThatIsNoneIsAProblemAndStillGivesADelay) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(FindProblems(BackoffOptions{.factor = nan}).size(), 1u);
  EXPECT_EQ(BackoffCeiling({.factor = nan}, 3), BackoffOptions{}.cap);
}

// --- growth

struct GrowthCase {
  const char* name;
  BackoffGrowth growth;
  std::vector<int> seconds;
};

class BackoffGrowthTest : public ::testing::TestWithParam<GrowthCase> {};

TEST_P(BackoffGrowthTest, CeilingsGrowUpToTheCap) {
  const BackoffOptions options{
      .base = seconds(2), .factor = 3, .cap = seconds(7), .growth = GetParam().growth};
  EXPECT_EQ(CeilingsInSeconds(options, 5), GetParam().seconds);
}

TEST_P(BackoffGrowthTest, NoRetryNumberOverflows) {
  const BackoffOptions options{.base = std::chrono::hours(24 * 365 * 250),
                               .cap = Duration::max(),
                               .growth = GetParam().growth};
  const Duration last = BackoffCeiling(options, std::numeric_limits<int>::max());
  EXPECT_EQ(last, GetParam().growth == BackoffGrowth::kConstant ? options.base : options.cap);
}

TEST_P(BackoffGrowthTest, ARetryNumberBelowOneCountsAsTheFirst) {
  const BackoffOptions options{.base = seconds(2), .growth = GetParam().growth};
  for (const int retry : {0, -1, std::numeric_limits<int>::min()}) {
    EXPECT_EQ(BackoffCeiling(options, retry), seconds(2));
  }
}

INSTANTIATE_TEST_SUITE_P(
    Forms, BackoffGrowthTest,
    ::testing::Values(GrowthCase{"Constant", BackoffGrowth::kConstant, {2, 2, 2, 2, 2}},
                      GrowthCase{"Linear", BackoffGrowth::kLinear, {2, 4, 6, 7, 7}},
                      GrowthCase{"Exponential", BackoffGrowth::kExponential, {2, 6, 7, 7, 7}}),
    [](const auto& test) { return std::string(test.param.name); });

// --- jitter

struct JitterCase {
  const char* name;
  BackoffJitter kind;
  int lowest_ms;  // Of the second retry, whose ceiling is 2 s, for draws of 0, 0.5 and 1.
  int middle_ms;
  int highest_ms;
};

class BackoffJitterTest : public ::testing::TestWithParam<JitterCase> {
 protected:
  BackoffOptions options_{.base = seconds(1), .cap = seconds(20), .kind = GetParam().kind};
};

TEST_P(BackoffJitterTest, SpreadsBetweenItsBounds) {
  const auto delay = [&](double share) {
    return std::chrono::round<milliseconds>(JitteredBackoff(options_, 2, share)).count();
  };
  EXPECT_EQ(delay(0), GetParam().lowest_ms);
  EXPECT_EQ(delay(0.5), GetParam().middle_ms);
  EXPECT_EQ(delay(1), GetParam().highest_ms);
}

TEST_P(BackoffJitterTest, StaysBetweenZeroAndTheCapForEveryRetry) {
  options_.cap = seconds(3);
  for (const int retry :
       {1, 2, 3, 10, 64, 1023, 1024, 1025, 5000, std::numeric_limits<int>::max()}) {
    for (const double share : {0.0, 0x1p-53, 0.5, 1.0 - 0x1p-53, 1.0}) {
      const Duration delay = JitteredBackoff(options_, retry, share);
      EXPECT_GE(delay, Duration::zero()) << retry << " " << share;
      EXPECT_LE(delay, options_.cap) << retry << " " << share;
    }
  }
}

TEST_P(BackoffJitterTest, DrawsOnceForALoopWithItsMemory) {
  test::FixedRandom random(0.5);
  DecorrelatedJitter memory;
  for (int retry = 1; retry <= 3; ++retry) {
    EXPECT_EQ(BackoffDelay(options_, retry, random, memory), JitteredBackoff(options_, retry, 0.5));
  }
  EXPECT_THAT(random.sites(), ElementsAre("retry/backoff", "retry/backoff", "retry/backoff"));
}

INSTANTIATE_TEST_SUITE_P(
    Kinds, BackoffJitterTest,
    ::testing::Values(JitterCase{"Full", BackoffJitter::kFull, 0, 1000, 2000},
                      JitterCase{"Equal", BackoffJitter::kEqual, 1000, 1500, 2000},
                      JitterCase{"Quarter", BackoffJitter::kQuarter, 1500, 2000, 2500},
                      // Draws of 0 and 1 before it move the point from which it goes on.
                      JitterCase{"Decorrelated", BackoffJitter::kDecorrelated, 1377, 1093, 1460}),
    [](const auto& test) { return std::string(test.param.name); });

TEST(BackoffTest, R4_AQuarterOfJitterIsCutOffAtTheCap) {
  const BackoffOptions options{
      .base = seconds(1), .cap = milliseconds(1100), .kind = BackoffJitter::kQuarter};
  EXPECT_EQ(JitteredBackoff(options, 1, 0.5), seconds(1));
  EXPECT_EQ(JitteredBackoff(options, 1, 1), milliseconds(1100));
  EXPECT_EQ(JitteredBackoff(options, 2, 0), milliseconds(1100));
}

TEST(BackoffTest, ADecorrelatedDelayGoesOnFromWhereTheLastOneWas) {
  const BackoffOptions options{.base = seconds(1), .kind = BackoffJitter::kDecorrelated};
  DecorrelatedJitter early;
  DecorrelatedJitter late;
  early.Next(options, 1, 0);
  late.Next(options, 1, 0.9);
  EXPECT_GT(early.Next(options, 2, 0.5), late.Next(options, 2, 0.5));
}

TEST(BackoffTest, DecorrelatedDelaysOfTwoCallsDoNotMix) {
  const BackoffOptions options{.base = seconds(1), .kind = BackoffJitter::kDecorrelated};
  test::FixedRandom random(0.5);
  DecorrelatedJitter one;
  DecorrelatedJitter other;
  BackoffDelay(options, 1, random, one);
  BackoffDelay(options, 2, random, one);
  EXPECT_EQ(BackoffDelay(options, 1, random, other), JitteredBackoff(options, 1, 0.5));
}

TEST(BackoffTest, ADecorrelatedDelayWithoutItsMemoryDrawsForTheOneBefore) {
  const BackoffOptions options{.base = seconds(1), .kind = BackoffJitter::kDecorrelated};
  test::FixedRandom random(0.5);
  EXPECT_EQ(BackoffDelay(options, 1, random), JitteredBackoff(options, 1, 0.5));
  EXPECT_EQ(random.sites().size(), 1u);
  EXPECT_EQ(BackoffDelay(options, 2, random), JitteredBackoff(options, 2, 0.5));
  EXPECT_EQ(random.sites().size(), 3u);
}

TEST(BackoffTest, ADecorrelatedSeriesThatGoesBackWaitsNothingRatherThanLessThanNothing) {
  const BackoffOptions options{.base = seconds(1), .kind = BackoffJitter::kDecorrelated};
  DecorrelatedJitter memory;
  memory.Next(options, std::numeric_limits<int>::max(), 0.5);
  EXPECT_EQ(memory.Next(options, 1, 0.5), Duration::zero());
}

// --- hints

TEST(HintedBackoffTest, WithoutAHintIsTheBackoff) {
  EXPECT_EQ(HintedBackoff(seconds(2), std::nullopt, seconds(5)), seconds(2));
}

TEST(HintedBackoffTest, IsNeverEarlierThanTheBackoff) {
  EXPECT_EQ(HintedBackoff(seconds(2), seconds(1), seconds(5)), seconds(2));
  EXPECT_EQ(HintedBackoff(seconds(2), seconds(2), seconds(5)), seconds(2));
}

TEST(HintedBackoffTest, FollowsTheHintUpToTheSurplus) {
  EXPECT_EQ(HintedBackoff(seconds(2), seconds(7), seconds(5)), seconds(7));
  EXPECT_EQ(HintedBackoff(seconds(2), seconds(7) + Duration(1), seconds(5)), seconds(7));
  EXPECT_EQ(HintedBackoff(seconds(2), Duration::max(), seconds(5)), seconds(7));
  EXPECT_EQ(HintedBackoff(seconds(2), Duration::max(), Duration::max()), Duration::max());
}

}  // namespace
}  // namespace understudy
