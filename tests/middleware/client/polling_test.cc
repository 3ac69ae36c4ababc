#include "middleware/client/polling.h"

#include <chrono>
#include <functional>
#include <limits>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/middleware/client/client_test_support.h"

namespace understudy::test {
namespace {

using namespace std::chrono_literals;  // NOLINT: literals
using ::testing::HasSubstr;

class PollingTest : public testing::Test {
 protected:
  PollingTest() {
    ClientBuilder builder = world_.Builder();
    world_.Use(builder);
  }

  Result<PollEnd> Follow(const http::Response& accepted, PollOptions options = Plain()) {
    const Runtime runtime = world_.world.runtime();
    return PollOperation(*world_.client, runtime, accepted, std::move(options));
  }
  Result<PollEnd> Ask(const PollJudge& judge, PollOptions options = Plain()) {
    const Runtime runtime = world_.world.runtime();
    return Poll(*world_.client, runtime, "/v1/jobs/1", judge, std::move(options));
  }
  static PollOptions Plain() {
    PollOptions options;
    options.interval = 2s;
    options.interval_max = 4s;
    options.jitter = 0;
    options.within = 100s;
    return options;
  }
  static http::Response Accepted(std::string_view location = "/v1/jobs/1") {
    http::Response response{202, {}, {}};
    static_cast<void>(response.headers.Set("Location", location));
    return response;
  }
  static Result<PollState> ByStatus(const http::Response& response) {
    return response.body == "done" ? PollState::kDone
           : response.ok()         ? PollState::kPending
                                   : PollState::kFailed;
  }
  Duration Elapsed() { return world_.world.clock.Elapsed(); }

