// SkewedClock: a clock whose wall time is off by a fixed amount, as a vendor's clock may be.
#pragma once

#include "middleware/runtime/clock.h"

namespace understudy::harness {

// Monotonic time and every wait are those of `inner`, which must outlive it. Thread-safe.
class SkewedClock final : public Clock {
 public:
  SkewedClock(Clock& inner, Duration skew) : inner_(inner), skew_(skew) {}

  TimePoint Now() const override { return inner_.Now(); }
  SystemTime SystemNow() const override { return inner_.SystemNow() + skew_; }
  void SleepUntil(TimePoint wake_at) override { inner_.SleepUntil(wake_at); }
  bool AwaitUntil(Mutex& mutex, CondVar& condition, TimePoint deadline,
                  FunctionRef<bool()> predicate) override REQUIRES(mutex) {
    return inner_.AwaitUntil(mutex, condition, deadline, predicate);
  }

 private:
  Clock& inner_;
  const Duration skew_;
};

}  // namespace understudy::harness
