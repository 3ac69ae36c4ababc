#include "middleware/resilience/adaptive_throttle.h"

#include <algorithm>
#include <string>

#include "middleware/base/check.h"
#include "middleware/base/text.h"

namespace understudy {
namespace {

constexpr int kBucketsMax = 1000;
constexpr Duration kWindowMax = std::chrono::hours(24);

CallWindow::Options WindowOf(const AdaptiveThrottleOptions& options) {
  UNDERSTUDY_CHECK(FindProblems(options).empty(), "invalid adaptive throttle options");
  return {.kind = CallWindow::Kind::kTime, .length = options.window, .buckets = options.buckets};
}

}  // namespace

Problems FindProblems(const AdaptiveThrottleOptions& options) {
  Problems problems;
  if (!(options.accept_share > 0.0 && options.accept_share <= 1.0)) {  // Also catches NaN.
    problems.push_back("throttle.accept_share is " + std::to_string(options.accept_share) +
                       "; it must be above 0 and at most 1");
  }
  if (!(options.rejection_max >= 0.0 && options.rejection_max <= 1.0)) {
    problems.push_back("throttle.rejection_max is " + std::to_string(options.rejection_max) +
                       "; it must be 0 to 1");
  }
  RequireRange(problems, "throttle.buckets", options.buckets, 1, kBucketsMax);
  if (options.window < std::chrono::milliseconds(1) || options.window > kWindowMax) {
    problems.push_back("throttle.window is " + FormatDuration(options.window) +
                       "; it must be 1ms to " + FormatDuration(kWindowMax));
  }
  if (options.requests_min < 1) {
    problems.push_back("throttle.requests_min is " + std::to_string(options.requests_min) +
                       "; it must be at least 1");
  }
  return problems;
}

AdaptiveThrottle::AdaptiveThrottle(const AdaptiveThrottleOptions& options)
    : options_(options), window_(WindowOf(options)) {}

void AdaptiveThrottle::Record(TimePoint now, bool accepted) {
  window_.Add(now, {.failed = !accepted});
}

double AdaptiveThrottle::RejectionProbability(TimePoint now) const {
  const WindowCounts counts = window_.Counts(now);
  if (counts.calls() < options_.requests_min) return 0.0;
  const auto requests = static_cast<double>(counts.calls());
  const auto accepts = static_cast<double>(counts.successes);
  const double probability = (requests - accepts / options_.accept_share) / (requests + 1);
  return std::clamp(probability, 0.0, options_.rejection_max);
}

}  // namespace understudy
