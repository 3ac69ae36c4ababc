// Dates and times as scenario files write them.
#pragma once

#include <optional>
#include <string_view>

#include "middleware/base/time.h"

namespace understudy::harness {

// "2026-01-01T00:00:00Z", "2026-01-01T02:00:00.5+02:00": RFC 3339 section 5.6, for the years 1970
// to 2199.
std::optional<SystemTime> ParseRfc3339(std::string_view text);

}  // namespace understudy::harness
