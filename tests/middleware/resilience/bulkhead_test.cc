#include "middleware/resilience/bulkhead.h"

#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/fake_clock.h"

namespace understudy {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using test::FakeClock;
using ::testing::ElementsAre;

TEST(BulkheadTest, AdmitsUpToTheMaximumAndRefusesAboveTheQueue) {
  FakeClock clock;
  Bulkhead bulkhead({.concurrent_max = 2, .queue_max = 0}, clock);
  const auto first = bulkhead.Acquire(Deadline::Never());
  const auto second = bulkhead.Acquire(Deadline::Never());
  const auto third = bulkhead.Acquire(Deadline::Never());
  EXPECT_TRUE(first && second);
  ASSERT_FALSE(third);
  EXPECT_EQ(third.error().code, ErrorCode::kOverloaded);
  EXPECT_EQ(third.error().delivery, Delivery::kNotSent);
  EXPECT_EQ(third.error().reason, "bulkhead-full");
}

TEST(BulkheadTest, AnEndedPermitFreesItsPlace) {
  FakeClock clock;
  Bulkhead bulkhead({.concurrent_max = 1, .queue_max = 0}, clock);
  { const auto permit = bulkhead.Acquire(Deadline::Never()); }
  EXPECT_TRUE(bulkhead.Acquire(Deadline::Never()));
  EXPECT_EQ(bulkhead.in_use(), 0);
}

TEST(BulkheadTest, WaitsUntilAPlaceIsFree) {
  FakeClock clock;
  Bulkhead bulkhead({.concurrent_max = 1}, clock);
  std::optional<Bulkhead::Permit> held = bulkhead.Acquire(Deadline::Never()).value();
  clock.At(milliseconds(50), [&] { held.reset(); });
  EXPECT_TRUE(bulkhead.Acquire(Deadline::After(clock.Now(), seconds(1))));
  EXPECT_EQ(clock.Elapsed(), milliseconds(50));
}

TEST(BulkheadTest, WaitsNoLongerThanTheDeadline) {
  FakeClock clock;
  Bulkhead bulkhead({.concurrent_max = 1}, clock);
  const auto held = bulkhead.Acquire(Deadline::Never());
  const auto late = bulkhead.Acquire(Deadline::After(clock.Now(), milliseconds(20)));
  EXPECT_EQ(late.error().code, ErrorCode::kDeadlineExceeded);
  EXPECT_EQ(clock.Elapsed(), milliseconds(20));
  EXPECT_EQ(bulkhead.waiting(), 0);
}

TEST(BulkheadTest, WaitsNoLongerThanItsOwnLimit) {
  FakeClock clock;
  Bulkhead bulkhead({.concurrent_max = 1, .wait_max = milliseconds(5)}, clock);
  const auto held = bulkhead.Acquire(Deadline::Never());
  EXPECT_EQ(bulkhead.Acquire(Deadline::After(clock.Now(), seconds(1))).error().reason,
            "bulkhead-wait");
  EXPECT_EQ(clock.Elapsed(), milliseconds(5));
}

TEST(BulkheadTest, AStopEndsTheWait) {
  FakeClock clock;
  Bulkhead bulkhead({.concurrent_max = 1}, clock);
  const auto held = bulkhead.Acquire(Deadline::Never());
  std::stop_source source;
  clock.At(milliseconds(3), [&] { source.request_stop(); });
  const auto stopped = bulkhead.Acquire(Deadline::Never(), source.get_token());
  EXPECT_EQ(stopped.error().code, ErrorCode::kCancelled);
  EXPECT_EQ(clock.Elapsed(), milliseconds(3));
}

TEST(BulkheadTest, FreesPlacesInTheOrderOfArrival) {
  FakeClock clock(FakeClock::Waits::kBlock);
  Bulkhead bulkhead({.concurrent_max = 1}, clock);
  std::optional<Bulkhead::Permit> held = bulkhead.Acquire(Deadline::Never()).value();
  std::mutex mutex;
  std::vector<int> order;
  std::vector<std::jthread> threads;
  for (int caller = 0; caller < 5; ++caller) {
    threads.emplace_back([&, caller] {
      const auto permit = bulkhead.Acquire(Deadline::Never());
      const std::lock_guard lock(mutex);
      order.push_back(caller);
    });
    clock.AwaitSleepers(static_cast<std::size_t>(caller) + 1);
  }
  held.reset();
  threads.clear();
  EXPECT_THAT(order, ElementsAre(0, 1, 2, 3, 4));
  EXPECT_EQ(bulkhead.in_use(), 0);
}

}  // namespace
}  // namespace understudy