  ClientWorld world_;
};

TEST_F(PollingTest, QS8_FollowsAnAcceptedOperationToItsResult) {
  world_.vendor.Answer(202).Times(2);
  world_.vendor.Answer(303, {{"Location", "/v1/reports/9"}});
  world_.vendor.Answer(200);
  const auto end = Follow(Accepted());
  ASSERT_TRUE(end) << end.error().ToString();
  EXPECT_EQ(end->state, PollState::kDone);
  EXPECT_EQ(end->polls, 4);
  EXPECT_EQ(Elapsed(), 2s + 3s + 4s);  // Growing by a half to the cap; none before the result.
  EXPECT_EQ(world_.vendor.sent().at(0).request.url.path(), "/v1/jobs/1");
  EXPECT_EQ(world_.vendor.sent().at(3).request.url.path(), "/v1/reports/9");
}

TEST_F(PollingTest, WaitsAtLeastAsLongAsTheVendorAsks) {
  http::Response accepted = Accepted();
  static_cast<void>(accepted.headers.Set("Retry-After", "7"));
  world_.vendor.Answer(202, {{"Retry-After", "30"}});
  world_.vendor.Answer(200);
  ASSERT_TRUE(Follow(accepted));
  EXPECT_EQ(Elapsed(), 37s);
}

TEST_F(PollingTest, GivesUpAtOnceIfThePauseDoesNotFit) {
  world_.vendor.Answer(202, {{"Retry-After", "98"}});
  const auto end = Follow(Accepted());
  ASSERT_FALSE(end);
  EXPECT_EQ(end.error().code, ErrorCode::kDeadlineExceeded);
  EXPECT_EQ(end.error().reason, "poll-deadline");
  EXPECT_EQ(Elapsed(), 2s);
}

TEST_F(PollingTest, IsBoundedInNumber) {
  world_.vendor.Answer(202).Forever();
  PollOptions options = Plain();
  options.polls_max = 3;
  const auto end = Follow(Accepted(), options);
  ASSERT_FALSE(end);
  EXPECT_EQ(end.error().reason, "poll-count");
  EXPECT_EQ(world_.vendor.sent().size(), 3u);
}

TEST_F(PollingTest, NeverFollowsALocationToAnotherOrigin) {
  const auto end = Follow(Accepted("https://evil.example/steal"));
  ASSERT_FALSE(end);
  EXPECT_EQ(end.error().code, ErrorCode::kInvalidArgument);
  EXPECT_TRUE(world_.vendor.sent().empty());
}

TEST_F(PollingTest, A202WithoutALocationIsAnErrorAndAnother2xxIsDone) {
  EXPECT_EQ(Follow({202, {}, {}}).error().reason, "no-location");
  EXPECT_EQ(Follow({200, {}, {}}).value().state, PollState::kDone);
  EXPECT_EQ(Follow({400, {}, {}}).value().state, PollState::kFailed);
}

TEST_F(PollingTest, ARefusalIsAFailedOperation) {
  world_.vendor.Answer(404);
  const auto end = Follow(Accepted());
  ASSERT_TRUE(end);
  EXPECT_EQ(end->state, PollState::kFailed);
  EXPECT_EQ(end->response.status, 404);
}

TEST_F(PollingTest, AResultThatPointsOnwardsIsNotFollowedForEver) {
  world_.vendor.Answer(303, {{"Location", "/v1/a"}}).Forever();
  const auto end = Follow(Accepted());
  ASSERT_TRUE(end);
  EXPECT_EQ(end->state, PollState::kFailed);
  EXPECT_EQ(end->polls, 2);
}

TEST_F(PollingTest, ToleratesFailuresInARowUpToItsBound) {
  PollOptions options = Plain();
  options.failures_max = 2;
  world_.vendor.Answer(503).Times(2);
  world_.vendor.Answer(202);
  world_.vendor.Fail(ConnectionReset());
  world_.vendor.Answer(429);
  world_.vendor.Answer(200);
  EXPECT_TRUE(Follow(Accepted(), options));
  world_.vendor.Answer(503).Times(3);
  const auto end = Follow(Accepted(), options);
  ASSERT_FALSE(end);
  EXPECT_EQ(end.error().reason, "poll-failures");
  world_.vendor.Fail(ConnectionReset()).Times(3);
  EXPECT_EQ(Follow(Accepted(), options).error().code, ErrorCode::kConnection);
}

TEST_F(PollingTest, AJudgeDecidesForOtherConventions) {
  world_.vendor.Answer(200).Times(2);
  world_.vendor.Answer(404);
  const auto end = Ask(ByStatus);
  ASSERT_TRUE(end);
  EXPECT_EQ(end->state, PollState::kFailed);
  EXPECT_EQ(end->polls, 3);
  EXPECT_EQ(Elapsed(), 5s);  // The first look is at once.
  world_.vendor.Answer(200);
  const auto broken = Ask([](const http::Response&) -> Result<PollState> {
    return Error{.code = ErrorCode::kProtocol, .message = "not JSON"};
  });
  EXPECT_EQ(broken.error().code, ErrorCode::kProtocol);
  EXPECT_FALSE(Ask(nullptr));
}

TEST_F(PollingTest, AStopEndsIt) {
  std::stop_source stop;
  PollOptions options = Plain();
  options.call.stop = stop.get_token();
  world_.vendor.Answer(202).Forever();
  world_.world.clock.At(3s, [&] { stop.request_stop(); });
  const auto end = Follow(Accepted(), options);
  ASSERT_FALSE(end);
  EXPECT_EQ(end.error().code, ErrorCode::kCancelled);
  EXPECT_EQ(Elapsed(), 3s);
}

TEST_F(PollingTest, JitterMakesPausesLongerOnly) {
  PollOptions options = Plain();
  options.jitter = 0.5;  // The draw is 0.5.
  world_.vendor.Answer(200);
  ASSERT_TRUE(Follow(Accepted(), options));
  EXPECT_EQ(Elapsed(), 2500ms);
}

TEST_F(PollingTest, RefusesOptionsThatCannotWork) {
  PollOptions options = Plain();
  options.within = 0s;
  options.interval = 0s;
  options.interval_max = -1s;
  options.jitter = std::numeric_limits<double>::quiet_NaN();
  options.polls_max = 0;
  options.failures_max = -1;
  const auto end = Follow(Accepted(), options);
  ASSERT_FALSE(end);
  for (const char* name :
       {"within", "interval is", "interval_max", "jitter", "polls_max", "failures_max"}) {
    EXPECT_THAT(end.error().message, HasSubstr(name));
  }
}

}  // namespace
}  // namespace understudy::test
