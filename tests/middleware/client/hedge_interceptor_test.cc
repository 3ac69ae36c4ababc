#include "middleware/client/hedge_interceptor.h"

#include <optional>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/middleware/client/client_test_support.h"

namespace understudy {
namespace {

using namespace std::chrono_literals;  // NOLINT: literals
using test::FakeClock;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

// Requests run on threads; the clock stands still until the test moves it, once everybody waits.
class HedgeTest : public ::testing::Test {
 protected:
  void Build(const HedgeOptions& options, std::optional<RetryOptions> retry = {}) {
    ClientBuilder builder(world_.runtime(), vendor_, "vendor");
    builder.BaseUrl("https://api.vendor.example").Hedge(options).TotalDeadline(10s);
    if (retry) builder.Retry(*retry);
    client_ = builder.Build().value();
  }
  // Calls on a thread of its own.
  void Start(http::Method method = http::Method::Get(), CallOptions options = {}) {
    caller_ = std::jthread([this, method, options = std::move(options)]() mutable {
      auto request = client_->NewRequest(method, "/v1/orders");
      result_.emplace(client_->Call(*std::move(request), std::move(options), report_));
    });
  }
  // The timer and `requests` requests, of which the first is the caller, wait.
  void AwaitRequests(std::size_t requests) { world_.clock.AwaitSleepers(1 + requests); }
  Result<http::Response> Finish() {
    caller_.join();
    return *std::move(result_);
  }

