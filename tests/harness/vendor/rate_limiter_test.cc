#include "harness/vendor/rate_limiter.h"

#include <atomic>
#include <chrono>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gmock/gmock.h>

#include "tests/support/fake_clock.h"

namespace understudy::harness {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

using Kind = LimitSpec::Kind;
using Per = LimitScope::Per;

VendorSpec Spec(std::vector<LimitSpec> limits) {
  VendorSpec spec{.name = "acme"};
  spec.routes = {{.id = "orders"}, {.id = "search"}};
  spec.limits = std::move(limits);
  return spec;
}

struct Call {
  std::string_view method = "GET";
  std::string_view route = "orders";
  http::Headers headers = {};
  std::string_view query = "";
  std::string_view address = {};
};

Call WithToken(std::string_view token) {
  return {.headers = {{"Authorization", std::string("Bearer ").append(token)}}};
}

class RateLimiterTest : public ::testing::Test {
 protected:
  void Make(VendorSpec spec) {
    auto limiter = RateLimiter::Create(spec);
    ASSERT_TRUE(limiter.has_value());
    limiter_ = *std::move(limiter);
  }
  RateVerdict Ask(const Call& call = {}) {
    const http::Request request{
        http::Method(call.method),
        *http::Url::Parse(std::string("http://acme.sim/x").append(call.query)),
        call.headers,
        {}};
    return limiter_->Admit({request, call.route, call.address}, clock_.Now(), clock_.SystemNow());
  }
  bool Admitted(const Call& call = {}) { return Ask(call).refusal == nullptr; }
  // How many of them are let pass at this moment.
  int CountAdmitted(const Call& call, int tries = 20) {
    int admitted = 0;
    for (int i = 0; i < tries; ++i) admitted += Admitted(call) ? 1 : 0;
    return admitted;
  }
  http::Response Answer(const Call& call = {}, http::Response response = {}) {
    const RateVerdict verdict = Ask(call);
    if (verdict.refusal != nullptr) return verdict.refusal->response;
    limiter_->Annotate(verdict, response);
    limiter_->Release(verdict.permits);
    return response;
  }

