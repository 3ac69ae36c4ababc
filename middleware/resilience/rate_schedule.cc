#include "middleware/resilience/rate_schedule.h"

namespace understudy {

RateSchedule::Reservation RateSchedule::Issue(Duration wait, int cost, TimePoint mark) {
  const std::uint64_t previous = newest_;
  newest_ = ++issued_;
  return {.wait = wait, .cost = cost, .mark = mark, .id = newest_, .previous = previous};
}

Duration SaturatingMultiply(Duration duration, std::int64_t count) {
  Duration::rep product = 0;
  if (__builtin_mul_overflow(duration.count(), count, &product)) return Duration::max();
  return Duration(product);
}

Duration TimeUntil(TimePoint now, TimePoint due) {
  if (due <= now) return Duration::zero();
  if (due == kNever) return RateSchedule::kForEver;
  Duration::rep difference = 0;
  if (__builtin_sub_overflow(due.time_since_epoch().count(), now.time_since_epoch().count(),
                             &difference)) {
    return RateSchedule::kForEver;
  }
  return Duration(difference);
}

}  // namespace understudy
