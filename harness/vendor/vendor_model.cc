#include "harness/vendor/vendor_model.h"

#include <algorithm>
#include <limits>
#include <set>
#include <utility>

#include <nlohmann/json.hpp>

#include "harness/plan/correlation.h"
#include "harness/plan/lane.h"
#include "middleware/base/check.h"
#include "middleware/base/text.h"

namespace understudy::harness {
namespace {

constexpr std::string_view kTokenSite = "oauth/token";

ResponseSequence::Entry JsonEntry(int status, const nlohmann::json& body) {
  PreparedResponse prepared;
  prepared.response = {.status = status,
                       .headers = {{"Content-Type", "application/json"}},
                       .body = body.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace)};
  return std::make_shared<const PreparedResponse>(std::move(prepared));
}

ResponseSequence::Entry TooManyRequests(std::string_view limit, Duration retry_after) {
  const auto seconds = std::chrono::ceil<std::chrono::seconds>(retry_after).count();
  PreparedResponse prepared = *JsonEntry(429, {{"error", "rate limit exceeded"}, {"limit", limit}});
  const auto added = prepared.response.headers.Add("Retry-After", std::to_string(seconds));
  UNDERSTUDY_CHECK(added.has_value(), "digits are a valid header value");
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
  const RequestMatch& match = route.match;
  const bool same = match.path == oauth.path && !match.path_regex && match.query.empty() &&
                    match.headers.empty() && !match.json && match.method.value_or("POST") == "POST";
  if (!same) {
    return InvalidArgument(
        "route \"oauth\" lends the token endpoint its answers: it must match POST " + oauth.path +
        " and nothing finer; give another route another id");
  }
  if (route.requires_token) return InvalidArgument("route \"oauth\" cannot require a token");
  return {};
}

}  // namespace

// A request on its way in.
struct VendorModel::Arrival {
  http::Request request = {};  // Without the correlation header.
  Correlation correlation = {};
  std::optional<std::size_t> route = {};
  std::string near = {};  // Without a route: the nearest one.
  TokenEntropy entropy = {};
};

struct VendorModel::Decision {
  std::uint64_t id = 0;
  std::int64_t n = 0;
  ResponseSequence::Entry answer = {};
  std::string limit = {};  // That refused; empty if none did.
};

VendorModel::VendorModel(std::string name, VendorEnvironment environment, Parts parts)
    : name_(std::move(name)),
      environment_(std::move(environment)),
      routes_(std::move(parts.routes)),
      states_(std::move(parts.states)),
      limits_(std::move(parts.limits)),
      oauth_(std::move(parts.oauth)) {
  for (const RouteState& state : states_) may_refuse_ = may_refuse_ || state.sequence.MayRefuse();
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
    return AddLimits(spec, parts);
  };
  const auto added = add_all();
  if (!added) return In("vendor", spec.name, added.error());
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
              .token_endpoint = true};
  RouteState state;
  if (const RouteSpec* const declared = FindTokenRoute(spec)) {
    UNDERSTUDY_RETURN_IF_ERROR(CheckTokenRoute(*declared, *spec.oauth));
    auto sequence = ResponseSequence::Create(declared->responses, declared->when_exhausted);
    if (!sequence) return In("route", declared->id, sequence.error());
    state.sequence = *std::move(sequence);
    if (declared->latency) route.latency = declared->latency;
  }
  parts.routes.push_back(std::move(route));
  parts.states.push_back(std::move(state));
  return {};
}

Result<void> VendorModel::AddRoutes(const VendorSpec& spec, Parts& parts) {
  const RouteSpec* const token_route = FindTokenRoute(spec);
  for (const RouteSpec& route : spec.routes) {
    if (route.latency) {
      const auto checked = CheckLatency(*route.latency);
      if (!checked) return In("route", route.id, checked.error());
    }
    if (&route == token_route) continue;
    if (route.requires_token && !spec.oauth) {
      return In("route", route.id, InvalidArgument("it requires a token, but there is no oauth"));
    }
    auto matcher = RequestMatcher::Compile(route.match);
    if (!matcher) return In("route", route.id, matcher.error());
    auto sequence = ResponseSequence::Create(route.responses, route.when_exhausted);
    if (!sequence) return In("route", route.id, sequence.error());
    parts.routes.push_back({.id = route.id,
                            .matcher = *std::move(matcher),
                            .latency = route.latency,
                            .requires_token = route.requires_token,
                            .when_exhausted = route.when_exhausted});
    parts.states.push_back({.sequence = *std::move(sequence)});
  }
  return {};
}

