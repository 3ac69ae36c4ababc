#include "middleware/auth/token_manager.h"

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "middleware/store/in_memory_token_store.h"
#include "tests/middleware/auth/fake_token_source.h"
#include "tests/support/test_runtime.h"

namespace understudy::test {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// A store whose operations fail while the test says so.
class FlakyTokenStore final : public TokenStore {
 public:
  Result<std::optional<TokenSet>> Load(std::string_view key) override {
    if (fail_load) return Broken();
    return inner.Load(key);
  }
  Result<std::uint64_t> Save(std::string_view key, const TokenSet& tokens,
                             std::uint64_t expected) override {
    if (before_save) std::exchange(before_save, nullptr)();
    ++saves;
    if (fail_saves > 0) {
      --fail_saves;
      return Broken();
    }
    return inner.Save(key, tokens, expected);
  }

  InMemoryTokenStore inner;
  bool fail_load = false;
  int fail_saves = 0;
  int saves = 0;
  std::function<void()> before_save;

 private:
  static Error Broken() {
    return Error{.code = ErrorCode::kStorage, .message = "disk full", .reason = "io"};
  }
};

class RecordingLogger final : public Logger {
 public:
  void Log(LogLevel level, std::string_view, std::string_view message) override {
    lines.push_back(std::string(ToString(level)) + " " + std::string(message));
  }
  std::vector<std::string> lines;
};

Error Transient(std::optional<Duration> retry_after = std::nullopt) {
  return Error{.code = ErrorCode::kConnection,
               .message = "token endpoint answered 503",
               .delivery = Delivery::kAnswered,
               .origin = Origin::kRemote,
               .retry_after = retry_after,
               .reason = "503"};
}

Error DeadGrant() {
  return Error{.code = ErrorCode::kAuth,
               .message = "token endpoint answered 400: invalid_grant",
               .delivery = Delivery::kAnswered,
               .origin = Origin::kRemote,
               .reason = "invalid_grant"};
}

class TokenManagerTest : public testing::Test {
 protected:
  TokenManager Manager(TokenManagerOptions options = {}) {
    options.key = "acme";
    return TokenManager(
        Runtime{world_.clock, world_.executor, world_.random, logger_, world_.events}, source_,
        store_, std::move(options));
  }

  // As a login or another process would.
  void Store(const std::string& access, const std::string& refresh, Duration lifetime) {
    TokenSet tokens;
    tokens.access_token = Secret(access);
    tokens.refresh_token = Secret(refresh);
    tokens.issued_at = world_.clock.SystemNow();
    tokens.expires_at = tokens.issued_at + lifetime;
    const auto stored = store_.inner.Load("acme");
    const std::uint64_t version = *stored ? (*stored)->version : 0;
    ASSERT_TRUE(store_.inner.Save("acme", tokens, version).has_value());
  }

  static std::string Get(TokenManager& manager) {
    const auto token = manager.GetToken(Deadline::Never(), {});
    return token ? std::string((*token)->access_token.Reveal()) : "error: " + token.error().reason;
  }
  static std::string Rejected(TokenManager& manager, std::string_view failed) {
    const auto token = manager.HandleRejected(failed, Deadline::Never(), {});
    return token ? std::string((*token)->access_token.Reveal()) : "error: " + token.error().reason;
  }
  std::vector<std::string> Phases() const {
    std::vector<std::string> phases;
    for (const auto& event : world_.events.Named("token.refresh")) {
      phases.push_back(event.fields.at("phase"));
    }
    return phases;
  }

