#include "harness/match/value_predicate.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>
#include <re2/re2.h>

#include "middleware/base/text.h"

namespace understudy::harness {
namespace {

using nlohmann::json;

constexpr std::array<std::string_view, 5> kConditions = {"gte", "lte", "regex", "not", "any_of"};
constexpr std::size_t kDepthMax = 32;

std::string Compact(const json& value) {
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

std::optional<Duration> AsDuration(const json& value) {
  return value.is_string() ? ParseDuration(value.get_ref<const std::string&>()) : std::nullopt;
}

// `text` as the number or boolean that a condition of the kind of `wanted` compares with; else the
// text itself.
json ReadLike(const json& text, const json& wanted) {
  if (!text.is_string() || !(wanted.is_number() || wanted.is_boolean())) return text;
  json read = json::parse(text.get_ref<const std::string&>(), nullptr, false);
  const bool alike = wanted.is_number() ? read.is_number() : read.is_boolean();
  return alike ? read : text;
}

// Three-way comparison of two numbers or two durations; nullopt for any other pair.
std::optional<int> Compare(const json& left, const json& right) {
  if (left.is_number() && right.is_number()) return left < right ? -1 : (right < left ? 1 : 0);
  const auto left_time = AsDuration(left);
  const auto right_time = AsDuration(right);
  if (!left_time || !right_time) return std::nullopt;
  return *left_time < *right_time ? -1 : (*right_time < *left_time ? 1 : 0);
}

}  // namespace

class ValuePredicate::Node {
 public:
  enum class Kind { kEquals, kGte, kLte, kRegex, kNot, kAnyOf, kAllOf };
  using Children = std::vector<std::shared_ptr<const Node>>;

  Node(Kind kind, json operand, Children children, std::unique_ptr<const re2::RE2> regex)
      : kind_(kind),
        operand_(std::move(operand)),
        children_(std::move(children)),
        regex_(std::move(regex)) {}

  static Result<std::shared_ptr<const Node>> Compile(const json& spec, std::size_t depth);

  // `as_text`: the value came as text, see MatchesText.
  bool Matches(const json& value, bool as_text) const;
  const json& operand() const { return operand_; }

 private:
  using Compiled = Result<std::shared_ptr<const Node>>;

  static Compiled CompileObject(const json& spec, std::size_t depth);
  static Compiled CompileCondition(const std::string& name, const json& operand, std::size_t depth);
  static Compiled CompileAnyOf(const json& operand, std::size_t depth);
  static Compiled CompileRegex(const json& operand);
  bool Equals(const json& value, bool as_text) const;
  bool FoundIn(const json& value) const;

