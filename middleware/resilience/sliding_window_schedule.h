// SlidingWindowSchedule: never more than `permits` in any window of `per`, exactly.
//
//   SlidingWindowSchedule schedule(/*permits=*/100, 1min, now);
//   schedule.Reserve(now, 100);  // At once; the window has room again a minute from now.
//
// Keeps what any fixed window of that length, wherever it is aligned, allows as well. A window
// contains its end and not its start: what went exactly `per` ago has left it. The limit holds for
// the points at which units are due; network and scheduler may still push requests together.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>

#include "middleware/resilience/rate_schedule.h"

namespace understudy {

// Not thread-safe. Keeps a log with one entry for each point of time at which units were or will be
// due: at most `permits` entries of the last window, and one per reservation that still waits.
// A call costs a binary search in it.
class SlidingWindowSchedule final : public RateSchedule {
 public:
  // `permits` is at least 1, `per` positive.
  SlidingWindowSchedule(int permits, Duration per);

  Duration WaitFor(TimePoint now, int cost) const override;
  Reservation Reserve(TimePoint now, int cost) override;
  // Any that is still in the log, newest or not. Costs one step per younger entry: few, for a
  // request that failed early.
  bool Cancel(const Reservation& reservation) override;
  int Available(TimePoint now) const override;
  int cost_max() const override { return permits_; }

  // The entries of the log, for those who watch its memory.
  std::size_t log_size() const { return log_.size(); }

 private:
  struct Entry {
    TimePoint due;
    std::int64_t total;  // All units ever taken, up to and with those of this entry.
  };

  TimePoint EarliestFor(TimePoint now, int cost) const;
  std::int64_t Total() const { return log_.empty() ? expired_ : log_.back().total; }
  void DropExpired(TimePoint now);

  const int permits_;
  const Duration per_;
  std::deque<Entry> log_;     // By `due` and by `total`.
  std::int64_t expired_ = 0;  // The total of the entries that have left the log.
};

}  // namespace understudy
