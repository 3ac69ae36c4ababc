// A RateLimiter among real threads: the order of the line, what a cancellation does to it, and that
// no race exceeds the rate.
#include <atomic>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "middleware/resilience/acquire_all.h"
#include "middleware/resilience/rate_limiter.h"
#include "tests/support/fake_clock.h"

namespace understudy {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;
using test::FakeClock;

// A caller on its own thread, which stands in line when the constructor returns.
class Caller {
 public:
  Caller(RateLimiter& limiter, int cost)
      : place_(limiter.Snapshot().waiting + 1),
        thread_([this, &limiter, cost](const std::stop_token& stop) {
          result_ = std::make_unique<Result<RateLimiter::Permit>>(
              limiter.Acquire(cost, Deadline::Never(), stop));
          done_ = true;
        }) {
    while (limiter.Snapshot().waiting < place_) std::this_thread::yield();
  }

  bool done() const { return done_; }
  void Stop() { thread_.request_stop(); }
  // Blocks until the caller has its answer.
  const Result<RateLimiter::Permit>& Await() {
    thread_.join();
    return *result_;
  }

 private:
  const int place_;
  std::unique_ptr<Result<RateLimiter::Permit>> result_;
  std::atomic<bool> done_ = false;
  std::jthread thread_;
};

struct LineCase {
  const char* name;
  RateLimiterOptions options;
};

// One unit per second, whatever the algorithm.
class LineTest : public testing::TestWithParam<LineCase> {
 protected:
  FakeClock clock_{FakeClock::Waits::kBlock};
  RateLimiter limiter_{GetParam().options, clock_};
};

TEST_P(LineTest, GrantsInTheOrderOfArrival) {
  ASSERT_TRUE(limiter_.TryAcquire());
  Caller first(limiter_, 1);
  Caller second(limiter_, 1);
  Caller third(limiter_, 1);
  clock_.Advance(seconds(1));
  EXPECT_EQ(first.Await().value().waited(), seconds(1));
  clock_.Advance(seconds(1) - Duration(1));
  EXPECT_FALSE(second.done());
  clock_.Advance(Duration(1));
  EXPECT_EQ(second.Await().value().waited(), seconds(2));
  clock_.Advance(seconds(1));
  EXPECT_EQ(third.Await().value().waited(), seconds(3));
}

TEST_P(LineTest, ThoseBehindMoveUpWhenOneLeaves) {
  ASSERT_TRUE(limiter_.TryAcquire());
  Caller first(limiter_, 1);
  Caller leaver(limiter_, 1);
  Caller third(limiter_, 1);
  Caller fourth(limiter_, 1);
  leaver.Stop();
  EXPECT_EQ(leaver.Await().error().code, ErrorCode::kCancelled);
  clock_.Advance(seconds(1));
  EXPECT_EQ(first.Await().value().waited(), seconds(1));
  clock_.Advance(seconds(1));
  EXPECT_EQ(third.Await().value().waited(), seconds(2));
  clock_.Advance(seconds(1));
  EXPECT_EQ(fourth.Await().value().waited(), seconds(3));
  EXPECT_FALSE(limiter_.TryAcquire());
}

TEST_P(LineTest, EverybodyMayLeaveInAnyOrder) {
  ASSERT_TRUE(limiter_.TryAcquire());
  std::vector<std::unique_ptr<Caller>> line;
  for (int i = 0; i < 5; ++i) line.push_back(std::make_unique<Caller>(limiter_, 1));
  for (const std::size_t leaves : {2u, 0u, 4u, 3u, 1u}) {
    line[leaves]->Stop();
    EXPECT_EQ(line[leaves]->Await().error().code, ErrorCode::kCancelled);
  }
  EXPECT_EQ(limiter_.TryAcquire().error().retry_after, seconds(1)) << "as if nobody had waited";
  EXPECT_EQ(limiter_.Snapshot().waiting, 0);
}

INSTANTIATE_TEST_SUITE_P(
    Algorithms, LineTest,
    testing::Values(
        LineCase{"gcra", {.permits = 1}},
        LineCase{"token_bucket", {.permits = 1, .algorithm = RateAlgorithm::kTokenBucket}},
        LineCase{"sliding_window", {.permits = 1, .algorithm = RateAlgorithm::kSlidingWindow}},
        LineCase{"smooth", {.permits = 1, .algorithm = RateAlgorithm::kSmooth}},
        LineCase{"bursty", {.permits = 1, .algorithm = RateAlgorithm::kBursty}}),
    [](const auto& test) { return std::string(test.param.name); });

TEST(RateLimiterConcurrencyTest, RL11_ALargeRequestIsNotStarvedBySmallOnes) {
  FakeClock clock(FakeClock::Waits::kBlock);
  RateLimiter limiter({.permits = 10, .per = seconds(1), .burst = 5}, clock);
  ASSERT_TRUE(limiter.TryAcquire(4));
  Caller large(limiter, 5);  // One permit is there, and would be enough for a small request.
  Caller small(limiter, 1);
  EXPECT_FALSE(limiter.TryAcquire());
  clock.Advance(milliseconds(400));
  EXPECT_EQ(large.Await().value().waited(), milliseconds(400));
  EXPECT_FALSE(small.done());
  clock.Advance(milliseconds(100));
  EXPECT_EQ(small.Await().value().waited(), milliseconds(500));
}

TEST(RateLimiterConcurrencyTest, WhenALargeRequestLeavesASmallOneGoesAtOnceIfThereIsRoom) {
  FakeClock clock(FakeClock::Waits::kBlock);
  RateLimiter limiter({.permits = 4, .per = seconds(1), .algorithm = RateAlgorithm::kSlidingWindow},
                      clock);
  ASSERT_TRUE(limiter.TryAcquire(2));
  Caller large(limiter, 3);
  Caller small(limiter, 1);
  large.Stop();
  EXPECT_EQ(large.Await().error().code, ErrorCode::kCancelled);
  EXPECT_EQ(small.Await().value().waited(), seconds(0));
  EXPECT_EQ(limiter.Snapshot().available, 1);
}

TEST(RateLimiterConcurrencyTest, RefusesWhoeverComesWhenEnoughWait) {
  FakeClock clock(FakeClock::Waits::kBlock);
  RateLimiter limiter({.permits = 1, .per = seconds(1), .waiters_max = 2}, clock);
  ASSERT_TRUE(limiter.TryAcquire());
  Caller first(limiter, 1);
  Caller second(limiter, 1);
  const auto refused = limiter.Acquire(Deadline::Never());
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().reason, "rate-limit-waiters");
  EXPECT_EQ(refused.error().retry_after, seconds(3));
  EXPECT_EQ(limiter.Snapshot().waiting, 2);
  clock.Advance(seconds(2));
  EXPECT_TRUE(first.Await());
  EXPECT_TRUE(second.Await());
}

