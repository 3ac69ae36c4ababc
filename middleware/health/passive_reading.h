// PassiveReading: what is known of a dependency without asking it.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "middleware/base/time.h"
#include "middleware/health/health_status.h"

namespace understudy {

struct PassiveReading {
  HealthStatus status = HealthStatus::kUnknown;
  std::string code = {};             // As CleanHealthCode wants it.
  std::optional<TimePoint> at = {};  // Of the youngest evidence; unset if there was none.
  // False if no probe can say otherwise: an operator has closed the way.
  bool confirmable = true;
};

// Thread-safe; neither blocks nor calls the monitor.
using PassiveSource = std::function<PassiveReading()>;

}  // namespace understudy
