#include "harness/vendor/vendor_model.h"

#include <algorithm>
#include <set>
#include <utility>

#include <nlohmann/json.hpp>

#include "harness/match/near_miss.h"
#include "harness/plan/correlation.h"
#include "harness/plan/lane.h"
#include "harness/plan/seeded_random.h"
#include "middleware/base/check.h"
#include "middleware/base/text.h"
#include "middleware/http/form.h"

namespace understudy::harness {
namespace {

constexpr std::string_view kTokenSite = "oauth/token";
constexpr std::string_view kFaultSite = "faults";

ResponseSequence::Entry JsonEntry(int status, const nlohmann::json& body) {
  PreparedResponse prepared;
  prepared.response = {.status = status,
                       .headers = {{"Content-Type", "application/json"}},
                       .body = body.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace)};
  return std::make_shared<const PreparedResponse>(std::move(prepared));
}

// The token of "Authorization: Bearer <token>" (RFC 6750 section 2.1); nullopt without one.
std::optional<std::string_view> BearerToken(const http::Headers& headers) {
  constexpr std::string_view kScheme = "Bearer ";
  const auto value = headers.Get("Authorization");
  if (!value || !EqualsIgnoreAsciiCase(value->substr(0, kScheme.size()), kScheme)) {
    return std::nullopt;
  }
  return TrimOws(value->substr(kScheme.size()));
}

Result<void> CheckIds(const std::vector<std::string>& ids, std::string_view what) {
  std::set<std::string_view> seen;
  for (const std::string& id : ids) {
    if (id.empty()) return InvalidArgument("a " + std::string(what) + " has no id");
    if (!seen.insert(id).second) {
      return InvalidArgument("the " + std::string(what) + " id \"" + id + "\" appears twice");
    }
  }
  return {};
}

template <typename Spec>
std::vector<std::string> IdsOf(const std::vector<Spec>& specs) {
  std::vector<std::string> ids;
  for (const Spec& spec : specs) ids.push_back(spec.id);
  return ids;
}

Error In(std::string_view what, std::string_view id, const Error& error) {
  return InvalidArgument(
      std::string(what).append(" \"").append(id).append("\": ").append(error.message));
}

const RouteSpec* FindTokenRoute(const VendorSpec& spec) {
  if (!spec.oauth) return nullptr;
  const auto found = std::find_if(spec.routes.begin(), spec.routes.end(), [](const RouteSpec& r) {
    return r.id == VendorModel::kOAuthRoute;
  });
  return found == spec.routes.end() ? nullptr : &*found;
}

Result<void> CheckTokenRoute(const RouteSpec& route, const OAuthSpec& oauth) {
  RequestMatch match = route.match;
  if (!match.method) match.method = "POST";
  const bool same = match == RequestMatch{.method = "POST", .path = oauth.path};
  if (!same) {
    return InvalidArgument(
        "route \"oauth\" lends the token endpoint its answers: it must match POST " + oauth.path +
        " and nothing finer; give another route another id");
  }
  if (route.requires_token) return InvalidArgument("route \"oauth\" cannot require a token");
  if (!route.when_state.empty() || route.per || route.compute) {
    return InvalidArgument("route \"oauth\" cannot depend on states or callers, nor compute");
  }
  return {};
}

Result<void> CheckCallerKey(const CallerKey& key, const std::vector<std::string>& captures) {
  if (key.kind == CallerKey::Kind::kToken) return {};
  if (key.name.empty()) return InvalidArgument("per: say by which name callers are told apart");
  if (key.kind == CallerKey::Kind::kCapture &&
      std::find(captures.begin(), captures.end(), key.name) == captures.end()) {
    const std::vector<std::string_view> names(captures.begin(), captures.end());
    const std::string_view close = ClosestMatch(key.name, names);
    return InvalidArgument("per: the path captures no \"" + key.name + "\"" +
                           (close.empty() ? "" : "; did you mean \"" + std::string(close) + "\"?"));
  }
  return {};
}

Result<void> CheckIsolation(const IsolationSpec& spec) {
  if (spec.header.empty() == spec.path_prefix.empty()) {
    return InvalidArgument("isolate_by takes a header or a path_prefix");
  }
  const std::string& prefix = spec.path_prefix;
  if (!prefix.empty() && (prefix.size() < 2 || prefix.front() != '/' || prefix.back() != '/')) {
    return InvalidArgument("isolate_by: a path_prefix begins and ends with \"/\", as \"/t/\" does");
  }
  return {};
}

// A thousand complaints about requests of any size must fit into memory.
std::string BoundedText(std::string text) {
  constexpr std::size_t kMax = 2'000;
  if (text.size() > kMax) text.replace(kMax, std::string::npos, "...");
  return text;
}

// Ids from outside are keys of memory: a long one is cut, and stays different by its hash.
std::string BoundedId(std::string_view id) {
  constexpr std::size_t kMax = 128;
  if (id.size() <= kMax) return std::string(id);
  return std::string(id.substr(0, kMax)) + "#" + std::to_string(HashText(id));
}

std::optional<std::string> CookieOf(const http::Headers& headers, std::string_view name) {
  for (const std::string_view line : headers.GetAll("Cookie")) {
    for (const std::string_view pair : Split(line, ';')) {
      const std::size_t equals = pair.find('=');
      if (equals != std::string_view::npos && TrimOws(pair.substr(0, equals)) == name) {
        return std::string(TrimOws(pair.substr(equals + 1)));
      }
    }
  }
  return std::nullopt;
}

using Captures = std::vector<std::pair<std::string, std::string>>;

std::string FindCapture(const Captures& captures, std::string_view name) {
  for (const auto& [key, value] : captures) {
    if (key == name) return value;
  }
  return {};
}

// What the request says where callers are told apart; "" if nothing.
std::string CallerIn(const PreparedRequest& prepared, const CallerKey& key,
                     const Captures& captures) {
  const http::Headers& headers = prepared.request().headers;
  switch (key.kind) {
    case CallerKey::Kind::kHeader:
      return std::string(headers.Get(key.name).value_or(""));
    case CallerKey::Kind::kToken:
      if (const auto token = BearerToken(headers)) return std::string(*token);
      return std::string(headers.Get("Authorization").value_or(""));
    case CallerKey::Kind::kQuery:
      return std::string(http::FormValue(prepared.query(), key.name).value_or(""));
    case CallerKey::Kind::kCookie:
      return CookieOf(headers, key.name).value_or("");
    case CallerKey::Kind::kCapture:
      return FindCapture(captures, key.name);
  }
  return {};
}

// Routes that tell callers apart in the same way know the same callers.
std::string CallerId(const CallerKey& key, std::string_view value) {
  std::string id = std::to_string(static_cast<int>(key.kind));
  return id.append(":").append(key.name).append("=").append(BoundedId(value));
}

// The beginning of the keys of a test's callers.
std::string CallersOf(std::string_view test) { return std::string(test) + "\n"; }

std::string JoinOr(const std::vector<std::string>& states) {
  std::string text;
  for (const std::string& state : states) {
    text.append(text.empty() ? "" : " or ").append("\"").append(state).append("\"");
  }
  return text;
}

std::string ExplainStates(const StateCondition& condition, const StateTable& states) {
  std::string text;
  for (const auto& [machine, any_of] : condition) {
    const std::string_view is = StateOf(states, machine);
    if (std::find(any_of.begin(), any_of.end(), is) != any_of.end()) continue;
    text.append(text.empty() ? "" : "; ").append("state ").append(machine).append(": expected ");
    text.append(JoinOr(any_of)).append(", is \"").append(is).append("\"");
  }
  return text;
}

}  // namespace

