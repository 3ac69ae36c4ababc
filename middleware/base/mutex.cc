#include "middleware/base/mutex.h"

#include <algorithm>
#include <utility>

#include "middleware/base/check.h"

namespace understudy {
namespace {

struct ThreadState {
  SchedulerHook* hook = nullptr;
  int held = 0;
};

// constinit: no guard and no lazy initialisation on the lock path.
constinit thread_local ThreadState thread_state;

}  // namespace

SchedulerHook* SetSchedulerHook(SchedulerHook* hook) {
  return std::exchange(thread_state.hook, hook);
}

int HeldMutexCount() { return thread_state.held; }

void Mutex::Lock() {
  // Only with no mutex held: whoever is switched to then never finds a lock taken by a parked
  // thread.
  if (thread_state.hook != nullptr && thread_state.held == 0) thread_state.hook->BeforeLock();
  mutex_.lock();
  ++thread_state.held;
}

void Mutex::Unlock() {
  --thread_state.held;
  mutex_.unlock();
}

CondVar::~CondVar() {
  const std::lock_guard lock(mutex_);
  UNDERSTUDY_CHECK(waiters_.empty(), "a CondVar was destroyed while somebody waits on it");
}

void CondVar::NotifyAll() {
  const std::lock_guard lock(mutex_);
  for (Waiter* waiter : waiters_) waiter->Wake();
}

void CondVar::Register(Waiter& waiter) {
  const std::lock_guard lock(mutex_);
  waiters_.push_back(&waiter);
}

void CondVar::Unregister(Waiter& waiter) {
  const std::lock_guard lock(mutex_);
  const auto found = std::find(waiters_.begin(), waiters_.end(), &waiter);
  UNDERSTUDY_CHECK(found != waiters_.end(), "the waiter was not registered");
  waiters_.erase(found);
}

}  // namespace understudy
