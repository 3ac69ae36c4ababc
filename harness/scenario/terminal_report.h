// TerminalReport: a cell's verdict as text for people. Stable, so that two runs can be compared
// with `diff`, but for the wall-clock times in the summary lines. Needs no colour to be read.
#pragma once

#include <string>

#include "harness/scenario/cell_runner.h"

namespace understudy::harness {

struct ReportStyle {
  bool colour = false;
};

// " ok   breaker/opens [callers=2]  sim 1.2 ms (virtual 33.9s)  wire 41 ms  agree: outcomes counts
// 20 seeds"
std::string SummaryLine(const CellReport& report, const ReportStyle& style);

// Everything about why the cell is not green; empty if it passed. `hash` makes the replay command.
std::string FailureText(const CellReport& report, const std::string& hash,
                        const ReportStyle& style);

// One line that says what is wrong, for JUnit.
std::string FailureHeadline(const CellReport& report);

// Events of a run as an aligned table around `focus` (0: all), only the lanes involved.
std::string Timeline(const RunResult& run, std::uint64_t focus, std::size_t before,
                     std::size_t after);

}  // namespace understudy::harness
