#include "middleware/platform/system_clock.h"

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>

#include "middleware/base/check.h"

namespace understudy {
namespace {

// One blocked call. It has a lock of its own, so that a wake-up between the release of the caller's
// Mutex and the wait is remembered instead of lost.
class BlockedCall final : public CondVar::Waiter {
 public:
  explicit BlockedCall(CondVar& condition) : condition_(condition) { condition_.Register(*this); }
  // Unregister waits for a NotifyAll in progress, so that nobody touches this object afterwards.
  ~BlockedCall() { condition_.Unregister(*this); }
  BlockedCall(const BlockedCall&) = delete;
  BlockedCall& operator=(const BlockedCall&) = delete;

  void Wake() override {
    const std::lock_guard lock(mutex_);
    woken_ = true;
    changed_.notify_one();
  }

  void BlockUntil(TimePoint deadline) {
    std::unique_lock lock(mutex_);
    const auto woken = [this] { return woken_; };
    if (deadline == kNever) {
      changed_.wait(lock, woken);
    } else {
      changed_.wait_until(lock, deadline, woken);
    }
    woken_ = false;
  }

 private:
  CondVar& condition_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool woken_ = false;
};

}  // namespace

TimePoint SystemClock::Now() const { return std::chrono::steady_clock::now(); }

SystemTime SystemClock::SystemNow() const { return std::chrono::system_clock::now(); }

void SystemClock::SleepUntil(TimePoint wake_at) {
  UNDERSTUDY_CHECK(HeldMutexCount() == 0,
                   "a thread must not sleep while it holds a Mutex: release it first");
  constexpr auto kLongSleep = std::chrono::hours(24);
  while (wake_at == kNever) std::this_thread::sleep_for(kLongSleep);
  std::this_thread::sleep_until(wake_at);
}

bool SystemClock::AwaitUntil(Mutex& mutex, CondVar& condition, TimePoint deadline,
                             FunctionRef<bool()> predicate) {
  UNDERSTUDY_CHECK(HeldMutexCount() == 1,
                   "a thread must hold exactly the awaited Mutex while it waits for \"" +
                       std::string(condition.name()) + "\"");
  // Registered before the first look: a change after it is made under the mutex, and notifies.
  BlockedCall call(condition);
  for (;;) {
    if (predicate()) return true;
    if (deadline != kNever && Now() >= deadline) return false;
    mutex.Unlock();
    call.BlockUntil(deadline);
    mutex.Lock();
  }
}

}  // namespace understudy
