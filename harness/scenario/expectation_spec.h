// ExpectationSpec: what a scenario file expects of a history, as written. Plain data; nothing here
// evaluates.
//
// Field predicates are kept as serialised JSON (`5`, `"open"`, `{"gte":500}`):
// harness/match/value_predicate.h gives them their meaning. docs/scenario-format.md describes each
// kind for users.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "harness/scenario/json_document.h"
#include "middleware/base/time.h"

namespace understudy::harness {

// One condition on one field of an event.
struct FieldPredicate {
  std::string key = {};
  std::string predicate = {};  // serialised JSON

  bool operator==(const FieldPredicate&) const = default;
};

// Selects the events named `event` whose fields satisfy every condition; a field that an event
// lacks satisfies none.
struct EventMatch {
  std::string event = {};
  std::vector<FieldPredicate> where = {};
  SourceLocation at = {};
};

enum class SequenceOrder {
  kExact,        // The selected events are these, in this order, and no others.
  kSubsequence,  // These in this order, with others between allowed.
  kAny,          // These in any order, and no others.
};

// The selected events, projected on some fields, are this sequence.
struct SequenceExpect {
  EventMatch of = {};
  // The fields that are compared and printed. When the file gives no `project`, the keys its items
  // use.
  std::vector<std::string> project = {};
  // One entry per expected event: what its fields must be.
  std::vector<std::vector<FieldPredicate>> items = {};
  SequenceOrder order = SequenceOrder::kExact;
  std::optional<std::string> after = {};  // Only events after the end of the step with this id.
};

// How many events match, over the whole run; per value of the field `per`, if given.
struct CountExpect {
  EventMatch match = {};
  std::optional<std::int64_t> is = {};
  std::optional<std::int64_t> min = {};
  std::optional<std::int64_t> max = {};
  std::optional<std::string> per = {};
};

enum class GaugeKind {
  kCount,  // Matching events so far.
  kOpen,   // Spans begun by a matching event and not yet ended.
};

// A number that stays in bounds after every event of the history; only while `while_open` holds, if
// given. It holds while a matching span is open; for an event that begins no span (a state change
// such as `breaker`), from a matching event until the next event of that type that does not match.
// A count starts from 0 each time it begins to hold.
struct AlwaysExpect {
  GaugeKind gauge = GaugeKind::kCount;
  EventMatch match = {};
  std::optional<std::int64_t> min = {};
  std::optional<std::int64_t> max = {};
  std::optional<std::string> per = {};
  std::optional<EventMatch> while_open = {};  // The key `while`.
};

struct EventRange {
  EventMatch from = {};
  EventMatch to = {};
};

// No event matches; only from each `between.from` up to the next `between.to`, if given.
struct NeverExpect {
  EventMatch match = {};
  std::optional<EventRange> between = {};
};

// An event matches, at the latest `within` after the start; or, with `of`, after each event that
// matches `of`.
struct EventuallyExpect {
  EventMatch match = {};
  std::optional<Duration> within = {};
  std::optional<EventMatch> of = {};
};

// The virtual time from each event that matches `range.from` to the next that matches `range.to`.
// At least one bound.
struct GapExpect {
  EventRange range = {};
  std::optional<Duration> min = {};
  std::optional<Duration> max = {};
};

// At least one of the explored seeds has a matching event: proves that the search reached the
// interesting window.
struct SometimesExpect {
  EventMatch match = {};
  std::string description = {};
};

using ExpectationKind = std::variant<SequenceExpect, CountExpect, AlwaysExpect, NeverExpect,
                                     EventuallyExpect, GapExpect, SometimesExpect>;

enum class OnlyIn { kBoth, kSim, kWire };

struct Expectation {
  std::string id = {};
  std::string why = {};
  OnlyIn only_in = OnlyIn::kBoth;
  ExpectationKind kind = {};
  SourceLocation at = {};
  std::string source_line =
      {};  // The line of the file where the expectation begins, for failure excerpts.
};

// The key that names the kind in the file: "sequence", "count", "always", ...
std::string_view KindName(const ExpectationKind& kind);

// Which fields the events of a history carry. `fields` empty: any.
struct EventType {
  std::string_view name = {};
  std::vector<std::string_view> fields = {};
  bool begins_span = false;  // May be used with `open`.
  bool open_fields = false;  // The program may add fields of its own.
};

// The closed list of events of the format.
const std::vector<EventType>& EventTypes();

}  // namespace understudy::harness
