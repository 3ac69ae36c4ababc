#include "harness/scenario/agreement.h"

#include <algorithm>
#include <map>

#include "middleware/base/text.h"

namespace understudy::harness {
namespace {

using Projection = std::map<std::string, std::vector<std::string>>;

std::string FieldText(const HistoryEvent& event, std::string_view field) {
  const HistoryEvent::Value* const value = event.Find(field);
  return value == nullptr ? std::string() : ToText(*value);
}

// Which caller of a step got which outcome depends on the schedule; how many got which does not.
Projection Outcomes(const std::vector<HistoryEvent>& events) {
  Projection outcomes;
  for (const HistoryEvent& event : events) {
    if (event.name != "call.end") continue;
    std::string outcome = FieldText(event, "operation");
    const std::string status = FieldText(event, "status");
    outcome.append(" ").append(status.empty() ? FieldText(event, "error") : status);
    if (FieldText(event, "fallback") == "true") outcome.append(" (fallback)");
    outcomes[FieldText(event, "step")].push_back(std::move(outcome));
  }
  for (auto& [step, list] : outcomes) std::sort(list.begin(), list.end());
  return outcomes;
}

Projection Transitions(const std::vector<HistoryEvent>& events) {
  Projection transitions;
  for (const HistoryEvent& event : events) {
    if (event.name != "breaker") continue;
    // The name may hold the vendor's address, which differs between the worlds; the vendor's name
    // comes first.
    const std::string name = FieldText(event, "name");
    transitions[name.substr(0, name.find(' '))].push_back(FieldText(event, "from") + ">" +
                                                          FieldText(event, "to"));
  }
  return transitions;
}

Projection Counts(const std::vector<HistoryEvent>& events) {
  std::map<std::string, int> counts;
  for (const HistoryEvent& event : events) {
    if (event.name == "http.request")
      ++counts[FieldText(event, "vendor") + "/" + FieldText(event, "route")];
  }
  Projection projection;
  for (const auto& [route, count] : counts)
    projection[route].push_back(std::to_string(count) + " requests");
  return projection;
}

Projection LaneOrder(const std::vector<HistoryEvent>& events) {
  Projection lanes;
  for (const HistoryEvent& event : events) {
    // When a vendor notes that its answer has left is no step of the lane: the caller may have it
    // already.
    if (event.name != "http.response" && event.name != "fault")
      lanes[event.lane].push_back(event.name);
  }
  return lanes;
}

Projection Effects(const std::vector<HistoryEvent>& events) {
  Projection effects;
  for (const HistoryEvent& event : events) {
    if (event.name == "effect")
      effects[FieldText(event, "key")].push_back(FieldText(event, "kind"));
  }
  return effects;
}

Projection Project(AgreeOn what, const std::vector<HistoryEvent>& events) {
  switch (what) {
    case AgreeOn::kOutcomes:
      return Outcomes(events);
    case AgreeOn::kTransitions:
      return Transitions(events);
    case AgreeOn::kCounts:
      return Counts(events);
    case AgreeOn::kLaneOrder:
      return LaneOrder(events);
    case AgreeOn::kEffects:
      return Effects(events);
  }
  return {};
}

// "a, b x3, c"
std::string Summarise(const std::vector<std::string>& items) {
  if (items.empty()) return "(nothing)";
  std::string text;
  for (std::size_t i = 0; i < items.size();) {
    std::size_t run = i;
    while (run < items.size() && items[run] == items[i]) ++run;
    if (!text.empty()) text.append(", ");
    text.append(items[i]);
    if (run - i > 1) text.append(" x").append(std::to_string(run - i));
    i = run;
  }
  return text;
}

}  // namespace

std::vector<Disagreement> Compare(const std::vector<AgreeOn>& agree_on,
                                  const std::vector<HistoryEvent>& sim,
                                  const std::vector<HistoryEvent>& wire) {
  std::vector<Disagreement> disagreements;
  for (const AgreeOn what : agree_on) {
    Projection in_sim = Project(what, sim);
    Projection in_wire = Project(what, wire);
    for (const auto& [subject, items] : in_sim) in_wire.try_emplace(subject);
    for (const auto& [subject, items] : in_wire) {
      const auto& other = in_sim[subject];
      if (other != items) {
        disagreements.push_back(
            {.what = what, .subject = subject, .sim = Summarise(other), .wire = Summarise(items)});
      }
    }
  }
  return disagreements;
}

}  // namespace understudy::harness
