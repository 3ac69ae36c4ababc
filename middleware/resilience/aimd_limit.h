// AimdLimit: additive increase, multiplicative decrease (as TCP's window, RFC 5681 section 3.1).
//
//   AimdLimit limit({.initial = 20, .min = 1, .max = 200});
//   limit.Update(20ms, 10, /*dropped=*/false);  // 21
//   limit.Update(20ms, 21, /*dropped=*/true);   // 18, nine tenths
//
// It needs a vendor that says when it has enough (429, 503, timeouts), and no clean measurements.
#pragma once

#include "middleware/resilience/concurrency_limit.h"

namespace understudy {

class AimdLimit final : public ConcurrencyLimit {
 public:
  // `options` without problems; aborts otherwise.
  explicit AimdLimit(const AdaptiveLimitOptions& options);

  // One more after a call that went well, if at least half of the limit was in use: a quiet client
  // learns nothing about what a busy one could ask for. `backoff` times the limit, rounded down,
  // after a drop.
  int Update(Duration round_trip, int in_flight, bool dropped) override;
  int limit() const override { return limit_; }

 private:
  const AdaptiveLimitOptions options_;
  int limit_;
};

}  // namespace understudy
