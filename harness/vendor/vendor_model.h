// VendorModel: a fake vendor as a state machine. Request, time and chance in; response plan out.
//
//   auto model = VendorModel::Create(spec, {clock, random, events});
//   if (!model) return model.error();
//   network.Listen("http://acme.sim", **model);      // or a server on sockets: the same answers
//   ...
//   for (const VendorComplaint& complaint : (*model)->complaints()) Fail(complaint.text);
//
// What decides the answer, in this order: the first route (by priority, then declaration) that
// matches and whose states hold; a valid token, where the route wants one; the limits; the next
// response of the route's sequence, or what it computes. A request that no route matches, or one
// more than a route expects, is answered with an error and complained about: nothing unplanned
// passes silently.
//
// Where the spec isolates tests, each has sequences, states, counters and limits of its own, and
// where a route tells callers apart, each caller of a test has its own of the first three. Both are
// bounded; whoever was not seen for longest starts anew.
//
// Events (fields of the scenario format's `where`; lane, step, exchange, attempt, operation and
// breaker_state come from the request's correlation header, which no route sees):
//   http.request   vendor route method path attempt breaker_state operation exchange lane step n
//                  [idempotency_key] [near]; route is "oauth" for the token endpoint and "" if none
//                  matched (then near says which was nearest); n counts the route's requests from 1
//   http.response  vendor route status exchange lane step n; once every byte was handed over
//   rate_limit     vendor limit route remaining lane step; a limit refused the request; remaining
//                  is what was left of it, less than the request's points
//   fault          vendor route fault exchange lane step [rule]; the exchange ended with a planned
//                  fault; rule says which of the vendor's `faults` it was
// http.request events of concurrent requests may be published out of order; n has the order of the
// decisions.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "harness/match/request_matcher.h"
#include "harness/match/route_index.h"
#include "harness/plan/response_plan.h"
#include "harness/vendor/fault_injector.h"
#include "harness/vendor/journal.h"
#include "harness/vendor/lru_map.h"
#include "harness/vendor/oauth_server.h"
#include "harness/vendor/rate_limiter.h"
#include "harness/vendor/response_sequence.h"
#include "harness/vendor/vendor_spec.h"
#include "middleware/base/mutex.h"
#include "middleware/runtime/clock.h"
#include "middleware/runtime/event.h"
#include "middleware/runtime/random.h"

namespace understudy::harness {

// One exchange, once the host is done with it. Borrowed for the length of the call.
struct ServedExchange {
  std::string_view vendor;
  std::string_view route;  // "" if none matched.
  std::string_view method;
  std::string_view target;  // Path and query, as sent.
  std::string_view test;
  std::int64_t n = 0;
  int status = 0;             // As planned.
  bool completed = false;     // Every byte was handed over.
  std::string_view ended_by;  // As ExchangeOutcome says.
  Duration duration = {};     // From the request's arrival to here.
};

// How an explorer makes a vendor misbehave beyond its plan. Called without a lock held, on the
// requesting thread, from many threads; `route` as in the events.
struct VendorHooks {
  // May change the latency, the fault, or the response.
  std::function<void(std::string_view route, ResponsePlan& plan)> adjust = {};
  // May refuse a connection (kRefuse, kDnsFail) that the plan would accept.
  std::function<std::optional<FaultKind>(std::string_view route)> connect = {};
  // Told of each exchange, e.g. for a log.
  std::function<void(const ServedExchange& exchange)> served = {};
};

// References, never owned; they outlive the model.
struct VendorEnvironment {
  Clock& clock;
  Random& random;  // Sites: "latency/<route>", "template/<route>", "oauth/token", "faults" (if
                   // there are any), "faults/<rule>" for a rule's latency.
  EventSink& events;
  VendorHooks hooks = {};
  std::uint64_t plan_ids_after = 0;  // The plans' ids count on from here.
  Journal* journal = nullptr;        // Where every request is written; nullptr: nowhere.
};

// A request that the vendor's script does not provide for; fails the scenario.
struct VendorComplaint {
  enum class Kind {
    kUnmatched,
    kExhausted,
    kBadAnswer,  // A template or a computed answer that came to nothing that can be sent.
  };

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
  std::string test = {};
};

// A machine, as one test sees it; not the machines of single callers.
struct MachineState {
  std::string machine = {};
  std::string state = {};
  std::vector<std::string> possible = {};  // Everything that the vendor's spec names, sorted.
};

// Thread-safe; blocks nobody.
class VendorModel final : public PlannedHandler {
 public:
  // The first this many complaints are kept.
  static constexpr std::size_t kComplaintsMax = 1'000;
  // Tests, and callers of all tests, that are remembered at one time.
  static constexpr std::size_t kTestsMax = 1'000;
  static constexpr std::size_t kCallersMax = 10'000;
  // The route id of the token endpoint. A declared route of this id (and the endpoint's path) lends
  // it answers that are used up first; then it issues tokens.
  static constexpr std::string_view kOAuthRoute = "oauth";

