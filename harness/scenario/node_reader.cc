#include "harness/scenario/node_reader.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "middleware/base/text.h"

namespace understudy::harness {
namespace {

using Kind = JsonNode::Kind;

constexpr std::size_t kShownCharacters = 60;

// A value for a message: short, on one line.
std::string Shown(const JsonNode& node) {
  if (!node.IsScalar()) return std::string(node.KindName());
  std::string text = node.Serialise();
  if (text.size() > kShownCharacters) return std::string(node.KindName());
  return node.kind() == Kind::kString ? "the string " + text : text;
}

// What the writer of "30 sec" or "5 minutes" meant; empty if that cannot be told.
std::string GuessDuration(std::string_view text) {
  struct Spelling {
    std::string_view unit;
    std::string_view means;
  };
  constexpr std::array<Spelling, 24> kSpellings = {{{"us", "us"},
                                                    {"usec", "us"},
                                                    {"micros", "us"},
                                                    {"ms", "ms"},
                                                    {"msec", "ms"},
                                                    {"millis", "ms"},
                                                    {"millisecond", "ms"},
                                                    {"milliseconds", "ms"},
                                                    {"s", "s"},
                                                    {"sec", "s"},
                                                    {"secs", "s"},
                                                    {"second", "s"},
                                                    {"seconds", "s"},
                                                    {"m", "m"},
                                                    {"min", "m"},
                                                    {"mins", "m"},
                                                    {"minute", "m"},
                                                    {"minutes", "m"},
                                                    {"h", "h"},
                                                    {"hr", "h"},
                                                    {"hour", "h"},
                                                    {"hours", "h"},
                                                    {"day", "d"},
                                                    {"days", "d"}}};
  const std::size_t end = std::min(text.find_first_not_of("0123456789."), text.size());
  const std::string number(text.substr(0, end));
  const std::string unit = AsciiLower(TrimOws(text.substr(end)));
  for (const Spelling& spelling : kSpellings) {
    if (spelling.unit != unit) continue;
    const std::string guess = number + std::string(spelling.means);
    return ParseDuration(guess) ? guess : "";
  }
  return {};
}

bool StartsWith(std::string_view text, std::string_view prefix) {
  return text.substr(0, prefix.size()) == prefix;
}

}  // namespace

void ProblemList::Add(Diagnostic problem) {
  if (silent_.count({problem.file, problem.pointer}) != 0) return;
  if (full() || std::find(problems_.begin(), problems_.end(), problem) != problems_.end()) return;
  problems_.push_back(std::move(problem));
}

std::string DidYouMean(std::string_view word, std::span<const std::string_view> candidates) {
  const std::string_view closest = ClosestMatch(word, candidates);
  return closest.empty() ? "" : "did you mean \"" + std::string(closest) + "\"?";
}

std::string QuotedList(std::span<const std::string_view> words) {
  std::string list;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (i > 0) list += i + 1 == words.size() ? " or " : ", ";
    list.append("\"").append(words[i]).append("\"");
  }
  return list;
}

void NodeReader::Report(SourcePosition at, std::string pointer, std::string message,
                        std::string suggestion) const {
  problems_->Add(
      {*file_, at.line, at.column, std::move(pointer), std::move(message), std::move(suggestion)});
}

void NodeReader::Error(std::string message, std::string suggestion) const {
  Report(node_->position(), pointer_, std::move(message), std::move(suggestion));
}

void NodeReader::ErrorAtKey(std::string_view key, std::string message,
                            std::string suggestion) const {
  for (const JsonNode::Member& member : node_->members()) {
    if (member.key != key) continue;
    Report(member.key_position, pointer_ + "/" + EscapePointerToken(key), std::move(message),
           std::move(suggestion));
    return;
  }
  Error(std::move(message), std::move(suggestion));
}

NodeReader NodeReader::Child(const JsonNode& node, std::string_view token) const {
  return NodeReader(node, *file_, *problems_, pointer_ + "/" + EscapePointerToken(token));
}

bool NodeReader::ExpectObject() const {
  if (node_->IsObject()) return true;
  Error("expected an object, got " + Shown(*node_));
  return false;
}

