// HealthStatus, and the one function that makes a whole of many: live and cached reports, the
// endpoints and the metrics all use it.
//
//   const HealthVerdict verdict = Aggregate(parts);
//   response.status = verdict.ready ? 200 : 503;
#pragma once

#include <span>
#include <string_view>

namespace understudy {

enum class HealthStatus {
  kUnknown,    // Nobody looked yet, or too long ago. Never counts as healthy.
  kHealthy,    // Works.
  kDegraded,   // Works, but slowly, in part, or not for everybody.
  kUnhealthy,  // Does not work.
};

std::string_view ToString(HealthStatus status);  // "unknown", "healthy", ...; literals

// One dependency, as far as the whole depends on it.
struct HealthPart {
  HealthStatus status = HealthStatus::kUnknown;
  bool critical = false;
  bool ready_when_unknown = false;
};

struct HealthVerdict {
  HealthStatus status = HealthStatus::kUnknown;
  bool ready = false;  // Shall this process get traffic?
};

// The first row that applies decides:
//
//   no parts at all                          unknown    not ready
//   a critical part is unhealthy             unhealthy  not ready
//   a critical part is unknown               unknown    not ready, unless each such part is
//                                                       ready_when_unknown
//   any part is not healthy                  degraded   ready
//   otherwise                                healthy    ready
//
// So what is not critical can degrade the whole and never stop it, and nothing that is not known to
// be healthy makes a healthy whole. Pure.
HealthVerdict Aggregate(std::span<const HealthPart> parts);

}  // namespace understudy
