// What a vendor remembers: priorities, states, callers, tests, templates and computed answers.
#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "harness/plan/seeded_random.h"
#include "harness/vendor/reloadable_vendor.h"
#include "harness/vendor/vendor_model.h"
#include "tests/support/fake_clock.h"
#include "tests/support/recording_event_sink.h"

namespace understudy::harness {
namespace {

using namespace std::chrono_literals;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

http::Request Get(std::string_view target, http::Headers headers = {}) {
  auto url = http::Url::Parse(std::string("http://acme.test").append(target));
  EXPECT_TRUE(url.has_value()) << target;
  return {http::Method("GET"), *std::move(url), std::move(headers), {}};
}

RouteSpec Route(std::string id, std::string path, std::vector<ResponseSpec> responses) {
  return {.id = std::move(id),
          .match = {.path = std::move(path)},
          .responses = std::move(responses),
          .when_exhausted = WhenExhausted::kRepeatLast};
}

ResponseSpec Text(std::string body) {
  return {.body = std::move(body), .content_type = "text/plain", .templated = true};
}

class VendorMemoryTest : public ::testing::Test {
 protected:
  void Make(std::vector<RouteSpec> routes) { Make({.name = "acme", .routes = std::move(routes)}); }
  void Make(VendorSpec spec, VendorHooks hooks = {}) {
    auto model = VendorModel::Create(std::move(spec), {clock_, random_, events_, std::move(hooks)});
    ASSERT_TRUE(model.has_value()) << model.error().message;
    model_ = *std::move(model);
  }
  static ResponsePlan Exchange(PlannedHandler& handler, const http::Request& request) {
    ResponsePlan plan = handler.Handle(request);
    handler.Completed(plan, {.completed = true});
    return plan;
  }
  std::string Body(std::string_view target, http::Headers headers = {}) {
    return Exchange(*model_, Get(target, std::move(headers))).response.body;
  }
  int Status(std::string_view target, http::Headers headers = {}) {
    return Exchange(*model_, Get(target, std::move(headers))).response.status;
  }
  std::string Refusal(VendorSpec spec) {
    const auto checked = VendorModel::Check(spec);
    return checked ? "" : checked.error().message;
  }

