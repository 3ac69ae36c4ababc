// Clock: the only source of time, and the only way to block.
//
// Everything in the middleware that waits (a back-off, a token refresh in flight, a free permit)
// waits through this interface. That is what lets the same code run on real threads in production
// and in virtual time under simulation.
//
//   clock.SleepUntil(clock.Now() + 200ms);
//
//   MutexLock lock(mutex_);
//   const bool ready = clock.AwaitUntil(mutex_, changed_, deadline, [&] { return done_; });
//
// Thread-safe. Every blocking function checks that the thread holds no Mutex (but the awaited one)
// and aborts if it does.
#pragma once

#include <stop_token>

#include "middleware/base/function_ref.h"
#include "middleware/base/mutex.h"
#include "middleware/base/time.h"

namespace understudy {

class Clock {
 public:
  virtual ~Clock() = default;

  // Monotonic; for intervals, timeouts and deadlines.
  virtual TimePoint Now() const = 0;

  // Wall clock (UTC); for token expiry, signatures and records. It may jump in either direction.
  virtual SystemTime SystemNow() const = 0;

  // Blocks until `wake_at`; returns at once if it has passed. kNever blocks for ever.
  virtual void SleepUntil(TimePoint wake_at) = 0;

  // Blocks until `predicate()` holds or `deadline` passes, and returns the predicate's last value.
  // The predicate is called with `mutex` held; the mutex is released while blocked. Only a
  // NotifyAll on `condition`, or the deadline, makes it look again.
  virtual bool AwaitUntil(Mutex& mutex, CondVar& condition, TimePoint deadline,
                          FunctionRef<bool()> predicate) REQUIRES(mutex) = 0;

  // Blocks until `wake_at` or until `stop` is requested; returns false if stopped first.
  bool SleepUntil(TimePoint wake_at, const std::stop_token& stop);

  // Blocks for `duration`; nothing for zero or less.
  void SleepFor(Duration duration) { SleepUntil(SaturatingAdd(Now(), duration)); }
};

}  // namespace understudy
