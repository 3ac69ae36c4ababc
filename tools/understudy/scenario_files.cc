#include "tools/understudy/scenario_files.h"

#include <algorithm>
#include <filesystem>
#include <ostream>

#include "harness/scenario/cell_runner.h"
#include "harness/scenario/scenario_loader.h"
#include "harness/scenario/stack_program.h"
#include "middleware/platform/file.h"

namespace understudy::tools {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kExtension = ".scn.json";
constexpr std::size_t kFileBytesMax = std::size_t{16} * 1024 * 1024;

bool Contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

harness::LoadOptions OptionsFor(const harness::ProgramRegistry& programs) {
  harness::LoadOptions options;
  options.program_operations =
      [&programs](std::string_view name) -> std::optional<std::vector<std::string>> {
    const harness::ProgramInfo* const info = programs.Find(name);
    return info == nullptr ? std::nullopt : std::optional(info->operations);
  };
  return options;
}

}  // namespace

Result<std::vector<std::string>> FindScenarioFiles(const std::vector<std::string>& paths) {
  std::vector<std::string> files;
  for (const std::string& path : paths) {
    std::error_code error;
    if (fs::is_regular_file(path, error)) {
      files.push_back(path);
      continue;
    }
    if (!fs::is_directory(path, error)) {
      return InvalidArgument("there is no file or folder \"" + path + "\"; give scenario files (*" +
                             std::string(kExtension) + ") or folders with them");
    }
    for (const auto& entry : fs::recursive_directory_iterator(path, error)) {
      const std::string file = entry.path().string();
      if (entry.is_regular_file(error) && file.ends_with(kExtension)) files.push_back(file);
    }
  }
  std::sort(files.begin(), files.end());
  files.erase(std::unique(files.begin(), files.end()), files.end());
  if (files.empty())
    return InvalidArgument("no file ends in " + std::string(kExtension) + " there");
  return files;
}

bool LoadScenarioFiles(const std::vector<std::string>& files,
                       const harness::ProgramRegistry& programs, std::vector<LoadedCell>& cells,
                       Console& console) {
  bool all_good = true;
  const harness::LoadOptions options = OptionsFor(programs);
  for (const std::string& file : files) {
    const auto text = ReadFile(file, kFileBytesMax);
    if (!text) {
      console.err << file << ": " << text.error().message << "\n";
      all_good = false;
      continue;
    }
    harness::LoadResult loaded = harness::LoadScenarioText(file, *text, options);
    if (!loaded.ok()) {
      console.err << loaded.ErrorText();
      all_good = false;
      continue;
    }
    for (harness::Cell& cell : loaded.cells) {
      if (const auto stack = harness::CheckStack(cell.scenario.client); !stack) {
        console.err << file << ": " << stack.error().message << "\n";
        all_good = false;
        break;
      }
      cells.push_back(
          {.scenario = std::move(cell.scenario), .hash = harness::ScenarioHash(*text, cell.id)});
    }
  }
  return all_good;
}

std::vector<LoadedCell> Select(std::vector<LoadedCell> cells, const std::string& filter,
                               const std::vector<std::string>& tags) {
  std::erase_if(cells, [&](const LoadedCell& cell) {
    const harness::Scenario& scenario = cell.scenario;
    const bool named = filter.empty() || Contains(scenario.file, filter) ||
                       Contains(scenario.name, filter) || Contains(scenario.cell, filter);
    const bool tagged =
        tags.empty() || std::any_of(tags.begin(), tags.end(), [&](const std::string& tag) {
          return std::find(scenario.tags.begin(), scenario.tags.end(), tag) != scenario.tags.end();
        });
    return !named || !tagged;
  });
  return cells;
}

}  // namespace understudy::tools
