#include "harness/vendor/latency.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "harness/plan/seeded_random.h"
#include "tests/support/fixed_random.h"

namespace understudy::harness {
namespace {

using namespace std::chrono_literals;
using test::FixedRandom;

Duration DrawAt(const LatencySpec& spec, double unit) {
  FixedRandom random(unit);
  return DrawLatency(spec, random, "latency/x");
}

std::vector<double> Millis(const LatencySpec& spec, int count) {
  SeededRandom random(7);
  std::vector<double> millis;
  for (int i = 0; i < count; ++i) {
    millis.push_back(static_cast<double>(DrawLatency(spec, random, "latency/x").count()) / 1e6);
  }
  std::sort(millis.begin(), millis.end());
  return millis;
}

double Mean(const std::vector<double>& values) {
  double sum = 0;
  for (const double value : values) sum += value;
  return sum / static_cast<double>(values.size());
}

TEST(LatencyTest, FixedIsAlwaysTheSame) { EXPECT_EQ(DrawAt(LatencySpec::Fixed(20ms), 0.9), 20ms); }

TEST(LatencyTest, UniformDrawsAsItAlwaysDid) {
  SeededRandom one(3);
  SeededRandom other(3);
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(DrawLatency({10ms, 80ms}, one, "s"), other.Between("s", 10ms, 80ms));
  }
}

// The quantiles of the standard normal distribution, from tables.
TEST(LatencyTest, NormalHasTheQuantilesOfTheTables) {
  const LatencySpec spec = LatencySpec::Normal(1s, 10ms);
  EXPECT_EQ(DrawAt(spec, 0.5), 1s);
  EXPECT_NEAR(static_cast<double>(DrawAt(spec, 0.8413447460685429).count()), 1'010e6, 10);
  EXPECT_NEAR(static_cast<double>(DrawAt(spec, 0.975).count()), 1e9 + 1.959963984540054 * 1e7, 10);
  EXPECT_NEAR(static_cast<double>(DrawAt(spec, 0.001).count()), 1e9 - 3.090232306167813 * 1e7, 10);
}

TEST(LatencyTest, LogNormalHasItsMedianInTheMiddle) {
  const LatencySpec spec = LatencySpec::LogNormal(90ms, 0.4);
  EXPECT_NEAR(static_cast<double>(DrawAt(spec, 0.5).count()), 90e6, 10);
  EXPECT_NEAR(static_cast<double>(DrawAt(spec, 0.975).count()),
              90e6 * std::exp(0.4 * 1.959963984540054), 100);
}

TEST(LatencyTest, ManyDrawsHaveTheMomentsOfTheDistribution) {
  const std::vector<double> normal = Millis(LatencySpec::Normal(100ms, 20ms), 4'000);
  EXPECT_NEAR(Mean(normal), 100, 1);
  EXPECT_NEAR(normal[2'000], 100, 1.5);
  const std::vector<double> log_normal = Millis(LatencySpec::LogNormal(90ms, 0.4), 4'000);
  EXPECT_NEAR(log_normal[2'000], 90, 2);
  EXPECT_NEAR(Mean(log_normal), 90 * std::exp(0.4 * 0.4 / 2), 2);
}

TEST(LatencyTest, IsTruncatedWithoutAHeapOfEqualValuesAtItsEnds) {
  // Half of the bell is below zero, a third above the greatest value.
  const std::vector<double> millis = Millis(LatencySpec::Normal(0ms, 100ms, 100ms), 2'000);
  EXPECT_GE(millis.front(), 0);
  EXPECT_LE(millis.back(), 100);
  EXPECT_LT(std::count(millis.begin(), millis.end(), millis.front()), 3);
  EXPECT_LT(std::count(millis.begin(), millis.end(), millis.back()), 3);
  // The conditional mean, sigma * (phi(0) - phi(1)) / (Phi(1) - Phi(0)).
  EXPECT_NEAR(Mean(millis), 46, 2);
}

TEST(LatencyTest, KeepsItsBoundsForExtremeDraws) {
  constexpr double kLast = 1.0 - 1.0 / 9007199254740992.0;
  for (const double unit : {0.0, 1e-15, 0.5, kLast}) {
    EXPECT_GE(DrawAt(LatencySpec::Normal(1ms, 1h, 2ms), unit), 0ms);
    EXPECT_LE(DrawAt(LatencySpec::Normal(1ms, 1h, 2ms), unit), 2ms);
    EXPECT_LE(DrawAt(LatencySpec::LogNormal(1s, 10, 2s), unit), 2s);
    EXPECT_LE(DrawAt(LatencySpec::LogNormal(1h, 10), unit), kLatencyMax);
    EXPECT_GE(DrawAt(LatencySpec::LogNormal(1h, 10), unit), 0ms);
  }
}

TEST(LatencyTest, WithoutSpreadIsItsMiddle) {
  EXPECT_EQ(DrawAt(LatencySpec::Normal(5ms, 0ms), 0.1), 5ms);
  EXPECT_EQ(DrawAt(LatencySpec::LogNormal(5ms, 0), 0.1), 5ms);
}

TEST(LatencyTest, OneDrawGivesOneLatency) {
  FixedRandom random(0.3);
  DrawLatency(LatencySpec::Normal(1ms, 1h, 2ms), random, "latency/x");
  EXPECT_THAT(random.sites(), testing::ElementsAre("latency/x"));
}

struct BadRow {
  const char* name;
  LatencySpec spec;
  const char* message;
};

class BadLatencyTest : public testing::TestWithParam<BadRow> {};

TEST_P(BadLatencyTest, IsRefused) {
  const auto checked = CheckLatency(GetParam().spec);
  ASSERT_FALSE(checked);
  EXPECT_EQ(checked.error().message, GetParam().message);
}

INSTANTIATE_TEST_SUITE_P(
    Rows, BadLatencyTest,
    testing::Values(BadRow{"Negative", {-1ns, 1s}, "latency must not be negative"},
                    BadRow{"Backwards", {2s, 1s}, "latency: the upper end is below the lower"},
                    BadRow{"NegativeMean", LatencySpec::Normal(-1ns, 1s),
                           "latency: the mean must be 0 or more"},
                    BadRow{"NegativeDeviation", LatencySpec::Normal(1s, -1ns),
                           "latency: the standard deviation must not be negative"},
                    BadRow{"MeanAboveMax", LatencySpec::Normal(2s, 1s, 1s),
                           "latency: the mean is above the greatest value"},
                    BadRow{"NoMedian", LatencySpec::LogNormal(0s, 1),
                           "latency: the median must be more than 0"},
                    BadRow{"NegativeSigma", LatencySpec::LogNormal(1s, -0.1),
                           "latency: sigma must be in 0..10"},
                    BadRow{"SigmaNotANumber", LatencySpec::LogNormal(1s, std::nan("")),
                           "latency: sigma must be in 0..10"},
                    BadRow{"MedianAboveMax", LatencySpec::LogNormal(2s, 1, 1s),
                           "latency: the median is above the greatest value"}),
    [](const auto& row) { return row.param.name; });

}  // namespace
}  // namespace understudy::harness
