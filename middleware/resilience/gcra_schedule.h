// GcraSchedule: one unit per interval, and an idle schedule saves up a burst (the generic cell rate
// algorithm of ITU-T I.371, in its virtual-scheduling form).
//
//   GcraSchedule schedule(1s, /*burst=*/5, now);
//   schedule.Reserve(now, 5);   // At once.
//   schedule.WaitFor(now, 1);   // 1 s
//   schedule.WaitFor(now, 6);   // kForEver: more than the burst.
//
// The whole state is one point of time: when the schedule would be idle again with its burst
// restored. In any time T it grants at most burst + T / interval.
#pragma once

#include "middleware/resilience/rate_schedule.h"

namespace understudy {

// Not thread-safe. Every operation is a handful of additions.
class GcraSchedule final : public RateSchedule {
 public:
  // `interval` between two units, positive; `burst`, at least 1, is what an idle schedule grants at
  // once. Their product must not exceed half of Duration::max(). Starts idle.
  GcraSchedule(Duration interval, int burst, TimePoint start);

  Duration WaitFor(TimePoint now, int cost) const override;
  Reservation Reserve(TimePoint now, int cost) override;
  // Only the newest: with a later one, giving back would let two units go in one interval.
  bool Cancel(const Reservation& reservation) override;
  int Available(TimePoint now) const override;
  int cost_max() const override { return burst_; }

  // Until the whole burst is available again; zero if it is.
  Duration ResetAfter(TimePoint now) const { return TimeUntil(now, idle_at_); }

 private:
  TimePoint IdleAfter(TimePoint now, int cost) const;

  const Duration interval_;
  const int burst_;
  TimePoint idle_at_;  // The theoretical arrival time of the standard.
};

}  // namespace understudy
