// CacheInterceptor in a client: what is served without a call, what is validated, what a failure or
// a change does, and what concurrent callers share.
#include "middleware/client/cache_interceptor.h"

#include <algorithm>
#include <chrono>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "middleware/base/check.h"
#include "middleware/base/function_ref.h"
#include "middleware/client/client_builder.h"
#include "middleware/store/in_memory_response_store.h"
#include "tests/support/scripted_transport.h"
#include "tests/support/test_runtime.h"

namespace understudy::test {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

constexpr const char* kThing = "/v1/things/1";

Error Reset() {
  return {ErrorCode::kConnection, "reset", Delivery::kMaybeSent, Origin::kRemote, {}, "reset"};
}

std::string Text(const Result<http::Response>& result) {
  if (!result) return std::string(ToString(result.error().code));
  return std::to_string(result->status) + " " + result->body;
}

std::string Status(const Result<http::Response>& result) {
  return result ? std::string(result->headers.Get("Cache-Status").value_or("none")) : "error";
}

std::string Age(const Result<http::Response>& result) {
  return result ? std::string(result->headers.Get("Age").value_or("none")) : "error";
}

// A client with a cache in front of a scripted vendor.
class CacheWorld {
 public:
  explicit CacheWorld(FakeClock::Waits waits) : world(waits), vendor(world.clock) { Use({}); }

  void Use(const CacheOptions& options, std::optional<Duration> total = {}) {
    ClientBuilder builder(world.runtime(), vendor, "vendor");
    Use(builder, options, total);
  }
  void Use(ClientBuilder& builder, const CacheOptions& options,
           std::optional<Duration> total = {}) {
    client.reset();
    auto layer = std::make_unique<CacheInterceptor>(options, total, world.runtime());
    cache = layer.get();
    builder.BaseUrl("https://api.vendor.example").AddCallInterceptor(std::move(layer));
    client = builder.Build().value();
  }

  Result<http::Response> Send(const char* method, const char* path, http::Headers headers = {},
                              CallOptions options = {}) {
    if (options.operation.empty()) options.operation = "op";
    http::Request request = client->NewRequest(http::Method(method), path).value();
    request.headers = std::move(headers);
    CallReport mine;
    auto result = client->Call(std::move(request), std::move(options), mine);
    const std::lock_guard lock(mutex_);
    report = mine;
    return result;
  }
  Result<http::Response> Get(http::Headers headers = {}, CallOptions options = {}) {
    return Send("GET", kThing, std::move(headers), std::move(options));
  }

  // The results that were published, in order.
  std::vector<std::string> Results() const {
    std::vector<std::string> results;
    for (const RecordedEvent& event : world.events.Named("cache")) {
      results.push_back(event.fields.at("result") +
                        (event.fields.at("background") == "true" ? " in background" : ""));
    }
    return results;
  }

  TestRuntime world;
  ScriptedTransport vendor;
  std::unique_ptr<Client> client = {};
  CacheInterceptor* cache = nullptr;
  CallReport report = {};

