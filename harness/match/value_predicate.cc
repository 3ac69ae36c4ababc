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

constexpr std::array<std::string_view, 14> kConditions = {
    "equals",      "gte",       "gt",  "lte",    "lt",     "regex",  "contains",
    "starts_with", "ends_with", "not", "any_of", "all_of", "absent", "ignore_case"};
constexpr std::string_view kConditionList =
    "equals, gte, gt, lte, lt, regex, contains, starts_with, ends_with, not, any_of, all_of";
constexpr std::size_t kDepthMax = 32;

std::string Compact(const json& value) {
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

// What is judged: a JSON value, a text, or nothing.
struct Subject {
  const json* value = nullptr;
  std::optional<std::string_view> text = {};  // Also of a `value` that is a string.
  bool as_text = false;                       // It came as text, see MatchesText.
};

std::optional<Duration> AsDuration(const json& value) {
  return value.is_string() ? ParseDuration(value.get_ref<const std::string&>()) : std::nullopt;
}

// `text` as the number or boolean that a condition of the kind of `wanted` compares with.
std::optional<json> ReadLike(std::string_view text, const json& wanted) {
  if (!(wanted.is_number() || wanted.is_boolean())) return std::nullopt;
  json read = json::parse(text, nullptr, false);
  const bool alike = wanted.is_number() ? read.is_number() : read.is_boolean();
  return alike ? std::optional(std::move(read)) : std::nullopt;
}

// Three-way comparison of two numbers or two durations; nullopt for any other pair.
std::optional<int> Compare(const Subject& left, const json& right) {
  if (right.is_number()) {
    const std::optional<json> read = left.as_text ? ReadLike(*left.text, right) : std::nullopt;
    const json* const number = read ? &*read : left.value;
    if (number == nullptr || !number->is_number()) return std::nullopt;
    return *number < right ? -1 : (right < *number ? 1 : 0);
  }
  const auto left_time = left.text ? ParseDuration(*left.text) : std::nullopt;
  const auto right_time = AsDuration(right);
  if (!left_time || !right_time) return std::nullopt;
  return *left_time < *right_time ? -1 : (*right_time < *left_time ? 1 : 0);
}

char Lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool Holds(std::string_view text, std::string_view part, bool ignore_case) {
  if (!ignore_case) return text.find(part) != std::string_view::npos;
  return std::search(text.begin(), text.end(), part.begin(), part.end(),
                     [](char a, char b) { return Lower(a) == Lower(b); }) != text.end() ||
         part.empty();
}

bool SameText(std::string_view a, std::string_view b, bool ignore_case) {
  return ignore_case ? EqualsIgnoreAsciiCase(a, b) : a == b;
}

// Could a JSON value be compared with ==, whose depth is that of the shallower side?
bool SameJson(const json& value, const json& operand, bool ignore_case) {
  if (ignore_case && value.is_string() && operand.is_string()) {
    return EqualsIgnoreAsciiCase(value.get_ref<const std::string&>(),
                                 operand.get_ref<const std::string&>());
  }
  return value == operand;
}

}  // namespace

class ValuePredicate::Node {
 public:
  enum class Kind {
    kEquals,
    kGte,
    kGt,
    kLte,
    kLt,
    kRegex,
    kContains,
    kStartsWith,
    kEndsWith,
    kNot,
    kAnyOf,
    kAllOf,
    kAbsent
  };
  using Pointer = std::shared_ptr<const Node>;
  using Children = std::vector<Pointer>;
  struct Options {
    std::size_t depth = 0;
    bool field = false;
    bool ignore_case = false;
  };

  Node(Kind kind, json operand, bool ignore_case, Children children,
       std::unique_ptr<const re2::RE2> regex)
      : kind_(kind),
        operand_(std::move(operand)),
        ignore_case_(ignore_case),
        children_(std::move(children)),
        regex_(std::move(regex)) {}

  static Result<Pointer> Compile(const json& spec, Options options);

  bool Matches(const Subject& subject) const;
  // For a missing value: nullopt if nothing here asks for a presence or an absence.
  std::optional<bool> MatchesMissing() const;
  const json& operand() const { return operand_; }

