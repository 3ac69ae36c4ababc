#include "middleware/resilience/token_bucket_schedule.h"

#include <algorithm>

#include "middleware/base/check.h"

namespace understudy {
namespace {

// Far more than can wait, and far from overflow.
constexpr std::int64_t kOwedMax = 1'000'000'000'000'000;

std::int64_t DivideRoundingUp(std::int64_t value, std::int64_t by) {
  return value / by + (value % by > 0 ? 1 : 0);
}

}  // namespace

TokenBucketSchedule::TokenBucketSchedule(const TokenBucket& bucket, int cost_max, TimePoint start)
    : bucket_(bucket), cost_max_(cost_max), state_{bucket.capacity, start} {
  UNDERSTUDY_CHECK(bucket.refill >= 1 && bucket.every > Duration::zero() && bucket.capacity >= 1,
                   "a rate of nothing");
}

TokenBucketSchedule::State TokenBucketSchedule::RefilledAt(TimePoint now) const {
  const std::int64_t periods = TimeUntil(state_.period_start, now) / bucket_.every;
  if (periods == 0) return state_;
  // Compared in periods: the product of periods and refill may overflow.
  const std::int64_t missing = bucket_.capacity - state_.balance;
  const bool full = periods >= DivideRoundingUp(missing, bucket_.refill);
  return {full ? bucket_.capacity : state_.balance + periods * bucket_.refill,
          state_.period_start + bucket_.every * periods};
}

Duration TokenBucketSchedule::WaitFor(TimePoint now, int cost) const {
  UNDERSTUDY_CHECK(cost >= 0, "a negative cost");
  if (cost > cost_max_) return kForEver;
  const State state = RefilledAt(now);
  const std::int64_t missing = cost - state.balance;
  if (missing <= 0) return Duration::zero();
  if (missing > kOwedMax) return kForEver;
  const std::int64_t periods = DivideRoundingUp(missing, bucket_.refill);
  return TimeUntil(now,
                   SaturatingAdd(state.period_start, SaturatingMultiply(bucket_.every, periods)));
}

RateSchedule::Reservation TokenBucketSchedule::Reserve(TimePoint now, int cost) {
  const Duration wait = WaitFor(now, cost);
  if (wait == kForEver) return {};
  state_ = RefilledAt(now);
  state_.balance -= cost;
  return Issue(wait, cost, state_.period_start);
}

bool TokenBucketSchedule::Cancel(const Reservation& reservation) {
  if (!reservation.taken()) return false;
  if (IsNewest(reservation)) {
    // Exact: what refills have spilled meanwhile would have spilled without it as well.
    state_.balance = std::min<std::int64_t>(bucket_.capacity, state_.balance + reservation.cost);
    Forget(reservation);
    return true;
  }
  const bool same_period = reservation.mark == state_.period_start;
  if (!same_period || reservation.wait > Duration::zero() || state_.balance < 0) return false;
  state_.balance += reservation.cost;
  return true;
}

int TokenBucketSchedule::Available(TimePoint now) const {
  return static_cast<int>(std::max<std::int64_t>(0, Balance(now)));
}

}  // namespace understudy
