// ScenarioFiles: finds and loads the scenario files that a command is given.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "harness/scenario/program.h"
#include "harness/scenario/scenario.h"
#include "middleware/base/result.h"
#include "tools/understudy/command_line.h"

namespace understudy::tools {

struct LoadedCell {
  harness::Scenario scenario = {};
  std::string hash = {};  // of the file's text and the cell, for replay tokens
};

// Files as they are, folders as every *.scn.json below them, sorted. kInvalidArgument for a path
// that does not exist.
Result<std::vector<std::string>> FindScenarioFiles(const std::vector<std::string>& paths);

// Every cell of every file. If anything is wrong with any file, prints all of it to console.err and
// returns false: nothing is run then.
bool LoadScenarioFiles(const std::vector<std::string>& files,
                       const harness::ProgramRegistry& programs, std::vector<LoadedCell>& cells,
                       Console& console);

// Keeps the cells whose file, name or cell id contains `filter` and that carry one of `tags` (if
// any).
std::vector<LoadedCell> Select(std::vector<LoadedCell> cells, const std::string& filter,
                               const std::vector<std::string>& tags);

}  // namespace understudy::tools
