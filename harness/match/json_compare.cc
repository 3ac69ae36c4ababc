#include "harness/match/json_compare.h"

#include <algorithm>
#include <utility>

#include <nlohmann/json.hpp>

#include "harness/match/findings.h"
#include "middleware/base/text.h"

namespace understudy::harness {

using nlohmann::json;

void JsonCompare::Run(const json& expected, const json& actual) {
  Compare(expected, actual, "", 0);
}

double JsonCompare::missed() const {
  if (misses_ == 0) return 0;
  return static_cast<double>(misses_) / static_cast<double>(std::max(leaves_, misses_));
}

std::string JsonCompare::Below(const std::string& pointer, const std::string& key) const {
  return quick_ ? std::string() : pointer + "/" + EscapePointerToken(key);
}

void JsonCompare::Miss(const std::string& pointer, std::string expected, std::string actual) {
  ++misses_;
  if (quick_ || differences_.size() >= kMismatchesMax) return;
  differences_.push_back(
      {RequestPart::kJson, pointer, Shortened(std::move(expected)), std::move(actual)});
}

void JsonCompare::Compare(const json& expected, const json& actual, const std::string& pointer,
                          std::size_t depth) {
  if (done()) return;
  if (expected.is_object() && actual.is_object()) {
    return CompareObjects(expected, actual, pointer, depth);
  }
  if (expected.is_array() && actual.is_array() && !options_.ignore_members) {
    return CompareArrays(expected, actual, pointer, depth);
  }
  ++leaves_;
  if (Fits(expected, actual, depth)) return;
  Miss(pointer, quick_ ? std::string() : Compact(expected), quick_ ? std::string() : Shown(actual));
}

void JsonCompare::CompareObjects(const json& expected, const json& actual,
                                 const std::string& pointer, std::size_t depth) {
  for (auto member = expected.begin(); member != expected.end() && !done(); ++member) {
    const auto found = actual.find(member.key());
    if (found != actual.end()) {
      Compare(*member, *found, Below(pointer, member.key()), depth + 1);
      continue;
    }
    ++leaves_;
    Miss(Below(pointer, member.key()), quick_ ? std::string() : Compact(*member), "nothing");
  }
  if (expected.empty()) ++leaves_;
  if (options_.ignore_members || options_.ignore_extra) return;
  for (auto member = actual.begin(); member != actual.end() && !done(); ++member) {
    if (!expected.contains(member.key())) {
      Miss(Below(pointer, member.key()), "nothing", Shown(*member));
    }
  }
}

void JsonCompare::CompareArrays(const json& expected, const json& actual,
                                const std::string& pointer, std::size_t depth) {
  const bool in_place = !options_.ignore_order && !options_.ignore_extra;
  if (!in_place || expected.size() != actual.size()) {
    ++leaves_;
    if (ElementsFit(expected, actual, depth)) return;
    std::string shown = quick_ ? std::string() : Compact(expected);
    if (!quick_ && options_.ignore_order) shown += " in any order";
    return Miss(pointer, std::move(shown), quick_ ? std::string() : Shown(actual));
  }
  if (expected.empty()) ++leaves_;
  for (std::size_t i = 0; i < expected.size() && !done(); ++i) {
    Compare(expected[i], actual[i], Below(pointer, std::to_string(i)), depth + 1);
  }
}

bool JsonCompare::ElementsFit(const json& expected, const json& actual, std::size_t depth) {
  if (expected.size() > actual.size()) return false;
  if (expected.size() != actual.size() && !options_.ignore_extra) return false;
  return options_.ignore_order ? AnyOrderFits(expected, actual, depth)
                               : SequenceFits(expected, actual, depth);
}

// Taking the first element that fits leaves the most for the others.
bool JsonCompare::SequenceFits(const json& expected, const json& actual, std::size_t depth) {
  std::size_t next = 0;
  for (const json& element : actual) {
    if (next == expected.size()) return true;
    if (Fits(expected[next], element, depth + 1)) ++next;
  }
  return next == expected.size();
}

// A pairing of the expected elements with different actual ones, by augmenting paths.
bool JsonCompare::AnyOrderFits(const json& expected, const json& actual, std::size_t depth) {
  constexpr std::size_t kNobody = static_cast<std::size_t>(-1);
  if (actual.size() > kUnorderedMax) return false;
  std::vector<std::vector<std::size_t>> choices;
  for (const json& wanted : expected) {
    std::vector<std::size_t>& row = choices.emplace_back();
    for (std::size_t i = 0; i < actual.size(); ++i) {
      if (Fits(wanted, actual[i], depth + 1)) row.push_back(i);
    }
    if (row.empty()) return false;
  }
  std::vector<std::size_t> owner(actual.size(), kNobody);
  std::vector<bool> seen;
  const auto place = [&](const auto& self, std::size_t wanted) -> bool {
    for (const std::size_t choice : choices[wanted]) {
      if (++work_ > kWorkMax) return false;
      if (seen[choice]) continue;
      seen[choice] = true;
      if (owner[choice] == kNobody || self(self, owner[choice])) {
        owner[choice] = wanted;
        return true;
      }
    }
    return false;
  };
  for (std::size_t wanted = 0; wanted < choices.size(); ++wanted) {
    seen.assign(actual.size(), false);
    if (!place(place, wanted)) return false;
  }
  return true;
}

bool JsonCompare::Fits(const json& expected, const json& actual, std::size_t depth) {
  if (++work_ > kWorkMax || depth > kDepthMax) return false;
  if (!expected.is_structured() || !actual.is_structured()) return expected == actual;
  if (expected.is_array() != actual.is_array()) return false;
  const bool strict = options_.ignore_members || (!options_.ignore_extra && !options_.ignore_order);
  if (expected.is_array()) {
    if (!strict) return ElementsFit(expected, actual, depth);
    return expected.size() == actual.size() &&
           std::equal(expected.begin(), expected.end(), actual.begin(),
                      [&](const json& a, const json& b) { return Fits(a, b, depth + 1); });
  }
  if (expected.size() != actual.size() && !options_.ignore_extra) return false;
  for (auto member = expected.begin(); member != expected.end(); ++member) {
    const auto found = actual.find(member.key());
    if (found == actual.end() || !Fits(*member, *found, depth + 1)) return false;
  }
  return true;
}

}  // namespace understudy::harness
