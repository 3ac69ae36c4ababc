#include "harness/scenario/event_matcher.h"

#include <algorithm>

#include <nlohmann/json.hpp>

namespace understudy::harness {

Result<std::vector<std::pair<std::string, ValuePredicate>>> CompileConditions(
    const std::vector<FieldPredicate>& predicates) {
  std::vector<std::pair<std::string, ValuePredicate>> conditions;
  for (const FieldPredicate& field : predicates) {
    const auto json = nlohmann::json::parse(field.predicate, nullptr, false);
    if (json.is_discarded())
      return InvalidArgument("the condition on " + field.key + " is not JSON");
    UNDERSTUDY_ASSIGN_OR_RETURN(ValuePredicate predicate, ValuePredicate::Compile(json));
    conditions.emplace_back(field.key, std::move(predicate));
  }
  return conditions;
}

bool Satisfies(const HistoryEvent& event,
               const std::vector<std::pair<std::string, ValuePredicate>>& conditions) {
  return std::all_of(conditions.begin(), conditions.end(), [&](const auto& condition) {
    if (condition.first == "lane") return condition.second.Matches(event.lane);
    const HistoryEvent::Value* const value = event.Find(condition.first);
    return value != nullptr && condition.second.Matches(ToJson(*value));
  });
}

Result<EventMatcher> EventMatcher::Compile(const EventMatch& match) {
  EventMatcher matcher;
  matcher.event_ = match.event;
  UNDERSTUDY_ASSIGN_OR_RETURN(matcher.where_, CompileConditions(match.where));
  return matcher;
}

bool EventMatcher::Matches(const HistoryEvent& event) const {
  return event.name == event_ && Satisfies(event, where_);
}

}  // namespace understudy::harness
