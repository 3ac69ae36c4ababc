// What the health tests share: probes that a test controls, and short names.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "middleware/health/health_monitor.h"
#include "tests/support/sim_world.h"

namespace understudy::test {

// A probe that takes a time of the clock and then says what the test set. In simulation, where one
// actor runs at a time.
struct FakeProbe {
  explicit FakeProbe(SimWorld& of) : world(of) {}

  HealthProbe Function() {
    return [this](const ProbeContext& context) -> Result<ProbeOutcome> {
      starts.push_back(world.Elapsed());
      ++inside;
      inside_max = std::max(inside_max, inside);
      const TimePoint end = SaturatingAdd(world.clock().Now(), takes);
      if (heeds_stop) {
        world.clock().SleepUntil(end, context.stop);
      } else {
        world.clock().SleepUntil(end);
      }
      stopped = stopped || context.stop.stop_requested();
      --inside;
      return result;
    };
  }

  SimWorld& world;
  Duration takes{0};
  bool heeds_stop = true;
  Result<ProbeOutcome> result = ProbeOutcome::Healthy();
  std::vector<Duration> starts = {};
  int inside = 0;
  int inside_max = 0;
  bool stopped = false;
};

// Every 10 s without jitter, 2 s at most, at once unhealthy and at once healthy again.
inline HealthDependency Plain(std::string name, HealthProbe probe) {
  HealthDependency dependency;
  dependency.name = std::move(name);
  dependency.critical = true;
  dependency.probe = std::move(probe);
  dependency.timeout = std::chrono::seconds(2);
  dependency.interval = std::chrono::seconds(10);
  dependency.jitter = 0;
  dependency.hysteresis = {
      .failures_to_fail = 1, .successes_to_recover = 1, .stale_after = std::chrono::seconds(25)};
  return dependency;
}

inline std::unique_ptr<HealthMonitor> NewMonitor(SimWorld& world,
                                                 HealthMonitorOptions options = {}) {
  return HealthMonitor::Create(world.runtime(), options).value();
}

// "name=status:code name=status:code", in the order of names.
inline std::string Line(const HealthReport& report) {
  std::string line;
  for (const DependencyHealth& one : report.dependencies) {
    if (!line.empty()) line.push_back(' ');
    line.append(one.name).append("=").append(ToString(one.status)).append(":").append(one.code);
  }
  return line;
}

}  // namespace understudy::test
