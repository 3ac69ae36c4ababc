#include "harness/match/field_check.h"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "middleware/base/text.h"

namespace understudy::harness {

using nlohmann::json;

namespace {

// Does every condition get a value of its own? Augmenting paths; both sides have at most
// FieldCheck::kListMax elements.
class Pairing {
 public:
  explicit Pairing(std::vector<std::vector<bool>> fits)
      : fits_(std::move(fits)), owner_(fits_.empty() ? 0 : fits_.front().size(), kNobody) {}

  bool Complete() {
    for (std::size_t i = 0; i < fits_.size(); ++i) {
      seen_.assign(owner_.size(), false);
      if (!Place(i)) return false;
    }
    return true;
  }

 private:
  static constexpr std::size_t kNobody = static_cast<std::size_t>(-1);

  bool Place(std::size_t condition) {
    for (std::size_t value = 0; value < owner_.size(); ++value) {
      if (!fits_[condition][value] || seen_[value]) continue;
      seen_[value] = true;
      if (owner_[value] == kNobody || Place(owner_[value])) {
        owner_[value] = condition;
        return true;
      }
    }
    return false;
  }

  std::vector<std::vector<bool>> fits_;
  std::vector<std::size_t> owner_;
  std::vector<bool> seen_;
};

}  // namespace

FieldMatch FieldMatch::Equals(std::string_view name, std::string_view value) {
  return {std::string(name), Compact(json(std::string(value)))};
}

Result<FieldCheck> FieldCheck::Parse(RequestPart part, const FieldMatch& spec) {
  const auto bad = [&](const std::string& why) {
    return InvalidArgument(std::string(ToString(part)) + " " + Quoted(spec.name) + ": " + why);
  };
  if (spec.name.empty()) return bad("the name is empty");
  const json predicate = json::parse(spec.predicate, nullptr, false);
  if (predicate.is_discarded()) return bad("the condition is not JSON: " + Quoted(spec.predicate));
  if (DeeperThan(predicate, kDepthMax)) return bad("the condition is nested too deeply");
  FieldCheck check;
  check.part_ = part;
  check.name_ = spec.name;
  check.expected_ = Shortened(Compact(predicate));
  std::vector<json> conditions = {predicate};
  for (const auto& [word, mode] : {std::pair<const char*, Mode>{"includes", Mode::kIncludes},
                                   std::pair<const char*, Mode>{"exactly", Mode::kExactly}}) {
    if (!predicate.is_object() || !predicate.contains(word)) continue;
    const json& list = predicate.at(word);
    if (predicate.size() != 1 || !list.is_array() || list.empty() || list.size() > kListMax) {
      return bad(std::string(word) + " stands alone, with a list of at most " +
                 std::to_string(kListMax) + " conditions");
    }
    check.mode_ = mode;
    conditions = list.get<std::vector<json>>();
  }
  for (const json& condition : conditions) {
    auto compiled = ValuePredicate::CompileField(condition);
    if (!compiled) return bad(compiled.error().message);
    check.predicates_.push_back(*std::move(compiled));
  }
  return check;
}

template <typename Values, typename Judge>
bool FieldCheck::Pairs(const Values& values, const Judge& judge) const {
  if (values.size() != predicates_.size()) return false;
  std::vector<std::vector<bool>> fits;
  for (const ValuePredicate& predicate : predicates_) {
    std::vector<bool>& row = fits.emplace_back();
    for (const auto& value : values) row.push_back(judge(predicate, value));
  }
  return Pairing(std::move(fits)).Complete();
}

template <typename Values, typename Judge>
bool FieldCheck::Fits(const Values& values, const Judge& judge) const {
  if (mode_ == Mode::kExactly) return Pairs(values, judge);
  return std::all_of(predicates_.begin(), predicates_.end(), [&](const ValuePredicate& predicate) {
    if (values.empty()) return predicate.MatchesMissing();
    return std::any_of(values.begin(), values.end(),
                       [&](const auto& value) { return judge(predicate, value); });
  });
}

std::string FieldCheck::Expected() const {
  if (expected_ == R"({"absent":true})") return "nothing";
  return expected_ == R"({"absent":false})" ? "any value" : expected_;
}

void FieldCheck::Tell(bool fits, std::string actual, Findings& findings) const {
  Mismatch told{part_, name_, Expected(), std::move(actual)};
  if (fits) {
    findings.Fit(std::move(told));
  } else {
    findings.Add(std::move(told));
  }
}

void FieldCheck::Check(const std::vector<std::string_view>& values, Findings& findings) const {
  const bool fits = Fits(values, [](const ValuePredicate& predicate, std::string_view value) {
    return predicate.MatchesText(value);
  });
  findings.Weigh(kFieldWeight, fits ? 0 : 1);
  if (findings.quick()) {
    if (!fits) findings.Miss(part_);
    return;
  }
  if (fits && !findings.reports()) return;
  std::string actual;
  for (const std::string_view value : values) {
    if (actual.size() > 1000) break;  // Cut below.
    actual.append(actual.empty() ? "" : ", ").append(Quoted(value));
  }
  Tell(fits, actual.empty() ? "nothing" : Shortened(std::move(actual)), findings);
}

void FieldCheck::CheckOne(std::string_view value, Findings& findings) const {
  const std::vector<std::string_view> values = {value};
  Check(values, findings);
}

void FieldCheck::Check(const std::vector<const json*>& values, bool complete,
                       Findings& findings) const {
  const bool fits =
      complete && Fits(values, [](const ValuePredicate& predicate, const json* value) {
        return predicate.Matches(*value);
      });
  findings.Weigh(kFieldWeight, fits ? 0 : 1);
  if (findings.quick()) {
    if (!fits) findings.Miss(part_);
    return;
  }
  if (fits && !findings.reports()) return;
  std::string actual;
  for (const json* const value : values) {
    if (actual.size() > 1000) break;
    actual.append(actual.empty() ? "" : ", ").append(Shown(*value));
  }
  if (!complete) actual = "more than is looked at";
  Tell(fits, actual.empty() ? "nothing" : Shortened(std::move(actual)), findings);
}

}  // namespace understudy::harness
