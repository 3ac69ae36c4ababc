#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/middleware/client/client_test_support.h"

namespace understudy {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class RetryTest : public ::testing::Test {
 protected:
  RetryTest() { Use(test::PlainRetry()); }
  void Use(RetryOptions options) {
    ClientBuilder builder = w_.Builder();
    w_.Use(builder.Retry(std::move(options)));
  }

  test::ClientWorld w_;
};

TEST_F(RetryTest, RepeatsAGetUntilItSucceeds) {
  w_.vendor.Answer(503).Times(2);
  w_.vendor.Answer(200);
  EXPECT_EQ(w_.Get()->status, 200);
  EXPECT_EQ(w_.vendor.sends(), 3u);
  EXPECT_EQ(w_.world.clock.Elapsed(), milliseconds(300));
}

TEST_F(RetryTest, PublishesEachRetryWithTheAttemptThatStartsAndTheReason) {
  w_.vendor.Answer(503);
  w_.vendor.Fail(test::ConnectionReset());
  w_.vendor.Answer(200);
  ASSERT_TRUE(w_.Get());
  EXPECT_THAT(
      w_.world.events.Lines("retry"),
      ElementsAre("retry attempt=2 delay=100ms hint=false operation=op reason=503",
                  "retry attempt=3 delay=200ms hint=false operation=op reason=connection:reset"));
}

TEST_F(RetryTest, TellsTheTransportWhichAttemptItIs) {
  w_.vendor.Answer(503);
  w_.vendor.Answer(200);
  ASSERT_TRUE(w_.Get());
  EXPECT_EQ(w_.vendor.sent()[0].attempt, 1);
  EXPECT_EQ(w_.vendor.sent()[1].attempt, 2);
  EXPECT_EQ(w_.vendor.sent()[1].operation, "op");
  EXPECT_TRUE(w_.vendor.sent()[1].replayable);
}

TEST_F(RetryTest, ReturnsTheLastOutcomeWhenTheAttemptsAreUsedUp) {
  w_.vendor.Answer(503).Times(2);
  w_.vendor.Answer(502);
  EXPECT_EQ(w_.Get()->status, 502);
  EXPECT_EQ(w_.vendor.sends(), 3u);
  EXPECT_THAT(w_.report.ToString(), HasSubstr("no retry: 3 attempts were made"));
}

TEST_F(RetryTest, QS2_DoesNotRepeatAPostThatMayHaveBeenExecuted) {
  w_.vendor.Answer(503);
  EXPECT_EQ(w_.Post()->status, 503);
  w_.vendor.Fail(test::ConnectionReset());
  EXPECT_FALSE(w_.Post());
  EXPECT_EQ(w_.vendor.sends(), 2u);
  EXPECT_FALSE(w_.vendor.sent()[0].replayable);
  EXPECT_THAT(w_.report.ToString(), HasSubstr("may have been executed"));
}

TEST_F(RetryTest, RepeatsAPostThatWasProvablyNotSent) {
  w_.vendor.Fail(test::ConnectionRefused());
  w_.vendor.Answer(201);
  EXPECT_EQ(w_.Post()->status, 201);
}

TEST_F(RetryTest, QS2_RepeatsAKeyedPostWithTheSameKey) {
  w_.vendor.Answer(503);
  w_.vendor.Answer(201);
  EXPECT_EQ(w_.Post({.idempotency_key = "k1"})->status, 201);
  ASSERT_EQ(w_.vendor.sends(), 2u);
  for (const test::SentRequest& sent : w_.vendor.sent()) {
    EXPECT_EQ(sent.request.headers.Get("Idempotency-Key"), "k1");
    EXPECT_TRUE(sent.replayable);
  }
}

TEST_F(RetryTest, GeneratesOneKeyPerCallIfAsked) {
  RetryOptions options = test::PlainRetry();
  options.generate_idempotency_keys = true;
  Use(options);
  w_.vendor.Answer(503);
  w_.vendor.Answer(201);
  ASSERT_EQ(w_.Post()->status, 201);
  const auto sent = w_.vendor.sent();
  ASSERT_TRUE(sent[0].request.headers.Has("Idempotency-Key"));
  EXPECT_EQ(sent[0].request.headers.Get("Idempotency-Key"),
            sent[1].request.headers.Get("Idempotency-Key"));
}

TEST_F(RetryTest, GeneratesNoKeyForAGet) {
  RetryOptions options = test::PlainRetry();
  options.generate_idempotency_keys = true;
  Use(options);
  w_.vendor.Answer(200);
  ASSERT_TRUE(w_.Get());
  EXPECT_FALSE(w_.vendor.sent()[0].request.headers.Has("Idempotency-Key"));
}

TEST_F(RetryTest, PutsTheKeyIntoTheVendorsHeader) {
  RetryOptions options = test::PlainRetry();
  options.idempotency_header = "PayPal-Request-Id";
  Use(options);
  w_.vendor.Answer(201);
  ASSERT_TRUE(w_.Post({.idempotency_key = "k1"}));
  EXPECT_EQ(w_.vendor.sent()[0].request.headers.Get("PayPal-Request-Id"), "k1");
}

TEST_F(RetryTest, RefusesAKeyThatIsNoHeaderValue) {
  EXPECT_EQ(w_.Post({.idempotency_key = "k1\r\nX-Evil: 1"}).error().code,
            ErrorCode::kInvalidArgument);
  EXPECT_EQ(w_.Post({.idempotency_key = ""}).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(w_.vendor.sends(), 0u);
}

TEST_F(RetryTest, NeverRetriesBeforeRetryAfter) {
  w_.vendor.Answer(429, {{"Retry-After", "2"}});
  w_.vendor.Answer(200);
  ASSERT_TRUE(w_.Get());
  const auto sent = w_.vendor.sent();
  EXPECT_GE(sent[1].at - sent[0].at, seconds(2));
  EXPECT_EQ(w_.world.events.Named("retry").at(0).fields.at("hint"), "true");
}

TEST_F(RetryTest, DoesNotSleepForAHintThatDoesNotFitTheDeadline) {
  w_.vendor.Answer(503, {{"Retry-After", "30"}});
  EXPECT_EQ(w_.Get({.timeout = seconds(2)})->status, 503);
  EXPECT_EQ(w_.world.clock.Elapsed(), seconds(0));
  EXPECT_THAT(w_.report.ToString(), HasSubstr("no retry: waiting 30s does not fit the 2s left"));
  EXPECT_THAT(w_.world.events.Lines("deadline"),
              ElementsAre("deadline operation=op phase=backoff"));
}

TEST_F(RetryTest, ObeysStripeShouldRetry) {
  w_.vendor.Answer(503, {{"Stripe-Should-Retry", "false"}});
  EXPECT_EQ(w_.Get()->status, 503);
  w_.vendor.Answer(409, {{"Stripe-Should-Retry", "true"}});
  w_.vendor.Answer(200);
  EXPECT_EQ(w_.Post({.idempotency_key = "k"})->status, 200);
}

TEST_F(RetryTest, ReturnsTheLastOutcomeWhenTheBudgetIsUsedUp) {
  RetryOptions options = test::PlainRetry(10);
  options.budget = std::make_shared<RetryBudget>(
      RetryBudgetOptions{.ratio = 0, .minimum_per_minute = 0, .capacity = 2, .initial = 2},
      w_.world.clock);
  Use(options);
  w_.vendor.Answer(503).Forever();
  EXPECT_EQ(w_.Get()->status, 503);
  EXPECT_EQ(w_.vendor.sends(), 3u);
  EXPECT_THAT(w_.report.ToString(), HasSubstr("no retry: the retry budget is used up"));
}

TEST_F(RetryTest, DepositsOncePerCallAndNotPerAttempt) {
  RetryOptions options = test::PlainRetry(3);
  options.budget = std::make_shared<RetryBudget>(
      RetryBudgetOptions{.ratio = 1, .minimum_per_minute = 0, .capacity = 100, .initial = 0},
      w_.world.clock);
  Use(options);
  w_.vendor.Answer(503).Forever();
  ASSERT_TRUE(w_.Get());
  EXPECT_EQ(w_.vendor.sends(), 2u);  // One call, one token, one retry.
}

TEST_F(RetryTest, AStopEndsTheWait) {
  std::stop_source source;
  w_.vendor.Answer(503);
  w_.world.clock.At(milliseconds(40), [&] { source.request_stop(); });
  CallOptions options;
  options.stop = source.get_token();
  const auto result = w_.Get(options);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::kCancelled);
  EXPECT_EQ(w_.world.clock.Elapsed(), milliseconds(40));
}

struct FinalError {
  std::string name;
  ErrorCode code;
};
class FinalErrorTest : public ::testing::TestWithParam<FinalError> {};

TEST_P(FinalErrorTest, IsNeverRepeated) {
  test::ClientWorld w;
  ClientBuilder builder = w.Builder();
  w.Use(builder.Retry(test::PlainRetry()));
  w.vendor.Fail({GetParam().code, "m", Delivery::kNotSent, Origin::kLocal, {}, {}}).Forever();
  EXPECT_EQ(w.Get().error().code, GetParam().code);
  EXPECT_EQ(w.vendor.sends(), 1u);
}

INSTANTIATE_TEST_SUITE_P(
    Local, FinalErrorTest,
    ::testing::Values(FinalError{"invalid_argument", ErrorCode::kInvalidArgument},
                      FinalError{"auth", ErrorCode::kAuth}, FinalError{"tls", ErrorCode::kTls},
                      FinalError{"deadline", ErrorCode::kDeadlineExceeded},
                      FinalError{"cancelled", ErrorCode::kCancelled}),
    [](const auto& row) { return row.param.name; });

}  // namespace
}  // namespace understudy