TEST(RateLimiterConcurrencyTest, AStopThatWasRequestedBeforeEndsTheWaitAtOnce) {
  FakeClock clock(FakeClock::Waits::kBlock);
  RateLimiter limiter({.permits = 1, .per = seconds(1)}, clock);
  ASSERT_TRUE(limiter.TryAcquire());
  std::stop_source source;
  source.request_stop();
  EXPECT_EQ(limiter.Acquire(Deadline::Never(), source.get_token()).error().code,
            ErrorCode::kCancelled);
  clock.Advance(seconds(1));
  EXPECT_TRUE(limiter.TryAcquire()) << "the reservation came back";
}

// ---- races --------------------------------------------------------------------------------------

// Moves the time while threads wait, until all have ended.
void DriveUntil(FakeClock& clock, const std::atomic<int>& running) {
  while (running > 0) {
    clock.Advance(microseconds(100));
    std::this_thread::yield();
  }
}

class StormTest : public testing::TestWithParam<LineCase> {};

TEST_P(StormTest, NoRaceExceedsTheRateOrLosesAPlace) {
  constexpr int kThreads = 6;
  constexpr int kCalls = 150;
  FakeClock clock(FakeClock::Waits::kBlock);
  RateLimiter limiter(GetParam().options, clock);
  std::atomic<int> running = kThreads;
  std::atomic<std::int64_t> used = 0;
  {
    std::vector<std::jthread> threads;
    for (int thread = 0; thread < kThreads; ++thread) {
      threads.emplace_back([&, thread] {
        std::mt19937_64 random(static_cast<std::uint64_t>(thread));
        for (int call = 0; call < kCalls; ++call) {
          std::stop_source stop;
          if (random() % 8 == 0) stop.request_stop();
          const int cost = 1 + static_cast<int>(random() % 4);
          const Deadline deadline =
              random() % 2 == 0 ? Deadline::Never() : Deadline::After(clock.Now(), milliseconds(2));
          auto permit = limiter.Acquire(cost, deadline, stop.get_token());
          if (!permit) continue;
          if (random() % 4 == 0) {
            permit->Refund();
          } else {
            used += cost;
          }
        }
        --running;
      });
    }
    DriveUntil(clock, running);
  }
  // A refund that has no effect uses permits as well, so this bound holds from one side only.
  const std::int64_t periods = clock.Elapsed() / milliseconds(1) + 1;
  EXPECT_LE(used, 4 + 4 * periods);
  EXPECT_GT(used, 100);
  EXPECT_EQ(limiter.Snapshot().waiting, 0);
  const RateLimiterSnapshot counts = limiter.Snapshot();
  EXPECT_EQ(counts.granted + counts.refused + counts.cancelled,
            static_cast<std::uint64_t>(kThreads * kCalls));
  clock.Advance(seconds(1));
  EXPECT_TRUE(limiter.TryAcquire(4)) << "no place was lost";
}

