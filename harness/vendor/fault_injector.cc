#include "harness/vendor/fault_injector.h"

#include <algorithm>
#include <set>
#include <utility>

#include "harness/plan/seeded_random.h"

namespace understudy::harness {
namespace {

using Per = FaultRule::Per;

Result<void> CheckWhen(const FaultRule& rule) {
  for (const CallRange& range : rule.calls) {
    if (range.first == 0) return InvalidArgument("calls are counted from 1");
    if (range.last < range.first) return InvalidArgument("the last call is before the first");
    if (range.every == 0) return InvalidArgument("every 0th call is none; use 1 or more");
  }
  if (rule.from < Duration::zero()) return InvalidArgument("the window begins before the start");
  if (rule.until && *rule.until <= rule.from) {
    return InvalidArgument("the window ends before it begins");
  }
  if (!(rule.probability > 0 && rule.probability <= 1)) {
    return InvalidArgument("the probability must be more than 0 and at most 1");
  }
  return {};
}

Result<void> CheckRule(const FaultRule& rule) {
  UNDERSTUDY_RETURN_IF_ERROR(CheckWhen(rule));
  if (!rule.fault && !rule.connection_fault && !rule.latency) {
    return InvalidArgument("it does nothing; give it a fault or a latency");
  }
  if (rule.per == Per::kConnection && (rule.fault || !rule.route.empty())) {
    return InvalidArgument("a rule per connection has a connection's fault and no route");
  }
  if (rule.per == Per::kRequest && rule.connection_fault) {
    return InvalidArgument("a connection's fault needs a rule per connection");
  }
  if (rule.fault) UNDERSTUDY_RETURN_IF_ERROR(CheckFault(*rule.fault, rule.detail));
  if (rule.latency) UNDERSTUDY_RETURN_IF_ERROR(CheckLatency(*rule.latency));
  return {};
}

// Uniform in [0, 1), from a salt and a number.
double Chance(std::uint64_t salt, std::uint64_t number) {
  constexpr double kScale = 1.0 / static_cast<double>(1ULL << 53U);
  return static_cast<double>(Mix64(salt + number) >> 11U) * kScale;
}

}  // namespace

Result<FaultInjector> FaultInjector::Create(std::vector<FaultRule> rules) {
  if (rules.size() > kRulesMax) {
    return InvalidArgument("more than " + std::to_string(kRulesMax) + " fault rules");
  }
  FaultInjector injector;
  std::set<std::string> ids;
  for (FaultRule& rule : rules) {
    if (rule.id.empty()) return InvalidArgument("a fault rule has no id");
    if (!ids.insert(rule.id).second) {
      return InvalidArgument("the fault rule id \"" + rule.id + "\" appears twice");
    }
    if (auto checked = CheckRule(rule); !checked) {
      return InvalidArgument("fault rule \"" + rule.id + "\": " + checked.error().message);
    }
    injector.rules_.push_back({.rule = std::move(rule)});
  }
  return injector;
}

void FaultInjector::Start(std::uint64_t seed, TimePoint now) {
  start_ = now;
  counters_ = 0;
  for (Counted& counted : rules_) {
    counted.salt = Mix64(seed ^ HashText(counted.rule.id));
    counted.calls = 0;
    counted.by_caller.clear();
  }
}

std::string FaultInjector::CallerKey(const FaultCall& call) {
  return std::string(call.route).append("\n").append(call.lane);
}

bool FaultInjector::Applies(const Counted& counted, const FaultCall& call, std::uint64_t number,
                            std::uint64_t of_caller, TimePoint now) const {
  const FaultRule& rule = counted.rule;
  const auto has = [number](const CallRange& range) { return range.Contains(number); };
  if (!rule.calls.empty() && std::none_of(rule.calls.begin(), rule.calls.end(), has)) return false;
  if (now < SaturatingAdd(start_, rule.from)) return false;
  if (rule.until && now >= SaturatingAdd(start_, *rule.until)) return false;
  if (rule.probability >= 1) return true;
  const std::uint64_t salt = Mix64(counted.salt ^ HashText(CallerKey(call)));
  return Chance(salt, of_caller) < rule.probability;
}

void FaultInjector::Note(const FaultRule& rule, FaultDecision& decision) {
  if (decision.fault == nullptr && (rule.fault || rule.connection_fault)) decision.fault = &rule;
  if (decision.latency == nullptr && rule.latency) decision.latency = &rule;
}

FaultDecision FaultInjector::Decide(const FaultCall& call, TimePoint now) {
  FaultDecision decision = Peek(call, now);
  for (Counted& counted : rules_) {
    const FaultRule& rule = counted.rule;
    if (rule.per != Per::kRequest || (!rule.route.empty() && rule.route != call.route)) continue;
    ++counted.calls;
    if (rule.probability >= 1) continue;
    std::string key = CallerKey(call);
    if (counted.by_caller.find(key) == counted.by_caller.end()) {
      if (counters_ >= kCountersMax) {
        key.clear();
      } else {
        ++counters_;
      }
    }
    ++counted.by_caller[std::move(key)];
  }
  return decision;
}

FaultDecision FaultInjector::Peek(const FaultCall& call, TimePoint now) const {
  FaultDecision decision;
  for (const Counted& counted : rules_) {
    const FaultRule& rule = counted.rule;
    if (rule.per != Per::kRequest || (!rule.route.empty() && rule.route != call.route)) continue;
    std::uint64_t of_caller = 0;
    if (rule.probability < 1) {
      auto found = counted.by_caller.find(CallerKey(call));
      if (found == counted.by_caller.end() && counters_ >= kCountersMax) {
        found = counted.by_caller.find("");
      }
      if (found != counted.by_caller.end()) of_caller = found->second;
    }
    if (Applies(counted, call, counted.calls + 1, of_caller, now)) Note(rule, decision);
  }
  return decision;
}

FaultDecision FaultInjector::DecideConnection(std::uint64_t index, TimePoint now) const {
  FaultDecision decision;
  for (const Counted& counted : rules_) {
    if (counted.rule.per != Per::kConnection) continue;
    if (Applies(counted, {}, index, index, now)) Note(counted.rule, decision);
  }
  return decision;
}

bool FaultInjector::Has(FaultKind kind) const {
  return std::any_of(rules_.begin(), rules_.end(),
                     [kind](const Counted& counted) { return counted.rule.fault == kind; });
}

}  // namespace understudy::harness
