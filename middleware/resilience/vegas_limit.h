// VegasLimit: finds the limit at which calls begin to queue at the vendor, from their round trips
// (as TCP Vegas: L. Brakmo and L. Peterson, IEEE JSAC 13(8), 1995).
//
//   VegasLimit limit({.kind = AdaptiveLimitKind::kVegas, .initial = 10, .max = 20});
//   limit.Update(10ms, 10, false);  // 10: the quickest round trip so far
//   limit.Update(10ms, 11, false);  // 16: nobody queues
//   limit.Update(40ms, 16, false);  // 15: three quarters of the time is spent in a queue
//
// The queue is estimated as limit * (1 - quickest / round trip). The quickest round trip is
// measured anew now and then, because a vendor may get slower for good. Meant for calls of about
// equal length; for a mix, AimdLimit.
#pragma once

#include <cstdint>

#include "middleware/resilience/concurrency_limit.h"

namespace understudy {

// Differs from concurrency-limits in what it takes for a measurement: a drop lowers the limit, but
// is never the quickest round trip (a refusal is often quicker than any answer), and a round trip
// of zero measures nothing.
class VegasLimit final : public ConcurrencyLimit {
 public:
  // `options` without problems; aborts otherwise.
  explicit VegasLimit(const AdaptiveLimitOptions& options);

  int Update(Duration round_trip, int in_flight, bool dropped) override;
  int limit() const override { return static_cast<int>(estimate_); }

 private:
  bool MeasureQuickest(Duration round_trip);
  double Lowered() const;
  double Next(Duration round_trip) const;
  int MoveTo(double limit);

  const AdaptiveLimitOptions options_;
  double estimate_;                // The limit, with the fractions that smoothing leaves.
  Duration quickest_{0};           // Zero: none yet.
  std::int64_t measurements_ = 0;  // Since the quickest round trip was last measured anew.
};

}  // namespace understudy