 private:
  std::mutex mutex_;
};

class CacheTest : public testing::Test {
 protected:
  CacheWorld w_{FakeClock::Waits::kAdvance};
};

http::Headers MaxAge60(std::string_view more = "") {
  return {{"Cache-Control", "max-age=60" + std::string(more)}};
}

// ---- Fresh and stale

TEST_F(CacheTest, AFreshAnswerIsServedWithoutACall) {
  w_.vendor.Answer(200, MaxAge60(), "one");
  const auto first = w_.Get();
  EXPECT_EQ(Text(first), "200 one");
  EXPECT_EQ(Status(first), "understudy; fwd=uri-miss; stored");
  EXPECT_EQ(Age(first), "none");
  w_.world.clock.Advance(seconds(59));
  const auto second = w_.Get();
  EXPECT_EQ(Text(second), "200 one");
  EXPECT_EQ(Status(second), "understudy; hit; ttl=1");
  EXPECT_EQ(Age(second), "59");
  EXPECT_EQ(w_.vendor.sends(), 1u);
  EXPECT_THAT(w_.world.events.Lines("cache"),
              ElementsAre("cache background=false operation=op result=miss",
                          "cache background=false operation=op result=hit"));
  EXPECT_EQ(w_.report.sends, 0);
  ASSERT_THAT(w_.report.decisions, SizeIs(1));
  EXPECT_EQ(w_.report.decisions[0].layer, "cache");
  EXPECT_EQ(w_.report.decisions[0].what, "hit, fresh for 1s");
}

TEST_F(CacheTest, WhenTheFreshTimeIsOverTheVendorIsAsked) {
  w_.vendor.Answer(200, MaxAge60(), "one");
  w_.vendor.Answer(200, MaxAge60(), "two");
  ASSERT_TRUE(w_.Get());
  w_.world.clock.Advance(seconds(60));
  const auto second = w_.Get();
  EXPECT_EQ(Text(second), "200 two");
  EXPECT_EQ(Status(second), "understudy; fwd=stale; stored");
  EXPECT_FALSE(w_.vendor.sent().at(1).request.headers.Has("If-None-Match"));
  EXPECT_EQ(Text(w_.Get()), "200 two");
  EXPECT_EQ(w_.vendor.sends(), 2u);
}

TEST_F(CacheTest, AStaleAnswerIsConfirmedWithItsValidators) {
  w_.vendor.Answer(200,
                   {{"Cache-Control", "max-age=60"},
                    {"ETag", "\"a\""},
                    {"Last-Modified", "Sun, 06 Nov 1994 08:00:00 GMT"}},
                   "one");
  w_.vendor.Answer(304, {{"Cache-Control", "max-age=90"}, {"ETag", "\"a\""}});
  ASSERT_TRUE(w_.Get());
  w_.world.clock.Advance(seconds(61));
  const auto second = w_.Get();
  EXPECT_EQ(Text(second), "200 one");
  EXPECT_EQ(Status(second), "understudy; fwd=stale; fwd-status=304; stored");
  EXPECT_EQ(Age(second), "0");
  EXPECT_EQ(second->headers.Get("Cache-Control"), "max-age=90");
  const http::Headers sent = w_.vendor.sent().at(1).request.headers;
  EXPECT_EQ(sent.Get("If-None-Match"), "\"a\"");
  EXPECT_EQ(sent.Get("If-Modified-Since"), "Sun, 06 Nov 1994 08:00:00 GMT");
  w_.world.clock.Advance(seconds(89));
  EXPECT_EQ(Age(w_.Get()), "89");
  EXPECT_EQ(w_.vendor.sends(), 2u);
  EXPECT_THAT(w_.Results(), ElementsAre("miss", "revalidated", "hit"));
}

TEST_F(CacheTest, A304AboutSomethingElseIsNotUsed) {
  w_.vendor.Answer(200, {{"Cache-Control", "max-age=60"}, {"ETag", "\"a\""}}, "one");
  w_.vendor.Answer(304, {{"ETag", "\"b\""}});
  w_.vendor.Answer(200, {{"ETag", "\"b\""}}, "two");
  ASSERT_TRUE(w_.Get());
  w_.world.clock.Advance(seconds(61));
  EXPECT_EQ(Text(w_.Get()), "200 two");
  EXPECT_FALSE(w_.vendor.sent().at(2).request.headers.Has("If-None-Match"));
}

TEST_F(CacheTest, A304ThatForbidsStoringIsServedOnce) {
  w_.vendor.Answer(200, {{"Cache-Control", "max-age=60"}, {"ETag", "\"a\""}}, "one");
  w_.vendor.Answer(304, {{"Cache-Control", "no-store"}});
  w_.vendor.Answer(200, {}, "two");
  ASSERT_TRUE(w_.Get());
  w_.world.clock.Advance(seconds(61));
  EXPECT_EQ(Text(w_.Get()), "200 one");
  EXPECT_EQ(Text(w_.Get()), "200 two");
  EXPECT_FALSE(w_.vendor.sent().at(2).request.headers.Has("If-None-Match"));
}

TEST_F(CacheTest, NoCacheIsValidatedEachTime) {
  w_.vendor.Answer(200, {{"Cache-Control", "no-cache"}, {"ETag", "\"a\""}}, "one");
  w_.vendor.Answer(304).Times(2);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(Text(w_.Get()), "200 one");
  EXPECT_EQ(w_.vendor.sends(), 3u);
}

TEST_F(CacheTest, WhatMustNotBeStoredIsAskedForEachTime) {
  w_.vendor.Answer(200, {{"Cache-Control", "max-age=60, no-store"}}, "one");
  w_.vendor.Answer(200, {{"Cache-Control", "max-age=60"}, {"Vary", "*"}}, "two");
  w_.vendor.Answer(503, MaxAge60(), "three");
  w_.vendor.Answer(200, MaxAge60(), "four");
  for (const char* text : {"200 one", "200 two", "503 three", "200 four", "200 four"}) {
    EXPECT_EQ(Text(w_.Get()), text);
  }
}

TEST_F(CacheTest, SilentAnswersAreFreshForTheDefault) {
  w_.Use({.default_ttl = seconds(5)});
  w_.vendor.Answer(200, {}, "one");
  w_.vendor.Answer(200, {}, "two");
  ASSERT_TRUE(w_.Get());
  w_.world.clock.Advance(seconds(5) - Duration(1));
  EXPECT_EQ(Text(w_.Get()), "200 one");
  w_.world.clock.Advance(Duration(1));
  EXPECT_EQ(Text(w_.Get()), "200 two");
}

TEST_F(CacheTest, TheTimeOfTheExchangeCountsAsAge) {
  w_.vendor.Answer(200, MaxAge60(), "one").After(seconds(20));
  ASSERT_TRUE(w_.Get());
  EXPECT_EQ(Age(w_.Get()), "20");
}

TEST_F(CacheTest, AWallClockThatIsSetBackMakesNothingFresh) {
  w_.vendor.Answer(200, MaxAge60(), "one");
  w_.vendor.Answer(200, MaxAge60(), "two");
  ASSERT_TRUE(w_.Get());
  w_.world.clock.JumpSystemClock(-hours(1));
  w_.world.clock.Advance(seconds(60));
  EXPECT_EQ(Text(w_.Get()), "200 two");
}

TEST_F(CacheTest, OtherCachesAreNamedBeforeThisOne) {
  w_.vendor.Answer(200, {{"Cache-Control", "max-age=60"}, {"Cache-Status", "cdn; hit"}}, "one");
  EXPECT_EQ(Status(w_.Get()), "cdn; hit, understudy; fwd=uri-miss; stored");
  EXPECT_EQ(Status(w_.Get()), "cdn; hit, understudy; hit; ttl=60");
}

// ---- Requests that are told apart

TEST_F(CacheTest, OtherUrlsAreOtherAnswers) {
  w_.vendor.Answer(200, MaxAge60(), "one");
  w_.vendor.Answer(200, MaxAge60(), "two");
  ASSERT_TRUE(w_.Send("GET", "/v1/things?page=1"));
  EXPECT_EQ(Text(w_.Send("GET", "/v1/things?page=2")), "200 two");
  EXPECT_EQ(Text(w_.Send("GET", "/v1/things?page=1")), "200 one");
}

TEST_F(CacheTest, VaryTellsWhichFieldsSelect) {
  const http::Headers vary = {{"Cache-Control", "max-age=60"}, {"Vary", "Accept-Language"}};
  w_.vendor.Answer(200, vary, "hallo");
  w_.vendor.Answer(200, vary, "hello");
  ASSERT_TRUE(w_.Get({{"Accept-Language", "de"}}));
  const auto english = w_.Get({{"Accept-Language", "en"}});
  EXPECT_EQ(Text(english), "200 hello");
  EXPECT_EQ(Status(english), "understudy; fwd=vary-miss; stored");
  EXPECT_EQ(Text(w_.Get({{"Accept-Language", "de"}, {"Accept", "x/y"}})), "200 hallo");
  EXPECT_EQ(Text(w_.Get({{"Accept-Language", "en"}})), "200 hello");
  EXPECT_EQ(w_.vendor.sends(), 2u);
}

TEST_F(CacheTest, NobodyGetsTheAnswerToSomebodyElse) {
  w_.vendor.Answer(200, MaxAge60(), "anne's");
  w_.vendor.Answer(200, MaxAge60(), "bob's");
  w_.vendor.Answer(200, MaxAge60(), "account's");
  ASSERT_TRUE(w_.Get({{"Authorization", "Bearer anne"}}));
  EXPECT_EQ(Text(w_.Get({{"Authorization", "Bearer bob"}})), "200 bob's");
  EXPECT_EQ(Text(w_.Get({{"Stripe-Account", "acct_1"}})), "200 account's");
  EXPECT_EQ(Text(w_.Get({{"Authorization", "Bearer anne"}})), "200 anne's");
}

TEST_F(CacheTest, ClientsShareAStoreButNotTheAnswersOfOtherPartitions) {
  const auto store = std::make_shared<InMemoryResponseStore>(InMemoryResponseStore::Options{});
  w_.vendor.Answer(200, MaxAge60(), "test's");
  w_.vendor.Answer(200, MaxAge60(), "live's");
  w_.Use({.store = store, .partition = "test"});
  ASSERT_TRUE(w_.Get());
  w_.Use({.store = store, .partition = "live"});
  EXPECT_EQ(Text(w_.Get()), "200 live's");
  w_.Use({.store = store, .partition = "test"});
  EXPECT_EQ(Text(w_.Get()), "200 test's");
}

// ---- What the request wants

TEST_F(CacheTest, ARequestWithNoCacheIsValidated) {
  w_.vendor.Answer(200, {{"Cache-Control", "max-age=60"}, {"ETag", "\"a\""}}, "one");
  w_.vendor.Answer(304);
  ASSERT_TRUE(w_.Get());
  EXPECT_EQ(Status(w_.Get({{"Cache-Control", "no-cache"}})),
            "understudy; fwd=request; fwd-status=304; stored");
}

TEST_F(CacheTest, OnlyIfCachedNeverAsksTheVendor) {
  const http::Headers only = {{"Cache-Control", "only-if-cached"}};
  const auto missing = w_.Get(only);
  EXPECT_EQ(Text(missing), "504 ");
  EXPECT_EQ(Status(missing), "understudy; detail=only-if-cached");
  w_.vendor.Answer(200, MaxAge60(", stale-while-revalidate=10"), "one");
  ASSERT_TRUE(w_.Get());
  EXPECT_EQ(Text(w_.Get(only)), "200 one");
  w_.world.clock.Advance(seconds(65));
  EXPECT_EQ(Text(w_.Get(only)), "200 one");
  w_.world.clock.Advance(seconds(65));
  EXPECT_EQ(Text(w_.Get(only)), "504 ");
  EXPECT_EQ(Text(w_.Get({{"Cache-Control", "only-if-cached, max-stale"}})), "200 one");
  EXPECT_EQ(w_.vendor.sends(), 1u);
  EXPECT_THAT(w_.Results(),
              ElementsAre("only-if-cached", "miss", "hit", "stale", "only-if-cached", "stale"));
}

TEST_F(CacheTest, WhatTheCacheCannotJudgeGoesPastIt) {
  w_.vendor.Answer(200, MaxAge60(), "one");
  w_.vendor.Answer(206, MaxAge60(), "part");
  w_.vendor.Answer(200, MaxAge60(), "new");
  ASSERT_TRUE(w_.Get());
  const auto part = w_.Get({{"Range", "bytes=0-3"}});
  EXPECT_EQ(Text(part), "206 part");
  EXPECT_EQ(Status(part), "understudy; fwd=bypass");
  EXPECT_EQ(w_.report.decisions.at(0).what, "passed by: range request");
  EXPECT_EQ(Text(w_.Get({{"Cache-Control", "no-store"}})), "200 new");
  EXPECT_EQ(Text(w_.Get()), "200 one");
}

TEST_F(CacheTest, MethodsThatAreLeftOutGoPastIt) {
  w_.Use({.methods = {"GET"}});
  w_.vendor.Answer(200, MaxAge60()).Times(3);
  ASSERT_TRUE(w_.Get());
  EXPECT_EQ(Status(w_.Send("HEAD", kThing)), "understudy; fwd=bypass");
  EXPECT_EQ(Status(w_.Send("OPTIONS", kThing)), "none");
  EXPECT_EQ(w_.vendor.sends(), 3u);
}

TEST_F(CacheTest, AHitIsServedEvenToACallWithoutTime) {
  w_.vendor.Answer(200, MaxAge60(), "one");
  ASSERT_TRUE(w_.Get());
  EXPECT_EQ(Text(w_.Get({}, {.timeout = Duration::zero()})), "200 one");
}

// ---- HEAD

TEST_F(CacheTest, HeadIsAnsweredFromWhatGetHasStored) {
  w_.vendor.Answer(200, {{"Cache-Control", "max-age=60"}, {"Content-Length", "3"}}, "one");
  ASSERT_TRUE(w_.Get());
  const auto head = w_.Send("HEAD", kThing);
  EXPECT_EQ(Text(head), "200 ");
  EXPECT_EQ(head->headers.Get("Content-Length"), "3");
  EXPECT_EQ(w_.vendor.sends(), 1u);
}

TEST_F(CacheTest, TheAnswerToHeadIsNotOneToGet) {
  w_.vendor.Answer(200, MaxAge60());
  w_.vendor.Answer(200, MaxAge60(), "one");
  ASSERT_TRUE(w_.Send("HEAD", kThing));
  EXPECT_EQ(Text(w_.Get()), "200 one");
}

TEST_F(CacheTest, HeadRefreshesWhatItConfirms) {
  w_.vendor.Answer(200, {{"Cache-Control", "max-age=60"}, {"ETag", "\"a\""}}, "one");
  w_.vendor.Answer(200, {{"Cache-Control", "max-age=90"}, {"ETag", "\"a\""}});
  ASSERT_TRUE(w_.Get());
  w_.world.clock.Advance(seconds(61));
  EXPECT_EQ(Text(w_.Send("HEAD", kThing)), "200 ");
  EXPECT_FALSE(w_.vendor.sent().at(1).request.headers.Has("If-None-Match"));
  EXPECT_EQ(Text(w_.Get()), "200 one");
  EXPECT_EQ(w_.vendor.sends(), 2u);
}

TEST_F(CacheTest, HeadThatTellsOfAChangeForgetsTheOldAnswer) {
  w_.Use({.stale_if_error = hours(1)});
  w_.vendor.Answer(200, {{"Cache-Control", "max-age=60"}, {"ETag", "\"a\""}}, "one");
  w_.vendor.Answer(200, {{"Cache-Control", "max-age=90"}, {"ETag", "\"b\""}});
  w_.vendor.Fail(Reset());
  ASSERT_TRUE(w_.Get());
  w_.world.clock.Advance(seconds(61));
  ASSERT_TRUE(w_.Send("HEAD", kThing));
  EXPECT_EQ(Text(w_.Get()), "connection");
}

// ---- Changes

TEST_F(CacheTest, ASuccessfulChangeForgetsWhatItChanged) {
  w_.vendor.Answer(200, MaxAge60(), "one").Times(2);
  w_.vendor.Answer(204);
  w_.vendor.Answer(200, MaxAge60(), "two").Times(2);
  ASSERT_TRUE(w_.Get());
  ASSERT_TRUE(w_.Get({{"Authorization", "Bearer anne"}}));
  ASSERT_TRUE(w_.Send("PUT", kThing));
  EXPECT_EQ(w_.report.decisions.at(0).what, "forgot /v1/things/1");
  EXPECT_EQ(Text(w_.Get()), "200 two");
  EXPECT_EQ(Text(w_.Get({{"Authorization", "Bearer anne"}})), "200 two");
}

TEST_F(CacheTest, AChangeElsewhereForgetsNothing) {
  w_.vendor.Answer(200, MaxAge60(), "one");
  w_.vendor.Answer(204);
  ASSERT_TRUE(w_.Get());
  ASSERT_TRUE(w_.Send("DELETE", "/v1/things/2"));
  EXPECT_EQ(Text(w_.Get()), "200 one");
}

TEST_F(CacheTest, ARefusedChangeForgetsNothing) {
  w_.vendor.Answer(200, MaxAge60(), "one");
  w_.vendor.Answer(422);
  ASSERT_TRUE(w_.Get());
  ASSERT_TRUE(w_.Send("PUT", kThing));
  EXPECT_EQ(Text(w_.Get()), "200 one");
}

TEST_F(CacheTest, AChangeOfUnknownOutcomeForgets) {
  w_.vendor.Answer(200, MaxAge60(), "one");
  w_.vendor.Fail(Reset());
  w_.vendor.Answer(200, MaxAge60(), "two");
  ASSERT_TRUE(w_.Get());
  ASSERT_FALSE(w_.Send("PUT", kThing));
  EXPECT_EQ(Text(w_.Get()), "200 two");
}

TEST_F(CacheTest, TheLocationOfAChangeIsForgottenToo) {
  w_.vendor.Answer(200, MaxAge60(), "one");
  w_.vendor.Answer(201, {{"Location", kThing}});
  w_.vendor.Answer(200, MaxAge60(), "two");
  ASSERT_TRUE(w_.Get());
  ASSERT_TRUE(w_.Send("POST", "/v1/things"));
  EXPECT_EQ(Text(w_.Get()), "200 two");
}

TEST_F(CacheTest, TheApplicationMayForgetByUrl) {
  w_.vendor.Answer(200, MaxAge60(), "one");
  w_.vendor.Answer(200, MaxAge60(), "two");
  ASSERT_TRUE(w_.Get());
  w_.cache->Invalidate(http::Url::Parse("https://api.vendor.example/v1/things/1").value());
  EXPECT_EQ(Text(w_.Get()), "200 two");
}

TEST_F(CacheTest, AnUnstorableAnswerSupersedesTheStoredOne) {
  w_.Use({.stale_if_error = hours(1)});
  w_.vendor.Answer(200, MaxAge60(), "one");
  w_.vendor.Answer(401);
  w_.vendor.Fail(Reset());
  ASSERT_TRUE(w_.Get());
  w_.world.clock.Advance(seconds(61));
  EXPECT_EQ(Text(w_.Get()), "401 ");
  EXPECT_EQ(Text(w_.Get()), "connection");
}

// ---- Failures

TEST_F(CacheTest, AStaleAnswerReplacesAFailure) {
  w_.Use({.stale_if_error = seconds(100)});
  w_.vendor.Answer(200, MaxAge60(), "one");
  w_.vendor.Answer(503);
  w_.vendor.Fail(Reset());
  ASSERT_TRUE(w_.Get());
  w_.world.clock.Advance(seconds(61));
  const auto instead_of_503 = w_.Get();
  EXPECT_EQ(Text(instead_of_503), "200 one");
  EXPECT_EQ(Status(instead_of_503),
            "understudy; fwd=stale; ttl=-1; fwd-status=503; detail=stale-if-error");
  EXPECT_EQ(Age(instead_of_503), "61");
  EXPECT_EQ(w_.report.decisions.at(0).what, "stale-if-error, instead of 503");
  EXPECT_EQ(Status(w_.Get()), "understudy; fwd=stale; ttl=-1; detail=stale-if-error");
  EXPECT_THAT(w_.Results(), ElementsAre("miss", "stale-if-error", "stale-if-error"));
}

TEST_F(CacheTest, AFailureIsReportedWhenTheWindowIsOver) {
  w_.vendor.Answer(200, MaxAge60(", stale-if-error=100"), "one");
  w_.vendor.Answer(503).Times(2);
  ASSERT_TRUE(w_.Get());
  w_.world.clock.Advance(seconds(160) - Duration(1));
  EXPECT_EQ(Text(w_.Get()), "200 one");
  w_.world.clock.Advance(Duration(1));
  EXPECT_EQ(Text(w_.Get()), "503 ");
}

TEST_F(CacheTest, WhatTheCallerMustKnowIsNotReplaced) {
  w_.Use({.stale_if_error = hours(1)});
  w_.vendor.Answer(200, MaxAge60(), "one");
  w_.vendor.Fail({ErrorCode::kTls, "untrusted"});
  w_.vendor.Fail({ErrorCode::kAuth, "revoked"});
  w_.vendor.Answer(429);
  ASSERT_TRUE(w_.Get());
  w_.world.clock.Advance(seconds(61));
  EXPECT_EQ(Text(w_.Get()), "tls");
  EXPECT_EQ(Text(w_.Get()), "auth");
  EXPECT_EQ(Text(w_.Get()), "429 ");
}

TEST_F(CacheTest, AnOpenBreakerIsReplacedToo) {
  ClientBuilder builder(w_.world.runtime(), w_.vendor, "vendor");
  CircuitBreakerOptions breaker;
  breaker.failures = 1;
  builder.Breaker(breaker);
  w_.Use(builder, {.stale_if_error = hours(1)});
  w_.vendor.Answer(200, MaxAge60(), "one");
  w_.vendor.Answer(500).Forever();
  ASSERT_TRUE(w_.Get());
  w_.world.clock.Advance(seconds(61));
  EXPECT_EQ(Text(w_.Get()), "200 one");
  EXPECT_EQ(Text(w_.Get()), "200 one");
  EXPECT_EQ(w_.vendor.sends(), 2u);  // The second one was refused by the breaker.
  EXPECT_EQ(Text(w_.Send("GET", "/v1/never-seen")), "circuit-open");
}

TEST_F(CacheTest, APassedDeadlineIsReplacedToo) {
  w_.Use({.stale_if_error = hours(1)});
  w_.vendor.Answer(200, MaxAge60(), "one");
  w_.vendor.Hang();
  ASSERT_TRUE(w_.Get());
  w_.world.clock.Advance(seconds(61));
  EXPECT_EQ(Text(w_.Get({}, {.timeout = seconds(1)})), "200 one");
}

TEST_F(CacheTest, WhatAnInnerFallbackMadeUpIsNotStored) {
  ClientBuilder builder(w_.world.runtime(), w_.vendor, "vendor");
  FallbackOptions fallback;
  fallback.static_response = http::Response{200, MaxAge60(), "made up"};
  // As the builder would place it: inside the cache.
  w_.client.reset();
  auto cache = std::make_unique<CacheInterceptor>(CacheOptions{}, std::nullopt, w_.world.runtime());
  builder.BaseUrl("https://api.vendor.example")
      .AddCallInterceptor(std::move(cache))
      .Fallback(fallback);
  w_.client = builder.Build().value();
  w_.vendor.Answer(500);
  w_.vendor.Answer(200, MaxAge60(), "real");
  EXPECT_EQ(Text(w_.Get()), "200 made up");
  EXPECT_TRUE(w_.report.fallback);
  EXPECT_EQ(Text(w_.Get()), "200 real");
}

// ---- Bounds and stores

TEST_F(CacheTest, OldAnswersMakeRoom) {
  w_.Use({.entries_max = 1});
  w_.vendor.Answer(200, MaxAge60(), "x").Forever();
  ASSERT_TRUE(w_.Get());
  ASSERT_TRUE(w_.Send("GET", "/v1/things/2"));
  ASSERT_TRUE(w_.Get());
  EXPECT_EQ(w_.vendor.sends(), 3u);
}

class BrokenStore final : public ResponseStore {
 public:
  Result<std::vector<StoredResponsePtr>> Find(const ResponseKey&) override { return Broken(); }
  Result<void> Put(const ResponseKey&, StoredResponsePtr) override { return Broken(); }
  Result<void> Erase(const ResponseKey&, const SelectingFields&) override { return Broken(); }
  Result<void> EraseResource(const std::string&) override { return Broken(); }

