// Simulation: a world in which time is virtual and exactly one actor runs at a time.
//
// Actors are real threads behind a gate, so unmodified blocking code runs inside: thread_local,
// errno, exceptions and debuggers behave. A seed decides who goes next, hence the same seed gives
// the same run, byte for byte. Time moves only when every actor is parked, and then jumps to the
// earliest wake-up; a day passes in microseconds.
//
//   WorkerPool pool;
//   Simulation sim({.seed = 42}, pool);
//   const SimulationReport report = sim.Run([&] {
//     Task other = sim.executor().Spawn("other", [&](std::stop_token) { sim.clock().SleepFor(1h);
//     }); sim.clock().SleepFor(24h);
//   });
//   ASSERT_EQ(report.end, SimulationEnd::kFinished) << report.detail;
//
// What it does not model: data races between lock acquisitions (threads never overlap).
// Thread-safety annotations and stress tests on real threads under TSan cover those.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "harness/sim/schedule.h"
#include "harness/sim/worker_pool.h"
#include "middleware/base/function_ref.h"
#include "middleware/runtime/clock.h"
#include "middleware/runtime/executor.h"

namespace understudy::harness {

struct SimulationOptions {
  std::uint64_t seed = 0;
  Scheduler scheduler = Scheduler::kRandom;       // Seed 0 is always round-robin: the benign run.
  int preemptions_max = 3;                        // kPct only
  StepCounts expected_steps = {};                 // from an earlier report, for kPct and kUrw
  SystemTime start = {};                          // wall-clock time at the beginning
  Duration limit = std::chrono::hours(24 * 365);  // virtual-time ceiling
  std::uint64_t switches_max = 20'000'000;        // a run that exceeds it is a livelock
};

enum class SimulationEnd {
  kFinished,
  kDeadlock,   // nobody can run and no timer is pending
  kTimeLimit,  // the virtual-time ceiling was reached
  kLivelock,   // too many switches
  kHeldMutex,  // an actor blocked while it held a mutex
};

std::string_view ToString(SimulationEnd end);

struct SimulationReport {
  SimulationEnd end = SimulationEnd::kFinished;
  std::string detail = {};     // Who waits for what; empty if finished.
  TimePoint ended_at = {};     // Virtual; starts at zero.
  std::uint64_t switches = 0;  // Scheduling decisions taken.
  StepCounts steps = {};       // Per actor name.
};

class Simulation {
 public:
  // `pool` must outlive the simulation.
  Simulation(SimulationOptions options, WorkerPool& pool);
  ~Simulation();
  Simulation(const Simulation&) = delete;
  Simulation& operator=(const Simulation&) = delete;

  // Valid during Run, for actors only.
  Clock& clock();
  Executor& executor();

  // Runs `main` as the first actor on the calling thread, and returns when every actor has ended.
  // If the run is ended early (deadlock, limit), the actors are unwound with an internal exception,
  // newest waits first. Call it once.
  SimulationReport Run(FunctionRef<void()> main);

  // A point where another actor may go first. No time passes.
  void Yield();

 private:
  class Core;
  std::unique_ptr<Core> core_;
};

}  // namespace understudy::harness
