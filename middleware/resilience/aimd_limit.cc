#include "middleware/resilience/aimd_limit.h"

#include <algorithm>
#include <cstdint>

#include "middleware/base/check.h"

namespace understudy {

AimdLimit::AimdLimit(const AdaptiveLimitOptions& options)
    : options_(options), limit_(options.initial) {
  UNDERSTUDY_CHECK(FindProblems(options).empty(), "invalid adaptive limit options");
}

int AimdLimit::Update(Duration round_trip, int in_flight, bool dropped) {
  int next = limit_;
  if (dropped || (options_.slow_after && round_trip > *options_.slow_after)) {
    next = static_cast<int>(limit_ * options_.backoff);
  } else if (std::int64_t{in_flight} * 2 >= limit_) {
    next = limit_ + 1;
  }
  limit_ = std::clamp(next, options_.min, options_.max);
  return limit_;
}

}  // namespace understudy
