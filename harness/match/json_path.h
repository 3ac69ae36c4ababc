// JsonPath: selects values in a JSON document: RFC 9535, and the forms of Jayway's library that
// mapping files of other tools use.
//
//   auto path = JsonPath::Parse("$.orders[?(@.state == 'open')].id");
//   if (!path) return path.error();
//   for (const nlohmann::json* id : path->Select(body).nodes) ...
//
// RFC 9535: names, wildcards, indices, slices, `..`, filters with comparisons, && || ! and
// parentheses, and the functions length, count, match, search and value (match and search take RE2
// syntax). Objects are walked in the order of their names: the RFC leaves it open.
// From Jayway: a path without "$" starts at the root; `=~ /expression/i`; `in`, `nin`, `contains`,
// `size` and `empty` as operators; `@.length()` and `.length()` or `.size()` at the end of a path.
// Not supported: min, max, avg, keys, concat and the other aggregating functions.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "middleware/base/result.h"

namespace understudy::harness {

// Immutable and cheap to copy; thread-safe.
class JsonPath {
 public:
  static constexpr std::size_t kTextMax = 4096;       // Bytes of an expression.
  static constexpr std::size_t kNestingMax = 24;      // Of filters and parentheses.
  static constexpr std::size_t kWorkMax = 1'000'000;  // Values looked at by one Select.
  static constexpr std::size_t kNodesMax = 100'000;   // Values selected by one step.
  static constexpr std::size_t kDepthMax = 256;       // How deep `..` looks into the document.

  struct Selection;

  // What a filter on an object tests: RFC 9535 its members; Jayway the object itself, so that
  // "$[?(@.state == 'open')]" selects {"state": "open"}.
  enum class Flavour { kStandard, kJayway };

  // kInvalidArgument with the place (a byte offset) of what is wrong.
  static Result<JsonPath> Parse(std::string_view text, Flavour flavour = Flavour::kStandard);

  // Total over any document. `document` must outlive the result.
  Selection Select(const nlohmann::json& document) const;

  // Can it select at most one value: only names and indices?
  bool definite() const;
  const std::string& text() const;

 private:
  class Program;
  friend class JsonPathParser;
  explicit JsonPath(std::shared_ptr<const Program> program);

  std::shared_ptr<const Program> program_;
};

struct JsonPath::Selection {
  // In the order of the document; pointers into it, or into `made` for a computed length.
  std::vector<const nlohmann::json*> nodes = {};
  std::vector<std::shared_ptr<const nlohmann::json>> made = {};
  // A bound of the class was reached: the selection may lack values.
  bool cut = false;
};

}  // namespace understudy::harness
