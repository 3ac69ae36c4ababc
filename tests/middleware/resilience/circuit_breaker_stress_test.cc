// Real threads: what simulation cannot see. Meant to run under ThreadSanitizer as well.
#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "middleware/resilience/circuit_breaker.h"
#include "middleware/resilience/retry_budget.h"
#include "tests/support/test_runtime.h"

namespace understudy {
namespace {

using test::TestRuntime;

void RunOnThreads(int count, const std::function<void(int)>& body) {
  std::atomic<int> ready{0};
  std::vector<std::jthread> threads;
  for (int i = 0; i < count; ++i) {
    threads.emplace_back([&, i] {
      ++ready;
      while (ready.load() < count) std::this_thread::yield();
      body(i);
    });
  }
}

TEST(CircuitBreakerStressTest, FiftyThreadsNeverHoldMoreProbesThanPermitted) {
  constexpr int kProbes = 3;
  for (int round = 0; round < 20; ++round) {
    TestRuntime world;
    const auto breaker = CircuitBreaker::Create(
                             "vendor", {.failures = 1, .half_open_calls = kProbes}, world.runtime())
                             .value();
    breaker->TryAcquire().value().Record(BreakerOutcome::kFailure);
    world.clock.Advance(std::chrono::seconds(30));
    std::atomic<int> probing{0};
    std::atomic<int> most{0};
    std::atomic<int> admitted{0};
    RunOnThreads(50, [&](int) {
      for (int call = 0; call < 20; ++call) {
        Result<CircuitBreaker::Permit> permit = breaker->TryAcquire();
        if (!permit) continue;
        ++admitted;
        const int now = ++probing;
        int seen = most.load();
        while (now > seen && !most.compare_exchange_weak(seen, now)) {
        }
        std::this_thread::yield();
        --probing;
        permit->Record(BreakerOutcome::kNeutral);  // Stays half-open.
      }
    });
    EXPECT_LE(most.load(), kProbes);
    EXPECT_GE(admitted.load(), kProbes);
    EXPECT_EQ(breaker->state(), BreakerState::kHalfOpen);
  }
}

TEST(CircuitBreakerStressTest, EventsFormOneChainUnderConcurrentTransitions) {
  TestRuntime world;
  const auto breaker =
      CircuitBreaker::Create(
          "vendor", {.failures = 2, .open_for = Duration(1), .half_open_calls = 2}, world.runtime())
          .value();
  RunOnThreads(4, [&](int thread) {
    for (int call = 0; call < 5000; ++call) {
      world.clock.Advance(Duration(1));
      Result<CircuitBreaker::Permit> permit = breaker->TryAcquire();
      if (!permit) continue;
      const int kind = (call + thread) % 5;
      if (kind == 4) continue;  // Dropped.
      permit->Record(kind < 2 ? BreakerOutcome::kSuccess : BreakerOutcome::kFailure);
    }
  });
  const std::vector<test::RecordedEvent> events = world.events.Named("breaker");
  ASSERT_FALSE(events.empty());
  std::string state = "closed";
  for (const test::RecordedEvent& event : events) {
    ASSERT_EQ(event.fields.at("from"), state);
    state = event.fields.at("to");
  }
  EXPECT_EQ(state, ToString(breaker->state()));
  EXPECT_EQ(events.size(), breaker->Snapshot().transitions);
}

TEST(RetryBudgetStressTest, ConcurrentWithdrawalsNeverExceedTheBalance) {
  test::FakeClock clock;
  RetryBudget budget({.ratio = 0.1, .minimum_per_minute = 0, .capacity = 1000, .initial = 100},
                     clock);
  std::atomic<int> taken{0};
  constexpr int kThreads = 8;
  constexpr int kCalls = 1000;  // Deposits 100 tokens per thread: 900 in all, below the capacity.
  RunOnThreads(kThreads, [&](int) {
    for (int call = 0; call < kCalls; ++call) {
      budget.RecordCall();
      if (budget.TryWithdraw()) ++taken;
    }
  });
  while (budget.TryWithdraw()) ++taken;
  EXPECT_EQ(taken.load(), 100 + kThreads * kCalls / 10);
}

TEST(RetryBudgetStressTest, IncomeIsBookedOnce) {
  test::FakeClock clock;
  RetryBudget budget({.ratio = 0.0, .minimum_per_minute = 60, .capacity = 100'000, .initial = 0},
                     clock);
  std::atomic<int> taken{0};
  RunOnThreads(8, [&](int) {
    for (int call = 0; call < 1000; ++call) {
      clock.Advance(std::chrono::milliseconds(1));
      if (budget.TryWithdraw()) ++taken;
    }
  });
  while (budget.TryWithdraw()) ++taken;
  EXPECT_EQ(taken.load(), 8);  // 8 s at one token per second.
}

}  // namespace
}  // namespace understudy