 private:
  using Compiled = Result<Pointer>;

  static Compiled Leaf(Kind kind, const json& operand, Options options) {
    return std::make_shared<const Node>(kind, operand, options.ignore_case, Children{}, nullptr);
  }
  static Compiled CompileObject(const json& spec, Options options);
  static Compiled CompileCondition(const std::string& name, const json& operand, Options options);
  static Compiled CompileOrder(const std::string& name, const json& operand, Options options);
  static Compiled CompileText(const std::string& name, const json& operand, Options options);
  static Compiled CompileList(Kind kind, const json& operand, Options options);
  static Compiled CompileRegex(const json& operand, Options options);
  static Compiled CompileAbsent(const json& operand, Options options);
  static Error Unknown(const std::string& name);
  bool InOrder(const Subject& subject) const;
  bool Equals(const Subject& subject) const;
  bool FoundIn(const Subject& subject) const;
  bool ContainedIn(const Subject& subject) const;

  const Kind kind_;
  const json operand_;  // What was written, also for Describe.
  const bool ignore_case_;
  const Children children_;
  const std::unique_ptr<const re2::RE2> regex_;
};

Result<ValuePredicate::Node::Pointer> ValuePredicate::Node::Compile(const json& spec,
                                                                    Options options) {
  if (options.depth > kDepthMax) return InvalidArgument("conditions are nested too deeply");
  if (spec.is_object()) return CompileObject(spec, options);
  if (spec.is_array()) return CompileList(Kind::kAnyOf, spec, options);
  return Leaf(Kind::kEquals, spec, options);
}

Result<ValuePredicate::Node::Pointer> ValuePredicate::Node::CompileObject(const json& spec,
                                                                          Options options) {
  options.ignore_case = false;  // It holds for its own object only.
  if (const auto found = spec.find("ignore_case"); found != spec.end()) {
    if (!found->is_boolean()) return InvalidArgument("ignore_case needs true or false");
    options.ignore_case = found->get<bool>();
    if (spec.size() == 1) {
      return InvalidArgument("ignore_case alone is no condition; add equals, contains or regex");
    }
  }
  if (spec.empty()) {
    return InvalidArgument("a condition is empty; write one of " + std::string(kConditionList));
  }
  if (options.field && spec.contains("absent") && spec.size() != 1) {
    return InvalidArgument("write {\"absent\": true} or {\"absent\": false}, alone");
  }
  Children children;
  for (const auto& [name, operand] : spec.items()) {
    if (name == "ignore_case") continue;
    UNDERSTUDY_ASSIGN_OR_RETURN(auto child, CompileCondition(name, operand, options));
    children.push_back(std::move(child));
  }
  return std::make_shared<const Node>(Kind::kAllOf, spec, options.ignore_case, std::move(children),
                                      nullptr);
}

Result<ValuePredicate::Node::Pointer> ValuePredicate::Node::CompileCondition(
    const std::string& name, const json& operand, Options options) {
  if (name == "equals") return Leaf(Kind::kEquals, operand, options);
  if (name == "gte" || name == "lte" || name == "gt" || name == "lt") {
    return CompileOrder(name, operand, options);
  }
  if (name == "regex") return CompileRegex(operand, options);
  if (name == "starts_with" || name == "ends_with" || name == "contains") {
    return CompileText(name, operand, options);
  }
  if (name == "absent" && options.field) return CompileAbsent(operand, options);
  options.ignore_case = false;
  if (name == "any_of") return CompileList(Kind::kAnyOf, operand, options);
  if (name == "all_of") return CompileList(Kind::kAllOf, operand, options);
  if (name != "not") return Unknown(name);
  ++options.depth;
  UNDERSTUDY_ASSIGN_OR_RETURN(auto inner, Compile(operand, options));
  return std::make_shared<const Node>(Kind::kNot, operand, false, Children{std::move(inner)},
                                      nullptr);
}

