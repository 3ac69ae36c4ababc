#include "middleware/resilience/retry_budget.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "middleware/base/check.h"

namespace understudy {
namespace {

constexpr std::int64_t kToken = 1000;
constexpr int kTokensMax = 1'000'000;

std::int64_t InMillitokens(double cost) {
  UNDERSTUDY_CHECK(cost >= 0.0 && cost <= kTokensMax, "a retry costs 0 to a million tokens");
  const std::int64_t rounded = std::llround(cost * static_cast<double>(kToken));
  return cost > 0.0 ? std::max<std::int64_t>(rounded, 1) : 0;
}

}  // namespace

Problems FindProblems(const RetryBudgetOptions& options) {
  Problems problems;
  if (!(options.ratio >= 0.0 && options.ratio <= 1000.0)) {  // Also catches NaN.
    problems.push_back("budget.ratio is " + std::to_string(options.ratio) +
                       "; it must be 0 to 1000");
  }
  RequireRange(problems, "budget.minimum_per_minute", options.minimum_per_minute, 0, kTokensMax);
  RequireRange(problems, "budget.capacity", options.capacity, 1, kTokensMax);
  RequireRange(problems, "budget.initial", options.initial, 0, kTokensMax);
  if (options.kind == RetryBudgetKind::kThrottle && options.initial <= options.capacity / 2) {
    problems.push_back("budget.initial is " + std::to_string(options.initial) +
                       "; a throttle refuses until it is above half of budget.capacity, " +
                       std::to_string(options.capacity) + ": start it full");
  }
  return problems;
}

RetryBudgetOptions ThrottleBudget(int capacity, double ratio) {
  return {.ratio = ratio,
          .minimum_per_minute = 0,
          .capacity = capacity,
          .initial = capacity,
          .kind = RetryBudgetKind::kThrottle};
}

RetryBudgetOptions QuotaBudget(int capacity, double ratio) {
  return {.ratio = ratio,
          .minimum_per_minute = 0,
          .capacity = capacity,
          .initial = capacity,
          .kind = RetryBudgetKind::kQuota};
}

RetryBudget::RetryBudget(const RetryBudgetOptions& options, Clock& clock)
    : options_(options),
      clock_(clock),
      capacity_(kToken * options.capacity),
      income_per_event_(std::llround(options.ratio * static_cast<double>(kToken))),
      balance_(kToken * std::min(options.initial, options.capacity)),
      income_until_(clock.Now().time_since_epoch().count()) {
  UNDERSTUDY_CHECK(FindProblems(options).empty(), "invalid retry budget options");
}

void RetryBudget::RecordCall() {
  if (options_.kind == RetryBudgetKind::kShare) Add(income_per_event_);
}

bool RetryBudget::TryWithdraw(double cost) {
  AddIncome();
  const Millitokens amount = InMillitokens(cost);
  return options_.kind == RetryBudgetKind::kThrottle ? AboveHalf(TakeUpTo(amount)) : Take(amount);
}

void RetryBudget::Refund(double cost) { Add(InMillitokens(cost)); }

void RetryBudget::RecordSuccess(double last_cost) {
  const Millitokens refund = InMillitokens(last_cost);
  switch (options_.kind) {
    case RetryBudgetKind::kShare:
      return;
    case RetryBudgetKind::kThrottle:
      return Add(income_per_event_);
    case RetryBudgetKind::kQuota:
      return Add(refund > 0 ? refund : income_per_event_);
  }
}

void RetryBudget::RecordFailure(double cost) {
  if (options_.kind == RetryBudgetKind::kThrottle) TakeUpTo(InMillitokens(cost));
}

bool RetryBudget::CanWithdraw() {
  const Millitokens balance = available_millitokens();
  return options_.kind == RetryBudgetKind::kThrottle ? AboveHalf(balance) : balance >= kToken;
}

int RetryBudget::available() { return static_cast<int>(available_millitokens() / kToken); }

std::int64_t RetryBudget::available_millitokens() {
  AddIncome();
  return balance_.load(std::memory_order_relaxed);
}

bool RetryBudget::Take(Millitokens cost) {
  Millitokens balance = balance_.load(std::memory_order_relaxed);
  while (balance >= cost) {
    if (balance_.compare_exchange_weak(balance, balance - cost, std::memory_order_relaxed))
      return true;
  }
  return false;
}

RetryBudget::Millitokens RetryBudget::TakeUpTo(Millitokens cost) {
  Millitokens balance = balance_.load(std::memory_order_relaxed);
  for (;;) {
    const Millitokens next = std::max<Millitokens>(balance - cost, 0);
    // An empty bucket is left alone: a storm of refusals writes nothing shared.
    if (next == balance) return next;
    if (balance_.compare_exchange_weak(balance, next, std::memory_order_relaxed)) return next;
  }
}

void RetryBudget::Add(Millitokens amount) {
  Millitokens balance = balance_.load(std::memory_order_relaxed);
  for (;;) {
    const Millitokens next = std::min(capacity_, balance + amount);
    // A full bucket is left alone: calls without failures write nothing shared.
    if (next == balance) return;
    if (balance_.compare_exchange_weak(balance, next, std::memory_order_relaxed)) return;
  }
}

void RetryBudget::AddIncome() {
  if (options_.minimum_per_minute == 0) return;
  // One millitoken of income arrives per `step`.
  const Duration::rep step =
      Duration(std::chrono::minutes(1)).count() / (kToken * options_.minimum_per_minute);
  const Duration::rep now = clock_.Now().time_since_epoch().count();
  Duration::rep booked = income_until_.load(std::memory_order_relaxed);
  const Duration::rep arrived = (now - booked) / step;
  if (arrived <= 0) return;
  // Whoever moves the mark books the income; the others see it already done.
  if (income_until_.compare_exchange_strong(booked, booked + arrived * step,
                                            std::memory_order_relaxed)) {
    Add(std::min(arrived, capacity_));
  }
}

}  // namespace understudy
