#include "harness/vendor/latency.h"

#include <algorithm>
#include <cmath>

namespace understudy::harness {
namespace {

// Beyond, a double cannot tell a probability from 0.
constexpr double kZMax = 38;

double Nanos(Duration duration) { return static_cast<double>(duration.count()); }

// The probability that a standard normal variable is at most z.
double Phi(double z) { return 0.5 * std::erfc(-z / std::sqrt(2.0)); }

// The z with Phi(z) = p, for p in (0, 0.5], by bisection: Phi has no closed inverse, and halving an
// interval 80 times cannot fail to end. A microsecond or two, for something that takes far longer.
double LowerQuantile(double p) {
  double low = -kZMax;
  double high = 0;
  for (int i = 0; i < 80; ++i) {
    const double middle = low + (high - low) / 2;
    (Phi(middle) < p ? low : high) = middle;
  }
  return high;
}

// A standard normal variable given that it is in [low, high], from one uniform value in [0, 1).
double TruncatedNormal(double low, double high, double uniform) {
  // In the half where probabilities are small, hence exact.
  if (low > 0) return -TruncatedNormal(-high, -low, 1 - uniform);
  const double from = Phi(low);
  const double to = Phi(high);
  const double p = from + (to - from) * uniform;
  const double z = p <= 0 ? -kZMax : p <= 0.5 ? LowerQuantile(p) : -LowerQuantile(1 - p);
  return std::clamp(z, low, high);
}

Duration Rounded(double nanos, Duration max) {
  if (!(nanos > 0)) return {};
  if (nanos >= Nanos(max)) return max;
  return Duration(static_cast<Duration::rep>(std::llround(nanos)));
}

Duration MaxOf(const LatencySpec& spec) {
  return std::clamp(spec.max.value_or(kLatencyMax), Duration::zero(), kLatencyMax);
}

Duration DrawNormal(const LatencySpec& spec, double uniform) {
  const Duration max = MaxOf(spec);
  const double deviation = Nanos(spec.deviation);
  if (!(deviation > 0)) return std::clamp(spec.center, Duration::zero(), max);
  const double low = -Nanos(spec.center) / deviation;
  const double high = (Nanos(max) - Nanos(spec.center)) / deviation;
  return Rounded(Nanos(spec.center) + deviation * TruncatedNormal(low, high, uniform), max);
}

Duration DrawLogNormal(const LatencySpec& spec, double uniform) {
  const Duration max = MaxOf(spec);
  if (!(spec.sigma > 0) || spec.center <= Duration::zero()) {
    return std::clamp(spec.center, Duration::zero(), max);
  }
  const double high = std::log(Nanos(max) / Nanos(spec.center)) / spec.sigma;
  const double z = TruncatedNormal(-kZMax, high, uniform);
  return Rounded(Nanos(spec.center) * std::exp(spec.sigma * z), max);
}

}  // namespace

Result<void> CheckLatency(const LatencySpec& spec) {
  using Shape = LatencySpec::Shape;
  if (spec.shape == Shape::kUniform) {
    if (spec.low < Duration::zero()) return InvalidArgument("latency must not be negative");
    if (spec.high < spec.low) {
      return InvalidArgument("latency: the upper end is below the lower");
    }
    return {};
  }
  const bool normal = spec.shape == Shape::kNormal;
  const std::string center = normal ? "mean" : "median";
  if (spec.center < Duration::zero() || (!normal && spec.center == Duration::zero())) {
    return InvalidArgument("latency: the " + center + " must be " +
                           (normal ? "0 or more" : "more than 0"));
  }
  if (spec.deviation < Duration::zero()) {
    return InvalidArgument("latency: the standard deviation must not be negative");
  }
  if (!(spec.sigma >= 0 && spec.sigma <= kLatencySigmaMax)) {
    return InvalidArgument("latency: sigma must be in 0..10");
  }
  if (spec.center > MaxOf(spec)) {
    return InvalidArgument("latency: the " + center + " is above the greatest value");
  }
  return {};
}

Duration DrawLatency(const LatencySpec& spec, Random& random, std::string_view site) {
  switch (spec.shape) {
    case LatencySpec::Shape::kUniform:
      return random.Between(site, spec.low, spec.high);
    case LatencySpec::Shape::kNormal:
      return DrawNormal(spec, random.UnitInterval(site));
    case LatencySpec::Shape::kLogNormal:
      return DrawLogNormal(spec, random.UnitInterval(site));
  }
  return {};
}

}  // namespace understudy::harness