// A request on its way in.
struct VendorModel::Arrival {
  std::unique_ptr<http::Request> copy = {};  // Where the request had to be changed.
  const http::Request* request = nullptr;    // As routes see it: without the correlation header.
  std::string target = {};                   // As sent, where `copy` has another one.
  Correlation correlation = {};
  std::string test = {};
  std::vector<Candidate> candidates = {};
  std::optional<Candidate> chosen = {};
  std::string near = {};  // Without a route: the nearest one.
  std::vector<JournalNearMiss> near_misses = {};
  TokenEntropy entropy = {};
  TimePoint arrived = {};

  std::string Target() const { return target.empty() ? request->url.target() : target; }
};

struct VendorModel::Decision {
  std::uint64_t id = 0;
  std::int64_t n = 0;
  ResponseSequence::Entry answer = {};  // nullptr: to be computed.
  bool planned = false;                 // The route's own answer, neither refusal nor complaint.
  // For the answer's templates.
  std::vector<std::pair<std::string, std::int64_t>> counters = {};
  std::vector<std::pair<std::string, std::string>> states = {};
  FaultDecision injected = {};
  RateVerdict limits = {};
  std::shared_ptr<RateLimiter> limiter = {};  // That the verdict is of.
};

VendorModel::VendorModel(std::string name, VendorEnvironment environment, Parts parts)
    : name_(std::move(name)),
      environment_(std::move(environment)),
      routes_(std::move(parts.routes)),
      index_(IndexOf(routes_)),
      initial_(std::move(parts.initial)),
      machines_(std::move(parts.machines)),
      isolate_by_(std::move(parts.isolate_by)),
      untold_(NewPartition()),
      oauth_(std::move(parts.oauth)),
      last_plan_(environment_.plan_ids_after),
      faults_(std::move(parts.faults)) {
  may_refuse_ = faults_.Has(FaultKind::kRefuse) || faults_.Has(FaultKind::kDnsFail);
  may_answer_early_ = faults_.Has(FaultKind::kEarlyResponse);
  for (const RouteState& state : initial_.routes) Foresee(state.sequence);
}

void VendorModel::Foresee(const ResponseSequence& sequence) {
  may_refuse_ = may_refuse_ || sequence.MayRefuse();
  may_answer_early_ = may_answer_early_ || sequence.Has(FaultKind::kEarlyResponse);
}

std::vector<std::string> VendorModel::CapturesOf(const RequestMatch& match) {
  std::vector<std::string> names;
  const auto collect = [&names](std::string_view text, std::string_view open, char close) {
    for (std::size_t at = text.find(open); at != std::string_view::npos; at = text.find(open, at)) {
      at += open.size();
      const std::size_t end = text.find(close, at);
      if (end == std::string_view::npos) return;
      names.emplace_back(text.substr(at, end - at));
    }
  };
  if (match.path) collect(*match.path, "{", '}');
  if (match.path_regex) {
    collect(*match.path_regex, "(?P<", '>');
    collect(*match.path_regex, "(?<", '>');
  }
  return names;
}

Result<void> VendorModel::Check(const VendorSpec& spec) {
  UNDERSTUDY_RETURN_IF_ERROR(Build(spec));
  return {};
}

Result<std::unique_ptr<VendorModel>> VendorModel::Create(VendorSpec spec,
                                                         VendorEnvironment environment) {
  UNDERSTUDY_ASSIGN_OR_RETURN(Parts parts, Build(spec));
  if (spec.oauth) {
    const TokenEntropy entropy{.access = environment.random.Next(kTokenSite),
                               .refresh = environment.random.Next(kTokenSite)};
    parts.oauth.emplace(*spec.oauth, environment.clock.SystemNow(), entropy);
  }
  if (!parts.faults.empty()) {
    parts.faults.Start(environment.random.Next(kFaultSite), environment.clock.Now());
  }
  return std::unique_ptr<VendorModel>(
      new VendorModel(std::move(spec.name), std::move(environment), std::move(parts)));
}

Result<VendorModel::Parts> VendorModel::Build(const VendorSpec& spec) {
  if (spec.name.empty()) return InvalidArgument("a vendor has no name");
  Parts parts;
  const auto add_all = [&]() -> Result<void> {
    UNDERSTUDY_RETURN_IF_ERROR(CheckIds(IdsOf(spec.routes), "route"));
    UNDERSTUDY_RETURN_IF_ERROR(CheckIds(IdsOf(spec.limits), "limit"));
    UNDERSTUDY_RETURN_IF_ERROR(AddTokenEndpoint(spec, parts));
    UNDERSTUDY_RETURN_IF_ERROR(AddRoutes(spec, parts));
    UNDERSTUDY_RETURN_IF_ERROR(AddMachines(spec, parts));
    UNDERSTUDY_RETURN_IF_ERROR(AddIsolation(spec, parts));
    UNDERSTUDY_ASSIGN_OR_RETURN(parts.initial.limiter, RateLimiter::Create(spec));
    return AddFaults(spec, parts);
  };
  const auto added = add_all();
  if (!added) return In("vendor", spec.name, added.error());
  for (Route& route : parts.routes) route.description = route.matcher.Describe();
  return parts;
}

