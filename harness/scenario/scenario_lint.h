// LintScenario: what is legal in a scenario but probably not meant.
//
//   for (const Diagnostic& warning : LintScenario(loaded.cells)) std::cerr << warning.ToString() <<
//   "\n";
//
// Only scenarios that loaded can be linted. Pure; thread-safe.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "harness/scenario/scenario.h"

namespace understudy::harness {

struct LintOptions {
  // The part of this scenario's replay tokens between "s1:" and the first "." or "@". With it,
  // pinned tokens of other scenarios or of older versions of this one are found.
  std::optional<std::string> scenario_hash = {};
};

// The warnings of all cells of one file, each once, in the order of the file. They are:
// - a stack that is not in the order in which it is built;
// - routes that no call reaches, operations that no step calls, parameters that nothing refers to;
// - conditions on fields that the event does not have, or on a route, step, operation, vendor or
// webhook that does not
//   exist: they never match;
// - events that cannot happen, e.g. `breaker` without a breaker, and bounds that always hold;
// - expectations for a mode that is off, and `sometimes` without `explore`;
// - exact counts where `explore` injects faults that make repetitions legal;
// - pinned replay tokens that are malformed or of another scenario.
std::vector<Diagnostic> LintScenario(const std::vector<Cell>& cells,
                                     const LintOptions& options = {});

}  // namespace understudy::harness
