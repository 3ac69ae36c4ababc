// Deadline: the point after which nobody wants the answer any more. A value, passed explicitly,
// that only gets tighter.
//
//   const Deadline total = Deadline::After(clock.Now(), 2s);
//   const Deadline attempt = total.Tightened(Deadline::After(clock.Now(), 500ms));
//   const Deadline vendor = total.WithReserve(200ms);  // Leaves time to use the answer.
//   if (attempt.Passed(clock.Now())) ...
#pragma once

#include <algorithm>

#include "middleware/base/time.h"

namespace understudy {

class Deadline {
 public:
  // Unreachable.
  constexpr Deadline() = default;
  static constexpr Deadline Never() { return Deadline(); }
  static constexpr Deadline At(TimePoint point) { return Deadline(point); }
  // `duration` from `now`; zero or less has passed already. Saturates instead of overflowing.
  static constexpr Deadline After(TimePoint now, Duration duration) {
    return Deadline(SaturatingAdd(now, duration));
  }

  constexpr TimePoint point() const { return point_; }
  constexpr bool reachable() const { return point_ != kNever; }
  constexpr bool Passed(TimePoint now) const { return reachable() && now >= point_; }
  // Time left, never negative; Duration::max() if unreachable.
  constexpr Duration Remaining(TimePoint now) const {
    if (!reachable()) return Duration::max();
    return now >= point_ ? Duration::zero() : point_ - now;
  }
  // The earlier of the two: an inner deadline can only shorten an outer one.
  constexpr Deadline Tightened(Deadline other) const {
    return Deadline(std::min(point_, other.point_));
  }

  // Earlier by `reserve`, which is kept for the work after the answer. Never looser: a reserve of
  // zero or less changes nothing, and what is unreachable stays so. A reserve longer than the time
  // left gives a deadline that has passed.
  constexpr Deadline WithReserve(Duration reserve) const {
    if (!reachable() || reserve <= Duration::zero()) return *this;
    return Deadline(SaturatingAdd(point_, -reserve));
  }

  constexpr auto operator<=>(const Deadline&) const = default;

 private:
  explicit constexpr Deadline(TimePoint point) : point_(point) {}

  TimePoint point_ = kNever;
};

}  // namespace understudy
