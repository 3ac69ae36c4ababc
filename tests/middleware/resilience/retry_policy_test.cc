#include "middleware/resilience/retry_policy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/fake_clock.h"
#include "tests/support/fixed_random.h"

namespace understudy {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using ::testing::HasSubstr;

const Outcome kUnavailable{RetryVerdict::kIfReplayable, BreakerOutcome::kFailure, {}, false, "503"};
const Outcome kUnsent{
    RetryVerdict::kAnyMethod, BreakerOutcome::kFailure, {}, true, "connection:refused"};

class RetryPolicyTest : public ::testing::Test {
 protected:
  RetryPolicyTest() {
    options_.backoff = {.base = milliseconds(100), .factor = 2, .cap = seconds(1), .jitter = false};
    facts_.replayable = true;
    facts_.now = clock_.Now();
  }
  RetryDecision Decide(const Outcome& outcome) {
    RetryMemory memory;
    return RetryPolicy(options_).Decide(outcome, facts_, random_, memory);
  }

  test::FakeClock clock_;
  test::FixedRandom random_;
  RetryOptions options_;
  RetryFacts facts_;
};

TEST_F(RetryPolicyTest, RepeatsAReplayableFailureAfterTheBackoff) {
  facts_.attempt = 2;
  const RetryDecision decision = Decide(kUnavailable);
  EXPECT_TRUE(decision.retry);
  EXPECT_EQ(decision.delay, milliseconds(200));
  EXPECT_FALSE(decision.from_hint);
  EXPECT_EQ(decision.why, "503");
}

TEST_F(RetryPolicyTest, QS2_DoesNotRepeatWhatMayHaveBeenExecuted) {
  facts_.replayable = false;
  EXPECT_FALSE(Decide(kUnavailable).retry);
}

TEST_F(RetryPolicyTest, RepeatsAnythingThatWasNotSent) {
  facts_.replayable = false;
  EXPECT_TRUE(Decide(kUnsent).retry);
}

TEST_F(RetryPolicyTest, StopsAtTheMaximumOfAttempts) {
  facts_.attempt = 3;
  EXPECT_FALSE(Decide(kUnavailable).retry);
  EXPECT_THAT(Decide(kUnavailable).why, HasSubstr("3 attempts"));
}

TEST_F(RetryPolicyTest, WaitsForTheLongerOfHintAndBackoff) {
  Outcome hinted = kUnavailable;
  hinted.retry_after = seconds(2);
  EXPECT_EQ(Decide(hinted).delay, seconds(2));
  EXPECT_TRUE(Decide(hinted).from_hint);
  hinted.retry_after = milliseconds(10);
  EXPECT_EQ(Decide(hinted).delay, milliseconds(100));
  EXPECT_FALSE(Decide(hinted).from_hint);
}

TEST_F(RetryPolicyTest, DoesNotShortenAHintAboveTheLimit) {
  Outcome hinted = kUnavailable;
  hinted.retry_after = minutes(5);
  EXPECT_TRUE(Decide(hinted).retry);
  hinted.retry_after = minutes(5) + Duration(1);
  EXPECT_FALSE(Decide(hinted).retry);
}

TEST_F(RetryPolicyTest, DL4_AWaitThatEndsWithTheDeadlineDoesNotFit) {
  facts_.deadline = Deadline::After(facts_.now, milliseconds(100));
  EXPECT_FALSE(Decide(kUnavailable).retry);
  EXPECT_TRUE(Decide(kUnavailable).deadline_cut);
  facts_.deadline = Deadline::After(facts_.now, milliseconds(100) + Duration(1));
  EXPECT_TRUE(Decide(kUnavailable).retry);
}

TEST_F(RetryPolicyTest, DL4_KeepsTimeForAnAttemptAfterTheWait) {
  facts_.deadline = Deadline::After(facts_.now, milliseconds(150));
  facts_.min_attempt_time = milliseconds(50);
  EXPECT_TRUE(Decide(kUnavailable).retry);
  facts_.min_attempt_time = milliseconds(50) + Duration(1);
  EXPECT_FALSE(Decide(kUnavailable).retry);
}

TEST_F(RetryPolicyTest, DoesNotRepeatWithAnEmptyBudget) {
  options_.budget = std::make_shared<RetryBudget>(
      RetryBudgetOptions{.ratio = 0, .minimum_per_minute = 0, .capacity = 1, .initial = 1}, clock_);
  EXPECT_TRUE(Decide(kUnavailable).retry);
  EXPECT_FALSE(Decide(kUnavailable).retry);
  EXPECT_THAT(Decide(kUnavailable).why, HasSubstr("budget"));
}

TEST_F(RetryPolicyTest, ARefusedRetryCostsNoBudget) {
  options_.budget = std::make_shared<RetryBudget>(
      RetryBudgetOptions{.ratio = 0, .minimum_per_minute = 0, .capacity = 1, .initial = 1}, clock_);
  facts_.deadline = Deadline::After(facts_.now, milliseconds(1));
  EXPECT_FALSE(Decide(kUnavailable).retry);
  EXPECT_EQ(options_.budget->available(), 1);
}

TEST(RetryBudgetTest, DepositsAShareOfEachCall) {
  test::FakeClock clock;
  RetryBudget budget({.ratio = 0.2, .minimum_per_minute = 0, .capacity = 10, .initial = 0}, clock);
  for (int call = 0; call < 4; ++call) budget.RecordCall();
  EXPECT_FALSE(budget.TryWithdraw());
  budget.RecordCall();
  EXPECT_TRUE(budget.TryWithdraw());
  EXPECT_FALSE(budget.TryWithdraw());
}

TEST(RetryBudgetTest, NeverExceedsItsCapacity) {
  test::FakeClock clock;
  RetryBudget budget({.ratio = 1, .minimum_per_minute = 60, .capacity = 3, .initial = 9}, clock);
  for (int call = 0; call < 100; ++call) budget.RecordCall();
  clock.Advance(std::chrono::hours(1));
  EXPECT_EQ(budget.available(), 3);
}

TEST(RetryBudgetTest, HasAnIncomeWithoutCalls) {
  test::FakeClock clock;
  RetryBudget budget({.ratio = 0, .minimum_per_minute = 10, .capacity = 10, .initial = 0}, clock);
  clock.Advance(seconds(6) - Duration(1));
  EXPECT_FALSE(budget.TryWithdraw());
  clock.Advance(Duration(1));
  EXPECT_TRUE(budget.TryWithdraw());
}

TEST_F(RetryPolicyTest, AConflictIsRepeatedOnlyWithAKey) {
  Outcome conflict{RetryVerdict::kIfKeyed, BreakerOutcome::kSuccess, {}, false, "409"};
  EXPECT_FALSE(Decide(conflict).retry) << "replayable, but not keyed";
  facts_.keyed = true;
  EXPECT_TRUE(Decide(conflict).retry);
}

TEST_F(RetryPolicyTest, ARefusalForTheRateWaitsForASecondAtLeast) {
  Outcome throttled{RetryVerdict::kIfReplayable, BreakerOutcome::kNeutral, {}, false, "429"};
  throttled.throttled = true;
  EXPECT_EQ(Decide(throttled).delay, seconds(1));
}

TEST_F(RetryPolicyTest, AHintReplacesTheLongerBackoffOfARefusal) {
  Outcome throttled{RetryVerdict::kIfReplayable, BreakerOutcome::kNeutral, {}, false, "429"};
  throttled.throttled = true;
  throttled.retry_after = milliseconds(300);
  EXPECT_EQ(Decide(throttled).delay, milliseconds(300));
}

TEST_F(RetryPolicyTest, HintsCanBeDisregarded) {
  options_.respect_hints = false;
  Outcome hinted = kUnavailable;
  hinted.retry_after = minutes(30);
  const RetryDecision decision = Decide(hinted);
  EXPECT_EQ(decision.delay, milliseconds(100));
  EXPECT_FALSE(decision.from_hint);
}

TEST_F(RetryPolicyTest, ATimeoutTakesTwoTokens) {
  options_.budget = std::make_shared<RetryBudget>(
      RetryBudgetOptions{.ratio = 0, .minimum_per_minute = 0, .capacity = 3, .initial = 3}, clock_);
  Outcome timeout{RetryVerdict::kIfReplayable, BreakerOutcome::kFailure, {}, false, "timeout"};
  timeout.budget_cost = 2;
  EXPECT_TRUE(Decide(timeout).retry);
  EXPECT_EQ(options_.budget->available(), 1);
  EXPECT_FALSE(Decide(timeout).retry);
}

TEST_F(RetryPolicyTest, ASuccessfulRetryGivesAQuotaBackWhatItTook) {
  options_.budget = std::make_shared<RetryBudget>(QuotaBudget(10), clock_);
  const RetryPolicy policy(options_);
  RetryMemory memory;
  policy.Decide(kUnavailable, facts_, random_, memory);
  EXPECT_EQ(options_.budget->available(), 9);
  const Outcome success{RetryVerdict::kNo, BreakerOutcome::kSuccess, {}, false, "200"};
  policy.Decide(success, facts_, random_, memory);
  EXPECT_EQ(options_.budget->available(), 10);
}

}  // namespace
}  // namespace understudy