Result<void> VendorModel::AddLimits(const VendorSpec& spec, Parts& parts) {
  for (const LimitSpec& limit : spec.limits) {
    auto window = RateWindow::Create(limit);
    if (!window) return In("limit", limit.id, window.error());
    ResponseSequence::Entry on_exceed;
    if (limit.on_exceed) {
      auto prepared = Prepare(*limit.on_exceed, 429);
      if (!prepared) return In("limit", limit.id, prepared.error());
      on_exceed = std::make_shared<const PreparedResponse>(*std::move(prepared));
    }
    parts.limits.push_back(
        {.id = limit.id, .window = *std::move(window), .on_exceed = std::move(on_exceed)});
  }
  return {};
}

std::optional<std::size_t> VendorModel::FindRoute(const PreparedRequest& request) const {
  for (std::size_t i = 0; i < routes_.size(); ++i) {
    if (routes_[i].matcher.Match(request, MatchDetail::kQuick).matched) return i;
  }
  return std::nullopt;
}

std::string VendorModel::Nearest(const PreparedRequest& request) const {
  double best = std::numeric_limits<double>::infinity();
  std::string text = "the vendor has no routes";
  for (const Route& route : routes_) {
    const MatchResult result = route.matcher.Match(request);
    if (result.distance >= best) continue;
    best = result.distance;
    text = "route \"" + route.id + "\": " + route.matcher.Explain(result);
  }
  return text;
}

VendorModel::Arrival VendorModel::Receive(const http::Request& request) const {
  Arrival arrival{.request = request};
  if (auto correlation = Detach(arrival.request.headers)) {
    arrival.correlation = *std::move(correlation);
  } else {
    arrival.correlation.lane = CurrentLane().name;
    arrival.correlation.step = CurrentLane().step;
  }
  const PreparedRequest prepared(arrival.request);
  arrival.route = FindRoute(prepared);
  if (!arrival.route) arrival.near = Nearest(prepared);
  return arrival;
}

std::string_view VendorModel::RouteId(const Arrival& arrival) const {
  return arrival.route ? std::string_view(routes_[*arrival.route].id) : std::string_view();
}

bool VendorModel::MayRefuse() const {
  if (environment_.hooks.connect) return true;
  const MutexLock lock(mutex_);
  return may_refuse_;
}

std::optional<FaultKind> VendorModel::OnConnect(const http::Request& request) {
  if (!MayRefuse()) return std::nullopt;
  const Arrival arrival = Receive(request);
  if (!arrival.route) return std::nullopt;
  const LaneScope lane({arrival.correlation.lane, arrival.correlation.step});
  std::optional<FaultKind> fault;
  {
    const MutexLock lock(mutex_);
    ResponseSequence& sequence = states_[*arrival.route].sequence;
    const auto next = sequence.Peek();
    if (next != nullptr && next->fault && IsConnectFault(*next->fault)) {
      fault = next->fault;
      sequence.Next();
    }
  }
  if (!fault && environment_.hooks.connect) fault = environment_.hooks.connect(RouteId(arrival));
  if (fault) {
    PublishFault({.route = std::string(RouteId(arrival)),
                  .lane = arrival.correlation.lane,
                  .step = arrival.correlation.step,
                  .exchange = static_cast<std::int64_t>(arrival.correlation.exchange)},
                 *fault);
  }
  return fault;
}

