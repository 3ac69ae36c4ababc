#include "middleware/observe/health_collector.h"

#include <chrono>
#include <utility>

#include "middleware/base/check.h"

namespace understudy {
namespace {

double Level(HealthStatus status) {
  switch (status) {
    case HealthStatus::kHealthy:
      return 0;
    case HealthStatus::kDegraded:
      return 1;
    case HealthStatus::kUnhealthy:
      return 2;
    case HealthStatus::kUnknown:
      return 3;
  }
  return 3;
}

double Seconds(Duration duration) { return std::chrono::duration<double>(duration).count(); }

}  // namespace

std::function<void(MetricsWriter&)> CollectHealth(std::shared_ptr<HealthMonitor> monitor) {
  UNDERSTUDY_CHECK(monitor != nullptr, "a collector of no health monitor");
  return [monitor = std::move(monitor)](MetricsWriter& writer) {
    const HealthReport report = monitor->Report();
    writer.Gauge("understudy_health_ready", "Whether this process shall get traffic.", {},
                 report.ready ? 1 : 0);
    writer.Gauge("understudy_health_status",
                 "The health of the whole: 0 healthy, 1 degraded, 2 unhealthy, 3 unknown.", {},
                 Level(report.status));
    for (const DependencyHealth& one : report.dependencies) {
      const MetricLabel name{"name", one.name};
      writer.Gauge("understudy_health_dependency_status",
                   "The health of a dependency: 0 healthy, 1 degraded, 2 unhealthy, 3 unknown.",
                   {name}, Level(one.status));
      if (one.age) {
        writer.Gauge("understudy_health_age_seconds", "The age of what is known of a dependency.",
                     {name}, Seconds(*one.age));
      }
      writer.Gauge("understudy_health_probes_abandoned",
                   "Health probes that were given up on and have not returned.", {name},
                   one.abandoned);
    }
  };
}

std::function<void(MetricsWriter&)> CollectJobs(
    std::shared_ptr<const PeriodicScheduler> scheduler) {
  UNDERSTUDY_CHECK(scheduler != nullptr, "a collector of no scheduler");
  return [scheduler = std::move(scheduler)](MetricsWriter& writer) {
    writer.Gauge("understudy_scheduler_beat_age_seconds",
                 "Time since the task of the periodic scheduler looked around.", {},
                 Seconds(scheduler->SinceBeat()));
    for (const JobStats& job : scheduler->Snapshot()) {
      const MetricLabel name{"job", job.name};
      writer.Gauge("understudy_job_running", "Whether a periodic job runs.", {name},
                   job.running ? 1 : 0);
      writer.Gauge("understudy_job_overdue", "Whether a periodic job runs past its deadline.",
                   {name}, job.overdue ? 1 : 0);
      writer.Gauge("understudy_job_consecutive_failures",
                   "Failed runs of a periodic job since the last good one.", {name},
                   job.consecutive_failures);
      writer.Counter("understudy_job_ticks_skipped_total", "Ticks of a periodic job without a run.",
                     {name}, job.skipped);
    }
  };
}

}  // namespace understudy
