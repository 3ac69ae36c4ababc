#include <ostream>

#include "harness/scenario/builtin_programs.h"
#include "tools/understudy/commands.h"
#include "tools/understudy/scenario_files.h"

namespace understudy::tools {

int ListScenarios(const ListOptions& options, Console& console) {
  const auto files = FindScenarioFiles(options.paths);
  if (!files) {
    console.err << files.error().message << "\n";
    return kExitUsage;
  }
  const harness::ProgramRegistry programs = harness::BuiltinPrograms();
  std::vector<LoadedCell> cells;
  if (!LoadScenarioFiles(*files, programs, cells, console)) return kExitUsage;
  for (const LoadedCell& cell : Select(std::move(cells), options.filter, options.tags)) {
    const harness::Scenario& scenario = cell.scenario;
    console.out << scenario.file;
    if (!scenario.cell.empty()) console.out << " [" << scenario.cell << "]";
    console.out << "\n    " << scenario.name << "\n    "
                << (scenario.modes.sim && scenario.modes.wire.enabled ? "sim+wire"
                    : scenario.modes.sim                              ? "sim"
                                                                      : "wire");
    for (const std::string& tag : scenario.tags) console.out << " #" << tag;
    console.out << "\n";
  }
  return 0;
}

}  // namespace understudy::tools
