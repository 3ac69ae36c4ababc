// CellRunner: the whole verdict on one cell of a scenario: the plain run in both worlds, whether
// they agree, whether the simulation is deterministic, and the exploration of further seeds.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "harness/scenario/agreement.h"
#include "harness/scenario/program.h"
#include "harness/scenario/run_result.h"
#include "harness/scenario/scenario.h"
#include "harness/scenario/stack_program.h"
#include "harness/sim/worker_pool.h"
#include "middleware/runtime/crypto.h"

namespace understudy::harness {

enum class RunModes { kBoth, kSim, kWire };

struct CellOptions {
  RunModes modes = RunModes::kBoth;
  std::uint64_t seed = 0;  // of the plain run; 0 is the benign schedule
  // Further seeds to explore in simulation; nullopt: a few, if the scenario has an `explore`
  // section.
  std::optional<std::uint64_t> seeds = {};
  std::optional<Duration> budget = {};  // real time for the exploration of this cell
  StackHooks stack = {};  // deliberate faults of the middleware, for tests of the harness
};

enum class Verdict {
  kPass,
  kFailed,
  kDisagree,
  kNotDeterministic,
  kInconclusive,
  kDeadlock,
  kCannotStart
};

std::string_view ToString(Verdict verdict);
// The exit codes of the program: 0 pass, 1 failed, 2 disagree, 3 not deterministic, 4 inconclusive,
// 5 deadlock, 64 cannot start.
int ExitCode(Verdict verdict);

struct CellReport {
  Scenario scenario = {};
  std::optional<RunResult> sim = {};
  std::optional<RunResult> wire = {};
  std::vector<Disagreement> disagreements = {};
  std::string nondeterminism =
      {};  // the first difference between two runs of one seed; empty if none
  std::uint64_t seeds_explored = 0;
  std::optional<RunResult> failing_seed = {};  // the first explored seed that failed
  std::map<std::string, bool> sometimes = {};  // by expectation id: reached in any run
  std::vector<std::string> never_reached =
      {};                               // `sometimes` that an explicit exploration did not reach
  std::vector<std::string> notes = {};  // stale pins and the like
  Duration wall = {};

  Verdict verdict() const;
  // The run that explains the verdict best; nullptr if every run passed.
  const RunResult* failing_run() const;
};

// What all cells share. References outlive the runner.
struct CellEnvironment {
  const ProgramRegistry& programs;
  const Crypto& crypto;
  WorkerPool& pool;
  Clock& wall_clock;
};

// "9f3c21aa": identifies a scenario cell's text in replay tokens "s1:<hash>.<seed>".
std::string ScenarioHash(std::string_view file_text, std::string_view cell);

// One simulated run with the schedule and the faults of `seed`.
CellReport ReplayCell(const Scenario& scenario, std::uint64_t seed,
                      const CellEnvironment& environment);

// Blocks until done. Thread-safe for different cells.
CellReport RunCell(const Scenario& scenario, const CellOptions& options,
                   const CellEnvironment& environment, const std::string& hash);

}  // namespace understudy::harness
