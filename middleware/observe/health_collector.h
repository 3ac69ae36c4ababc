// CollectHealth: exports how dependencies and periodic jobs stand, for MetricsSink::AddCollector.
//
//   metrics.AddCollector(CollectHealth(monitor));
//   metrics.AddCollector(CollectJobs(scheduler));
#pragma once

#include <functional>
#include <memory>

#include "middleware/health/health_monitor.h"
#include "middleware/observe/metrics_writer.h"
#include "middleware/runtime/periodic_scheduler.h"

namespace understudy {

// Each keeps its subject alive, which is not null, and may be called from any thread.

// understudy_health_ready (0, 1), understudy_health_status (0 healthy, 1 degraded, 2 unhealthy,
// 3 unknown: what is not known must not look healthy) of the whole, and per dependency, label
// "name": understudy_health_dependency_status, understudy_health_age_seconds (absent without
// evidence), understudy_health_probes_abandoned.
std::function<void(MetricsWriter&)> CollectHealth(std::shared_ptr<HealthMonitor> monitor);

// Per job, label "job": understudy_job_running, understudy_job_overdue,
// understudy_job_consecutive_failures, understudy_job_ticks_skipped_total; and
// understudy_scheduler_beat_age_seconds.
std::function<void(MetricsWriter&)> CollectJobs(std::shared_ptr<const PeriodicScheduler> scheduler);

}  // namespace understudy
