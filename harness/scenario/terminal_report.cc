#include "harness/scenario/terminal_report.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <set>

#include "middleware/base/text.h"

namespace understudy::harness {
namespace {

constexpr std::size_t kEventsBefore = 5;
constexpr std::size_t kEventsAfter = 3;
constexpr std::size_t kFieldsMax = 160;

std::string Paint(std::string_view text, std::string_view code, const ReportStyle& style) {
  if (!style.colour) return std::string(text);
  return std::string("\x1b[").append(code).append("m").append(text).append("\x1b[0m");
}

std::string Pad(std::string text, std::size_t width) {
  if (text.size() < width) text.append(width - text.size(), ' ');
  return text;
}

// "41 ms", "1.2 ms", "3.4 s"
std::string WallText(Duration wall) {
  const double milliseconds = std::chrono::duration<double, std::milli>(wall).count();
  std::array<char, 32> buffer{};
  if (milliseconds >= 1000) {
    std::snprintf(buffer.data(), buffer.size(), "%.1f s", milliseconds / 1000);
  } else {
    std::snprintf(buffer.data(), buffer.size(), milliseconds >= 10 ? "%.0f ms" : "%.1f ms",
                  milliseconds);
  }
  return buffer.data();
}

// Virtual seconds with microseconds, "12.000 350".
std::string VirtualText(Duration at) {
  const auto micros = std::chrono::duration_cast<std::chrono::microseconds>(at).count();
  std::array<char, 48> buffer{};
  std::snprintf(buffer.data(), buffer.size(), "%lld.%03lld %03lld",
                static_cast<long long>(micros / 1'000'000),
                static_cast<long long>(micros / 1000 % 1000),
                static_cast<long long>(micros % 1000));
  return buffer.data();
}

// "33.9s", "5.0m", "1.0h", "3.0d": how much time passed, for people.
std::string SpanText(Duration span) {
  struct Unit {
    double seconds;
    const char* name;
  };
  constexpr std::array<Unit, 4> kUnits = {{{86400, "d"}, {3600, "h"}, {60, "m"}, {1, "s"}}};
  const double seconds = std::chrono::duration<double>(span).count();
  std::array<char, 32> buffer{};
  for (const Unit& unit : kUnits) {
    if (seconds < unit.seconds && unit.seconds > 1) continue;
    std::snprintf(buffer.data(), buffer.size(), "%.1f%s", seconds / unit.seconds, unit.name);
    break;
  }
  return buffer.data();
}

// Durations to the microsecond; more digits say nothing to a reader.
std::string ValueText(const HistoryEvent::Value& value) {
  const auto* const duration = std::get_if<Duration>(&value);
  return duration == nullptr
             ? ToText(value)
             : FormatDuration(std::chrono::round<std::chrono::microseconds>(*duration));
}

std::string Title(const Scenario& scenario) {
  std::string title = scenario.file;
  if (!scenario.cell.empty()) title.append(" [").append(scenario.cell).append("]");
  return title;
}

std::string EventText(const HistoryEvent& event) {
  std::string text = event.name;
  for (const auto& [key, value] : event.fields) {
    // What the lane says already, or what only the harness needs.
    if (key == "exchange" || key == "step" || key == "operation") continue;
    const std::string shown = ValueText(value);
    if (shown.empty()) continue;
    text.append(" ").append(key).append("=").append(shown);
  }
  if (text.size() > kFieldsMax) text.resize(kFieldsMax);
  return text;
}

std::string ReplayCommand(const CellReport& report, const RunResult& run, const std::string& hash) {
  const std::string& file = report.scenario.file;
  if (run.mode == "wire")
    return "understudy run " + file + " --mode wire --seed " + std::to_string(run.seed);
  return "understudy replay " + file + " s1:" + hash + "." + std::to_string(run.seed);
}

const Expectation* FindExpectation(const Scenario& scenario, const std::string& id) {
  for (const Expectation& expectation : scenario.expects) {
    if (expectation.id == id) return &expectation;
  }
  return nullptr;
}

std::string Place(const SourceLocation& at) { return at.ToString(); }

void AppendBlock(std::string& text, std::string_view label, std::string_view value) {
  if (value.empty()) return;
  text.append("   ").append(Pad(std::string(label), 10)).append(value).append("\n");
}

void AppendTimeline(std::string& text, const RunResult& run, std::optional<std::uint64_t> event) {
  // Without an offending event the end of the history shows where it stopped.
  const std::uint64_t focus = event.value_or(run.events.empty() ? 0 : run.events.back().n);
  if (focus == 0) return;
  text.append("\n   timeline around event #")
      .append(std::to_string(focus))
      .append(event ? " (! the first offending event)\n" : " (the last one)\n");
  text.append(
      Timeline(run, focus, event ? kEventsBefore : kEventsBefore + kEventsAfter, kEventsAfter));
}

void AppendExpectation(std::string& text, const CellReport& report, const RunResult& run,
                       const ExpectationResult& result, const std::string& hash,
                       const ReportStyle& style) {
  const Expectation* const expectation = FindExpectation(report.scenario, result.id);
  text.append(Paint(" FAIL  ", "31", style))
      .append(Title(report.scenario))
      .append(" > ")
      .append(result.id);
  text.append("  (")
      .append(run.mode)
      .append(", seed ")
      .append(std::to_string(run.seed))
      .append(")\n");
  if (expectation != nullptr) {
    const std::string& why = expectation->why.empty() ? report.scenario.why : expectation->why;
    if (!why.empty()) text.append("   ").append(why).append("\n");
    text.append("   ").append(Place(expectation->at)).append("\n");
    text.append("   ").append(std::to_string(expectation->at.position.line)).append(" | ");
    text.append(expectation->source_line).append("\n");
  }
  text.append("\n");
  AppendBlock(
      text, "problem",
      std::string(result.judgement == Judgement::kVacuous ? "vacuous: " : "") + result.message);
  AppendBlock(text, "expected", result.expected);
  AppendBlock(text, "actual", result.actual);
  AppendTimeline(text, run, result.event);
  text.append("\n");
  AppendBlock(text, "replay", ReplayCommand(report, run, hash));
  text.append("\n");
}

void AppendRun(std::string& text, const CellReport& report, const RunResult& run,
               const std::string& hash, const ReportStyle& style) {
  if (!run.ended_well()) {
    text.append(Paint(" FAIL  ", "31", style))
        .append(Title(report.scenario))
        .append("  (")
        .append(run.mode);
    text.append(", seed ").append(std::to_string(run.seed)).append(")\n");
    text.append("   ").append(FailureHeadline(report)).append("\n");
    for (const std::string_view line : Split(run.world.detail, '\n'))
      text.append("     ").append(line).append("\n");
    AppendTimeline(text, run, std::nullopt);
    text.append("\n");
    AppendBlock(text, "replay", ReplayCommand(report, run, hash));
    text.append("\n");
  }
  for (const Problem& problem : run.problems) {
    text.append(Paint(" FAIL  ", "31", style))
        .append(Title(report.scenario))
        .append("  (")
        .append(run.mode);
    text.append(", seed ").append(std::to_string(run.seed)).append(")\n   ");
    if (problem.line > 0)
      text.append(report.scenario.file)
          .append(":")
          .append(std::to_string(problem.line))
          .append(": ");
    text.append(problem.text).append("\n");
    AppendTimeline(text, run, problem.event);
    AppendBlock(text, "replay", ReplayCommand(report, run, hash));
    text.append("\n");
  }
  for (const ExpectationResult& result : run.expectations) {
    if (result.failed()) AppendExpectation(text, report, run, result, hash, style);
  }
}

std::string RunText(const std::optional<RunResult>& run) {
  if (!run) return {};
  std::string text = run->mode + " " + WallText(run->wall);
  if (run->mode == "sim")
    text.append(" (virtual ").append(SpanText(run->world.virtual_time)).append(")");
  return text;
}

}  // namespace

std::string Timeline(const RunResult& run, std::uint64_t focus, std::size_t before,
                     std::size_t after) {
  std::vector<const HistoryEvent*> shown;
  if (focus == 0) {
    for (const HistoryEvent& event : run.events) shown.push_back(&event);
  } else {
    const std::size_t index = std::min<std::size_t>(focus, run.events.size()) - 1;
    const std::size_t first = index > before ? index - before : 0;
    const std::size_t last = std::min(run.events.size(), index + after + 1);
    for (std::size_t i = first; i < last; ++i) shown.push_back(&run.events[i]);
  }
  std::size_t lane_width = 4;
  for (const HistoryEvent* const event : shown)
    lane_width = std::max(lane_width, event->lane.size());
  std::string text = "        #  " + Pad("virtual s", 14) + Pad("lane", lane_width + 2) + "event\n";
  for (const HistoryEvent* const event : shown) {
    text.append(event->n == focus ? "   ! " : "     ");
    const std::string number = std::to_string(event->n);
    text.append(number.size() < 4 ? 4 - number.size() : 0, ' ').append(number).append("  ");
    text.append(Pad(VirtualText(event->at), 14)).append(Pad(event->lane, lane_width + 2));
    text.append(EventText(*event)).append("\n");
  }
  return text;
}

std::string SummaryLine(const CellReport& report, const ReportStyle& style) {
  const Verdict verdict = report.verdict();
  std::string text =
      verdict == Verdict::kPass ? Paint(" ok    ", "32", style) : Paint(" FAIL  ", "31", style);
  text.append(Pad(Title(report.scenario), 48));
  for (const auto* const run : {&report.sim, &report.wire}) {
    if (*run) text.append("  ").append(RunText(*run));
  }
  if (report.sim && report.wire && report.disagreements.empty() && verdict == Verdict::kPass) {
    text.append("  agree:");
    for (const AgreeOn what : report.scenario.modes.agree_on)
      text.append(" ").append(ToString(what));
  }
  if (report.seeds_explored > 0)
    text.append("  ").append(std::to_string(report.seeds_explored)).append(" seeds");
  if (verdict != Verdict::kPass) text.append("  ").append(Paint(ToString(verdict), "31", style));
  return text.append("\n");
}

std::string FailureHeadline(const CellReport& report) {
  if (const RunResult* const run = report.failing_run()) {
    switch (run->world.end) {
      case WorldEnd::kDeadlock:
        return "deadlock: everybody waits, and no timer is pending";
      case WorldEnd::kTimeLimit:
        return "inconclusive: the virtual-time limit was reached";
      case WorldEnd::kStalled:
        return "inconclusive: the run made no progress";
      case WorldEnd::kRuleBroken:
        return "a rule of the house was broken";
      case WorldEnd::kFinished:
        break;
    }
    for (const ExpectationResult& result : run->expectations) {
      if (result.failed()) return result.id + ": " + result.message;
    }
    if (!run->problems.empty()) return run->problems.front().text;
  }
  if (!report.nondeterminism.empty()) return "not deterministic: one seed gave two histories";
  if (!report.disagreements.empty()) {
    return "sim and wire disagree on " + std::string(ToString(report.disagreements.front().what));
  }
  if (!report.never_reached.empty())
    return "never reached in any seed: " + report.never_reached.front();
  return {};
}

std::string FailureText(const CellReport& report, const std::string& hash,
                        const ReportStyle& style) {
  std::string text;
  for (const auto* const run : {&report.sim, &report.wire, &report.failing_seed}) {
    if (*run && !(*run)->passed()) AppendRun(text, report, **run, hash, style);
  }
  if (!report.nondeterminism.empty()) {
    text.append(Paint(" NOT DETERMINISTIC  ", "31", style))
        .append(Title(report.scenario))
        .append("\n   ");
    text.append(report.nondeterminism).append("\n\n");
  }
  for (const Disagreement& difference : report.disagreements) {
    text.append(Paint(" DISAGREE  ", "31", style))
        .append(Title(report.scenario))
        .append(": sim and wire differ on ");
    text.append(ToString(difference.what)).append(" of ").append(difference.subject).append("\n");
    AppendBlock(text, "sim", difference.sim);
    AppendBlock(text, "wire", difference.wire);
    text.append("\n");
  }
  for (const std::string& id : report.never_reached) {
    text.append(Paint(" FAIL  ", "31", style))
        .append(Title(report.scenario))
        .append(" > ")
        .append(id);
    text.append("\n   not reached in any of ").append(std::to_string(report.seeds_explored));
    text.append(" seeds: the search does not get to what this scenario is about\n\n");
  }
  return text;
}

}  // namespace understudy::harness
