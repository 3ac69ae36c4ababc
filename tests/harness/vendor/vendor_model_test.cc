#include "harness/vendor/vendor_model.h"

#include <atomic>
#include <chrono>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include "harness/plan/correlation.h"
#include "harness/plan/lane.h"
#include "harness/plan/seeded_random.h"
#include "middleware/http/form.h"
#include "tests/support/fake_clock.h"
#include "tests/support/fixed_random.h"
#include "tests/support/recording_event_sink.h"

namespace understudy::harness {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const Correlation kCorrelation{.lane = "probe/1",
                               .step = "probe",
                               .breaker_state = "half-open",
                               .operation = "get_order",
                               .attempt = 2,
                               .exchange = 7};

http::Request MakeRequest(std::string_view method, std::string_view target,
                          http::Headers headers = {}, std::string body = {}) {
  auto url = http::Url::Parse(std::string("http://acme.sim").append(target));
  EXPECT_TRUE(url.has_value()) << target;
  return {http::Method(method), *std::move(url), std::move(headers), std::move(body)};
}

http::Request GetOrder() { return MakeRequest("GET", "/v1/orders/o1"); }

http::Request With(const Correlation& correlation, http::Request request) {
  Attach(correlation, request.headers);
  return request;
}

http::Request Refresh(std::string_view token) {
  return MakeRequest(
      "POST", "/oauth/token", {{"Content-Type", "application/x-www-form-urlencoded"}},
      http::EncodeForm({{"grant_type", "refresh_token"}, {"refresh_token", std::string(token)}}));
}

RouteSpec Orders(std::vector<ResponseSpec> responses,
                 WhenExhausted when_exhausted = WhenExhausted::kFailScenario) {
  return {.id = "orders",
          .match = {.method = "GET", .path = "/v1/orders/{id}"},
          .responses = std::move(responses),
          .when_exhausted = when_exhausted};
}

VendorSpec Acme(std::vector<RouteSpec> routes) {
  return {.name = "acme", .routes = std::move(routes)};
}

OAuthSpec OAuth(OAuthSpec::Initial initial = OAuthSpec::Initial::kExpired) {
  return {.path = "/oauth/token", .ttl = 1h, .initial = initial, .rotate_refresh_token = true};
}

class VendorModelTest : public ::testing::Test {
 protected:
  std::unique_ptr<VendorModel> Make(VendorSpec spec, VendorHooks hooks = {}) {
    auto model = VendorModel::Create(std::move(spec), {clock_, random_, events_, std::move(hooks)});
    EXPECT_TRUE(model.has_value());
    return *std::move(model);
  }
  // As a host that hands everything over.
  static ResponsePlan Exchange(VendorModel& model, const http::Request& request) {
    ResponsePlan plan = model.Handle(request);
    model.Completed(plan, {.completed = !plan.fault});
    return plan;
  }
  static int Status(VendorModel& model, const http::Request& request) {
    return Exchange(model, request).response.status;
  }

