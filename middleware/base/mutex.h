// Mutex, MutexLock and CondVar: annotated for clang's thread-safety analysis, and visible to the
// simulator.
//
// A condition is awaited only through Clock::AwaitUntil, because every wait of the middleware goes
// through the Clock.
//
//   Mutex mutex;
//   CondVar changed{"queue not empty"};
//   std::deque<Job> jobs GUARDED_BY(mutex);
//
//   MutexLock lock(mutex);
//   clock.AwaitUntil(mutex, changed, deadline, [&] { return !jobs.empty(); });
//
// Rule: a thread never blocks while it holds a Mutex other than the one it awaits on. Clock
// implementations check it with HeldMutexCount() and abort with a message.
#pragma once

#include <cstddef>
#include <mutex>
#include <string_view>
#include <vector>

#include "middleware/base/thread_annotations.h"

namespace understudy {

// What a simulator does at the points where threads may interleave. Installed per thread;
// production has none.
class SchedulerHook {
 public:
  virtual ~SchedulerHook() = default;
  // Called before a mutex is taken, only while the thread holds none. May switch to another thread.
  virtual void BeforeLock() = 0;
};

// Installs `hook` for the calling thread and returns the one it replaces; nullptr removes it.
SchedulerHook* SetSchedulerHook(SchedulerHook* hook);

// How many Mutexes the calling thread holds.
int HeldMutexCount();

// A mutual-exclusion lock. Not recursive. Locking blocks for as long as another thread holds it,
// which by the rule above is never for the length of an I/O operation.
class CAPABILITY("mutex") Mutex {
 public:
  Mutex() = default;
  Mutex(const Mutex&) = delete;
  Mutex& operator=(const Mutex&) = delete;

  void Lock() ACQUIRE();
  void Unlock() RELEASE();

 private:
  std::mutex mutex_;
};

// Holds a Mutex for a scope.
class SCOPED_CAPABILITY MutexLock {
 public:
  explicit MutexLock(Mutex& mutex) ACQUIRE(mutex) : mutex_(mutex) { mutex_.Lock(); }
  ~MutexLock() RELEASE() { mutex_.Unlock(); }
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

 private:
  Mutex& mutex_;
};

// A condition that threads can be told about. It does not block anybody itself: a Clock registers a
// Waiter, and NotifyAll wakes the registered ones. A forgotten notify is therefore a reproducible
// deadlock under simulation.
//
// Thread-safe. Change the awaited state under the mutex, then notify (with or without the mutex
// held).
class CondVar {
 public:
  // One blocked thread, as a Clock implements it.
  class Waiter {
   public:
    // Called from the notifying thread. Must not block and must not call back into the CondVar.
    virtual void Wake() = 0;

   protected:
    ~Waiter() = default;
  };

  // `name` says what is awaited; it appears in deadlock reports. It must outlive the CondVar (a
  // literal).
  explicit CondVar(std::string_view name = "condition") : name_(name) {}
  ~CondVar();
  CondVar(const CondVar&) = delete;
  CondVar& operator=(const CondVar&) = delete;

  // Wakes every waiter; each re-checks its predicate.
  void NotifyAll();

  std::string_view name() const { return name_; }

  // For Clock implementations: between Register and Unregister the waiter is woken by NotifyAll.
  void Register(Waiter& waiter);
  void Unregister(Waiter& waiter);

 private:
  std::string_view name_;
  std::mutex mutex_;  // Guards only the list; never held while anything else is locked but a
                      // Waiter's own lock.
  std::vector<Waiter*> waiters_;
};

}  // namespace understudy
