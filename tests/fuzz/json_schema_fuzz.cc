// Fuzz target: the first line is a JSON Schema, the rest a JSON value. Nothing may crash, hang or
// grow without bound; the quick answer and the list of violations agree.
//
//   clang++ -std=c++20 -fsanitize=fuzzer,address,undefined ... && ./json_schema_fuzz
//   corpus/json_schema
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include <nlohmann/json.hpp>

#include "harness/match/json_schema.h"

namespace {

using understudy::harness::JsonSchema;

void Require(bool condition) {
  if (!condition) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  const std::size_t line = text.find('\n');
  const auto value = nlohmann::json::parse(
      line == std::string::npos ? std::string("null") : text.substr(line + 1), nullptr, false);
  for (const auto draft :
       {JsonSchema::Draft::k4, JsonSchema::Draft::k7, JsonSchema::Draft::k2020_12}) {
    const auto schema = JsonSchema::Compile(text.substr(0, line), {.draft = draft});
    if (!schema) {
      Require(!schema.error().message.empty());
      continue;
    }
    if (value.is_discarded()) continue;
    const auto violations = schema->Validate(value);
    Require(violations.size() <= JsonSchema::kViolationsMax);
    Require(schema->IsValid(value) == violations.empty());
    for (const auto& violation : violations) Require(!violation.ToString().empty());
  }
  return 0;
}
