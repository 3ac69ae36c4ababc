// Simulate: runs a test's body in virtual time, where threads are real but run one at a time and a
// seed decides which.
//
//   harness::WorkerPool pool;
//   Simulate(pool, seed, [&](SimWorld& world) {
//     auto scheduler = PeriodicScheduler::Create(world.runtime(), {}).value();
//     world.clock().SleepFor(1h);
//   });
#pragma once

#include <chrono>
#include <cstdint>

#include <gtest/gtest.h>

#include "harness/sim/simulation.h"
#include "middleware/runtime/runtime.h"
#include "tests/support/fixed_random.h"
#include "tests/support/recording_event_sink.h"

namespace understudy::test {

// Valid inside of Simulate.
class SimWorld {
 public:
  explicit SimWorld(harness::Simulation& simulation) : simulation_(simulation) {}

  Clock& clock() { return simulation_.clock(); }
  Executor& executor() { return simulation_.executor(); }
  Runtime runtime() { return {clock(), executor(), random, logger, events}; }
  // Virtual time since the start of the simulation.
  Duration Elapsed() { return clock().Now().time_since_epoch(); }

  FixedRandom random = FixedRandom(0.5);
  NullLogger logger = {};
  RecordingEventSink events = {};

 private:
  harness::Simulation& simulation_;
};

// A run that deadlocks, never ends or blocks with a mutex held is a failure of the test. Seed 0 is
// the benign schedule.
template <typename Body>
void Simulate(harness::WorkerPool& pool, std::uint64_t seed, Body body) {
  harness::SimulationOptions options;
  options.seed = seed;
  options.scheduler = seed % 2 == 0 ? harness::Scheduler::kRandom : harness::Scheduler::kPct;
  options.limit = std::chrono::hours(24 * 30);
  harness::Simulation simulation(options, pool);
  const harness::SimulationReport report = simulation.Run([&] {
    SimWorld world(simulation);
    body(world);
  });
  ASSERT_EQ(report.end, harness::SimulationEnd::kFinished)
      << "seed " << seed << ": " << report.detail;
}

template <typename Body>
void Simulate(Body body) {
  harness::WorkerPool pool;
  Simulate(pool, 0, body);
}

}  // namespace understudy::test
