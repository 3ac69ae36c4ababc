#include "middleware/resilience/rate_limiter.h"

#include <random>
#include <string>
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

// ---- costs --------------------------------------------------------------------------------------

TEST(RateLimiterTest, RL11_ACostTakesSoManyPermits) {
  FakeClock clock;
  RateLimiter limiter({.permits = 10, .per = seconds(1), .burst = 5}, clock);
  ASSERT_TRUE(limiter.Acquire(5, Deadline::Never()));
  EXPECT_EQ(limiter.Acquire(3, Deadline::Never()).value().waited(), milliseconds(300));
}

TEST(RateLimiterTest, ACostThatTheLimitNeverGrantsIsAWrongArgument) {
  FakeClock clock;
  RateLimiter limiter({.permits = 10, .per = seconds(1), .burst = 5}, clock);
  const auto refused = limiter.Acquire(6, Deadline::Never());
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(refused.error().reason, "rate-limit-cost");
  EXPECT_EQ(refused.error().delivery, Delivery::kNotSent);
  EXPECT_EQ(refused.error().retry_after, std::nullopt) << "no time makes it possible";
  EXPECT_EQ(limiter.Snapshot().available, 5);
}

TEST(RateLimiterTest, ANegativeCostIsAWrongArgument) {
  FakeClock clock;
  RateLimiter limiter({}, clock);
  EXPECT_EQ(limiter.Acquire(-1, Deadline::Never()).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(limiter.TryAcquire(-1).error().code, ErrorCode::kInvalidArgument);
}

TEST(RateLimiterTest, ACostOfZeroIsGrantedAtOnceAndTakesNothing) {
  FakeClock clock;
  RateLimiter limiter({.permits = 1, .per = seconds(1)}, clock);
  ASSERT_TRUE(limiter.Acquire(Deadline::Never()));
  limiter.Acquire(0, Deadline::Never()).value().Refund();
  EXPECT_TRUE(limiter.TryAcquire(0));
  EXPECT_EQ(limiter.Acquire(Deadline::Never()).value().waited(), seconds(1));
}

// ---- without a wait -----------------------------------------------------------------------------

TEST(RateLimiterTest, ATryNeverWaitsAndSaysWhenToComeBack) {
  FakeClock clock;
  RateLimiter limiter({.permits = 1, .per = seconds(1)}, clock);
  EXPECT_TRUE(limiter.TryAcquire());
  const auto refused = limiter.TryAcquire();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kRateLimited);
  EXPECT_EQ(refused.error().retry_after, seconds(1));
  EXPECT_EQ(clock.Elapsed(), seconds(0));
  clock.Advance(seconds(1));
  EXPECT_TRUE(limiter.TryAcquire()) << "the refused try took nothing";
}

// What threads see that read the clock in one order and come to the lock in another.
class RacingClock final : public Clock {
 public:
  using Clock::SleepUntil;
  TimePoint Now() const override { return now; }
  SystemTime SystemNow() const override { return {}; }
  void SleepUntil(TimePoint) override { ADD_FAILURE() << "waits"; }
  bool AwaitUntil(Mutex&, CondVar&, TimePoint, FunctionRef<bool()> predicate) override {
    ADD_FAILURE() << "waits";
    return predicate();
  }

  TimePoint now = TimePoint(seconds(100));
};

TEST(RateLimiterTest, WhoReadTheClockEarlierButComesLaterIsNotMadeToWait) {
  RacingClock clock;
  RateLimiter limiter({.permits = 2, .per = seconds(1), .algorithm = RateAlgorithm::kSlidingWindow},
                      clock);
  ASSERT_TRUE(limiter.TryAcquire());
  clock.now -= std::chrono::microseconds(50);
  EXPECT_TRUE(limiter.TryAcquire());
  EXPECT_EQ(limiter.TryAcquire().error().retry_after, seconds(1));
}

// ---- the deadline -------------------------------------------------------------------------------

struct UsefulCase {
  const char* name;
  Duration min_useful;
  Duration deadline;  // The permit is due in a second.
  bool admitted;
};

class UsefulTimeTest : public testing::TestWithParam<UsefulCase> {};