  TestRuntime world_;
  RecordingLogger logger_;
  FakeTokenSource source_{world_.clock};
  FlakyTokenStore store_;
};

TEST_F(TokenManagerTest, UsesAValidStoredTokenWithoutARefresh) {
  Store("stored", "r0", hours(1));
  TokenManager manager = Manager();
  EXPECT_EQ(Get(manager), "stored");
  EXPECT_EQ(Get(manager), "stored");
  EXPECT_THAT(source_.sent(), IsEmpty());
  EXPECT_THAT(Phases(), IsEmpty());
}

TEST_F(TokenManagerTest, RefreshesAnExpiredStoredTokenWithItsRefreshToken) {
  Store("stored", "r0", Duration::zero());
  TokenManager manager = Manager();
  EXPECT_EQ(Get(manager), "access-1");
  EXPECT_THAT(source_.sent(), ElementsAre("r0"));
  EXPECT_THAT(Phases(), ElementsAre("started", "succeeded"));
}

TEST_F(TokenManagerTest, FetchesAFirstTokenWhenNothingIsStored) {
  TokenManager manager = Manager();
  EXPECT_EQ(Get(manager), "access-1");
  EXPECT_THAT(source_.sent(), ElementsAre(""));
}

TEST_F(TokenManagerTest, ServesOneTokenForItsWholeLife) {
  TokenManager manager = Manager();
  ASSERT_EQ(Get(manager), "access-1");
  world_.clock.Advance(hours(1) - seconds(61));
  EXPECT_EQ(Get(manager), "access-1");
  EXPECT_EQ(source_.sent().size(), 1u);
}

TEST_F(TokenManagerTest, KeepsTheRefreshTokenAndScopeThatTheVendorDoesNotRepeat) {
  Store("stored", "r0", Duration::zero());
  source_.Answer([](TokenSet& tokens) { tokens.refresh_token = Secret(); });
  TokenManager manager = Manager();
  ASSERT_EQ(Get(manager), "access-1");
  EXPECT_EQ((**store_.Load("acme")).refresh_token.Reveal(), "r0");
}

TEST_F(TokenManagerTest, OA1_AWallClockSetBackDoesNotProlongAToken) {
  TokenManager manager = Manager();
  ASSERT_EQ(Get(manager), "access-1");
  world_.clock.JumpSystemClock(-hours(5));
  world_.clock.Advance(hours(1));
  EXPECT_EQ(Get(manager), "access-2");
}

TEST_F(TokenManagerTest, OA1_AWallClockSetForwardExpiresTheToken) {
  TokenManager manager = Manager();
  ASSERT_EQ(Get(manager), "access-1");
  world_.clock.JumpSystemClock(hours(1));
  EXPECT_EQ(Get(manager), "access-2");
}

TEST_F(TokenManagerTest, OA1_ATokenThatOnlyTheMonotonicClockCallsExpiredIsNotServed) {
  TokenManager manager = Manager();
  ASSERT_EQ(Get(manager), "access-1");
  world_.clock.JumpSystemClock(-hours(5));
  world_.clock.Advance(hours(1));
  source_.Fail(Transient());
  EXPECT_EQ(Get(manager), "error: 503");
}

TEST_F(TokenManagerTest, OA1_ATokenThatOnlyTheWallClockCallsExpiredIsNotServed) {
  TokenManager manager = Manager();
  ASSERT_EQ(Get(manager), "access-1");
  world_.clock.JumpSystemClock(hours(1));
  source_.Fail(Transient());
  EXPECT_EQ(Get(manager), "error: 503");
}

TEST_F(TokenManagerTest, OA1_ExpiryIsStoredAsWallClockTimeAndHoldsInAnotherProcess) {
  {
    TokenManager first = Manager();
    ASSERT_EQ(Get(first), "access-1");
  }
  EXPECT_EQ((**store_.Load("acme")).expires_at, world_.clock.SystemNow() + hours(1));
  world_.clock.Advance(minutes(30));
  TokenManager second = Manager();
  EXPECT_EQ(Get(second), "access-1");
  world_.clock.Advance(minutes(30));
  EXPECT_EQ(Get(second), "access-2");
}

TEST_F(TokenManagerTest, OA2_TheEarlyWindowBeginsSixtySecondsBeforeTheExpiry) {
  TokenManager manager = Manager();
  ASSERT_EQ(Get(manager), "access-1");
  world_.clock.Advance(hours(1) - seconds(60) - Duration(1));
  EXPECT_EQ(Get(manager), "access-1");
  world_.clock.Advance(Duration(1));
  EXPECT_EQ(Get(manager), "access-2");
}

TEST_F(TokenManagerTest, OA2_AShortLifetimeIsNotRefreshedOnEveryCall) {
  source_.set_lifetime(seconds(50));
  TokenManager manager = Manager();
  ASSERT_EQ(Get(manager), "access-1");
  world_.clock.Advance(seconds(40) - Duration(1));  // 20 % of 50 s before the end.
  EXPECT_EQ(Get(manager), "access-1");
  world_.clock.Advance(Duration(1));
  EXPECT_EQ(Get(manager), "access-2");
}

TEST_F(TokenManagerTest, OA2_ALifetimeOfZeroServesTheCallThatFetchedIt) {
  source_.set_lifetime(Duration::zero());
  TokenManager manager = Manager();
  EXPECT_EQ(Get(manager), "access-1");
  EXPECT_EQ(Get(manager), "access-2");
}

TEST_F(TokenManagerTest, OA2_JitterMovesTheRefreshTowardsTheExpiry) {
  TokenManager manager = Manager({.skew_jitter = 1.0});  // The random part is 0.5.
  ASSERT_EQ(Get(manager), "access-1");
  world_.clock.Advance(hours(1) - seconds(30) - Duration(1));
  EXPECT_EQ(Get(manager), "access-1");
  world_.clock.Advance(Duration(1));
  EXPECT_EQ(Get(manager), "access-2");
}

TEST_F(TokenManagerTest, OA2_ATokenWithoutExpiryIsUsedUntilItIsRejected) {
  source_.Answer([](TokenSet& tokens) { tokens.expires_at = std::nullopt; });
  TokenManager manager = Manager();
  ASSERT_EQ(Get(manager), "access-1");
  world_.clock.Advance(hours(24 * 365));
  EXPECT_EQ(Get(manager), "access-1");
  EXPECT_EQ(Rejected(manager, "access-1"), "access-2");
}

TEST_F(TokenManagerTest, OA2_AnAssumedLifetimeStandsInForAMissingExpiry) {
  source_.Answer([](TokenSet& tokens) { tokens.expires_at = std::nullopt; });
  TokenManager manager = Manager({.assumed_lifetime = minutes(30)});
  ASSERT_EQ(Get(manager), "access-1");
  world_.clock.Advance(minutes(30));
  EXPECT_EQ(Get(manager), "access-2");
}

TEST_F(TokenManagerTest, OA4_AFailureIsRememberedForADoublingBackoff) {
  TokenManager manager = Manager({.backoff_min = seconds(1), .backoff_max = seconds(3)});
  Duration expected = seconds(1);
  std::size_t tries = 0;
  for (const int pause : {1, 2, 3, 3}) {
    source_.Fail(Transient());
    EXPECT_EQ(Get(manager), "error: 503");
    ++tries;
    world_.clock.Advance(seconds(pause) - Duration(1));
    const auto refused = manager.GetToken(Deadline::Never(), {});
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().retry_after, Duration(1));
    EXPECT_EQ(source_.sent().size(), tries) << "no try during the pause of " << pause << " s";
    world_.clock.Advance(Duration(1));
  }
  EXPECT_EQ(Get(manager), "access-5");
}

