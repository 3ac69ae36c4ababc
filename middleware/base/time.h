// The time types of the whole project: nanoseconds, on two clocks that never mix.
#pragma once

#include <chrono>

namespace understudy {

// A length of time. Every interface takes a Duration; no bare number stands for a time anywhere.
using Duration = std::chrono::nanoseconds;

// A point on the monotonic clock, for intervals, timeouts and deadlines. Its zero has no meaning
// outside the process and is a legitimate value: never use it as "unset".
using TimePoint = std::chrono::time_point<std::chrono::steady_clock, Duration>;

// A point on the wall clock (UTC), for what leaves the process: token expiry, signatures, logs,
// stored rows.
using SystemTime = std::chrono::time_point<std::chrono::system_clock, Duration>;

// Later than every reachable point.
inline constexpr TimePoint kNever = TimePoint::max();

// `point + duration`, saturating at kNever instead of overflowing.
constexpr TimePoint SaturatingAdd(TimePoint point, Duration duration) {
  if (duration > Duration::zero() && point > kNever - duration) return kNever;
  if (duration < Duration::zero() && point < TimePoint::min() - duration) return TimePoint::min();
  return point + duration;
}

// The same of a wall-clock time, at the ends of what it can tell.
constexpr SystemTime SaturatingAdd(SystemTime time, Duration duration) {
  if (duration > Duration::zero() && time > SystemTime::max() - duration) return SystemTime::max();
  if (duration < Duration::zero() && time < SystemTime::min() - duration) return SystemTime::min();
  return time + duration;
}

// The same of two lengths.
constexpr Duration SaturatingAdd(Duration a, Duration b) {
  if (b > Duration::zero() && a > Duration::max() - b) return Duration::max();
  if (b < Duration::zero() && a < Duration::min() - b) return Duration::min();
  return a + b;
}

}  // namespace understudy