TEST_P(UsefulTimeTest, RefusesAtOnceWhatWouldLeaveLess) {
  FakeClock clock;
  RateLimiter limiter({.permits = 1, .per = seconds(1), .min_useful = GetParam().min_useful},
                      clock);
  ASSERT_TRUE(limiter.Acquire(Deadline::Never()));
  const auto result = limiter.Acquire(Deadline::After(clock.Now(), GetParam().deadline));
  ASSERT_EQ(result.has_value(), GetParam().admitted);
  if (result) return;
  EXPECT_EQ(result.error().code, ErrorCode::kRateLimited);
  EXPECT_EQ(result.error().retry_after, seconds(1));
  EXPECT_EQ(clock.Elapsed(), seconds(0));
}

INSTANTIATE_TEST_SUITE_P(
    Boundaries, UsefulTimeTest,
    testing::Values(UsefulCase{"nothing_left", seconds(0), seconds(1), false},
                    UsefulCase{"a_nanosecond_left", seconds(0), seconds(1) + Duration(1), true},
                    UsefulCase{"just_what_is_needed", milliseconds(50), milliseconds(1050), true},
                    UsefulCase{"a_nanosecond_too_little", milliseconds(50),
                               milliseconds(1050) - Duration(1), false},
                    UsefulCase{"over_already", milliseconds(50), seconds(-1), false}),
    [](const auto& test) { return std::string(test.param.name); });

TEST(RateLimiterTest, APermitThatIsThereIsRefusedIfNoTimeIsLeftToUseIt) {
  FakeClock clock;
  RateLimiter limiter({.min_useful = milliseconds(50)}, clock);
  const auto refused = limiter.Acquire(Deadline::After(clock.Now(), milliseconds(49)));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kDeadlineExceeded);
  EXPECT_EQ(refused.error().reason, "rate-limit-useless");
  EXPECT_TRUE(limiter.Acquire(Deadline::After(clock.Now(), milliseconds(50))));
}

// ---- algorithms ---------------------------------------------------------------------------------

struct AlgorithmCase {
  const char* name;
  RateLimiterOptions options;
  std::vector<int> costs;          // One call after the other, from the start.
  std::vector<int> granted_at_ms;  // When each is granted.
};

class AlgorithmTest : public testing::TestWithParam<AlgorithmCase> {};

TEST_P(AlgorithmTest, RL14_GrantsAsItsAlgorithmSays) {
  FakeClock clock;
  RateLimiter limiter(GetParam().options, clock);
  std::vector<int> granted;
  for (const int cost : GetParam().costs) {
    ASSERT_TRUE(limiter.Acquire(cost, Deadline::Never()));
    granted.push_back(static_cast<int>(clock.Elapsed() / milliseconds(1)));
  }
  EXPECT_EQ(granted, GetParam().granted_at_ms);
}

INSTANTIATE_TEST_SUITE_P(
    Algorithms, AlgorithmTest,
    testing::Values(
        AlgorithmCase{"gcra",
                      {.permits = 10, .per = seconds(1), .burst = 2},
                      {1, 1, 1, 2, 1},
                      {0, 0, 100, 300, 400}},
        AlgorithmCase{
            "token_bucket",
            {.permits = 2, .per = seconds(1), .burst = 3, .algorithm = RateAlgorithm::kTokenBucket},
            {3, 1, 1, 1, 3},
            {0, 1000, 1000, 2000, 3000}},
        AlgorithmCase{"sliding_window",
                      {.permits = 3, .per = seconds(1), .algorithm = RateAlgorithm::kSlidingWindow},
                      {2, 1, 1, 2, 3},
                      {0, 0, 1000, 1000, 2000}},
        AlgorithmCase{"smooth",
                      {.permits = 10, .per = seconds(1), .algorithm = RateAlgorithm::kSmooth},
                      {1, 1, 3, 1},
                      {0, 100, 400, 500}},
        AlgorithmCase{"bursty",
                      {.permits = 2, .per = seconds(1), .algorithm = RateAlgorithm::kBursty},
                      {1, 1, 1, 5, 1},
                      {0, 0, 1000, 3000, 4000}}),
    [](const auto& test) { return std::string(test.param.name); });