 private:
  static Error Broken() { return {ErrorCode::kStorage, "disk full"}; }
};

TEST_F(CacheTest, WithABrokenStoreEachCallIsAMiss) {
  w_.Use({.store = std::make_shared<BrokenStore>()});
  w_.vendor.Answer(200, MaxAge60(), "one");
  w_.vendor.Answer(200, MaxAge60(), "two");
  EXPECT_EQ(Status(w_.Get()), "understudy; fwd=uri-miss");
  EXPECT_EQ(Text(w_.Get()), "200 two");
}

TEST_F(CacheTest, DescribesItself) {
  w_.Use({.default_ttl = seconds(5),
          .stale_while_revalidate = seconds(6),
          .stale_if_error = hours(1)});
  EXPECT_THAT(w_.client->Describe(),
              HasSubstr("1. cache: GET HEAD, 1024 answers, 16777216 bytes, fresh for 5s, "
                        "stale-while-revalidate 6s, stale-if-error 1h\n"));
}

TEST(CacheOptionsTest, TheDefaultsHaveNoProblems) {
  EXPECT_THAT(FindProblems(CacheOptions{}), IsEmpty());
}

TEST(CacheOptionsTest, AllProblemsAreFound) {
  CacheOptions options;
  options.entries_max = 0;
  options.bytes_max = 1;
  options.methods = {"GET", "POST"};
  options.default_ttl = -seconds(1);
  options.stale_while_revalidate = -seconds(1);
  options.stale_if_error = Duration::max();
  options.revalidations_max = 65;
  options.revalidation_timeout = Duration::zero();
  options.revalidation_pause = -seconds(1);
  options.partition = "a\nb";
  EXPECT_THAT(FindProblems(options), SizeIs(10));
  options.methods = {};
  EXPECT_THAT(FindProblems(options), SizeIs(10));
}

// ---- Concurrent callers; their waits block until the clock is moved.

class CacheConcurrencyTest : public testing::Test {
 protected:
  std::jthread Caller(std::string& text, http::Headers headers = {}, CallOptions options = {}) {
    return std::jthread([this, &text, headers = std::move(headers), options = std::move(options)] {
      text = Text(w_.Get(headers, options));
    });
  }
  // Real time, so that a broken cache ends the test instead of hanging it.
  static void AwaitTrue(FunctionRef<bool()> predicate) {
    const auto limit = std::chrono::steady_clock::now() + seconds(60);
    while (!predicate()) {
      UNDERSTUDY_CHECK(std::chrono::steady_clock::now() < limit, "what the test awaits never came");
      std::this_thread::yield();
    }
  }
  // All but the ones that have ended wait; `sends` requests have left.
  void Await(std::size_t sends, std::size_t sleepers) {
    AwaitTrue([&] { return w_.vendor.sends() >= sends; });
    AwaitTrue([&] { return w_.world.clock.sleepers() == sleepers; });
  }
  // A refresh has failed, and its task has ended.
  void AwaitPause() {
    AwaitTrue([&] {
      return w_.Get() && w_.report.decisions.at(0).what == "refresh in background: paused";
    });
  }
  void AwaitResult(const std::string& result) {
    AwaitTrue([&] {
      const auto results = w_.Results();
      return std::find(results.begin(), results.end(), result) != results.end();
    });
  }

