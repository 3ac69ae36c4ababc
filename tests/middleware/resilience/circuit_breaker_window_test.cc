// The windows of a circuit breaker: what it opens for besides failures in a row (CB-6).
#include <memory>
#include <optional>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "middleware/resilience/circuit_breaker.h"
#include "tests/support/test_runtime.h"

namespace understudy {
namespace {

using namespace std::chrono_literals;  // NOLINT: literals
using ::testing::HasSubstr;

class BreakerWindowTest : public ::testing::Test {
 protected:
  void Make(const CircuitBreakerOptions& options) {
    auto breaker = CircuitBreaker::Create("vendor", options, world_.runtime());
    ASSERT_TRUE(breaker) << breaker.error().ToString();
    breaker_ = *std::move(breaker);
  }
  void Call(BreakerOutcome outcome, int times = 1, const BreakerReport& report = {}) {
    for (int i = 0; i < times; ++i) breaker_->TryAcquire().value().Record(outcome, report);
  }
  void Succeed(int times = 1) { Call(BreakerOutcome::kSuccess, times); }
  void Fail(int times = 1) { Call(BreakerOutcome::kFailure, times); }
  bool open() const { return breaker_->state() == BreakerState::kOpen; }
  WindowCounts window() const { return breaker_->Snapshot().window; }

