#include "middleware/resilience/smooth_schedule.h"

#include "middleware/base/check.h"

namespace understudy {

SmoothSchedule::SmoothSchedule(Duration slot, TimePoint start)
    : slot_(slot), start_(start), next_free_(start) {
  UNDERSTUDY_CHECK(slot > Duration::zero(), "a rate of nothing");
}

TimePoint SmoothSchedule::FreeAfter(TimePoint now, int cost) const {
  const TimePoint current_slot = now - TimeUntil(start_, now) % slot_;
  const TimePoint first = now >= next_free_ ? current_slot : next_free_;
  return SaturatingAdd(first, SaturatingMultiply(slot_, cost));
}

Duration SmoothSchedule::WaitFor(TimePoint now, int cost) const {
  UNDERSTUDY_CHECK(cost >= 0, "a negative cost");
  const TimePoint free = FreeAfter(now, cost);
  return free == kNever ? kForEver : TimeUntil(now, SaturatingAdd(free, -slot_));
}

RateSchedule::Reservation SmoothSchedule::Reserve(TimePoint now, int cost) {
  const Duration wait = WaitFor(now, cost);
  if (wait == kForEver) return {};
  const TimePoint before = next_free_;
  if (cost > 0) next_free_ = FreeAfter(now, cost);
  return Issue(wait, cost, before);
}

bool SmoothSchedule::Cancel(const Reservation& reservation) {
  if (!reservation.taken() || !IsNewest(reservation)) return false;
  next_free_ = reservation.mark;
  Forget(reservation);
  return true;
}

}  // namespace understudy
