// BurstySchedule: so many units per cycle, all at once if they are asked for.
//
//   BurstySchedule schedule(/*permits=*/5, 1s, now);
//   schedule.Reserve(now, 12);  // Due at the start of the third cycle; uses 5, 5 and 2.
//
// Cycles follow each other from the start, as the fixed windows of many vendors do. Unused units
// end with their cycle. Around the border of two cycles twice the permits may go within a moment.
#pragma once

#include <limits>

#include "middleware/resilience/token_bucket_schedule.h"

namespace understudy {

// Not thread-safe. A token bucket that one refill fills, and into whose coming cycles a request of
// any cost may reach.
class BurstySchedule final : public TokenBucketSchedule {
 public:
  BurstySchedule(int permits, Duration cycle, TimePoint start)
      : TokenBucketSchedule({.refill = permits, .every = cycle, .capacity = permits},
                            std::numeric_limits<int>::max(), start) {}
};

}  // namespace understudy