bool NodeReader::ExpectKeys(Keys keys, bool free_keys) const {
  return ExpectKeys(std::span<const std::string_view>(keys.begin(), keys.size()), free_keys);
}

bool NodeReader::ExpectKeys(std::span<const std::string_view> keys, bool free_keys) const {
  if (!ExpectObject()) return false;
  for (const JsonNode::Member& member : node_->members()) {
    if (free_keys && StartsWith(member.key, "x-")) continue;
    if (std::find(keys.begin(), keys.end(), member.key) != keys.end()) continue;
    std::string suggestion = DidYouMean(member.key, keys);
    if (suggestion.empty() && keys.size() <= 8)
      suggestion = "the keys here are " + QuotedList(keys);
    ErrorAtKey(member.key, "unknown key \"" + member.key + "\"", std::move(suggestion));
  }
  return true;
}

std::optional<NodeReader> NodeReader::Find(std::string_view key) const {
  const JsonNode* const found = node_->Find(key);
  return found == nullptr ? std::nullopt : std::optional(Child(*found, key));
}

std::optional<NodeReader> NodeReader::Require(std::string_view key) const {
  auto found = Find(key);
  if (!found && node_->IsObject())
    Error("the key \"" + std::string(key) + "\" is missing", "add it");
  return found;
}

std::vector<NodeReader> NodeReader::Items() const {
  std::vector<NodeReader> items;
  if (!node_->IsArray()) {
    Error("expected an array, got " + Shown(*node_));
    return items;
  }
  items.reserve(node_->items().size());
  for (const JsonNode& item : node_->items())
    items.push_back(Child(item, std::to_string(items.size())));
  return items;
}

std::vector<std::pair<std::string, NodeReader>> NodeReader::Members() const {
  std::vector<std::pair<std::string, NodeReader>> members;
  if (!ExpectObject()) return members;
  for (const JsonNode::Member& member : node_->members()) {
    members.emplace_back(member.key, Child(member.value, member.key));
  }
  return members;
}

std::optional<std::string> NodeReader::AsString() const {
  if (node_->IsString()) return node_->text();
  Error("expected a string, got " + Shown(*node_),
        node_->IsScalar() ? "write \"" + node_->Serialise() + "\"" : "");
  return std::nullopt;
}

std::optional<bool> NodeReader::AsBoolean() const {
  if (node_->kind() == Kind::kBoolean) return node_->boolean();
  const bool quoted = node_->IsString() && (node_->text() == "true" || node_->text() == "false");
  Error("expected true or false, got " + Shown(*node_), quoted ? "write it without quotes" : "");
  return std::nullopt;
}

std::optional<std::int64_t> NodeReader::AsInteger(IntRange range) const {
  const std::string wanted = range.max == INT64_MAX
                                 ? "expected an integer of at least " + std::to_string(range.min)
                                 : "expected an integer from " + std::to_string(range.min) +
                                       " to " + std::to_string(range.max);
  if (node_->kind() == Kind::kInteger) {
    if (node_->integer() >= range.min && node_->integer() <= range.max) return node_->integer();
    Error(wanted + ", got " + node_->text());
    return std::nullopt;
  }
  const bool quoted = node_->IsString() && ParseUnsigned(node_->text());
  Error(wanted + ", got " + Shown(*node_), quoted ? "write it without quotes" : "");
  return std::nullopt;
}

std::optional<double> NodeReader::AsNumber(double min, double max) const {
  const bool number = node_->kind() == Kind::kInteger || node_->kind() == Kind::kNumber;
  if (number && node_->number() >= min && node_->number() <= max) return node_->number();
  const auto whole = [](double value) { return std::to_string(std::llround(value)); };
  Error("expected a number from " + whole(min) + " to " + whole(max) + ", got " + Shown(*node_));
  return std::nullopt;
}