  // kInvalidArgument, naming vendor, route or limit, for whatever the spec's parts refuse: see
  // RequestMatcher, ResponseSequence, Template, RateLimiter, CheckOAuth; and for a repeated or
  // empty id, a route that requires tokens without `oauth`, one with both responses and compute, a
  // caller or isolation key without its name, and an "oauth" route that differs from the token
  // endpoint. The world's time starts now: initial tokens are issued.
  static Result<std::unique_ptr<VendorModel>> Create(VendorSpec spec,
                                                     VendorEnvironment environment);

  // What Create would refuse, without a world: for linting.
  static Result<void> Check(const VendorSpec& spec);

  // The names that a route's path captures: of its template, or its named groups.
  static std::vector<std::string> CapturesOf(const RequestMatch& match);

  // Goes on where `previous` is, a model of the same vendor with other routes: its tokens,
  // complaints and counts, the states, counters and limits of all tests and callers, and the
  // sequences of the routes that both have, but for those that `changed` names. For a model that
  // has served nothing yet.
  void Adopt(const VendorModel& previous, const std::set<std::string>& changed);

  std::optional<FaultKind> OnConnect(const http::Request& request) override;
  std::optional<ResponsePlan> OnHead(const http::Request& head) override;
  ResponsePlan Handle(const http::Request& request) override;
  void Completed(const ResponsePlan& plan, const ExchangeOutcome& outcome) override;
  ConnectionPlan OnAccept(const ConnectionInfo& connection) override;

  // Replaces what is left of a route's responses (the `set` step). For the token endpoint
  // ("oauth"), these answer the next token requests; then it issues tokens again. kNotFound, with a
  // suggestion, for an unknown route; kInvalidArgument for what ResponseSequence refuses. Of one
  // test, and of all its callers.
  Result<void> SetResponses(std::string_view route_id, const std::vector<ResponseSpec>& responses,
                            std::string_view test = "");

  // The machines that the spec names, by name.
  std::vector<MachineState> States(std::string_view test = "") const;
  // kNotFound, with a suggestion, for a machine that the spec does not name; kInvalidArgument for a
  // state that it does not.
  Result<void> SetState(std::string_view machine, std::string_view state,
                        std::string_view test = "");
  // All machines of the test and its callers, back to kInitialState.
  void ResetStates(std::string_view test = "");

  // As at the start: sequences (those of SetResponses too), states, counters, limits and
  // complaints of every test, or of one. Tokens stay.
  void Reset();
  void ResetTest(std::string_view test);

  // What the client holds at the start; nullopt without `oauth`, or with Initial::kNone.
  std::optional<InitialTokens> initial_tokens() const;
  // False without `oauth`.
  bool ValidAccessToken(std::string_view token, SystemTime now) const;
  void RevokeAll();

  std::vector<VendorComplaint> complaints() const;
  // Also those beyond kComplaintsMax.
  std::uint64_t complaint_count() const;
  // Requests so far.
  std::uint64_t request_count() const;

  const std::string& name() const { return name_; }

