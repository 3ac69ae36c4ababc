// The whole client over a MockTransport: what runs in production runs here, above the network.
#include <memory>
#include <string>
#include <utility>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "middleware/auth/static_auth.h"
#include "middleware/client/client_builder.h"
#include "middleware/mock/mock_transport.h"
#include "middleware/resilience/breaker_registry.h"
#include "tests/support/test_runtime.h"

namespace understudy {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::HasSubstr;

// Without jitter: the delays are 100 ms, 200 ms, ...
RetryOptions PlainRetry(int attempts_max) {
  RetryOptions options;
  options.attempts_max = attempts_max;
  options.backoff.jitter = false;
  return options;
}

// Asks once for another token.
class RenewingAuth final : public AuthStrategy {
 public:
  Result<void> Apply(http::Request& request, Deadline, const std::stop_token&) override {
    return request.headers.Set("Authorization", "Bearer t" + std::to_string(token_));
  }
  bool HandleUnauthorized(const http::Request&, const http::Response&, Deadline,
                          const std::stop_token&) override {
    return ++token_ == 2;
  }
  std::string Describe() const override { return "renewing"; }

 private:
  int token_ = 1;
};

class MockStackTest : public ::testing::Test {
 protected:
  ClientBuilder Builder() {
    ClientBuilder builder(world_.runtime(), mock_, "stripe");
    builder.BaseUrl("https://api.stripe.com");
    return builder;
  }
  void Use(ClientBuilder& builder) { client_ = builder.Build().value(); }

  Result<http::Response> Call(http::Method method, std::string_view target,
                              CallOptions options = {}) {
    http::Request request = client_->NewRequest(std::move(method), target).value();
    if (!request.method.IsSafe()) request.body = "{}";
    return client_->Call(std::move(request), std::move(options), report_);
  }
  Result<http::Response> Charge(CallOptions options = {}) {
    return Call(http::Method::Post(), "/v1/charges", std::move(options));
  }

