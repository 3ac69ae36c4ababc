// A call's layers share one reading of the clock between two waits (ADR 0011). Each of these fails
// if the layer that it names forgets to say that it has waited: what comes after it would count
// from before.
#include <optional>
#include <thread>

#include <gtest/gtest.h>

#include "tests/middleware/client/client_test_support.h"

namespace understudy {
namespace {

using namespace std::chrono_literals;  // NOLINT: literals
using test::FakeClock;

// An attempt has this long, from when it starts.
constexpr Duration kAttempt = 500ms;

Duration LeftWhenSent(const test::ScriptedTransport& vendor, std::size_t send) {
  const test::SentRequest sent = vendor.sent().at(send);
  return sent.deadline.Remaining(sent.at);
}

// A layer of the user's that knows nothing of readings.
class Sleeper final : public Interceptor {
 public:
  Sleeper(Clock& clock, Duration before, Duration after)
      : clock_(clock), before_(before), after_(after) {}
  Result<http::Response> Intercept(http::Request& request, CallContext& context,
                                   Next next) override {
    clock_.SleepUntil(clock_.Now() + before_);
    Result<http::Response> result = next(request, context);
    clock_.SleepUntil(clock_.Now() + after_);
    return result;
  }
  std::string Describe() const override { return "sleeper"; }

 private:
  Clock& clock_;
  const Duration before_;
  const Duration after_;
};

TEST(SharedClockReadingTest, AnAttemptCountsFromAfterTheLimitersWait) {
  test::ClientWorld w;
  ClientBuilder builder = w.Builder();
  w.Use(builder.TotalDeadline(10s).AttemptTimeout(kAttempt).RateLimit({.permits = 1, .per = 1s}));
  w.vendor.Answer(200).Forever();
  ASSERT_TRUE(w.Get());
  ASSERT_TRUE(w.Get());
  EXPECT_EQ(w.world.clock.Elapsed(), 1s);
  EXPECT_EQ(LeftWhenSent(w.vendor, 1), kAttempt);
}

TEST(SharedClockReadingTest, AnAttemptCountsFromAfterTheWaitForTheQuota) {
  test::ClientWorld w;
  ClientBuilder builder = w.Builder();
  w.Use(builder.TotalDeadline(60s).AttemptTimeout(kAttempt).Quota({.wait_max = 30s}));
  w.vendor.Answer(
      200,
      {{"X-RateLimit-Limit", "1"}, {"X-RateLimit-Remaining", "0"}, {"X-RateLimit-Reset", "3"}});
  w.vendor.Answer(200);
  ASSERT_TRUE(w.Get());
  ASSERT_TRUE(w.Get());
  EXPECT_GE(w.world.clock.Elapsed(), 3s);
  EXPECT_EQ(LeftWhenSent(w.vendor, 1), kAttempt);
}

TEST(SharedClockReadingTest, AnAttemptCountsFromAfterASleepOfAUsersLayer) {
  test::ClientWorld w;
  ClientBuilder builder = w.Builder();
  w.Use(builder.TotalDeadline(10s).AttemptTimeout(kAttempt).AddCallInterceptor(
      std::make_unique<Sleeper>(w.world.clock, 2s, 0s)));
  w.vendor.Answer(200);
  ASSERT_TRUE(w.Get());
  EXPECT_EQ(LeftWhenSent(w.vendor, 0), kAttempt);
}

TEST(SharedClockReadingTest, ACallLastsAsLongAsAUsersLayerSleepsAfterTheAnswer) {
  test::ClientWorld w;
  ClientBuilder builder = w.Builder();
  w.Use(builder.TotalDeadline(10s).AddCallInterceptor(
      std::make_unique<Sleeper>(w.world.clock, 0s, 2s)));
  w.vendor.Answer(200);
  ASSERT_TRUE(w.Get());
  EXPECT_EQ(w.report.duration, 2s);
}

// Several callers at once; time moves when the test says so.
struct ConcurrentWorld {
  explicit ConcurrentWorld(const std::function<void(ClientBuilder&)>& configure) {
    ClientBuilder builder(world.runtime(), vendor, "vendor");
    builder.BaseUrl("https://api.vendor.example").TotalDeadline(60s);
    configure(builder);
    client = builder.Build().value();
  }
  std::jthread Caller(CallReport* report = nullptr, CallOptions options = {}) {
    return std::jthread([this, report, options = std::move(options)]() mutable {
      CallReport own;
      auto request = client->NewRequest(http::Method::Get(), "/v1/things/1");
      static_cast<void>(
          client->Call(*std::move(request), std::move(options), report != nullptr ? *report : own));
    });
  }

  test::TestRuntime world{FakeClock::Waits::kBlock};
  test::ScriptedTransport vendor{world.clock};
  std::unique_ptr<Client> client;
};

TEST(SharedClockReadingTest, AnAttemptCountsFromAfterTheQueueOfTheBulkhead) {
  ConcurrentWorld w([](ClientBuilder& builder) {
    builder.AttemptTimeout(kAttempt).Bulkhead({.concurrent_max = 1});
  });
  w.vendor.Answer(200).After(300ms);
  w.vendor.Answer(200);
  std::jthread first = w.Caller();
  w.world.clock.AwaitSleepers(1);
  std::jthread second = w.Caller();
  w.world.clock.AwaitSleepers(2);
  w.world.clock.Advance(300ms);
  first.join();
  second.join();
  EXPECT_EQ(LeftWhenSent(w.vendor, 1), kAttempt);
}

TEST(SharedClockReadingTest, AnAttemptCountsFromAfterTheWaitForAnEqualCall) {
  ConcurrentWorld w([](ClientBuilder& builder) { builder.AttemptTimeout(kAttempt).Cache({}); });
  w.vendor.Hang();  // Of the leader, which gives up at its own deadline.
  w.vendor.Answer(200);
  std::jthread leader = w.Caller(nullptr, {.timeout = 300ms});
  w.world.clock.AwaitSleepers(1);
  std::jthread follower = w.Caller();
  w.world.clock.AwaitSleepers(2);
  w.world.clock.Advance(300ms);
  leader.join();
  follower.join();
  ASSERT_EQ(w.vendor.sends(), 2U);
  EXPECT_EQ(LeftWhenSent(w.vendor, 1), kAttempt);
}

TEST(SharedClockReadingTest, ACallLastsUntilItsHedgeHasAnswered) {
  ConcurrentWorld w([](ClientBuilder& builder) { builder.Hedge({.after = 100ms}); });
  w.vendor.Answer(503).After(150ms);
  w.vendor.Answer(200).After(200ms);
  CallReport report;
  std::jthread caller = w.Caller(&report);
  w.world.clock.AwaitSleepers(2);  // The hedges' timer, and the first request.
  w.world.clock.Advance(100ms);
  w.world.clock.AwaitSleepers(3);
  w.world.clock.Advance(50ms);  // The first request has failed.
  w.world.clock.AwaitSleepers(3);
  w.world.clock.Advance(150ms);
  caller.join();
  EXPECT_EQ(report.sends, 2);
  EXPECT_EQ(report.duration, 300ms);
}

}  // namespace
}  // namespace understudy
