// HedgeTimer: tells races when their next hedge is due, with one thread for all of them.
//
// The building block of HedgeInterceptor, and of nothing else. A race is armed for every call and
// nearly always disarmed before its time, so that is the cheap path: two short locks, and no
// wake-up of the thread, which looks for itself what has become due since it last slept.
#pragma once

#include <list>

#include "middleware/base/mutex.h"
#include "middleware/runtime/runtime.h"

namespace understudy {

// Thread-safe. Starts its task at construction; the destructor stops it and waits for its end.
class HedgeTimer {
 public:
  class Race {
   public:
    // The time has come. Called by the timer's thread with no lock held; true to be armed again,
    // `after` later. Must not block.
    virtual bool Fire() = 0;
    virtual ~Race() = default;

   private:
    friend class HedgeTimer;
    TimePoint due_;
    std::list<Race*>::iterator place_;
    bool armed_ = false;
  };

  HedgeTimer(Duration after, const Runtime& runtime);
  ~HedgeTimer();
  HedgeTimer(const HedgeTimer&) = delete;
  HedgeTimer& operator=(const HedgeTimer&) = delete;

  // From `now`, which is the time. `race` must live until Disarm has returned.
  void Arm(Race& race, TimePoint now) EXCLUDES(mutex_);
  // Afterwards Fire is neither running nor ever called again. Blocks only while it runs.
  void Disarm(Race& race) EXCLUDES(mutex_);

 private:
  void Run(const std::stop_token& stop) EXCLUDES(mutex_);
  void FireOne(Race& race) EXCLUDES(mutex_);
  void Insert(Race& race, TimePoint now) REQUIRES(mutex_);
  void Remove(Race& race) REQUIRES(mutex_);

  const Duration after_;
  const Runtime runtime_;
  Mutex mutex_;
  CondVar changed_{"a hedge that becomes due"};
  // In the order of their times, which is that of arming: all wait equally long.
  std::list<Race*> races_ GUARDED_BY(mutex_);
  std::list<Race*> spare_ GUARDED_BY(mutex_);  // Nodes for it: as many as there once were races.
  Race* firing_ GUARDED_BY(mutex_) = nullptr;  // Whose Fire is running.
  TimePoint wakes_at_ GUARDED_BY(mutex_) = kNever;  // When the thread looks again by itself.
  bool rearmed_ GUARDED_BY(mutex_) = false;
  Task task_;
};

}  // namespace understudy
