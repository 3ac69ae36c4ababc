#include "middleware/resilience/rate_limiter.h"

#include <vector>

#include <gtest/gtest.h>

#include "tests/support/fake_clock.h"

namespace understudy {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using test::FakeClock;

TEST(RateLimiterTest, SpacesCallsEvenly) {
  FakeClock clock;
  RateLimiter limiter({.permits = 10, .per = seconds(1)}, clock);
  for (int call = 0; call < 5; ++call) ASSERT_TRUE(limiter.Acquire(Deadline::Never()));
  EXPECT_EQ(clock.Elapsed(), milliseconds(400));
}

TEST(RateLimiterTest, GivesOutABurstAtOnce) {
  FakeClock clock;
  RateLimiter limiter({.permits = 1, .per = seconds(1), .burst = 5}, clock);
  for (int call = 0; call < 5; ++call) ASSERT_TRUE(limiter.Acquire(Deadline::Never()));
  EXPECT_EQ(clock.Elapsed(), seconds(0));
  EXPECT_EQ(limiter.Acquire(Deadline::Never()).value().waited(), seconds(1));
}

TEST(RateLimiterTest, RefusesAtOnceWhatWouldComeAfterTheDeadline) {
  FakeClock clock;
  RateLimiter limiter({.permits = 1, .per = seconds(1)}, clock);
  ASSERT_TRUE(limiter.Acquire(Deadline::Never()));
  const auto refused = limiter.Acquire(Deadline::After(clock.Now(), seconds(1)));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kRateLimited);
  EXPECT_EQ(refused.error().delivery, Delivery::kNotSent);
  EXPECT_EQ(refused.error().retry_after, seconds(1));
  EXPECT_EQ(clock.Elapsed(), seconds(0));
  EXPECT_TRUE(limiter.Acquire(Deadline::After(clock.Now(), seconds(1) + Duration(1))));
}

TEST(RateLimiterTest, ARefusalReservesNothing) {
  FakeClock clock;
  RateLimiter limiter({.permits = 1, .per = seconds(1)}, clock);
  ASSERT_TRUE(limiter.Acquire(Deadline::Never()));
  for (int call = 0; call < 10; ++call) {
    EXPECT_FALSE(limiter.Acquire(Deadline::After(clock.Now(), milliseconds(1))));
  }
  EXPECT_EQ(limiter.Acquire(Deadline::Never()).value().waited(), seconds(1));
}

TEST(RateLimiterTest, ARefundGivesTheLastPermitBack) {
  FakeClock clock;
  RateLimiter limiter({.permits = 1, .per = seconds(1)}, clock);
  limiter.Acquire(Deadline::Never()).value().Refund();
  EXPECT_EQ(limiter.Acquire(Deadline::Never()).value().waited(), seconds(0));
}

TEST(RateLimiterTest, ARefundNeverExceedsTheRate) {
  FakeClock clock;
  RateLimiter limiter({.permits = 1, .per = seconds(1)}, clock);
  RateLimiter::Permit early = limiter.Acquire(Deadline::Never()).value();
  ASSERT_TRUE(limiter.Acquire(Deadline::Never()));  // Sent at 1 s.
  early.Refund();
  EXPECT_EQ(limiter.Acquire(Deadline::Never()).value().waited(), seconds(1));
}

TEST(RateLimiterTest, AStopEndsTheWaitAndGivesTheReservationBack) {
  FakeClock clock;
  RateLimiter limiter({.permits = 1, .per = seconds(10)}, clock);
  ASSERT_TRUE(limiter.Acquire(Deadline::Never()));
  std::stop_source source;
  clock.At(seconds(2), [&] { source.request_stop(); });
  EXPECT_EQ(limiter.Acquire(Deadline::Never(), source.get_token()).error().code,
            ErrorCode::kCancelled);
  EXPECT_EQ(limiter.Acquire(Deadline::Never()).value().waited(), seconds(8));
}

TEST(RateLimiterTest, BoundsTheWaiters) {
  FakeClock clock;
  RateLimiter limiter({.permits = 1, .per = seconds(1), .waiters_max = 0}, clock);
  ASSERT_TRUE(limiter.Acquire(Deadline::Never()));
  EXPECT_EQ(limiter.Acquire(Deadline::Never()).error().reason, "rate-limit-waiters");
}

TEST(RateLimiterTest, RoundsTheIntervalUpSoThatTheRateIsNeverExceeded) {
  FakeClock clock;
  RateLimiter limiter({.permits = 3, .per = seconds(1)}, clock);
  for (int call = 0; call < 4; ++call) ASSERT_TRUE(limiter.Acquire(Deadline::Never()));
  EXPECT_GE(clock.Elapsed(), seconds(1));
}

TEST(RateLimiterTest, ValidationNamesEveryProblem) {
  const RateLimiterOptions broken{.permits = 0, .per = seconds(0), .burst = 0, .waiters_max = -1};
  EXPECT_EQ(FindProblems(broken).size(), 4u);
}

}  // namespace
}  // namespace understudy
