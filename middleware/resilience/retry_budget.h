// RetryBudget: bounds retries to a share of the calls, so that retries cannot multiply an outage.
//
//   auto budget = std::make_shared<RetryBudget>(RetryBudgetOptions{}, clock);
//   budget->RecordCall();                       // once per logical call
//   if (!budget->TryWithdraw()) return last;    // before each retry
//
// A token bucket as in Finagle's RetryBudget: every call deposits `ratio` tokens, every retry
// withdraws one, and a small constant income lets a client with few calls retry at all. One budget
// is shared by all that repeat requests to the same vendor.
#pragma once

#include <atomic>
#include <cstdint>

#include "middleware/resilience/problems.h"
#include "middleware/runtime/clock.h"

namespace understudy {

struct RetryBudgetOptions {
  double ratio = 0.2;           // Tokens per call: 0.2 allows one retry per five calls.
  int minimum_per_minute = 10;  // Tokens that arrive without calls.
  int capacity = 100;  // Tokens never exceed this, so a quiet hour does not save up a storm.
  int initial = 10;    // Tokens at the start.

  bool operator==(const RetryBudgetOptions&) const = default;
};

Problems FindProblems(const RetryBudgetOptions& options);

// Thread-safe and lock-free; nothing blocks. The balance is one atomic, so concurrent withdrawals
// never exceed it.
class RetryBudget {
 public:
  // `options` without problems; aborts otherwise.
  RetryBudget(const RetryBudgetOptions& options, Clock& clock);

  // Deposits for one logical call (not for its retries).
  void RecordCall();

  // Takes one token; false, and nothing taken, if there is less than one.
  bool TryWithdraw();

  // Whole tokens available now.
  int available();

  const RetryBudgetOptions& options() const { return options_; }

 private:
  // Thousandths of a token, so that the arithmetic is exact.
  using Millitokens = std::int64_t;

  void Add(Millitokens amount);
  void AddIncome();

  const RetryBudgetOptions options_;
  Clock& clock_;
  const Millitokens capacity_;
  const Millitokens per_call_;
  std::atomic<Millitokens> balance_;
  std::atomic<Duration::rep>
      income_until_;  // The income up to this point of the monotonic clock is booked.
};

}  // namespace understudy