  test::FakeClock clock_;
  test::FixedRandom random_{0.5};
  test::RecordingEventSink events_;
};

TEST_F(VendorModelTest, PlaysTheResponsesOfTheRouteInOrder) {
  const auto model =
      Make(Acme({Orders({{.times = 2, .status = 503}, {.body = R"({"id":"o1"})"}})}));
  EXPECT_EQ(Status(*model, GetOrder()), 503);
  EXPECT_EQ(Status(*model, GetOrder()), 503);
  const ResponsePlan last = Exchange(*model, GetOrder());
  EXPECT_EQ(last.response.status, 200);
  EXPECT_EQ(last.response.body, R"({"id":"o1"})");
  EXPECT_EQ(last.response.headers.Get("Content-Type"), "application/json");
  EXPECT_THAT(model->complaints(), IsEmpty());
}

TEST_F(VendorModelTest, TheFirstMatchingRouteAnswers) {
  RouteSpec any = Orders({{.status = 202}});
  any.id = "any";
  any.match = {};
  const auto model = Make(Acme({Orders({{.status = 200}}), any}));
  EXPECT_EQ(Status(*model, GetOrder()), 200);
  EXPECT_EQ(Status(*model, MakeRequest("GET", "/other")), 202);
}

TEST_F(VendorModelTest, OneRequestMoreThanPlannedIsAnsweredWith500AndComplainedAbout) {
  const auto model = Make(Acme({Orders({{.status = 200}})}));
  EXPECT_EQ(Status(*model, GetOrder()), 200);
  EXPECT_EQ(Status(*model, With(kCorrelation, GetOrder())), 500);
  const auto complaints = model->complaints();
  ASSERT_EQ(complaints.size(), 1U);
  EXPECT_EQ(complaints[0].kind, VendorComplaint::Kind::kExhausted);
  EXPECT_EQ(complaints[0].text,
            "vendor \"acme\": route \"orders\" has no response left after its 1; request 2 "
            "(GET /v1/orders/o1) is not planned");
  EXPECT_EQ(complaints[0].route, "orders");
  EXPECT_EQ(complaints[0].lane, "probe/1");
  EXPECT_EQ(complaints[0].step, "probe");
  EXPECT_EQ(complaints[0].exchange, 7);
  EXPECT_EQ(complaints[0].n, 2);
}

TEST_F(VendorModelTest, RepeatLastNeverComplains) {
  const auto model = Make(Acme({Orders({{.status = 200}}, WhenExhausted::kRepeatLast)}));
  for (int i = 0; i < 10; ++i) EXPECT_EQ(Status(*model, GetOrder()), 200);
  EXPECT_THAT(model->complaints(), IsEmpty());
}

TEST_F(VendorModelTest, AnUnmatchedRequestIsAnsweredWith404NamingTheNearestRoute) {
  RouteSpec health = Orders({{.status = 200}});
  health.id = "health";
  health.match = {.method = "GET", .path = "/health"};
  const auto model = Make(Acme({health, Orders({{.status = 200}})}));
  const ResponsePlan plan = Exchange(*model, MakeRequest("POST", "/v1/orders/o1"));
  const std::string near = "route \"orders\": GET /v1/orders/{id}: method: expected GET, got POST";
  EXPECT_EQ(plan.response.status, 404);
  EXPECT_EQ(json::parse(plan.response.body),
            (json{{"error", "no route matches"}, {"nearest", near}}));
  const auto complaints = model->complaints();
  ASSERT_EQ(complaints.size(), 1U);
  EXPECT_EQ(complaints[0].kind, VendorComplaint::Kind::kUnmatched);
  EXPECT_EQ(complaints[0].text,
            "vendor \"acme\": no route matches POST /v1/orders/o1; nearest: " + near);
  const auto event = events_.Named("http.request").at(0);
  EXPECT_EQ(event.fields.at("route"), "");
  EXPECT_EQ(event.fields.at("near"), near);
}

TEST_F(VendorModelTest, AVendorWithoutRoutesSaysSo) {
  const auto model = Make(Acme({}));
  EXPECT_EQ(Status(*model, GetOrder()), 404);
  EXPECT_THAT(model->complaints().at(0).text, HasSubstr("has no routes"));
}

TEST_F(VendorModelTest, KeepsABoundedNumberOfComplaints) {
  const auto model = Make(Acme({}));
  for (std::size_t i = 0; i < VendorModel::kComplaintsMax + 5; ++i) Exchange(*model, GetOrder());
  EXPECT_EQ(model->complaints().size(), VendorModel::kComplaintsMax);
  EXPECT_EQ(model->complaint_count(), VendorModel::kComplaintsMax + 5);
}

TEST_F(VendorModelTest, PublishesTheRequestWithItsCorrelation) {
  const auto model = Make(Acme({Orders({{.times = 2, .status = 200}})}));
  Exchange(*model, GetOrder());
  events_.Clear();
  http::Request request = GetOrder();
  ASSERT_TRUE(request.headers.Set("Idempotency-Key", "k1").has_value());
  model->Handle(With(kCorrelation, request));
  EXPECT_THAT(
      events_.Lines("http.request"),
      ElementsAre("http.request attempt=2 breaker_state=half-open exchange=7 idempotency_key=k1 "
                  "lane=probe/1 method=GET n=2 operation=get_order path=/v1/orders/o1 "
                  "route=orders step=probe vendor=acme"));
}

TEST_F(VendorModelTest, PublishesTheResponseOnceItWasHandedOver) {
  const auto model = Make(Acme({Orders({{.status = 201}})}));
  const ResponsePlan plan = model->Handle(With(kCorrelation, GetOrder()));
  EXPECT_EQ(events_.Count("http.response"), 0U);
  model->Completed(plan, {.completed = true});
  EXPECT_THAT(events_.Lines("http.response"),
              ElementsAre("http.response exchange=7 lane=probe/1 n=1 route=orders status=201 "
                          "step=probe vendor=acme"));
}

TEST_F(VendorModelTest, AResponseThatTheClientDidNotWaitForIsNone) {
  const auto model = Make(Acme({Orders({{.status = 200}})}));
  model->Completed(model->Handle(GetOrder()), {.completed = false, .ended_by = "client-gone"});
  EXPECT_EQ(events_.Count("http.response"), 0U);
  EXPECT_EQ(events_.Count("fault"), 0U);
}

TEST_F(VendorModelTest, PublishesAFaultWhenTheExchangeEnds) {
  const auto model = Make(Acme({Orders({{.fault = FaultKind::kReset}})}));
  const ResponsePlan plan = model->Handle(With(kCorrelation, GetOrder()));
  EXPECT_EQ(plan.fault, FaultKind::kReset);
  EXPECT_EQ(events_.Count("fault"), 0U);
  model->Completed(plan, {.ended_by = "reset"});
  EXPECT_THAT(events_.Lines("fault"),
              ElementsAre("fault exchange=7 fault=reset lane=probe/1 route=orders step=probe "
                          "vendor=acme"));
  EXPECT_EQ(events_.Count("http.response"), 0U);
}

TEST_F(VendorModelTest, ASlowDripThatArrivesIsAFaultAndAResponse) {
  const auto model = Make(Acme({Orders({{.body = "x", .fault = FaultKind::kSlowDrip}})}));
  model->Completed(model->Handle(GetOrder()), {.completed = true, .ended_by = "slow-drip"});
  EXPECT_EQ(events_.Count("fault"), 1U);
  EXPECT_EQ(events_.Count("http.response"), 1U);
}

TEST_F(VendorModelTest, NoRouteSeesTheCorrelationHeader) {
  RouteSpec route = Orders({{.status = 200}});
  route.match.headers = {{std::string(kCorrelationHeader), R"({"absent":true})"}};
  const auto model = Make(Acme({route}));
  EXPECT_EQ(Status(*model, With(kCorrelation, GetOrder())), 200);
}

TEST_F(VendorModelTest, ARefusedConnectionUsesItsResponseAndIsNoRequest) {
  const auto model = Make(Acme({Orders({{.fault = FaultKind::kRefuse}, {.status = 200}})}));
  EXPECT_EQ(model->OnConnect(With(kCorrelation, GetOrder())), FaultKind::kRefuse);
  EXPECT_EQ(model->OnConnect(With(kCorrelation, GetOrder())), std::nullopt);
  EXPECT_EQ(Status(*model, GetOrder()), 200);
  EXPECT_THAT(events_.Lines("fault"),
              ElementsAre("fault exchange=7 fault=refuse lane=probe/1 route=orders step=probe "
                          "vendor=acme"));
  EXPECT_EQ(events_.Named("http.request").at(0).fields.at("n"), "1");
}

TEST_F(VendorModelTest, ANameThatDoesNotResolveIsSaidOnConnect) {
  const auto model = Make(Acme({Orders({{.fault = FaultKind::kDnsFail}})}));
  EXPECT_EQ(model->OnConnect(GetOrder()), FaultKind::kDnsFail);
}

TEST_F(VendorModelTest, ConnectingForAnUnmatchedRequestIsAllowed) {
  const auto model = Make(Acme({Orders({{.fault = FaultKind::kRefuse}})}));
  EXPECT_EQ(model->OnConnect(MakeRequest("GET", "/other")), std::nullopt);
  EXPECT_THAT(model->complaints(), IsEmpty());
}

TEST_F(VendorModelTest, ConnectingUsesNoOrdinaryResponse) {
  const auto model = Make(Acme({Orders({{.status = 200}, {.fault = FaultKind::kRefuse}})}));
  EXPECT_EQ(model->OnConnect(GetOrder()), std::nullopt);
  EXPECT_EQ(model->OnConnect(GetOrder()), std::nullopt);
  EXPECT_EQ(Status(*model, GetOrder()), 200);
  EXPECT_EQ(model->OnConnect(GetOrder()), FaultKind::kRefuse);
}

TEST_F(VendorModelTest, DrawsTheLatencyFromTheRangeOfTheRoute) {
  RouteSpec route = Orders({{.status = 200}, {.latency = LatencySpec::Fixed(3s)}});
  route.latency = LatencySpec{10ms, 80ms};
  const auto model = Make(Acme({route}));
  const Duration drawn = Exchange(*model, GetOrder()).latency;
  EXPECT_GE(drawn, 10ms);
  EXPECT_LE(drawn, 80ms);
  EXPECT_THAT(random_.sites(), ElementsAre("latency/orders"));
  EXPECT_EQ(Exchange(*model, GetOrder()).latency, 3s);
}

TEST_F(VendorModelTest, TheDrawBelongsToTheClientsLaneWhicheverThreadServes) {
  RouteSpec route = Orders({{.times = 2, .status = 200}});
  route.latency = LatencySpec{0s, 1h};
  const auto latency_of = [&](std::string_view lane, std::string_view server_lane) {
    SeededRandom random(42);
    auto model = VendorModel::Create(Acme({route}), {clock_, random, events_});
    const LaneScope scope({.name = std::string(server_lane)});
    Correlation correlation = kCorrelation;
    correlation.lane = lane;
    return (*model)->Handle(With(correlation, GetOrder())).latency;
  };
  EXPECT_EQ(latency_of("a", "server/1"), latency_of("a", "server/2"));
  EXPECT_NE(latency_of("a", "server/1"), latency_of("b", "server/1"));
}

TEST_F(VendorModelTest, WithoutCorrelationTheCallersLaneIsTheLane) {
  const auto model = Make(Acme({Orders({{.status = 200}})}));
  const LaneScope scope({.name = "caller", .step = "s1"});
  Exchange(*model, GetOrder());
  EXPECT_EQ(events_.Named("http.request").at(0).fields.at("lane"), "caller");
  EXPECT_EQ(events_.Named("http.request").at(0).fields.at("step"), "s1");
  EXPECT_EQ(events_.Named("http.request").at(0).fields.at("attempt"), "1");
}

class VendorTokenTest : public VendorModelTest {
 protected:
  static VendorSpec Spec(OAuthSpec::Initial initial = OAuthSpec::Initial::kExpired) {
    RouteSpec route = Orders({{.status = 200}}, WhenExhausted::kRepeatLast);
    route.requires_token = true;
    VendorSpec spec = Acme({route});
    spec.oauth = OAuth(initial);
    return spec;
  }
  static http::Request OrderWith(std::string_view token) {
    http::Request request = GetOrder();
    EXPECT_TRUE(request.headers.Set("Authorization", "bearer " + std::string(token)).has_value());
    return request;
  }
};

TEST_F(VendorTokenTest, AValidTokenIsLetThroughUntilItExpires) {
  const auto model = Make(Spec(OAuthSpec::Initial::kValid));
  const http::Request request = OrderWith(model->initial_tokens()->access_token);
  EXPECT_EQ(Status(*model, request), 200);
  clock_.Advance(1h - 1ns);
  EXPECT_EQ(Status(*model, request), 200);
  clock_.Advance(1ns);
  EXPECT_EQ(Status(*model, request), 401);
}

TEST_F(VendorTokenTest, AnInvalidTokenIsRefusedAsRfc6750Says) {
  const auto model = Make(Spec());
  const ResponsePlan plan = Exchange(*model, OrderWith("at_forged"));
  EXPECT_EQ(plan.response.status, 401);
  EXPECT_EQ(plan.response.headers.Get("WWW-Authenticate"), "Bearer error=\"invalid_token\"");
  EXPECT_EQ(json::parse(plan.response.body), (json{{"error", "invalid_token"}}));
}

TEST_F(VendorTokenTest, ARequestWithoutATokenIsAskedForOne) {
  const auto model = Make(Spec());
  const ResponsePlan plan = Exchange(*model, GetOrder());
  EXPECT_EQ(plan.response.status, 401);
  EXPECT_EQ(plan.response.headers.Get("WWW-Authenticate"), "Bearer");
}

TEST_F(VendorTokenTest, ARefusedTokenUsesNoResponse) {
  VendorSpec spec = Spec(OAuthSpec::Initial::kValid);
  spec.routes[0].when_exhausted = WhenExhausted::kFailScenario;
  const auto model = Make(spec);
  EXPECT_EQ(Status(*model, GetOrder()), 401);
  EXPECT_EQ(Status(*model, OrderWith(model->initial_tokens()->access_token)), 200);
  EXPECT_THAT(model->complaints(), IsEmpty());
}

TEST_F(VendorTokenTest, ARefreshedTokenWorksAndTheRequestIsSeenAsOAuth) {
  const auto model = Make(Spec());
  const ResponsePlan plan = Exchange(*model, Refresh(model->initial_tokens()->refresh_token));
  ASSERT_EQ(plan.response.status, 200);
  const std::string token = json::parse(plan.response.body)["access_token"];
  EXPECT_TRUE(model->ValidAccessToken(token, clock_.SystemNow()));
  EXPECT_EQ(Status(*model, OrderWith(token)), 200);
  EXPECT_EQ(events_.Named("http.request").at(0).fields.at("route"), "oauth");
  EXPECT_EQ(events_.Named("http.response").at(0).fields.at("route"), "oauth");
}

TEST_F(VendorTokenTest, TheTokenEndpointHasItsOwnLatency) {
  VendorSpec spec = Spec();
  spec.oauth->latency = LatencySpec::Fixed(5s);
  const auto model = Make(spec);
  EXPECT_EQ(Exchange(*model, Refresh("x")).latency, 5s);
}

TEST_F(VendorTokenTest, RevokeAllMakesTheTokenInvalid) {
  const auto model = Make(Spec(OAuthSpec::Initial::kValid));
  model->RevokeAll();
  EXPECT_EQ(Status(*model, OrderWith(model->initial_tokens()->access_token)), 401);
}

TEST_F(VendorTokenTest, CannedAnswersComeFirstAndThenTokensAgain) {
  const auto model = Make(Spec());
  const http::Request refresh = Refresh(model->initial_tokens()->refresh_token);
  ASSERT_TRUE(model->SetResponses("oauth", {{.times = 2, .status = 503}}).has_value());
  EXPECT_EQ(Status(*model, refresh), 503);
  EXPECT_EQ(Status(*model, refresh), 503);
  EXPECT_EQ(Status(*model, refresh), 200);
  EXPECT_THAT(model->complaints(), IsEmpty());
}

TEST_F(VendorTokenTest, ADeclaredOAuthRouteLendsTheEndpointItsAnswers) {
  VendorSpec spec = Spec();
  spec.routes.push_back({.id = "oauth",
                         .match = {.method = "POST", .path = "/oauth/token"},
                         .latency = LatencySpec::Fixed(2s),
                         .responses = {{.status = 400, .body = R"({"error":"invalid_grant"})"}}});
  const auto model = Make(spec);
  const http::Request refresh = Refresh(model->initial_tokens()->refresh_token);
  const ResponsePlan canned = Exchange(*model, refresh);
  EXPECT_EQ(canned.response.status, 400);
  EXPECT_EQ(canned.latency, 2s);
  EXPECT_EQ(Status(*model, refresh), 200);
  EXPECT_THAT(model->complaints(), IsEmpty());
}

TEST_F(VendorTokenTest, TheTokenEndpointCanRefuseConnections) {
  const auto model = Make(Spec());
  ASSERT_TRUE(model->SetResponses("oauth", {{.fault = FaultKind::kRefuse}}).has_value());
  EXPECT_EQ(model->OnConnect(Refresh("x")), FaultKind::kRefuse);
  EXPECT_EQ(model->OnConnect(Refresh("x")), std::nullopt);
}

TEST_F(VendorTokenTest, AnotherMethodAtTheTokenEndpointIsNews) {
  const auto model = Make(Spec());
  EXPECT_EQ(Status(*model, MakeRequest("GET", "/oauth/token")), 404);
  EXPECT_THAT(model->complaints().at(0).text, HasSubstr("route \"oauth\""));
}

class VendorLimitTest : public VendorModelTest {
 protected:
  static VendorSpec Spec(LimitSpec limit) {
    VendorSpec spec = Acme({Orders({{.status = 200}}, WhenExhausted::kRepeatLast)});
    spec.limits = {std::move(limit)};
    return spec;
  }
};

TEST_F(VendorLimitTest, RefusesWith429AndTheTimeToWaitRoundedUp) {
  const auto model = Make(Spec({.id = "per-minute", .max = 1, .window = 60s}));
  EXPECT_EQ(Status(*model, With(kCorrelation, GetOrder())), 200);
  clock_.Advance(500ms);
  const ResponsePlan plan = Exchange(*model, With(kCorrelation, GetOrder()));
  EXPECT_EQ(plan.response.status, 429);
  EXPECT_EQ(plan.response.headers.Get("Retry-After"), "60");
  EXPECT_THAT(events_.Lines("rate_limit"),
              ElementsAre("rate_limit lane=probe/1 limit=per-minute remaining=0 route=orders "
                          "step=probe vendor=acme"));
  clock_.Advance(59500ms);
  EXPECT_EQ(Status(*model, GetOrder()), 200);
}

TEST_F(VendorLimitTest, RefusesExactlyAsToldWithoutARetryAfter) {
  const auto model =
      Make(Spec({.id = "l",
                 .max = 0,
                 .window = 60s,
                 .on_exceed = ResponseSpec{.body = "{}", .latency = LatencySpec::Fixed(2s)}}));
  const ResponsePlan plan = Exchange(*model, GetOrder());
  EXPECT_EQ(plan.response.status, 429);
  EXPECT_EQ(plan.response.body, "{}");
  EXPECT_EQ(plan.latency, 2s);
  EXPECT_FALSE(plan.response.headers.Has("Retry-After"));
}

TEST_F(VendorLimitTest, ARefusedRequestUsesNoResponse) {
  VendorSpec spec = Spec({.id = "l", .max = 1, .window = 60s});
  spec.routes[0] = Orders({{.status = 200}, {.status = 201}});
  const auto model = Make(spec);
  EXPECT_EQ(Status(*model, GetOrder()), 200);
  EXPECT_EQ(Status(*model, GetOrder()), 429);
  clock_.Advance(60s);
  EXPECT_EQ(Status(*model, GetOrder()), 201);
}

TEST_F(VendorLimitTest, CountsAllRoutesButNotTheTokenEndpoint) {
  VendorSpec spec = Spec({.id = "l", .max = 2, .window = 60s});
  RouteSpec other = Orders({{.status = 200}});
  other.id = "other";
  other.match = {.path = "/other"};
  spec.routes.push_back(other);
  spec.oauth = OAuth();
  const auto model = Make(spec);
  EXPECT_EQ(Status(*model, Refresh(model->initial_tokens()->refresh_token)), 200);
  EXPECT_EQ(Status(*model, GetOrder()), 200);
  EXPECT_EQ(Status(*model, MakeRequest("GET", "/other")), 200);
  EXPECT_EQ(Status(*model, GetOrder()), 429);
  EXPECT_NE(Status(*model, Refresh("x")), 429);
}

TEST_F(VendorLimitTest, ARequestThatOneLimitRefusesIsNotCountedByAnother) {
  VendorSpec spec = Spec({.id = "day", .max = 2, .window = 24h});
  spec.limits.push_back({.id = "second", .max = 1, .window = 1s});
  const auto model = Make(spec);
  EXPECT_EQ(Status(*model, GetOrder()), 200);
  EXPECT_EQ(Status(*model, GetOrder()), 429);
  clock_.Advance(1s);
  EXPECT_EQ(Status(*model, GetOrder()), 200);
  EXPECT_EQ(events_.Named("rate_limit").at(0).fields.at("limit"), "second");
}

TEST_F(VendorLimitTest, AnAnswerSaysWhatTheDialectSaysAndKeepsItsOwnHeaders) {
  VendorSpec spec = Spec({.id = "core", .max = 5, .window = 60s, .dialect = "github"});
  spec.routes[0] = Orders({{.headers = {{"X-RateLimit-Used", "mine"}}, .body = "{}"}},
                          WhenExhausted::kRepeatLast);
  const auto model = Make(spec);
  const ResponsePlan plan = Exchange(*model, GetOrder());
  EXPECT_EQ(plan.response.headers.Get("x-ratelimit-remaining"), "4");
  EXPECT_THAT(plan.response.headers.GetAll("x-ratelimit-used"), ElementsAre("mine"));
}

TEST_F(VendorLimitTest, APermitIsHeldUntilTheExchangeIsCompletedHoweverItEnds) {
  const auto model = Make(Spec({.id = "c", .max = 2, .kind = LimitSpec::Kind::kConcurrency}));
  const ResponsePlan first = model->Handle(GetOrder());
  const ResponsePlan second = model->Handle(GetOrder());
  EXPECT_EQ(Status(*model, GetOrder()), 429);
  model->Completed(first, {.completed = false, .ended_by = "client-gone"});
  EXPECT_EQ(Status(*model, GetOrder()), 200);
  model->Completed(second, {.completed = true});
  EXPECT_EQ(Status(*model, GetOrder()), 200);
}

TEST_F(VendorLimitTest, ARequestThatNoRouteMatchesIsNotCounted) {
  const auto model = Make(Spec({.id = "l", .max = 1, .window = 60s, .dialect = "github"}));
  const ResponsePlan plan = Exchange(*model, MakeRequest("GET", "/nowhere"));
  EXPECT_FALSE(plan.response.headers.Has("x-ratelimit-limit"));
  EXPECT_EQ(Status(*model, GetOrder()), 200);
}

TEST_F(VendorLimitTest, TheEventSaysWhatIsLeftOfALimitWithCosts) {
  LimitSpec limit{.id = "points", .max = 7, .window = 60s};
  limit.costs = {{.points = 5}};
  const auto model = Make(Spec(std::move(limit)));
  EXPECT_EQ(Status(*model, GetOrder()), 200);
  EXPECT_EQ(Status(*model, GetOrder()), 429);
  EXPECT_THAT(events_.Lines("rate_limit"), ElementsAre(HasSubstr("remaining=2")));
}

TEST_F(VendorModelTest, SetResponsesReplacesWhatIsLeft) {
  const auto model = Make(Acme({Orders({{.times = 5, .status = 503}})}));
  EXPECT_EQ(Status(*model, GetOrder()), 503);
  ASSERT_TRUE(model->SetResponses("orders", {{.status = 200}}).has_value());
  EXPECT_EQ(Status(*model, GetOrder()), 200);
  EXPECT_EQ(Status(*model, GetOrder()), 500);
}

TEST_F(VendorModelTest, SetResponsesSuggestsTheRouteThatWasMeant) {
  const auto model = Make(Acme({Orders({{.status = 200}})}));
  const auto set = model->SetResponses("order", {{.status = 200}});
  ASSERT_FALSE(set.has_value());
  EXPECT_EQ(set.error().code, ErrorCode::kNotFound);
  EXPECT_THAT(set.error().message, HasSubstr("did you mean \"orders\"?"));
}

TEST_F(VendorModelTest, SetResponsesRefusesWhatCreateRefuses) {
  const auto model = Make(Acme({Orders({{.status = 200}})}));
  EXPECT_FALSE(model->SetResponses("orders", {}).has_value());
  EXPECT_FALSE(model->SetResponses("orders", {{.status = 99}}).has_value());
  EXPECT_EQ(Status(*model, GetOrder()), 200);
}

TEST_F(VendorModelTest, AnExplorerCanAddAFault) {
  const auto model = Make(Acme({Orders({{.status = 200}})}),
                          {.adjust = [](std::string_view route, ResponsePlan& plan) {
                            if (route == "orders") plan.fault = FaultKind::kReset;
                          }});
  EXPECT_EQ(Exchange(*model, GetOrder()).fault, FaultKind::kReset);
  EXPECT_EQ(events_.Named("fault").at(0).fields.at("fault"), "reset");
}

TEST_F(VendorModelTest, AnExplorerCanRefuseAConnection) {
  const auto model = Make(Acme({Orders({{.status = 200}})}),
                          {.connect = [](std::string_view) { return FaultKind::kDnsFail; }});
  EXPECT_EQ(model->OnConnect(GetOrder()), FaultKind::kDnsFail);
  EXPECT_EQ(Status(*model, GetOrder()), 200);
  EXPECT_EQ(events_.Count("fault"), 1U);
}

TEST_F(VendorModelTest, GivesEachConcurrentRequestOneResponseOfItsOwn) {
  constexpr int kThreads = 4;
  constexpr int kEach = 250;
  const auto model = Make(Acme({Orders({{.times = kThreads * kEach / 2, .status = 503},
                                        {.times = kThreads * kEach / 2, .status = 200}})}));
  std::atomic<int> failed = 0;
  std::vector<std::jthread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < kEach; ++i) failed += Status(*model, GetOrder()) == 503 ? 1 : 0;
    });
  }
  threads.clear();
  EXPECT_EQ(failed, kThreads * kEach / 2);
  std::set<std::string> numbers;
  for (const auto& event : events_.Named("http.request")) numbers.insert(event.fields.at("n"));
  EXPECT_EQ(numbers.size(), static_cast<std::size_t>(kThreads * kEach));
  EXPECT_THAT(model->complaints(), IsEmpty());
}

