// FieldCheck: the condition on the values of one name: a query parameter, a header, a cookie, a
// form field. Inner working of RequestMatcher.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "harness/match/findings.h"
#include "harness/match/request_match.h"
#include "harness/match/value_predicate.h"
#include "middleware/base/result.h"

namespace understudy::harness {

// Immutable; thread-safe.
class FieldCheck {
 public:
  static constexpr std::size_t kListMax = 64;    // Conditions of includes and exactly.
  static constexpr std::size_t kDepthMax = 200;  // Of a condition.

  // kInvalidArgument for an empty name and for a malformed condition.
  static Result<FieldCheck> Parse(RequestPart part, const FieldMatch& spec);

  const std::string& name() const { return name_; }
  void Check(const std::vector<std::string_view>& values, Findings& findings) const;
  // Of the values that a JSONPath selected. `complete`: are these all? What is not, does not fit.
  void Check(const std::vector<const nlohmann::json*>& values, bool complete,
             Findings& findings) const;
  // For exactly one value.
  void CheckOne(std::string_view value, Findings& findings) const;

 private:
  enum class Mode { kAny, kIncludes, kExactly };

  template <typename Values, typename Judge>
  bool Fits(const Values& values, const Judge& judge) const;
  template <typename Values, typename Judge>
  bool Pairs(const Values& values, const Judge& judge) const;
  void Tell(bool fits, std::string actual, Findings& findings) const;
  std::string Expected() const;

  RequestPart part_ = RequestPart::kQuery;
  std::string name_;
  Mode mode_ = Mode::kAny;
  std::vector<ValuePredicate> predicates_;  // One for kAny.
  std::string expected_;
};

}  // namespace understudy::harness
