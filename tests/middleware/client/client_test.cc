#include "middleware/client/client.h"

#include <functional>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/middleware/client/client_test_support.h"

namespace understudy {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

// Stamps its name and passes on.
class Tracer final : public Interceptor {
 public:
  Tracer(std::string name, std::vector<std::string>& trace)
      : name_(std::move(name)), trace_(trace) {}
  Result<http::Response> Intercept(http::Request& request, CallContext& context,
                                   Next next) override {
    trace_.push_back(name_);
    return next(request, context);
  }
  std::string Describe() const override { return name_; }

 private:
  const std::string name_;
  std::vector<std::string>& trace_;
};

// Counts what the client asks of it; refreshes as often as allowed.
class FakeAuth final : public AuthStrategy {
 public:
  explicit FakeAuth(int refreshes = 0) : refreshes_left(refreshes) {}
  Result<void> Apply(http::Request& request, Deadline, const std::stop_token&) override {
    ++applied;
    if (failure) return *failure;
    return request.headers.Set("Authorization", "Bearer t" + std::to_string(token));
  }
  bool HandleUnauthorized(const http::Request&, const http::Response&, Deadline,
                          const std::stop_token&) override {
    ++asked;
    if (refreshes_left == 0) return false;
    --refreshes_left;
    ++token;
    return true;
  }
  std::string Describe() const override { return "fake"; }

