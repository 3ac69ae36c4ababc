// TokenManager with many real threads: single flight, shared outcomes, waiters' own deadlines. The
// clock is a fake that blocks threads until the test moves it, so nothing here depends on timing.
#include <atomic>
#include <chrono>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "middleware/auth/token_manager.h"
#include "middleware/store/in_memory_token_store.h"
#include "tests/middleware/auth/fake_token_source.h"
#include "tests/support/test_runtime.h"

namespace understudy::test {
namespace {

using std::chrono::hours;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::Pair;

class TokenManagerConcurrencyTest : public testing::Test {
 protected:
  TokenManagerConcurrencyTest() { source_.set_latency(seconds(5)); }

  // Counts what the callers got.
  void Note(const Result<TokenSnapshot>& token) {
    const std::lock_guard lock(mutex_);
    ++outcomes_[token ? std::string((*token)->access_token.Reveal())
                      : std::string(ToString(token.error().code))];
  }
  std::jthread Caller(Deadline deadline = {}, const std::stop_token& stop = {}) {
    return std::jthread([this, deadline, stop] { Note(manager_.GetToken(deadline, stop)); });
  }
  std::vector<std::jthread> Callers(int count) {
    std::vector<std::jthread> callers;
    for (int i = 0; i < count; ++i) callers.push_back(Caller());
    return callers;
  }
  Deadline In(Duration duration) const { return Deadline::After(world_.clock.Now(), duration); }
  std::size_t Count(const std::string& phase) const {
    std::size_t count = 0;
    for (const auto& event : world_.events.Named("token.refresh")) {
      if (event.fields.at("phase") == phase) ++count;
    }
    return count;
  }

