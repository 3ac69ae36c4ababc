#include <map>
#include <ostream>

#include "harness/scenario/builtin_programs.h"
#include "harness/scenario/scenario_lint.h"
#include "tools/understudy/commands.h"
#include "tools/understudy/scenario_files.h"

namespace understudy::tools {

int LintScenarios(const std::vector<std::string>& paths, Console& console) {
  const auto files = FindScenarioFiles(paths);
  if (!files) {
    console.err << files.error().message << "\n";
    return kExitUsage;
  }
  const harness::ProgramRegistry programs = harness::BuiltinPrograms();
  std::vector<LoadedCell> cells;
  if (!LoadScenarioFiles(*files, programs, cells, console)) return kExitUsage;
  std::map<std::string, std::vector<harness::Cell>> by_file;
  for (LoadedCell& cell : cells) {
    by_file[cell.scenario.file].push_back(
        {.id = cell.scenario.cell, .scenario = std::move(cell.scenario)});
  }
  std::size_t warnings = 0;
  for (const auto& [file, file_cells] : by_file) {
    for (const harness::Diagnostic& warning : harness::LintScenario(file_cells)) {
      console.out << warning.ToString() << "\n";
      ++warnings;
    }
  }
  console.out << by_file.size() << (by_file.size() == 1 ? " file" : " files") << " without errors, "
              << warnings << (warnings == 1 ? " warning" : " warnings") << "\n";
  return 0;
}

}  // namespace understudy::tools
