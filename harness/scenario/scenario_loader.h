// LoadScenarioFile: reads a scenario file, checks all of it, and gives one Scenario per cell of its
// matrix.
//
//   LoadOptions options;
//   options.program_operations = [&](std::string_view program) { return
//   registry.OperationsOf(program); }; const LoadResult loaded =
//   LoadScenarioFile("scenarios/breaker/opens.scn.json", options); if (!loaded.ok()) {
//     std::cerr << loaded.ErrorText();  // a.scn.json:27:5: /expect/1/alwyas: unknown key "alwyas";
//     did you mean "always"? return 64;
//   }
//   for (const Cell& cell : loaded.cells) Run(cell.scenario);
//
// Either everything is right, or nothing is returned but what is wrong. The rules are those of
// scenario-1.schema.json plus what a schema cannot say: names that refer to something, regular
// expressions that RE2 accepts, unique ids. docs/scenario-format.md is the reference for users.
// Pure functions apart from reading files; thread-safe.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "harness/scenario/json_document.h"
#include "harness/scenario/scenario.h"
#include "middleware/base/result.h"

namespace understudy::harness {

struct LoadOptions {
  // The operations of the program called `program`; nullopt: there is no such program, which is an
  // error of the file. Without this function neither programs nor the operations of programs are
  // checked.
  std::function<std::optional<std::vector<std::string>>(std::string_view program)>
      program_operations = {};
  // Reads `use` and `body_file` files, and the scenario itself. Without it, the file system.
  std::function<Result<std::string>(const std::string& path)> read_file = {};
  // Bounds: the cells of a matrix, the files of all `use`, and how deep they nest.
  std::size_t max_cells = 1000;
  std::size_t max_files = 64;
  std::size_t max_use_depth = 8;
  JsonLimits limits = {};
  // Of the file, only the vendors count (see vendor_file.h): it may be a scenario, a file of
  // vendors, or one vendor's section; one cell is loaded, which has nothing else.
  bool vendors_only = false;
};

struct LoadResult {
  std::vector<Cell> cells = {};  // In the matrix's order, the last axis fastest; empty on errors.
  std::vector<Diagnostic> diagnostics =
      {};                               // At most 20, in the order of the file; empty on success.
  std::vector<std::string> files = {};  // That were read, the given one first.

  bool ok() const { return diagnostics.empty(); }
  // One line per diagnostic, each ended by a line break.
  std::string ErrorText() const;
  // The cells, or kInvalidArgument with the first diagnostic.
  Result<std::vector<Cell>> ToResult() &&;
};

LoadResult LoadScenarioFile(const std::string& path, const LoadOptions& options = {});

// As LoadScenarioFile, for text that is already read; `path` names it and anchors relative paths.
LoadResult LoadScenarioText(const std::string& path, std::string text,
                            const LoadOptions& options = {});

}  // namespace understudy::harness
