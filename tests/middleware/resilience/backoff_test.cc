#include "middleware/resilience/backoff.h"

#include <limits>
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

}  // namespace
}  // namespace understudy