  test::TestRuntime world_{FakeClock::Waits::kBlock};
  test::ScriptedTransport vendor_{world_.clock};
  std::unique_ptr<Client> client_;
  CallReport report_;
  std::optional<Result<http::Response>> result_;
  std::jthread caller_;
};

TEST_F(HedgeTest, AnAnswerInTimeIsNotHedged) {
  Build({.after = 300ms});
  vendor_.Answer(200).After(299ms);
  Start();
  AwaitRequests(1);
  world_.clock.Advance(299ms);
  EXPECT_EQ(Finish()->status, 200);
  EXPECT_EQ(vendor_.sent().size(), 1u);
  EXPECT_TRUE(world_.events.Named("hedge").empty());
}

TEST_F(HedgeTest, TheAnswerOfTheHedgeWinsAndTheFirstRequestIsStopped) {
  Build({.after = 300ms});
  vendor_.Hang();
  vendor_.Answer(200, {}, "hedge").After(50ms);
  Start();
  AwaitRequests(1);
  world_.clock.Advance(300ms);
  AwaitRequests(2);
  world_.clock.Advance(50ms);
  const Result<http::Response> result = Finish();
  EXPECT_EQ(result->body, "hedge");
  EXPECT_EQ(report_.sends, 2);
  EXPECT_THAT(world_.events.Lines("hedge"),
              ElementsAre(HasSubstr("decision=sent"), HasSubstr("decision=won")));
  EXPECT_THAT(report_.ToString(), HasSubstr("hedge 1 won"));
}

TEST_F(HedgeTest, TheFirstRequestCanStillWin) {
  Build({.after = 300ms});
  vendor_.Answer(200, {}, "first").After(310ms);
  vendor_.Hang();
  Start();
  AwaitRequests(1);
  world_.clock.Advance(300ms);
  AwaitRequests(2);
  world_.clock.Advance(10ms);
  EXPECT_EQ(Finish()->body, "first");
  EXPECT_THAT(world_.events.Lines("hedge"), ElementsAre(HasSubstr("decision=sent")));
}

TEST_F(HedgeTest, ACallThatMayNotBeRepeatedIsNotHedged) {
  Build({.after = 300ms});
  vendor_.Answer(200).After(400ms);
  Start(http::Method::Post());
  AwaitRequests(1);
  world_.clock.Advance(400ms);
  EXPECT_EQ(Finish()->status, 200);
  EXPECT_EQ(vendor_.sent().size(), 1u);
}

TEST_F(HedgeTest, AKeyedCallIsHedgedWithTheSameKey) {
  Build({.after = 300ms});
  vendor_.Hang();
  vendor_.Answer(201).After(1ms);
  Start(http::Method::Post(), {.idempotency_key = "k1"});
  AwaitRequests(1);
  world_.clock.Advance(300ms);
  AwaitRequests(2);
  world_.clock.Advance(1ms);
  EXPECT_EQ(Finish()->status, 201);
  for (const test::SentRequest& sent : vendor_.sent()) {
    EXPECT_EQ(sent.request.headers.Get("Idempotency-Key"), "k1");
  }
}

TEST_F(HedgeTest, AHedgeThatFailsDoesNotHarmTheFirstRequest) {
  Build({.after = 300ms});
  vendor_.Answer(200, {}, "first").After(1s);
  vendor_.Answer(503).After(10ms);
  Start();
  AwaitRequests(1);
  world_.clock.Advance(300ms);
  AwaitRequests(2);
  world_.clock.Advance(10ms);
  AwaitRequests(1);
  world_.clock.Advance(690ms);
  EXPECT_EQ(Finish()->body, "first");
}

TEST_F(HedgeTest, AFirstRequestThatFailsEarlyIsNotHedged) {
  Build({.after = 300ms});
  vendor_.Answer(503).After(100ms);
  Start();
  AwaitRequests(1);
  world_.clock.Advance(100ms);
  EXPECT_EQ(Finish()->status, 503);
  EXPECT_EQ(vendor_.sent().size(), 1u);
}

TEST_F(HedgeTest, AFirstRequestThatFailsWaitsForItsHedge) {
  Build({.after = 300ms});
  vendor_.Answer(503).After(310ms);
  vendor_.Answer(200, {}, "hedge").After(100ms);
  Start();
  AwaitRequests(1);
  world_.clock.Advance(300ms);
  AwaitRequests(2);
  world_.clock.Advance(10ms);
  AwaitRequests(1);
  world_.clock.Advance(90ms);
  EXPECT_EQ(Finish()->body, "hedge");
}

TEST_F(HedgeTest, AnEmptyBudgetDeniesTheHedgeAndLeavesTheRequestAlone) {
  const auto budget = std::make_shared<RetryBudget>(
      RetryBudgetOptions{.ratio = 0.0, .minimum_per_minute = 0, .capacity = 1, .initial = 0},
      world_.clock);
  Build({.after = 300ms, .budget = budget});
  vendor_.Answer(200).After(2s);
  Start();
  AwaitRequests(1);
  world_.clock.Advance(300ms);
  while (world_.events.Named("hedge").empty()) std::this_thread::yield();
  world_.clock.Advance(1700ms);
  EXPECT_EQ(Finish()->status, 200);
  EXPECT_THAT(world_.events.Lines("hedge"), ElementsAre(HasSubstr("decision=denied")));
}

TEST_F(HedgeTest, SeveralHedgesGoOutOneAfterTheOther) {
  Build({.after = 300ms, .hedges_max = 2});
  vendor_.Hang();
  vendor_.Hang();
  vendor_.Answer(200).After(1ms);
  Start();
  AwaitRequests(1);
  world_.clock.Advance(300ms);
  AwaitRequests(2);
  world_.clock.Advance(300ms);
  AwaitRequests(3);
  world_.clock.Advance(1ms);
  EXPECT_EQ(Finish()->status, 200);
  EXPECT_EQ(vendor_.sent().size(), 3u);
}

TEST_F(HedgeTest, TheCallersStopEndsTheRace) {
  Build({.after = 300ms});
  vendor_.Hang();
  std::stop_source stop;
  Start(http::Method::Get(), {.stop = stop.get_token()});
  AwaitRequests(1);
  stop.request_stop();
  EXPECT_EQ(Finish().error().code, ErrorCode::kCancelled);
}

TEST_F(HedgeTest, TheDeadlineOfTheCallEndsTheRace) {
  Build({.after = 300ms});
  vendor_.Hang();
  vendor_.Hang();
  Start();
  AwaitRequests(1);
  world_.clock.Advance(300ms);
  AwaitRequests(2);
  world_.clock.Advance(9700ms);
  EXPECT_EQ(Finish().error().code, ErrorCode::kDeadlineExceeded);
}

TEST_F(HedgeTest, OptionsThatCannotWorkAreRefused) {
  ClientBuilder builder(world_.runtime(), vendor_, "vendor");
  builder.Hedge({.after = 0s, .hedges_max = 0});
  const auto client = builder.Build();
  ASSERT_FALSE(client);
  EXPECT_THAT(client.error().message, HasSubstr("hedge.after is 0"));
  EXPECT_THAT(client.error().message, HasSubstr("hedge.hedges_max is 0"));
}

TEST_F(HedgeTest, AHedgeThatWouldComeAfterTheAttemptTimeoutIsRefused) {
  ClientBuilder builder(world_.runtime(), vendor_, "vendor");
  builder.Hedge({.after = 3s}).AttemptTimeout(3s);
  EXPECT_THAT(builder.Build().error().message, HasSubstr("hedge.after, 3s"));
}

}  // namespace
}  // namespace understudy
