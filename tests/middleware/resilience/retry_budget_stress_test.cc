// Real threads: what simulation cannot see. Meant to run under ThreadSanitizer as well.
#include <atomic>
#include <functional>
#include <optional>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "middleware/resilience/bulkhead.h"
#include "middleware/resilience/retry_budget.h"
#include "tests/support/fake_clock.h"

namespace understudy {
namespace {

using test::FakeClock;

constexpr int kThreads = 8;

void RunOnThreads(const std::function<void(int)>& body) {
  std::atomic<int> ready{0};
  std::vector<std::jthread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&, i] {
      ++ready;
      while (ready.load() < kThreads) std::this_thread::yield();
      body(i);
    });
  }
}

TEST(RetryBudgetKindsStressTest, WithdrawalsOfAllCostsNeverExceedTheBalance) {
  FakeClock clock;
  RetryBudget budget(QuotaBudget(1000, 0), clock);
  std::atomic<std::int64_t> taken{0};  // Thousandths.
  RunOnThreads([&](int thread) {
    for (int i = 0; i < 5000; ++i) {
      const int cost = (i + thread) % 4 + 1;
      if (budget.TryWithdraw(cost * 0.25)) taken += cost * 250;
    }
  });
  while (budget.TryWithdraw(0.25)) taken += 250;
  EXPECT_EQ(taken.load(), 1'000'000);
  EXPECT_EQ(budget.available_millitokens(), 0);
}

TEST(RetryBudgetKindsStressTest, WhatIsGivenBackIsNeitherLostNorDoubled) {
  FakeClock clock;
  RetryBudget budget(QuotaBudget(40, 0), clock);
  RunOnThreads([&](int thread) {
    for (int i = 0; i < 5000; ++i) {
      const double cost = (i + thread) % 10 + 1;
      if (!budget.TryWithdraw(cost)) continue;
      if (i % 2 == 0) budget.Refund(cost);
      if (i % 2 == 1) budget.RecordSuccess(cost);
    }
  });
  EXPECT_EQ(budget.available_millitokens(), 40'000);
}

TEST(RetryBudgetKindsStressTest, AThrottleAllowsExactlyTheFirstHalf) {
  for (int round = 0; round < 50; ++round) {
    FakeClock clock;
    RetryBudget budget(ThrottleBudget(100, 0), clock);
    std::atomic<int> allowed{0};
    RunOnThreads([&](int) {
      for (int i = 0; i < 20; ++i) {
        if (budget.TryWithdraw()) ++allowed;
      }
    });
    ASSERT_EQ(allowed.load(), 49) << "with 99 to 51 tokens left";
    ASSERT_EQ(budget.available_millitokens(), 0);
  }
}

TEST(RetryBudgetKindsStressTest, TheBalanceNeverLeavesZeroToCapacity) {
  FakeClock clock;
  RetryBudget budget(ThrottleBudget(5, 0.7), clock);
  std::atomic<bool> outside{false};
  RunOnThreads([&](int thread) {
    for (int i = 0; i < 5000; ++i) {
      if ((i + thread) % 3 == 0) budget.RecordSuccess();
      if ((i + thread) % 3 == 1) (void)budget.TryWithdraw(1.3);
      if ((i + thread) % 3 == 2) budget.RecordFailure(0.9);
      const std::int64_t balance = budget.available_millitokens();
      if (balance < 0 || balance > 5000) outside = true;
    }
  });
  EXPECT_FALSE(outside.load());
}

TEST(BulkheadStressTest, AMovingLimitLosesNoPlaceAndNoWaiter) {
  FakeClock clock(FakeClock::Waits::kBlock);
  BulkheadOptions options;
  options.queue_max = kThreads;
  options.adaptive = AdaptiveLimitOptions{.initial = 2, .min = 1, .max = 4, .backoff = 0.5};
  Bulkhead bulkhead(options, clock);
  std::atomic<int> running{0};
  std::atomic<int> most{0};
  std::atomic<int> done{0};
  RunOnThreads([&](int thread) {
    for (int i = 0; i < 1000; ++i) {
      Result<Bulkhead::Permit> permit = bulkhead.Acquire(Deadline::Never());
      if (!permit) continue;
      const int now = ++running;
      for (int seen = most.load(); seen < now && !most.compare_exchange_weak(seen, now);) {
      }
      const bool drop = (i + thread) % 5 == 0;
      permit->Record(Duration(1), drop ? ConcurrencySample::kDrop : ConcurrencySample::kSample);
      --running;
      ++done;
    }
  });
  EXPECT_EQ(done.load(), kThreads * 1000);
  EXPECT_LE(most.load(), 4);
  EXPECT_EQ(bulkhead.in_use(), 0);
  EXPECT_EQ(bulkhead.waiting(), 0);
}

}  // namespace
}  // namespace understudy
