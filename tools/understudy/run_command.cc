#include <algorithm>
#include <filesystem>
#include <ostream>
#include <set>

#include "harness/scenario/builtin_programs.h"
#include "harness/scenario/html_report.h"
#include "harness/scenario/junit_report.h"
#include "harness/scenario/terminal_report.h"
#include "middleware/base/text.h"
#include "middleware/platform/file.h"
#include "middleware/platform/openssl_crypto.h"
#include "middleware/platform/system_clock.h"
#include "tools/understudy/commands.h"
#include "tools/understudy/scenario_files.h"

namespace understudy::tools {
namespace {

using harness::CellReport;
using harness::RunResult;
using harness::Verdict;

std::string ModeText(harness::RunModes modes) {
  switch (modes) {
    case harness::RunModes::kBoth:
      return "sim+wire";
    case harness::RunModes::kSim:
      return "sim";
    case harness::RunModes::kWire:
      return "wire";
  }
  return "";
}

// "scenarios/token/a.scn.json [x=1]" -> "scenarios-token-a.x=1"
std::string FileNameFor(const harness::Scenario& scenario) {
  std::string name = scenario.file;
  if (!scenario.cell.empty()) name.append(".").append(scenario.cell);
  for (char& c : name) {
    if (c == '/' || c == '\\' || c == ' ') c = '-';
  }
  return name;
}

Result<void> WriteHistory(const std::string& folder, const CellReport& report) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  for (const auto* const run : {&report.sim, &report.wire}) {
    if (!*run) continue;
    const std::string path =
        folder + "/" + FileNameFor(report.scenario) + "." + (*run)->mode + ".jsonl";
    UNDERSTUDY_RETURN_IF_ERROR(WriteFileAtomically(path, harness::ToJsonLines((*run)->events)));
  }
  return {};
}

harness::JUnitCase CaseFor(const CellReport& report, const RunResult& run) {
  const harness::Scenario& scenario = report.scenario;
  harness::JUnitCase result{.suite = scenario.file,
                            .classname = scenario.tags.empty() ? "scenario" : scenario.tags.front(),
                            .name = scenario.name,
                            .time = run.wall};
  if (!scenario.cell.empty()) result.name.append(" [").append(scenario.cell).append("]");
  result.name.append(" [").append(run.mode).append("]");
  result.properties = {{"seed", std::to_string(run.seed)},
                       {"virtual-time", FormatDuration(run.world.virtual_time)},
                       {"events", std::to_string(run.events.size())}};
  return result;
}

void AddToJUnit(const CellReport& report, const std::string& hash, harness::JUnitReport& junit) {
  const auto failure = [&] {
    return harness::JUnitFailure{.type = std::string(ToString(report.verdict())),
                                 .message = harness::FailureHeadline(report),
                                 .text = harness::FailureText(report, hash, {})};
  };
  for (const auto* const run : {&report.sim, &report.wire}) {
    if (!*run) continue;
    harness::JUnitCase result = CaseFor(report, **run);
    if (!(*run)->passed()) result.failure = failure();
    junit.Add(std::move(result));
  }
  const bool explored_badly =
      report.failing_seed || !report.never_reached.empty() || !report.nondeterminism.empty();
  if (report.sim && (report.seeds_explored > 0 || explored_badly)) {
    harness::JUnitCase result =
        CaseFor(report, report.failing_seed ? *report.failing_seed : *report.sim);
    result.name.append(" [explore]");
    result.properties.emplace_back("seeds", std::to_string(report.seeds_explored));
    if (explored_badly) result.failure = failure();
    junit.Add(std::move(result));
  }
  if (report.sim && report.wire) {
    harness::JUnitCase result = CaseFor(report, *report.wire);
    result.name.append(" [agree]");
    result.time = {};
    if (!report.disagreements.empty()) result.failure = failure();
    junit.Add(std::move(result));
  }
}

struct Totals {
  int passed = 0;
  int failed = 0;
  int inconclusive = 0;
  std::uint64_t seeds = 0;
  std::set<Verdict> verdicts = {};

  void Add(const CellReport& report) {
    const Verdict verdict = report.verdict();
    verdicts.insert(verdict);
    seeds += report.seeds_explored;
    int& count = verdict == Verdict::kPass           ? passed
                 : verdict == Verdict::kInconclusive ? inconclusive
                                                     : failed;
    ++count;
  }

