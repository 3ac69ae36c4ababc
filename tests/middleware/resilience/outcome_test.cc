#include "middleware/resilience/outcome.h"

#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "middleware/resilience/rate_limit_dialect.h"

namespace understudy {
namespace {

struct Row {
  std::string name;
  Result<http::Response> result;
  RetryVerdict retry;
  BreakerOutcome breaker;
  std::string reason;
  ConcurrencySample sample;
  bool refund;
  std::string klass;
};

Result<http::Response> Status(int status, http::Headers headers = {}) {
  return http::Response{status, std::move(headers), {}};
}

Result<http::Response> Failure(ErrorCode code, Delivery delivery, Origin origin,
                               std::string reason = {}) {
  return Error{code, "m", delivery, origin, {}, std::move(reason)};
}

constexpr auto kNo = RetryVerdict::kNo;
constexpr auto kIdem = RetryVerdict::kIfReplayable;
constexpr auto kAny = RetryVerdict::kAnyMethod;
constexpr auto kKeyed = RetryVerdict::kIfKeyed;
constexpr auto kMeasure = ConcurrencySample::kSample;
constexpr auto kDrop = ConcurrencySample::kDrop;
constexpr auto kIgnore = ConcurrencySample::kIgnore;
constexpr auto kS = BreakerOutcome::kSuccess;
constexpr auto kF = BreakerOutcome::kFailure;
constexpr auto kN = BreakerOutcome::kNeutral;
constexpr auto kC = BreakerOutcome::kCancelled;
constexpr auto kL = BreakerOutcome::kLocalReject;
constexpr auto kSent = Delivery::kMaybeSent;
constexpr auto kUnsent = Delivery::kNotSent;
constexpr auto kRemote = Origin::kRemote;
constexpr auto kLocal = Origin::kLocal;

class OutcomeTest : public ::testing::TestWithParam<Row> {};

TEST_P(OutcomeTest, IsClassifiedAsItsRow) {
  const Outcome outcome = OutcomeClassifier().Classify(GetParam().result, SystemTime());
  EXPECT_EQ(outcome.retry, GetParam().retry);
  EXPECT_EQ(ToString(outcome.breaker), ToString(GetParam().breaker));
  EXPECT_EQ(outcome.reason, GetParam().reason);
  EXPECT_EQ(outcome.sample, GetParam().sample);
  EXPECT_EQ(outcome.refund_quota, GetParam().refund);
  EXPECT_EQ(ToString(outcome.klass), GetParam().klass);
}

INSTANTIATE_TEST_SUITE_P(
    Responses, OutcomeTest,
    ::testing::Values(
        Row{"ok", Status(200), kNo, kS, "200", kMeasure, false, "ok"},
        Row{"created", Status(201), kNo, kS, "201", kMeasure, false, "ok"},
        Row{"not_modified", Status(304), kNo, kS, "304", kMeasure, false, "ok"},
        Row{"redirect", Status(302), kNo, kS, "302", kMeasure, false, "redirect"},
        Row{"CB5_bad_request", Status(400), kNo, kS, "400", kMeasure, false, "client-error"},
        Row{"not_found", Status(404), kNo, kS, "404", kMeasure, false, "client-error"},
        Row{"conflict", Status(409), kKeyed, kS, "409", kMeasure, false, "in-progress"},
        Row{"gone", Status(410), kNo, kS, "410", kMeasure, false, "client-error"},
        Row{"unprocessable", Status(422), kNo, kS, "422", kMeasure, false, "client-error"},
        Row{"unauthorized", Status(401), kNo, kN, "401", kIgnore, false, "auth"},
        Row{"forbidden", Status(403), kNo, kN, "403", kIgnore, false, "auth-denied"},
        Row{"secondary_limit", Status(403, {{"Retry-After", "60"}}), kIdem, kN, "403", kDrop, false,
            "throttled"},
        Row{"request_timeout", Status(408), kIdem, kF, "408", kMeasure, false, "timeout-remote"},
        Row{"too_early", Status(425), kIdem, kF, "425", kMeasure, false, "timeout-remote"},
        Row{"throttled", Status(429), kIdem, kN, "429", kDrop, false, "throttled"},
        Row{"CB5_server_error", Status(500), kIdem, kF, "500", kMeasure, false, "server-error"},
        Row{"not_implemented", Status(501), kNo, kS, "501", kMeasure, false, "unsupported"},
        Row{"bad_gateway", Status(502), kIdem, kF, "502", kDrop, false, "gateway"},
        Row{"CB5_unavailable", Status(503), kIdem, kF, "503", kDrop, false, "unavailable"},
        Row{"gateway_timeout", Status(504), kIdem, kF, "504", kDrop, false, "gateway"},
        Row{"version", Status(505), kNo, kS, "505", kMeasure, false, "unsupported"},
        Row{"unknown_5xx", Status(520), kNo, kF, "520", kMeasure, false, "server-error"},
        Row{"stripe_forbids", Status(503, {{"Stripe-Should-Retry", "false"}}), kNo, kF, "503",
            kDrop, false, "unavailable"},
        Row{"stripe_allows", Status(409, {{"Stripe-Should-Retry", "true"}}), kIdem, kS, "409",
            kMeasure, false, "in-progress"},
        Row{"stripe_on_success", Status(200, {{"Stripe-Should-Retry", "true"}}), kNo, kS, "200",
            kMeasure, false, "ok"}),
    [](const auto& row) { return row.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Errors, OutcomeTest,
    ::testing::Values(Row{"refused", Failure(ErrorCode::kConnection, kUnsent, kRemote, "refused"),
                          kAny, kF, "connection:refused", kIgnore, true, "connect"},
                      Row{"dns", Failure(ErrorCode::kConnection, kUnsent, kRemote, "dns"), kAny, kF,
                          "connection:dns", kIgnore, true, "connect"},
                      Row{"stale", Failure(ErrorCode::kConnection, kUnsent, kRemote, "send"), kAny,
                          kN, "connection:send", kIgnore, true, "stale-connection"},
                      Row{"reset", Failure(ErrorCode::kConnection, kSent, kRemote, "reset"), kIdem,
                          kF, "connection:reset", kDrop, false, "ambiguous"},
                      Row{"no_reason", Failure(ErrorCode::kConnection, kSent, kRemote), kIdem, kF,
                          "connection", kDrop, false, "ambiguous"},
                      Row{"own_sockets", Failure(ErrorCode::kConnection, kUnsent, kLocal, "send"),
                          kAny, kN, "connection:send", kIgnore, true, "stale-connection"},
                      Row{"timeout", Failure(ErrorCode::kTimeout, kSent, kRemote), kIdem, kF,
                          "timeout", kDrop, false, "timeout-local"},
                      Row{"connect_timeout", Failure(ErrorCode::kTimeout, kUnsent, kRemote), kAny,
                          kF, "timeout", kIgnore, true, "connect"},
                      Row{"DL9_deadline", Failure(ErrorCode::kDeadlineExceeded, kSent, kLocal), kNo,
                          kN, "deadline", kIgnore, false, "deadline"},
                      Row{"deadline_and_timeout",
                          Failure(ErrorCode::kDeadlineExceeded, kSent, kRemote, "attempt-timeout"),
                          kNo, kF, "deadline", kIgnore, false, "deadline"},
                      Row{"cancelled", Failure(ErrorCode::kCancelled, kSent, kLocal), kNo, kC,
                          "cancelled", kIgnore, false, "cancelled"},
                      Row{"CB14_open",
                          Failure(ErrorCode::kCircuitOpen, kUnsent, kLocal, "breaker-half-open"),
                          kNo, kL, "breaker-open", kIgnore, true, "local-reject"},
                      Row{"limited", Failure(ErrorCode::kRateLimited, kUnsent, kLocal), kNo, kL,
                          "rate-limited", kIgnore, true, "local-reject"},
                      Row{"full", Failure(ErrorCode::kOverloaded, kUnsent, kLocal), kNo, kL,
                          "overloaded", kIgnore, true, "local-reject"},
                      Row{"certificate", Failure(ErrorCode::kTls, kUnsent, kRemote), kNo, kN, "tls",
                          kIgnore, true, "security"},
                      Row{"auth", Failure(ErrorCode::kAuth, kUnsent, kLocal), kNo, kN, "auth",
                          kIgnore, true, "auth"},
                      Row{"token_endpoint_down", Failure(ErrorCode::kTimeout, kUnsent, kLocal),
                          kAny, kN, "timeout", kIgnore, true, "connect"},
                      Row{"malformed", Failure(ErrorCode::kProtocol, Delivery::kAnswered, kRemote),
                          kNo, kS, "protocol", kMeasure, false, "protocol"},
                      Row{"bug", Failure(ErrorCode::kInternal, kUnsent, kLocal), kNo, kN,
                          "internal", kIgnore, true, "local-error"}),
    [](const auto& row) { return row.param.name; });

TEST(OutcomeClassifierTest, CarriesTheHintOfAnUnavailableVendor) {
  const Outcome outcome =
      OutcomeClassifier().Classify(Status(503, {{"Retry-After", "7"}}), SystemTime());
  EXPECT_EQ(outcome.retry_after, std::chrono::seconds(7));
}

TEST(OutcomeClassifierTest, ThrottlingCanCountAsFailure) {
  const OutcomeClassifier classifier({.throttling_is_failure = true});
  EXPECT_EQ(classifier.Classify(Status(429), SystemTime()).breaker, kF);
}

TEST(OutcomeClassifierTest, RefundsQuotaOnlyIfNothingWasSent) {
  const OutcomeClassifier classifier;
  EXPECT_TRUE(
      classifier.Classify(Failure(ErrorCode::kConnection, kUnsent, kRemote), {}).refund_quota);
  EXPECT_TRUE(
      classifier.Classify(Failure(ErrorCode::kOverloaded, kUnsent, kLocal), {}).refund_quota);
  EXPECT_FALSE(
      classifier.Classify(Failure(ErrorCode::kConnection, kSent, kRemote), {}).refund_quota);
  EXPECT_FALSE(classifier.Classify(Status(500), {}).refund_quota);
}

TEST(OutcomeClassifierTest, ATimeoutCostsTheBudgetTwice) {
  const OutcomeClassifier classifier;
  EXPECT_EQ(classifier.Classify(Failure(ErrorCode::kTimeout, kSent, kRemote), {}).budget_cost, 2);
  EXPECT_EQ(classifier.Classify(Status(503), {}).budget_cost, 1);
}

TEST(OutcomeClassifierTest, AVendorCanHaveStatusesOfItsOwnThatMeanTryAgain) {
  const OutcomeClassifier classifier({.also_retryable = {520, 409}});
  EXPECT_EQ(classifier.Classify(Status(520), {}).retry, kIdem);
  EXPECT_EQ(classifier.Classify(Status(520), {}).breaker, kF);
  EXPECT_EQ(classifier.Classify(Status(521), {}).retry, kNo);
}

OutcomeClassifier Speaking(const char* vendor) {
  return OutcomeClassifier().WithDialect(
      std::make_shared<const RateLimitDialect>(*RateLimitDialect::ForVendor(vendor)));
}

TEST(OutcomeClassifierTest, QS5_ARefusalInABodyOf200IsARefusal) {
  http::Response response{200, {{"Content-Type", "application/json"}}, {}};
  response.body = R"({"errors":[{"type":"RATE_LIMITED","message":"slow down"}]})";
  const Outcome outcome = Speaking("github").Classify(response, SystemTime());
  EXPECT_TRUE(outcome.throttled);
  EXPECT_EQ(outcome.retry, kIdem);
  EXPECT_EQ(ToString(outcome.klass), "throttled");
}

TEST(OutcomeClassifierTest, AnExhaustedPlanIsNotAskedAgain) {
  http::Response response{429, {{"Content-Type", "application/json"}}, {}};
  response.body = R"({"error":{"code":"insufficient_quota","type":"insufficient_quota"}})";
  EXPECT_EQ(Speaking("openai").Classify(response, SystemTime()).retry, kNo);
}

TEST(OutcomeClassifierTest, AHintThatOnlyTheBodyGivesIsHeard) {
  http::Response response{429, {{"Content-Type", "application/json"}}, {}};
  response.body = R"({"error":{"code":429,"status":"RESOURCE_EXHAUSTED","details":[)"
                  R"({"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"31s"}]}})";
  EXPECT_EQ(Speaking("google").Classify(response, SystemTime()).retry_after,
            std::chrono::seconds(31));
}

TEST(OutcomeClassifierTest, WithADialectTheHintOfAnUnavailableVendorIsStillHeard) {
  const Outcome outcome =
      Speaking("github").Classify(Status(503, {{"Retry-After", "7"}}), SystemTime());
  EXPECT_EQ(outcome.retry_after, std::chrono::seconds(7));
  EXPECT_EQ(outcome.breaker, kF);
}

}  // namespace
}  // namespace understudy
