#include "middleware/resilience/backoff.h"

#include <algorithm>
#include <cmath>

#include "middleware/base/text.h"

namespace understudy {

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
  return problems;
}

Duration BackoffCeiling(const BackoffOptions& options, int retry) {
  const double growth = std::pow(options.factor, std::max(retry, 1) - 1);
  const double ceiling = static_cast<double>(options.base.count()) * growth;
  // Compared as floating point first: infinity and what exceeds 64 bits must not reach the
  // conversion.
  if (!(ceiling < static_cast<double>(options.cap.count()))) return options.cap;
  return Duration(std::llround(ceiling));
}

Duration BackoffDelay(const BackoffOptions& options, int retry, Random& random) {
  const Duration ceiling = BackoffCeiling(options, retry);
  if (!options.jitter) return ceiling;
  const double share = random.UnitInterval("retry/backoff");
  return std::min(
      ceiling, Duration(static_cast<Duration::rep>(static_cast<double>(ceiling.count()) * share)));
}

}  // namespace understudy