struct BadVendor {
  const char* name;
  VendorSpec spec;
  const char* message;
};

VendorSpec WithRoute(RouteSpec route) { return Acme({std::move(route)}); }

VendorSpec WithOAuthRoute(RequestMatch match) {
  VendorSpec spec = Acme({{.id = "oauth", .match = std::move(match), .responses = {{}}}});
  spec.oauth = OAuth();
  return spec;
}

VendorSpec WithLimits(std::vector<LimitSpec> limits) {
  VendorSpec spec = Acme({});
  spec.limits = std::move(limits);
  return spec;
}

class VendorErrorTest : public ::testing::TestWithParam<BadVendor> {};

TEST_P(VendorErrorTest, IsRefused) {
  const auto checked = VendorModel::Check(GetParam().spec);
  ASSERT_FALSE(checked.has_value());
  EXPECT_EQ(checked.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(checked.error().message, AllOf(HasSubstr(GetParam().message), HasSubstr("vendor")));
}

INSTANTIATE_TEST_SUITE_P(
    Vendors, VendorErrorTest,
    ::testing::Values(
        BadVendor{"NoName", {.name = ""}, "no name"},
        BadVendor{"NoRouteId", WithRoute({.responses = {{}}}), "no id"},
        BadVendor{"RepeatedRoute", Acme({Orders({{}}), Orders({{}})}), "appears twice"},
        BadVendor{"BadMatch", WithRoute({.id = "r", .match = {.path = "x"}, .responses = {{}}}),
                  "route \"r\": path"},
        BadVendor{"NoResponses", WithRoute({.id = "r"}), "route \"r\": there is no response"},
        BadVendor{"BadLatency",
                  WithRoute({.id = "r", .latency = LatencySpec{2s, 1s}, .responses = {{}}}),
                  "route \"r\": latency"},
        BadVendor{"TokenWithoutOAuth",
                  WithRoute({.id = "r", .requires_token = true, .responses = {{}}}), "no oauth"},
        BadVendor{"OAuthRouteElsewhere", WithOAuthRoute({.path = "/token"}), "/oauth/token"},
        BadVendor{"OAuthRouteFiner",
                  WithOAuthRoute({.path = "/oauth/token", .query = {{"a", "1"}}}), "nothing finer"},
        BadVendor{"BadOAuthPath", {.oauth = OAuthSpec{.path = "token"}}, "oauth: path"},
        BadVendor{"BadOnExceed",
                  WithLimits({{.id = "l", .window = 1s, .on_exceed = ResponseSpec{.status = 1}}}),
                  "limit \"l\": status"},
        BadVendor{"BadLimit", WithLimits({{.id = "l"}}), "limit \"l\": window"},
        BadVendor{"RepeatedLimit",
                  WithLimits({{.id = "l", .window = 1s}, {.id = "l", .window = 1s}}),
                  "appears twice"}),
    [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace understudy::harness
