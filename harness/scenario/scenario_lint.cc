#include "harness/scenario/scenario_lint.h"

#include <algorithm>
#include <array>
#include <set>
#include <tuple>
#include <utility>

#include <nlohmann/json.hpp>

#include "harness/match/request_matcher.h"
#include "harness/scenario/node_reader.h"
#include "middleware/http/request.h"

namespace understudy::harness {
namespace {

using nlohmann::json;

constexpr std::size_t kMaxWarnings = 100;

// Parsing of JSON that the loader has serialised; a discarded value cannot happen and matches
// nothing.
json Parsed(const std::string& text) { return json::parse(text, nullptr, false); }

// Calls `visit` with every step, those of lanes too.
template <typename Visit>
void ForEachStep(const std::vector<Step>& steps, const Visit& visit) {
  for (const Step& step : steps) {
    visit(step);
    if (const auto* parallel = std::get_if<ParallelStep>(&step.action)) {
      for (const auto& lane : parallel->lanes) ForEachStep(lane, visit);
    }
  }
}

// The matches an expectation is made of; the first is the one it is about.
std::vector<const EventMatch*> MatchesOf(const ExpectationKind& kind) {
  std::vector<const EventMatch*> matches;
  const auto add = [&](const std::optional<EventMatch>& match) {
    if (match) matches.push_back(&*match);
  };
  if (const auto* sequence = std::get_if<SequenceExpect>(&kind)) {
    matches = {&sequence->of};
  } else if (const auto* count = std::get_if<CountExpect>(&kind)) {
    matches = {&count->match};
  } else if (const auto* always = std::get_if<AlwaysExpect>(&kind)) {
    matches = {&always->match};
    add(always->while_open);
  } else if (const auto* never = std::get_if<NeverExpect>(&kind)) {
    matches = {&never->match};
    if (never->between) matches.insert(matches.end(), {&never->between->from, &never->between->to});
  } else if (const auto* eventually = std::get_if<EventuallyExpect>(&kind)) {
    matches = {&eventually->match};
    add(eventually->of);
  } else if (const auto* gap = std::get_if<GapExpect>(&kind)) {
    matches = {&gap->range.from, &gap->range.to};
  } else if (const auto* sometimes = std::get_if<SometimesExpect>(&kind)) {
    matches = {&sometimes->match};
  }
  return matches;
}

const EventType* TypeOf(std::string_view event) {
  const auto found = std::find_if(EventTypes().begin(), EventTypes().end(),
                                  [&](const EventType& type) { return type.name == event; });
  return found == EventTypes().end() ? nullptr : &*found;
}

class Linter {
 public:
  Linter(const Scenario& scenario, const LintOptions& options, ProblemList& warnings)
      : scenario_(scenario), options_(options), warnings_(warnings) {}

  void Run() {
    CollectNames();
    LintStack();
    LintParams();
    LintOperations();
    LintRoutes();
    for (const Expectation& expectation : scenario_.expects) LintExpectation(expectation);
    ForEachStep(scenario_.steps, [&](const Step& step) { LintStep(step); });
    LintPinned();
  }

 private:
  void Warn(const SourceLocation& at, std::string message, std::string suggestion = {}) {
    warnings_.Add({at.file, at.position.line, at.position.column, at.pointer, std::move(message),
                   std::move(suggestion)});
  }

  void CollectNames() {
    for (const auto& [name, vendor] : scenario_.vendors) {
      names_["vendor"].insert(name);
      for (const RouteSpec& route : vendor.routes) names_["route"].insert(route.id);
      if (vendor.oauth) names_["route"].insert("oauth");
      for (const WebhookSpec& webhook : vendor.webhooks) names_["webhook"].insert(webhook.id);
    }
    for (const auto& [name, operation] : scenario_.client.operations)
      names_["operation"].insert(name);
    ForEachStep(scenario_.steps, [&](const Step& step) {
      names_["step"].insert(step.id);
      if (const auto* call = std::get_if<CallStep>(&step.action)) {
        names_["operation"].insert(call->call);
        calls_.push_back(call);
      }
      has_crash_ = has_crash_ || std::holds_alternative<CrashStep>(step.action);
    });
    if (!scenario_.explore) return;
    for (const FaultChoice& fault : scenario_.explore->faults) {
      has_crash_ = has_crash_ || fault.fault == ExploreFault::kCrash;
    }
  }

  // ---- the parts of a scenario ----

