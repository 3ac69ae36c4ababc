#include "middleware/resilience/outcome.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace understudy {
namespace {

struct Row {
  std::string name;
  Result<http::Response> result;
  RetryVerdict retry;
  BreakerOutcome breaker;
  std::string reason;
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
}

INSTANTIATE_TEST_SUITE_P(
    Responses, OutcomeTest,
    ::testing::Values(
        Row{"ok", Status(200), kNo, kS, "200"}, Row{"created", Status(201), kNo, kS, "201"},
        Row{"not_modified", Status(304), kNo, kS, "304"},
        Row{"redirect", Status(302), kNo, kS, "302"},
        Row{"CB5_bad_request", Status(400), kNo, kS, "400"},
        Row{"not_found", Status(404), kNo, kS, "404"}, Row{"conflict", Status(409), kNo, kS, "409"},
        Row{"gone", Status(410), kNo, kS, "410"}, Row{"unprocessable", Status(422), kNo, kS, "422"},
        Row{"unauthorized", Status(401), kNo, kN, "401"},
        Row{"forbidden", Status(403), kNo, kN, "403"},
        Row{"secondary_limit", Status(403, {{"Retry-After", "60"}}), kIdem, kN, "403"},
        Row{"request_timeout", Status(408), kIdem, kF, "408"},
        Row{"too_early", Status(425), kIdem, kF, "425"},
        Row{"throttled", Status(429), kIdem, kN, "429"},
        Row{"CB5_server_error", Status(500), kIdem, kF, "500"},
        Row{"not_implemented", Status(501), kNo, kS, "501"},
        Row{"bad_gateway", Status(502), kIdem, kF, "502"},
        Row{"CB5_unavailable", Status(503), kIdem, kF, "503"},
        Row{"gateway_timeout", Status(504), kIdem, kF, "504"},
        Row{"version", Status(505), kNo, kS, "505"},
        Row{"unknown_5xx", Status(520), kNo, kF, "520"},
        Row{"stripe_forbids", Status(503, {{"Stripe-Should-Retry", "false"}}), kNo, kF, "503"},
        Row{"stripe_allows", Status(409, {{"Stripe-Should-Retry", "true"}}), kIdem, kS, "409"},
        Row{"stripe_on_success", Status(200, {{"Stripe-Should-Retry", "true"}}), kNo, kS, "200"}),
    [](const auto& row) { return row.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Errors, OutcomeTest,
    ::testing::Values(
        Row{"refused", Failure(ErrorCode::kConnection, kUnsent, kRemote, "refused"), kAny, kF,
            "connection:refused"},
        Row{"dns", Failure(ErrorCode::kConnection, kUnsent, kRemote, "dns"), kAny, kF,
            "connection:dns"},
        Row{"stale", Failure(ErrorCode::kConnection, kUnsent, kRemote, "send"), kAny, kN,
            "connection:send"},
        Row{"reset", Failure(ErrorCode::kConnection, kSent, kRemote, "reset"), kIdem, kF,
            "connection:reset"},
        Row{"no_reason", Failure(ErrorCode::kConnection, kSent, kRemote), kIdem, kF, "connection"},
        Row{"own_sockets", Failure(ErrorCode::kConnection, kUnsent, kLocal, "send"), kAny, kN,
            "connection:send"},
        Row{"timeout", Failure(ErrorCode::kTimeout, kSent, kRemote), kIdem, kF, "timeout"},
        Row{"connect_timeout", Failure(ErrorCode::kTimeout, kUnsent, kRemote), kAny, kF, "timeout"},
        Row{"DL9_deadline", Failure(ErrorCode::kDeadlineExceeded, kSent, kLocal), kNo, kN,
            "deadline"},
        Row{"deadline_and_timeout",
            Failure(ErrorCode::kDeadlineExceeded, kSent, kRemote, "attempt-timeout"), kNo, kF,
            "deadline"},
        Row{"cancelled", Failure(ErrorCode::kCancelled, kSent, kLocal), kNo, kC, "cancelled"},
        Row{"CB14_open", Failure(ErrorCode::kCircuitOpen, kUnsent, kLocal, "breaker-half-open"),
            kNo, kL, "breaker-open"},
        Row{"limited", Failure(ErrorCode::kRateLimited, kUnsent, kLocal), kNo, kL, "rate-limited"},
        Row{"full", Failure(ErrorCode::kOverloaded, kUnsent, kLocal), kNo, kL, "overloaded"},
        Row{"certificate", Failure(ErrorCode::kTls, kUnsent, kRemote), kNo, kN, "tls"},
        Row{"auth", Failure(ErrorCode::kAuth, kUnsent, kLocal), kNo, kN, "auth"},
        Row{"token_endpoint_down", Failure(ErrorCode::kTimeout, kUnsent, kLocal), kAny, kN,
            "timeout"},
        Row{"malformed", Failure(ErrorCode::kProtocol, Delivery::kAnswered, kRemote), kNo, kS,
            "protocol"},
        Row{"bug", Failure(ErrorCode::kInternal, kUnsent, kLocal), kNo, kN, "internal"}),
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

}  // namespace
}  // namespace understudy
