// EventMatcher: a compiled EventMatch, which selects events of a history.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "harness/match/value_predicate.h"
#include "harness/scenario/expectation_spec.h"
#include "harness/scenario/history.h"

namespace understudy::harness {

// Immutable and thread-safe. A field that an event lacks satisfies no condition, not even `not`.
// "lane" is a field.
class EventMatcher {
 public:
  // The loader has checked the predicates; a malformed one is kInvalidArgument.
  static Result<EventMatcher> Compile(const EventMatch& match);

  bool Matches(const HistoryEvent& event) const;

 private:
  std::string event_;
  std::vector<std::pair<std::string, ValuePredicate>> where_;
};

// The conditions of one item of a sequence, without an event name.
Result<std::vector<std::pair<std::string, ValuePredicate>>> CompileConditions(
    const std::vector<FieldPredicate>& predicates);
bool Satisfies(const HistoryEvent& event,
               const std::vector<std::pair<std::string, ValuePredicate>>& conditions);

}  // namespace understudy::harness