  void LintStack() {
    // Fallback and cache share the outermost place.
    const auto rank = [](const StackPolicy& policy) {
      return std::max<std::size_t>(policy.options.index(), 1);
    };
    const auto& stack = scenario_.client.stack;
    const StackPolicy* outer = nullptr;
    for (const StackPolicy& policy : stack) {
      if (policy.options.index() >= kLayers) continue;
      const StackPolicy* const before = std::exchange(outer, &policy);
      if (before == nullptr || rank(policy) >= rank(*before)) continue;
      Warn(policy.at,
           "\"" + std::string(PolicyName(policy)) + "\" is listed inside \"" +
               std::string(PolicyName(*before)) +
               "\", but the stack will be built in the documented order",
           "list the policies in that order: fallback, cache, deadline, hedge, retry, breaker, "
           "rate_limit, bulkhead, auth");
      return;
    }
  }

  void LintParams() {
    for (const Parameter& parameter : scenario_.params) {
      if (!parameter.used) {
        Warn(parameter.at, "nothing refers to the parameter \"" + parameter.name + "\"",
             "use it as \"${" + parameter.name + "}\", or remove it");
      }
    }
  }

  void LintOperations() {
    if (scenario_.client.program) return;  // The program may use them itself.
    for (const auto& [name, operation] : scenario_.client.operations) {
      const std::string& wanted = operation.name;
      const auto* const health = scenario_.client.Find<HealthOptions>();
      const bool called = (health != nullptr && health->probe == wanted) ||
                          std::any_of(calls_.begin(), calls_.end(),
                                      [&](const CallStep* call) { return call->call == wanted; });
      if (!called) Warn(operation.at, "no step calls the operation \"" + name + "\"");
    }
  }

  // The path that `operation` asks for with `args`, its parameters filled in as far as they are
  // known.
  static std::string FilledPath(const Operation& operation, const json& args) {
    std::string path;
    const std::string& form = operation.path;
    for (std::size_t at = 0; at < form.size();) {
      const std::size_t end = form[at] == '{' ? form.find('}', at) : std::string::npos;
      if (end == std::string::npos) {
        path.push_back(form[at++]);
        continue;
      }
      const std::string name = form.substr(at + 1, end - at - 1);
      const auto value = args.is_object() ? args.find(name) : args.end();
      if (!args.is_object() || value == args.end()) {
        path += "x";
      } else {
        path += value->is_string() ? value->get<std::string>() : value->dump();
      }
      at = end + 1;
    }
    return path;
  }

  bool IsFallback(const std::string& vendor) const {
    const auto* const fallback = scenario_.client.Find<FallbackOptions>();
    if (fallback == nullptr) return false;
    const std::vector<std::string>& vendors = fallback->vendors;
    return std::find(vendors.begin(), vendors.end(), vendor) != vendors.end();
  }

  // What the steps send to `vendor`; only where no program decides that.
  std::vector<http::Request> RequestsTo(const std::string& vendor) const {
    std::vector<http::Request> requests;
    std::vector<const CallStep*> calls = calls_;
    CallStep probe;
    if (const auto* const health = scenario_.client.Find<HealthOptions>()) {
      probe.call = health->probe;
      calls.push_back(&probe);
    }
    for (const CallStep* const call : calls) {
      const auto operation = scenario_.client.operations.find(call->call);
      if (operation == scenario_.client.operations.end()) continue;
      if (operation->second.vendor != vendor && !IsFallback(vendor)) continue;
      auto url =
          http::Url::Parse("http://vendor" + FilledPath(operation->second, Parsed(call->args)));
      if (!url) continue;
      http::Request request;
      request.method = http::Method(operation->second.method);
      request.url = *std::move(url);
      requests.push_back(std::move(request));
    }
    return requests;
  }

  void LintRoutes() {
    if (scenario_.client.program) return;
    for (const auto& [name, vendor] : scenario_.vendors) {
      const std::vector<http::Request> requests = RequestsTo(name);
      for (const RouteSpec& route : vendor.routes) {
        RequestMatch match;  // Queries, headers and bodies may come from policies: only method and
                             // path are certain.
        match.method = route.match.method;
        match.methods = route.match.methods;
        match.path = route.match.path;
        match.path_exact = route.match.path_exact;
        match.path_regex = route.match.path_regex;
        const auto matcher = RequestMatcher::Compile(match);
        const bool reached =
            !matcher || std::any_of(requests.begin(), requests.end(), [&](const auto& request) {
              return matcher->Match(request).matched;
            });
        const auto place = scenario_.places.find("route " + name + "/" + route.id);
        if (!reached && place != scenario_.places.end()) {
          Warn(place->second, "no step makes a call that the route \"" + route.id + "\" answers",
               "compare its method and path with the operations");
        }
      }
    }
  }

  void LintStep(const Step& step) {
    if (const auto* wait = std::get_if<WaitStep>(&step.action)) {
      LintMatch(wait->match);
    } else if (const auto* crash = std::get_if<CrashStep>(&step.action)) {
      if (crash->after) LintMatch(*crash->after);
      if (crash->before) LintMatch(*crash->before);
    }
  }