  test::FakeClock clock_;
  std::unique_ptr<RateLimiter> limiter_;
};

TEST_F(RateLimiterTest, WithoutLimitsEverythingPasses) {
  Make(Spec({}));
  EXPECT_TRUE(limiter_->empty());
  EXPECT_EQ(CountAdmitted({}), 20);
  EXPECT_TRUE(Answer().headers.empty());
}

TEST_F(RateLimiterTest, ALimitMayCountOnlySomeRoutesAndMethods) {
  Make(Spec({{.id = "l",
              .max = 2,
              .window = 60s,
              .scope = {.routes = {"search"}, .methods = {"POST", "PUT"}}}}));
  EXPECT_EQ(CountAdmitted({.method = "POST", .route = "search"}), 2);
  EXPECT_FALSE(Admitted({.method = "PUT", .route = "search"}));
  EXPECT_TRUE(Admitted({.method = "GET", .route = "search"}));
  EXPECT_TRUE(Admitted({.method = "POST", .route = "orders"}));
}

TEST_F(RateLimiterTest, EveryRouteMayHaveACountOfItsOwn) {
  Make(Spec({{.id = "l", .max = 2, .window = 60s, .scope = {.each_route = true}}}));
  EXPECT_EQ(CountAdmitted({.route = "orders"}), 2);
  EXPECT_EQ(CountAdmitted({.route = "search"}), 2);
}

TEST_F(RateLimiterTest, EveryTokenMayHaveACountOfItsOwn) {
  Make(Spec({{.id = "l", .max = 2, .window = 60s, .scope = {.per = Per::kToken}}}));
  EXPECT_EQ(CountAdmitted(WithToken("a")), 2);
  EXPECT_EQ(CountAdmitted(WithToken("b")), 2);
  // Those who do not say who they are share one, and another scheme is no token.
  EXPECT_EQ(CountAdmitted({}), 2);
  EXPECT_FALSE(Admitted({.headers = {{"Authorization", "Basic YTpi"}}}));
}

TEST_F(RateLimiterTest, CallersMayBeToldApartByHeaderQueryOrAddress) {
  Make(Spec(
      {{.id = "h", .max = 1, .window = 60s, .scope = {.per = Per::kHeader, .name = "X-Key"}}}));
  EXPECT_TRUE(Admitted({.headers = {{"x-key", "a"}}}));
  EXPECT_TRUE(Admitted({.headers = {{"x-key", "b"}}}));
  EXPECT_FALSE(Admitted({.headers = {{"X-KEY", "a"}}}));
  Make(Spec({{.id = "q", .max = 1, .window = 60s, .scope = {.per = Per::kQuery, .name = "key"}}}));
  EXPECT_TRUE(Admitted({.query = "?key=a%20b"}));
  EXPECT_FALSE(Admitted({.query = "?x=1&key=a+b"}));
  EXPECT_TRUE(Admitted({.query = "?key=c"}));
  Make(Spec({{.id = "a", .max = 1, .window = 60s, .scope = {.per = Per::kAddress}}}));
  EXPECT_TRUE(Admitted({.address = "127.0.0.1"}));
  EXPECT_TRUE(Admitted({.address = "127.0.0.2"}));
  EXPECT_FALSE(Admitted({.address = "127.0.0.1"}));
}

TEST_F(RateLimiterTest, LongNamesOfCallersAreToldApart) {
  Make(Spec({{.id = "l", .max = 1, .window = 60s, .scope = {.per = Per::kToken}}}));
  const std::string name(10'000, 'x');
  EXPECT_TRUE(Admitted(WithToken(name + "1")));
  EXPECT_TRUE(Admitted(WithToken(name + "2")));
  EXPECT_FALSE(Admitted(WithToken(name + "1")));
}

TEST_F(RateLimiterTest, TheCallerUsedLongestAgoIsForgottenFirst) {
  Make(Spec({{.id = "l", .max = 1, .window = 60s, .scope = {.per = Per::kToken, .callers = 2}}}));
  EXPECT_TRUE(Admitted(WithToken("a")));
  EXPECT_TRUE(Admitted(WithToken("b")));
  EXPECT_FALSE(Admitted(WithToken("a")));  // Used again: b is the older one now.
  EXPECT_TRUE(Admitted(WithToken("c")));
  EXPECT_EQ(limiter_->counts(), 2U);
  EXPECT_FALSE(Admitted(WithToken("a")));
  EXPECT_TRUE(Admitted(WithToken("b")));
}

TEST_F(RateLimiterTest, ManyCallersUseBoundedMemory) {
  Make(Spec({{.id = "l", .max = 1, .window = 60s, .scope = {.per = Per::kToken, .callers = 100}},
             {.id = "c", .max = 1, .kind = Kind::kConcurrency, .scope = {.per = Per::kToken}}}));
  for (int i = 0; i < 20'000; ++i) {
    const RateVerdict verdict = Ask(WithToken(std::to_string(i)));
    limiter_->Release(verdict.permits);
  }
  EXPECT_EQ(limiter_->counts(), 100U);
}

TEST_F(RateLimiterTest, AWriteMayCostMoreThanARead) {
  Make(Spec({{.id = "points",
              .max = 12,
              .window = 60s,
              .costs = {{.methods = {"GET"}, .points = 1}, {.points = 5}}}}));
  EXPECT_TRUE(Admitted({.method = "POST"}));
  EXPECT_TRUE(Admitted({.method = "DELETE"}));
  EXPECT_FALSE(Admitted({.method = "POST"}));
  EXPECT_EQ(CountAdmitted({.method = "GET"}), 2);
}

TEST_F(RateLimiterTest, ACostMayDependOnTheRoute) {
  Make(Spec(
      {{.id = "points",
        .max = 10,
        .window = 60s,
        .costs = {{.routes = {"search"}, .points = 10}, {.methods = {"HEAD"}, .points = 0}}}}));
  EXPECT_EQ(CountAdmitted({.method = "HEAD"}), 20);
  EXPECT_TRUE(Admitted({.route = "search"}));
  EXPECT_FALSE(Admitted({.route = "orders"}));
  EXPECT_TRUE(Admitted({.method = "HEAD"}));
}

TEST_F(RateLimiterTest, EitherAllLimitsCountARequestOrNone) {
  Make(Spec({{.id = "vendor", .max = 3, .window = 60s},
             {.id = "caller", .max = 1, .window = 60s, .scope = {.per = Per::kToken}},
             {.id = "permits", .max = 5, .kind = Kind::kConcurrency}}));
  EXPECT_TRUE(Admitted(WithToken("a")));
  for (int i = 0; i < 10; ++i) EXPECT_EQ(Ask(WithToken("a")).limit, "caller");
  EXPECT_TRUE(Admitted(WithToken("b")));
  EXPECT_TRUE(Admitted(WithToken("c")));
  EXPECT_EQ(Ask(WithToken("d")).limit, "vendor");
}

TEST_F(RateLimiterTest, TheFirstLimitThatRefusesDecidesTheAnswer) {
  Make(Spec({{.id = "a", .max = 0, .window = 60s}, {.id = "b", .max = 0, .window = 90s}}));
  const RateVerdict verdict = Ask();
  EXPECT_EQ(verdict.limit, "a");
  EXPECT_EQ(verdict.refusal->response.headers.Get("Retry-After"), "60");
}

TEST_F(RateLimiterTest, APermitIsHeldUntilTheExchangeIsOver) {
  Make(Spec({{.id = "c", .max = 2, .kind = Kind::kConcurrency, .scope = {.per = Per::kToken}}}));
  const RateVerdict first = Ask(WithToken("a"));
  const RateVerdict second = Ask(WithToken("a"));
  clock_.Advance(24h);
  const RateVerdict third = Ask(WithToken("a"));
  EXPECT_EQ(third.limit, "c");
  EXPECT_THAT(third.permits, IsEmpty());
  EXPECT_TRUE(Admitted(WithToken("b")));
  limiter_->Release(first.permits);
  EXPECT_TRUE(Admitted(WithToken("a")));
  EXPECT_FALSE(Admitted(WithToken("a")));
  limiter_->Release(second.permits);
  EXPECT_TRUE(Admitted(WithToken("a")));
}

TEST_F(RateLimiterTest, ARefusedRequestHoldsNoPermit) {
  Make(Spec(
      {{.id = "c", .max = 1, .kind = Kind::kConcurrency}, {.id = "l", .max = 1, .window = 60s}}));
  limiter_->Release(Ask().permits);
  EXPECT_EQ(Ask().limit, "l");
  clock_.Advance(60s);
  EXPECT_TRUE(Admitted());
}

TEST_F(RateLimiterTest, PermitsAreNeverForgottenHoweverManyCallersThereAre) {
  Make(Spec({{.id = "c",
              .max = 1,
              .kind = Kind::kConcurrency,
              .scope = {.per = Per::kToken, .callers = 1}}}));
  const RateVerdict first = Ask(WithToken("a"));
  const RateVerdict second = Ask(WithToken("b"));
  EXPECT_FALSE(Admitted(WithToken("a")));
  limiter_->Release(first.permits);
  limiter_->Release(second.permits);
  EXPECT_EQ(limiter_->counts(), 0U);
}

TEST_F(RateLimiterTest, ThreadsNeverHoldMorePermitsThanThereAre) {
  Make(Spec({{.id = "c", .max = 3, .kind = Kind::kConcurrency, .dialect = "okta/concurrency"}}));
  std::atomic<int> held = 0;
  std::atomic<bool> exceeded = false;
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 500; ++i) {
        const RateVerdict verdict = Ask();
        if (verdict.refusal != nullptr) continue;
        if (++held > 3) exceeded = true;
        --held;
        limiter_->Release(verdict.permits);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_FALSE(exceeded);
  EXPECT_EQ(limiter_->counts(), 0U);
}

// ---- what answers say

TEST_F(RateLimiterTest, EveryAnswerSaysWhatTheDialectSays) {
  Make(Spec({{.id = "core", .max = 2, .window = 60s, .dialect = "github"}}));
  const http::Response first = Answer();
  EXPECT_EQ(first.headers.Get("x-ratelimit-limit"), "2");
  EXPECT_EQ(first.headers.Get("x-ratelimit-remaining"), "1");
  EXPECT_EQ(first.headers.Get("x-ratelimit-used"), "1");
  EXPECT_EQ(first.headers.Get("x-ratelimit-reset"), "784111837");  // 60 s later.
  EXPECT_EQ(Answer().headers.Get("x-ratelimit-remaining"), "0");
  const http::Response refusal = Answer();
  EXPECT_EQ(refusal.status, 403);
  EXPECT_EQ(refusal.headers.Get("x-ratelimit-remaining"), "0");
  EXPECT_FALSE(refusal.headers.Has("retry-after"));
  EXPECT_THAT(refusal.body, HasSubstr("API rate limit exceeded"));
}

TEST_F(RateLimiterTest, ARefusalByAnotherLimitStillSaysWhatIsLeftOfThisOne) {
  Make(Spec({{.id = "core", .max = 10, .window = 1h, .dialect = "github/primary"},
             {.id = "burst", .max = 1, .window = 60s, .dialect = "github/secondary"}}));
  EXPECT_TRUE(Admitted());
  const http::Response refusal = Answer();
  EXPECT_EQ(refusal.headers.Get("retry-after"), "60");
  EXPECT_EQ(refusal.headers.Get("x-ratelimit-remaining"), "9");
  EXPECT_THAT(refusal.body, HasSubstr("secondary rate limit"));
}

TEST_F(RateLimiterTest, OfTwoLimitsWithOneHeaderTheTighterOneSaysIt) {
  Make(Spec({{.id = "wide", .max = 100, .window = 1h, .dialect = "x"},
             {.id = "narrow", .max = 4, .window = 60s, .dialect = "x"}}));
  EXPECT_EQ(Answer().headers.Get("x-rate-limit-limit"), "4");
  EXPECT_EQ(Answer().headers.GetAll("x-rate-limit-limit").size(), 1U);
}

TEST_F(RateLimiterTest, AHeaderThatIsAListNamesEveryLimit) {
  Make(Spec({{.id = "burst", .max = 10, .window = 1s, .dialect = "ietf-10"},
             {.id = "day", .max = 1000, .window = 24h, .dialect = "ietf-10"}}));
  const http::Response answer = Answer();
  EXPECT_EQ(answer.headers.Get("RateLimit-Policy"), R"("burst";q=10;w=1, "day";q=1000;w=86400)");
  EXPECT_EQ(answer.headers.Get("RateLimit"), R"("burst";r=9;t=1, "day";r=999;t=86400)");
}

TEST_F(RateLimiterTest, LimitsOfDifferentHeadersStandBesideEachOther) {
  Make(Spec({{.id = "r", .max = 60, .window = 60s, .dialect = "openai/requests"},
             {.id = "t",
              .max = 1000,
              .window = 60s,
              .kind = Kind::kTokenBucket,
              .dialect = "openai/tokens",
              .costs = {{.points = 100}}}}));
  const http::Response answer = Answer();
  EXPECT_EQ(answer.headers.Get("x-ratelimit-remaining-requests"), "59");
  EXPECT_EQ(answer.headers.Get("x-ratelimit-reset-requests"), "1m0s");
  EXPECT_EQ(answer.headers.Get("x-ratelimit-remaining-tokens"), "900");
  EXPECT_EQ(answer.headers.Get("x-ratelimit-reset-tokens"), "6s");
}

TEST_F(RateLimiterTest, TheRoutesOwnHeaderIsLeftAsItIs) {
  Make(Spec({{.id = "l", .max = 5, .window = 60s, .dialect = "generic"}}));
  const http::Response answer =
      Answer({}, {.headers = {{"X-RATELIMIT-REMAINING", "mine"}}, .body = "{}"});
  EXPECT_THAT(answer.headers.GetAll("X-RateLimit-Remaining"), ::testing::ElementsAre("mine"));
  EXPECT_EQ(answer.headers.Get("X-RateLimit-Limit"), "5");
  EXPECT_EQ(answer.body, "{}");
}

TEST_F(RateLimiterTest, ADialectMayAddToTheBody) {
  Make(Spec({{.id = "l",
              .max = 1000,
              .window = 20s,
              .kind = Kind::kLeakyBucket,
              .dialect = "shopify-graphql",
              .costs = {{.points = 400}}}}));
  EXPECT_EQ(Answer({}, {.body = R"({"data":{"a":1}})"}).body,
            R"({"data":{"a":1},"extensions":{"cost":{"requestedQueryCost":400,)"
            R"("actualQueryCost":400,"throttleStatus":{"maximumAvailable":1000,)"
            R"("currentlyAvailable":600,"restoreRate":50.0}}}})");
  EXPECT_EQ(CountAdmitted({}), 1);
  const http::Response refusal = Answer();
  EXPECT_EQ(refusal.status, 200);
  EXPECT_THAT(refusal.body, HasSubstr(R"("code":"THROTTLED")"));
  EXPECT_THAT(refusal.body, HasSubstr(R"("actualQueryCost":null)"));
  EXPECT_THAT(refusal.body, HasSubstr(R"("currentlyAvailable":200)"));
}

TEST_F(RateLimiterTest, WhatTheUserSaysOfARefusalTakesThePlaceOfTheDialects) {
  LimitSpec limit{.id = "l", .max = 0, .window = 60s, .dialect = "github/secondary"};
  limit.on_exceed = ResponseSpec{.status = 429, .headers = {{"Retry-After", "7"}}};
  Make(Spec({limit}));
  http::Response refusal = Answer();
  EXPECT_EQ(refusal.status, 429);
  EXPECT_THAT(refusal.headers.GetAll("retry-after"), ::testing::ElementsAre("7"));
  EXPECT_THAT(refusal.body, HasSubstr("secondary rate limit"));
  limit.on_exceed =
      ResponseSpec{.body = "<b>", .content_type = "text/html", .latency = LatencySpec::Fixed(2s)};
  Make(Spec({limit}));
  const RateVerdict verdict = Ask();
  EXPECT_EQ(verdict.refusal->response.status, 403);
  EXPECT_EQ(verdict.refusal->response.body, "<b>");
  EXPECT_THAT(verdict.refusal->response.headers.GetAll("Content-Type"),
              ::testing::ElementsAre("text/html"));
  EXPECT_EQ(verdict.refusal->latency->low, 2s);
}

TEST_F(RateLimiterTest, ARefusalWithoutADialectIsAnnotatedByTheOthers) {
  Make(Spec({{.id = "plain", .max = 0, .window = 60s},
             {.id = "core", .max = 5, .window = 1h, .dialect = "github"}}));
  const http::Response refusal = Answer();
  EXPECT_EQ(refusal.status, 429);
  EXPECT_EQ(refusal.headers.Get("Retry-After"), "60");
  EXPECT_EQ(refusal.headers.Get("x-ratelimit-remaining"), "5");
}

TEST_F(RateLimiterTest, APackOfTheUsersIsUsed) {
  VendorSpec spec = Spec({{.id = "l", .max = 0, .window = 60s, .dialect = "mine"}});
  spec.dialects = {{.name = "mine",
                    .json = R"({"forms":{"f":{"exceeded":{"status":420,"text":"calm {id}"}}}})"}};
  Make(std::move(spec));
  EXPECT_EQ(Answer().status, 420);
  EXPECT_EQ(Answer().body, "calm l");
}

// ---- one limiter after another

TEST_F(RateLimiterTest, AFreshOneHasTheSameLimitsAndNothingIsUsed) {
  Make(Spec({{.id = "l", .max = 2, .window = 1min}}));
  EXPECT_EQ(CountAdmitted({}), 2);
  const auto fresh = limiter_->Fresh();
  EXPECT_EQ(fresh->counts(), 0u);
  EXPECT_EQ(limiter_->counts(), 1u);
  const http::Request request{http::Method::Get(), *http::Url::Parse("http://acme.sim/x"), {}, {}};
  EXPECT_EQ(fresh->Admit({request, "orders"}, clock_.Now(), clock_.SystemNow()).refusal, nullptr);
  EXPECT_FALSE(Admitted());
}

struct AdoptRow {
  const char* name;
  LimitSpec before;
  LimitSpec after;
  int admitted;  // Of three, after one had been used before.
};

class RateLimiterAdoptTest : public RateLimiterTest,
                             public ::testing::WithParamInterface<AdoptRow> {};

TEST_P(RateLimiterAdoptTest, KeepsTheCountsOfLimitsThatCountTheSame) {
  Make(Spec({GetParam().before}));
  EXPECT_TRUE(Admitted());
  const auto previous = std::move(limiter_);
  Make(Spec({{.id = "first", .max = 100, .window = 1h}, GetParam().after}));
  limiter_->Adopt(*previous);
  EXPECT_EQ(CountAdmitted({}, 3), GetParam().admitted);
}

INSTANTIATE_TEST_SUITE_P(
    Limits, RateLimiterAdoptTest,
    ::testing::Values(AdoptRow{"Same",
                               {.id = "l", .max = 2, .window = 1min},
                               {.id = "l", .max = 2, .window = 1min},
                               1},
                      AdoptRow{"OtherId",
                               {.id = "l", .max = 2, .window = 1min},
                               {.id = "m", .max = 2, .window = 1min},
                               2},
                      AdoptRow{"OtherMaximum",
                               {.id = "l", .max = 2, .window = 1min},
                               {.id = "l", .max = 3, .window = 1min},
                               3},
                      AdoptRow{"OtherWindow",
                               {.id = "l", .max = 2, .window = 1min},
                               {.id = "l", .max = 2, .window = 2min},
                               2},
                      AdoptRow{"OtherKind",
                               {.id = "l", .max = 2, .window = 1min},
                               {.id = "l", .max = 2, .window = 1min, .kind = Kind::kSliding},
                               2},
                      // Its permit is given back to the limiter that gave it.
                      AdoptRow{"Permits",
                               {.id = "l", .max = 2, .kind = Kind::kConcurrency},
                               {.id = "l", .max = 2, .kind = Kind::kConcurrency},
                               2}),
    [](const auto& test) { return test.param.name; });

// ---- what is refused

struct Row {
  std::string name;
  LimitSpec limit;
  std::string message;
};

class RateLimiterErrorTest : public ::testing::TestWithParam<Row> {};

TEST_P(RateLimiterErrorTest, IsRefused) {
  const auto limiter = RateLimiter::Create(Spec({GetParam().limit}));
  ASSERT_FALSE(limiter.has_value());
  EXPECT_THAT(limiter.error().message, HasSubstr(GetParam().message));
}

INSTANTIATE_TEST_SUITE_P(
    Limits, RateLimiterErrorTest,
    ::testing::Values(
        Row{"Window", {.id = "l", .max = 1}, "limit \"l\": window must be longer"},
        Row{"NegativeWait",
            {.id = "l", .max = 1, .window = -1s, .kind = Kind::kConcurrency},
            "must not be negative"},
        Row{"Dialect",
            {.id = "l", .max = 1, .window = 1s, .dialect = "githb"},
            "did you mean \"github\"?"},
        Row{"Route",
            {.id = "l", .max = 1, .window = 1s, .scope = {.routes = {"order"}}},
            "there is no route \"order\"; did you mean \"orders\"?"},
        Row{"CostRoute",
            {.id = "l", .max = 1, .window = 1s, .costs = {{.routes = {"serch"}}}},
            "did you mean \"search\"?"},
        Row{"NegativeCost",
            {.id = "l", .max = 1, .window = 1s, .costs = {{.points = -1}}},
            "a cost must be 0 to"},
        Row{"HeaderWithoutName",
            {.id = "l", .max = 1, .window = 1s, .scope = {.per = Per::kHeader}},
            "which header"},
        Row{"HeaderName",
            {.id = "l", .max = 1, .window = 1s, .scope = {.per = Per::kHeader, .name = "a b"}},
            "not a header name"},
        Row{"NoCallers",
            {.id = "l", .max = 1, .window = 1s, .scope = {.callers = 0}},
            "callers must be 1 to 100000"},
        Row{"TooManySlidingEntries",
            {.id = "l",
             .max = 4001,
             .window = 1s,
             .kind = Kind::kSliding,
             .scope = {.per = Per::kToken}},
            "lower \"callers\""},
        Row{"IdInAHeader",
            {.id = "a\"b", .max = 1, .window = 1s, .dialect = "github"},
            "printable ASCII"},
        Row{"OnExceed",
            {.id = "l", .max = 1, .window = 1s, .on_exceed = ResponseSpec{.status = 100}},
            "final status"}),
    [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace understudy::harness