TEST(RateLimiterTest, RL9_SpreadsItsPermitsOverTheWholeTimeHoweverLongThatIs) {
  FakeClock clock;
  RateLimiter limiter({.permits = 24, .per = std::chrono::hours(24)}, clock);
  for (int call = 0; call < 24; ++call) ASSERT_TRUE(limiter.Acquire(Deadline::Never()));
  EXPECT_EQ(clock.Elapsed(), std::chrono::hours(23));
}

TEST(RateLimiterTest, RL11_TheSlidingWindowIsNeverExceededByRandomCostsAtRandomTimes) {
  constexpr int kPermits = 20;
  FakeClock clock;
  RateLimiter limiter(
      {.permits = kPermits, .per = seconds(1), .algorithm = RateAlgorithm::kSlidingWindow}, clock);
  std::mt19937_64 random(5);
  std::vector<std::pair<TimePoint, int>> granted;
  for (int call = 0; call < 3000; ++call) {
    clock.Advance(milliseconds(random() % 150));
    const int cost = 1 + static_cast<int>(random() % kPermits);
    const Deadline deadline = Deadline::After(clock.Now(), milliseconds(random() % 900));
    auto permit = limiter.Acquire(cost, deadline);
    if (!permit) continue;
    EXPECT_FALSE(deadline.Passed(clock.Now()) && permit->waited() > Duration::zero());
    if (random() % 8 == 0) {
      permit->Refund();
    } else {
      granted.emplace_back(clock.Now(), cost);
    }
  }
  ASSERT_GT(granted.size(), 200u);
  for (std::size_t first = 0; first < granted.size(); ++first) {
    int in_window = 0;
    for (std::size_t i = first; i < granted.size(); ++i) {
      if (granted[i].first - granted[first].first >= seconds(1)) break;
      in_window += granted[i].second;
    }
    ASSERT_LE(in_window, kPermits);
  }
}

// ---- refunds and figures ------------------------------------------------------------------------

TEST(RateLimiterTest, ASlidingWindowTakesAnyPermitBackThatIsInIt) {
  FakeClock clock;
  RateLimiter limiter({.permits = 3, .per = seconds(1), .algorithm = RateAlgorithm::kSlidingWindow},
                      clock);
  RateLimiter::Permit early = limiter.Acquire(2, Deadline::Never()).value();
  ASSERT_TRUE(limiter.Acquire(Deadline::Never()));
  early.Refund();
  EXPECT_EQ(limiter.Snapshot().available, 2);
  early.Refund();
  EXPECT_EQ(limiter.Snapshot().available, 2) << "the second time does nothing";
}

TEST(RateLimiterTest, AMovedPermitIsRefundedOnce) {
  FakeClock clock;
  RateLimiter limiter({.permits = 3, .per = seconds(1), .algorithm = RateAlgorithm::kSlidingWindow},
                      clock);
  RateLimiter::Permit first = limiter.Acquire(1, Deadline::Never()).value();
  ASSERT_TRUE(limiter.Acquire(1, Deadline::Never()));
  RateLimiter::Permit second = std::move(first);
  second.Refund();
  first.Refund();  // NOLINT: a moved-from permit is empty
  EXPECT_EQ(limiter.Snapshot().available, 2);
}

TEST(RateLimiterTest, ItsSnapshotCountsEveryCallOnce) {
  FakeClock clock;
  RateLimiter limiter({.permits = 1, .per = seconds(1), .burst = 3}, clock);
  limiter.Acquire(2, Deadline::Never()).value().Refund();
  ASSERT_TRUE(limiter.Acquire(3, Deadline::Never()));
  ASSERT_TRUE(limiter.Acquire(1, Deadline::Never()));  // Waits.
  EXPECT_FALSE(limiter.TryAcquire());
  EXPECT_FALSE(limiter.Acquire(Deadline::After(clock.Now(), milliseconds(1))));
  std::stop_source source;
  source.request_stop();
  EXPECT_FALSE(limiter.Acquire(Deadline::Never(), source.get_token()));
  const RateLimiterSnapshot expected{
      .available = 0, .waiting = 0, .granted = 3, .refused = 2, .cancelled = 1, .refunded = 1};
  EXPECT_EQ(limiter.Snapshot(), expected);
  clock.Advance(seconds(2));
  EXPECT_EQ(limiter.Snapshot().available, 2);
}

