#include "middleware/resilience/gcra_schedule.h"

#include <algorithm>

#include "middleware/base/check.h"

namespace understudy {

GcraSchedule::GcraSchedule(Duration interval, int burst, TimePoint start)
    : interval_(interval), burst_(burst), idle_at_(start) {
  UNDERSTUDY_CHECK(interval > Duration::zero() && burst >= 1, "a rate of nothing");
  UNDERSTUDY_CHECK(interval <= Duration::max() / (std::int64_t{2} * burst), "the burst overflows");
}

TimePoint GcraSchedule::IdleAfter(TimePoint now, int cost) const {
  return SaturatingAdd(std::max(idle_at_, now), interval_ * cost);
}

Duration GcraSchedule::WaitFor(TimePoint now, int cost) const {
  UNDERSTUDY_CHECK(cost >= 0, "a negative cost");
  if (cost > burst_) return kForEver;
  const TimePoint idle = IdleAfter(now, cost);
  if (idle == kNever) return kForEver;
  return TimeUntil(now, SaturatingAdd(idle, -interval_ * burst_));
}

RateSchedule::Reservation GcraSchedule::Reserve(TimePoint now, int cost) {
  const Duration wait = WaitFor(now, cost);
  if (wait == kForEver) return {};
  const TimePoint before = idle_at_;
  if (cost > 0) idle_at_ = IdleAfter(now, cost);
  return Issue(wait, cost, before);
}

bool GcraSchedule::Cancel(const Reservation& reservation) {
  if (!reservation.taken() || !IsNewest(reservation)) return false;
  idle_at_ = reservation.mark;
  Forget(reservation);
  return true;
}

int GcraSchedule::Available(TimePoint now) const {
  const Duration left = interval_ * burst_ - std::min(ResetAfter(now), interval_ * burst_);
  return static_cast<int>(left / interval_);
}

}  // namespace understudy
