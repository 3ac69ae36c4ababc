#include "middleware/resilience/acquire_all.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/support/fake_clock.h"

namespace understudy {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using test::FakeClock;

class AcquireAllTest : public testing::Test {
 protected:
  Result<MultiPermit> Acquire(int cost = 1, Deadline deadline = Deadline::Never(),
                              const std::stop_token& stop = {}) {
    RateLimiter* const limits[] = {&per_second_, &per_minute_};
    return AcquireAll(limits, cost, deadline, stop);
  }

  FakeClock clock_;
  RateLimiter per_second_{
      {.permits = 2, .per = seconds(1), .algorithm = RateAlgorithm::kSlidingWindow}, clock_};
  RateLimiter per_minute_{
      {.permits = 5, .per = minutes(1), .algorithm = RateAlgorithm::kSlidingWindow}, clock_};
};

TEST_F(AcquireAllTest, TakesFromEveryLimiter) {
  ASSERT_TRUE(Acquire(2));
  EXPECT_EQ(per_second_.Snapshot().available, 0);
  EXPECT_EQ(per_minute_.Snapshot().available, 3);
}

TEST_F(AcquireAllTest, RL11_IfOneRefusesNoneKeepsAnything) {
  ASSERT_TRUE(per_minute_.TryAcquire(5));
  const auto refused = Acquire(1, Deadline::After(clock_.Now(), seconds(10)));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kRateLimited);
  EXPECT_EQ(refused.error().retry_after, minutes(1));
  EXPECT_EQ(per_second_.Snapshot().available, 2);
  EXPECT_EQ(per_second_.Snapshot().granted, 0u);
  EXPECT_EQ(clock_.Elapsed(), seconds(0)) << "at once";
}

TEST_F(AcquireAllTest, WaitsAsLongAsTheSlowest) {
  ASSERT_TRUE(per_second_.TryAcquire(2));
  ASSERT_TRUE(per_minute_.TryAcquire(5));
  EXPECT_EQ(Acquire().value().waited(), minutes(1));
  EXPECT_EQ(clock_.Elapsed(), minutes(1));
}

TEST_F(AcquireAllTest, TheRetryHintIsTheLongestWaitWhicheverLimiterComesFirst) {
  ASSERT_TRUE(per_second_.TryAcquire(2));
  ASSERT_TRUE(per_minute_.TryAcquire(5));
  for (const bool forth : {true, false}) {
    std::vector<RateLimiter*> limits = {&per_second_, &per_minute_};
    if (!forth) std::swap(limits[0], limits[1]);
    const auto refused = AcquireAll(limits, 1, Deadline::After(clock_.Now(), milliseconds(1)));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().retry_after, minutes(1));
  }
}

TEST_F(AcquireAllTest, WaitingForOneLimiterUsesUpNothingOfTheOthers) {
  ASSERT_TRUE(per_minute_.TryAcquire(5));
  int available_meanwhile = 0;
  clock_.At(seconds(30), [&] { available_meanwhile = per_second_.Snapshot().available; });
  ASSERT_TRUE(Acquire());
  EXPECT_EQ(available_meanwhile, 2);
  EXPECT_EQ(per_second_.Snapshot().available, 1) << "taken when it was sent";
}

TEST_F(AcquireAllTest, WaitsOnIfAnotherLimiterHasFilledUpMeanwhile) {
  ASSERT_TRUE(per_minute_.TryAcquire(5));
  clock_.At(seconds(60) - milliseconds(200), [&] { ASSERT_TRUE(per_second_.TryAcquire(2)); });
  EXPECT_EQ(Acquire().value().waited(), seconds(60) + milliseconds(800));
}

TEST_F(AcquireAllTest, IfAnotherLimiterHasFilledUpAndTheDeadlineIsTooCloseAllIsGivenBack) {
  ASSERT_TRUE(per_minute_.TryAcquire(5));
  clock_.At(seconds(60) - milliseconds(200), [&] { ASSERT_TRUE(per_second_.TryAcquire(2)); });
  const auto refused = Acquire(1, Deadline::After(clock_.Now(), seconds(60) + milliseconds(500)));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().retry_after, milliseconds(800));
  EXPECT_EQ(per_minute_.Snapshot().available, 5);
}

TEST_F(AcquireAllTest, AStopWhileItWaitsLeavesNothingBehind) {
  ASSERT_TRUE(per_minute_.TryAcquire(5));
  std::stop_source source;
  clock_.At(seconds(30), [&] { source.request_stop(); });
  EXPECT_EQ(Acquire(1, Deadline::Never(), source.get_token()).error().code, ErrorCode::kCancelled);
  EXPECT_EQ(per_second_.Snapshot().available, 2);
  EXPECT_EQ(per_minute_.TryAcquire().error().retry_after, seconds(30));
}

TEST_F(AcquireAllTest, ARefundGoesToEveryLimiter) {
  Acquire(2).value().Refund();
  EXPECT_EQ(per_second_.Snapshot().available, 2);
  EXPECT_EQ(per_minute_.Snapshot().available, 5);
}

TEST_F(AcquireAllTest, ACostThatOneLimiterNeverGrantsIsAWrongArgument) {
  const auto refused = Acquire(3);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().reason, "rate-limit-cost");
  EXPECT_EQ(per_minute_.Snapshot().available, 5);
}

TEST_F(AcquireAllTest, OnlyTheSlowestCountsItsWaiters) {
  RateLimiter nobody_waits({.permits = 1, .per = minutes(1), .burst = 9, .waiters_max = 0}, clock_);
  ASSERT_TRUE(per_second_.TryAcquire(2));
  RateLimiter* const limits[] = {&nobody_waits, &per_second_};
  EXPECT_EQ(AcquireAll(limits, 1, Deadline::Never()).value().waited(), seconds(1));
  ASSERT_TRUE(nobody_waits.TryAcquire(8));
  EXPECT_EQ(AcquireAll(limits, 1, Deadline::Never()).error().reason, "rate-limit-waiters");
}

TEST_F(AcquireAllTest, EachLimiterAsksForItsOwnUsefulTime) {
  RateLimiter demanding({.burst = 9, .min_useful = seconds(2)}, clock_);
  ASSERT_TRUE(per_second_.TryAcquire(2));
  RateLimiter* const limits[] = {&demanding, &per_second_};
  EXPECT_FALSE(AcquireAll(limits, 1, Deadline::After(clock_.Now(), milliseconds(2999))));
  EXPECT_TRUE(AcquireAll(limits, 1, Deadline::After(clock_.Now(), seconds(3))));
}

TEST_F(AcquireAllTest, NoLimiterGrantsAtOnce) {
  EXPECT_EQ(AcquireAll({}, 1, Deadline::Never()).value().waited(), seconds(0));
}

TEST_F(AcquireAllTest, ALimiterThatIsNullOrNamedTwiceIsAWrongArgument) {
  RateLimiter* const twice[] = {&per_second_, &per_minute_, &per_second_};
  EXPECT_EQ(AcquireAll(twice, 1, Deadline::Never()).error().reason, "rate-limit-limiters");
  RateLimiter* const null[] = {&per_second_, nullptr};
  EXPECT_EQ(AcquireAll(null, 1, Deadline::Never()).error().code, ErrorCode::kInvalidArgument);
  const std::vector<RateLimiter*> many(17, &per_second_);
  EXPECT_EQ(AcquireAll(many, 1, Deadline::Never()).error().reason, "rate-limit-limiters");
}

}  // namespace
}  // namespace understudy