  test::TestRuntime world_;
  std::unique_ptr<CircuitBreaker> breaker_;
};

CircuitBreakerOptions TimeWindow() {
  CircuitBreakerOptions options;
  options.window_kind = BreakerWindow::kTime;
  options.window = 60s;
  options.window_buckets = 10;
  options.calls_min = 10;
  options.failure_rate = 0.5;
  return options;
}

TEST_F(BreakerWindowTest, CB6_HalfOfTheCallsFailingOpensIt) {
  Make(TimeWindow());
  for (int i = 0; i < 4; ++i) {
    Succeed();
    Fail();
  }
  Succeed();
  EXPECT_FALSE(open()) << "nine calls are too few";
  Fail();
  EXPECT_TRUE(open());
  EXPECT_THAT(world_.events.Lines("breaker").at(0),
              HasSubstr("reason=failure rate: 50.0% of 10 calls"));
}

TEST_F(BreakerWindowTest, CB6_OneBelowTheRateDoesNotOpenIt) {
  Make(TimeWindow());
  Succeed(51);
  Fail(50);
  EXPECT_FALSE(open());
  Fail();
  EXPECT_TRUE(open());
}

TEST_F(BreakerWindowTest, TheSuccessThatMakesTheWindowBigEnoughCanOpenIt) {
  Make(TimeWindow());
  Fail(9);
  Succeed();
  EXPECT_TRUE(open());
}

TEST_F(BreakerWindowTest, OnlyAFailureOpensItIfToldSo) {
  CircuitBreakerOptions options = TimeWindow();
  options.trips_on_failure_only = true;
  Make(options);
  Fail(9);
  Succeed();
  EXPECT_FALSE(open());
  Fail();
  EXPECT_TRUE(open());
}

TEST_F(BreakerWindowTest, ResultsOlderThanTheWindowAreForgotten) {
  Make(TimeWindow());
  Fail(9);
  world_.clock.Advance(60s);
  Fail(9);
  EXPECT_FALSE(open());
  EXPECT_EQ(window().failures, 9);
}

TEST_F(BreakerWindowTest, ThePartsOfTheWindowLeaveOneByOne) {
  Make(TimeWindow());
  Succeed(3);
  world_.clock.Advance(6s);
  Succeed(4);
  world_.clock.Advance(54s - Duration(1));
  EXPECT_EQ(window().successes, 7);
  world_.clock.Advance(Duration(1));
  EXPECT_EQ(window().successes, 4);
  world_.clock.Advance(6s);
  EXPECT_EQ(window().successes, 0);
}

TEST_F(BreakerWindowTest, SuccessesBeforeAFailureCountInItsRate) {
  Make(TimeWindow());
  Succeed(100);
  Fail(99);
  EXPECT_FALSE(open());
  EXPECT_EQ(window().calls(), 199);
  Fail();
  EXPECT_TRUE(open());
}

TEST_F(BreakerWindowTest, SuccessesOfAnEarlierPartKeepTheirPlace) {
  Make(TimeWindow());
  Succeed(5);
  world_.clock.Advance(30s);
  Succeed(5);
  world_.clock.Advance(30s);
  Fail();
  EXPECT_EQ(window().successes, 5);
}

TEST_F(BreakerWindowTest, CB6_SlowCallsOpenItThoughTheySucceed) {
  CircuitBreakerOptions options = TimeWindow();
  options.slow_rate = 0.8;
  options.slow_call = 2s;
  Make(options);
  Succeed(2);
  Call(BreakerOutcome::kSuccess, 7, {.duration = 2s + Duration(1)});
  EXPECT_FALSE(open());
  Call(BreakerOutcome::kSuccess, 1, {.duration = 3s});
  EXPECT_TRUE(open());
  EXPECT_THAT(world_.events.Lines("breaker").at(0), HasSubstr("slow-call rate: 80.0%"));
}

TEST_F(BreakerWindowTest, ACallAsLongAsTheLimitIsNotSlow) {
  CircuitBreakerOptions options = TimeWindow();
  options.slow_rate = 0.1;
  options.slow_call = 2s;
  Make(options);
  Call(BreakerOutcome::kSuccess, 20, {.duration = 2s});
  EXPECT_FALSE(open());
  EXPECT_EQ(window().slow, 0);
}

TEST_F(BreakerWindowTest, SlowProbesOpenItAgain) {
  CircuitBreakerOptions options = TimeWindow();
  options.slow_call = 2s;
  options.half_open_calls = 4;
  options.half_open_slow_rate = 0.5;
  Make(options);
  Fail(10);
  world_.clock.Advance(options.open_for);
  Call(BreakerOutcome::kSuccess, 2, {.duration = 3s});
  Succeed();
  EXPECT_EQ(breaker_->state(), BreakerState::kHalfOpen);
  Succeed();
  EXPECT_TRUE(open());
}

TEST_F(BreakerWindowTest, OnePoisonousRequestIsNoProof) {
  CircuitBreakerOptions options = TimeWindow();
  options.calls_min = 3;
  options.logical_calls_min = 2;
  Make(options);
  Fail();
  Call(BreakerOutcome::kFailure, 20, {.repeated = true});
  EXPECT_FALSE(open());
  Fail();
  EXPECT_TRUE(open());
}

TEST_F(BreakerWindowTest, TheLastCallsOfACountWindowDecide) {
  CircuitBreakerOptions options;
  options.window_kind = BreakerWindow::kCount;
  options.window_calls = 4;
  options.calls_min = 4;
  options.failure_rate = 0.75;
  Make(options);
  Fail(2);
  Succeed(4);
  EXPECT_EQ(window().failures, 0);
  Fail(2);
  EXPECT_FALSE(open());
  world_.clock.Advance(24h);
  Fail();
  EXPECT_TRUE(open());
}

TEST_F(BreakerWindowTest, ANumberOfFailuresOpensItWhateverTheRate) {
  CircuitBreakerOptions options = TimeWindow();
  options.failure_rate = 0.0;
  options.window_failures = 3;
  Make(options);
  Succeed(1000);
  Fail(2);
  EXPECT_FALSE(open());
  Fail();
  EXPECT_TRUE(open());
}

TEST_F(BreakerWindowTest, AFixedPeriodBeginsAfreshAndItsLateResultsDoNotCount) {
  CircuitBreakerOptions options = TimeWindow();
  options.window_kind = BreakerWindow::kFixed;
  options.calls_min = 2;
  Make(options);
  CircuitBreaker::Permit slow = breaker_->TryAcquire().value();
  Fail();
  world_.clock.Advance(60s);
  slow.Record(BreakerOutcome::kFailure);
  Fail();
  EXPECT_FALSE(open());
  EXPECT_EQ(breaker_->Snapshot().late, 1u);
  Fail();
  EXPECT_TRUE(open());
}

TEST_F(BreakerWindowTest, NeutralResultsAreNoEvidence) {
  Make(TimeWindow());
  Fail(9);
  Call(BreakerOutcome::kNeutral, 100);
  EXPECT_FALSE(open());
  EXPECT_EQ(window().calls(), 9);
}

TEST_F(BreakerWindowTest, ClosingForgetsWhatOpenedIt) {
  Make(TimeWindow());
  Fail(10);
  EXPECT_EQ(window().failures, 10) << "an open breaker shows what opened it";
  world_.clock.Advance(30s);
  Succeed();
  ASSERT_EQ(breaker_->state(), BreakerState::kClosed);
  EXPECT_EQ(window(), WindowCounts{});
  Fail(9);
  EXPECT_FALSE(open());
}

TEST_F(BreakerWindowTest, CB15_WindowsThatCannotWorkAreRefused) {
  CircuitBreakerOptions options;
  options.window_kind = BreakerWindow::kCount;
  options.window_calls = 5;
  options.window_failures = 6;
  options.calls_min = 7;
  options.slow_rate = 0.5;
  options.failure_rate = 1.5;
  const auto breaker = CircuitBreaker::Create("vendor", options, world_.runtime());
  ASSERT_FALSE(breaker);
  for (const char* problem : {"failure_rate is 1.5", "slow_rate needs slow_call",
                              "window_failures, 6, exceeds", "calls_min, 7, exceeds"}) {
    EXPECT_THAT(breaker.error().message, HasSubstr(problem));
  }
}

TEST_F(BreakerWindowTest, CB15_AWindowWithoutAConditionIsRefused) {
  CircuitBreakerOptions options = TimeWindow();
  options.failure_rate = 0.0;
  EXPECT_THAT(CircuitBreaker::Create("vendor", options, world_.runtime()).error().message,
              HasSubstr("it would never open"));
}

TEST_F(BreakerWindowTest, TheRecommendedOptionsAreUsable) {
  Make(CircuitBreakerOptions::Recommended(10s));
  Fail(10);
  EXPECT_TRUE(open());
  EXPECT_EQ(DescribeTrip(breaker_->options()),
            "50.0% failures or 80.0% slower than 8s within 1m, of at least 10");
}

}  // namespace
}  // namespace understudy
