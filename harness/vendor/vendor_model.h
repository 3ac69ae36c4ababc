// VendorModel: a fake vendor as a state machine. Request, time and chance in; response plan out.
//
//   auto model = VendorModel::Create(spec, {clock, random, events});
//   if (!model) return model.error();
//   network.Listen("http://acme.sim", **model);      // or a server on sockets: the same answers
//   ...
//   for (const VendorComplaint& complaint : (*model)->complaints()) Fail(complaint.text);
//
// What decides the answer, in this order: the first route that matches; a valid token, where the
// route wants one; the limits; the next response of the route's sequence. A request that no route
// matches, or one more than a route expects, is answered with an error and complained about:
// nothing unplanned passes silently.
//
// Events (fields of the scenario format's `where`; lane, step, exchange, attempt, operation and
// breaker_state come from the request's correlation header, which no route sees):
//   http.request   vendor route method path attempt breaker_state operation exchange lane step n
//                  [idempotency_key] [near]; route is "oauth" for the token endpoint and "" if none
//                  matched (then near says which was nearest); n counts the route's requests from 1
//   http.response  vendor route status exchange lane step n; once every byte was handed over
//   rate_limit     vendor limit route remaining lane step; a limit refused the request
//   fault          vendor route fault exchange lane step; the exchange ended with a planned fault
// http.request events of concurrent requests may be published out of order; n has the order of the
// decisions.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "harness/match/request_matcher.h"
#include "harness/plan/response_plan.h"
#include "harness/vendor/oauth_server.h"
#include "harness/vendor/rate_window.h"
#include "harness/vendor/response_sequence.h"
#include "harness/vendor/vendor_spec.h"
#include "middleware/base/mutex.h"
#include "middleware/runtime/clock.h"
#include "middleware/runtime/event.h"
#include "middleware/runtime/random.h"

namespace understudy::harness {

// How an explorer makes a vendor misbehave beyond its plan. Called without a lock held, on the
// requesting thread, from many threads; `route` as in the events.
struct VendorHooks {
  // May change the latency, the fault, or the response.
  std::function<void(std::string_view route, ResponsePlan& plan)> adjust = {};
  // May refuse a connection (kRefuse, kDnsFail) that the plan would accept.
  std::function<std::optional<FaultKind>(std::string_view route)> connect = {};
};

// References, never owned; they outlive the model.
struct VendorEnvironment {
  Clock& clock;
  Random& random;  // Sites: "latency/<route>", "oauth/token".
  EventSink& events;
  VendorHooks hooks = {};
};

// A request that the vendor's script does not provide for; fails the scenario.
struct VendorComplaint {
  enum class Kind { kUnmatched, kExhausted };

  Kind kind = Kind::kUnmatched;
  std::string text = {};  // One line: what came, and what was nearest or used up.
  std::string vendor = {};
  std::string route = {};  // Empty for kUnmatched.
  std::string method = {};
  std::string path = {};
  std::string lane = {};
  std::string step = {};
  std::int64_t exchange = 0;
  std::int64_t n = 0;
};

// Thread-safe; blocks nobody.
class VendorModel final : public PlannedHandler {
 public:
  // The first this many complaints are kept.
  static constexpr std::size_t kComplaintsMax = 1'000;
  // The route id of the token endpoint. A declared route of this id (and the endpoint's path) lends
  // it answers that are used up first; then it issues tokens.
  static constexpr std::string_view kOAuthRoute = "oauth";

  // kInvalidArgument, naming vendor, route or limit, for whatever the spec's parts refuse: see
  // RequestMatcher, ResponseSequence, RateWindow, CheckOAuth; and for a repeated or empty id, a
  // route that requires tokens without `oauth`, and an "oauth" route that differs from the token
  // endpoint. The world's time starts now: initial tokens are issued.
  static Result<std::unique_ptr<VendorModel>> Create(VendorSpec spec,
                                                     VendorEnvironment environment);

  // What Create would refuse, without a world: for linting.
  static Result<void> Check(const VendorSpec& spec);

  std::optional<FaultKind> OnConnect(const http::Request& request) override;
  ResponsePlan Handle(const http::Request& request) override;
  void Completed(const ResponsePlan& plan, const ExchangeOutcome& outcome) override;