TEST_F(TokenManagerTest, OA4_ASuccessEndsTheBackoff) {
  TokenManager manager = Manager();
  source_.Fail(Transient());
  source_.Fail(Transient());
  EXPECT_EQ(Get(manager), "error: 503");
  world_.clock.Advance(seconds(1));
  EXPECT_EQ(Get(manager), "error: 503");
  world_.clock.Advance(seconds(2));
  EXPECT_EQ(Get(manager), "access-3");
  world_.clock.Advance(hours(1));
  source_.Fail(Transient());
  EXPECT_EQ(Get(manager), "error: 503");
  world_.clock.Advance(seconds(1));
  EXPECT_EQ(Get(manager), "access-5");
}

TEST_F(TokenManagerTest, OA4_InvalidGrantIsLatchedAndNeverSentAgain) {
  Store("stored", "r0", Duration::zero());
  TokenManager manager = Manager();
  source_.Fail(DeadGrant());
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(Get(manager), "error: invalid_grant");
    world_.clock.Advance(hours(1));
  }
  EXPECT_EQ(source_.sent().size(), 1u);
  const auto refused = manager.GetToken(Deadline::Never(), {});
  EXPECT_EQ(refused.error().code, ErrorCode::kAuth);
  EXPECT_EQ(refused.error().retry_after, std::nullopt) << "waiting does not help";
  EXPECT_THAT(refused.error().message, HasSubstr("log in again"));
  EXPECT_LT(refused.error().message.size(), 200u);
}

TEST_F(TokenManagerTest, OA4_NewTokensEndALatchedInvalidGrant) {
  TokenManager manager = Manager();
  source_.Fail(DeadGrant());
  ASSERT_EQ(Get(manager), "error: invalid_grant");
  TokenSet fresh;
  fresh.access_token = Secret("login");
  fresh.refresh_token = Secret("r9");
  fresh.expires_at = world_.clock.SystemNow() + hours(1);
  ASSERT_TRUE(manager.SetTokens(fresh).has_value());
  EXPECT_EQ(Get(manager), "login");
  world_.clock.Advance(hours(1));
  EXPECT_EQ(Get(manager), "access-2");
  EXPECT_EQ(source_.sent().back(), "r9");
}

