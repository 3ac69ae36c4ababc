#include "middleware/health/health_state.h"

#include <algorithm>
#include <utility>

#include "middleware/health/health_code.h"

namespace understudy {
namespace {

constexpr int kCountMax = 1'000'000;  // Counters in a row need not grow for years.

void CountUp(int& counter) { counter = std::min(counter + 1, kCountMax); }

}  // namespace

void HealthState::Record(ProbeOutcome outcome, TimePoint now) {
  if (StaleAt(now)) {
    failures_ = usable_ = healthy_ = 0;
    if (status_ != HealthStatus::kUnhealthy) status_ = HealthStatus::kUnknown;
  }
  last_at_ = now;
  code_ = CleanHealthCode(outcome.code);
  const bool usable =
      outcome.status == HealthStatus::kHealthy || outcome.status == HealthStatus::kDegraded;
  if (usable) {
    RecordUsable(outcome.status);
  } else {
    RecordFailure();
  }
}

void HealthState::RecordFailure() {
  usable_ = healthy_ = 0;
  CountUp(failures_);
  if (failures_ >= options_.failures_to_fail) status_ = HealthStatus::kUnhealthy;
}

void HealthState::RecordUsable(HealthStatus status) {
  failures_ = 0;
  CountUp(usable_);
  if (status == HealthStatus::kHealthy) {
    CountUp(healthy_);
  } else {
    healthy_ = 0;
  }
  switch (status_) {
    case HealthStatus::kUnknown:
      status_ = status;
      break;
    case HealthStatus::kUnhealthy:
      if (usable_ >= options_.successes_to_recover) status_ = status;
      break;
    case HealthStatus::kDegraded:
      if (healthy_ >= options_.successes_to_recover) status_ = status;
      break;
    case HealthStatus::kHealthy:
      status_ = status;
      break;
  }
}

HealthStatus HealthState::StatusAt(TimePoint now) const {
  return !last_at_ || StaleAt(now) ? HealthStatus::kUnknown : status_;
}

bool HealthState::StaleAt(TimePoint now) const { return last_at_ && now >= StaleFrom(); }

TimePoint HealthState::StaleFrom() const {
  return last_at_ ? SaturatingAdd(*last_at_, options_.stale_after) : kNever;
}

}  // namespace understudy