  void LintPinned() {
    if (!scenario_.explore) return;
    for (const PinnedReplay& pinned : scenario_.explore->pinned) {
      const std::string rest = pinned.replay.substr(3);
      const std::size_t end = std::min(rest.find_first_of(".@"), rest.size());
      const std::string hash = rest.substr(0, end);
      if (hash.empty() || end == rest.size() ||
          hash.find_first_not_of("0123456789abcdef") != std::string::npos) {
        Warn(pinned.at,
             "the pinned token \"" + pinned.replay + "\" is malformed: it will not be replayed",
             "a token is \"s1:<hash>.<seed>\" or \"s1:<hash>@<choices>\"");
      } else if (options_.scenario_hash && hash != *options_.scenario_hash) {
        Warn(pinned.at,
             "the pinned token \"" + pinned.replay +
                 "\" is of another scenario or an older version of this one",
             "this scenario's tokens begin with \"s1:" + *options_.scenario_hash +
                 "\"; replay it and pin it anew");
      }
    }
  }

  // ---- expectations ----

  void LintExpectation(const Expectation& expectation) {
    const bool off = (expectation.only_in == OnlyIn::kSim && !scenario_.modes.sim) ||
                     (expectation.only_in == OnlyIn::kWire && !scenario_.modes.wire.enabled);
    if (off)
      Warn(expectation.at,
           "\"" + expectation.id + "\" is for a mode that is off: it is never checked");
    if (std::holds_alternative<SometimesExpect>(expectation.kind) && !scenario_.explore) {
      Warn(expectation.at,
           "\"sometimes\" is judged over many seeds, and this scenario has no \"explore\"",
           "add \"explore\", or use \"eventually\"");
    }
    for (const EventMatch* const match : MatchesOf(expectation.kind)) LintMatch(*match);
    LintFields(expectation);
    LintBounds(expectation);
  }

  void LintMatch(const EventMatch& match) {
    const std::string missing = WhyImpossible(match.event);
    if (!missing.empty()) {
      Warn(match.at, "no \"" + match.event + "\" event can happen: " + missing);
      return;
    }
    for (const FieldPredicate& field : match.where) {
      CheckField(match.event, field.key, match.at);
      CheckName(field, match.at);
    }
  }

  // Why this scenario can have no such event; empty if it can.
  std::string WhyImpossible(const std::string& event) const {
    const ClientSpec& client = scenario_.client;
    const bool webhooks = names_.count("webhook") != 0;
    if ((event == "webhook.delivery" || event == "webhook.ack") && !webhooks)
      return "the vendor has no webhooks";
    if ((event == "crash" || event == "restart") && !has_crash_) return "nothing crashes";
    if (client.program) return {};
    if (event == "breaker" && client.Find<BreakerOptions>() == nullptr)
      return "the stack has no breaker";
    if (event == "retry" && client.Find<RetryOptions>() == nullptr) return "the stack has no retry";
    if (event == "fallback" && client.Find<FallbackOptions>() == nullptr)
      return "the stack has no fallback";
    if (event == "failover") {
      const auto* const fallback = client.Find<FallbackOptions>();
      if (fallback == nullptr || fallback->vendors.empty())
        return "no fallback of the stack names other vendors";
    }
    if (event == "hedge" && client.Find<HedgeOptions>() == nullptr) return "the stack has no hedge";
    if (event == "cache" && client.Find<CacheOptions>() == nullptr) return "the stack has no cache";
    if (event == "deadline" && client.Find<DeadlineOptions>() == nullptr)
      return "the stack has no deadline";
    if (event == "effect") return "there is no program that could have effects";
    if (event.starts_with("audit.") && client.Find<AuditOptions>() == nullptr)
      return "the stack has no audit";
    if (event.starts_with("health.") && client.Find<HealthOptions>() == nullptr)
      return "the stack has no health";
    if (event == "token.refresh") {
      const auto* auth = client.Find<AuthOptions>();
      if (auth == nullptr || !std::holds_alternative<OAuthAuth>(auth->method))
        return "the stack has no OAuth";
    }
    return {};
  }

  // Fields that never occur make a condition that never holds.
  void CheckField(const std::string& event, const std::string& field, const SourceLocation& at) {
    constexpr std::array<std::string_view, 4> kCommon = {"lane", "step", "n", "t"};
    const EventType* const type = TypeOf(event);
    if (type == nullptr || type->open_fields || type->fields.empty()) return;
    std::vector<std::string_view> fields = type->fields;
    fields.insert(fields.end(), kCommon.begin(), kCommon.end());
    if (std::find(fields.begin(), fields.end(), field) != fields.end()) return;
    std::string suggestion = DidYouMean(field, fields);
    if (suggestion.empty()) suggestion = "it has " + QuotedList(fields);
    Warn(at, "the event \"" + event + "\" has no field \"" + field + "\"", std::move(suggestion));
  }