INSTANTIATE_TEST_SUITE_P(
    Algorithms, StormTest,
    testing::Values(
        LineCase{"gcra", {.permits = 4, .per = milliseconds(1), .burst = 4}},
        LineCase{"token_bucket",
                 {.permits = 4,
                  .per = milliseconds(1),
                  .burst = 4,
                  .algorithm = RateAlgorithm::kTokenBucket}},
        LineCase{
            "sliding_window",
            {.permits = 4, .per = milliseconds(1), .algorithm = RateAlgorithm::kSlidingWindow}},
        LineCase{"bursty",
                 {.permits = 4, .per = milliseconds(1), .algorithm = RateAlgorithm::kBursty}}),
    [](const auto& test) { return std::string(test.param.name); });

TEST(RateLimiterConcurrencyTest, AcquireAllInOppositeOrdersDoesNotDeadlock) {
  constexpr int kThreads = 4;
  FakeClock clock(FakeClock::Waits::kBlock);
  RateLimiter a({.permits = 5, .per = milliseconds(1), .burst = 5}, clock);
  RateLimiter b({.permits = 3, .per = milliseconds(1), .burst = 3}, clock);
  std::atomic<int> running = kThreads;
  std::atomic<int> granted = 0;
  {
    std::vector<std::jthread> threads;
    for (int thread = 0; thread < kThreads; ++thread) {
      threads.emplace_back([&, thread] {
        RateLimiter* const forth[] = {&a, &b};
        RateLimiter* const back[] = {&b, &a};
        for (int call = 0; call < 100; ++call) {
          if (AcquireAll(thread % 2 == 0 ? forth : back, 1, Deadline::Never())) ++granted;
          if (thread == 0) static_cast<void>(a.TryAcquire());
        }
        --running;
      });
    }
    DriveUntil(clock, running);
  }
  EXPECT_EQ(granted, kThreads * 100);
  EXPECT_LE(granted, 3 * (clock.Elapsed() / milliseconds(1) + 2));
}

}  // namespace
}  // namespace understudy
