#include "tools/understudy/command_line.h"

#include <algorithm>
#include <memory>
#include <ostream>

#include <CLI/CLI.hpp>

#include "middleware/base/text.h"
#include "tools/understudy/commands.h"

namespace understudy::tools {
namespace {

constexpr const char* kVersion = "understudy 0.1.0";
constexpr const char* kDescription =
    "Stands in for a third-party HTTP API and proves that the code depending on it behaves when "
    "the vendor does not.";
constexpr const char* kExitCodes =
    "Exit codes: 0 pass, 1 an expectation failed, 2 sim and wire disagree, 3 not deterministic, 4 "
    "inconclusive,\n"
    "            5 deadlock, 64 bad file or arguments";
constexpr const char* kRunExamples =
    "Examples:\n"
    "  understudy run                                     every scenario below scenarios/, "
    "simulated and over sockets\n"
    "  understudy run scenarios/breaker --mode sim        one folder, in virtual time only\n"
    "  understudy run a.scn.json --seeds 2000             explore 2000 further schedules of one "
    "file\n"
    "  understudy run --budget 20s --junit out/junit.xml  what a CI job runs\n";

// What the options of `run` are before they are checked.
struct RawRun {
  RunOptions options;
  std::string mode = "both";
  std::string budget;
  std::int64_t seeds = -1;
};

void AddPaths(CLI::App& command, std::vector<std::string>& paths) {
  command.add_option("paths", paths, "scenario files (*.scn.json) or folders; default: scenarios/");
}

void AddSelection(CLI::App& command, std::string& filter, std::vector<std::string>& tags) {
  command.add_option("--filter", filter,
                     "only scenarios whose file, name or cell contains this text");
  command.add_option("--tag", tags, "only scenarios with this tag; may be repeated");
}

CLI::App* AddRun(CLI::App& app, RawRun& raw) {
  CLI::App* const run =
      app.add_subcommand("run", "Runs scenarios and says what held and what did not");
  AddPaths(*run, raw.options.paths);
  run->add_option("--mode", raw.mode, "sim (virtual time), wire (real sockets) or both")
      ->check(CLI::IsMember({"sim", "wire", "both"}));
  run->add_option("--seed", raw.options.seed,
                  "seed of the run; 0 is the plain first-come-first-served schedule");
  run->add_option("--seeds", raw.seeds,
                  "explore this many further seeds of each scenario in simulation")
      ->check(CLI::Range(std::int64_t{0}, std::int64_t{10'000'000}));
  run->add_option("--budget", raw.budget, "explore for this long in all, e.g. 20s");
  AddSelection(*run, raw.options.filter, raw.options.tags);
  run->add_option("--junit", raw.options.junit, "write the results as JUnit XML to this file");
  run->add_option("--html", raw.options.html, "write a report with timelines to this HTML file");
  run->add_option("--history", raw.options.history,
                  "write each run's history as JSON lines into this folder");
  run->add_flag("--quiet", raw.options.quiet, "print failures only");
  run->footer(kRunExamples);
  return run;
}

void DefaultPath(std::vector<std::string>& paths) {
  if (paths.empty()) paths.emplace_back("scenarios/");
}

int Run(RawRun& raw, Console& console) {
  DefaultPath(raw.options.paths);
  if (raw.mode == "sim") raw.options.modes = harness::RunModes::kSim;
  if (raw.mode == "wire") raw.options.modes = harness::RunModes::kWire;
  if (raw.seeds >= 0) raw.options.seeds = static_cast<std::uint64_t>(raw.seeds);
  if (!raw.budget.empty()) {
    raw.options.budget = ParseDuration(raw.budget);
    if (!raw.options.budget) {
      console.err << "--budget: \"" << raw.budget
                  << "\" is not a duration; write it with a unit, e.g. 20s\n";
      return kExitUsage;
    }
  }
  return RunScenarios(raw.options, console);
}

}  // namespace

int RunCommandLine(std::vector<std::string> arguments, Console& console) {
  CLI::App app(kDescription, "understudy");
  app.set_version_flag("--version", kVersion);
  app.require_subcommand(1);
  app.footer(kExitCodes);

  RawRun raw_run;
  const CLI::App* const run = AddRun(app, raw_run);

  std::string replay_file;
  std::string replay_token;
  CLI::App* const replay =
      app.add_subcommand("replay", "Replays one explored schedule and prints its timeline");
  replay->add_option("file", replay_file, "the scenario file")->required();
  replay->add_option("token", replay_token, "the token that a failure printed, s1:<hash>.<seed>")
      ->required();

  ListOptions list_options;
  CLI::App* const list =
      app.add_subcommand("list", "Lists scenarios with their cells, tags and modes");
  AddPaths(*list, list_options.paths);
  AddSelection(*list, list_options.filter, list_options.tags);

  std::vector<std::string> lint_paths;
  CLI::App* const lint = app.add_subcommand("lint", "Checks scenario files without running them");
  AddPaths(*lint, lint_paths);

  try {
    std::reverse(arguments.begin(), arguments.end());
    app.parse(std::move(arguments));
  } catch (const CLI::ParseError& error) {
    return app.exit(error, console.out, console.err) == 0 ? 0 : kExitUsage;
  }
  if (run->parsed()) return Run(raw_run, console);
  if (replay->parsed()) return ReplayRun(replay_file, replay_token, console);
  if (list->parsed()) {
    DefaultPath(list_options.paths);
    return ListScenarios(list_options, console);
  }
  DefaultPath(lint_paths);
  return LintScenarios(lint_paths, console);
}

}  // namespace understudy::tools