Result<void> VendorModel::AddTokenEndpoint(const VendorSpec& spec, Parts& parts) {
  if (!spec.oauth) return {};
  UNDERSTUDY_RETURN_IF_ERROR(CheckOAuth(*spec.oauth));
  auto matcher = RequestMatcher::Compile({.method = "POST", .path = spec.oauth->path});
  if (!matcher) return InvalidArgument("oauth: " + matcher.error().message);
  Route route{.id = std::string(kOAuthRoute),
              .matcher = *std::move(matcher),
              .latency = spec.oauth->latency,
              .token_endpoint = true,
              .priority = std::numeric_limits<int>::min()};
  RouteState state;
  if (const RouteSpec* const declared = FindTokenRoute(spec)) {
    UNDERSTUDY_RETURN_IF_ERROR(CheckTokenRoute(*declared, *spec.oauth));
    auto sequence = ResponseSequence::Create(declared->responses, declared->when_exhausted);
    if (!sequence) return In("route", declared->id, sequence.error());
    state.sequence = *std::move(sequence);
    if (declared->latency) route.latency = declared->latency;
  }
  parts.routes.push_back(std::move(route));
  parts.initial.routes.push_back(std::move(state));
  return {};
}

Result<void> VendorModel::AddRoutes(const VendorSpec& spec, Parts& parts) {
  const RouteSpec* const token_route = FindTokenRoute(spec);
  std::vector<const RouteSpec*> ordered;
  for (const RouteSpec& route : spec.routes) {
    if (&route != token_route) ordered.push_back(&route);
  }
  std::stable_sort(ordered.begin(), ordered.end(), [](const RouteSpec* a, const RouteSpec* b) {
    return a->priority < b->priority;
  });
  for (const RouteSpec* const route : ordered) {
    const auto added = AddRoute(spec, *route, parts);
    if (!added) return In("route", route->id, added.error());
  }
  if (token_route != nullptr && token_route->latency) {
    const auto checked = CheckLatency(*token_route->latency);
    if (!checked) return In("route", token_route->id, checked.error());
  }
  return {};
}

Result<void> VendorModel::AddRoute(const VendorSpec& spec, const RouteSpec& route, Parts& parts) {
  if (route.latency) UNDERSTUDY_RETURN_IF_ERROR(CheckLatency(*route.latency));
  if (route.requires_token && !spec.oauth) {
    return InvalidArgument("it requires a token, but there is no oauth");
  }
  UNDERSTUDY_ASSIGN_OR_RETURN(RequestMatcher matcher, RequestMatcher::Compile(route.match));
  UNDERSTUDY_RETURN_IF_ERROR(CheckStates(route.when_state, route.set_state));
  Route built{.id = route.id,
              .matcher = std::move(matcher),
              .latency = route.latency,
              .requires_token = route.requires_token,
              .when_exhausted = route.when_exhausted,
              .priority = route.priority,
              .when_state = route.when_state,
              .set_state = route.set_state,
              .per = route.per ? route.per : spec.per,
              .compute = route.compute,
              .scope = {.captures = CapturesOf(route.match)}};
  if (built.per) UNDERSTUDY_RETURN_IF_ERROR(CheckCallerKey(*built.per, built.scope.captures));
  RouteState state;
  if (!route.compute) {
    UNDERSTUDY_ASSIGN_OR_RETURN(
        state.sequence,
        ResponseSequence::Create(route.responses, route.when_exhausted, built.scope));
  } else if (!route.responses.empty()) {
    return InvalidArgument("it has responses and computes them too; keep one of the two");
  }
  parts.routes.push_back(std::move(built));
  parts.initial.routes.push_back(std::move(state));
  return {};
}

Result<void> VendorModel::AddMachines(const VendorSpec& spec, Parts& parts) {
  const auto add = [&parts](const StateCondition& when, const StateChange& set) {
    for (const auto& [machine, states] : when) {
      parts.machines[machine].insert(states.begin(), states.end());
    }
    for (const auto& [machine, state] : set) parts.machines[machine].insert(state);
  };
  for (const RouteSpec& route : spec.routes) {
    add(route.when_state, route.set_state);
    for (const ResponseSpec& response : route.responses) {
      add(response.when_state, response.set_state);
    }
  }
  for (auto& [machine, states] : parts.machines) states.emplace(kInitialState);
  return {};
}

Result<void> VendorModel::AddIsolation(const VendorSpec& spec, Parts& parts) {
  if (!spec.isolate_by) return {};
  UNDERSTUDY_RETURN_IF_ERROR(CheckIsolation(*spec.isolate_by));
  parts.isolate_by = spec.isolate_by;
  return {};
}

Result<void> VendorModel::AddFaults(const VendorSpec& spec, Parts& parts) {
  std::vector<std::string_view> ids;
  for (const Route& route : parts.routes) ids.push_back(route.id);
  for (const FaultRule& rule : spec.faults) {
    if (rule.route.empty() || std::find(ids.begin(), ids.end(), rule.route) != ids.end()) continue;
    const std::string_view close = ClosestMatch(rule.route, ids);
    return In("fault rule", rule.id,
              InvalidArgument("there is no route \"" + rule.route + "\"" +
                              (close.empty() ? std::string()
                                             : "; did you mean \"" + std::string(close) + "\"?")));
  }
  UNDERSTUDY_ASSIGN_OR_RETURN(parts.faults, FaultInjector::Create(spec.faults));
  return {};
}

std::vector<VendorModel::Candidate> VendorModel::FindRoutes(const PreparedRequest& request) const {
  std::vector<Candidate> candidates;
  index_.Find(request, [&](std::size_t i) {
    const Route& route = routes_[i];
    Candidate candidate{.route = i};
    if (route.per) {
      const bool captured = route.per->kind == CallerKey::Kind::kCapture;
      candidate.caller = CallerIn(request, *route.per,
                                  captured ? route.matcher.Match(request).captures : Captures());
    }
    candidates.push_back(std::move(candidate));
    // Whatever its callers' states are: nothing behind it can be chosen.
    return route.when_state.empty();
  });
  return candidates;
}

RouteIndex VendorModel::IndexOf(const std::vector<Route>& routes) {
  std::vector<RouteIndex::Route> indexed;
  indexed.reserve(routes.size());
  for (const Route& route : routes) indexed.push_back({.matcher = route.matcher});
  return RouteIndex(std::move(indexed));
}

std::vector<JournalNearMiss> VendorModel::NearMisses(const PreparedRequest& request) const {
  std::vector<RequestMatcher> matchers;
  matchers.reserve(routes_.size());
  for (const Route& route : routes_) matchers.push_back(route.matcher);
  std::vector<JournalNearMiss> misses;
  for (const NearMiss& miss : FindNearMisses(matchers, request)) {
    misses.push_back({.route = routes_[miss.route].id,
                      .distance = miss.result.distance,
                      .text = matchers[miss.route].Explain(miss.result)});
  }
  return misses;
}