  std::optional<Error> failure = {};
  int refreshes_left;
  int token = 1;
  int applied = 0;
  int asked = 0;
};

class ClientTest : public ::testing::Test {
 protected:
  void Use(const std::function<void(ClientBuilder&)>& configure) {
    ClientBuilder builder = w_.Builder();
    configure(builder);
    w_.Use(builder);
  }
  test::ClientWorld w_;
};

TEST_F(ClientTest, PublishesStartAndEndOfACall) {
  Use([](ClientBuilder&) {});
  w_.vendor.Answer(200).After(milliseconds(20));
  ASSERT_TRUE(w_.Get());
  EXPECT_THAT(w_.world.events.Lines("call.start"),
              ElementsAre("call.start method=GET operation=op path=/v1/things/1"));
  EXPECT_THAT(
      w_.world.events.Lines("call.end"),
      ElementsAre("call.end attempts=1 class=ok duration=20ms fallback=false ok=true operation=op "
                  "reason= status=200"));
}

TEST_F(ClientTest, AFailedCallEndsWithItsErrorAndReason) {
  Use([](ClientBuilder&) {});
  w_.vendor.Fail(test::ConnectionReset());
  ASSERT_FALSE(w_.Get());
  EXPECT_THAT(w_.world.events.Lines("call.end"),
              ElementsAre("call.end attempts=1 class=ambiguous duration=0ms error=connection "
                          "fallback=false ok=false operation=op "
                          "reason=connection:reset"));
}

TEST_F(ClientTest, AnAnswerOf404IsNotOkButNoError) {
  Use([](ClientBuilder&) {});
  w_.vendor.Answer(404);
  EXPECT_EQ(w_.Get()->status, 404);
  EXPECT_EQ(w_.world.events.Named("call.end").at(0).fields.at("ok"), "false");
  EXPECT_EQ(w_.world.events.Named("call.end").at(0).fields.at("reason"), "404");
}

TEST_F(ClientTest, RefusesAnotherOriginThanItsBaseUrl) {
  Use([](ClientBuilder&) {});
  http::Request request;
  request.url = http::Url::Parse("https://evil.example/v1").value();
  EXPECT_EQ(w_.client->Call(request).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(w_.client->NewRequest(http::Method::Get(), "//evil.example/v1").error().code,
            ErrorCode::kInvalidArgument);
  EXPECT_EQ(w_.client->Call(http::Request{}).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(w_.vendor.sends(), 0u);
}

TEST_F(ClientTest, DescribesItsLayersInTheDocumentedOrder) {
  std::vector<std::string> trace;
  Use([&](ClientBuilder& builder) {
    builder.AddAttemptInterceptor(std::make_unique<Tracer>("per attempt", trace))
        .AttemptTimeout(milliseconds(500))
        .Auth(std::make_shared<FakeAuth>())
        .Bulkhead({})
        .RateLimit({})
        .Breaker({})
        .Retry({})
        .TotalDeadline(seconds(2))
        .Fallback({})
        .AddCallInterceptor(std::make_unique<Tracer>("per call", trace));
  });
  EXPECT_EQ(w_.client->Describe(),
            "client vendor at https://api.vendor.example/\n"
            "  1. per call\n"
            "  2. fallback: last good of 256 answers\n"
            "  3. deadline: 2s in total\n"
            "  4. idempotency: Idempotency-Key, from the caller\n"
            "  5. retry: 3 attempts, back-off 100ms to 20s with full jitter, no budget\n"
            "  6. breaker: opens after 5 failures in a row within 1m, for 30s, then 1 probe\n"
            "  7. rate limit: 100 per 1s, burst 1\n"
            "  8. bulkhead: 32 at a time, queue of 64\n"
            "  9. auth: fake\n"
            "  10. attempt timeout: 500ms\n"
            "  11. per attempt\n"
            "  12. transport\n");
}

TEST_F(ClientTest, RunsCallInterceptorsOncePerCallAndAttemptInterceptorsPerAttempt) {
  std::vector<std::string> trace;
  Use([&](ClientBuilder& builder) {
    builder.Retry(test::PlainRetry())
        .AddCallInterceptor(std::make_unique<Tracer>("call", trace))
        .AddAttemptInterceptor(std::make_unique<Tracer>("first", trace))
        .AddAttemptInterceptor(std::make_unique<Tracer>("second", trace));
  });
  w_.vendor.Answer(503);
  w_.vendor.Answer(200);
  ASSERT_TRUE(w_.Get());
  EXPECT_THAT(trace, ElementsAre("call", "first", "second", "first", "second"));
}

TEST_F(ClientTest, ExplainsItsDecisions) {
  Use([](ClientBuilder& builder) { builder.Retry(test::PlainRetry()); });
  w_.vendor.Answer(503).After(milliseconds(20));
  w_.vendor.Answer(200);
  ASSERT_TRUE(w_.Get());
  EXPECT_EQ(w_.report.ToString(), "+20ms retry: 503, retry in 100ms\n+120ms end, 2 requests sent");
}

TEST_F(ClientTest, BuildNamesTheProblemsOfAllPoliciesAtOnce) {
  const auto result = ClientBuilder(w_.world.runtime(), w_.vendor, "")
                          .BaseUrl("ftp://x")
                          .TotalDeadline(seconds(1))
                          .AttemptTimeout(seconds(2))
                          .Retry({.attempts_max = 0})
                          .Breaker({.failures = 0, .half_open_max = seconds(1)})
                          .RateLimit({.permits = 0})
                          .Bulkhead({.concurrent_max = 0})
                          .Fallback({.last_good = false})
                          .Build();
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(result.error().message,
              AllOf(HasSubstr("no name"), HasSubstr("base URL"),
                    HasSubstr("attempt timeout, 2s, exceeds the total"),
                    HasSubstr("retry.attempts_max is 0"), HasSubstr("failures is 0"),
                    HasSubstr("half_open_max, 1s"), HasSubstr("rate_limit.permits is 0"),
                    HasSubstr("bulkhead.concurrent_max is 0"), HasSubstr("fallback has nothing")));
}

TEST_F(ClientTest, BuildRefusesABackoffThatNeverFits) {
  RetryOptions retry = test::PlainRetry();
  retry.backoff.base = seconds(3);
  EXPECT_FALSE(w_.Builder().TotalDeadline(seconds(2)).Retry(retry).Build());
}

// --- breaker

TEST_F(ClientTest, CB5_AnAnswerOf503CountsAgainstTheVendor) {
  Use([](ClientBuilder& builder) { builder.Breaker({.failures = 3}); });
  w_.vendor.Answer(503).Times(3);
  for (int call = 0; call < 3; ++call) EXPECT_EQ(w_.Get()->status, 503);
  EXPECT_EQ(w_.Get().error().code, ErrorCode::kCircuitOpen);
  EXPECT_EQ(w_.vendor.sends(), 3u);
}

// A refusal in the guise of a success says nothing about the vendor's health; a success does.
TEST_F(ClientTest, ASuccessThatIsARefusalDoesNotEndARowOfFailures) {
  const auto failures_and = [&](const std::string& dialect, const std::string& body) {
    Use([&](ClientBuilder& builder) {
      builder.Breaker({.failures = 2});
      if (!dialect.empty()) builder.Dialect(*RateLimitDialect::ForVendor(dialect));
    });
    w_.vendor.Answer(500);
    w_.vendor.Answer(200, {{"Content-Type", "application/json"}}, body);
    w_.vendor.Answer(500);
    for (int call = 0; call < 3; ++call) EXPECT_TRUE(w_.Get());
    w_.vendor.Answer(200);
    const auto fourth = w_.Get();
    return fourth ? std::string("closed") : fourth.error().reason;
  };
  const std::string refusal = R"({"ok":false,"error":"ratelimited"})";
  EXPECT_EQ(failures_and("slack", refusal), "breaker-open");
}

TEST_F(ClientTest, ASuccessEndsARowOfFailuresWhateverItsTextSays) {
  for (const char* const body :
       {R"({"ok":true})", R"({"ok":true,"text":"we were ratelimited yesterday"})"}) {
    Use([&](ClientBuilder& builder) {
      builder.Breaker({.failures = 2}).Dialect(*RateLimitDialect::ForVendor("slack"));
    });
    w_.vendor.Answer(500);
    w_.vendor.Answer(200, {{"Content-Type", "application/json"}}, body);
    w_.vendor.Answer(500);
    w_.vendor.Answer(200);
    for (int call = 0; call < 4; ++call) EXPECT_TRUE(w_.Get()) << body;
  }
}

TEST_F(ClientTest, QS3_BusinessRefusalsDoNotOpenTheBreaker) {
  Use([](ClientBuilder& builder) { builder.Breaker({.failures = 1}); });
  w_.vendor.Answer(402).Times(10);
  for (int call = 0; call < 10; ++call) EXPECT_EQ(w_.Get()->status, 402);
}

TEST_F(ClientTest, QS4_EveryAttemptCountsAndAnOpenBreakerEndsTheCall) {
  Use([](ClientBuilder& builder) { builder.Retry(test::PlainRetry(10)).Breaker({.failures = 3}); });
  w_.vendor.Answer(503).Forever();
  EXPECT_EQ(w_.Get().error().code, ErrorCode::kCircuitOpen);
  EXPECT_EQ(w_.vendor.sends(), 3u);
  EXPECT_THAT(w_.report.ToString(), HasSubstr("no retry: breaker-open is final"));
}

TEST_F(ClientTest, TellsTheTransportTheBreakersState) {
  Use([](ClientBuilder& builder) { builder.Breaker({.failures = 1}); });
  w_.vendor.Answer(503);
  w_.vendor.Answer(200).Times(2);
  ASSERT_TRUE(w_.Get());
  w_.world.clock.Advance(seconds(30));
  ASSERT_TRUE(w_.Get());
  ASSERT_TRUE(w_.Get());
  const auto sent = w_.vendor.sent();
  EXPECT_EQ(sent[0].breaker_state, "closed");
  EXPECT_EQ(sent[1].breaker_state, "half-open");
  EXPECT_EQ(sent[2].breaker_state, "closed");
  EXPECT_EQ(w_.world.events.Named("breaker").at(0).fields.at("name"), "vendor");
}

TEST_F(ClientTest, KeepsTheBreakerOpenForTheVendorsHint) {
  Use([](ClientBuilder& builder) { builder.Breaker({.failures = 1}); });
  w_.vendor.Answer(503, {{"Retry-After", "120"}});
  ASSERT_TRUE(w_.Get());
  EXPECT_EQ(w_.Get().error().retry_after, seconds(120));
}

TEST_F(ClientTest, ARefusalByTheBreakerSaysTheTimeInWholeMilliseconds) {
  Use([](ClientBuilder& builder) { builder.Breaker({.failures = 1, .open_for = seconds(30)}); });
  w_.vendor.Answer(503);
  ASSERT_TRUE(w_.Get());
  w_.world.clock.Advance(seconds(10) + std::chrono::nanoseconds(1'500'001));
  const auto refused = w_.Get();
  ASSERT_FALSE(refused);
  // Rounded up: at the time that it names, the probe is due.
  EXPECT_THAT(refused.error().message, HasSubstr("in 19.999s"));
  EXPECT_EQ(refused.error().retry_after, seconds(20) - std::chrono::nanoseconds(1'500'001));
}

TEST_F(ClientTest, TwoVendorsInOneRegistryFailApart) {
  const auto registry = std::make_shared<BreakerRegistry>(w_.world.runtime());
  Use([&](ClientBuilder& builder) { builder.Breaker({.failures = 1}, registry); });
  ClientBuilder builder(w_.world.runtime(), w_.vendor, "other");
  const auto other =
      builder.BaseUrl("https://other.example").Breaker({.failures = 1}, registry).Build().value();
  w_.vendor.Answer(503);
  w_.vendor.Answer(200);
  ASSERT_TRUE(w_.Get());
  EXPECT_FALSE(w_.Get());
  EXPECT_TRUE(other->Call(other->NewRequest(http::Method::Get(), "/").value()));
}

TEST_F(ClientTest, ABreakerPerOperationKeepsOperationsApart) {
  Use([&](ClientBuilder& builder) { builder.Breaker({.failures = 1}).BreakerPerOperation(); });
  w_.vendor.Answer(503);
  w_.vendor.Answer(200);
  ASSERT_TRUE(w_.Get({.operation = "search"}));
  EXPECT_FALSE(w_.Get({.operation = "search"}));
  EXPECT_TRUE(w_.Get({.operation = "fetch"}));
  EXPECT_EQ(w_.world.events.Named("breaker").at(0).fields.at("name"), "vendor search");
}

// --- rate limit, bulkhead

TEST_F(ClientTest, EveryAttemptTakesQuotaAndWaitsForIt) {
  Use([](ClientBuilder& builder) {
    builder.Retry(test::PlainRetry()).RateLimit({.permits = 1, .per = seconds(1)});
  });
  w_.vendor.Answer(503);
  w_.vendor.Answer(200);
  ASSERT_TRUE(w_.Get());
  EXPECT_EQ(w_.world.clock.Elapsed(), seconds(1));
  EXPECT_THAT(w_.world.events.Lines("rate_limit"),
              ElementsAre("rate_limit decision=waited operation=op wait=900ms"));
}

TEST_F(ClientTest, ARefusedPermitSendsNothingAndIsNeutralForTheBreaker) {
  Use([](ClientBuilder& builder) {
    builder.TotalDeadline(milliseconds(500))
        .Breaker({.failures = 1})
        .RateLimit({.permits = 1, .per = seconds(10)});
  });
  w_.vendor.Answer(200).Times(2);
  ASSERT_TRUE(w_.Get());
  EXPECT_EQ(w_.Get().error().code, ErrorCode::kRateLimited);
  EXPECT_EQ(w_.vendor.sends(), 1u);
  w_.world.clock.Advance(seconds(10));
  EXPECT_TRUE(w_.Get());
}

TEST_F(ClientTest, AProbeThatTheLimiterRefusesGivesItsPlaceBack) {
  Use([](ClientBuilder& builder) {
    builder.TotalDeadline(milliseconds(500))
        .Breaker({.failures = 1, .open_for = seconds(1)})
        .RateLimit({.permits = 1, .per = seconds(10)});
  });
  w_.vendor.Answer(503);
  w_.vendor.Answer(200);
  ASSERT_TRUE(w_.Get());
  w_.world.clock.Advance(seconds(1));
  EXPECT_EQ(w_.Get().error().code, ErrorCode::kRateLimited);
  w_.world.clock.Advance(seconds(9));
  EXPECT_EQ(w_.Get()->status, 200);
}

TEST_F(ClientTest, AnUnsentRequestGetsItsQuotaBack) {
  Use([](ClientBuilder& builder) {
    builder.TotalDeadline(milliseconds(500)).RateLimit({.permits = 1, .per = seconds(10)});
  });
  w_.vendor.Fail(test::ConnectionRefused());
  w_.vendor.Answer(200);
  EXPECT_FALSE(w_.Get());
  EXPECT_TRUE(w_.Get());
}

TEST_F(ClientTest, AFullBulkheadIsNeutralForTheBreaker) {
  Use([](ClientBuilder& builder) {
    builder.Breaker({.failures = 1}).Bulkhead({.concurrent_max = 1, .queue_max = 0});
  });
  ErrorCode inner = ErrorCode::kInternal;
  w_.vendor.Call([&](const http::Request& request) -> Result<http::Response> {
    inner = w_.client->Call(request).error().code;  // While the outer call holds the only place.
    return http::Response{};
  });
  w_.vendor.Answer(200);
  ASSERT_TRUE(w_.Get());
  EXPECT_EQ(inner, ErrorCode::kOverloaded);
  EXPECT_TRUE(w_.Get());
}

// --- auth

TEST_F(ClientTest, OA5_A401IsRepeatedOnceWithNewCredentialsInTheSameAttempt) {
  const auto auth = std::make_shared<FakeAuth>(1);
  Use([&](ClientBuilder& builder) {
    builder.Breaker({.failures = 1}).Auth(auth).Retry(test::PlainRetry());
  });
  w_.vendor.Answer(401);
  w_.vendor.Answer(201);
  EXPECT_EQ(w_.Post()->status, 201);
  const auto sent = w_.vendor.sent();
  ASSERT_EQ(sent.size(), 2u);
  EXPECT_EQ(sent[0].request.headers.Get("Authorization"), "Bearer t1");
  EXPECT_EQ(sent[1].request.headers.GetAll("Authorization").size(), 1u);
  EXPECT_EQ(sent[1].request.headers.Get("Authorization"), "Bearer t2");
  EXPECT_EQ(sent[1].attempt, 1);
  EXPECT_EQ(w_.world.events.Count("retry"), 0u);
}

TEST_F(ClientTest, OA5_ASecond401IsTheAnswer) {
  const auto auth = std::make_shared<FakeAuth>(5);
  Use([&](ClientBuilder& builder) {
    builder.Auth(auth).Retry(test::PlainRetry()).Breaker({.failures = 1});
  });
  w_.vendor.Answer(401).Times(2);
  EXPECT_EQ(w_.Get()->status, 401);
  EXPECT_EQ(auth->asked, 1);
  EXPECT_EQ(w_.vendor.sends(), 2u);
}

TEST_F(ClientTest, A401WithoutOtherCredentialsIsTheAnswer) {
  const auto auth = std::make_shared<FakeAuth>(0);
  Use([&](ClientBuilder& builder) { builder.Auth(auth); });
  w_.vendor.Answer(401);
  EXPECT_EQ(w_.Get()->status, 401);
  EXPECT_EQ(w_.vendor.sends(), 1u);
}

TEST_F(ClientTest, CredentialsAreAppliedToEachAttempt) {
  const auto auth = std::make_shared<FakeAuth>();
  Use([&](ClientBuilder& builder) { builder.Auth(auth).Retry(test::PlainRetry()); });
  w_.vendor.Answer(503);
  w_.vendor.Answer(200);
  ASSERT_TRUE(w_.Get());
  EXPECT_EQ(auth->applied, 2);
}

TEST_F(ClientTest, AFailedTokenEndpointDoesNotCountAgainstTheVendor) {
  const auto auth = std::make_shared<FakeAuth>();
  auth->failure = test::ConnectionReset();
  Use([&](ClientBuilder& builder) { builder.Auth(auth).Breaker({.failures = 1}); });
  const auto result = w_.Post();
  EXPECT_EQ(result.error().code, ErrorCode::kConnection);
  EXPECT_EQ(result.error().delivery, Delivery::kNotSent);
  auth->failure.reset();
  w_.vendor.Answer(200);
  EXPECT_TRUE(w_.Post());
}

// --- fallback

TEST_F(ClientTest, ServesTheLastGoodAnswerWhileTheVendorIsDown) {
  Use([](ClientBuilder& builder) { builder.Fallback({}).Breaker({.failures = 1}); });
  w_.vendor.Answer(200, {}, "fresh");
  w_.vendor.Answer(503);
  ASSERT_EQ(w_.Get()->body, "fresh");
  const auto unavailable = w_.Get();
  EXPECT_EQ(unavailable->status, 200);
  EXPECT_EQ(unavailable->body, "fresh");
  EXPECT_EQ(unavailable->headers.Get("Understudy-Fallback"), "last-good");
  EXPECT_EQ(w_.Get()->body, "fresh");
  EXPECT_THAT(w_.world.events.Lines("fallback"),
              ElementsAre("fallback operation=op reason=503 served=true",
                          "fallback operation=op reason=breaker-open served=true"));
  EXPECT_EQ(w_.world.events.Named("call.end").at(2).fields.at("ok"), "true");
  EXPECT_EQ(w_.world.events.Named("call.end").at(2).fields.at("fallback"), "true");
  EXPECT_EQ(w_.world.events.Named("call.end").at(2).fields.at("attempts"), "0");
  EXPECT_TRUE(w_.report.fallback);
}

TEST_F(ClientTest, PassesTheErrorThroughIfThereIsNothingToServe) {
  Use([](ClientBuilder& builder) { builder.Fallback({}).Breaker({.failures = 1}); });
  w_.vendor.Answer(503);
  EXPECT_EQ(w_.Get()->status, 503);
  EXPECT_EQ(w_.Get().error().code, ErrorCode::kCircuitOpen);
  EXPECT_THAT(w_.world.events.Lines("fallback"),
              ElementsAre("fallback operation=op reason=503 served=false",
                          "fallback operation=op reason=breaker-open served=false"));
}

TEST_F(ClientTest, AHalfOpenRefusalFallsBackAsBreakerOpen) {
  Use([](ClientBuilder& builder) { builder.Fallback({}).Breaker({.failures = 1}); });
  w_.vendor.Answer(503);
  w_.vendor.Call([&](const http::Request& request) -> Result<http::Response> {
    EXPECT_FALSE(w_.client->Call(request, {.operation = "inner"}));  // While the probe is out.
    return http::Response{};
  });
  ASSERT_TRUE(w_.Get());
  w_.world.clock.Advance(seconds(30));
  ASSERT_TRUE(w_.Get());
  EXPECT_EQ(w_.world.events.Lines("fallback").back(),
            "fallback operation=inner reason=breaker-open served=false");
}

TEST_F(ClientTest, FallsBackWhenTheDeadlinePasses) {
  Use([](ClientBuilder& builder) { builder.Fallback({}).TotalDeadline(seconds(1)); });
  w_.vendor.Answer(200, {}, "fresh");
  w_.vendor.Hang();
  ASSERT_TRUE(w_.Get());
  EXPECT_EQ(w_.Get()->body, "fresh");
  EXPECT_EQ(w_.world.events.Named("fallback").at(0).fields.at("reason"), "deadline");
}

TEST_F(ClientTest, NeverAnswersAPostWithAnEarlierAnswer) {
  Use([](ClientBuilder& builder) { builder.Fallback({}); });
  w_.vendor.Answer(201);
  w_.vendor.Answer(503);
  ASSERT_TRUE(w_.Post());
  EXPECT_EQ(w_.Post()->status, 503);
}

TEST_F(ClientTest, DoesNotHideRefusalsFromTheCaller) {
  Use([](ClientBuilder& builder) { builder.Fallback({}); });
  w_.vendor.Answer(200);
  w_.vendor.Answer(404);
  w_.vendor.Fail(
      {ErrorCode::kTls, "certificate expired", Delivery::kNotSent, Origin::kRemote, {}, {}});
  ASSERT_TRUE(w_.Get());
  EXPECT_EQ(w_.Get()->status, 404);
  EXPECT_EQ(w_.Get().error().code, ErrorCode::kTls);
}

TEST_F(ClientTest, ServesAStaticAnswer) {
  FallbackOptions options;
  options.static_response = http::Response{200, {}, "[]"};
  Use([&](ClientBuilder& builder) { builder.Fallback(options); });
  w_.vendor.Answer(500).Times(2);
  EXPECT_EQ(w_.Get()->body, "[]");
  EXPECT_EQ(w_.Post()->status, 500);
}

TEST_F(ClientTest, KeepsABoundedNumberOfAnswers) {
  FallbackOptions options;
  options.entries_max = 1;
  Use([&](ClientBuilder& builder) { builder.Fallback(options); });
  w_.vendor.Answer(200).Times(2);
  w_.vendor.Answer(503).Times(2);
  ASSERT_TRUE(w_.Get({.operation = "a"}));
  ASSERT_TRUE(w_.Get({.operation = "b"}));
  EXPECT_EQ(w_.Get({.operation = "a"})->status, 503);
  EXPECT_EQ(w_.Get({.operation = "b"})->status, 200);
}

// What listens to a call cannot fail it: the type of a sink does not let it throw.
static_assert(noexcept(std::declval<EventSink&>().Publish("x", std::span<const Field>())));

TEST_F(ClientTest, QS1_AChargeThatWasMadeCountsAsMadeWhateverListensToIt) {
  Use([](ClientBuilder& builder) { builder.Breaker({.failures = 1}); });
  w_.vendor.Answer(200);
  EXPECT_EQ(w_.Send(http::Method::Post())->status, 200);
  EXPECT_TRUE(w_.world.events.Named("breaker").empty());
  EXPECT_EQ(w_.world.events.Count("call.end"), 1u);
}

TEST(ClientPipelineTest, QS8_EveryPolicyThatWasPromisedHasItsPlaceInThePipeline) {
  // A clock that stands still: hedging has a thread of its own, which waits.
  test::TestRuntime world(test::FakeClock::Waits::kBlock);
  test::ScriptedTransport vendor(world.clock);
  ClientBuilder builder(world.runtime(), vendor, "vendor");
  builder.BaseUrl("https://api.vendor.example")
      .Fallback({})
      .Cache({})
      .TotalDeadline(seconds(10))
      .Hedge({.after = seconds(1)})
      .Retry({})
      .Breaker({})
      .Quota({})
      .RateLimit({})
      .Bulkhead({})
      .AttemptTimeout(seconds(3));
  const std::string text = builder.Build().value()->Describe();
  std::size_t at = 0;
  for (const char* layer : {"fallback", "cache", "deadline", "idempotency", "hedge", "retry",
                            "breaker", "quota", "rate limit", "bulkhead", "attempt timeout"}) {
    const std::size_t found = text.find(std::string(". ") + layer, at);
    ASSERT_NE(found, std::string::npos) << layer << " is missing or out of order in\n" << text;
    at = found;
  }
}

}  // namespace
}  // namespace understudy
