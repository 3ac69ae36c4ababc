// RunScenario: plays one cell of a scenario in one world and judges what happened.
//
//   scenario -> world (vendors, programs, stores, clock) -> history -> expectations -> RunResult
#pragma once

#include "harness/scenario/program.h"
#include "harness/scenario/run_result.h"
#include "harness/scenario/scenario.h"
#include "harness/scenario/stack_program.h"
#include "harness/scenario/world.h"

namespace understudy::harness {

struct RunParts {
  const ProgramRegistry& programs;
  StackHooks stack = {};
  bool explore_faults = false;  // draw the scenario's explore.faults
  // Opens the durable webhook store of the run; by default in memory.
  std::function<Result<std::unique_ptr<WebhookStore>>(std::string_view kind)> open_store = {};
};

// Blocks until the run has ended; virtual time costs little. The world is used up.
RunResult RunScenario(const Scenario& scenario, World& world, const RunParts& parts);

}  // namespace understudy::harness
