#include "middleware/client/rate_limit_interceptor.h"

#include <memory>
#include <string>

#include <gtest/gtest.h>

#include "tests/support/scripted_transport.h"
#include "tests/support/test_runtime.h"

namespace understudy {
namespace {

using std::chrono::seconds;

class RateLimitInterceptorTest : public testing::Test {
 protected:
  void Use(const RateLimiterOptions& options) {
    layer_ = std::make_unique<RateLimitInterceptor>(options, OutcomeClassifier(), world_.runtime());
  }
  Result<http::Response> Call(const CallOptions& options = {},
                              Deadline deadline = Deadline::Never()) {
    CallContext context(options);
    context.TightenDeadline(deadline);
    http::Request request;
    return layer_->Intercept(request, context, Next({}, vendor_));
  }
  int Available() const { return layer_->Snapshot().available; }

  test::TestRuntime world_ = test::TestRuntime();
  test::ScriptedTransport vendor_ = test::ScriptedTransport(world_.clock);
  std::unique_ptr<RateLimitInterceptor> layer_;
};

TEST_F(RateLimitInterceptorTest, AnAttemptThatIsAdmittedAtOnceIsNoEvent) {
  Use({.burst = 2});
  vendor_.Answer(200);
  ASSERT_TRUE(Call());
  EXPECT_EQ(world_.events.Count("rate_limit"), 0u);
  EXPECT_EQ(Available(), 1);
}

TEST_F(RateLimitInterceptorTest, AnAttemptWaitsForItsPermitAndSaysSo) {
  Use({.permits = 1});
  vendor_.Answer(200).Times(2);
  ASSERT_TRUE(Call());
  ASSERT_TRUE(Call({.operation = "charges.create"}));
  EXPECT_EQ(world_.clock.Elapsed(), seconds(1));
  const auto event = world_.events.Named("rate_limit").at(0);
  EXPECT_EQ(event.fields.at("operation"), "charges.create");
  EXPECT_EQ(event.fields.at("decision"), "waited");
}

TEST_F(RateLimitInterceptorTest, AnAttemptThatWouldWaitTooLongIsRefusedAndNothingIsSent) {
  Use({.permits = 1});
  vendor_.Answer(200).Forever();
  ASSERT_TRUE(Call());
  const auto refused = Call({}, Deadline::After(world_.clock.Now(), seconds(1)));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kRateLimited);
  EXPECT_EQ(vendor_.sends(), 1u);
  EXPECT_EQ(world_.events.Named("rate_limit").at(0).fields.at("decision"), "refused");
}

TEST_F(RateLimitInterceptorTest, AnAttemptCostsWhatTheCallSaysAndAtLeastOne) {
  Use({.burst = 10});
  vendor_.Answer(200).Times(2);
  ASSERT_TRUE(Call({.cost = 4}));
  EXPECT_EQ(Available(), 6);
  ASSERT_TRUE(Call({.cost = -3}));
  EXPECT_EQ(Available(), 5);
}

TEST_F(RateLimitInterceptorTest, ACostThatTheLimitNeverGrantsIsAWrongArgument) {
  Use({.burst = 10});
  EXPECT_EQ(Call({.cost = 11}).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(vendor_.sends(), 0u);
}

TEST_F(RateLimitInterceptorTest, APermitComesBackIfNothingReachedTheVendor) {
  Use({});
  vendor_.Fail({.code = ErrorCode::kConnection, .origin = Origin::kRemote});
  ASSERT_FALSE(Call());
  EXPECT_EQ(Available(), 1);
}

TEST_F(RateLimitInterceptorTest, APermitIsSpentIfTheRequestMayHaveArrived) {
  Use({});
  vendor_.Fail({.code = ErrorCode::kConnection,
                .delivery = Delivery::kMaybeSent,
                .origin = Origin::kRemote});
  ASSERT_FALSE(Call());
  EXPECT_EQ(Available(), 0);
}

TEST_F(RateLimitInterceptorTest, DescribesWhatItsAlgorithmUses) {
  Use({.permits = 100, .burst = 10});
  EXPECT_EQ(layer_->Describe(), "rate limit: 100 per 1s, burst 10");
  Use({.permits = 5, .burst = 20, .algorithm = RateAlgorithm::kTokenBucket});
  EXPECT_EQ(layer_->Describe(), "rate limit: 5 per 1s, token-bucket, burst 20");
  Use({.permits = 5, .algorithm = RateAlgorithm::kSlidingWindow});
  EXPECT_EQ(layer_->Describe(), "rate limit: 5 per 1s, sliding-window");
}

}  // namespace
}  // namespace understudy
