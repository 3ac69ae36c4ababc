// ValuePredicate: a condition on one scalar value, as the scenario format writes it in `where`.
//
//   "open"                      equals
//   ["open", "half-open"]       one of these: short for any_of
//   {"gte": 200, "lte": 299}    every given condition holds
//   {"regex": "^5"}             found anywhere in the text; anchor it yourself
//   {"not": "closed"}           the inner condition does not hold
//   {"any_of": ["a", {"regex": "^b"}]}
//
// gte and lte compare numbers with numbers, and durations ("150ms") with durations; any other pair
// does not fit. Equality compares 5 and 5.0 as equal, and so "1s" and "1000ms".
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
  // kInvalidArgument, with a suggestion, for an unknown condition, an empty object or any_of, a
  // gte/lte that is neither a number nor a duration, and an expression that RE2 refuses.
  static Result<ValuePredicate> Compile(const nlohmann::json& spec);

  bool Matches(const nlohmann::json& value) const;
  // For a value that arrives as text (query, header). It is read as a number or boolean where the
  // condition compares with one; text is compared exactly.
  bool MatchesText(std::string_view text) const;

  std::string Describe() const;  // "open", {"gte":200}, ... as compact JSON.

 private:
  class Node;
  explicit ValuePredicate(std::shared_ptr<const Node> root);

  std::shared_ptr<const Node> root_;
};

}  // namespace understudy::harness