TEST_F(TokenManagerTest, OA4_ALoginInAnotherProcessEndsALatchedInvalidGrant) {
  TokenManager manager = Manager();
  source_.Fail(DeadGrant());
  ASSERT_EQ(Get(manager), "error: invalid_grant");
  Store("elsewhere", "r9", hours(1));
  world_.clock.Advance(seconds(60));
  EXPECT_EQ(Get(manager), "elsewhere");
}

TEST_F(TokenManagerTest, OA5_ARejectedTokenIsRefreshedBeforeItExpires) {
  Store("stored", "r0", hours(1));
  TokenManager manager = Manager();
  ASSERT_EQ(Get(manager), "stored");
  EXPECT_EQ(Rejected(manager, "stored"), "access-1");
  EXPECT_EQ(Get(manager), "access-1");
}

TEST_F(TokenManagerTest, OA5_ATokenThatSomebodyHasReplacedMeanwhileIsNotRefreshedAgain) {
  Store("stored", "r0", hours(1));
  TokenManager manager = Manager();
  ASSERT_EQ(Get(manager), "stored");
  ASSERT_EQ(Rejected(manager, "stored"), "access-1");
  EXPECT_EQ(Rejected(manager, "stored"), "access-1");
  EXPECT_EQ(source_.sent().size(), 1u);
}

TEST_F(TokenManagerTest, OA5_ABrandNewTokenThatIsRejectedIsNotRefreshedInAStorm) {
  TokenManager manager = Manager();
  ASSERT_EQ(Get(manager), "access-1");
  EXPECT_EQ(Rejected(manager, "access-1"), "error: rejected");
  EXPECT_EQ(Get(manager), "access-1") << "it may be good for other requests";
  world_.clock.Advance(seconds(1));
  EXPECT_EQ(Rejected(manager, "access-1"), "access-2");
}

TEST_F(TokenManagerTest, OA5_ARejectedTokenIsNotServedEvenIfItsRefreshFails) {
  Store("stored", "r0", hours(1));
  TokenManager manager = Manager();
  ASSERT_EQ(Get(manager), "stored");
  source_.Fail(Transient());
  EXPECT_EQ(Rejected(manager, "stored"), "error: 503");
  EXPECT_EQ(Get(manager), "error: 503");
  world_.clock.Advance(seconds(1));
  EXPECT_EQ(Get(manager), "access-2");
}

TEST_F(TokenManagerTest, OA5_ARejectedTokenIsNotAdoptedFromTheStoreAgain) {
  Store("stored", "r0", hours(1));
  TokenManager manager = Manager();
  EXPECT_EQ(Rejected(manager, "stored"), "access-1") << "before the manager has loaded anything";
}

TEST_F(TokenManagerTest, OA5_ANewerStoredTokenAnswersARejection) {
  Store("stored", "r0", hours(1));
  TokenManager manager = Manager();
  ASSERT_EQ(Get(manager), "stored");
  Store("elsewhere", "r1", hours(1));
  EXPECT_EQ(Rejected(manager, "stored"), "elsewhere");
  EXPECT_THAT(source_.sent(), IsEmpty());
}

TEST_F(TokenManagerTest, OA6_ATransientFailureServesTheOldTokenUntilItReallyExpires) {
  TokenManager manager = Manager();
  ASSERT_EQ(Get(manager), "access-1");
  world_.clock.Advance(hours(1) - seconds(60));
  source_.Fail(Transient(minutes(10)));
  EXPECT_EQ(Get(manager), "access-1");
  EXPECT_EQ(Get(manager), "access-1");
  EXPECT_EQ(source_.sent().size(), 2u) << "no second try during the back-off";
  EXPECT_THAT(Phases(), ElementsAre("started", "succeeded", "started", "failed", "served-stale"));
  world_.clock.Advance(seconds(60) - Duration(1));
  EXPECT_EQ(Get(manager), "access-1");
  world_.clock.Advance(Duration(1));
  EXPECT_EQ(Get(manager), "error: 503");
}