  // Replaces what is left of a route's responses (the `set` step). For the token endpoint
  // ("oauth"), these answer the next token requests; then it issues tokens again. kNotFound, with a
  // suggestion, for an unknown route; kInvalidArgument for what ResponseSequence refuses.
  Result<void> SetResponses(std::string_view route_id, const std::vector<ResponseSpec>& responses);

  // What the client holds at the start; nullopt without `oauth`, or with Initial::kNone.
  std::optional<InitialTokens> initial_tokens() const;
  // False without `oauth`.
  bool ValidAccessToken(std::string_view token, SystemTime now) const;
  void RevokeAll();

  std::vector<VendorComplaint> complaints() const;
  // Also those beyond kComplaintsMax.
  std::uint64_t complaint_count() const;

  const std::string& name() const { return name_; }

 private:
  struct Route {
    std::string id;
    RequestMatcher matcher;
    std::optional<LatencySpec> latency;
    bool requires_token = false;
    bool token_endpoint = false;
    WhenExhausted when_exhausted = WhenExhausted::kFailScenario;
  };
  struct RouteState {
    ResponseSequence sequence;
    std::int64_t requests = 0;
  };
  struct Limit {
    std::string id;
    RateWindow window;
    ResponseSequence::Entry on_exceed;  // nullptr: 429 with Retry-After.
  };
  // Everything of a Create that fails or succeeds as a whole.
  struct Parts {
    std::vector<Route> routes;
    std::vector<RouteState> states;
    std::vector<Limit> limits;
    std::optional<OAuthServer> oauth;
  };
  struct Arrival;
  struct Decision;
  // What Completed needs of an exchange under way.
  struct Exchange {
    std::string route;
    std::string lane;
    std::string step;
    std::int64_t exchange = 0;
    std::int64_t n = 0;
  };

  VendorModel(std::string name, VendorEnvironment environment, Parts parts);

  // Everything but the OAuth server, whose tokens need a world.
  static Result<Parts> Build(const VendorSpec& spec);
  static Result<void> AddTokenEndpoint(const VendorSpec& spec, Parts& parts);
  static Result<void> AddRoutes(const VendorSpec& spec, Parts& parts);
  static Result<void> AddLimits(const VendorSpec& spec, Parts& parts);

  Arrival Receive(const http::Request& request) const;
  std::optional<std::size_t> FindRoute(const PreparedRequest& request) const;
  std::string Nearest(const PreparedRequest& request) const;

  Decision Decide(const Arrival& arrival);
  ResponseSequence::Entry Answer(const Arrival& arrival, Decision& decision) REQUIRES(mutex_);
  ResponseSequence::Entry AnswerUnmatched(const Arrival& arrival, std::int64_t n) REQUIRES(mutex_);
  ResponseSequence::Entry AnswerExhausted(const Arrival& arrival, const Route& route,
                                          std::int64_t n) REQUIRES(mutex_);
  ResponseSequence::Entry RefuseToken(const Arrival& arrival) const REQUIRES(mutex_);
  ResponseSequence::Entry RefuseOverLimit(Decision& decision) REQUIRES(mutex_);
  void Complain(VendorComplaint::Kind kind, std::string text, const Arrival& arrival,
                std::string_view route, std::int64_t n) REQUIRES(mutex_);

  ResponsePlan MakePlan(const Arrival& arrival, const Decision& decision);
  std::string_view RouteId(const Arrival& arrival) const;
  void PublishRequest(const Arrival& arrival, const Decision& decision);
  void PublishFault(const Exchange& exchange, FaultKind fault);
  bool MayRefuse() const;

  const std::string name_;
  const VendorEnvironment environment_;
  const std::vector<Route> routes_;  // The token endpoint, if any, is the first.

  mutable Mutex mutex_;
  std::vector<RouteState> states_ GUARDED_BY(mutex_);  // Of routes_, by index.
  std::vector<Limit> limits_ GUARDED_BY(mutex_);
  std::optional<OAuthServer> oauth_ GUARDED_BY(mutex_);
  std::map<std::uint64_t, Exchange> in_flight_ GUARDED_BY(mutex_);  // One per open connection.
  std::vector<VendorComplaint> complaints_ GUARDED_BY(mutex_);
  std::uint64_t complaint_count_ GUARDED_BY(mutex_) = 0;
  std::uint64_t last_plan_ GUARDED_BY(mutex_) = 0;
  std::int64_t unmatched_ GUARDED_BY(mutex_) = 0;
  bool may_refuse_ GUARDED_BY(mutex_) = false;
};

}  // namespace understudy::harness
