#include "harness/scenario/expectation_decoder.h"

#include <algorithm>
#include <array>
#include <cstdint>

#include <nlohmann/json.hpp>
#include <re2/re2.h>

#include "harness/match/value_predicate.h"

namespace understudy::harness {
namespace {

constexpr std::array<std::string_view, 7> kKinds = {"sequence",   "count", "always",   "never",
                                                    "eventually", "gap",   "sometimes"};
constexpr IntRange kCountRange = {0, INT64_MAX};

std::vector<std::string_view> EventNames(bool spans_only) {
  std::vector<std::string_view> names;
  for (const EventType& type : EventTypes()) {
    if (!spans_only || type.begins_span) names.push_back(type.name);
  }
  return names;
}

// A value a field must have: a scalar or array is compared, an object holds operators.
void CheckPredicate(const NodeReader& reader) {
  if (reader.node().kind() == JsonNode::Kind::kNull) {
    reader.Error("null matches no field", "leave the condition out, or use \"not\"");
    return;
  }
  if (!reader.node().IsObject()) return;
  constexpr std::array<std::string_view, 5> kOperators = {"gte", "lte", "regex", "not", "any_of"};
  const std::size_t before = reader.problems().problems().size();
  reader.ExpectKeys(kOperators);
  if (reader.node().members().empty()) {
    reader.Error("an empty object is no condition", "the operators are " + QuotedList(kOperators));
  }
  if (const auto regex = reader.Find("regex")) {
    if (const auto text = regex->AsString()) {
      const RE2 compiled(*text, RE2::Quiet);
      if (!compiled.ok()) regex->Error("RE2 refuses this regular expression: " + compiled.error());
    }
  }
  if (const auto inner = reader.Find("not")) CheckPredicate(*inner);
  if (const auto any_of = reader.Find("any_of")) {
    for (const NodeReader& item : any_of->Items()) CheckPredicate(item);
  }
  if (reader.problems().problems().size() != before) return;
  if (const auto compiled = ValuePredicate::Compile(ToNlohmann(reader.node())); !compiled) {
    reader.Error(
        compiled.error().message);  // What only the predicate knows, e.g. what can be compared.
  }
}

std::vector<FieldPredicate> DecodeWhere(const NodeReader& reader) {
  std::vector<FieldPredicate> where;
  for (const auto& [key, value] : reader.Members()) {
    CheckPredicate(value);
    where.push_back({key, value.node().Serialise()});
  }
  return where;
}

// The required match `key`; an empty match, and reported, without it.
EventMatch RequireMatch(const NodeReader& reader, std::string_view key) {
  const auto found = reader.Require(key);
  if (!found) return {};
  return DecodeEventMatch(*found).value_or(EventMatch{});
}

EventRange DecodeRange(const NodeReader& reader) {
  const std::vector<NodeReader> items = reader.Items();
  if (items.size() != 2) {
    if (reader.node().IsArray()) {
      reader.Error("expected two events, from and to; got " + std::to_string(items.size()));
    }
    return {};
  }
  return {DecodeEventMatch(items[0]).value_or(EventMatch{}),
          DecodeEventMatch(items[1]).value_or(EventMatch{})};
}

void CheckBounds(const NodeReader& reader, std::optional<std::int64_t> min,
                 std::optional<std::int64_t> max) {
  if (min && max && *min > *max) {
    reader.ErrorAtKey("max", "\"max\" is smaller than \"min\"");
  }
}

// ---- sequence ----

std::vector<std::string> DecodeProject(const NodeReader& reader) {
  std::vector<std::string> fields;
  for (const NodeReader& item : reader.Items()) {
    if (auto field = item.AsString()) fields.push_back(*std::move(field));
  }
  if (reader.node().IsArray() && reader.node().items().empty()) {
    reader.Error("\"project\" needs at least one field");
  }
  return fields;
}

// An item of a projected sequence: one value per field; a single field may be written without the
// brackets.
std::vector<FieldPredicate> DecodeProjectedItem(const NodeReader& item,
                                                const std::vector<std::string>& project) {
  std::vector<FieldPredicate> fields;
  if (project.size() == 1 && !item.node().IsArray()) {
    CheckPredicate(item);
    return {{project[0], item.node().Serialise()}};
  }
  const std::vector<NodeReader> values = item.Items();
  if (!item.node().IsArray()) return fields;
  if (values.size() != project.size()) {
    item.Error("expected " + std::to_string(project.size()) +
               " values, one per field of \"project\"; got " + std::to_string(values.size()));
    return fields;
  }
  for (std::size_t i = 0; i < values.size(); ++i) {
    CheckPredicate(values[i]);
    fields.push_back({project[i], values[i].node().Serialise()});
  }
  return fields;
}

SequenceExpect DecodeSequence(const NodeReader& reader) {
  static constexpr Word<SequenceOrder> kOrders[] = {{"exact", SequenceOrder::kExact},
                                                    {"subsequence", SequenceOrder::kSubsequence},
                                                    {"any", SequenceOrder::kAny}};
  SequenceExpect expect;
  expect.of = RequireMatch(reader, "of");
  reader.ReadWord("order", expect.order, kOrders);
  reader.Read("after", expect.after);
  const auto project = reader.Find("project");
  if (project) expect.project = DecodeProject(*project);
  const auto sequence = reader.Require("sequence");
  const std::vector<NodeReader> items = sequence->Items();
  if (items.empty() && sequence->node().IsArray()) {
    sequence->Error("an empty sequence is no expectation",
                    "to expect no such event, use \"never\"");
  }
  for (const NodeReader& item : items) {
    if (project) {
      expect.items.push_back(DecodeProjectedItem(item, expect.project));
      continue;
    }
    if (!item.node().IsObject()) {
      item.Error(
          "without \"project\", each element is an object of fields, e.g. {\"to\": \"open\"}",
          "add \"project\" with the fields to compare");
      break;
    }
    expect.items.push_back(DecodeWhere(item));
    for (const FieldPredicate& field : expect.items.back()) {
      auto& names = expect.project;
      if (std::find(names.begin(), names.end(), field.key) == names.end())
        names.push_back(field.key);
    }
  }
  return expect;
}

// ---- the other kinds ----

CountExpect DecodeCount(const NodeReader& reader) {
  CountExpect expect;
  expect.match = RequireMatch(reader, "count");
  reader.ReadInt("is", expect.is, kCountRange);
  reader.ReadInt("min", expect.min, kCountRange);
  reader.ReadInt("max", expect.max, kCountRange);
  reader.Read("per", expect.per);
  if (!reader.Has("is") && !reader.Has("min") && !reader.Has("max")) {
    reader.Error("\"count\" needs a bound", "add \"is\", \"min\" or \"max\"");
  }
  CheckBounds(reader, expect.min, expect.max);
  return expect;
}

AlwaysExpect DecodeAlways(const NodeReader& reader) {
  AlwaysExpect expect;
  expect.while_open = DecodeOptionalMatch(reader, "while");
  const auto always = reader.Require("always");
  if (!always->ExpectKeys({"count", "open", "per", "min", "max"})) return expect;
  always->ReadInt("min", expect.min, kCountRange);
  always->ReadInt("max", expect.max, kCountRange);
  always->Read("per", expect.per);
  if (always->Has("count") == always->Has("open")) {
    always->Error(
        "\"always\" needs one of \"count\" (events so far) and \"open\" (spans not yet ended)");
    return expect;
  }
  expect.gauge = always->Has("open") ? GaugeKind::kOpen : GaugeKind::kCount;
  expect.match = RequireMatch(*always, always->Has("open") ? "open" : "count");
  const std::vector<std::string_view> spans = EventNames(true);
  if (expect.gauge == GaugeKind::kOpen && !expect.match.event.empty() &&
      std::find(spans.begin(), spans.end(), expect.match.event) == spans.end()) {
    always->Find("open")->Error("the event \"" + expect.match.event + "\" begins no span",
                                "\"open\" takes " + QuotedList(spans));
  }
  if (!always->Has("min") && !always->Has("max"))
    always->Error("\"always\" needs \"min\" or \"max\"");
  CheckBounds(*always, expect.min, expect.max);
  return expect;
}

NeverExpect DecodeNever(const NodeReader& reader) {
  NeverExpect expect;
  expect.match = RequireMatch(reader, "never");
  if (const auto between = reader.Find("between")) expect.between = DecodeRange(*between);
  return expect;
}

EventuallyExpect DecodeEventually(const NodeReader& reader) {
  EventuallyExpect expect;
  expect.match = RequireMatch(reader, "eventually");
  reader.Read("within", expect.within);
  expect.of = DecodeOptionalMatch(reader, "of");
  return expect;
}

GapExpect DecodeGap(const NodeReader& reader) {
  GapExpect expect;
  if (const auto gap = reader.Require("gap")) expect.range = DecodeRange(*gap);
  reader.Read("min", expect.min);
  reader.Read("max", expect.max);
  if (!reader.Has("min") && !reader.Has("max")) {
    reader.Error("\"gap\" needs a bound", "add \"min\" or \"max\"");
  }
  if (expect.min && expect.max && *expect.min > *expect.max) {
    reader.ErrorAtKey("max", "\"max\" is smaller than \"min\"");
  }
  return expect;
}

SometimesExpect DecodeSometimes(const NodeReader& reader) {
  SometimesExpect expect;
  expect.match = RequireMatch(reader, "sometimes");
  reader.Read("description", expect.description);
  return expect;
}

// What one kind of expectation may carry besides id, why and only_in, and how it is read.
struct KindForm {
  std::vector<std::string_view> keys;
  ExpectationKind (*decode)(const NodeReader&);
};

KindForm FormOf(std::string_view kind) {
  if (kind == "sequence") {
    return {{"of", "project", "sequence", "order", "after"},
            [](const NodeReader& reader) { return ExpectationKind(DecodeSequence(reader)); }};
  }
  if (kind == "count") {
    return {{"count", "is", "min", "max", "per"},
            [](const NodeReader& reader) { return ExpectationKind(DecodeCount(reader)); }};
  }
  if (kind == "always") {
    return {{"always", "while"},
            [](const NodeReader& reader) { return ExpectationKind(DecodeAlways(reader)); }};
  }
  if (kind == "never") {
    return {{"never", "between"},
            [](const NodeReader& reader) { return ExpectationKind(DecodeNever(reader)); }};
  }
  if (kind == "eventually") {
    return {{"eventually", "within", "of"},
            [](const NodeReader& reader) { return ExpectationKind(DecodeEventually(reader)); }};
  }
  if (kind == "gap") {
    return {{"gap", "min", "max"},
            [](const NodeReader& reader) { return ExpectationKind(DecodeGap(reader)); }};
  }
  return {{"sometimes", "description"},
          [](const NodeReader& reader) { return ExpectationKind(DecodeSometimes(reader)); }};
}

}  // namespace

std::optional<EventMatch> DecodeEventMatch(const NodeReader& reader) {
  if (!reader.ExpectKeys({"event", "where"})) return std::nullopt;
  EventMatch match;
  match.at = reader.Location();
  if (const auto where = reader.Find("where")) match.where = DecodeWhere(*where);
  const auto event = reader.Require("event");
  if (!event) return std::nullopt;
  const std::vector<std::string_view> names = EventNames(false);
  if (event->node().IsString() &&
      std::find(names.begin(), names.end(), event->node().text()) == names.end()) {
    std::string suggestion = DidYouMean(event->node().text(), names);
    if (suggestion.empty()) suggestion = "the events are " + QuotedList(names);
    event->Error("unknown event \"" + event->node().text() + "\"", std::move(suggestion));
    return std::nullopt;
  }
  auto name = event->AsString();
  if (!name) return std::nullopt;
  match.event = *std::move(name);
  return match;
}

std::optional<EventMatch> DecodeOptionalMatch(const NodeReader& reader, std::string_view key) {
  const auto found = reader.Find(key);
  return found ? DecodeEventMatch(*found) : std::nullopt;
}

std::optional<Expectation> DecodeExpectation(const NodeReader& reader, IdSet& ids) {
  const auto form = SelectForm(reader, kKinds, {"id", "why", "only_in"}, "expectation", "kind");
  if (!form) return std::nullopt;
  static constexpr Word<OnlyIn> kModes[] = {{"sim", OnlyIn::kSim}, {"wire", OnlyIn::kWire}};
  Expectation expectation;
  expectation.at = reader.Location();
  expectation.id = ids.Read(reader, "id", "expectation");
  reader.Read("why", expectation.why);
  reader.ReadWord("only_in", expectation.only_in, kModes);
  KindForm kind = FormOf(*form);
  kind.keys.insert(kind.keys.end(), {"id", "why", "only_in"});
  reader.ExpectKeys(kind.keys);
  expectation.kind = kind.decode(reader);
  return expectation;
}

}  // namespace understudy::harness