VendorModel::Arrival VendorModel::Receive(const http::Request& request) const {
  Arrival arrival{.request = &request};
  std::optional<Correlation> correlation;
  if (request.headers.Has(kCorrelationHeader)) {
    arrival.copy = std::make_unique<http::Request>(request);
    arrival.request = arrival.copy.get();
    correlation = Detach(arrival.copy->headers);
  }
  if (correlation) {
    arrival.correlation = *std::move(correlation);
  } else {
    arrival.correlation.lane = CurrentLane().name;
    arrival.correlation.step = CurrentLane().step;
  }
  if (isolate_by_) Isolate(arrival);
  const PreparedRequest prepared(*arrival.request);
  arrival.candidates = FindRoutes(prepared);
  if (arrival.candidates.empty()) {
    arrival.near_misses = NearMisses(prepared);
    arrival.near = arrival.near_misses.empty() ? "the vendor has no routes"
                                               : "route \"" + arrival.near_misses[0].route +
                                                     "\": " + arrival.near_misses[0].text;
  }
  return arrival;
}

void VendorModel::Isolate(Arrival& arrival) const {
  if (!isolate_by_->header.empty()) {
    arrival.test = BoundedId(arrival.request->headers.Get(isolate_by_->header).value_or(""));
    return;
  }
  const std::string& prefix = isolate_by_->path_prefix;
  const http::Url& url = arrival.request->url;
  if (!url.path().starts_with(prefix)) return;
  std::string target = url.target();
  const std::size_t end = std::min(target.find_first_of("/?", prefix.size()), target.size());
  if (end == prefix.size()) return;
  const std::string test = target.substr(prefix.size(), end - prefix.size());
  std::string rest = target.substr(end);
  if (!rest.starts_with('/')) rest.insert(0, "/");
  auto inner = http::Url::Parse(url.origin() + rest);
  if (!inner) return;  // It stays what it is, and matches what it matches.
  arrival.test = BoundedId(test);
  arrival.target = std::move(target);
  if (arrival.copy == nullptr) arrival.copy = std::make_unique<http::Request>(*arrival.request);
  arrival.copy->url = *std::move(inner);
  arrival.request = arrival.copy.get();
}

std::string_view VendorModel::RouteId(const Arrival& arrival) const {
  return arrival.chosen ? std::string_view(routes_[arrival.chosen->route].id) : std::string_view();
}

VendorModel::Partition VendorModel::NewPartition() const {
  Partition partition = initial_;
  partition.limiter = initial_.limiter->Fresh();
  return partition;
}

VendorModel::Partition& VendorModel::PartitionOf(std::string_view test) {
  if (test.empty()) return untold_;
  return tests_.Get(test, [this] { return NewPartition(); });
}

VendorModel::Caller& VendorModel::CallerOf(const Arrival& arrival, const Candidate& candidate) {
  const CallerKey& key = *routes_[candidate.route].per;
  return callers_.Get(CallersOf(arrival.test) + CallerId(key, candidate.caller),
                      [] { return Caller(); });
}

VendorModel::Memory& VendorModel::MemoryOf(const Arrival& arrival, const Candidate& candidate,
                                           Partition& partition) {
  if (!routes_[candidate.route].per) return partition.memory;
  return CallerOf(arrival, candidate).memory;
}

ResponseSequence& VendorModel::SequenceOf(const Arrival& arrival, const Candidate& candidate,
                                          Partition& partition) {
  ResponseSequence& shared = partition.routes[candidate.route].sequence;
  if (!routes_[candidate.route].per) return shared;
  return CallerOf(arrival, candidate).sequences.try_emplace(candidate.route, shared).first->second;
}

void VendorModel::ChooseRoute(Arrival& arrival, Partition& partition) {
  if (arrival.chosen) return;
  for (Candidate& candidate : arrival.candidates) {
    const Route& route = routes_[candidate.route];
    if (!route.when_state.empty()) {
      const StateTable& states = MemoryOf(arrival, candidate, partition).states;
      if (!Holds(route.when_state, states)) {
        if (arrival.near.empty()) {
          arrival.near = "route \"" + route.id + "\": " + ExplainStates(route.when_state, states);
        }
        continue;
      }
    }
    arrival.chosen = std::move(candidate);
    return;
  }
}

bool VendorModel::MayRefuse() const {
  return environment_.hooks.connect != nullptr || may_refuse_.load(std::memory_order_relaxed);
}

void VendorModel::Adopt(const VendorModel& previous, const std::set<std::string>& changed) {
  std::vector<std::pair<std::string, Partition>> tests;
  std::vector<std::pair<std::string, Caller>> callers;
  Partition untold;
  std::optional<OAuthServer> oauth;
  std::vector<VendorComplaint> complaints;
  std::uint64_t complaint_count = 0;
  std::uint64_t requests = 0;
  {
    const MutexLock lock(previous.mutex_);
    tests = previous.tests_.Entries();
    callers = previous.callers_.Entries();
    untold = previous.untold_;
    if (previous.oauth_) oauth.emplace(*previous.oauth_);
    complaints = previous.complaints_;
    complaint_count = previous.complaint_count_;
    requests = previous.requests_;
  }
  // By index: where each of the previous routes is now.
  std::vector<std::optional<std::size_t>> now_at(previous.routes_.size());
  for (std::size_t i = 0; i < now_at.size(); ++i) {
    const std::string& id = previous.routes_[i].id;
    if (changed.contains(id)) continue;
    if (const auto found = FindRouteId(id)) now_at[i] = *found;
  }
  const auto moved = [&](Partition& from) {
    Partition to = NewPartition();
    for (std::size_t i = 0; i < now_at.size(); ++i) {
      if (now_at[i]) to.routes[*now_at[i]] = std::move(from.routes[i]);
    }
    to.limiter->Adopt(*from.limiter);
    to.memory = std::move(from.memory);
    to.unmatched = from.unmatched;
    return to;
  };
  const MutexLock lock(mutex_);
  untold_ = moved(untold);
  for (auto& test : tests) tests_.Get(test.first, [&] { return moved(test.second); });
  for (auto& entry : callers) {
    Caller& caller = entry.second;
    std::map<std::size_t, ResponseSequence> sequences;
    for (auto& [index, sequence] : caller.sequences) {
      if (now_at[index]) sequences.emplace(*now_at[index], std::move(sequence));
    }
    caller.sequences = std::move(sequences);
    callers_.Get(entry.first, [&] { return std::move(caller); });
  }
  if (oauth && oauth_) oauth_.emplace(*std::move(oauth));
  complaints_ = std::move(complaints);
  complaint_count_ = complaint_count;
  requests_ = requests;
  for (const RouteState& state : untold_.routes) Foresee(state.sequence);
}

