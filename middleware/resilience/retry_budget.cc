#include "middleware/resilience/retry_budget.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "middleware/base/check.h"

namespace understudy {
namespace {

constexpr std::int64_t kToken = 1000;
constexpr int kTokensMax = 1'000'000;

void CheckRange(Problems& problems, const char* name, int value, int low) {
  if (value >= low && value <= kTokensMax) return;
  problems.push_back(std::string("budget.") + name + " is " + std::to_string(value) +
                     "; it must be " + std::to_string(low) + " to " + std::to_string(kTokensMax));
}

}  // namespace

Problems FindProblems(const RetryBudgetOptions& options) {
  Problems problems;
  if (!(options.ratio >= 0.0 && options.ratio <= 1000.0)) {  // Also catches NaN.
    problems.push_back("budget.ratio is " + std::to_string(options.ratio) +
                       "; it must be 0 to 1000");
  }
  CheckRange(problems, "minimum_per_minute", options.minimum_per_minute, 0);
  CheckRange(problems, "capacity", options.capacity, 1);
  CheckRange(problems, "initial", options.initial, 0);
  return problems;
}

RetryBudget::RetryBudget(const RetryBudgetOptions& options, Clock& clock)
    : options_(options),
      clock_(clock),
      capacity_(kToken * options.capacity),
      per_call_(std::llround(options.ratio * static_cast<double>(kToken))),
      balance_(kToken * std::min(options.initial, options.capacity)),
      income_until_(clock.Now().time_since_epoch().count()) {
  UNDERSTUDY_CHECK(FindProblems(options).empty(), "invalid retry budget options");
}

void RetryBudget::RecordCall() { Add(per_call_); }

bool RetryBudget::TryWithdraw() {
  AddIncome();
  Millitokens balance = balance_.load(std::memory_order_relaxed);
  while (balance >= kToken) {
    if (balance_.compare_exchange_weak(balance, balance - kToken, std::memory_order_relaxed))
      return true;
  }
  return false;
}

int RetryBudget::available() {
  AddIncome();
  return static_cast<int>(balance_.load(std::memory_order_relaxed) / kToken);
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
