// How long one simulated run of the breaker scenario takes, and how many seeds one core explores in
// a second. Budgets: the plain run at most 2 ms; at least 500 seeds/s.
#include <cstdlib>
#include <string>

#include <benchmark/benchmark.h>

#include "harness/scenario/builtin_programs.h"
#include "harness/scenario/scenario_loader.h"
#include "harness/scenario/scenario_run.h"
#include "middleware/platform/openssl_crypto.h"

namespace understudy::harness {
namespace {

Scenario LoadBreaker() {
  const LoadResult loaded = LoadScenarioFile(std::string(UNDERSTUDY_SOURCE_DIR) +
                                             "/scenarios/breaker/opens-probes-and-closes.scn.json");
  if (!loaded.ok()) std::abort();
  return loaded.cells.front().scenario;
}

// `seed` 0 is the plain run; others draw a schedule.
void RunBreaker(benchmark::State& state, std::uint64_t first_seed) {
  const Scenario scenario = LoadBreaker();
  const ProgramRegistry programs = BuiltinPrograms();
  const OpensslCrypto crypto;
  WorkerPool pool;
  std::uint64_t seed = first_seed;
  for (auto _ : state) {
    const auto world = MakeSimWorld({.seed = seed, .start = scenario.clock.start}, crypto, pool);
    const RunResult result = RunScenario(scenario, *world, {.programs = programs});
    if (!result.passed()) state.SkipWithError("the scenario failed");
    if (first_seed != 0) ++seed;
  }
  state.SetItemsProcessed(state.iterations());
}

void PlainRun(benchmark::State& state) { RunBreaker(state, 0); }
void ExploredSeeds(benchmark::State& state) { RunBreaker(state, 1); }

BENCHMARK(PlainRun)->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK(ExploredSeeds)->Unit(benchmark::kMillisecond)->UseRealTime();

}  // namespace
}  // namespace understudy::harness