std::optional<FaultKind> VendorModel::OnConnect(const http::Request& request) {
  if (!MayRefuse()) return std::nullopt;
  Arrival arrival = Receive(request);
  const LaneScope lane({arrival.correlation.lane, arrival.correlation.step});
  std::optional<FaultKind> fault;
  std::string rule;
  {
    const MutexLock lock(mutex_);
    Partition& partition = PartitionOf(arrival.test);
    ChooseRoute(arrival, partition);
    if (!arrival.chosen) return std::nullopt;
    FaultDecision injected;
    fault = NextFault(arrival, partition, injected);
    if (fault && !IsConnectFault(*fault)) fault.reset();
    if (fault && injected.fault != nullptr) {
      rule = injected.fault->id;
      faults_.Decide({.route = RouteId(arrival), .lane = arrival.correlation.lane},
                     environment_.clock.Now());
    } else if (fault) {
      SequenceOf(arrival, *arrival.chosen, partition)
          .Next(MemoryOf(arrival, *arrival.chosen, partition).states);
    }
  }
  if (!fault && environment_.hooks.connect) fault = environment_.hooks.connect(RouteId(arrival));
  if (fault) {
    PublishFault({.route = RouteId(arrival),
                  .lane = arrival.correlation.lane,
                  .step = arrival.correlation.step,
                  .exchange = static_cast<std::int64_t>(arrival.correlation.exchange),
                  .rule = std::move(rule)},
                 *fault);
  }
  return fault;
}

std::optional<FaultKind> VendorModel::NextFault(const Arrival& arrival, Partition& partition,
                                                FaultDecision& injected) {
  injected = faults_.Peek({.route = RouteId(arrival), .lane = arrival.correlation.lane},
                          environment_.clock.Now());
  if (injected.fault != nullptr) return injected.fault->fault;
  const auto next = SequenceOf(arrival, *arrival.chosen, partition)
                        .Peek(MemoryOf(arrival, *arrival.chosen, partition).states);
  return next == nullptr ? std::nullopt : next->fault;
}

std::optional<ResponsePlan> VendorModel::OnHead(const http::Request& head) {
  if (!may_answer_early_.load(std::memory_order_relaxed)) return std::nullopt;
  Arrival arrival = Receive(head);
  if (arrival.candidates.empty()) return std::nullopt;
  if (routes_[arrival.candidates.front().route].token_endpoint) return std::nullopt;
  if (environment_.hooks.served) arrival.arrived = environment_.clock.Now();
  const LaneScope lane({arrival.correlation.lane, arrival.correlation.step});
  Decision decision;
  {
    const MutexLock lock(mutex_);
    Partition& partition = PartitionOf(arrival.test);
    ChooseRoute(arrival, partition);
    if (!arrival.chosen) return std::nullopt;
    FaultDecision injected;
    if (NextFault(arrival, partition, injected) != FaultKind::kEarlyResponse) return std::nullopt;
    decision = Decide(arrival);
  }
  return Respond(arrival, decision);
}

ConnectionPlan VendorModel::OnAccept(const ConnectionInfo& connection) {
  FaultDecision decision;
  {
    const MutexLock lock(mutex_);
    if (faults_.empty()) return {};
    decision = faults_.DecideConnection(connection.index, environment_.clock.Now());
  }
  ConnectionPlan plan;
  if (decision.fault != nullptr) plan.fault = decision.fault->connection_fault;
  if (decision.latency != nullptr) {
    plan.latency = DrawLatency(*decision.latency->latency, environment_.random,
                               "faults/" + decision.latency->id);
  }
  return plan;
}

ResponsePlan VendorModel::Handle(const http::Request& request) {
  Arrival arrival = Receive(request);
  if (environment_.hooks.served) arrival.arrived = environment_.clock.Now();
  // The client's lane, so that draws and events are the same whichever thread serves the request.
  const LaneScope lane({arrival.correlation.lane, arrival.correlation.step});
  if (!arrival.candidates.empty() && routes_[arrival.candidates.front().route].token_endpoint) {
    arrival.entropy = {.access = environment_.random.Next(kTokenSite),
                       .refresh = environment_.random.Next(kTokenSite)};
  }
  Decision decision;
  {
    const MutexLock lock(mutex_);
    decision = Decide(arrival);
  }
  return Respond(arrival, decision);
}

ResponsePlan VendorModel::Respond(const Arrival& arrival, const Decision& decision) {
  PublishRequest(arrival, decision);
  ResponsePlan plan = MakePlan(arrival, decision);
  if (environment_.journal != nullptr) plan.journal = Record(arrival, decision, plan);
  return plan;
}

std::uint64_t VendorModel::Record(const Arrival& arrival, const Decision& decision,
                                  const ResponsePlan& plan) {
  JournalRecord record{.vendor = name_,
                       .route = std::string(RouteId(arrival)),
                       .test = arrival.test,
                       .lane = arrival.correlation.lane,
                       .step = arrival.correlation.step,
                       .operation = arrival.correlation.operation,
                       .attempt = arrival.correlation.attempt,
                       .exchange = arrival.correlation.exchange,
                       .request = *arrival.request,
                       .at = environment_.clock.Now(),
                       .wall = environment_.clock.SystemNow(),
                       .n = decision.n,
                       .limit = decision.limits.limit,
                       .near_misses = arrival.near_misses,
                       .status = plan.response.status,
                       .latency = plan.latency,
                       .fault = plan.fault};
  if (arrival.chosen) {
    record.caller = arrival.chosen->caller;
    record.why = routes_[arrival.chosen->route].description;
  }
  record.response = IsAsPrepared(decision) ? std::shared_ptr<const http::Response>(
                                                 decision.answer, &decision.answer->response)
                                           : std::make_shared<const http::Response>(plan.response);
  return environment_.journal->Add(record);
}

bool VendorModel::IsAsPrepared(const Decision& decision) const {
  const bool annotated = decision.limiter != nullptr && !decision.limiter->empty();
  return decision.answer != nullptr && !decision.answer->templated() && !annotated &&
         !environment_.hooks.adjust;
}

