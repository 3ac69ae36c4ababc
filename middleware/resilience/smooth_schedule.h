// SmoothSchedule: one unit per slot of a fixed grid; nothing is saved up.
//
//   SmoothSchedule schedule(500ms, now);
//   schedule.Reserve(now, 3);  // Due with its third slot, in 1 s.
//
// Slots are counted from the start. The slot of this moment is used at once if it is free, so two
// units may go with less than a slot between them, and never in the same slot.
#pragma once

#include <limits>

#include "middleware/resilience/rate_schedule.h"

namespace understudy {

// Not thread-safe. A cost takes as many slots in a row and is due when the last one begins.
class SmoothSchedule final : public RateSchedule {
 public:
  // `slot` is positive.
  SmoothSchedule(Duration slot, TimePoint start);

  Duration WaitFor(TimePoint now, int cost) const override;
  Reservation Reserve(TimePoint now, int cost) override;
  // Only the newest: the slots of an older one have been passed over.
  bool Cancel(const Reservation& reservation) override;
  int Available(TimePoint now) const override { return now >= next_free_ ? 1 : 0; }
  int cost_max() const override { return std::numeric_limits<int>::max(); }

  // The first slot that nobody has taken.
  TimePoint next_free() const { return next_free_; }

 private:
  TimePoint FreeAfter(TimePoint now, int cost) const;

  const Duration slot_;
  const TimePoint start_;
  TimePoint next_free_;
};

}  // namespace understudy
