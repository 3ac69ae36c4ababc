// FaultInjector: decides, by rules, which requests and connections of a vendor fail.
//
//   auto injector = FaultInjector::Create({{.id = "flaky", .calls = {{3, 5}},
//                                           .fault = FaultKind::kReset}});
//   injector->Start(random.Next("faults"), clock.Now());
//   const FaultDecision decision = injector->Decide({.route = "orders", .lane = "probe"}, now);
//
// Of all rules that apply to a request, the first with a fault gives the fault and the first with a
// latency the latency. Chance is a function of (seed, rule, route, lane, how many requests this
// lane has sent that the rule is about): neither threads nor other callers change what one caller
// meets, and looking ahead (Peek) spends nothing.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "harness/vendor/fault_rule.h"
#include "middleware/base/result.h"
#include "middleware/base/time.h"

namespace understudy::harness {

// A request, as rules see it. Views are read during the call only.
struct FaultCall {
  std::string_view route = {};
  std::string_view lane = {};  // Who calls; may be empty.
};

// What a request gets. Pointers are into the injector's rules: valid as long as it.
struct FaultDecision {
  const FaultRule* fault = nullptr;    // The rule whose fault strikes, or null.
  const FaultRule* latency = nullptr;  // The rule whose latency holds, or null.
};

// Not thread-safe: its owner's lock guards it. Movable; pointers into it survive a move.
class FaultInjector {
 public:
  static constexpr std::size_t kRulesMax = 1'000;
  // One counter per rule, route and lane; beyond so many, further lanes share one per rule.
  static constexpr std::size_t kCountersMax = 65'536;

  // No rule: nothing ever fails.
  FaultInjector() = default;

  // kInvalidArgument, naming the rule, for a missing or repeated id, a rule that does nothing, a
  // range or window that is empty, a probability outside (0, 1], a fault that does not belong to
  // what the rule is about, and what CheckFault and CheckLatency refuse.
  static Result<FaultInjector> Create(std::vector<FaultRule> rules);

  // Windows count from `now`; `seed` decides chance. Counts begin anew.
  void Start(std::uint64_t seed, TimePoint now);

  // The decision about the next request, and counts it.
  FaultDecision Decide(const FaultCall& call, TimePoint now);
  // The same without counting it.
  FaultDecision Peek(const FaultCall& call, TimePoint now) const;
  // The decision about the connection that is accepted as the `index`-th. Counts nothing.
  FaultDecision DecideConnection(std::uint64_t index, TimePoint now) const;

  bool empty() const { return rules_.empty(); }
  // Does any rule have this fault?
  bool Has(FaultKind kind) const;

 private:
  struct Counted {
    FaultRule rule;
    std::uint64_t salt = 0;
    std::uint64_t calls = 0;
    std::map<std::string, std::uint64_t, std::less<>> by_caller = {};
  };

  // Whether the call, as the next one, meets the rule; `number` among those the rule is about.
  bool Applies(const Counted& counted, const FaultCall& call, std::uint64_t number,
               std::uint64_t of_caller, TimePoint now) const;
  static void Note(const FaultRule& rule, FaultDecision& decision);
  static std::string CallerKey(const FaultCall& call);

  std::vector<Counted> rules_;
  std::size_t counters_ = 0;
  TimePoint start_ = {};
};

}  // namespace understudy::harness
