#include "middleware/health/health_status.h"

namespace understudy {

std::string_view ToString(HealthStatus status) {
  switch (status) {
    case HealthStatus::kUnknown:
      return "unknown";
    case HealthStatus::kHealthy:
      return "healthy";
    case HealthStatus::kDegraded:
      return "degraded";
    case HealthStatus::kUnhealthy:
      return "unhealthy";
  }
  return "unknown";
}

HealthVerdict Aggregate(std::span<const HealthPart> parts) {
  bool broken = false;
  bool unknown = false;
  bool held_back = false;
  bool all_healthy = true;
  for (const HealthPart& part : parts) {
    all_healthy = all_healthy && part.status == HealthStatus::kHealthy;
    if (!part.critical) continue;
    broken = broken || part.status == HealthStatus::kUnhealthy;
    if (part.status != HealthStatus::kUnknown) continue;
    unknown = true;
    held_back = held_back || !part.ready_when_unknown;
  }
  if (parts.empty()) return {HealthStatus::kUnknown, false};
  if (broken) return {HealthStatus::kUnhealthy, false};
  if (unknown) return {HealthStatus::kUnknown, !held_back};
  return {all_healthy ? HealthStatus::kHealthy : HealthStatus::kDegraded, true};
}

}  // namespace understudy
