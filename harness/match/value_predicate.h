// ValuePredicate: a condition on one value, as the scenario format writes it in `where` and
// `match`.
//
//   "open"                      equals
//   ["open", "half-open"]       one of these: short for any_of
//   {"gte": 200, "lt": 300}     every given condition holds; also gt and lte
//   {"regex": "^5"}             found anywhere in the text; anchor it yourself
//   {"contains": "ab"}          the text has this part; an array has an element equal to it
//   {"starts_with": "ab", "ends_with": "yz"}
//   {"equals": {"a": [1]}}      equals any JSON value, also a structured one
//   {"equals": "Open", "ignore_case": true}
//                               ASCII case does not count in equals, contains, starts_with,
//                               ends_with and regex of the same object
//   {"not": "closed"}           the inner condition does not hold
//   {"any_of": ["a", {"regex": "^b"}]}, {"all_of": [...]}
//   {"absent": true}            only of a field (see CompileField): there is no value at all
//
// gte, gt, lte and lt compare numbers with numbers, and durations ("150ms") with durations; any
// other pair does not fit. Equality compares 5 and 5.0 as equal, and so "1s" and "1000ms".
//
// A missing value fits no condition on a value, and `not` does not change that: {"not": "x"} needs
// a value. What a missing one shall fit as well is written as
// {"any_of": [{"absent": true}, {"not": "x"}]}.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include <nlohmann/json_fwd.hpp>

#include "middleware/base/result.h"

namespace understudy::harness {

// Immutable and cheap to copy; thread-safe.
class ValuePredicate {
 public:
  // kInvalidArgument, with a suggestion, for an unknown condition, an empty object, any_of or
  // all_of, an operand of the wrong kind, and an expression that RE2 refuses.
  static Result<ValuePredicate> Compile(const nlohmann::json& spec);
  // For something that may be missing: {"absent": true} and {"absent": false} are conditions too.
  static Result<ValuePredicate> CompileField(const nlohmann::json& spec);

  bool Matches(const nlohmann::json& value) const;
  // For a value that arrives as text (query, header, body). It is read as a number or boolean where
  // the condition compares with one; text is compared exactly.
  bool MatchesText(std::string_view text) const;
  // For no value at all.
  bool MatchesMissing() const;

  std::string Describe() const;  // "open", {"gte":200}, ... as compact JSON.

 private:
  class Node;
  explicit ValuePredicate(std::shared_ptr<const Node> root);

  std::shared_ptr<const Node> root_;
};

}  // namespace understudy::harness