  CacheWorld w_{FakeClock::Waits::kBlock};
};

TEST_F(CacheConcurrencyTest, EqualRequestsShareOneCall) {
  w_.vendor.Answer(200, MaxAge60(), "one").After(seconds(5));
  std::vector<std::string> texts(20);
  {
    std::vector<std::jthread> callers;
    for (std::string& text : texts) callers.push_back(Caller(text));
    Await(1, texts.size());
    w_.world.clock.Advance(seconds(5));
  }
  EXPECT_THAT(texts, testing::Each("200 one"));
  EXPECT_EQ(w_.vendor.sends(), 1u);
  EXPECT_THAT(w_.Results(), testing::Contains("miss").Times(1));
  EXPECT_THAT(w_.Results(), testing::Contains("shared").Times(19));
}

TEST_F(CacheConcurrencyTest, ASharedAnswerSaysSo) {
  w_.vendor.Answer(200, MaxAge60(), "one").After(seconds(5));
  std::string text;
  const std::jthread leader = Caller(text);
  Await(1, 1);
  std::string status;
  {
    const std::jthread waiter([&] { status = Status(w_.Get()); });
    Await(1, 2);
    w_.world.clock.Advance(seconds(5));
  }
  EXPECT_EQ(status, "understudy; fwd=uri-miss; stored; collapsed");
}

TEST_F(CacheConcurrencyTest, DifferentRequestsDoNotWaitForEachOther) {
  w_.vendor.Answer(200, MaxAge60()).After(seconds(5)).Times(3);
  std::string a, b, c;
  const std::jthread first = Caller(a);
  const std::jthread second = Caller(b, {{"Accept", "x/y"}});
  const std::jthread third = Caller(c, {{"Authorization", "Bearer anne"}});
  Await(3, 3);
  w_.world.clock.Advance(seconds(5));
}

TEST_F(CacheConcurrencyTest, NamesOfTheCallDoNotMakeRequestsDifferent) {
  w_.vendor.Answer(200, MaxAge60(), "one").After(seconds(5));
  std::string a, b;
  {
    const std::jthread first = Caller(a, {{"X-Request-Id", "1"}});
    Await(1, 1);
    const std::jthread second = Caller(b, {{"X-Request-Id", "2"}});
    Await(1, 2);
    w_.world.clock.Advance(seconds(5));
  }
  EXPECT_EQ(b, "200 one");
}

TEST_F(CacheConcurrencyTest, UnlessTheAnswerVariesByThem) {
  w_.vendor.Answer(200, {{"Vary", "X-Request-Id"}}, "one").After(seconds(5));
  w_.vendor.Answer(200, {{"Vary", "X-Request-Id"}}, "two");
  std::string a, b;
  {
    const std::jthread first = Caller(a, {{"X-Request-Id", "1"}});
    Await(1, 1);
    const std::jthread second = Caller(b, {{"X-Request-Id", "2"}});
    Await(1, 2);
    w_.world.clock.Advance(seconds(5));
  }
  EXPECT_EQ(a, "200 one");
  EXPECT_EQ(b, "200 two");
}

TEST_F(CacheConcurrencyTest, AWaiterGivesUpAtItsOwnTimeout) {
  w_.vendor.Answer(200, MaxAge60(), "one").After(seconds(5));
  std::string leader_text, waiter_text;
  {
    const std::jthread leader = Caller(leader_text);
    Await(1, 1);
    std::jthread waiter = Caller(waiter_text, {}, {.timeout = seconds(2)});
    Await(1, 2);
    w_.world.clock.Advance(seconds(2));
    waiter.join();
    EXPECT_EQ(waiter_text, "deadline-exceeded");
    w_.world.clock.Advance(seconds(3));
  }
  EXPECT_EQ(leader_text, "200 one");
}

TEST_F(CacheConcurrencyTest, AWaiterGivesUpAtTheTotalDeadlineOfTheClient) {
  w_.Use({}, seconds(2));
  w_.vendor.Answer(200, MaxAge60(), "one").After(seconds(5));
  std::string leader_text, waiter_text;
  const std::jthread leader = Caller(leader_text);
  Await(1, 1);
  std::jthread waiter = Caller(waiter_text);
  Await(1, 2);
  w_.world.clock.Advance(seconds(2));
  waiter.join();
  EXPECT_EQ(waiter_text, "deadline-exceeded");
  w_.world.clock.Advance(seconds(3));
}

TEST_F(CacheConcurrencyTest, AWaiterGivesUpAtItsOwnStop) {
  w_.vendor.Answer(200, MaxAge60(), "one").After(seconds(5));
  std::string leader_text, waiter_text;
  std::stop_source stop;
  {
    const std::jthread leader = Caller(leader_text);
    Await(1, 1);
    std::jthread waiter = Caller(waiter_text, {}, {.stop = stop.get_token()});
    Await(1, 2);
    stop.request_stop();
    waiter.join();
    EXPECT_EQ(waiter_text, "cancelled");
    w_.world.clock.Advance(seconds(5));
  }
  EXPECT_EQ(leader_text, "200 one");
}

TEST_F(CacheConcurrencyTest, ALeaderThatIsStoppedLeavesTheCallToAWaiter) {
  w_.vendor.Hang();
  w_.vendor.Answer(200, MaxAge60(), "one").After(seconds(1));
  std::string leader_text, first_text, second_text;
  std::stop_source stop;
  {
    std::jthread leader = Caller(leader_text, {}, {.stop = stop.get_token()});
    Await(1, 1);
    const std::jthread first = Caller(first_text);
    const std::jthread second = Caller(second_text);
    Await(1, 3);
    stop.request_stop();
    leader.join();
    Await(2, 2);
    w_.world.clock.Advance(seconds(1));
  }
  EXPECT_EQ(leader_text, "cancelled");
  EXPECT_EQ(first_text, "200 one");
  EXPECT_EQ(second_text, "200 one");
  EXPECT_EQ(w_.vendor.sends(), 2u);
}

TEST_F(CacheConcurrencyTest, ALeaderOutOfTimeLeavesTheCallToAWaiterWithTheRestOfItsTime) {
  w_.vendor.Hang().Times(2);
  std::string leader_text, waiter_text;
  std::jthread leader = Caller(leader_text, {}, {.timeout = seconds(2)});
  Await(1, 1);
  std::jthread waiter = Caller(waiter_text, {}, {.timeout = seconds(5)});
  Await(1, 2);
  w_.world.clock.Advance(seconds(2));
  leader.join();
  Await(2, 1);
  EXPECT_EQ(w_.vendor.sent().at(1).deadline.Remaining(w_.world.clock.Now()), seconds(3));
  w_.world.clock.Advance(seconds(3));
  waiter.join();
  EXPECT_EQ(waiter_text, "deadline-exceeded");
}

TEST_F(CacheConcurrencyTest, AFailureIsShared) {
  w_.vendor.Answer(503, {}, "down").After(seconds(5));
  w_.vendor.Fail(Reset()).After(seconds(5));
  for (const char* expected : {"503 down", "connection"}) {
    const std::size_t sends = w_.vendor.sends();
    std::string a, b;
    {
      const std::jthread first = Caller(a);
      const std::jthread second = Caller(b);
      Await(sends + 1, 2);
      w_.world.clock.Advance(seconds(5));
    }
    EXPECT_EQ(a, expected);
    EXPECT_EQ(b, expected);
    EXPECT_EQ(w_.vendor.sends(), sends + 1);
  }
}

TEST_F(CacheConcurrencyTest, WhatMoreTimeMightHaveAvoidedIsNotSharedWithWhoHasIt) {
  w_.vendor.Fail({ErrorCode::kTimeout, "slow"}).After(seconds(1));
  // Not stored, or the leader could be served it instead of its error.
  w_.vendor.Answer(200, {{"Cache-Control", "no-store"}}, "one");
  std::string leader_text, waiter_text;
  {
    const std::jthread leader = Caller(leader_text, {}, {.timeout = seconds(2)});
    Await(1, 1);
    const std::jthread waiter = Caller(waiter_text, {}, {.timeout = seconds(9)});
    Await(1, 2);
    w_.world.clock.Advance(seconds(1));
  }
  EXPECT_EQ(leader_text, "timeout");
  EXPECT_EQ(waiter_text, "200 one");
}

TEST_F(CacheConcurrencyTest, AnswersThatMustNotBeSharedAreNot) {
  w_.vendor.Answer(200, {{"Cache-Control", "no-store"}}, "mine").After(seconds(5));
  w_.vendor.Answer(200, {{"Cache-Control", "no-store"}}, "other's").After(seconds(5)).Times(4);
  std::string a, b, c;
  {
    std::jthread leader = Caller(a);
    Await(1, 1);
    const std::jthread second = Caller(b);
    const std::jthread third = Caller(c);
    Await(1, 3);
    w_.world.clock.Advance(seconds(5));
    leader.join();
    Await(3, 2);  // Both ask, at the same time.
    w_.world.clock.Advance(seconds(5));
  }
  EXPECT_EQ(a, "200 mine");
  EXPECT_EQ(b, "200 other's");
  EXPECT_EQ(c, "200 other's");
  // It is remembered: the next ones do not wait in vain.
  const std::jthread fourth = Caller(a);
  const std::jthread fifth = Caller(b);
  Await(5, 2);
  w_.world.clock.Advance(seconds(5));
}

TEST_F(CacheConcurrencyTest, AWaiterOutOfTimeGetsAStaleAnswerIfThereIsOne) {
  w_.Use({.stale_if_error = hours(1)});
  w_.vendor.Answer(200, MaxAge60(), "old");
  w_.vendor.Answer(200, MaxAge60(), "new").After(seconds(5));
  ASSERT_TRUE(w_.Get());
  w_.world.clock.Advance(seconds(61));
  std::string leader_text, waiter_text;
  {
    const std::jthread leader = Caller(leader_text);
    Await(2, 1);
    std::jthread waiter = Caller(waiter_text, {}, {.timeout = seconds(2)});
    Await(2, 2);
    w_.world.clock.Advance(seconds(2));
    waiter.join();
    w_.world.clock.Advance(seconds(3));
  }
  EXPECT_EQ(waiter_text, "200 old");
  EXPECT_EQ(leader_text, "200 new");
}

TEST_F(CacheConcurrencyTest, AReadThatAChangeOvertookIsNeitherStoredNorJoined) {
  w_.vendor.Answer(200, MaxAge60(), "old").After(seconds(5));
  w_.vendor.Answer(204);
  w_.vendor.Answer(200, MaxAge60(), "new");
  std::string old_text;
  std::jthread reader = Caller(old_text);
  Await(1, 1);
  ASSERT_TRUE(w_.Send("PUT", kThing));
  EXPECT_EQ(Text(w_.Get()), "200 new");  // Does not wait for the one before the change.
  w_.world.clock.Advance(seconds(5));
  reader.join();
  EXPECT_EQ(old_text, "200 old");
  EXPECT_EQ(Text(w_.Get()), "200 new");
  EXPECT_EQ(w_.vendor.sends(), 3u);
}

// ---- stale-while-revalidate

TEST_F(CacheConcurrencyTest, AStaleAnswerIsServedAtOnceAndRefreshedMeanwhile) {
  w_.vendor.Answer(
      200, {{"Cache-Control", "max-age=60, stale-while-revalidate=30"}, {"ETag", "\"a\""}}, "one");
  w_.vendor.Answer(200, MaxAge60(), "two").After(seconds(5));
  ASSERT_TRUE(w_.Get({}, {.operation = "things.get"}));
  w_.world.clock.Advance(seconds(61));
  const auto stale = w_.Get({}, {.operation = "things.get"});
  EXPECT_EQ(Text(stale), "200 one");
  EXPECT_EQ(Status(stale), "understudy; hit; ttl=-1; detail=stale-while-revalidate");
  Await(2, 1);
  EXPECT_EQ(Text(w_.Get()), "200 one");  // No second refresh.
  const SentRequest refresh = w_.vendor.sent().at(1);
  EXPECT_EQ(refresh.operation, "things.get");
  EXPECT_EQ(refresh.request.headers.Get("If-None-Match"), "\"a\"");
  EXPECT_EQ(refresh.deadline.Remaining(refresh.at), seconds(30));
  w_.world.clock.Advance(seconds(5));
  AwaitResult("revalidated in background");
  EXPECT_EQ(Text(w_.Get()), "200 two");
  EXPECT_EQ(w_.vendor.sends(), 2u);
  EXPECT_THAT(w_.Results(),
              ElementsAre("miss", "stale", "stale", "revalidated in background", "hit"));
}

TEST_F(CacheConcurrencyTest, AStaleAnswerToHeadIsRefreshedByGet) {
  w_.Use({.stale_while_revalidate = seconds(30)});
  w_.vendor.Answer(200, MaxAge60(), "one");
  w_.vendor.Answer(200, MaxAge60(), "two");
  ASSERT_TRUE(w_.Get());
  w_.world.clock.Advance(seconds(61));
  EXPECT_EQ(Text(w_.Send("HEAD", kThing)), "200 ");
  AwaitResult("revalidated in background");
  EXPECT_EQ(w_.vendor.sent().at(1).request.method, http::Method::Get());
  EXPECT_EQ(Text(w_.Get()), "200 two");
}

TEST_F(CacheConcurrencyTest, AFailedRefreshIsNotRepeatedBeforeThePause) {
  w_.Use({.stale_while_revalidate = hours(1),
          .revalidation_timeout = seconds(2),
          .revalidation_pause = seconds(3)});
  w_.vendor.Answer(200, MaxAge60(), "one");
  w_.vendor.Hang();
  w_.vendor.Answer(200, MaxAge60(), "two");
  ASSERT_TRUE(w_.Get());
  w_.world.clock.Advance(seconds(61));
  ASSERT_TRUE(w_.Get());
  Await(2, 1);
  w_.world.clock.Advance(seconds(2));  // Its own deadline.
  AwaitPause();
  w_.world.clock.Advance(seconds(3) - Duration(1));
  EXPECT_EQ(Text(w_.Get()), "200 one");
  EXPECT_EQ(w_.vendor.sends(), 2u);
  w_.world.clock.Advance(Duration(1));
  EXPECT_EQ(Text(w_.Get()), "200 one");
  AwaitResult("revalidated in background");
  EXPECT_EQ(Text(w_.Get()), "200 two");
}

TEST_F(CacheConcurrencyTest, TheVendorsRetryAfterLengthensThePause) {
  w_.Use({.stale_while_revalidate = hours(1)});
  w_.vendor.Answer(200, MaxAge60(), "one");
  w_.vendor.Answer(429, {{"Retry-After", "20"}});
  w_.vendor.Answer(200, MaxAge60(), "two");
  ASSERT_TRUE(w_.Get());
  w_.world.clock.Advance(seconds(61));
  ASSERT_TRUE(w_.Get());
  AwaitPause();
  w_.world.clock.Advance(seconds(20) - Duration(1));
  ASSERT_TRUE(w_.Get());
  EXPECT_EQ(w_.vendor.sends(), 2u);
  w_.world.clock.Advance(Duration(1));
  ASSERT_TRUE(w_.Get());
  AwaitResult("revalidated in background");
}

TEST_F(CacheConcurrencyTest, RefreshesAreBounded) {
  w_.Use({.stale_while_revalidate = hours(1), .revalidations_max = 2});
  w_.vendor.Answer(200, MaxAge60(), "one").Times(3);
  w_.vendor.Answer(200, MaxAge60(), "two").After(seconds(5)).Forever();
  const std::vector<const char*> paths = {"/a", "/b", "/c"};
  for (const char* path : paths) ASSERT_TRUE(w_.Send("GET", path));
  w_.world.clock.Advance(seconds(61));
  for (const char* path : paths) EXPECT_EQ(Text(w_.Send("GET", path)), "200 one");
  Await(5, 2);
  w_.world.clock.Advance(seconds(5));
}

TEST_F(CacheConcurrencyTest, TheDestructorEndsARefresh) {
  w_.Use({.stale_while_revalidate = hours(1)});
  w_.vendor.Answer(200, MaxAge60(), "one");
  w_.vendor.Hang();
  ASSERT_TRUE(w_.Get());
  w_.world.clock.Advance(seconds(61));
  ASSERT_TRUE(w_.Get());
  Await(2, 1);
  w_.client.reset();
  EXPECT_EQ(w_.world.clock.sleepers(), 0u);
}

TEST_F(CacheConcurrencyTest, ARefreshThatAChangeOvertookIsNotStored) {
  w_.Use({.stale_while_revalidate = hours(1)});
  w_.vendor.Answer(200, MaxAge60(), "one");
  w_.vendor.Answer(200, MaxAge60(), "old").After(seconds(5));
  w_.vendor.Answer(204);
  w_.vendor.Answer(200, MaxAge60(), "new");
  ASSERT_TRUE(w_.Get());
  w_.world.clock.Advance(seconds(61));
  ASSERT_TRUE(w_.Get());
  Await(2, 1);
  ASSERT_TRUE(w_.Send("PUT", kThing));
  w_.world.clock.Advance(seconds(5));
  AwaitResult("revalidated in background");
  EXPECT_EQ(Text(w_.Get()), "200 new");
}

TEST_F(CacheConcurrencyTest, ManyThreadsOfReadersWritersAndQuittersEnd) {
  w_.Use({.entries_max = 4, .stale_while_revalidate = milliseconds(1)}, seconds(30));
  w_.vendor
      .Call([](const http::Request& request) -> Result<http::Response> {
        if (request.headers.Has("If-None-Match")) return http::Response{304, {}, {}};
        return http::Response{200, {{"Cache-Control", "max-age=0"}, {"ETag", "\"a\""}}, "body"};
      })
      .Forever();
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([this, t] {
        for (int i = 0; i < 300; ++i) {
          const std::string path = "/v1/" + std::to_string(i % 5);
          std::stop_source stop;
          if (i % 7 == t) stop.request_stop();
          const char* method = i % 13 == t ? "PUT" : (i % 11 == 0 ? "HEAD" : "GET");
          static_cast<void>(w_.Send(method, path.c_str(), {}, {.stop = stop.get_token()}));
          if (i % 50 == 0) w_.world.clock.Advance(milliseconds(1));
        }
      });
    }
  }
  w_.client.reset();
  EXPECT_GT(w_.vendor.sends(), 0u);
}

}  // namespace
}  // namespace understudy::test