  test::TestRuntime world_;
  MockTransport mock_ = MockTransport(world_.clock);
  std::unique_ptr<Client> client_;
  CallReport report_;
};

TEST_F(MockStackTest, MK1_RetrySeesTheMocksFailures) {
  auto builder = Builder();
  Use(builder.TotalDeadline(seconds(10)).Retry(PlainRetry(3)));
  mock_.When("GET", "/v1/charges").Respond(503).ThenFail(MockFault::kReset).ThenRespond(200, "[]");
  EXPECT_EQ(Call(http::Method::Get(), "/v1/charges")->body, "[]");
  EXPECT_EQ(world_.clock.Elapsed(), milliseconds(300));
  EXPECT_EQ(mock_.request_count(), 3u);
  EXPECT_EQ(mock_.requests()[2].attempt, 3);
  EXPECT_TRUE(mock_.VerifyAllUsed());
}

TEST_F(MockStackTest, MK1_RetryObeysTheMocksHint) {
  auto builder = Builder();
  Use(builder.TotalDeadline(seconds(60)).Retry(PlainRetry(2)));
  mock_.When("GET", "/v1/charges")
      .Respond({429, {{"Retry-After", "7"}}, ""})
      .ThenRespond(200, "[]");
  EXPECT_TRUE(Call(http::Method::Get(), "/v1/charges")->ok());
  EXPECT_EQ(world_.clock.Elapsed(), seconds(7));
}

TEST_F(MockStackTest, MK1_APostThatMayHaveBeenSentIsNotRepeatedWithoutAKey) {
  auto builder = Builder();
  Use(builder.Retry(PlainRetry(3)));
  mock_.When("POST", "/v1/charges").Fail(MockFault::kReset).ThenRespond(201, "{}");
  EXPECT_EQ(Charge().error().reason, "reset");
  EXPECT_EQ(mock_.request_count(), 1u);
}

TEST_F(MockStackTest, MK1_APostThatWasNotSentIsRepeated) {
  auto builder = Builder();
  Use(builder.Retry(PlainRetry(3)));
  mock_.When("POST", "/v1/charges").Fail(MockFault::kRefused).ThenRespond(201, "{}");
  EXPECT_EQ(Charge()->status, 201);
}

TEST_F(MockStackTest, MK1_AllAttemptsCarryOneIdempotencyKey) {
  auto builder = Builder();
  Use(builder.Retry(PlainRetry(3)));
  mock_.When("POST", "/v1/charges")
      .WithHeader("Idempotency-Key", "order-7")
      .Fail(MockFault::kReset)
      .ThenRespond(201, R"({"id":"ch_1"})");
  EXPECT_EQ(Charge({.idempotency_key = "order-7"})->status, 201);
  EXPECT_EQ(mock_.Requests("POST", "/v1/charges").size(), 2u);
}

TEST_F(MockStackTest, MK1_CredentialsReachTheMock) {
  auto builder = Builder();
  Use(builder.Auth(BearerAuth::Create(Secret("sk_test")).value()));
  mock_.When("GET", "/v1/balance").WithHeader("Authorization", "Bearer sk_test").Respond(200, "{}");
  EXPECT_TRUE(Call(http::Method::Get(), "/v1/balance"));
}

TEST_F(MockStackTest, MK1_A401RenewsTheCredentialsOnce) {
  auto builder = Builder();
  Use(builder.Auth(std::make_shared<RenewingAuth>()));
  mock_.When("GET", "/v1/balance").Respond(401);
  mock_.When("GET", "/v1/balance").WithHeader("Authorization", "Bearer t2").Respond(200, "{}");
  EXPECT_EQ(Call(http::Method::Get(), "/v1/balance")->status, 200);
  EXPECT_EQ(mock_.request_count(), 2u);
}

// The example of the specification's section 9: three failures open the breaker, further calls are
// shed. (Its own fixture recovers after two failures, so there the breaker would never open.)
TEST_F(MockStackTest, MK1_ThreeFailuresOpenTheBreaker) {
  const auto breakers = std::make_shared<BreakerRegistry>(world_.runtime());
  auto builder = Builder();
  Use(builder.Breaker({.failures = 3}, breakers));
  mock_.When("POST", "/v1/charges").Respond(503, R"({"error":"Service unavailable"})");
  int failures = 0;
  for (int call = 0; call < 5; ++call) {
    const auto result = Charge();
    if (!result || !result->ok()) ++failures;
  }
  EXPECT_EQ(failures, 5);
  EXPECT_EQ(mock_.request_count(), 3u);
  EXPECT_EQ(Charge().error().code, ErrorCode::kCircuitOpen);
}

TEST_F(MockStackTest, TwoFailuresAndARecoveryLeaveTheBreakerClosed) {
  auto builder = Builder();
  Use(builder.Breaker({.failures = 3}));
  mock_.When("POST", "/v1/charges").Respond(503).Times(2).ThenRespond(201, R"({"id":"ch_1"})");
  for (int call = 0; call < 5; ++call) ASSERT_TRUE(Charge());
  EXPECT_EQ(mock_.request_count(), 5u);
}

TEST_F(MockStackTest, MK6_TheBreakerProbesAfterItsTimeOnTheVirtualClock) {
  auto builder = Builder();
  Use(builder.Breaker({.failures = 2, .open_for = seconds(30)}));
  mock_.When("GET", "/v1/balance").Fail(MockFault::kRefused).Times(2).ThenRespond(200, "{}");
  for (int call = 0; call < 2; ++call) ASSERT_FALSE(Call(http::Method::Get(), "/v1/balance"));
  world_.clock.Advance(seconds(29));
  EXPECT_EQ(Call(http::Method::Get(), "/v1/balance").error().code, ErrorCode::kCircuitOpen);
  world_.clock.Advance(seconds(1));
  EXPECT_TRUE(Call(http::Method::Get(), "/v1/balance"));
  EXPECT_EQ(mock_.last_request()->breaker_state, "half-open");
}

TEST_F(MockStackTest, MK6_AHangTakesTheAttemptTimeoutAndIsRetried) {
  auto builder = Builder();
  Use(builder.TotalDeadline(seconds(10)).AttemptTimeout(seconds(2)).Retry(PlainRetry(2)));
  mock_.When("GET", "/v1/balance")
      .Fail(MockFault::kHang)
      .ThenRespond(200, "{}")
      .After(milliseconds(50));
  EXPECT_TRUE(Call(http::Method::Get(), "/v1/balance"));
  EXPECT_EQ(world_.clock.Elapsed(), seconds(2) + milliseconds(100) + milliseconds(50));
}

TEST_F(MockStackTest, MK6_TheTotalDeadlineEndsASlowAnswer) {
  auto builder = Builder();
  Use(builder.TotalDeadline(seconds(3)));
  mock_.When("GET", "/v1/balance").Respond(200, "{}").After(seconds(10));
  EXPECT_EQ(Call(http::Method::Get(), "/v1/balance").error().code, ErrorCode::kDeadlineExceeded);
  EXPECT_EQ(world_.clock.Elapsed(), seconds(3));
}

TEST_F(MockStackTest, AHangWithoutAnyDeadlineIsAMistakeThatIsToldAtOnce) {
  auto builder = Builder();
  Use(builder.Retry(PlainRetry(3)));
  mock_.When("GET", "/v1/balance").Fail(MockFault::kHang);
  EXPECT_EQ(Call(http::Method::Get(), "/v1/balance").error().reason, "mock-hang");
  EXPECT_EQ(mock_.request_count(), 1u);
}

TEST_F(MockStackTest, MK3_ARequestWithoutAMockIsNotRetriedNotCountedAndNotHidden) {
  auto builder = Builder();
  FallbackOptions fallback;
  fallback.static_response = http::Response{.body = "made up"};
  Use(builder.Fallback(fallback).Retry(PlainRetry(3)).Breaker({.failures = 1}));
  for (int call = 0; call < 3; ++call) {
    const auto result = Call(http::Method::Get(), "/v1/balanse");
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().reason, "no-mock");
  }
  EXPECT_EQ(mock_.request_count(), 3u);
  EXPECT_EQ(world_.events.Count("breaker"), 0u);
  EXPECT_THAT(mock_.Verify().error().message, HasSubstr("3 requests had no mock"));
}

TEST_F(MockStackTest, TheWholeStackRunsOverAMock) {
  auto builder = Builder();
  Use(builder.TotalDeadline(seconds(10))
          .Retry(PlainRetry(3))
          .Breaker({})
          .RateLimit({})
          .Bulkhead({})
          .Auth(BearerAuth::Create(Secret("sk_test")).value())
          .AttemptTimeout(seconds(2)));
  mock_.When("PATCH", "/v1/charges/{id}")
      .WithHeader("Authorization", AnyValue())
      .WithJson("{}")
      .Respond(200, R"({"id":"ch_1"})")
      .After(milliseconds(20));
  const auto answer =
      Call(http::Method::Patch(), "/v1/charges/ch_1", {.operation = "charges.update"});
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->body, R"({"id":"ch_1"})");
  const MockRequest seen = mock_.last_request().value();
  EXPECT_EQ(seen.operation, "charges.update");
  EXPECT_EQ(seen.breaker_state, "closed");
  EXPECT_EQ(seen.PathParameter("id"), "ch_1");
  EXPECT_TRUE(mock_.VerifyAllUsed());
}

}  // namespace
}  // namespace understudy