  const Kind kind_;
  const json operand_;  // What was written, also for Describe.
  const Children children_;
  const std::unique_ptr<const re2::RE2> regex_;
};

Result<std::shared_ptr<const ValuePredicate::Node>> ValuePredicate::Node::Compile(
    const json& spec, std::size_t depth) {
  if (depth > kDepthMax) return InvalidArgument("conditions are nested too deeply");
  if (spec.is_object()) return CompileObject(spec, depth);
  if (spec.is_array()) return CompileAnyOf(spec, depth);
  return std::make_shared<const Node>(Kind::kEquals, spec, Children{}, nullptr);
}

Result<std::shared_ptr<const ValuePredicate::Node>> ValuePredicate::Node::CompileObject(
    const json& spec, std::size_t depth) {
  if (spec.empty()) {
    return InvalidArgument("a condition is empty; write one of gte, lte, regex, not, any_of");
  }
  Children children;
  for (const auto& [name, operand] : spec.items()) {
    UNDERSTUDY_ASSIGN_OR_RETURN(auto child, CompileCondition(name, operand, depth));
    children.push_back(std::move(child));
  }
  return std::make_shared<const Node>(Kind::kAllOf, spec, std::move(children), nullptr);
}

Result<std::shared_ptr<const ValuePredicate::Node>> ValuePredicate::Node::CompileCondition(
    const std::string& name, const json& operand, std::size_t depth) {
  if (name == "gte" || name == "lte") {
    if (!operand.is_number() && !AsDuration(operand)) {
      return InvalidArgument(name + " needs a number or a duration such as \"150ms\", not " +
                             Compact(operand));
    }
    const Kind kind = name == "gte" ? Kind::kGte : Kind::kLte;
    return std::make_shared<const Node>(kind, operand, Children{}, nullptr);
  }
  if (name == "regex") return CompileRegex(operand);
  if (name == "any_of") return CompileAnyOf(operand, depth);
  if (name == "not") {
    UNDERSTUDY_ASSIGN_OR_RETURN(auto inner, Compile(operand, depth + 1));
    return std::make_shared<const Node>(Kind::kNot, operand, Children{std::move(inner)}, nullptr);
  }
  std::string message = "unknown condition \"" + name + "\"";
  const std::string_view close = ClosestMatch(name, kConditions);
  message += close.empty() ? "; write one of gte, lte, regex, not, any_of"
                           : "; did you mean \"" + std::string(close) + "\"?";
  return InvalidArgument(std::move(message));
}

Result<std::shared_ptr<const ValuePredicate::Node>> ValuePredicate::Node::CompileAnyOf(
    const json& operand, std::size_t depth) {
  if (!operand.is_array() || operand.empty()) {
    return InvalidArgument("any_of needs a list with at least one value, not " + Compact(operand));
  }
  Children children;
  for (const json& item : operand) {
    UNDERSTUDY_ASSIGN_OR_RETURN(auto child, Compile(item, depth + 1));
    children.push_back(std::move(child));
  }
  return std::make_shared<const Node>(Kind::kAnyOf, operand, std::move(children), nullptr);
}

Result<std::shared_ptr<const ValuePredicate::Node>> ValuePredicate::Node::CompileRegex(
    const json& operand) {
  if (!operand.is_string()) {
    return InvalidArgument("regex needs a text, not " + Compact(operand));
  }
  auto regex =
      std::make_unique<const re2::RE2>(operand.get_ref<const std::string&>(), re2::RE2::Quiet);
  if (!regex->ok()) {
    return InvalidArgument("regex " + Compact(operand) + ": " + regex->error() +
                           " (RE2 syntax: no look-around, no back-references)");
  }
  return std::make_shared<const Node>(Kind::kRegex, operand, Children{}, std::move(regex));
}

bool ValuePredicate::Node::Matches(const json& value, bool as_text) const {
  const auto fits = [&](const std::shared_ptr<const Node>& child) {
    return child->Matches(value, as_text);
  };
  switch (kind_) {
    case Kind::kEquals:
      return Equals(value, as_text);
    case Kind::kGte:
    case Kind::kLte: {
      const auto order = Compare(as_text ? ReadLike(value, operand_) : value, operand_);
      return order && (kind_ == Kind::kGte ? *order >= 0 : *order <= 0);
    }
    case Kind::kRegex:
      return FoundIn(value);
    case Kind::kNot:
      return !fits(children_.front());
    case Kind::kAnyOf:
      return std::any_of(children_.begin(), children_.end(), fits);
    case Kind::kAllOf:
      return std::all_of(children_.begin(), children_.end(), fits);
  }
  return false;
}

bool ValuePredicate::Node::Equals(const json& value, bool as_text) const {
  if (as_text) return ReadLike(value, operand_) == operand_;
  if (value == operand_) return true;
  return value.is_string() && Compare(value, operand_) == 0;
}

bool ValuePredicate::Node::FoundIn(const json& value) const {
  if (value.is_structured() || value.is_null()) return false;
  if (!value.is_string()) return re2::RE2::PartialMatch(Compact(value), *regex_);
  return re2::RE2::PartialMatch(value.get_ref<const std::string&>(), *regex_);
}

ValuePredicate::ValuePredicate(std::shared_ptr<const Node> root) : root_(std::move(root)) {}

Result<ValuePredicate> ValuePredicate::Compile(const json& spec) {
  UNDERSTUDY_ASSIGN_OR_RETURN(auto root, Node::Compile(spec, 0));
  return ValuePredicate(std::move(root));
}

bool ValuePredicate::Matches(const json& value) const { return root_->Matches(value, false); }

bool ValuePredicate::MatchesText(std::string_view text) const {
  return root_->Matches(json(std::string(text)), true);
}

std::string ValuePredicate::Describe() const { return Compact(root_->operand()); }

}  // namespace understudy::harness
