// Fuzz target: the first line is a JSONPath, the rest a JSON document. Nothing may crash, hang or
// grow without bound, and what is selected lies in the document (or is a computed length).
//
//   clang++ -std=c++20 -fsanitize=fuzzer,address,undefined ... && ./json_path_fuzz corpus/json_path
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include <nlohmann/json.hpp>

#include "harness/match/json_path.h"

namespace {

using understudy::harness::JsonPath;

void Require(bool condition) {
  if (!condition) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  const std::size_t line = text.find('\n');
  const auto document = nlohmann::json::parse(
      line == std::string::npos ? std::string("null") : text.substr(line + 1), nullptr, false);
  for (const auto flavour : {JsonPath::Flavour::kStandard, JsonPath::Flavour::kJayway}) {
    const auto path = JsonPath::Parse(text.substr(0, line), flavour);
    if (!path) {
      Require(!path.error().message.empty());
      continue;
    }
    if (document.is_discarded()) continue;
    const auto selection = path->Select(document);
    Require(selection.nodes.size() <= JsonPath::kNodesMax);
    Require(!path->definite() || selection.nodes.size() <= 1);
    for (const auto* node : selection.nodes) Require(node != nullptr);
  }
  return 0;
}