  test::FakeClock clock_;
  SeededRandom random_{1};
  test::RecordingEventSink events_;
  std::unique_ptr<VendorModel> model_;
};

// ---- priority ----

TEST_F(VendorMemoryTest, TheLowerPriorityIsTriedFirst) {
  RouteSpec special = Route("special", "/a", {Text("special")});
  special.priority = 1;
  Make({Route("general", "/{x}", {Text("general")}), special});
  EXPECT_EQ(Body("/a"), "special");
  EXPECT_EQ(Body("/b"), "general");
}

TEST_F(VendorMemoryTest, AmongEqualsTheFirstDeclaredAnswers) {
  Make({Route("one", "/{x}", {Text("one")}), Route("two", "/a", {Text("two")})});
  EXPECT_EQ(Body("/a"), "one");
}

// ---- states ----

TEST_F(VendorMemoryTest, ARouteAnswersOnlyInItsState) {
  RouteSpec closed = Route("closed", "/door", {Text("closed")});
  closed.when_state = {{"door", {std::string(kInitialState)}}};
  RouteSpec open = Route("open", "/door", {Text("open")});
  open.when_state = {{"door", {"Open"}}};
  RouteSpec push = Route("push", "/push", {Text("pushed")});
  push.set_state = {{"door", "Open"}};
  Make({closed, open, push});
  EXPECT_EQ(Body("/door"), "closed");
  Body("/push");
  EXPECT_EQ(Body("/door"), "open");
  model_->ResetStates();
  EXPECT_EQ(Body("/door"), "closed");
}

TEST_F(VendorMemoryTest, ARequestThatOnlyTheStateKeepsOutIsToldSo) {
  RouteSpec open = Route("open", "/door", {Text("open")});
  open.when_state = {{"door", {"Open", "Ajar"}}};
  Make({open});
  EXPECT_EQ(Status("/door"), 404);
  ASSERT_THAT(model_->complaints(), SizeIs(1));
  EXPECT_THAT(
      model_->complaints()[0].text,
      HasSubstr("route \"open\": state door: expected \"Open\" or \"Ajar\", is \"Started\""));
}

TEST_F(VendorMemoryTest, ResponsesWithStatesAreChosenByThem) {
  RouteSpec cart = Route("cart", "/cart", {});
  cart.responses = {Text("empty"), Text("full")};
  cart.responses[0].when_state = {{"cart", {"Started"}}};
  cart.responses[1].when_state = {{"cart", {"Full"}}};
  RouteSpec add = Route("add", "/add", {Text("ok")});
  add.responses[0].set_state = {{"cart", "Full"}};
  Make({cart, add});
  EXPECT_EQ(Body("/cart"), "empty");
  EXPECT_EQ(Body("/cart"), "empty");
  Body("/add");
  EXPECT_EQ(Body("/cart"), "full");
  EXPECT_THAT(model_->complaints(), IsEmpty());
}

TEST_F(VendorMemoryTest, ConditionalResponsesEndWithTheirTimes) {
  RouteSpec once = Route("once", "/x", {Text("only")});
  once.responses[0].when_state = {{"m", {"Started"}}};
  once.responses[0].times = 1;
  Make({once});
  EXPECT_EQ(Status("/x"), 200);
  EXPECT_EQ(Status("/x"), 500);
  EXPECT_THAT(model_->complaints(), SizeIs(1));
}

TEST_F(VendorMemoryTest, MachinesAreListedAndSetByName) {
  RouteSpec open = Route("open", "/door", {Text("open")});
  open.when_state = {{"door", {"Open"}}};
  Make({open});
  const auto states = model_->States();
  ASSERT_THAT(states, SizeIs(1));
  EXPECT_EQ(states[0].state, "Started");
  EXPECT_THAT(states[0].possible, ElementsAre("Open", "Started"));
  ASSERT_TRUE(model_->SetState("door", "Open").has_value());
  EXPECT_EQ(Body("/door"), "open");
  EXPECT_THAT(model_->SetState("dor", "Open").error().message, HasSubstr("did you mean \"door\""));
  EXPECT_THAT(model_->SetState("door", "Shut").error().message,
              HasSubstr("it has \"Open\" or \"Started\""));
}

// ---- callers ----

TEST_F(VendorMemoryTest, EachCallerHasItsOwnSequenceStatesAndCounters) {
  RouteSpec route = Route("r", "/r", {Text("first {{counter 'c'}}"), Text("then {{counter 'c'}}")});
  route.per = CallerKey{.kind = CallerKey::Kind::kHeader, .name = "X-Id"};
  Make({route});
  EXPECT_EQ(Body("/r", {{"X-Id", "a"}}), "first 1");
  EXPECT_EQ(Body("/r", {{"X-Id", "b"}}), "first 1");
  EXPECT_EQ(Body("/r", {{"X-Id", "a"}}), "then 2");
  EXPECT_EQ(Body("/r"), "first 1") << "a request without the header is a caller too";
}

TEST_F(VendorMemoryTest, RoutesThatTellCallersApartAlikeShareTheirStates) {
  RouteSpec push = Route("push", "/push", {Text("ok")});
  push.set_state = {{"door", "Open"}};
  RouteSpec open = Route("open", "/door", {Text("open")});
  open.when_state = {{"door", {"Open"}}};
  VendorSpec spec{.name = "acme", .routes = {push, open}};
  spec.per = CallerKey{.kind = CallerKey::Kind::kToken};
  Make(spec);
  Body("/push", {{"Authorization", "Bearer one"}});
  EXPECT_EQ(Status("/door", {{"Authorization", "Bearer one"}}), 200);
  EXPECT_EQ(Status("/door", {{"Authorization", "Bearer two"}}), 404);
}

struct KeyCase {
  const char* name;
  CallerKey key;
  const char* target;
  http::Headers headers;
};

class CallerKeyTest : public VendorMemoryTest, public ::testing::WithParamInterface<KeyCase> {};

TEST_P(CallerKeyTest, FindsItsCaller) {
  RouteSpec route = Route("r", "/r/{id}", {Text("{{caller}}")});
  route.per = GetParam().key;
  Make({route});
  EXPECT_EQ(Body(GetParam().target, GetParam().headers), "me");
}

INSTANTIATE_TEST_SUITE_P(
    Keys, CallerKeyTest,
    ::testing::Values(
        KeyCase{"Header", {CallerKey::Kind::kHeader, "X-Id"}, "/r/1", {{"x-id", "me"}}},
        KeyCase{
            "BearerToken", {CallerKey::Kind::kToken, ""}, "/r/1", {{"Authorization", "bearer me"}}},
        KeyCase{
            "OtherCredentials", {CallerKey::Kind::kToken, ""}, "/r/1", {{"Authorization", "me"}}},
        KeyCase{"Query", {CallerKey::Kind::kQuery, "key"}, "/r/1?key=me", {}},
        KeyCase{"Cookie", {CallerKey::Kind::kCookie, "sid"}, "/r/1", {{"Cookie", "a=b; sid=me"}}},
        KeyCase{"Capture", {CallerKey::Kind::kCapture, "id"}, "/r/me", {}}),
    [](const auto& test) { return test.param.name; });

TEST_F(VendorMemoryTest, TheCallerThatWasNotSeenForLongestStartsAnew) {
  RouteSpec route = Route("r", "/r", {Text("new"), Text("known")});
  route.per = CallerKey{.kind = CallerKey::Kind::kHeader, .name = "X-Id"};
  Make({route});
  Body("/r", {{"X-Id", "old"}});
  Body("/r", {{"X-Id", "kept"}});
  for (std::size_t i = 0; i < VendorModel::kCallersMax - 1; ++i) {
    Body("/r", {{"X-Id", std::to_string(i)}});
  }
  EXPECT_EQ(Body("/r", {{"X-Id", "kept"}}), "known");
  EXPECT_EQ(Body("/r", {{"X-Id", "old"}}), "new");
}

// ---- tests ----

TEST_F(VendorMemoryTest, TestsByHeaderDoNotSeeEachOther) {
  VendorSpec spec{.name = "acme", .routes = {Route("r", "/r", {Text("1st"), Text("2nd")})}};
  spec.limits = {{.id = "l", .max = 2, .window = 1min}};
  spec.isolate_by = IsolationSpec{.header = "X-Test"};
  Make(spec);
  EXPECT_EQ(Body("/r", {{"X-Test", "a"}}), "1st");
  EXPECT_EQ(Body("/r", {{"X-Test", "b"}}), "1st");
  EXPECT_EQ(Body("/r"), "1st");
  EXPECT_EQ(Body("/r", {{"X-Test", "a"}}), "2nd");
  EXPECT_EQ(Status("/r", {{"X-Test", "a"}}), 429);
  EXPECT_EQ(Status("/r", {{"X-Test", "b"}}), 200) << "the limit is the test's own";
}

TEST_F(VendorMemoryTest, ATestByPathPrefixSeesThePathWithoutIt) {
  VendorSpec spec{.name = "acme"};
  spec.routes = {Route("r", "/v1/{id}",
                       {Text("{{test}} {{request.url}} {{request.path.id}}"), Text("again")})};
  spec.isolate_by = IsolationSpec{.path_prefix = "/t/"};
  Make(spec);
  EXPECT_EQ(Body("/t/a/v1/o1?x=1"), "a /v1/o1?x=1 o1");
  EXPECT_EQ(Body("/t/a/v1/o1"), "again");
  EXPECT_EQ(Body("/v1/o1"), " /v1/o1 o1");
  EXPECT_EQ(Status("/t/a"), 404);
  EXPECT_EQ(Status("/t/"), 404);
}

TEST_F(VendorMemoryTest, OneTestIsSetAndResetWithoutTheOthers) {
  VendorSpec spec{.name = "acme", .routes = {Route("r", "/r", {Text("1st"), Text("2nd")})}};
  spec.isolate_by = IsolationSpec{.header = "X-Test"};
  Make(spec);
  Body("/r", {{"X-Test", "a"}});
  Body("/r", {{"X-Test", "b"}});
  Status("/none", {{"X-Test", "a"}});
  Status("/none", {{"X-Test", "b"}});
  ASSERT_TRUE(model_->SetResponses("r", {Text("set")}, "a").has_value());
  EXPECT_EQ(Body("/r", {{"X-Test", "a"}}), "set");
  EXPECT_EQ(Body("/r", {{"X-Test", "b"}}), "2nd");
  model_->ResetTest("a");
  EXPECT_EQ(Body("/r", {{"X-Test", "a"}}), "1st");
  ASSERT_THAT(model_->complaints(), SizeIs(1));
  EXPECT_EQ(model_->complaints()[0].test, "b");
  model_->Reset();
  EXPECT_EQ(Body("/r", {{"X-Test", "b"}}), "1st");
  EXPECT_THAT(model_->complaints(), IsEmpty());
}

TEST_F(VendorMemoryTest, MoreTestsThanAreRememberedStartAnew) {
  VendorSpec spec{.name = "acme", .routes = {Route("r", "/r", {Text("1st"), Text("2nd")})}};
  spec.isolate_by = IsolationSpec{.header = "X-Test"};
  Make(spec);
  for (std::size_t i = 0; i <= VendorModel::kTestsMax; ++i) {
    Body("/r", {{"X-Test", "t" + std::to_string(i)}});
  }
  EXPECT_EQ(Body("/r", {{"X-Test", "t0"}}), "1st");
  EXPECT_EQ(Body("/r", {{"X-Test", "t" + std::to_string(VendorModel::kTestsMax)}}), "2nd");
}

// ---- templates and computed answers ----

TEST_F(VendorMemoryTest, BodyAndHeadersAreFilledIn) {
  ResponseSpec response{.status = 201,
                        .headers = {{"Location", "/o/{{counter 'o' 7}}"}, {"X-Plain", "p"}},
                        .body = R"({"id":"{{counter 'o' 7}}","of":"{{request.path.id}}"})",
                        .templated = true};
  Make({Route("r", "/r/{id}", {response})});
  const ResponsePlan plan = Exchange(*model_, Get("/r/x%22y"));
  EXPECT_EQ(plan.response.body, R"({"id":7,"of":"x\"y"})") << "one answer, one number";
  EXPECT_EQ(plan.response.headers.Get("Location"), "/o/7");
  EXPECT_EQ(plan.response.headers.Get("X-Plain"), "p");
  EXPECT_EQ(Exchange(*model_, Get("/r/z")).response.headers.Get("Location"), "/o/8");
}

TEST_F(VendorMemoryTest, NamedGroupsOfAnExpressionAreCaptures) {
  RouteSpec route = Route("r", "/", {Text("{{request.path.year}}")});
  route.match = {.path_regex = "/(?P<year>[0-9]{4})/.*"};
  Make({route});
  EXPECT_EQ(Body("/2026/x"), "2026");
}

TEST_F(VendorMemoryTest, WithoutTemplatedBracesAreText) {
  ResponseSpec response{.body = "{{request.nonsense", .content_type = "text/plain"};
  Make({Route("r", "/r", {response})});
  EXPECT_EQ(Body("/r"), "{{request.nonsense");
}

TEST_F(VendorMemoryTest, AHeaderThatCannotBeSentIsAnswered500AndComplainedAbout) {
  ResponseSpec response{.headers = {{"X-Echo", "{{request.query.x}}"}}, .templated = true};
  Make({Route("r", "/r", {response})});
  EXPECT_EQ(Status("/r?x=ok"), 200);
  EXPECT_EQ(Status("/r?x=a%0d%0aSet-Cookie:b"), 500);
  ASSERT_THAT(model_->complaints(), SizeIs(1));
  EXPECT_EQ(model_->complaints()[0].kind, VendorComplaint::Kind::kBadAnswer);
}

TEST_F(VendorMemoryTest, AnAnswerIsComputedFromTheRequest) {
  RouteSpec route{.id = "r", .match = {.path = "/sum/{a}"}};
  route.compute = [](const RouteRequest& request) {
    return ResponseSpec{
        .status = 202,
        .body = request.captures.at(0).second + " n=" + std::to_string(request.n) + " {{n}}"};
  };
  Make({route});
  EXPECT_EQ(Body("/sum/4"), "4 n=1 {{n}}");
  EXPECT_EQ(Status("/sum/5"), 202);
}

TEST_F(VendorMemoryTest, AComputedAnswerThatCannotBeSentIsComplainedAbout) {
  RouteSpec route{.id = "r", .match = {.path = "/r"}};
  route.compute = [](const RouteRequest&) { return ResponseSpec{.status = 99}; };
  Make({route});
  EXPECT_EQ(Status("/r"), 500);
  EXPECT_THAT(model_->complaints(), SizeIs(1));
}

TEST_F(VendorMemoryTest, WhoListensIsToldOfEachExchange) {
  std::vector<std::string> lines;
  VendorHooks hooks;
  hooks.served = [&](const ServedExchange& exchange) {
    lines.push_back(std::string(exchange.route) + " " + std::string(exchange.target) + " " +
                    std::to_string(exchange.status));
  };
  VendorSpec spec{.name = "acme", .routes = {Route("r", "/r", {Text("x")})}};
  spec.isolate_by = IsolationSpec{.path_prefix = "/t/"};
  Make(spec, hooks);
  Status("/t/a/r?q=1");
  Status("/none");
  EXPECT_THAT(lines, ElementsAre("r /t/a/r?q=1 200", " /none 404"));
  EXPECT_EQ(model_->request_count(), 2U);
}

TEST_F(VendorMemoryTest, AComplaintAboutAHugeRequestIsShort) {
  Make(std::vector<RouteSpec>{});
  Status("/" + std::string(50'000, 'x'));
  ASSERT_THAT(model_->complaints(), SizeIs(1));
  EXPECT_LT(model_->complaints()[0].text.size(), 2'100U);
  EXPECT_LT(model_->complaints()[0].path.size(), 2'100U);
}

// ---- what is refused ----

TEST_F(VendorMemoryTest, MistakesAreRefusedWithTheirRoute) {
  RouteSpec route = Route("r", "/r/{id}", {Text("{{request.path.ib}}")});
  EXPECT_THAT(
      Refusal({.name = "acme", .routes = {route}}),
      AllOf(HasSubstr("route \"r\""), HasSubstr("response 1"), HasSubstr("did you mean \"id\"")));
  route = Route("r", "/r/{id}", {Text("x")});
  route.compute = [](const RouteRequest&) { return ResponseSpec(); };
  EXPECT_THAT(Refusal({.name = "acme", .routes = {route}}), HasSubstr("keep one of the two"));
  route.compute = nullptr;
  route.per = CallerKey{.kind = CallerKey::Kind::kCapture, .name = "ib"};
  EXPECT_THAT(Refusal({.name = "acme", .routes = {route}}), HasSubstr("did you mean \"id\""));
  route.per = CallerKey{.kind = CallerKey::Kind::kHeader};
  EXPECT_THAT(Refusal({.name = "acme", .routes = {route}}), HasSubstr("by which name"));
  route.per.reset();
  route.when_state = {{"m", {}}};
  EXPECT_THAT(Refusal({.name = "acme", .routes = {route}}), HasSubstr("has no state"));
  VendorSpec spec{.name = "acme"};
  spec.isolate_by = IsolationSpec{.path_prefix = "t"};
  EXPECT_THAT(Refusal(spec), HasSubstr("begins and ends with"));
  spec.isolate_by = IsolationSpec{};
  EXPECT_THAT(Refusal(spec), HasSubstr("a header or a path_prefix"));
}

// ---- reloading ----

class ReloadableVendorTest : public VendorMemoryTest {
 protected:
  void Start(VendorSpec spec) {
    auto vendor = ReloadableVendor::Create(std::move(spec), {clock_, random_, events_});
    ASSERT_TRUE(vendor.has_value());
    vendor_ = *std::move(vendor);
  }
  std::string Ask(std::string_view target) { return Exchange(*vendor_, Get(target)).response.body; }
  std::unique_ptr<ReloadableVendor> vendor_;
};

VendorSpec Acme(std::vector<RouteSpec> routes) {
  return {.name = "acme", .routes = std::move(routes)};
}

TEST_F(ReloadableVendorTest, ANewScriptAnswersAndStartsAnew) {
  Start(Acme({Route("r", "/r", {Text("old 1"), Text("old 2")})}));
  EXPECT_EQ(Ask("/r"), "old 1");
  ASSERT_TRUE(vendor_->Reload(Acme({Route("r", "/r", {Text("new 1"), Text("new 2")})})));
  EXPECT_EQ(Ask("/r"), "new 1");
  EXPECT_EQ(vendor_->request_count(), 2U);
}

TEST_F(ReloadableVendorTest, ABadScriptChangesNothing) {
  Start(Acme({Route("r", "/r", {Text("old 1"), Text("old 2")})}));
  Ask("/r");
  EXPECT_FALSE(vendor_->Reload(Acme({Route("r", "no slash", {Text("new")})})).has_value());
  EXPECT_FALSE(vendor_->Reload({.name = "other"}).has_value());
  EXPECT_EQ(Ask("/r"), "old 2");
}

TEST_F(ReloadableVendorTest, ARequestUnderWayEndsWithItsOwnScript) {
  Start(Acme({Route("r", "/r", {Text("old")})}));
  const ResponsePlan first = vendor_->Handle(Get("/r"));
  ASSERT_TRUE(vendor_->Reload(Acme({Route("r", "/r", {Text("new")})})));
  const ResponsePlan second = vendor_->Handle(Get("/r"));
  EXPECT_NE(first.id, second.id);
  vendor_->Completed(second, {.completed = true});
  vendor_->Completed(first, {.completed = true});
  EXPECT_EQ(events_.Count("http.response"), 2U);
}

TEST_F(ReloadableVendorTest, AnUpdateKeepsWhatItDoesNotChange) {
  RouteSpec counted = Route("counted", "/c", {Text("{{counter 'c'}}")});
  counted.set_state = {{"m", "On"}};
  Start(Acme({Route("a", "/a", {Text("a1"), Text("a2")}), counted,
              Route("b", "/b", {Text("b1"), Text("b2")})}));
  Ask("/a");
  Ask("/b");
  Ask("/c");
  Ask("/none");
  RouteSpec fresh = Route("fresh", "/f", {Text("{{state 'm'}}")});
  fresh.priority = 1;
  ASSERT_TRUE(vendor_->Update(Acme({Route("a", "/a", {Text("a1"), Text("a2")}), counted,
                                    Route("b", "/b", {Text("b1"), Text("b2")}), fresh}),
                              {"b", "fresh"}));
  EXPECT_EQ(Ask("/a"), "a2");
  EXPECT_EQ(Ask("/b"), "b1") << "it was changed";
  EXPECT_EQ(Ask("/c"), "2");
  EXPECT_EQ(Ask("/f"), "On");
  EXPECT_EQ(vendor_->complaint_count(), 1U);
  EXPECT_EQ(vendor_->request_count(), 8U);
}

}  // namespace
}  // namespace understudy::harness
