#include "middleware/client/hedge_timer.h"

namespace understudy {

HedgeTimer::HedgeTimer(Duration after, const Runtime& runtime)
    : after_(after),
      runtime_(runtime),
      task_(runtime.executor.Spawn("hedge timer", [this](std::stop_token stop) { Run(stop); })) {}

HedgeTimer::~HedgeTimer() {
  task_.RequestStop();
  task_.Join();
}

void HedgeTimer::Arm(Race& race, TimePoint now) {
  const MutexLock lock(mutex_);
  Insert(race, now);
  if (race.due_ < wakes_at_) {
    rearmed_ = true;
    changed_.NotifyAll();
  }
}

void HedgeTimer::Insert(Race& race, TimePoint now) {
  race.due_ = SaturatingAdd(now, after_);
  if (spare_.empty()) spare_.emplace_back();
  race.place_ = spare_.begin();
  *race.place_ = &race;
  races_.splice(races_.end(), spare_, race.place_);
  race.armed_ = true;
}

void HedgeTimer::Remove(Race& race) {
  spare_.splice(spare_.begin(), races_, race.place_);
  race.armed_ = false;
}

void HedgeTimer::Disarm(Race& race) {
  const MutexLock lock(mutex_);
  if (firing_ == &race) {
    const bool done = runtime_.clock.AwaitUntil(
        mutex_, changed_, kNever, [&]() REQUIRES(mutex_) { return firing_ != &race; });
    if (!done) firing_ = nullptr;  // A simulation has ended; the race goes, whatever Fire does.
  }
  if (race.armed_) Remove(race);
}

void HedgeTimer::Run(const std::stop_token& stop) {
  const std::stop_callback wake(stop, [this] {
    const MutexLock lock(mutex_);
    changed_.NotifyAll();
  });
  while (!stop.stop_requested()) {
    Race* due = nullptr;
    {
      const MutexLock lock(mutex_);
      wakes_at_ = races_.empty() ? kNever : races_.front()->due_;
      rearmed_ = false;
      runtime_.clock.AwaitUntil(mutex_, changed_, wakes_at_, [&]() REQUIRES(mutex_) {
        return rearmed_ || stop.stop_requested();
      });
      if (stop.stop_requested()) return;
      if (races_.empty() || races_.front()->due_ > runtime_.clock.Now()) continue;
      due = races_.front();
      Remove(*due);
      firing_ = due;
    }
    FireOne(*due);
  }
}

void HedgeTimer::FireOne(Race& race) {
  // Also if a simulation ends in the middle of it: nobody may wait for this for ever.
  struct End {
    HedgeTimer& timer;
    Race& race;
    bool again = false;
    ~End() {
      const MutexLock lock(timer.mutex_);
      if (timer.firing_ != &race) return;
      timer.firing_ = nullptr;
      if (again) timer.Insert(race, timer.runtime_.clock.Now());
      timer.changed_.NotifyAll();
    }
  } end{*this, race};
  end.again = race.Fire();
}

}  // namespace understudy