VendorModel::Decision VendorModel::Decide(Arrival& arrival) {
  Partition& partition = PartitionOf(arrival.test);
  ChooseRoute(arrival, partition);
  ++requests_;
  Decision decision{.id = ++last_plan_,
                    .n = arrival.chosen ? ++partition.routes[arrival.chosen->route].requests
                                        : ++partition.unmatched};
  decision.answer = Answer(arrival, partition, decision);
  if (arrival.chosen) Account(arrival, MemoryOf(arrival, *arrival.chosen, partition), decision);
  if (arrival.chosen && !faults_.empty()) {
    decision.injected = faults_.Decide(
        {.route = RouteId(arrival), .lane = arrival.correlation.lane}, environment_.clock.Now());
  }
  Exchange exchange{.route = RouteId(arrival),
                    .lane = arrival.correlation.lane,
                    .step = arrival.correlation.step,
                    .exchange = static_cast<std::int64_t>(arrival.correlation.exchange),
                    .n = decision.n};
  if (decision.injected.fault != nullptr) exchange.rule = decision.injected.fault->id;
  exchange.limiter = decision.limiter;
  exchange.permits = decision.limits.permits;
  if (environment_.hooks.served) {
    exchange.method = std::string(arrival.request->method.name());
    exchange.target = arrival.Target();
    exchange.test = arrival.test;
    exchange.arrived = arrival.arrived;
  }
  in_flight_.emplace_hint(in_flight_.end(), decision.id, std::move(exchange));
  return decision;
}

void VendorModel::Account(const Arrival& arrival, Memory& memory, Decision& decision) {
  const Route& route = routes_[arrival.chosen->route];
  const PreparedResponse* const answer = decision.answer.get();
  if (decision.planned) {
    for (const auto& [machine, state] : route.set_state) memory.states[machine] = state;
  }
  if (answer == nullptr) return;
  if (decision.planned) {
    for (const auto& [machine, state] : answer->set_state) memory.states[machine] = state;
  }
  const auto note = [&](const Template& text) {
    for (const TemplateCounter& counter : text.counters()) {
      const bool known =
          std::any_of(decision.counters.begin(), decision.counters.end(),
                      [&](const auto& other) { return other.first == counter.name; });
      if (known) continue;
      const auto slot = memory.counters.try_emplace(counter.name, counter.start).first;
      decision.counters.emplace_back(counter.name, slot->second);
      if (slot->second < std::numeric_limits<std::int64_t>::max()) ++slot->second;
    }
    for (const std::string& machine : text.machines()) {
      decision.states.emplace_back(machine, StateOf(memory.states, machine));
    }
  };
  for (const auto& [index, text] : answer->header_templates) note(text);
  if (answer->body_template) note(*answer->body_template);
}

ResponseSequence::Entry VendorModel::Answer(const Arrival& arrival, Partition& partition,
                                            Decision& decision) {
  if (!arrival.chosen) return AnswerUnmatched(arrival, decision.n);
  const Route& route = routes_[arrival.chosen->route];
  if (route.token_endpoint) {
    if (auto canned = partition.routes[arrival.chosen->route].sequence.Next()) return canned;
    PreparedResponse issued;
    issued.response =
        oauth_->Answer(*arrival.request, environment_.clock.SystemNow(), arrival.entropy);
    return std::make_shared<const PreparedResponse>(std::move(issued));
  }
  if (route.requires_token) {
    if (auto refusal = RefuseToken(arrival)) return refusal;
  }
  if (auto refusal = RefuseOverLimit(arrival, partition, decision)) return refusal;
  ResponseSequence& sequence = SequenceOf(arrival, *arrival.chosen, partition);
  decision.planned = true;
  // SetResponses may have given answers to a route that computes them.
  auto planned = sequence.Next(MemoryOf(arrival, *arrival.chosen, partition).states);
  if (planned != nullptr || route.compute) return planned;
  decision.planned = false;
  return AnswerExhausted(arrival, route, sequence.Length(), decision.n);
}

ResponseSequence::Entry VendorModel::RefuseToken(const Arrival& arrival) const {
  const auto token = BearerToken(arrival.request->headers);
  if (token && oauth_->ValidAccessToken(*token, environment_.clock.SystemNow())) return nullptr;
  PreparedResponse prepared = *JsonEntry(401, {{"error", "invalid_token"}});
  // RFC 6750 section 3.1: no error code for a request that carries no credentials at all.
  const auto added = prepared.response.headers.Add(
      "WWW-Authenticate", token ? "Bearer error=\"invalid_token\"" : "Bearer");
  UNDERSTUDY_CHECK(added.has_value(), "a literal header is valid");
  return std::make_shared<const PreparedResponse>(std::move(prepared));
}

ResponseSequence::Entry VendorModel::RefuseOverLimit(const Arrival& arrival, Partition& partition,
                                                     Decision& decision) {
  decision.limiter = partition.limiter;
  const std::string_view route = RouteId(arrival);
  decision.limits =
      partition.limiter->Admit({.request = *arrival.request, .route = route},
                               environment_.clock.Now(), environment_.clock.SystemNow());
  return decision.limits.refusal;
}

ResponseSequence::Entry VendorModel::AnswerUnmatched(const Arrival& arrival, std::int64_t n) {
  Complain(VendorComplaint::Kind::kUnmatched,
           "no route matches " + std::string(arrival.request->method.name()) + " " +
               arrival.request->url.target() + "; nearest: " + arrival.near,
           arrival, "", n);
  return JsonEntry(404, {{"error", "no route matches"}, {"nearest", arrival.near}});
}

ResponseSequence::Entry VendorModel::AnswerExhausted(const Arrival& arrival, const Route& route,
                                                     std::optional<std::int64_t> length,
                                                     std::int64_t n) {
  const std::string what =
      length ? " has no response left after its " + std::to_string(*length)
             : " has no response whose states hold and whose times are not used up";
  Complain(VendorComplaint::Kind::kExhausted,
           "route \"" + route.id + "\"" + what + "; request " + std::to_string(n) + " (" +
               std::string(arrival.request->method.name()) + " " + arrival.request->url.target() +
               ") is not planned",
           arrival, route.id, n);
  return JsonEntry(500, {{"error", "no response left"}, {"route", route.id}});
}

void VendorModel::Complain(VendorComplaint::Kind kind, std::string text, const Arrival& arrival,
                           std::string_view route, std::int64_t n) {
  ++complaint_count_;
  if (complaints_.size() >= kComplaintsMax) return;
  complaints_.push_back({.kind = kind,
                         .text = BoundedText("vendor \"" + name_ + "\": " + std::move(text)),
                         .vendor = name_,
                         .route = std::string(route),
                         .method = std::string(arrival.request->method.name()),
                         .path = BoundedText(std::string(arrival.request->url.path())),
                         .lane = arrival.correlation.lane,
                         .step = arrival.correlation.step,
                         .exchange = static_cast<std::int64_t>(arrival.correlation.exchange),
                         .n = n,
                         .test = arrival.test});
}