Error ValuePredicate::Node::Unknown(const std::string& name) {
  if (name == "absent") {
    return InvalidArgument("absent is a condition of a query parameter, header, cookie or field");
  }
  const std::string_view close = ClosestMatch(name, kConditions);
  return InvalidArgument("unknown condition \"" + name + "\"" +
                         (close.empty() ? "; write one of " + std::string(kConditionList)
                                        : "; did you mean \"" + std::string(close) + "\"?"));
}

Result<ValuePredicate::Node::Pointer> ValuePredicate::Node::CompileOrder(const std::string& name,
                                                                         const json& operand,
                                                                         Options options) {
  if (!operand.is_number() && !AsDuration(operand)) {
    return InvalidArgument(name + " needs a number or a duration such as \"150ms\", not " +
                           Compact(operand));
  }
  if (name == "gte") return Leaf(Kind::kGte, operand, options);
  if (name == "gt") return Leaf(Kind::kGt, operand, options);
  return Leaf(name == "lte" ? Kind::kLte : Kind::kLt, operand, options);
}

Result<ValuePredicate::Node::Pointer> ValuePredicate::Node::CompileText(const std::string& name,
                                                                        const json& operand,
                                                                        Options options) {
  if (name == "contains") return Leaf(Kind::kContains, operand, options);
  if (!operand.is_string()) {
    return InvalidArgument(name + " needs a text, not " + Compact(operand));
  }
  return Leaf(name == "starts_with" ? Kind::kStartsWith : Kind::kEndsWith, operand, options);
}

Result<ValuePredicate::Node::Pointer> ValuePredicate::Node::CompileList(Kind kind,
                                                                        const json& operand,
                                                                        Options options) {
  if (!operand.is_array() || operand.empty()) {
    return InvalidArgument(std::string(kind == Kind::kAnyOf ? "any_of" : "all_of") +
                           " needs a list with at least one value, not " + Compact(operand));
  }
  ++options.depth;
  options.ignore_case = false;
  Children children;
  for (const json& item : operand) {
    UNDERSTUDY_ASSIGN_OR_RETURN(auto child, Compile(item, options));
    children.push_back(std::move(child));
  }
  return std::make_shared<const Node>(kind, operand, false, std::move(children), nullptr);
}

Result<ValuePredicate::Node::Pointer> ValuePredicate::Node::CompileRegex(const json& operand,
                                                                         Options options) {
  if (!operand.is_string()) {
    return InvalidArgument("regex needs a text, not " + Compact(operand));
  }
  re2::RE2::Options settings(re2::RE2::Quiet);
  settings.set_case_sensitive(!options.ignore_case);
  auto regex = std::make_unique<const re2::RE2>(operand.get_ref<const std::string&>(), settings);
  if (!regex->ok()) {
    return InvalidArgument("regex " + Compact(operand) + ": " + regex->error() +
                           " (RE2 syntax: no look-around, no back-references)");
  }
  return std::make_shared<const Node>(Kind::kRegex, operand, options.ignore_case, Children{},
                                      std::move(regex));
}

Result<ValuePredicate::Node::Pointer> ValuePredicate::Node::CompileAbsent(const json& operand,
                                                                          Options options) {
  if (!operand.is_boolean()) {
    return InvalidArgument("write {\"absent\": true} or {\"absent\": false}, alone");
  }
  return Leaf(Kind::kAbsent, operand, options);
}

bool ValuePredicate::Node::Matches(const Subject& subject) const {
  const auto fits = [&](const Pointer& child) { return child->Matches(subject); };
  switch (kind_) {
    case Kind::kEquals:
      return Equals(subject);
    case Kind::kGte:
    case Kind::kGt:
    case Kind::kLte:
    case Kind::kLt:
      return InOrder(subject);
    case Kind::kRegex:
      return FoundIn(subject);
    case Kind::kContains:
    case Kind::kStartsWith:
    case Kind::kEndsWith:
      return ContainedIn(subject);
    case Kind::kNot:
      return !fits(children_.front());
    case Kind::kAnyOf:
      return std::any_of(children_.begin(), children_.end(), fits);
    case Kind::kAllOf:
      return std::all_of(children_.begin(), children_.end(), fits);
    case Kind::kAbsent:
      return !operand_.get<bool>();
  }
  return false;
}

