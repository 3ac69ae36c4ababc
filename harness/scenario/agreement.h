// Agreement: did the simulated and the real run of a scenario show the same behaviour?
//
// Compared are projections that a schedule may not change: outcomes per step, transitions per
// breaker, requests per route, order per lane, effects per key. Never compared are wall times and
// the order between lanes.
#pragma once

#include <string>
#include <vector>

#include "harness/scenario/history.h"
#include "harness/scenario/scenario.h"

namespace understudy::harness {

struct Disagreement {
  AgreeOn what = AgreeOn::kOutcomes;
  std::string subject = {};  // the step, breaker, route, lane or effect
  std::string sim = {};
  std::string wire = {};
};

// Everything the two histories disagree on; empty if they agree. Pure.
std::vector<Disagreement> Compare(const std::vector<AgreeOn>& agree_on,
                                  const std::vector<HistoryEvent>& sim,
                                  const std::vector<HistoryEvent>& wire);

}  // namespace understudy::harness
