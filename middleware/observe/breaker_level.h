// BreakerLevel: how much a circuit breaker admits, as a number that dashboards can draw.
//
//   BreakerLevel("half-open", "normal", false)  // 1
#pragma once

#include <string_view>

namespace understudy {

inline constexpr std::string_view kBreakerStateHelp =
    "What a circuit breaker admits: 0 all calls (closed, or switched off), 1 probes (half-open), "
    "2 none (open, forced open or isolated), 3 unknown.";

// Of the names that BreakerState and BreakerMode have in events. A name that is not known here
// gives 3: what is not understood must not look healthy.
constexpr int BreakerLevel(std::string_view state, std::string_view mode, bool isolated) {
  if (isolated || mode == "forced-open") return 2;
  if (mode == "disabled" || mode == "metrics-only") return 0;
  if (mode != "normal") return 3;
  if (state == "closed") return 0;
  if (state == "half-open") return 1;
  return state == "open" ? 2 : 3;
}

}  // namespace understudy