  // The gravest: what cannot start, then failures, disagreement, nondeterminism, deadlock,
  // inconclusive.
  int exit_code() const {
    for (const Verdict verdict :
         {Verdict::kCannotStart, Verdict::kFailed, Verdict::kDisagree, Verdict::kNotDeterministic,
          Verdict::kDeadlock, Verdict::kInconclusive}) {
      if (verdicts.contains(verdict)) return ExitCode(verdict);
    }
    return 0;
  }
};

Result<void> WriteReports(const RunOptions& options, const harness::JUnitReport& junit,
                          const harness::HtmlReport& html) {
  for (const std::string& path : {options.junit, options.html}) {
    const auto folder = std::filesystem::path(path).parent_path();
    std::error_code error;
    if (!folder.empty()) std::filesystem::create_directories(folder, error);
  }
  if (!options.junit.empty())
    UNDERSTUDY_RETURN_IF_ERROR(WriteFileAtomically(options.junit, junit.ToXml()));
  if (!options.html.empty())
    UNDERSTUDY_RETURN_IF_ERROR(WriteFileAtomically(options.html, html.ToHtml()));
  return {};
}

// Runs every cell and reports as it goes.
class SuiteRun {
 public:
  SuiteRun(const RunOptions& options, Console& console, const harness::ProgramRegistry& programs)
      : options_(options),
        console_(console),
        programs_(programs),
        style_{.colour = console.colour} {}

  int Run(const std::vector<LoadedCell>& cells) {
    const TimePoint start = clock_.Now();
    if (!options_.quiet) {
      console_.out << "understudy 0.1.0  " << ModeText(options_.modes) << "  seed " << options_.seed
                   << "  " << Plural(cells.size(), "scenario") << "\n\n";
    }
    for (std::size_t i = 0; i < cells.size(); ++i) {
      ShowProgress(i, cells);
      RunOne(cells[i], cells.size() - i);
    }
    console_.out << "\n" << failures_;
    Summarise(clock_.Now() - start);
    if (const auto written = WriteReports(options_, junit_, html_); !written) {
      console_.err << written.error().message << "\n";
      return kExitUsage;
    }
    return totals_.exit_code();
  }

 private:
  void ShowProgress(std::size_t done, const std::vector<LoadedCell>& cells) {
    if (!console_.progress || options_.quiet) return;
    console_.out << "\r\x1b[K " << done + 1 << "/" << cells.size() << "  "
                 << cells[done].scenario.file << std::flush;
  }

  void RunOne(const LoadedCell& cell, std::size_t cells_left) {
    harness::CellOptions cell_options{
        .modes = options_.modes, .seed = options_.seed, .seeds = options_.seeds};
    // What is left of the budget is shared evenly by the cells that are left.
    if (options_.budget) {
      cell_options.budget = std::max(Duration::zero(), (*options_.budget - budget_used_) /
                                                           static_cast<Duration::rep>(cells_left));
    }
    const TimePoint start = clock_.Now();
    const CellReport report = RunCell(
        cell.scenario, cell_options,
        {.programs = programs_, .crypto = crypto_, .pool = pool_, .wall_clock = clock_}, cell.hash);
    budget_used_ += clock_.Now() - start;
    totals_.Add(report);
    if (console_.progress && !options_.quiet) console_.out << "\r\x1b[K";
    if (!options_.quiet || report.verdict() != Verdict::kPass)
      console_.out << SummaryLine(report, style_);
    for (const std::string& note : report.notes) {
      if (!options_.quiet) console_.out << "       note: " << note << "\n";
    }
    failures_.append(FailureText(report, cell.hash, style_));
    AddToJUnit(report, cell.hash, junit_);
    if (!options_.html.empty()) html_.Add(report, cell.hash);
    if (options_.history.empty()) return;
    if (const auto written = WriteHistory(options_.history, report); !written) {
      console_.err << written.error().message << "\n";
    }
  }

  void Summarise(Duration wall) {
    console_.out << " " << totals_.passed << " passed, " << totals_.failed << " failed, "
                 << totals_.inconclusive << " inconclusive";
    if (totals_.seeds > 0) console_.out << "   " << Plural(totals_.seeds, "further seed");
    console_.out << "   in " << FormatDuration(std::chrono::round<std::chrono::milliseconds>(wall))
                 << "\n";
  }

  const RunOptions& options_;
  Console& console_;
  const harness::ProgramRegistry& programs_;
  const harness::ReportStyle style_;
  SystemClock clock_;
  OpensslCrypto crypto_;
  harness::WorkerPool pool_;
  harness::JUnitReport junit_;
  harness::HtmlReport html_;
  Totals totals_;
  Duration budget_used_{};
  std::string failures_;
};

}  // namespace

int RunScenarios(const RunOptions& options, Console& console) {
  const harness::ProgramRegistry programs = harness::BuiltinPrograms();
  const auto files = FindScenarioFiles(options.paths);
  if (!files) {
    console.err << files.error().message << "\n";
    return kExitUsage;
  }
  std::vector<LoadedCell> cells;
  if (!LoadScenarioFiles(*files, programs, cells, console)) return kExitUsage;
  cells = Select(std::move(cells), options.filter, options.tags);
  if (cells.empty()) {
    console.err
        << "no scenario matches the filter and tags; `understudy list` shows what there is\n";
    return kExitUsage;
  }
  return SuiteRun(options, console, programs).Run(cells);
}

}  // namespace understudy::tools