void VendorModel::PublishRequest(const Arrival& arrival, const Decision& decision) {
  const Correlation& from = arrival.correlation;
  std::vector<Field> fields = {{"vendor", name_},
                               {"route", RouteId(arrival)},
                               {"method", arrival.request->method.name()},
                               {"path", arrival.request->url.path()},
                               {"attempt", from.attempt},
                               {"breaker_state", from.breaker_state},
                               {"operation", from.operation},
                               {"exchange", static_cast<std::int64_t>(from.exchange)},
                               {"lane", from.lane},
                               {"step", from.step},
                               {"n", decision.n}};
  if (const auto key = arrival.request->headers.Get("Idempotency-Key")) {
    fields.emplace_back("idempotency_key", *key);
  }
  if (!arrival.chosen) fields.emplace_back("near", arrival.near);
  environment_.events.Publish("http.request", fields);
  if (decision.limits.refusal == nullptr) return;
  environment_.events.Publish("rate_limit", {{"vendor", name_},
                                             {"limit", decision.limits.limit},
                                             {"route", RouteId(arrival)},
                                             {"remaining", decision.limits.remaining},
                                             {"lane", from.lane},
                                             {"step", from.step}});
}

ResponseSequence::Entry VendorModel::Compute(const Arrival& arrival, const Decision& decision) {
  const Route& route = routes_[arrival.chosen->route];
  const PreparedRequest prepared(*arrival.request);
  const Captures captures =
      route.scope.captures.empty() ? Captures() : route.matcher.Match(prepared).captures;
  ResponseSpec spec = route.compute({.request = *arrival.request,
                                     .captures = captures,
                                     .caller = arrival.chosen->caller,
                                     .test = arrival.test,
                                     .n = decision.n,
                                     .now = environment_.clock.SystemNow()});
  spec.templated = false;  // It knows the request already.
  auto answer = Prepare(spec);
  if (!answer) return AnswerBad(arrival, decision, answer.error().message);
  if (!answer->set_state.empty()) {
    const MutexLock lock(mutex_);
    Memory& memory = MemoryOf(arrival, *arrival.chosen, PartitionOf(arrival.test));
    for (const auto& [machine, state] : answer->set_state) {
      // Names that the spec does not have would grow without a bound.
      if (machines_.contains(machine)) memory.states[machine] = state;
    }
  }
  return std::make_shared<const PreparedResponse>(*std::move(answer));
}

Result<void> VendorModel::FillIn(const Arrival& arrival, const Decision& decision,
                                 const PreparedResponse& answer, http::Response& response) const {
  const Route& route = routes_[arrival.chosen->route];
  const PreparedRequest prepared(*arrival.request);
  const Captures captures =
      route.scope.captures.empty() ? Captures() : route.matcher.Match(prepared).captures;
  const std::string site = "template/" + route.id;
  const TemplateContext context{.request = prepared,
                                .captures = captures,
                                .counters = decision.counters,
                                .states = decision.states,
                                .now = environment_.clock.SystemNow(),
                                .random = environment_.random,
                                .random_site = site,
                                .vendor = name_,
                                .route = route.id,
                                .caller = arrival.chosen->caller,
                                .test = arrival.test,
                                .n = decision.n};
  if (!answer.header_templates.empty()) {
    http::Headers headers;
    std::size_t index = 0;
    auto next = answer.header_templates.begin();
    for (const auto& [name, value] : answer.response.headers) {
      std::string filled = value;
      if (next != answer.header_templates.end() && next->first == index++) {
        UNDERSTUDY_ASSIGN_OR_RETURN(filled, next->second.Render(context));
        ++next;
      }
      UNDERSTUDY_RETURN_IF_ERROR(headers.Add(name, filled));
    }
    response.headers = std::move(headers);
  }
  if (answer.body_template) {
    UNDERSTUDY_ASSIGN_OR_RETURN(response.body, answer.body_template->Render(context));
  }
  return {};
}

ResponseSequence::Entry VendorModel::AnswerBad(const Arrival& arrival, const Decision& decision,
                                               std::string_view why) {
  const std::string route(RouteId(arrival));
  {
    const MutexLock lock(mutex_);
    Complain(VendorComplaint::Kind::kBadAnswer,
             "route \"" + route + "\": its answer to request " + std::to_string(decision.n) +
                 " cannot be sent: " + std::string(why),
             arrival, route, decision.n);
  }
  return JsonEntry(500, {{"error", "bad answer"}, {"route", route}, {"why", why}});
}

ResponsePlan VendorModel::MakePlan(const Arrival& arrival, const Decision& decision) {
  ResponseSequence::Entry answer =
      decision.answer != nullptr ? decision.answer : Compute(arrival, decision);
  ResponsePlan plan{.id = decision.id,
                    .response = answer->response,
                    .fault = answer->fault,
                    .fault_detail = answer->fault_detail};
  if (answer->templated() && arrival.chosen) {
    if (const auto filled = FillIn(arrival, decision, *answer, plan.response); !filled) {
      answer = AnswerBad(arrival, decision, filled.error().message);
      plan.response = answer->response;
      plan.fault.reset();
    }
  }
  if (decision.limiter != nullptr && decision.limits.refusal == nullptr) {
    decision.limiter->Annotate(decision.limits, plan.response);
  }
  if (const FaultRule* const rule = decision.injected.fault) {
    plan.fault = rule->fault;
    plan.fault_detail = rule->detail;
  }
  plan.drip = plan.fault_detail.drip;
  std::string site = std::string("latency/").append(RouteId(arrival));
  std::optional<LatencySpec> latency = answer->latency;
  if (!latency && arrival.chosen) latency = routes_[arrival.chosen->route].latency;
  if (const FaultRule* const rule = decision.injected.latency) {
    latency = rule->latency;
    site = "faults/" + rule->id;
  }
  if (latency) plan.latency = DrawLatency(*latency, environment_.random, site);
  if (environment_.hooks.adjust) environment_.hooks.adjust(RouteId(arrival), plan);
  plan.id = decision.id;
  return plan;
}