ResponsePlan VendorModel::Handle(const http::Request& request) {
  Arrival arrival = Receive(request);
  // The client's lane, so that draws and events are the same whichever thread serves the request.
  const LaneScope lane({arrival.correlation.lane, arrival.correlation.step});
  if (arrival.route && routes_[*arrival.route].token_endpoint) {
    arrival.entropy = {.access = environment_.random.Next(kTokenSite),
                       .refresh = environment_.random.Next(kTokenSite)};
  }
  const Decision decision = Decide(arrival);
  PublishRequest(arrival, decision);
  return MakePlan(arrival, decision);
}

VendorModel::Decision VendorModel::Decide(const Arrival& arrival) {
  const MutexLock lock(mutex_);
  Decision decision{.id = ++last_plan_,
                    .n = arrival.route ? ++states_[*arrival.route].requests : ++unmatched_};
  decision.answer = Answer(arrival, decision);
  in_flight_[decision.id] = {.route = std::string(RouteId(arrival)),
                             .lane = arrival.correlation.lane,
                             .step = arrival.correlation.step,
                             .exchange = static_cast<std::int64_t>(arrival.correlation.exchange),
                             .n = decision.n};
  return decision;
}

ResponseSequence::Entry VendorModel::Answer(const Arrival& arrival, Decision& decision) {
  if (!arrival.route) return AnswerUnmatched(arrival, decision.n);
  const Route& route = routes_[*arrival.route];
  ResponseSequence& sequence = states_[*arrival.route].sequence;
  if (route.token_endpoint) {
    if (auto canned = sequence.Next()) return canned;
    PreparedResponse issued;
    issued.response =
        oauth_->Answer(arrival.request, environment_.clock.SystemNow(), arrival.entropy);
    return std::make_shared<const PreparedResponse>(std::move(issued));
  }
  if (route.requires_token) {
    if (auto refusal = RefuseToken(arrival)) return refusal;
  }
  if (auto refusal = RefuseOverLimit(decision)) return refusal;
  if (auto planned = sequence.Next()) return planned;
  return AnswerExhausted(arrival, route, decision.n);
}

ResponseSequence::Entry VendorModel::RefuseToken(const Arrival& arrival) const {
  const auto token = BearerToken(arrival.request.headers);
  if (token && oauth_->ValidAccessToken(*token, environment_.clock.SystemNow())) return nullptr;
  PreparedResponse prepared = *JsonEntry(401, {{"error", "invalid_token"}});
  // RFC 6750 section 3.1: no error code for a request that carries no credentials at all.
  const auto added = prepared.response.headers.Add(
      "WWW-Authenticate", token ? "Bearer error=\"invalid_token\"" : "Bearer");
  UNDERSTUDY_CHECK(added.has_value(), "a literal header is valid");
  return std::make_shared<const PreparedResponse>(std::move(prepared));
}

ResponseSequence::Entry VendorModel::RefuseOverLimit(Decision& decision) {
  const TimePoint now = environment_.clock.Now();
  const SystemTime wall = environment_.clock.SystemNow();
  for (Limit& limit : limits_) {
    const RateDecision asked = limit.window.Ask(now, wall);
    if (asked.admitted) continue;
    decision.limit = limit.id;
    return limit.on_exceed != nullptr ? limit.on_exceed
                                      : TooManyRequests(limit.id, asked.retry_after);
  }
  for (Limit& limit : limits_) limit.window.Take(now, wall);
  return nullptr;
}

ResponseSequence::Entry VendorModel::AnswerUnmatched(const Arrival& arrival, std::int64_t n) {
  Complain(VendorComplaint::Kind::kUnmatched,
           "no route matches " + std::string(arrival.request.method.name()) + " " +
               arrival.request.url.target() + "; nearest: " + arrival.near,
           arrival, "", n);
  return JsonEntry(404, {{"error", "no route matches"}, {"nearest", arrival.near}});
}

ResponseSequence::Entry VendorModel::AnswerExhausted(const Arrival& arrival, const Route& route,
                                                     std::int64_t n) {
  const std::int64_t length = states_[*arrival.route].sequence.Length().value_or(0);
  Complain(VendorComplaint::Kind::kExhausted,
           "route \"" + route.id + "\" has no response left after its " + std::to_string(length) +
               "; request " + std::to_string(n) + " (" +
               std::string(arrival.request.method.name()) + " " + arrival.request.url.target() +
               ") is not planned",
           arrival, route.id, n);
  return JsonEntry(500, {{"error", "no response left"}, {"route", route.id}});
}

