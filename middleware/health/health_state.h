// HealthState: what the results of one dependency's probe add up to: hysteresis and staleness. The
// building block of HealthMonitor.
//
//   HealthState state({.failures_to_fail = 3});
//   state.Record({HealthStatus::kUnhealthy, "timeout"}, now);
//   state.StatusAt(now);
#pragma once

#include <optional>
#include <string>

#include "middleware/base/time.h"
#include "middleware/health/health_probe.h"

namespace understudy {

struct HysteresisOptions {
  // Failures in a row that make it unhealthy; 1 to 100.
  int failures_to_fail = 3;
  // Results in a row without a failure that end that, and healthy ones that end kDegraded; 1 to
  // 100.
  int successes_to_recover = 2;
  // A result of this age, and older, says nothing any more. Above zero.
  Duration stale_after = std::chrono::minutes(2);
};

// The rules. From unknown, the first result that is no failure counts at once; failures leave it
// unknown until they are enough. Healthy becomes degraded at once. A healthy or degraded state that
// has gone stale is forgotten, so that it cannot outlive its evidence: after it, a failure does not
// show what was good long ago. An unhealthy one is not: it must still recover.
//
// A plain value; not thread-safe.
class HealthState {
 public:
  explicit HealthState(HysteresisOptions options) : options_(options) {}

  // A result at `now`; times do not go back. kUnhealthy and kUnknown are failures.
  void Record(ProbeOutcome outcome, TimePoint now);

  // kUnknown without a result, and from last + stale_after on.
  HealthStatus StatusAt(TimePoint now) const;
  bool StaleAt(TimePoint now) const;
  // When it goes stale; kNever without a result.
  TimePoint StaleFrom() const;

  // The time and the code of the last result.
  const std::optional<TimePoint>& last_at() const { return last_at_; }
  const std::string& code() const { return code_; }
  // Failures in a row up to the last result.
  int failures() const { return failures_; }

 private:
  void RecordFailure();
  void RecordUsable(HealthStatus status);

  HysteresisOptions options_;
  HealthStatus status_ = HealthStatus::kUnknown;
  std::optional<TimePoint> last_at_;
  std::string code_;
  int failures_ = 0;
  int usable_ = 0;   // Not failed, in a row.
  int healthy_ = 0;  // Likewise.
};

}  // namespace understudy
