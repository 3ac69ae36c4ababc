// RetryBudget: bounds retries to a share of the calls, so that retries cannot multiply an outage.
//
//   auto budget = std::make_shared<RetryBudget>(RetryBudgetOptions{}, clock);
//   budget->RecordCall();                           // once per logical call
//   if (!budget->TryWithdraw(cost)) return last;    // before each retry, hedge and failover
//   budget->Refund(cost);                           // it was not sent after all
//   budget->RecordSuccess(cost);                    // the call succeeded; its last retry took
//   `cost`
//
// One pool of tokens, shared by all that repeat requests to the same vendor (retry, hedge,
// fallback). What fills and drains it is chosen by the kind:
//
//               RecordCall  TryWithdraw                          RecordSuccess    RecordFailure
//   kShare      + ratio     - cost, if there is so much          -                -
//   kThrottle   -           - cost, or what there is; allowed    + ratio          - cost, or what
//                           if more than half then remains                        there is
//   kQuota      -           - cost, if there is so much          + its last cost, -
//                                                                or else ratio
//
//   kShare      Finagle's RetryBudget: retries are a share of the calls.
//   kThrottle   gRPC's retry throttling (proposal A6) and userver's RetryBudget: no retries while
//               more than a few of the calls fail.
//   kQuota      The retry quota of the AWS SDKs ("Retry behavior"): a pool that successful retries
//               give back. A timeout costs twice (10 against 5 there).
//
// Every kind also has a small constant income, so that a client with few calls can retry at all.
#pragma once

#include <atomic>
#include <cstdint>

#include "middleware/base/problems.h"
#include "middleware/runtime/clock.h"

namespace understudy {

enum class RetryBudgetKind : std::uint8_t { kShare, kThrottle, kQuota };

struct RetryBudgetOptions {
  double ratio = 0.2;           // Tokens per call: 0.2 allows one retry per five calls. See above.
  int minimum_per_minute = 10;  // Tokens that arrive without calls.
  int capacity = 100;  // Tokens never exceed this, so a quiet hour does not save up a storm.
  int initial = 10;    // Tokens at the start.
  RetryBudgetKind kind = RetryBudgetKind::kShare;

  bool operator==(const RetryBudgetOptions&) const = default;
};

Problems FindProblems(const RetryBudgetOptions& options);

// The other kinds as their sources set them up: full at the start, without an income.
RetryBudgetOptions ThrottleBudget(int capacity = 100, double ratio = 0.1);
RetryBudgetOptions QuotaBudget(int capacity = 100, double ratio = 0.2);

// Thread-safe and lock-free; nothing blocks. The balance is one atomic count of thousandths of a
// token, so the arithmetic is exact, concurrent withdrawals never exceed it, and it never leaves
// 0 to capacity. Costs are 0 to a million tokens, rounded to thousandths, and at least one
// thousandth unless zero; others abort.
class RetryBudget {
 public:
  // `options` without problems; aborts otherwise. The clock must outlive it.
  RetryBudget(const RetryBudgetOptions& options, Clock& clock);

  // One logical call (not its retries) begins.
  void RecordCall();

  // May a request be repeated, at this cost? kThrottle: asking is what counts the failure that is
  // to be repeated, so it takes the cost even if it refuses.
  bool TryWithdraw(double cost = 1.0);

  // Gives back what a withdrawal took for a request that was not sent.
  void Refund(double cost = 1.0);

  // A call succeeded; `last_cost` is what its last retry took, zero if it made none.
  void RecordSuccess(double last_cost = 0.0);

  // An attempt failed that nobody asks to repeat: the last one, or one that must not be repeated.
  void RecordFailure(double cost = 1.0);

  // Would a request that costs one token be allowed now? Takes nothing, also of kThrottle: there,
  // whether more than half is left.
  bool CanWithdraw();

  // Whole tokens available now.
  int available();
  // The same in thousandths of a token.
  std::int64_t available_millitokens();

  const RetryBudgetOptions& options() const { return options_; }

 private:
  using Millitokens = std::int64_t;

  bool Take(Millitokens cost);
  Millitokens TakeUpTo(Millitokens cost);  // Returns the new balance.
  void Add(Millitokens amount);
  void AddIncome();
  bool AboveHalf(Millitokens balance) const { return balance > capacity_ / 2; }

  const RetryBudgetOptions options_;
  Clock& clock_;
  const Millitokens capacity_;
  const Millitokens income_per_event_;  // Per call or success.
  std::atomic<Millitokens> balance_;
  std::atomic<Duration::rep>
      income_until_;  // The income up to this point of the monotonic clock is booked.
};

}  // namespace understudy
