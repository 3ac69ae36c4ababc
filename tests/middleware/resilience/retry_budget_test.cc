#include "middleware/resilience/retry_budget.h"

#include <limits>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/fake_clock.h"

namespace understudy {
namespace {

using std::chrono::hours;
using std::chrono::seconds;
using test::FakeClock;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class RetryBudgetKindsTest : public ::testing::Test {
 protected:
  FakeClock clock_;
};

// --- common to the kinds

TEST_F(RetryBudgetKindsTest, TakesTheCostOfARetry) {
  RetryBudget budget({.minimum_per_minute = 0, .capacity = 10, .initial = 5}, clock_);
  EXPECT_TRUE(budget.TryWithdraw(2));
  EXPECT_EQ(budget.available(), 3);
  EXPECT_TRUE(budget.TryWithdraw(2));
  EXPECT_FALSE(budget.TryWithdraw(2)) << "one token is left";
  EXPECT_TRUE(budget.TryWithdraw());
}

TEST_F(RetryBudgetKindsTest, ARefusedWithdrawalTakesNothing) {
  RetryBudget budget({.minimum_per_minute = 0, .capacity = 10, .initial = 1}, clock_);
  EXPECT_FALSE(budget.TryWithdraw(1.001));
  EXPECT_EQ(budget.available_millitokens(), 1000);
}

TEST_F(RetryBudgetKindsTest, CountsThousandthsExactly) {
  RetryBudget budget({.minimum_per_minute = 0, .capacity = 1, .initial = 1}, clock_);
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(budget.TryWithdraw(0.1)) << i;
  EXPECT_EQ(budget.available_millitokens(), 0);
  EXPECT_FALSE(budget.TryWithdraw(0.001));
}

TEST_F(RetryBudgetKindsTest, NoCostIsTooSmallToCount) {
  RetryBudget budget({.minimum_per_minute = 0, .capacity = 1, .initial = 1}, clock_);
  EXPECT_TRUE(budget.TryWithdraw(1e-9));
  EXPECT_EQ(budget.available_millitokens(), 999);
  EXPECT_TRUE(budget.TryWithdraw(0));
  EXPECT_EQ(budget.available_millitokens(), 999);
}

TEST_F(RetryBudgetKindsTest, ARefundGivesBackNoMoreThanTheCapacityHolds) {
  RetryBudget budget({.minimum_per_minute = 0, .capacity = 3, .initial = 3}, clock_);
  ASSERT_TRUE(budget.TryWithdraw(2));
  budget.Refund(2);
  EXPECT_EQ(budget.available(), 3);
  budget.Refund(1'000'000);
  EXPECT_EQ(budget.available(), 3);
}

TEST_F(RetryBudgetKindsTest, EveryKindHasItsIncome) {
  for (RetryBudgetOptions options : {RetryBudgetOptions{}, ThrottleBudget(), QuotaBudget()}) {
    options.minimum_per_minute = 60;
    RetryBudget budget(options, clock_);
    while (budget.TryWithdraw()) {
    }
    const std::int64_t before = budget.available_millitokens();
    clock_.Advance(seconds(5));
    EXPECT_EQ(budget.available_millitokens(), before + 5000);
    clock_.Advance(hours(10));
    EXPECT_EQ(budget.available(), options.capacity);
  }
}

TEST_F(RetryBudgetKindsTest, AnImpossibleCostAborts) {
  RetryBudget budget({}, clock_);
  EXPECT_DEATH((void)budget.TryWithdraw(-1), "costs 0 to a million tokens");
  EXPECT_DEATH((void)budget.TryWithdraw(std::numeric_limits<double>::quiet_NaN()), "costs 0 to");
  EXPECT_DEATH(budget.Refund(1e300), "costs 0 to");
}

// --- a share of the calls

TEST_F(RetryBudgetKindsTest, AShareGrowsWithCallsAndNotWithTheirEnds) {
  RetryBudget budget({.ratio = 0.5, .minimum_per_minute = 0, .capacity = 10, .initial = 2}, clock_);
  budget.RecordSuccess();
  budget.RecordSuccess(1);
  budget.RecordFailure();
  EXPECT_EQ(budget.available_millitokens(), 2000);
  budget.RecordCall();
  EXPECT_EQ(budget.available_millitokens(), 2500);
}

// --- gRPC's throttle (proposal A6)

TEST_F(RetryBudgetKindsTest, R1_AThrottleRefusesAtHalfAndBelow) {
  RetryBudget budget(ThrottleBudget(10, 0.1), clock_);
  for (int left = 9; left > 5; --left) EXPECT_TRUE(budget.TryWithdraw()) << left << " are left";
  EXPECT_FALSE(budget.TryWithdraw()) << "exactly half is left";
  EXPECT_EQ(budget.available(), 5);
}

TEST_F(RetryBudgetKindsTest, R1_AThrottleCountsRefusedFailuresToo) {
  RetryBudget budget(ThrottleBudget(10, 1), clock_);
  for (int failure = 0; failure < 20; ++failure) (void)budget.TryWithdraw();
  EXPECT_EQ(budget.available_millitokens(), 0) << "and never less";
  for (int success = 0; success < 5; ++success) budget.RecordSuccess();
  EXPECT_FALSE(budget.CanWithdraw());
  budget.RecordSuccess();
  EXPECT_TRUE(budget.CanWithdraw());
}

TEST_F(RetryBudgetKindsTest, AThrottleCountsFailuresThatNobodyRepeats) {
  RetryBudget budget(ThrottleBudget(10, 1), clock_);
  budget.RecordFailure();
  budget.RecordFailure(2);
  EXPECT_EQ(budget.available(), 7);
}

TEST_F(RetryBudgetKindsTest, AThrottleTakesPartOfACostThatIsNotThere) {
  RetryBudget budget(ThrottleBudget(10, 1), clock_);
  budget.RecordFailure(9.5);
  EXPECT_FALSE(budget.TryWithdraw(2));
  EXPECT_EQ(budget.available_millitokens(), 0);
}

TEST_F(RetryBudgetKindsTest, AThrottleDoesNotGrowWithCalls) {
  RetryBudget budget(ThrottleBudget(10, 1), clock_);
  budget.RecordFailure();
  budget.RecordCall();
  EXPECT_EQ(budget.available(), 9);
}

TEST_F(RetryBudgetKindsTest, AskingAThrottleWhetherItWouldAllowTakesNothing) {
  RetryBudget budget(ThrottleBudget(4, 1), clock_);
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(budget.CanWithdraw());
  EXPECT_EQ(budget.available(), 4);
}

// --- the quota of the AWS SDKs

TEST_F(RetryBudgetKindsTest, R2_ASuccessfulRetryGivesBackWhatItTook) {
  RetryBudget budget(QuotaBudget(100, 1), clock_);
  ASSERT_TRUE(budget.TryWithdraw(5));
  ASSERT_TRUE(budget.TryWithdraw(10));
  budget.RecordSuccess(10);
  EXPECT_EQ(budget.available(), 95) << "only what the last retry took";
}

TEST_F(RetryBudgetKindsTest, R2_ASuccessWithoutARetryGivesALittle) {
  RetryBudget budget(QuotaBudget(500, 1), clock_);
  ASSERT_TRUE(budget.TryWithdraw(14));
  budget.RecordSuccess();
  EXPECT_EQ(budget.available(), 487);
}

TEST_F(RetryBudgetKindsTest, R2_AnEmptyQuotaDeniesAndFailuresCostNothingMore) {
  RetryBudget budget(QuotaBudget(15, 1), clock_);
  EXPECT_TRUE(budget.TryWithdraw(10));
  EXPECT_TRUE(budget.TryWithdraw(5));
  EXPECT_FALSE(budget.TryWithdraw(5));
  budget.RecordFailure(5);
  EXPECT_EQ(budget.available(), 0);
  for (int success = 0; success < 5; ++success) budget.RecordSuccess();
  EXPECT_TRUE(budget.TryWithdraw(5));
  EXPECT_FALSE(budget.TryWithdraw(5));
}

// --- options

TEST_F(RetryBudgetKindsTest, TheReadyMadeOptionsHaveNoProblems) {
  EXPECT_THAT(FindProblems(RetryBudgetOptions{}), ElementsAre());
  EXPECT_THAT(FindProblems(ThrottleBudget()), ElementsAre());
  EXPECT_THAT(FindProblems(QuotaBudget()), ElementsAre());
}

TEST_F(RetryBudgetKindsTest, ValidationNamesEveryProblem) {
  EXPECT_EQ(FindProblems(RetryBudgetOptions{.ratio = std::numeric_limits<double>::quiet_NaN(),
                                            .minimum_per_minute = -1,
                                            .capacity = 0,
                                            .initial = -1})
                .size(),
            4u);
}

TEST_F(RetryBudgetKindsTest, AThrottleThatStartsAtHalfIsAProblem) {
  RetryBudgetOptions options = ThrottleBudget(10);
  options.initial = 6;
  EXPECT_THAT(FindProblems(options), ElementsAre());
  options.initial = 5;
  EXPECT_THAT(FindProblems(options), ElementsAre(HasSubstr("start it full")));
}

}  // namespace
}  // namespace understudy
