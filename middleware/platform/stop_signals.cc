#include "middleware/platform/stop_signals.h"

#include <pthread.h>
#include <signal.h>
#include <time.h>

#include <algorithm>

namespace understudy {
namespace {

sigset_t Signals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  return signals;
}

}  // namespace

StopSignals::StopSignals() {
  const sigset_t signals = Signals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
}

StopSignals::~StopSignals() {
  const sigset_t signals = Signals();
  pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);
}

bool StopSignals::Wait(Duration timeout) {
  if (came_) return true;
  const auto wait = std::max(timeout, Duration::zero());
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(wait);
  const timespec limit{.tv_sec = static_cast<time_t>(seconds.count()),
                       .tv_nsec = static_cast<long>((wait - seconds).count())};
  const sigset_t signals = Signals();
  came_ = sigtimedwait(&signals, nullptr, &limit) > 0;
  return came_;
}

}  // namespace understudy
