// RunResult: what one run of one scenario cell in one world gave.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "harness/scenario/expectations.h"
#include "harness/scenario/history.h"
#include "harness/scenario/world.h"

namespace understudy::harness {

// Something that is wrong without an expectation saying so: a request no route provides for, a step
// that was never reached, a trap that never fired, a program that did not start.
struct Problem {
  std::string text = {};
  int line = 0;  // in the scenario file; 0 if unknown
  std::optional<std::uint64_t> event = {};
};

struct RunResult {
  std::string mode = {};  // "sim" or "wire"
  std::uint64_t seed = 0;
  WorldReport world = {};
  Duration wall = {};
  std::vector<HistoryEvent> events = {};
  std::vector<ExpectationResult> expectations = {};
  std::vector<Problem> problems = {};
  bool could_not_start = false;  // problems say why

  bool ended_well() const { return world.end == WorldEnd::kFinished; }
  bool passed() const {
    if (!ended_well() || !problems.empty()) return false;
    for (const ExpectationResult& result : expectations) {
      if (result.failed()) return false;
    }
    return true;
  }
};

}  // namespace understudy::harness