std::optional<Duration> NodeReader::AsDuration() const {
  if (node_->IsString()) {
    if (const auto duration = ParseDuration(node_->text())) return duration;
  }
  std::string suggestion;
  if (node_->kind() == Kind::kInteger) {
    suggestion = "write \"" + node_->text() + "ms\" or \"" + node_->text() + "s\"";
  } else if (node_->IsString()) {
    const std::string guess = GuessDuration(node_->text());
    suggestion =
        guess.empty() ? "units are us, ms, s, m, h and d" : "did you mean \"" + guess + "\"?";
  }
  Error("durations are strings with a unit, e.g. \"20ms\"; got " + Shown(*node_),
        std::move(suggestion));
  return std::nullopt;
}

std::optional<std::size_t> NodeReader::AsChoice(std::span<const std::string_view> words) const {
  if (node_->IsString()) {
    const auto found = std::find(words.begin(), words.end(), node_->text());
    if (found != words.end()) return static_cast<std::size_t>(found - words.begin());
  }
  Error("expected " + QuotedList(words) + ", got " + Shown(*node_),
        node_->IsString() ? DidYouMean(node_->text(), words) : "");
  return std::nullopt;
}

void NodeReader::ReadJson(std::string_view key, std::string& out) const {
  if (const JsonNode* const found = node_->Find(key)) out = found->Serialise();
}

void NodeReader::ReadJson(std::string_view key, std::optional<std::string>& out) const {
  if (const JsonNode* const found = node_->Find(key)) out = found->Serialise();
}

void NodeReader::ReadStrings(std::string_view key,
                             std::vector<std::pair<std::string, std::string>>& out) const {
  const auto found = Find(key);
  if (!found) return;
  for (const auto& [name, reader] : found->Members()) {
    if (auto value = reader.AsString()) out.emplace_back(name, *std::move(value));
  }
}

std::optional<std::string_view> SelectForm(const NodeReader& reader,
                                           std::span<const std::string_view> forms,
                                           std::initializer_list<std::string_view> common_keys,
                                           std::string_view what, std::string_view role) {
  if (!reader.ExpectObject()) return std::nullopt;
  std::optional<std::string_view> form;
  std::string unknown;
  for (const JsonNode::Member& member : reader.node().members()) {
    const auto found = std::find(forms.begin(), forms.end(), member.key);
    const bool common =
        std::find(common_keys.begin(), common_keys.end(), member.key) != common_keys.end();
    if (found == forms.end()) {
      if (!common && unknown.empty() && !ClosestMatch(member.key, forms).empty())
        unknown = member.key;
      continue;
    }
    if (form) {
      reader.ErrorAtKey(member.key,
                        "each " + std::string(what) + " has one " + std::string(role) +
                            "; this one has \"" + std::string(*form) + "\" and \"" + member.key +
                            "\"",
                        "split it in two");
      return std::nullopt;
    }
    form = *found;
  }
  if (form) return form;
  if (!unknown.empty()) {
    reader.ErrorAtKey(unknown, "unknown key \"" + unknown + "\"", DidYouMean(unknown, forms));
  } else {
    reader.Error("this " + std::string(what) + " has no " + std::string(role),
                 "add one of " + QuotedList(forms));
  }
  return std::nullopt;
}

std::string IdSet::Read(const NodeReader& reader, std::string_view key, std::string_view what) {
  const auto found = reader.Require(key);
  if (!found) return {};
  auto id = found->AsString();
  if (!id) return {};
  if (id->empty()) {
    found->Error("the " + std::string(what) + "'s id is empty");
    return {};
  }
  Add(*found, *id, what);
  return *std::move(id);
}

std::vector<std::string_view> IdSet::All() const {
  std::vector<std::string_view> all;
  for (const auto& [id, place] : ids_) all.push_back(id);
  return all;
}

bool IdSet::Add(const NodeReader& reader, const std::string& id, std::string_view what) {
  const auto [place, added] = ids_.emplace(id, reader.Location());
  if (added) return true;
  const SourceLocation& first = place->second;
  reader.Error("duplicate " + std::string(what) + " id \"" + id + "\", first at " +
                   (first.file == reader.file() ? "line " + std::to_string(first.position.line)
                                                : first.ToString()),
               "ids are unique; rename one of them");
  return false;
}

}  // namespace understudy::harness