  TestRuntime world_{FakeClock::Waits::kBlock};
  FakeTokenSource source_{world_.clock};
  InMemoryTokenStore store_;
  TokenManager manager_{world_.runtime(), source_, store_, {}};
  std::mutex mutex_;
  std::map<std::string, int> outcomes_;
};

TEST_F(TokenManagerConcurrencyTest, OA3_FiftyCallersShareOneRefresh) {
  {
    const auto callers = Callers(50);
    world_.clock.AwaitSleepers(50);
    world_.clock.Advance(seconds(5));
  }
  EXPECT_THAT(outcomes_, ElementsAre(Pair("access-1", 50)));
  EXPECT_EQ(source_.sent().size(), 1u);
  EXPECT_EQ(Count("started"), 1u);
  EXPECT_EQ(Count("succeeded"), 1u);
  EXPECT_EQ(Count("joined"), 49u);
}

TEST_F(TokenManagerConcurrencyTest, OA4_FiftyCallersShareOneFailure) {
  source_.Fail(Error{.code = ErrorCode::kConnection, .message = "503", .reason = "503"});
  {
    const auto callers = Callers(50);
    world_.clock.AwaitSleepers(50);
    world_.clock.Advance(seconds(5));
  }
  EXPECT_THAT(outcomes_, ElementsAre(Pair("connection", 50)));
  EXPECT_EQ(source_.sent().size(), 1u);
}

TEST_F(TokenManagerConcurrencyTest, OA3_InTheEarlyWindowOneCallerRefreshesAndTheOthersAreServed) {
  source_.set_latency(Duration::zero());
  ASSERT_TRUE(manager_.GetToken({}, {}).has_value());
  source_.set_latency(seconds(5));
  world_.clock.Advance(hours(1) - seconds(60));
  {
    const std::jthread refresher = Caller();
    world_.clock.AwaitSleepers(1);
    Callers(20).clear();  // They end without the clock moving.
    EXPECT_THAT(outcomes_, ElementsAre(Pair("access-1", 20)));
    world_.clock.Advance(seconds(5));
  }
  EXPECT_THAT(outcomes_, ElementsAre(Pair("access-1", 20), Pair("access-2", 1)));
  EXPECT_EQ(Count("joined"), 0u);
}

TEST_F(TokenManagerConcurrencyTest, OA4_AWaiterGivesUpAtItsOwnDeadline) {
  const std::jthread leader = Caller();
  world_.clock.AwaitSleepers(1);
  {
    const std::jthread waiter = Caller(In(seconds(2)));
    world_.clock.AwaitSleepers(2);
    world_.clock.Advance(seconds(2));
  }
  EXPECT_THAT(outcomes_, ElementsAre(Pair("deadline-exceeded", 1)));
  world_.clock.Advance(seconds(3));
}

TEST_F(TokenManagerConcurrencyTest, OA4_AWaiterCanBeStopped) {
  std::stop_source stop;
  const std::jthread leader = Caller();
  world_.clock.AwaitSleepers(1);
  {
    const std::jthread waiter = Caller({}, stop.get_token());
    world_.clock.AwaitSleepers(2);
    stop.request_stop();
  }
  EXPECT_THAT(outcomes_, ElementsAre(Pair("cancelled", 1)));
  world_.clock.Advance(seconds(5));
}

TEST_F(TokenManagerConcurrencyTest, OA13_TheFirstCallersDeadlineDoesNotEndTheRefresh) {
  const std::jthread patient = [&] {
    const std::jthread first = Caller(In(seconds(1)));  // Shorter than refresh_timeout.
    world_.clock.AwaitSleepers(2);                      // The caller and the refresh.
    std::jthread second = Caller();
    world_.clock.AwaitSleepers(3);
    world_.clock.Advance(seconds(1));
    return second;
  }();
  EXPECT_THAT(outcomes_, ElementsAre(Pair("deadline-exceeded", 1)));
  world_.clock.Advance(seconds(4));
  EXPECT_EQ(source_.sent().size(), 1u);
}

TEST_F(TokenManagerConcurrencyTest, OA13_TheFirstCallersStopDoesNotEndTheRefresh) {
  std::stop_source stop;
  {
    const std::jthread first = Caller({}, stop.get_token());
    world_.clock.AwaitSleepers(2);
    stop.request_stop();
  }
  EXPECT_THAT(outcomes_, ElementsAre(Pair("cancelled", 1)));
  {
    const std::jthread second = Caller();
    world_.clock.AwaitSleepers(2);
    world_.clock.Advance(seconds(5));
  }
  EXPECT_THAT(outcomes_, ElementsAre(Pair("access-1", 1), Pair("cancelled", 1)));
  EXPECT_EQ(source_.sent().size(), 1u);
}

TEST_F(TokenManagerConcurrencyTest, OA5_ManyRejectionsOfOneTokenCauseOneRefresh) {
  source_.set_latency(Duration::zero());
  ASSERT_TRUE(manager_.GetToken({}, {}).has_value());
  source_.set_latency(seconds(5));
  world_.clock.Advance(seconds(10));
  {
    std::vector<std::jthread> callers;
    for (int i = 0; i < 20; ++i) {
      callers.emplace_back([&] { Note(manager_.HandleRejected("access-1", {}, {})); });
    }
    world_.clock.AwaitSleepers(20);
    world_.clock.Advance(seconds(5));
  }
  EXPECT_THAT(outcomes_, ElementsAre(Pair("access-2", 20)));
  EXPECT_EQ(source_.sent().size(), 2u);
}

TEST_F(TokenManagerConcurrencyTest, TheDestructorEndsABackgroundRefresh) {
  FakeTokenSource source(world_.clock);
  source.set_latency(hours(1));
  TokenManager manager(world_.runtime(), source, store_, {});
  const std::jthread caller([&] { Note(manager.GetToken(In(seconds(1)), {})); });
  world_.clock.AwaitSleepers(2);
  world_.clock.Advance(seconds(1));
}

// No fake latency: threads race freely over tokens that live for 10 ms of a clock that another
// thread moves.
TEST_F(TokenManagerConcurrencyTest, FreelyRacingCallersNeverSeeAnExpiredToken) {
  source_.set_latency(Duration::zero());
  source_.set_lifetime(std::chrono::milliseconds(10));
  std::atomic<bool> done = false;
  std::atomic<int> stale = 0;
  std::vector<std::jthread> callers;
  for (int i = 0; i < 4; ++i) {
    callers.emplace_back([&, i] {
      for (int j = 0; j < 500; ++j) {
        const SystemTime before = world_.clock.SystemNow();
        const auto token = manager_.GetToken({}, {});
        if (!token || *(*token)->expires_at <= before) ++stale;
        if (i == 0) world_.clock.Advance(std::chrono::milliseconds(1));
      }
    });
  }
  callers.clear();
  EXPECT_EQ(stale, 0);
  EXPECT_EQ(Count("started"), Count("succeeded"));
}

}  // namespace
}  // namespace understudy::test