TEST_F(TokenManagerTest, OA6_RetryAfterOfTheTokenEndpointIsHonoured) {
  TokenManager manager = Manager();
  source_.Fail(Transient(seconds(90)));
  ASSERT_EQ(Get(manager), "error: 503");
  world_.clock.Advance(seconds(90) - Duration(1));
  EXPECT_EQ(Get(manager), "error: 503");
  EXPECT_EQ(source_.sent().size(), 1u);
  world_.clock.Advance(Duration(1));
  EXPECT_EQ(Get(manager), "access-2");
}

TEST_F(TokenManagerTest, OA6_ADeadGrantServesTheOldTokenUntilItExpires) {
  TokenManager manager = Manager();
  ASSERT_EQ(Get(manager), "access-1");
  world_.clock.Advance(hours(1) - seconds(60));
  source_.Fail(DeadGrant());
  EXPECT_EQ(Get(manager), "access-1");
  world_.clock.Advance(seconds(60));
  EXPECT_EQ(Get(manager), "error: invalid_grant");
}

TEST_F(TokenManagerTest, OA7_NewTokensAreStoredBeforeTheyAreServed) {
  Store("stored", "r0", Duration::zero());
  TokenManager manager = Manager();
  bool stored_first = false;
  store_.before_save = [&] { stored_first = store_.saves == 0; };
  ASSERT_EQ(Get(manager), "access-1");
  EXPECT_TRUE(stored_first);
  EXPECT_EQ((**store_.Load("acme")).refresh_token.Reveal(), "refresh-1");
}

TEST_F(TokenManagerTest, OA7_AFailedSaveIsTriedAgain) {
  TokenManager manager = Manager();
  store_.fail_saves = 2;
  ASSERT_EQ(Get(manager), "access-1");
  EXPECT_EQ((**store_.Load("acme")).access_token.Reveal(), "access-1");
  EXPECT_THAT(Phases(), ElementsAre("started", "succeeded"));
}

TEST_F(TokenManagerTest, OA7_TokensThatCannotBeStoredAreUsedAndRaiseAnAlarm) {
  Store("stored", "r0", Duration::zero());
  TokenManager manager = Manager();
  store_.fail_saves = 3;
  EXPECT_EQ(Get(manager), "access-1");
  EXPECT_THAT(Phases(), ElementsAre("started", "unpersisted", "succeeded"));
  EXPECT_THAT(logger_.lines, ElementsAre(HasSubstr("error acme: new tokens could not be stored")));
  world_.clock.Advance(hours(1));
  EXPECT_EQ(Get(manager), "access-2");
  EXPECT_EQ(source_.sent().back(), "refresh-1")
      << "the rotated token in memory, not the stored one";
  EXPECT_EQ((**store_.Load("acme")).access_token.Reveal(), "access-2");
}

TEST_F(TokenManagerTest, OA7_AStoreThatCannotBeReadDoesNotStopARefresh) {
  TokenManager manager = Manager();
  ASSERT_EQ(Get(manager), "access-1");
  world_.clock.Advance(hours(1));
  store_.fail_load = true;
  EXPECT_EQ(Get(manager), "access-2");
}

TEST_F(TokenManagerTest, WithoutTokensAnUnreadableStoreIsAnErrorAndNothingIsSent) {
  TokenManager manager = Manager();
  store_.fail_load = true;
  const auto token = manager.GetToken(Deadline::Never(), {});
  ASSERT_FALSE(token.has_value());
  EXPECT_EQ(token.error().code, ErrorCode::kStorage);
  EXPECT_THAT(source_.sent(), IsEmpty());
}

TEST_F(TokenManagerTest, OA8_ATokenThatAnotherProcessHasRefreshedIsUsedInsteadOfRotatingAgain) {
  TokenManager manager = Manager();
  ASSERT_EQ(Get(manager), "access-1");
  world_.clock.Advance(hours(1));
  Store("elsewhere", "r1", hours(1));
  EXPECT_EQ(Get(manager), "elsewhere");
  EXPECT_EQ(source_.sent().size(), 1u);
}

TEST_F(TokenManagerTest, OA8_AfterInvalidGrantTheStoreIsReadAgain) {
  Store("stored", "r0", Duration::zero());
  TokenManager manager = Manager();
  source_.DuringNext([&] { Store("elsewhere", "r1", hours(1)); });
  source_.Fail(DeadGrant());
  EXPECT_EQ(Get(manager), "elsewhere");
  EXPECT_THAT(Phases(), ElementsAre("started", "succeeded"));
}

