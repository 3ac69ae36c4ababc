// LatencySpec: how long something takes, fixed or drawn for each use.
//
//   LatencySpec::Fixed(20ms)
//   LatencySpec{10ms, 80ms}                              // uniform, both ends included
//   LatencySpec::Normal(100ms, 20ms, 300ms)              // mean, standard deviation, greatest
//   LatencySpec::LogNormal(90ms, 0.4, 2s)                // median, sigma of the logarithm,
//   greatest
//
// A bounded distribution is truncated, not clipped: no heap of equal values at its ends. One draw
// gives one latency in whole nanoseconds, so the same draws give the same latencies in memory and
// on sockets.
#pragma once

#include <optional>
#include <string_view>

#include "middleware/base/result.h"
#include "middleware/base/time.h"
#include "middleware/runtime/random.h"

namespace understudy::harness {

struct LatencySpec {
  enum class Shape { kUniform, kNormal, kLogNormal };

  Duration low = {};  // kUniform: [low, high].
  Duration high = {};
  Shape shape = Shape::kUniform;
  Duration center = {};              // kNormal: the mean. kLogNormal: the median.
  Duration deviation = {};           // kNormal: the standard deviation, before truncation.
  double sigma = 0;                  // kLogNormal: the standard deviation of the logarithm.
  std::optional<Duration> max = {};  // kNormal, kLogNormal; kLatencyMax without it. At least 0.

  static LatencySpec Fixed(Duration latency) { return {latency, latency}; }
  static LatencySpec Normal(Duration mean, Duration deviation, std::optional<Duration> max = {}) {
    return {.shape = Shape::kNormal, .center = mean, .deviation = deviation, .max = max};
  }
  static LatencySpec LogNormal(Duration median, double sigma, std::optional<Duration> max = {}) {
    return {.shape = Shape::kLogNormal, .center = median, .sigma = sigma, .max = max};
  }
};

// No distribution gives more, whatever its tail.
inline constexpr Duration kLatencyMax = std::chrono::hours(24);
inline constexpr double kLatencySigmaMax = 10;

// kInvalidArgument for a negative latency, an upper end below the lower one, a deviation or sigma
// that is negative (or above kLatencySigmaMax), a mean or median above the greatest value, and a
// median of 0.
Result<void> CheckLatency(const LatencySpec& spec);

// One draw from `site`. Between(low, high) for kUniform. A spec that CheckLatency refuses gives
// something in 0..kLatencyMax.
Duration DrawLatency(const LatencySpec& spec, Random& random, std::string_view site);

}  // namespace understudy::harness
