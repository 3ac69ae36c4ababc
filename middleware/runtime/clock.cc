#include "middleware/runtime/clock.h"

namespace understudy {

bool Clock::SleepUntil(TimePoint wake_at, const std::stop_token& stop) {
  if (!stop.stop_possible()) {
    SleepUntil(wake_at);
    return true;
  }
  Mutex mutex;
  CondVar stopped("sleep, or stop");
  // The callback takes the mutex so that a request between the predicate and the wait is not lost.
  const std::stop_callback wake(stop, [&] {
    const MutexLock lock(mutex);
    stopped.NotifyAll();
  });
  const MutexLock lock(mutex);
  return !AwaitUntil(mutex, stopped, wake_at, [&] { return stop.stop_requested(); });
}

}  // namespace understudy
