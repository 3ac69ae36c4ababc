// RateSchedule: when the next request may go, as arithmetic on points of time.
//
//   GcraSchedule schedule(100ms, /*burst=*/5, now);
//   if (schedule.WaitFor(now, 2) > patience) return TooLate();
//   const auto taken = schedule.Reserve(now, 2);  // Due at now + taken.wait.
//   if (NobodyWantsItAnyMore()) schedule.Cancel(taken);
//
// A pure state machine: it reads no clock, takes no lock, blocks never. RateLimiter adds those.
// `cost` counts in the unit of the limit, one for a plain request.
#pragma once

#include <cstdint>

#include "middleware/base/time.h"

namespace understudy {

// Not thread-safe. The common contract of every schedule:
//
// - First come, first served, whatever the costs: what is reserved later is never due earlier, so
//   small requests do not starve a large one.
// - `now` is the time of the call. Whoever shares a schedule between threads hands it a time that
//   only grows: an older one would count a request earlier than it went.
// - `cost` is zero or more. Zero takes nothing; it asks only whether a backlog exists.
// - Arithmetic saturates: what would be due after the last representable point is never due.
class RateSchedule {
 public:
  // The wait of what can never be granted.
  static constexpr Duration kForEver = Duration::max();

  // A place in the schedule. A plain value; forgetting it means that it was used.
  struct Reservation {
    Duration wait = kForEver;  // Until it is due, from the `now` of Reserve; kForEver: not taken.
    int cost = 0;
    TimePoint mark = {};         // What the schedule needs to take it back.
    std::uint64_t id = 0;        // 0: nothing was taken.
    std::uint64_t previous = 0;  // The newest reservation before it.

    bool taken() const { return id != 0; }
  };

  virtual ~RateSchedule() = default;

  // How long `cost` would have to wait now, without taking it; kForEver if it can never be granted.
  virtual Duration WaitFor(TimePoint now, int cost) const = 0;

  // Takes `cost` at the earliest point that the limit and the order allow. Takes nothing if that
  // never comes.
  virtual Reservation Reserve(TimePoint now, int cost) = 0;

  // Gives back a reservation that was not used, at most once. The newest one is always undone
  // completely, so that a series of reservations can be taken back newest first. Returns false
  // without an effect if giving it back could exceed the limit, because later reservations count on
  // it: each schedule says when an older one can be given back.
  virtual bool Cancel(const Reservation& reservation) = 0;

  // The largest cost that would be granted at once; 0 while a reservation waits.
  virtual int Available(TimePoint now) const = 0;

  // The largest cost that is ever granted.
  virtual int cost_max() const = 0;

 protected:
  // The newest reservation, for the schedules that can undo only that one.
  Reservation Issue(Duration wait, int cost, TimePoint mark);
  bool IsNewest(const Reservation& reservation) const { return newest_ == reservation.id; }
  // Makes the one before `reservation` the newest.
  void Forget(const Reservation& reservation) { newest_ = reservation.previous; }

 private:
  std::uint64_t issued_ = 0;
  std::uint64_t newest_ = 0;
};

// `duration * count`, saturating; for a duration and a count of zero or more.
Duration SaturatingMultiply(Duration duration, std::int64_t count);

// From `now` to `due`: zero if that has passed, RateSchedule::kForEver if it is kNever.
Duration TimeUntil(TimePoint now, TimePoint due);

}  // namespace understudy
