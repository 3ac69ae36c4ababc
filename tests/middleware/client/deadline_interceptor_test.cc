#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/middleware/client/client_test_support.h"

namespace understudy {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class DeadlineTest : public ::testing::Test {
 protected:
  // Total 2 s, attempt 500 ms, three attempts 100 ms and 200 ms apart.
  DeadlineTest() {
    ClientBuilder builder = w_.Builder();
    w_.Use(builder.TotalDeadline(seconds(2))
               .AttemptTimeout(milliseconds(500))
               .Retry(test::PlainRetry()));
  }
  Duration Remaining(std::size_t send) const {
    const test::SentRequest sent = w_.vendor.sent().at(send);
    return sent.deadline.Remaining(sent.at);
  }

  test::ClientWorld w_;
};

TEST_F(DeadlineTest, DL1_TooLittleTimeLeftFailsAtOnceAndSendsNothing) {
  const auto result = w_.Get({.timeout = milliseconds(1) - Duration(1)});
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::kDeadlineExceeded);
  EXPECT_EQ(result.error().delivery, Delivery::kNotSent);
  EXPECT_EQ(result.error().origin, Origin::kLocal);
  EXPECT_EQ(w_.vendor.sends(), 0u);
  EXPECT_THAT(w_.world.events.Lines("deadline"),
              ElementsAre("deadline operation=op phase=before-call"));
}

TEST_F(DeadlineTest, DL1_TheMinimumIsNotRoundedUp) {
  w_.vendor.Answer(200);
  ASSERT_TRUE(w_.Get({.timeout = milliseconds(1)}));
  EXPECT_EQ(Remaining(0), milliseconds(1));
}

TEST_F(DeadlineTest, DL2_TheDeadlineBelongsToTheCallAndNotToTheThread) {
  w_.vendor.Answer(200).Times(2);
  ASSERT_TRUE(w_.Get({.timeout = milliseconds(50)}));
  std::jthread([&] { EXPECT_TRUE(w_.Get({.timeout = milliseconds(70)})); }).join();
  EXPECT_EQ(Remaining(0), milliseconds(50));
  EXPECT_EQ(Remaining(1), milliseconds(70));
}

TEST_F(DeadlineTest, DL3_ACallersTimeoutTightensButNeverLoosens) {
  ClientBuilder builder = w_.Builder();
  w_.Use(builder.TotalDeadline(seconds(2)));
  w_.vendor.Answer(200).Times(2);
  ASSERT_TRUE(w_.Get({.timeout = hours(1)}));
  ASSERT_TRUE(w_.Get({.timeout = milliseconds(300)}));
  EXPECT_EQ(Remaining(0), seconds(2));
  EXPECT_EQ(Remaining(1), milliseconds(300));
}

TEST_F(DeadlineTest, DL3_ACarriedDeadlineTightensButNeverLoosens) {
  ClientBuilder builder = w_.Builder();
  w_.Use(builder.TotalDeadline(seconds(2)));
  w_.vendor.Answer(200).Times(4);
  const TimePoint now = w_.world.clock.Now();
  ASSERT_TRUE(w_.Get({.deadline = Deadline::After(now, hours(1))}));
  ASSERT_TRUE(w_.Get({.deadline = Deadline::After(now, milliseconds(300))}));
  ASSERT_TRUE(
      w_.Get({.timeout = milliseconds(200), .deadline = Deadline::After(now, milliseconds(300))}));
  ASSERT_TRUE(
      w_.Get({.timeout = milliseconds(400), .deadline = Deadline::After(now, milliseconds(300))}));
  EXPECT_EQ(Remaining(0), seconds(2));
  EXPECT_EQ(Remaining(1), milliseconds(300));
  EXPECT_EQ(Remaining(2), milliseconds(200));
  EXPECT_EQ(Remaining(3), milliseconds(300));
}

TEST_F(DeadlineTest, DL2_ACarriedDeadlineIsAPointAndDoesNotStartAnewWithTheCall) {
  w_.vendor.Answer(200);
  const Deadline outer = Deadline::After(w_.world.clock.Now(), milliseconds(400));
  w_.world.clock.Advance(milliseconds(150));
  ASSERT_TRUE(w_.Get({.deadline = outer}));
  EXPECT_EQ(Remaining(0), milliseconds(250));
}