void VendorModel::Completed(const ResponsePlan& plan, const ExchangeOutcome& outcome) {
  Exchange exchange;
  {
    const MutexLock lock(mutex_);
    const auto found = in_flight_.find(plan.id);
    UNDERSTUDY_CHECK(found != in_flight_.end(), "Completed without its Handle, or twice");
    exchange = std::move(found->second);
    in_flight_.erase(found);
  }
  if (exchange.limiter != nullptr) exchange.limiter->Release(exchange.permits);
  if (environment_.journal != nullptr) {
    environment_.journal->Complete(plan.journal, {.completed = outcome.completed,
                                                  .ended_by = std::string(outcome.ended_by),
                                                  .wire = outcome.wire,
                                                  .at = environment_.clock.Now()});
  }
  const LaneScope lane({exchange.lane, exchange.step});
  if (environment_.hooks.served) {
    environment_.hooks.served({.vendor = name_,
                               .route = exchange.route,
                               .method = exchange.method,
                               .target = exchange.target,
                               .test = exchange.test,
                               .n = exchange.n,
                               .status = plan.response.status,
                               .completed = outcome.completed,
                               .ended_by = outcome.ended_by,
                               .duration = environment_.clock.Now() - exchange.arrived});
  }
  if (plan.fault) PublishFault(exchange, *plan.fault);
  if (!outcome.completed) return;
  environment_.events.Publish("http.response", {{"vendor", name_},
                                                {"route", exchange.route},
                                                {"status", plan.response.status},
                                                {"exchange", exchange.exchange},
                                                {"lane", exchange.lane},
                                                {"step", exchange.step},
                                                {"n", exchange.n}});
}

void VendorModel::PublishFault(const Exchange& exchange, FaultKind fault) {
  std::vector<Field> fields = {{"vendor", name_},          {"route", exchange.route},
                               {"fault", ToString(fault)}, {"exchange", exchange.exchange},
                               {"lane", exchange.lane},    {"step", exchange.step}};
  if (!exchange.rule.empty()) fields.emplace_back("rule", exchange.rule);
  environment_.events.Publish("fault", fields);
}

Result<std::size_t> VendorModel::FindRouteId(std::string_view route_id) const {
  const auto route = std::find_if(routes_.begin(), routes_.end(),
                                  [&](const Route& candidate) { return candidate.id == route_id; });
  if (route != routes_.end()) return static_cast<std::size_t>(route - routes_.begin());
  std::vector<std::string_view> ids;
  for (const Route& candidate : routes_) ids.push_back(candidate.id);
  std::string message = "vendor \"" + name_ + "\" has no route \"" + std::string(route_id) + "\"";
  const std::string_view close = ClosestMatch(route_id, ids);
  if (!close.empty()) message += "; did you mean \"" + std::string(close) + "\"?";
  return Error{.code = ErrorCode::kNotFound, .message = std::move(message)};
}

Result<void> VendorModel::SetResponses(std::string_view route_id,
                                       const std::vector<ResponseSpec>& responses,
                                       std::string_view test) {
  UNDERSTUDY_ASSIGN_OR_RETURN(const std::size_t index, FindRouteId(route_id));
  const Route& route = routes_[index];
  auto sequence = ResponseSequence::Create(responses, route.when_exhausted, route.scope);
  if (!sequence) return In("route", route_id, sequence.error());
  const MutexLock lock(mutex_);
  Foresee(*sequence);
  PartitionOf(test).routes[index].sequence = *std::move(sequence);
  callers_.ForEachWithPrefix(CallersOf(test),
                             [index](Caller& caller) { caller.sequences.erase(index); });
  return {};
}

std::vector<MachineState> VendorModel::States(std::string_view test) const {
  const MutexLock lock(mutex_);
  const Partition* partition = test.empty() ? &untold_ : tests_.Find(test);
  if (partition == nullptr) partition = &initial_;
  std::vector<MachineState> machines;
  for (const auto& [machine, states] : machines_) {
    machines.push_back({.machine = machine,
                        .state = std::string(StateOf(partition->memory.states, machine)),
                        .possible = {states.begin(), states.end()}});
  }
  return machines;
}

Result<void> VendorModel::SetState(std::string_view machine, std::string_view state,
                                   std::string_view test) {
  const auto found = machines_.find(machine);
  if (found == machines_.end()) {
    std::vector<std::string_view> names;
    for (const auto& [name, states] : machines_) names.push_back(name);
    std::string message =
        "vendor \"" + name_ + "\" has no state machine \"" + std::string(machine) + "\"";
    const std::string_view close = ClosestMatch(machine, names);
    if (!close.empty()) message += "; did you mean \"" + std::string(close) + "\"?";
    return Error{.code = ErrorCode::kNotFound, .message = std::move(message)};
  }
  if (!found->second.contains(std::string(state))) {
    return InvalidArgument("the machine \"" + std::string(machine) + "\" has no state \"" +
                           std::string(state) + "\"; it has " +
                           JoinOr({found->second.begin(), found->second.end()}));
  }
  const MutexLock lock(mutex_);
  PartitionOf(test).memory.states[std::string(machine)] = std::string(state);
  return {};
}

void VendorModel::ResetStates(std::string_view test) {
  const MutexLock lock(mutex_);
  PartitionOf(test).memory.states.clear();
  callers_.ForEachWithPrefix(CallersOf(test), [](Caller& caller) { caller.memory.states.clear(); });
}

void VendorModel::Reset() {
  const MutexLock lock(mutex_);
  untold_ = NewPartition();
  tests_.Clear();
  callers_.Clear();
  complaints_.clear();
  complaint_count_ = 0;
}

void VendorModel::ResetTest(std::string_view test) {
  const MutexLock lock(mutex_);
  PartitionOf(test) = NewPartition();
  callers_.EraseWithPrefix(CallersOf(test));
  complaint_count_ -= std::erase_if(
      complaints_, [test](const VendorComplaint& complaint) { return complaint.test == test; });
}

std::optional<InitialTokens> VendorModel::initial_tokens() const {
  const MutexLock lock(mutex_);
  return oauth_ ? oauth_->initial() : std::nullopt;
}

bool VendorModel::ValidAccessToken(std::string_view token, SystemTime now) const {
  const MutexLock lock(mutex_);
  return oauth_ && oauth_->ValidAccessToken(token, now);
}

void VendorModel::RevokeAll() {
  const MutexLock lock(mutex_);
  if (oauth_) oauth_->RevokeAll();
}

std::vector<VendorComplaint> VendorModel::complaints() const {
  const MutexLock lock(mutex_);
  return complaints_;
}

std::uint64_t VendorModel::complaint_count() const {
  const MutexLock lock(mutex_);
  return complaint_count_;
}

std::uint64_t VendorModel::request_count() const {
  const MutexLock lock(mutex_);
  return requests_;
}

}  // namespace understudy::harness