TEST_F(TokenManagerTest, OA8_AfterInvalidGrantANewerStoredRefreshTokenIsTried) {
  Store("stored", "r0", Duration::zero());
  TokenManager manager = Manager();
  source_.DuringNext([&] { Store("elsewhere", "r1", Duration::zero()); });
  source_.Fail(DeadGrant());
  EXPECT_EQ(Get(manager), "access-2");
  EXPECT_THAT(source_.sent(), ElementsAre("r0", "r1"));
}

TEST_F(TokenManagerTest, OA8_TheFirstToStoreWins) {
  Store("stored", "r0", Duration::zero());
  TokenManager manager = Manager();
  store_.before_save = [&] { Store("elsewhere", "r1", hours(1)); };
  EXPECT_EQ(Get(manager), "elsewhere");
  EXPECT_EQ((**store_.Load("acme")).access_token.Reveal(), "elsewhere");
}

TEST_F(TokenManagerTest, ALostAnswerIsAskedForAgainOnceWithTheSameRefreshToken) {
  Store("stored", "r0", Duration::zero());
  TokenManager manager = Manager();
  Error lost = Transient();
  lost.delivery = Delivery::kMaybeSent;
  lost.reason = "reset";
  source_.Fail(lost);
  EXPECT_EQ(Get(manager), "access-2");
  EXPECT_THAT(source_.sent(), ElementsAre("r0", "r0"));
  EXPECT_THAT(Phases(), ElementsAre("started", "succeeded"));
  world_.clock.Advance(hours(1));
  source_.Fail(lost);
  source_.Fail(lost);
  EXPECT_EQ(Get(manager), "error: reset");
  EXPECT_EQ(source_.sent().size(), 4u);
}

TEST_F(TokenManagerTest, OA9_ATokenThatCouldBreakAHeaderIsNotAccepted) {
  TokenManager manager = Manager();
  TokenSet tokens;
  tokens.access_token = Secret("good\r\nX-Evil: 1");
  EXPECT_EQ(manager.SetTokens(tokens).error().code, ErrorCode::kInvalidArgument);
  Store("bad token\r\n", "r0", hours(1));
  EXPECT_EQ(Get(manager), "access-1") << "a stored one is refreshed, not used";
}

TEST_F(TokenManagerTest, OA10_EventsAndLogsHoldNoToken) {
  Store("stored-secret", "r0-secret", Duration::zero());
  TokenManager manager = Manager();
  source_.Fail(Transient());
  ASSERT_EQ(Get(manager), "error: 503");
  for (const auto& line : world_.events.Lines("token.refresh")) {
    EXPECT_THAT(line, testing::Not(HasSubstr("secret")));
  }
  for (const auto& line : logger_.lines) EXPECT_THAT(line, testing::Not(HasSubstr("secret")));
}

TEST_F(TokenManagerTest, OA13_ARefreshHasItsOwnDeadline) {
  TokenManager manager = Manager({.refresh_timeout = seconds(7)});
  const TimePoint start = world_.clock.Now();
  ASSERT_EQ(Get(manager), "access-1");
  EXPECT_EQ(source_.deadlines().at(0), Deadline::After(start, seconds(7)));
}

TEST_F(TokenManagerTest, SetTokensDuringARefreshWins) {
  TokenManager manager = Manager();
  source_.DuringNext([&] {
    TokenSet fresh;
    fresh.access_token = Secret("login");
    fresh.refresh_token = Secret("r9");
    ASSERT_TRUE(manager.SetTokens(fresh).has_value());
  });
  EXPECT_EQ(Get(manager), "login");
  EXPECT_EQ(Get(manager), "login");
  EXPECT_EQ((**store_.Load("acme")).access_token.Reveal(), "login");
}

TEST_F(TokenManagerTest, AFailedRefreshOfTheOldGrantDoesNotHurtTheNewOne) {
  TokenManager manager = Manager();
  source_.Fail(Transient());
  source_.DuringNext([&] {
    TokenSet fresh;
    fresh.access_token = Secret("login");
    ASSERT_TRUE(manager.SetTokens(fresh).has_value());
  });
  EXPECT_EQ(Get(manager), "login");
}

TEST_F(TokenManagerTest, SetTokensFailsIfTheyCannotBeStored) {
  TokenManager manager = Manager();
  store_.fail_saves = 3;
  TokenSet fresh;
  fresh.access_token = Secret("login");
  const auto set = manager.SetTokens(fresh);
  ASSERT_FALSE(set.has_value());
  EXPECT_EQ(set.error().code, ErrorCode::kStorage);
}

}  // namespace
}  // namespace understudy::test
