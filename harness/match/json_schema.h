// JsonSchema: judges JSON values by a JSON Schema of draft 4, draft 7 or 2020-12.
//
//   auto schema = JsonSchema::Compile(R"({"type": "object", "required": ["id"]})");
//   if (!schema) return schema.error();          // "JSON Schema #/properties/a/type: ..."
//   for (const auto& violation : schema->Validate(body)) log(violation.ToString());
//
// The draft is the one that "$schema" names, or else Options::draft. References ($ref, $id,
// $anchor, $dynamicRef, $dynamicAnchor, JSON pointers) are resolved when compiling: within the
// schema, to Options::documents, and to the meta-schemas of the three drafts. Nothing is ever
// fetched. Formats and content keywords are annotations and never fail. Regular expressions are
// ECMA-262 as far as RE2 goes: no look-around and no back-references.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "middleware/base/result.h"

namespace understudy::harness {

// Immutable and cheap to copy; thread-safe.
class JsonSchema {
 public:
  static constexpr std::size_t kDepthMax = 256;        // Of schemas, of values and of references.
  static constexpr std::size_t kWorkMax = 1'000'000;   // Schemas applied by one validation.
  static constexpr std::size_t kSchemasMax = 100'000;  // Subschemas of all documents together.
  static constexpr std::size_t kViolationsMax = 20;    // Told by Validate.

  enum class Draft { k4, k7, k2020_12 };

  struct Options {
    Draft draft = Draft::k2020_12;  // Without "$schema".
    // URI and text of other documents that may be referred to. Read when one is.
    std::vector<std::pair<std::string, std::string>> documents = {};
  };

  struct Violation {
    std::string instance = {};  // JSON pointer into the value; empty for all of it.
    std::string schema = {};    // "#/properties/id/type", with the URI before it where it has one.
    std::string message = {};   // "expected string, got integer"

    std::string ToString() const;  // "/id: expected string, got integer (#/properties/id/type)"
  };

  // kInvalidArgument, with the place in the schema, for: a text that is not JSON or is nested too
  // deeply; a keyword with a value of the wrong kind; an expression that RE2 refuses; a reference
  // that leads nowhere; an unknown "$schema".
  static Result<JsonSchema> Compile(std::string_view text, const Options& options);
  static Result<JsonSchema> Compile(std::string_view text);
  // As Compile, of a schema that was read already.
  static Result<JsonSchema> CompileValue(const nlohmann::json& schema, const Options& options);

  // Total over any value. A validation that reaches a bound finds the value invalid and says so.
  bool IsValid(const nlohmann::json& value) const;
  // At most kViolationsMax; empty for a valid value.
  std::vector<Violation> Validate(const nlohmann::json& value) const;

 private:
  class Compiled;
  class Builder;
  class Validation;
  explicit JsonSchema(std::shared_ptr<const Compiled> compiled);

  std::shared_ptr<const Compiled> compiled_;
};

}  // namespace understudy::harness
