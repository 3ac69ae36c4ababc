#include "middleware/resilience/rate_limiter.h"

#include <algorithm>
#include <string>

#include "middleware/base/check.h"
#include "middleware/base/text.h"

namespace understudy {
namespace {

constexpr int kPermitsMax = 1'000'000;

void CheckCount(Problems& problems, const char* name, int value, int low) {
  if (value >= low && value <= kPermitsMax) return;
  problems.push_back(std::string("rate_limit.") + name + " is " + std::to_string(value) +
                     "; it must be " + std::to_string(low) + " to " + std::to_string(kPermitsMax));
}

Duration IntervalOf(const RateLimiterOptions& options) {
  return Duration((options.per.count() + options.permits - 1) / std::max(options.permits, 1));
}

}  // namespace

Problems FindProblems(const RateLimiterOptions& options) {
  Problems problems;
  CheckCount(problems, "permits", options.permits, 1);
  CheckCount(problems, "burst", options.burst, 1);
  CheckCount(problems, "waiters_max", options.waiters_max, 0);
  // 100 days: any burst of it still fits a Duration.
  constexpr Duration kPerMax = std::chrono::hours(24 * 100);
  if (options.per <= Duration::zero() || options.per > kPerMax) {
    problems.push_back("rate_limit.per is " + FormatDuration(options.per) +
                       "; it must be positive and at most " + FormatDuration(kPerMax));
  } else if (options.burst > 1 && IntervalOf(options) > Duration::max() / (2 * options.burst)) {
    problems.push_back("rate_limit.burst is " + std::to_string(options.burst) +
                       "; it is too large for one permit per " +
                       FormatDuration(IntervalOf(options)));
  }
  return problems;
}

RateLimiter::RateLimiter(const RateLimiterOptions& options, Clock& clock)
    : options_(options),
      clock_(clock),
      interval_(IntervalOf(options)),
      tolerance_(interval_ * (options.burst - 1)),
      due_(clock.Now()) {
  UNDERSTUDY_CHECK(FindProblems(options).empty(), "invalid rate limiter options");
}

Result<RateLimiter::Permit> RateLimiter::Acquire(Deadline deadline, const std::stop_token& stop) {
  const TimePoint now = clock_.Now();
  Result<Permit> permit = Reserve(now, deadline);
  if (!permit || permit->waited() == Duration::zero()) return permit;
  const bool arrived = clock_.SleepUntil(now + permit->waited(), stop);
  EndWait();
  if (arrived) return permit;
  permit->Refund();
  return Error{ErrorCode::kCancelled,
               "stopped while waiting for the rate limit",
               Delivery::kNotSent,
               Origin::kLocal,
               {},
               {}};
}

Result<RateLimiter::Permit> RateLimiter::Reserve(TimePoint now, Deadline deadline) {
  const MutexLock lock(mutex_);
  const TimePoint before = std::max(due_, now);
  const Duration wait = std::max(Duration::zero(), before - tolerance_ - now);
  const bool too_late = wait > Duration::zero() && deadline.Passed(now + wait);
  const bool too_many = wait > Duration::zero() && waiters_ >= options_.waiters_max;
  if (too_late || too_many) {
    return Error{ErrorCode::kRateLimited,
                 "the next permit is due in " + FormatDuration(wait) +
                     (too_late ? ", after the deadline" : ", and too many callers wait already"),
                 Delivery::kNotSent,
                 Origin::kLocal,
                 wait,
                 too_late ? "rate-limit" : "rate-limit-waiters"};
  }
  if (wait > Duration::zero()) ++waiters_;
  due_ = before + interval_;
  return Permit(*this, before, due_, wait);
}

void RateLimiter::EndWait() {
  const MutexLock lock(mutex_);
  --waiters_;
}

void RateLimiter::Permit::Refund() {
  if (limiter_ != nullptr) std::exchange(limiter_, nullptr)->Refund(before_, after_);
}

void RateLimiter::Refund(TimePoint before, TimePoint after) {
  const MutexLock lock(mutex_);
  if (due_ == after) due_ = before;
}

}  // namespace understudy