// Kleene's logic: what is asked of a value that is not there is neither true nor false.
std::optional<bool> ValuePredicate::Node::MatchesMissing() const {
  if (kind_ == Kind::kAbsent) return operand_.get<bool>();
  if (kind_ == Kind::kNot) {
    const auto inner = children_.front()->MatchesMissing();
    return inner ? std::optional(!*inner) : std::nullopt;
  }
  if (kind_ != Kind::kAnyOf && kind_ != Kind::kAllOf) return std::nullopt;
  const bool decides = kind_ == Kind::kAnyOf;
  std::optional<bool> all = !decides;
  for (const Pointer& child : children_) {
    const auto fits = child->MatchesMissing();
    if (fits == decides) return decides;
    if (!fits) all.reset();
  }
  return all;
}

bool ValuePredicate::Node::InOrder(const Subject& subject) const {
  const auto order = Compare(subject, operand_);
  if (!order) return false;
  if (kind_ == Kind::kGte) return *order >= 0;
  if (kind_ == Kind::kGt) return *order > 0;
  return kind_ == Kind::kLte ? *order <= 0 : *order < 0;
}

bool ValuePredicate::Node::Equals(const Subject& subject) const {
  if (subject.as_text) {
    if (operand_.is_string()) {
      return SameText(*subject.text, operand_.get_ref<const std::string&>(), ignore_case_);
    }
    const auto read = ReadLike(*subject.text, operand_);
    return read && *read == operand_;
  }
  if (SameJson(*subject.value, operand_, ignore_case_)) return true;
  return subject.text && operand_.is_string() && Compare(subject, operand_) == 0;
}

bool ValuePredicate::Node::FoundIn(const Subject& subject) const {
  if (subject.text) {
    return re2::RE2::PartialMatch({subject.text->data(), subject.text->size()}, *regex_);
  }
  if (subject.value->is_structured() || subject.value->is_null()) return false;
  return re2::RE2::PartialMatch(Compact(*subject.value), *regex_);
}

bool ValuePredicate::Node::ContainedIn(const Subject& subject) const {
  if (!subject.text) {
    return kind_ == Kind::kContains && subject.value->is_array() &&
           std::any_of(subject.value->begin(), subject.value->end(),
                       [&](const json& item) { return SameJson(item, operand_, ignore_case_); });
  }
  if (!operand_.is_string()) return false;
  const std::string& part = operand_.get_ref<const std::string&>();
  const std::string_view text = *subject.text;
  if (kind_ == Kind::kContains) return Holds(text, part, ignore_case_);
  if (text.size() < part.size()) return false;
  const std::size_t from = kind_ == Kind::kStartsWith ? 0 : text.size() - part.size();
  return SameText(text.substr(from, part.size()), part, ignore_case_);
}

ValuePredicate::ValuePredicate(std::shared_ptr<const Node> root) : root_(std::move(root)) {}

Result<ValuePredicate> ValuePredicate::Compile(const json& spec) {
  UNDERSTUDY_ASSIGN_OR_RETURN(auto root, Node::Compile(spec, {}));
  return ValuePredicate(std::move(root));
}

Result<ValuePredicate> ValuePredicate::CompileField(const json& spec) {
  UNDERSTUDY_ASSIGN_OR_RETURN(auto root, Node::Compile(spec, {.field = true}));
  return ValuePredicate(std::move(root));
}

bool ValuePredicate::Matches(const json& value) const {
  Subject subject{.value = &value};
  if (value.is_string()) subject.text = value.get_ref<const std::string&>();
  return root_->Matches(subject);
}

bool ValuePredicate::MatchesText(std::string_view text) const {
  return root_->Matches({.text = text, .as_text = true});
}

bool ValuePredicate::MatchesMissing() const { return root_->MatchesMissing().value_or(false); }

std::string ValuePredicate::Describe() const { return Compact(root_->operand()); }

}  // namespace understudy::harness
