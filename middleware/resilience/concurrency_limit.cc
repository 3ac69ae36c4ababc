#include "middleware/resilience/concurrency_limit.h"

#include <string>

#include "middleware/base/text.h"
#include "middleware/resilience/aimd_limit.h"
#include "middleware/resilience/vegas_limit.h"

namespace understudy {
namespace {

constexpr int kLimitMax = 100'000;

// Written so that no number at all is a problem.
void CheckShare(Problems& problems, const char* name, double value, bool one_is_fine) {
  if (value > 0.0 && (value < 1.0 || (one_is_fine && value <= 1.0))) return;
  problems.push_back(std::string("adaptive.") + name + " is " + std::to_string(value) +
                     "; it must be above 0 and " + (one_is_fine ? "at most 1" : "below 1"));
}

}  // namespace

std::string_view ToString(AdaptiveLimitKind kind) {
  switch (kind) {
    case AdaptiveLimitKind::kAimd:
      return "aimd";
    case AdaptiveLimitKind::kVegas:
      break;
  }
  return "vegas";
}

Problems FindProblems(const AdaptiveLimitOptions& options) {
  Problems problems;
  RequireRange(problems, "adaptive.min", options.min, 1, kLimitMax);
  RequireRange(problems, "adaptive.max", options.max, 1, kLimitMax);
  if (options.max < options.min) {
    problems.push_back("adaptive.max is " + std::to_string(options.max) +
                       "; it must be at least adaptive.min, " + std::to_string(options.min));
  } else {
    RequireRange(problems, "adaptive.initial", options.initial, options.min, options.max);
  }
  CheckShare(problems, "backoff", options.backoff, false);
  if (options.slow_after && *options.slow_after <= Duration::zero()) {
    problems.push_back("adaptive.slow_after is " + FormatDuration(*options.slow_after) +
                       "; it must be positive");
  }
  RequireRange(problems, "adaptive.alpha", options.alpha, 1, kLimitMax);
  RequireRange(problems, "adaptive.beta", options.beta, 1, kLimitMax);
  if (options.beta < options.alpha) {
    problems.push_back("adaptive.beta is " + std::to_string(options.beta) +
                       "; it must be at least adaptive.alpha, " + std::to_string(options.alpha));
  }
  CheckShare(problems, "smoothing", options.smoothing, true);
  if (options.decrease) CheckShare(problems, "decrease", *options.decrease, false);
  return problems;
}

std::unique_ptr<ConcurrencyLimit> CreateConcurrencyLimit(const AdaptiveLimitOptions& options) {
  if (options.kind == AdaptiveLimitKind::kVegas) return std::make_unique<VegasLimit>(options);
  return std::make_unique<AimdLimit>(options);
}

}  // namespace understudy