// ---- options ------------------------------------------------------------------------------------

TEST(RateLimiterTest, ValidationNamesEveryProblem) {
  const RateLimiterOptions broken{.permits = 0, .per = seconds(0), .burst = 0, .waiters_max = -1};
  EXPECT_EQ(FindProblems(broken).size(), 4u);
}

struct ProblemCase {
  const char* name;
  RateLimiterOptions options;
  const char* problem;  // A part of it; empty: none.
};

class RateLimiterProblemTest : public testing::TestWithParam<ProblemCase> {};

TEST_P(RateLimiterProblemTest, IsNamed) {
  const Problems problems = FindProblems(GetParam().options);
  if (*GetParam().problem == '\0') {
    EXPECT_TRUE(problems.empty()) << problems[0];
    FakeClock clock;
    RateLimiter limiter(GetParam().options, clock);  // Does not abort.
    EXPECT_TRUE(limiter.TryAcquire());
    return;
  }
  ASSERT_EQ(problems.size(), 1u);
  EXPECT_NE(problems[0].find(GetParam().problem), std::string::npos) << problems[0];
}

constexpr std::chrono::hours kHundredDays(2400);

INSTANTIATE_TEST_SUITE_P(
    Options, RateLimiterProblemTest,
    testing::Values(
        ProblemCase{"defaults", {}, ""},
        ProblemCase{"rl11_no_permits", {.permits = 0}, "rate_limit.permits is 0"},
        ProblemCase{"too_many_permits", {.permits = 1'000'001}, "rate_limit.permits is 1000001"},
        ProblemCase{"no_time", {.per = seconds(0)}, "rate_limit.per is 0ms"},
        ProblemCase{"the_longest_time", {.per = kHundredDays}, ""},
        ProblemCase{"too_long", {.per = kHundredDays + Duration(1)}, "rate_limit.per is"},
        ProblemCase{"a_burst_that_overflows",
                    {.permits = 1, .per = kHundredDays, .burst = 1'000'000},
                    "too large for one permit per 100d"},
        ProblemCase{"negative_useful_time", {.min_useful = Duration(-1)}, "rate_limit.min_useful"},
        ProblemCase{"a_bucket_smaller_than_its_refill",
                    {.permits = 10, .burst = 9, .algorithm = RateAlgorithm::kTokenBucket},
                    "must hold at least its 10 permits"},
        ProblemCase{"a_bucket_of_one_refill",
                    {.permits = 10, .burst = 10, .algorithm = RateAlgorithm::kTokenBucket},
                    ""},
        ProblemCase{"a_window_with_a_burst",
                    {.burst = 2, .algorithm = RateAlgorithm::kSlidingWindow},
                    "sliding-window has none"},
        ProblemCase{"slots_with_a_burst",
                    {.burst = 2, .algorithm = RateAlgorithm::kSmooth},
                    "smooth has none"},
        ProblemCase{"cycles_with_a_burst",
                    {.burst = 2, .algorithm = RateAlgorithm::kBursty},
                    "bursty has none"},
        ProblemCase{"the_largest_bucket",
                    {.permits = 1'000'000,
                     .per = Duration(1),
                     .burst = 1'000'000,
                     .algorithm = RateAlgorithm::kTokenBucket},
                    ""},
        ProblemCase{
            "no_algorithm", {.algorithm = static_cast<RateAlgorithm>(99)}, "rate_limit.algorithm"}),
    [](const auto& test) { return std::string(test.param.name); });

TEST(RateLimiterTest, AWaitBeyondTheEndOfTimeIsRefusedAndOverflowsNothing) {
  FakeClock clock;
  RateLimiter limiter({.permits = 1, .per = kHundredDays, .algorithm = RateAlgorithm::kSmooth},
                      clock);
  const auto refused = limiter.Acquire(1'000'000, Deadline::Never());
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kRateLimited);
}

}  // namespace
}  // namespace understudy
