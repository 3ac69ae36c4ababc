// Fuzz target: any bytes as a scenario file, and as a file that it uses. Nothing may crash, and a
// load gives either cells or diagnostics with a place inside the text.
//
//   clang++ -std=c++20 -fsanitize=fuzzer,address,undefined ... && ./scenario_loader_fuzz scenarios/
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include <nlohmann/json.hpp>

#include "harness/scenario/json_document.h"
#include "harness/scenario/scenario_lint.h"
#include "harness/scenario/scenario_loader.h"

namespace {

using understudy::Error;
using understudy::ErrorCode;
using understudy::Result;
using understudy::harness::Diagnostic;
using understudy::harness::JsonDocument;
using understudy::harness::LintScenario;
using understudy::harness::LoadOptions;
using understudy::harness::LoadResult;
using understudy::harness::LoadScenarioText;

void Require(bool condition) {
  if (!condition) std::abort();
}

void CheckDocument(const std::string& text) {
  const JsonDocument document = JsonDocument::Parse("fuzz.json", text);
  if (!document.ok()) return;
  // What was read is JSON for any other reader, and the same value.
  const std::string written = document.root().Serialise();
  const auto other = nlohmann::json::parse(written, nullptr, false);
  Require(!other.is_discarded());
  Require(JsonDocument::Parse("again.json", written).root().Serialise() == written);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  CheckDocument(text);
  LoadOptions options;
  options.max_cells = 8;
  options.read_file = [&text](const std::string& path) -> Result<std::string> {
    if (path == "self.json") return text;
    return Error{.code = ErrorCode::kNotFound, .message = "there is no such file"};
  };
  const LoadResult loaded = LoadScenarioText("fuzz.scn.json", text, options);
  Require(loaded.ok() == !loaded.cells.empty());
  for (const Diagnostic& problem : loaded.diagnostics) {
    Require(problem.line >= 1 && problem.column >= 1 && problem.column <= size + 1);
    Require(!problem.message.empty());
  }
  if (loaded.ok()) static_cast<void>(LintScenario(loaded.cells));
  return 0;
}
