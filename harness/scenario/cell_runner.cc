#include "harness/scenario/cell_runner.h"

#include <algorithm>

#include "harness/plan/seeded_random.h"
#include "harness/scenario/durable_stores.h"
#include "harness/scenario/scenario_run.h"
#include "middleware/base/text.h"

namespace understudy::harness {
namespace {

// Without being asked, a run explores little: at most 20 seeds, and fewer of large scenarios.
constexpr std::uint64_t kSeedsByDefault = 20;
constexpr std::uint64_t kStepsByDefault = 20'000;
constexpr std::uint64_t kSeedsUnbounded = 1'000'000;

Scheduler ToScheduler(SchedulerKind kind) {
  switch (kind) {
    case SchedulerKind::kRandom:
      return Scheduler::kRandom;
    case SchedulerKind::kPct:
      return Scheduler::kPct;
    case SchedulerKind::kUrw:
      return Scheduler::kUrw;
    case SchedulerKind::kRoundRobin:
      return Scheduler::kRoundRobin;
    case SchedulerKind::kExhaustive:
      return Scheduler::kRandom;
  }
  return Scheduler::kRandom;
}

class CellRunner {
 public:
  CellRunner(const Scenario& scenario, const CellOptions& options,
             const CellEnvironment& environment)
      : scenario_(scenario), options_(options), environment_(environment) {}

  CellReport Run(const std::string& hash);
  CellReport Replay(std::uint64_t seed);

 private:
  RunResult RunSim(std::uint64_t seed, bool explore);
  RunResult RunWire();
  void CheckDeterminism(CellReport& report);
  void Explore(CellReport& report, const std::string& hash);
  void RunPinned(CellReport& report, const std::string& hash);
  void NoteSometimes(CellReport& report, const RunResult& result) const;
  Duration WallSince(TimePoint start) const { return environment_.wall_clock.Now() - start; }

