// SystemClock: the Clock of production: steady_clock, system_clock, and threads that really block.
//
//   SystemClock clock;
//   clock.SleepFor(20ms);
#pragma once

#include "middleware/runtime/clock.h"

namespace understudy {

// Thread-safe and stateless. CLOCK_MONOTONIC stands still while the machine is suspended;
// wall-clock times (SystemNow) do not, so what must expire during a suspension is kept as
// SystemTime.
//
// The blocking functions abort when the thread holds a Mutex (other than the awaited one): that is
// a bug which would stop other threads for the length of the wait.
class SystemClock final : public Clock {
 public:
  using Clock::SleepUntil;

  TimePoint Now() const override;
  SystemTime SystemNow() const override;
  void SleepUntil(TimePoint wake_at) override;
  bool AwaitUntil(Mutex& mutex, CondVar& condition, TimePoint deadline,
                  FunctionRef<bool()> predicate) override REQUIRES(mutex);
};

}  // namespace understudy
