#include "middleware/resilience/sliding_window_schedule.h"

#include <algorithm>

#include "middleware/base/check.h"

namespace understudy {

SlidingWindowSchedule::SlidingWindowSchedule(int permits, Duration per)
    : permits_(permits), per_(per) {
  UNDERSTUDY_CHECK(permits >= 1 && per > Duration::zero(), "a rate of nothing");
}

TimePoint SlidingWindowSchedule::EarliestFor(TimePoint now, int cost) const {
  if (log_.empty()) return now;
  const TimePoint in_order = std::max(now, log_.back().due);
  // The window must have passed all units up to this one; totals of the log find its entry.
  const std::int64_t passed = Total() + cost - permits_;
  if (passed <= expired_) return in_order;
  const auto last = std::ranges::lower_bound(log_, passed, {}, &Entry::total);
  return std::max(in_order, SaturatingAdd(last->due, per_));
}

Duration SlidingWindowSchedule::WaitFor(TimePoint now, int cost) const {
  UNDERSTUDY_CHECK(cost >= 0, "a negative cost");
  return cost > permits_ ? kForEver : TimeUntil(now, EarliestFor(now, cost));
}

RateSchedule::Reservation SlidingWindowSchedule::Reserve(TimePoint now, int cost) {
  DropExpired(now);
  const Duration wait = WaitFor(now, cost);
  if (wait == kForEver) return {};
  const TimePoint due = now + wait;
  if (cost > 0) {
    const std::int64_t total = Total() + cost;
    if (!log_.empty() && log_.back().due == due) {
      log_.back().total = total;
    } else {
      log_.push_back({due, total});
    }
  }
  return Issue(wait, cost, due);
}

bool SlidingWindowSchedule::Cancel(const Reservation& reservation) {
  if (!reservation.taken()) return false;
  if (reservation.cost == 0) return true;
  auto entry = std::ranges::lower_bound(log_, reservation.mark, {}, &Entry::due);
  if (entry == log_.end() || entry->due != reservation.mark) return false;  // Left the window.
  for (; entry != log_.end(); ++entry) entry->total -= reservation.cost;
  // Empty entries at the end would make later requests wait for their time.
  const auto before_last = [this] {
    return log_.size() > 1 ? log_[log_.size() - 2].total : expired_;
  };
  while (!log_.empty() && log_.back().total == before_last()) log_.pop_back();
  return true;
}

int SlidingWindowSchedule::Available(TimePoint now) const {
  if (log_.empty()) return permits_;
  if (log_.back().due > now) return 0;
  const auto inside = std::ranges::upper_bound(log_, SaturatingAdd(now, -per_), {}, &Entry::due);
  const std::int64_t passed = inside == log_.begin() ? expired_ : std::prev(inside)->total;
  return permits_ - static_cast<int>(Total() - passed);
}

void SlidingWindowSchedule::DropExpired(TimePoint now) {
  while (!log_.empty() && SaturatingAdd(log_.front().due, per_) <= now) {
    expired_ = log_.front().total;
    log_.pop_front();
  }
}

}  // namespace understudy