TEST_F(DeadlineTest, DL1_ACarriedDeadlineThatHasPassedSendsNothing) {
  const Deadline outer = Deadline::After(w_.world.clock.Now(), milliseconds(100));
  w_.world.clock.Advance(milliseconds(100));
  const auto result = w_.Get({.deadline = outer});
  EXPECT_EQ(result.error().code, ErrorCode::kDeadlineExceeded);
  EXPECT_EQ(result.error().reason, "before-call");
  EXPECT_EQ(w_.vendor.sends(), 0u);
}

TEST_F(DeadlineTest, DL4_AnAttemptThatCannotFinishIsNotStarted) {
  ClientBuilder builder = w_.Builder();
  w_.Use(builder.TotalDeadline(seconds(1))
             .MinAttemptTime(milliseconds(200))
             .Retry(test::PlainRetry()));
  w_.vendor.Answer(503).After(milliseconds(701));
  w_.vendor.Answer(200);
  EXPECT_EQ(w_.Get()->status, 503);  // 299 ms left: 100 ms of waiting leave 199 ms.
  EXPECT_EQ(w_.vendor.sends(), 1u);
  EXPECT_EQ(w_.world.clock.Elapsed(), milliseconds(701));
}

TEST_F(DeadlineTest, DL4_EachAttemptGetsTheSmallerOfItsTimeoutAndWhatIsLeft) {
  w_.vendor.Hang().Times(3);
  EXPECT_FALSE(w_.Get({.timeout = milliseconds(1200)}));
  ASSERT_EQ(w_.vendor.sends(), 2u);
  // 500 ms, wait 100 ms, 500 ms; the wait of 200 ms does not fit the 100 ms left.
  EXPECT_EQ(Remaining(0), milliseconds(500));
  EXPECT_EQ(Remaining(1), milliseconds(500));
  EXPECT_EQ(w_.world.clock.Elapsed(), milliseconds(1100));
}

TEST_F(DeadlineTest, DL4_TheLastAttemptShrinksToTheTotal) {
  w_.vendor.Hang().Times(3);
  EXPECT_FALSE(w_.Get({.timeout = milliseconds(900)}));
  ASSERT_EQ(w_.vendor.sends(), 2u);
  EXPECT_EQ(Remaining(1), milliseconds(300));
  EXPECT_EQ(w_.world.clock.Elapsed(), milliseconds(900));
}

TEST_F(DeadlineTest, DL5_ACallLeavesNothingBehindForTheNext) {
  w_.vendor.Hang();
  w_.vendor.Answer(200);
  EXPECT_FALSE(w_.Get({.timeout = milliseconds(100)}));
  ASSERT_TRUE(w_.Get());
  EXPECT_EQ(Remaining(1), milliseconds(500));
}

// Looks at the context around the deadline layer.
class OuterLayer final : public Interceptor {
 public:
  explicit OuterLayer(std::vector<Deadline>& after) : after_(after) {}
  Result<http::Response> Intercept(http::Request& request, CallContext& context,
                                   Next next) override {
    Result<http::Response> result = next(request, context);
    after_.push_back(context.deadline());
    return result;
  }
  std::string Describe() const override { return "outer"; }

 private:
  std::vector<Deadline>& after_;
};

TEST_F(DeadlineTest, DL5_OuterLayersFindTheirOwnDeadlineAgainAlsoAfterARefusal) {
  std::vector<Deadline> after;
  ClientBuilder builder = w_.Builder();
  w_.Use(builder.TotalDeadline(seconds(2)).AddCallInterceptor(std::make_unique<OuterLayer>(after)));
  w_.vendor.Answer(200);
  EXPECT_TRUE(w_.Get());
  EXPECT_FALSE(w_.Get({.timeout = seconds(0)}));
  std::stop_source stopped;
  stopped.request_stop();
  EXPECT_EQ(w_.Get({.stop = stopped.get_token()}).error().code, ErrorCode::kCancelled);
  EXPECT_THAT(after, ElementsAre(Deadline::Never(), Deadline::Never(), Deadline::Never()));
}

TEST_F(DeadlineTest, DL6_TheTransportGetsAPointInTimeAndTheStopToken) {
  std::stop_source source;
  w_.vendor.Hang();
  w_.world.clock.At(milliseconds(30), [&] { source.request_stop(); });
  CallOptions options;
  options.stop = source.get_token();
  EXPECT_EQ(w_.Get(options).error().code, ErrorCode::kCancelled);
  EXPECT_EQ(w_.world.clock.Elapsed(), milliseconds(30));
}