  const Scenario& scenario_;
  const CellOptions& options_;
  const CellEnvironment& environment_;
  StepCounts steps_;  // of the plain run
};

RunResult CellRunner::RunSim(std::uint64_t seed, bool explore) {
  const TimePoint start = environment_.wall_clock.Now();
  SimWorldOptions world{.seed = seed,
                        .expected_steps = steps_,
                        .start = scenario_.clock.start,
                        .limit = scenario_.clock.limit};
  if (scenario_.explore) {
    world.scheduler = ToScheduler(scenario_.explore->scheduler);
    world.preemptions_max = scenario_.explore->preemptions_max.value_or(world.preemptions_max);
  }
  const auto sim = MakeSimWorld(std::move(world), environment_.crypto, environment_.pool);
  RunResult result = RunScenario(scenario_, *sim,
                                 {.programs = environment_.programs,
                                  .stack = options_.stack,
                                  .explore_faults = explore,
                                  .open_store = OpenInMemoryStore});
  result.seed = seed;
  result.wall = WallSince(start);
  return result;
}

RunResult CellRunner::RunWire() {
  const TimePoint start = environment_.wall_clock.Now();
  DurableStores stores;
  const auto wire = MakeWireWorld({.seed = options_.seed,
                                   .skip_idle_time = scenario_.modes.wire.clock == WireTime::kSkip,
                                   .start = scenario_.clock.start,
                                   .limit = scenario_.clock.limit},
                                  environment_.crypto);
  RunResult result =
      RunScenario(scenario_, *wire,
                  {.programs = environment_.programs,
                   .stack = options_.stack,
                   .open_store = [&](std::string_view kind) { return stores.Open(kind); }});
  result.seed = options_.seed;
  result.wall = WallSince(start);
  return result;
}

// The same seed must give the same history, byte for byte.
void CellRunner::CheckDeterminism(CellReport& report) {
  const RunResult again = RunSim(options_.seed, false);
  const auto& first = report.sim->events;
  for (std::size_t i = 0; i < std::max(first.size(), again.events.size()); ++i) {
    const std::string a = i < first.size() ? ToJsonLine(first[i]) : std::string("(no more events)");
    const std::string b =
        i < again.events.size() ? ToJsonLine(again.events[i]) : std::string("(no more events)");
    if (a == b) continue;
    report.nondeterminism = "seed " + std::to_string(options_.seed) + ", event #" +
                            std::to_string(i + 1) + "\n  first run   " + a + "\n  second run  " + b;
    return;
  }
}

void CellRunner::NoteSometimes(CellReport& report, const RunResult& result) const {
  for (const ExpectationResult& expectation : result.expectations) {
    if (expectation.judgement == Judgement::kReached) report.sometimes[expectation.id] = true;
    if (expectation.judgement == Judgement::kNotReached)
      report.sometimes.try_emplace(expectation.id, false);
  }
}

void CellRunner::Explore(CellReport& report, const std::string& hash) {
  RunPinned(report, hash);
  const std::uint64_t in_file = scenario_.explore && scenario_.explore->seeds
                                    ? static_cast<std::uint64_t>(*scenario_.explore->seeds)
                                    : 0;
  std::uint64_t steps = 1;
  for (const auto& [actor, count] : steps_) steps += count;
  std::uint64_t seeds = std::min({in_file, kSeedsByDefault, kStepsByDefault / steps});
  if (options_.budget) seeds = in_file > 0 ? in_file : kSeedsUnbounded;
  if (options_.seeds) seeds = *options_.seeds;
  const TimePoint start = environment_.wall_clock.Now();
  for (std::uint64_t i = 1; i <= seeds && !report.failing_seed; ++i) {
    if (options_.budget && WallSince(start) >= *options_.budget) break;
    RunResult result = RunSim(options_.seed + i, true);
    ++report.seeds_explored;
    NoteSometimes(report, result);
    if (!result.passed()) report.failing_seed = std::move(result);
  }
  const bool explicit_search = (options_.seeds && *options_.seeds > 0) || options_.budget;
  if (!explicit_search || report.failing_seed) return;
  for (const auto& [id, reached] : report.sometimes) {
    if (!reached) report.never_reached.push_back(id);
  }
}

// A pin is "s1:<hash>.<seed>", possibly with choices after an @ that an older version recorded.
void CellRunner::RunPinned(CellReport& report, const std::string& hash) {
  if (!scenario_.explore) return;
  for (const PinnedReplay& pin : scenario_.explore->pinned) {
    const std::string_view token = std::string_view(pin.replay).substr(3);
    const std::size_t dot = token.find('.');
    const std::string_view seed_text = dot == std::string_view::npos
                                           ? std::string_view()
                                           : token.substr(dot + 1, token.find('@') - dot - 1);
    const auto seed = ParseUnsigned(seed_text);
    if (token.substr(0, dot) != hash || !seed) {
      report.notes.push_back("pinned " + pin.replay + " (" + pin.note +
                             ") is of another version of this scenario");
      continue;
    }
    RunResult result = RunSim(*seed, *seed != 0);
    if (!result.passed() && pin.known_failure) {
      report.notes.push_back("pinned " + pin.replay + " still fails, as known: " + pin.note);
    } else if (!result.passed() && !report.failing_seed) {
      report.failing_seed = std::move(result);
    }
  }
}

CellReport CellRunner::Run(const std::string& hash) {
  const TimePoint start = environment_.wall_clock.Now();
  CellReport report{.scenario = scenario_};
  const bool sim = scenario_.modes.sim && options_.modes != RunModes::kWire;
  const bool wire = scenario_.modes.wire.enabled && options_.modes != RunModes::kSim;
  if (sim) {
    report.sim = RunSim(options_.seed, false);
    steps_ = report.sim->world.steps;
    NoteSometimes(report, *report.sim);
  }
  if (wire) {
    report.wire = RunWire();
    NoteSometimes(report, *report.wire);
  }
  const bool both_ended = sim && wire && report.sim->ended_well() && report.wire->ended_well();
  if (both_ended)
    report.disagreements =
        Compare(scenario_.modes.agree_on, report.sim->events, report.wire->events);
  if (sim && report.sim->passed()) {
    CheckDeterminism(report);
    Explore(report, hash);
  }
  report.wall = WallSince(start);
  return report;
}

CellReport CellRunner::Replay(std::uint64_t seed) {
  CellReport report{.scenario = scenario_};
  // The plain run first: its step counts are what the schedulers of other seeds estimated from.
  if (seed != options_.seed) steps_ = RunSim(options_.seed, false).world.steps;
  report.sim = RunSim(seed, seed != options_.seed);
  return report;
}

Verdict VerdictOf(const RunResult& result) {
  if (result.could_not_start) return Verdict::kCannotStart;
  switch (result.world.end) {
    case WorldEnd::kDeadlock:
      return Verdict::kDeadlock;
    case WorldEnd::kTimeLimit:
    case WorldEnd::kStalled:
      return Verdict::kInconclusive;
    case WorldEnd::kRuleBroken:
      return Verdict::kFailed;
    case WorldEnd::kFinished:
      break;
  }
  return result.passed() ? Verdict::kPass : Verdict::kFailed;
}

}  // namespace

std::string_view ToString(Verdict verdict) {
  switch (verdict) {
    case Verdict::kPass:
      return "pass";
    case Verdict::kFailed:
      return "failed";
    case Verdict::kDisagree:
      return "disagree";
    case Verdict::kNotDeterministic:
      return "not deterministic";
    case Verdict::kInconclusive:
      return "inconclusive";
    case Verdict::kDeadlock:
      return "deadlock";
    case Verdict::kCannotStart:
      return "cannot start";
  }
  return "failed";
}

int ExitCode(Verdict verdict) {
  switch (verdict) {
    case Verdict::kPass:
      return 0;
    case Verdict::kFailed:
      return 1;
    case Verdict::kDisagree:
      return 2;
    case Verdict::kNotDeterministic:
      return 3;
    case Verdict::kInconclusive:
      return 4;
    case Verdict::kDeadlock:
      return 5;
    case Verdict::kCannotStart:
      return 64;
  }
  return 1;
}

Verdict CellReport::verdict() const {
  for (const auto* const run : {&sim, &wire, &failing_seed}) {
    if (*run && VerdictOf(**run) != Verdict::kPass) return VerdictOf(**run);
  }
  if (!nondeterminism.empty()) return Verdict::kNotDeterministic;
  if (!disagreements.empty()) return Verdict::kDisagree;
  if (!never_reached.empty()) return Verdict::kFailed;
  return Verdict::kPass;
}

const RunResult* CellReport::failing_run() const {
  for (const auto* const run : {&sim, &wire, &failing_seed}) {
    if (*run && !(*run)->passed()) return &**run;
  }
  return nullptr;
}

std::string ScenarioHash(std::string_view file_text, std::string_view cell) {
  const std::uint64_t hash = Mix64(HashText(cell, HashText(file_text)));
  std::string bytes;
  for (int shift = 24; shift >= 0; shift -= 8)
    bytes.push_back(static_cast<char>(hash >> static_cast<unsigned>(shift) & 0xffU));
  return HexEncode(bytes);
}

CellReport ReplayCell(const Scenario& scenario, std::uint64_t seed,
                      const CellEnvironment& environment) {
  return CellRunner(scenario, {}, environment).Replay(seed);
}

CellReport RunCell(const Scenario& scenario, const CellOptions& options,
                   const CellEnvironment& environment, const std::string& hash) {
  return CellRunner(scenario, options, environment).Run(hash);
}

}  // namespace understudy::harness