 private:
  struct Route {
    std::string id;
    RequestMatcher matcher;
    std::optional<LatencySpec> latency;
    bool requires_token = false;
    bool token_endpoint = false;
    WhenExhausted when_exhausted = WhenExhausted::kFailScenario;
    int priority = RouteSpec::kPriorityDefault;
    StateCondition when_state = {};
    StateChange set_state = {};
    std::optional<CallerKey> per = {};
    std::function<ResponseSpec(const RouteRequest&)> compute = {};
    TemplateScope scope = {};      // Its captures.
    std::string description = {};  // RequestMatcher::Describe.
  };
  struct RouteState {
    ResponseSequence sequence;  // With callers told apart: what each of them starts with.
    std::int64_t requests = 0;
  };
  // What answers read and change, of one test or one caller.
  struct Memory {
    StateTable states = {};
    std::map<std::string, std::int64_t, std::less<>> counters = {};
  };
  struct Caller {
    Memory memory = {};
    std::map<std::size_t, ResponseSequence> sequences = {};  // By route.
  };
  // Everything that one test has for itself.
  struct Partition {
    std::vector<RouteState> routes = {};  // Of routes_, by index.
    std::shared_ptr<RateLimiter> limiter = {};
    Memory memory = {};
    std::int64_t unmatched = 0;
  };
  using Machines = std::map<std::string, std::set<std::string>, std::less<>>;
  // Everything of a Create that fails or succeeds as a whole.
  struct Parts {
    std::vector<Route> routes;
    Partition initial;
    std::optional<OAuthServer> oauth;
    Machines machines;
    std::optional<IsolationSpec> isolate_by;
    FaultInjector faults;
  };
  // A route that fits a request, and who calls it there.
  struct Candidate {
    std::size_t route = 0;
    std::string caller = {};  // "" if the route does not ask.
  };
  struct Arrival;
  struct Decision;
  // What Completed needs of an exchange under way.
  struct Exchange {
    std::string_view route;  // Of routes_, or "".
    std::string lane = {};
    std::string step = {};
    std::int64_t exchange = 0;
    std::int64_t n = 0;
    std::string rule = {};                      // Of `faults`, that made it fail.
    std::shared_ptr<RateLimiter> limiter = {};  // That the permits are of.
    std::vector<LimitPermit> permits = {};
    // Only where somebody is told of it.
    std::string method = {};
    std::string target = {};
    std::string test = {};
    TimePoint arrived = {};
  };

  VendorModel(std::string name, VendorEnvironment environment, Parts parts);

  // Everything but the OAuth server, whose tokens need a world.
  static Result<Parts> Build(const VendorSpec& spec);
  static Result<void> AddTokenEndpoint(const VendorSpec& spec, Parts& parts);
  static Result<void> AddRoutes(const VendorSpec& spec, Parts& parts);
  static Result<void> AddRoute(const VendorSpec& spec, const RouteSpec& route, Parts& parts);
  static Result<void> AddFaults(const VendorSpec& spec, Parts& parts);

  static Result<void> AddMachines(const VendorSpec& spec, Parts& parts);
  static Result<void> AddIsolation(const VendorSpec& spec, Parts& parts);

  Arrival Receive(const http::Request& request) const;
  void Isolate(Arrival& arrival) const;
  static RouteIndex IndexOf(const std::vector<Route>& routes);
  // Those that fit, in their order, up to the first one whatever the states are.
  std::vector<Candidate> FindRoutes(const PreparedRequest& request) const;
  std::vector<JournalNearMiss> NearMisses(const PreparedRequest& request) const;

  // What each test starts with.
  Partition NewPartition() const;
  Partition& PartitionOf(std::string_view test) REQUIRES(mutex_);
  Memory& MemoryOf(const Arrival& arrival, const Candidate& candidate, Partition& partition)
      REQUIRES(mutex_);
  ResponseSequence& SequenceOf(const Arrival& arrival, const Candidate& candidate,
                               Partition& partition) REQUIRES(mutex_);
  Caller& CallerOf(const Arrival& arrival, const Candidate& candidate) REQUIRES(mutex_);
  // Takes the first candidate whose states hold.
  void ChooseRoute(Arrival& arrival, Partition& partition) REQUIRES(mutex_);
  // Gives the answer its counters and states, and moves the machines.
  void Account(const Arrival& arrival, Memory& memory, Decision& decision) REQUIRES(mutex_);

