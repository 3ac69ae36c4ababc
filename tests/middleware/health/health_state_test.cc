#include "middleware/health/health_state.h"

#include <chrono>
#include <string>

#include <gtest/gtest.h>

namespace understudy::test {
namespace {

using namespace std::chrono_literals;  // NOLINT: literals
using enum HealthStatus;

HysteresisOptions Options() {
  return {.failures_to_fail = 3, .successes_to_recover = 2, .stale_after = 60s};
}

// Feeds results a second apart: H healthy, D degraded, F failed; and writes down the status after
// each: h, d, u (unhealthy), ? (unknown).
class StateRun {
 public:
  std::string Feed(std::string_view results) {
    std::string statuses;
    for (const char result : results) {
      now_ += 1s;
      state_.Record({result == 'H' ? kHealthy : result == 'D' ? kDegraded : kUnhealthy, "x"}, now_);
      const HealthStatus status = state_.StatusAt(now_);
      statuses.push_back(status == kHealthy     ? 'h'
                         : status == kDegraded  ? 'd'
                         : status == kUnhealthy ? 'u'
                                                : '?');
    }
    return statuses;
  }
  void Wait(Duration duration) { now_ += duration; }
  HealthStatus Status() const { return state_.StatusAt(now_); }
  const HealthState& state() const { return state_; }
  TimePoint now() const { return now_; }

 private:
  HealthState state_{Options()};
  TimePoint now_{};
};

TEST(HealthStateTest, HC3_WithoutAResultItIsUnknown) {
  const StateRun run;
  EXPECT_EQ(run.Status(), kUnknown);
  EXPECT_FALSE(run.state().last_at());
  EXPECT_EQ(run.state().StaleFrom(), kNever);
}

struct HysteresisCase {
  std::string name;
  std::string results;
  std::string statuses;
};

class HysteresisTest : public testing::TestWithParam<HysteresisCase> {};

TEST_P(HysteresisTest, HC6_ChangesAtItsEdges) {
  StateRun run;
  EXPECT_EQ(run.Feed(GetParam().results), GetParam().statuses);
}

INSTANTIATE_TEST_SUITE_P(
    HealthState, HysteresisTest,
    testing::Values(HysteresisCase{"TheFirstSuccessCounts", "H", "h"},
                    HysteresisCase{"TheFirstDegradedCounts", "D", "d"},
                    HysteresisCase{"FromUnknownFailuresMustBeEnough", "FFF", "??u"},
                    HysteresisCase{"FromUnknownASuccessBetween", "FFHFF", "??hhh"},
                    HysteresisCase{"TwoFailuresAreForgiven", "HFFHFF", "hhhhhh"},
                    HysteresisCase{"TheThirdIsNot", "HFFF", "hhhu"},
                    HysteresisCase{"OneSuccessDoesNotRecover", "FFFHFH", "??uuuu"},
                    HysteresisCase{"TwoDo", "FFFHH", "??uuh"},
                    HysteresisCase{"ToDegradedToo", "FFFHD", "??uud"},
                    HysteresisCase{"DegradedComesAtOnce", "HD", "hd"},
                    HysteresisCase{"AndGoesAfterTwo", "DHH", "ddh"},
                    HysteresisCase{"NotWithOneBetween", "DHDHH", "ddddh"},
                    HysteresisCase{"DegradedFails", "DFFF", "dddu"}),
    [](const auto& test) { return test.param.name; });

TEST(HealthStateTest, HC3_GoesStaleExactlyAtItsAge) {
  StateRun run;
  run.Feed("H");
  run.Wait(60s - 1ns);
  EXPECT_EQ(run.Status(), kHealthy);
  run.Wait(1ns);
  EXPECT_EQ(run.Status(), kUnknown);
  EXPECT_TRUE(run.state().StaleAt(run.now()));
}

TEST(HealthStateTest, HC3_AFailureDoesNotReviveAStaleSuccess) {
  StateRun run;
  run.Feed("H");
  run.Wait(10min);
  EXPECT_EQ(run.Feed("FFF"), "??u");
}

TEST(HealthStateTest, AStaleFailureMustStillRecover) {
  StateRun run;
  run.Feed("FFF");
  run.Wait(10min);
  EXPECT_EQ(run.Status(), kUnknown);
  EXPECT_EQ(run.Feed("HH"), "uh");
}

TEST(HealthStateTest, HC2_AnOutcomeThatNobodyFilledInIsAFailure) {
  HealthState state({.failures_to_fail = 1});
  state.Record({}, TimePoint());
  EXPECT_EQ(state.StatusAt(TimePoint()), kUnhealthy);
  EXPECT_EQ(state.failures(), 1);
  EXPECT_EQ(state.code(), "none");
}

}  // namespace
}  // namespace understudy::test