void VendorModel::Complain(VendorComplaint::Kind kind, std::string text, const Arrival& arrival,
                           std::string_view route, std::int64_t n) {
  ++complaint_count_;
  if (complaints_.size() >= kComplaintsMax) return;
  complaints_.push_back({.kind = kind,
                         .text = "vendor \"" + name_ + "\": " + std::move(text),
                         .vendor = name_,
                         .route = std::string(route),
                         .method = std::string(arrival.request.method.name()),
                         .path = std::string(arrival.request.url.path()),
                         .lane = arrival.correlation.lane,
                         .step = arrival.correlation.step,
                         .exchange = static_cast<std::int64_t>(arrival.correlation.exchange),
                         .n = n});
}

void VendorModel::PublishRequest(const Arrival& arrival, const Decision& decision) {
  const Correlation& from = arrival.correlation;
  std::vector<Field> fields = {{"vendor", name_},
                               {"route", RouteId(arrival)},
                               {"method", arrival.request.method.name()},
                               {"path", arrival.request.url.path()},
                               {"attempt", from.attempt},
                               {"breaker_state", from.breaker_state},
                               {"operation", from.operation},
                               {"exchange", static_cast<std::int64_t>(from.exchange)},
                               {"lane", from.lane},
                               {"step", from.step},
                               {"n", decision.n}};
  if (const auto key = arrival.request.headers.Get("Idempotency-Key")) {
    fields.emplace_back("idempotency_key", *key);
  }
  if (!arrival.route) fields.emplace_back("near", arrival.near);
  environment_.events.Publish("http.request", fields);
  if (decision.limit.empty()) return;
  environment_.events.Publish("rate_limit", {{"vendor", name_},
                                             {"limit", decision.limit},
                                             {"route", RouteId(arrival)},
                                             {"remaining", 0},
                                             {"lane", from.lane},
                                             {"step", from.step}});
}

ResponsePlan VendorModel::MakePlan(const Arrival& arrival, const Decision& decision) {
  ResponsePlan plan{
      .id = decision.id, .response = decision.answer->response, .fault = decision.answer->fault};
  std::optional<LatencySpec> latency = decision.answer->latency;
  if (!latency && arrival.route) latency = routes_[*arrival.route].latency;
  if (latency) {
    const std::string site = std::string("latency/").append(RouteId(arrival));
    plan.latency = environment_.random.Between(site, latency->low, latency->high);
  }
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
  const LaneScope lane({exchange.lane, exchange.step});
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
  environment_.events.Publish("fault", {{"vendor", name_},
                                        {"route", exchange.route},
                                        {"fault", ToString(fault)},
                                        {"exchange", exchange.exchange},
                                        {"lane", exchange.lane},
                                        {"step", exchange.step}});
}

Result<void> VendorModel::SetResponses(std::string_view route_id,
                                       const std::vector<ResponseSpec>& responses) {
  const auto route = std::find_if(routes_.begin(), routes_.end(),
                                  [&](const Route& candidate) { return candidate.id == route_id; });
  if (route == routes_.end()) {
    std::vector<std::string_view> ids;
    for (const Route& candidate : routes_) ids.push_back(candidate.id);
    std::string message = "vendor \"" + name_ + "\" has no route \"" + std::string(route_id) + "\"";
    const std::string_view close = ClosestMatch(route_id, ids);
    if (!close.empty()) message += "; did you mean \"" + std::string(close) + "\"?";
    return Error{.code = ErrorCode::kNotFound, .message = std::move(message)};
  }
  auto sequence = ResponseSequence::Create(responses, route->when_exhausted);
  if (!sequence) return In("route", route_id, sequence.error());
  const MutexLock lock(mutex_);
  may_refuse_ = may_refuse_ || sequence->MayRefuse();
  states_[static_cast<std::size_t>(route - routes_.begin())].sequence = *std::move(sequence);
  return {};
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

}  // namespace understudy::harness
