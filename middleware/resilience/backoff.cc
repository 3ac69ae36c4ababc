#include "middleware/resilience/backoff.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "middleware/base/text.h"

namespace understudy {
namespace {

constexpr double kPolevoyFactor = 2.0;
constexpr double kPolevoySlope = 4.0;
constexpr double kPolevoyScale = 1 / 1.4;

double InNanoseconds(Duration duration) { return static_cast<double>(duration.count()); }

// From zero to `cap`. Compared as floating point first: infinity, no number at all and what exceeds
// 64 bits must not reach the conversion.
Duration AtMost(double nanoseconds, Duration cap) {
  if (nanoseconds <= 0.0) return Duration::zero();
  if (!(nanoseconds < InNanoseconds(cap))) return std::max(cap, Duration::zero());
  return Duration(std::llround(nanoseconds));
}

// In nanoseconds, without the cap; may be infinite.
double Growth(const BackoffOptions& options, int retry) {
  const double base = InNanoseconds(options.base);
  const int number = std::max(retry, 1);
  switch (options.growth) {
    case BackoffGrowth::kConstant:
      return base;
    case BackoffGrowth::kLinear:
      return base * number;
    case BackoffGrowth::kExponential:
      break;
  }
  return base * std::pow(options.factor, number - 1);
}

// A share of a ceiling that is already within the cap; never above it, whatever the rounding.
Duration Share(Duration ceiling, double share) {
  return std::min(ceiling, Duration(static_cast<Duration::rep>(InNanoseconds(ceiling) * share)));
}

double Draw(Random& random) { return random.UnitInterval("retry/backoff"); }

}  // namespace

Problems FindProblems(const BackoffOptions& options) {
  Problems problems;
  if (options.base < Duration::zero()) {
    problems.push_back("backoff.base is " + FormatDuration(options.base) +
                       "; it must not be negative");
  }
  if (!(options.factor >= 1.0) || !std::isfinite(options.factor)) {
    problems.push_back("backoff.factor is " + std::to_string(options.factor) +
                       "; it must be at least 1");
  }
  if (options.cap < options.base) {
    problems.push_back("backoff.cap is " + FormatDuration(options.cap) +
                       "; it must be at least backoff.base, " + FormatDuration(options.base));
  }
  const bool doubles = options.growth == BackoffGrowth::kExponential && options.factor == 2.0;
  if (options.jitter && options.kind == BackoffJitter::kDecorrelated && !doubles) {
    problems.emplace_back(
        "backoff.kind is decorrelated, which doubles from retry to retry; leave backoff.growth "
        "exponential and backoff.factor 2");
  }
  return problems;
}

Duration BackoffCeiling(const BackoffOptions& options, int retry) {
  return AtMost(Growth(options, retry), options.cap);
}

Duration JitteredBackoff(const BackoffOptions& options, int retry, double share) {
  const Duration ceiling = BackoffCeiling(options, retry);
  if (!options.jitter) return ceiling;
  switch (options.kind) {
    case BackoffJitter::kEqual:
      return ceiling - Share(ceiling / 2, 1 - share);
    case BackoffJitter::kQuarter:
      return AtMost(Growth(options, retry) * (0.75 + 0.5 * share), options.cap);
    case BackoffJitter::kDecorrelated: {
      DecorrelatedJitter memory;
      if (retry > 1) memory.Next(options, retry - 1, share);
      return memory.Next(options, retry, share);
    }
    case BackoffJitter::kFull:
      break;
  }
  return Share(ceiling, share);
}

Duration DecorrelatedJitter::Next(const BackoffOptions& options, int retry, double share) {
  const double t = std::max(retry, 1) - 1 + share;
  const double point = std::pow(kPolevoyFactor, t) * std::tanh(std::sqrt(kPolevoySlope * t));
  // No number at all once both are infinite; AtMost takes that for the cap.
  const double step = std::max(point - previous_, 0.0);
  previous_ = point;
  return AtMost(step * kPolevoyScale * InNanoseconds(options.base), options.cap);
}

Duration BackoffDelay(const BackoffOptions& options, int retry, Random& random) {
  DecorrelatedJitter memory;
  const bool decorrelated = options.jitter && options.kind == BackoffJitter::kDecorrelated;
  if (decorrelated && retry > 1) memory.Next(options, retry - 1, Draw(random));
  return BackoffDelay(options, retry, random, memory);
}

Duration BackoffDelay(const BackoffOptions& options, int retry, Random& random,
                      DecorrelatedJitter& memory) {
  if (!options.jitter) return BackoffCeiling(options, retry);
  const double share = Draw(random);
  return options.kind == BackoffJitter::kDecorrelated ? memory.Next(options, retry, share)
                                                      : JitteredBackoff(options, retry, share);
}

Duration HintedBackoff(Duration backoff, std::optional<Duration> hint, Duration surplus_max) {
  if (!hint || *hint <= backoff) return backoff;
  const Duration surplus = std::min(*hint - backoff, std::max(surplus_max, Duration::zero()));
  return backoff + surplus;
}

}  // namespace understudy