  ResponsePlan Respond(const Arrival& arrival, const Decision& decision);
  Decision Decide(Arrival& arrival) REQUIRES(mutex_);
  // Remembers what the sequence may do before or instead of an answer.
  void Foresee(const ResponseSequence& sequence) REQUIRES(mutex_);
  // The fault that the next request of the chosen route will meet.
  std::optional<FaultKind> NextFault(const Arrival& arrival, Partition& partition,
                                     FaultDecision& injected) REQUIRES(mutex_);
  ResponseSequence::Entry Answer(const Arrival& arrival, Partition& partition, Decision& decision)
      REQUIRES(mutex_);
  ResponseSequence::Entry AnswerUnmatched(const Arrival& arrival, std::int64_t n) REQUIRES(mutex_);
  ResponseSequence::Entry AnswerExhausted(const Arrival& arrival, const Route& route,
                                          std::optional<std::int64_t> length, std::int64_t n)
      REQUIRES(mutex_);
  ResponseSequence::Entry RefuseToken(const Arrival& arrival) const REQUIRES(mutex_);
  ResponseSequence::Entry RefuseOverLimit(const Arrival& arrival, Partition& partition,
                                          Decision& decision) REQUIRES(mutex_);
  void Complain(VendorComplaint::Kind kind, std::string text, const Arrival& arrival,
                std::string_view route, std::int64_t n) REQUIRES(mutex_);

  // What is made without the lock: computed and templated answers.
  ResponseSequence::Entry Compute(const Arrival& arrival, const Decision& decision);
  Result<void> FillIn(const Arrival& arrival, const Decision& decision,
                      const PreparedResponse& answer, http::Response& response) const;
  ResponseSequence::Entry AnswerBad(const Arrival& arrival, const Decision& decision,
                                    std::string_view why);
  ResponsePlan MakePlan(const Arrival& arrival, const Decision& decision);
  // Writes the journal's entry and returns its number.
  std::uint64_t Record(const Arrival& arrival, const Decision& decision, const ResponsePlan& plan);
  // Is the planned response the prepared one, to the byte?
  bool IsAsPrepared(const Decision& decision) const;
  std::string_view RouteId(const Arrival& arrival) const;
  void PublishRequest(const Arrival& arrival, const Decision& decision);
  void PublishFault(const Exchange& exchange, FaultKind fault);
  bool MayRefuse() const;
  Result<std::size_t> FindRouteId(std::string_view route_id) const;

  const std::string name_;
  const VendorEnvironment environment_;
  const std::vector<Route> routes_;  // The token endpoint, if any, first; then by priority.
  const RouteIndex index_;           // Of routes_.
  const Partition initial_;          // See NewPartition.
  const Machines machines_;          // With the states that the spec names.
  const std::optional<IsolationSpec> isolate_by_;

  mutable Mutex mutex_;
  Partition untold_ GUARDED_BY(mutex_);  // Of the test "".
  LruMap<Partition> tests_ GUARDED_BY(mutex_){kTestsMax};
  LruMap<Caller> callers_ GUARDED_BY(mutex_){kCallersMax};  // By test and caller.
  std::optional<OAuthServer> oauth_ GUARDED_BY(mutex_);
  std::map<std::uint64_t, Exchange> in_flight_ GUARDED_BY(mutex_);  // One per open connection.
  std::vector<VendorComplaint> complaints_ GUARDED_BY(mutex_);
  std::uint64_t complaint_count_ GUARDED_BY(mutex_) = 0;
  std::uint64_t last_plan_ GUARDED_BY(mutex_) = 0;
  std::uint64_t requests_ GUARDED_BY(mutex_) = 0;
  // Asked for each request before there is anything to lock for; never false again.
  std::atomic<bool> may_refuse_ = false;
  std::atomic<bool> may_answer_early_ = false;
  FaultInjector faults_ GUARDED_BY(mutex_);
};

}  // namespace understudy::harness