TEST_F(DeadlineTest, DL7_AJumpOfTheWallClockChangesNothing) {
  w_.vendor.Call([&](const http::Request&) -> Result<http::Response> {
    w_.world.clock.JumpSystemClock(hours(5));
    return http::Response{503, {}, {}};
  });
  w_.vendor.Answer(200);
  EXPECT_EQ(w_.Get()->status, 200);
}

TEST_F(DeadlineTest, DL9_AnAttemptTimeoutIsRemoteAndRepeated) {
  w_.vendor.Hang();
  w_.vendor.Answer(200);
  EXPECT_EQ(w_.Get()->status, 200);
  EXPECT_EQ(w_.world.events.Named("retry").at(0).fields.at("reason"), "timeout");
}

TEST_F(DeadlineTest, DL9_TheTotalDeadlineIsItsOwnErrorAndNeverRepeated) {
  w_.vendor.Hang().Forever();
  const auto result = w_.Get({.timeout = milliseconds(200)});
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::kDeadlineExceeded);
  EXPECT_EQ(result.error().delivery, Delivery::kMaybeSent);
  EXPECT_EQ(w_.vendor.sends(), 1u);
  EXPECT_THAT(w_.world.events.Lines("deadline"),
              ElementsAre("deadline operation=op phase=attempt"));
}

TEST_F(DeadlineTest, DL9_TheLastAttemptTimeoutIsReportedAsTimeout) {
  w_.vendor.Hang().Forever();
  const auto result = w_.Get();
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::kTimeout);
  EXPECT_EQ(result.error().origin, Origin::kRemote);
  EXPECT_EQ(w_.vendor.sends(), 3u);
}

class DeadlineBreakerTest : public ::testing::Test {
 protected:
  void Use(Duration attempt) {
    ClientBuilder builder = w_.Builder();
    w_.Use(
        builder.TotalDeadline(milliseconds(200)).AttemptTimeout(attempt).Breaker({.failures = 1}));
  }
  test::ClientWorld w_;
};

TEST_F(DeadlineBreakerTest, DL9_TheCallersDeadlineDoesNotCountAgainstTheVendor) {
  Use(milliseconds(200));
  w_.vendor.Hang();
  w_.vendor.Answer(200);
  EXPECT_FALSE(w_.Get({.timeout = milliseconds(50)}));
  EXPECT_TRUE(w_.Get());
}

TEST_F(DeadlineBreakerTest, ADeadlineAfterAFullAttemptTimeoutCountsAgainstTheVendor) {
  Use(milliseconds(200));
  w_.vendor.Hang();
  EXPECT_EQ(w_.Get().error().code, ErrorCode::kDeadlineExceeded);
  EXPECT_EQ(w_.Get().error().code, ErrorCode::kCircuitOpen);
}

TEST_F(DeadlineBreakerTest, AnAttemptTimeoutCountsAgainstTheVendor) {
  Use(milliseconds(100));
  w_.vendor.Hang();
  EXPECT_EQ(w_.Get().error().code, ErrorCode::kTimeout);
  EXPECT_EQ(w_.Get().error().code, ErrorCode::kCircuitOpen);
}

struct BadDuration {
  std::string name;
  Duration value;
};
class DL10_UselessDurationTest : public ::testing::TestWithParam<BadDuration> {};

TEST_P(DL10_UselessDurationTest, IsRefusedByTheBuilder) {
  test::ClientWorld w;
  EXPECT_FALSE(w.Builder().TotalDeadline(GetParam().value).Build());
  EXPECT_FALSE(w.Builder().AttemptTimeout(GetParam().value).Build());
}

TEST_P(DL10_UselessDurationTest, FailsACallBeforeSending) {
  test::ClientWorld w;
  ClientBuilder builder = w.Builder();
  w.Use(builder);
  EXPECT_EQ(w.Get({.timeout = GetParam().value}).error().code, ErrorCode::kDeadlineExceeded);
  EXPECT_EQ(w.vendor.sends(), 0u);
}

INSTANTIATE_TEST_SUITE_P(Values, DL10_UselessDurationTest,
                         ::testing::Values(BadDuration{"zero", seconds(0)},
                                           BadDuration{"negative", seconds(-1)},
                                           BadDuration{"lowest", Duration::min()}),
                         [](const auto& row) { return row.param.name; });

}  // namespace
}  // namespace understudy