  // A plain text that should be the name of something.
  void CheckName(const FieldPredicate& field, const SourceLocation& at) {
    const auto known = names_.find(field.key);
    const json value = Parsed(field.predicate);
    if (known == names_.end() || !value.is_string()) return;
    if (field.key == "operation" && scenario_.client.program) return;
    const auto text = value.get<std::string>();
    if (known->second.count(text) != 0) return;
    const std::vector<std::string_view> names(known->second.begin(), known->second.end());
    Warn(at, "there is no " + field.key + " \"" + text + "\": nothing can match",
         DidYouMean(text, names));
  }

  void LintFields(const Expectation& expectation) {
    if (const auto* sequence = std::get_if<SequenceExpect>(&expectation.kind)) {
      for (const std::string& field : sequence->project)
        CheckField(sequence->of.event, field, expectation.at);
    } else if (const auto* count = std::get_if<CountExpect>(&expectation.kind)) {
      if (count->per) CheckField(count->match.event, *count->per, expectation.at);
    } else if (const auto* always = std::get_if<AlwaysExpect>(&expectation.kind)) {
      if (always->per) CheckField(always->match.event, *always->per, expectation.at);
    }
  }

  void LintBounds(const Expectation& expectation) {
    const auto trivial = [&](const auto& bounds) {
      return bounds.min && *bounds.min == 0 && !bounds.max;
    };
    if (const auto* count = std::get_if<CountExpect>(&expectation.kind)) {
      if (!count->is && trivial(*count))
        Warn(expectation.at, "\"min\": 0 always holds", "raise it, or add \"max\"");
      LintExactCount(*count, expectation);
    } else if (const auto* always = std::get_if<AlwaysExpect>(&expectation.kind)) {
      if (trivial(*always))
        Warn(expectation.at, "\"min\": 0 always holds", "raise it, or add \"max\"");
    } else if (const auto* gap = std::get_if<GapExpect>(&expectation.kind)) {
      if (!gap->max && gap->min && *gap->min == Duration::zero()) {
        Warn(expectation.at, "a gap of at least zero always holds",
             "raise \"min\", or add \"max\"");
      }
    }
  }

  // With injected resets a client that may retry sends more requests, and with repeated deliveries
  // there are more acks.
  void LintExactCount(const CountExpect& count, const Expectation& expectation) {
    if (!count.is || *count.is == 0 || !scenario_.explore) return;
    for (const FaultChoice& fault : scenario_.explore->faults) {
      const bool repeats_requests =
          count.match.event == "http.request" &&
          (fault.fault == ExploreFault::kReset || fault.fault == ExploreFault::kDnsFail) &&
          Strikes(fault, count.match, "route");
      const bool repeats_deliveries =
          (count.match.event == "webhook.delivery" || count.match.event == "webhook.ack") &&
          (fault.fault == ExploreFault::kDropAck ||
           fault.fault == ExploreFault::kDuplicateDelivery) &&
          Strikes(fault, count.match, "webhook");
      if (!repeats_requests && !repeats_deliveries) continue;
      Warn(expectation.at,
           "an exact count of \"" + count.match.event + "\", while explore injects \"" +
               std::string(ToString(fault.fault)) + "\", which makes repetitions legal",
           "use \"max\", or take the fault out of explore");
      return;
    }
  }

  // Whether the fault can hit what `match` selects by the field `key`.
  static bool Strikes(const FaultChoice& fault, const EventMatch& match, std::string_view key) {
    if (fault.on.empty()) return true;
    for (const FieldPredicate& field : match.where) {
      if (field.key == "vendor" && Parsed(field.predicate) == json(fault.on)) return true;
      if (field.key == key) return Parsed(field.predicate) == json(fault.on);
    }
    return true;
  }

  const Scenario& scenario_;
  const LintOptions& options_;
  ProblemList& warnings_;
  std::map<std::string, std::set<std::string>, std::less<>> names_;
  std::vector<const CallStep*> calls_;
  bool has_crash_ = false;
};

}  // namespace

std::vector<Diagnostic> LintScenario(const std::vector<Cell>& cells, const LintOptions& options) {
  ProblemList warnings(kMaxWarnings);
  for (const Cell& cell : cells) Linter(cell.scenario, options, warnings).Run();
  std::vector<Diagnostic> sorted = warnings.problems();
  std::stable_sort(sorted.begin(), sorted.end(), [](const Diagnostic& a, const Diagnostic& b) {
    return std::tie(a.file, a.line, a.column) < std::tie(b.file, b.line, b.column);
  });
  return sorted;
}

}  // namespace understudy::harness
