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
  Result<std::vector<std::string>> Keys(std::string_view after, std::size_t limit) override {
    return inner.Keys(after, limit);
  }
  Result<LeaseAnswer> AcquireRefreshLease(std::string_view key, std::string_view owner,
                                          SystemTime now, Duration ttl) override {
    if (before_lease) std::exchange(before_lease, nullptr)();
    if (fail_leases) return Broken();
    ++leases;
    lease_ttl = ttl;
    return inner.AcquireRefreshLease(key, owner, now, ttl);
  }
  Result<void> ReleaseRefreshLease(const RefreshLease& lease) override {
    ++releases;
    return inner.ReleaseRefreshLease(lease);
  }

  InMemoryTokenStore inner;
  bool fail_load = false;
  int fail_saves = 0;
  int saves = 0;
  bool fail_leases = false;
  int leases = 0;
  int releases = 0;
  Duration lease_ttl = {};
  std::function<void()> before_save;
  std::function<void()> before_lease;

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

// Another process that shares the store.
class TokenLeaseTest : public TokenManagerTest {
 protected:
  RefreshLease LeaseOfAnother(Duration ttl = seconds(15)) {
    const auto answer =
        store_.inner.AcquireRefreshLease("acme", "another", world_.clock.SystemNow(), ttl);
    return answer.value().lease.value();
  }
  bool IsFree() { return LeaseAnswerOfAnother().lease.has_value(); }
  LeaseAnswer LeaseAnswerOfAnother() {
    return store_.inner.AcquireRefreshLease("acme", "another", world_.clock.SystemNow(), seconds(1))
        .value();
  }
};

TEST_F(TokenLeaseTest, OA8_ARefreshHoldsALeaseThatOutlivesItsTimeoutAndGivesItBack) {
  Store("stored", "r0", Duration::zero());
  bool free_during_refresh = true;
  source_.DuringNext([&] { free_during_refresh = IsFree(); });
  TokenManager manager = Manager({.refresh_timeout = seconds(7), .lease_margin = seconds(3)});
  EXPECT_EQ(Get(manager), "access-1");
  EXPECT_FALSE(free_during_refresh);
  EXPECT_EQ(store_.lease_ttl, seconds(10));
  EXPECT_TRUE(IsFree());
}

TEST_F(TokenLeaseTest, OA8_AFailedRefreshGivesTheLeaseBackToo) {
  Store("stored", "r0", Duration::zero());
  source_.Fail(Transient());
  TokenManager manager = Manager();
  EXPECT_EQ(Get(manager), "error: 503");
  EXPECT_TRUE(IsFree());
}

TEST_F(TokenLeaseTest, OA8_TheLoserWaitsAndAdoptsTheTokensOfTheWinner) {
  Store("stored", "r0", Duration::zero());
  const RefreshLease lease = LeaseOfAnother();
  world_.clock.At(seconds(2), [&] {
    Store("theirs", "r1", hours(1));
    ASSERT_TRUE(store_.inner.ReleaseRefreshLease(lease).has_value());
  });
  TokenManager manager = Manager();
  EXPECT_EQ(Get(manager), "theirs");
  EXPECT_THAT(source_.sent(), IsEmpty());
  EXPECT_LT(world_.clock.Elapsed(), seconds(2) + std::chrono::milliseconds(200));
  EXPECT_THAT(Phases(), ElementsAre("waiting"));
}

TEST_F(TokenLeaseTest, OA8_TheStoreIsReadAgainUnderTheLease) {
  Store("stored", "r0", Duration::zero());
  TokenManager manager = Manager();
  // A winner that ends between the last look at the store and the lease.
  store_.before_lease = [&] { Store("theirs", "r1", hours(1)); };
  EXPECT_EQ(Get(manager), "theirs");
  EXPECT_THAT(source_.sent(), IsEmpty());
}

TEST_F(TokenLeaseTest, OA8_ARefreshTokenThatTheWinnerHasRotatedIsNotSent) {
  Store("stored", "r0", Duration::zero());
  const RefreshLease lease = LeaseOfAnother();
  world_.clock.At(seconds(1), [&] {
    Store("already-expired", "r1", Duration::zero());
    ASSERT_TRUE(store_.inner.ReleaseRefreshLease(lease).has_value());
  });
  TokenManager manager = Manager();
  EXPECT_EQ(Get(manager), "access-1");
  EXPECT_THAT(source_.sent(), ElementsAre("r1"));
}

TEST_F(TokenLeaseTest, OA8_AWinnerThatDiedIsReplacedWhenItsLeaseEnds) {
  Store("stored", "r0", Duration::zero());
  static_cast<void>(LeaseOfAnother(seconds(15)));
  TokenManager manager = Manager();
  EXPECT_EQ(Get(manager), "access-1");
  EXPECT_EQ(world_.clock.Elapsed(), seconds(15));
}

TEST_F(TokenLeaseTest, OA8_TheWaitForALeaseIsBounded) {
  Store("stored", "r0", Duration::zero());
  static_cast<void>(LeaseOfAnother(minutes(5)));
  TokenManager manager = Manager({.refresh_timeout = seconds(7), .lease_margin = seconds(3)});
  const auto token = manager.GetToken(Deadline::Never(), {});
  ASSERT_FALSE(token.has_value());
  EXPECT_EQ(token.error().code, ErrorCode::kTimeout);
  EXPECT_EQ(token.error().reason, "lease-held");
  EXPECT_GE(world_.clock.Elapsed(), seconds(20));
  EXPECT_LT(world_.clock.Elapsed(), seconds(21));
}

TEST_F(TokenLeaseTest, OA8_InTheEarlyWindowTheLoserServesTheOldTokenAtOnce) {
  Store("stored", "r0", seconds(30));
  TokenManager manager = Manager({.skew = seconds(60), .skew_fraction_max = 1.0});
  const RefreshLease lease = LeaseOfAnother();
  EXPECT_EQ(Get(manager), "stored");
  EXPECT_EQ(Get(manager), "stored");
  EXPECT_EQ(world_.clock.Elapsed(), Duration::zero());
  EXPECT_THAT(Phases(), ElementsAre("postponed"));
  Store("theirs", "r1", hours(1));
  world_.clock.Advance(seconds(1));
  EXPECT_EQ(Get(manager), "theirs");
  EXPECT_THAT(source_.sent(), IsEmpty());
}

TEST_F(TokenLeaseTest, OA8_APostponedRefreshIsNoFailureWhenTheTokenExpires) {
  Store("stored", "r0", seconds(30));
  TokenManager manager = Manager({.skew = seconds(60), .skew_fraction_max = 1.0});
  const RefreshLease lease = LeaseOfAnother(minutes(1));
  world_.clock.Advance(seconds(30) - Duration(1));
  ASSERT_EQ(Get(manager), "stored");
  world_.clock.Advance(Duration(1));
  ASSERT_TRUE(store_.inner.ReleaseRefreshLease(lease).has_value());
  EXPECT_EQ(Get(manager), "access-1");
}

TEST_F(TokenLeaseTest, AStoreThatGivesNoLeasesDoesNotStopARefresh) {
  Store("stored", "r0", Duration::zero());
  store_.fail_leases = true;
  TokenManager manager = Manager();
  EXPECT_EQ(Get(manager), "access-1");
  EXPECT_THAT(logger_.lines, ElementsAre(HasSubstr("warning acme: refreshing without a lease")));
}

// Answers from a list, and remembers what it was asked.
class FakeRevoker final : public TokenRevoker {
 public:
  Result<Revoked> Revoke(const Secret& token, TokenKind kind, Deadline,
                         const std::stop_token&) override {
    sent.push_back((kind == TokenKind::kRefresh ? "refresh " : "access ") +
                   std::string(token.Reveal()));
    if (during) std::exchange(during, nullptr)();
    if (answers.empty()) return Revoked::kConfirmed;
    const Result<Revoked> answer = answers.front();
    answers.erase(answers.begin());
    return answer;
  }

  std::vector<Result<Revoked>> answers;
  std::vector<std::string> sent;
  std::function<void()> during;
};

class TokenRevocationTest : public TokenLeaseTest {
 protected:
  Result<Revocation> Revoke(TokenManager& manager) {
    return manager.Revoke(revoker_, Deadline::Never(), {});
  }

  FakeRevoker revoker_;
};

TEST_F(TokenRevocationTest, OA14_RevokesRefreshAndAccessTokenAndStopsUsingBoth) {
  Store("stored", "r0", hours(1));
  TokenManager manager = Manager();
  ASSERT_EQ(Get(manager), "stored");
  const auto revocation = Revoke(manager);
  ASSERT_TRUE(revocation.has_value());
  EXPECT_EQ(revocation->refresh_token, Revoked::kConfirmed);
  EXPECT_EQ(revocation->access_token, Revoked::kConfirmed);
  EXPECT_THAT(revoker_.sent, ElementsAre("refresh r0", "access stored"));
  EXPECT_EQ(Get(manager), "error: revoked");
  EXPECT_EQ(Rejected(manager, "stored"), "error: revoked");
  world_.clock.Advance(hours(1));
  EXPECT_EQ(Get(manager), "error: revoked") << "for ever";
  EXPECT_THAT(source_.sent(), IsEmpty());
  EXPECT_THAT(Phases(), ElementsAre("revoked"));
}

TEST_F(TokenRevocationTest, OA14_AfterwardsTheStoreHoldsTheMarkAndNoTokens) {
  Store("stored", "r0", hours(1));
  TokenManager manager = Manager();
  ASSERT_TRUE(Revoke(manager).has_value());
  const TokenSet left = **store_.inner.Load("acme");
  EXPECT_TRUE(left.revoked);
  EXPECT_TRUE(left.access_token.empty() && left.refresh_token.empty());
  TokenManager after_a_restart = Manager();
  EXPECT_EQ(Get(after_a_restart), "error: revoked");
  EXPECT_THAT(source_.sent(), IsEmpty());
}

TEST_F(TokenRevocationTest, OA14_TheUseEndsBeforeTheVendorIsAsked) {
  Store("stored", "r0", hours(1));
  TokenManager manager = Manager();
  ASSERT_EQ(Get(manager), "stored");
  TokenManager other = Manager();
  std::string mine;
  std::string theirs;
  revoker_.during = [&] {
    mine = Get(manager);
    theirs = Get(other);
  };
  ASSERT_TRUE(Revoke(manager).has_value());
  EXPECT_EQ(mine, "error: revoked");
  EXPECT_EQ(theirs, "error: revoked");
}

TEST_F(TokenRevocationTest, OA14_AFailureIsReportedAndTheCallCanBeRepeatedAlsoAfterARestart) {
  Store("stored", "r0", hours(1));
  revoker_.answers = {Transient(seconds(7)), Revoked::kConfirmed, Transient()};
  {
    TokenManager manager = Manager();
    const auto first = Revoke(manager);
    ASSERT_FALSE(first.has_value());
    EXPECT_EQ(first.error().retry_after, seconds(7));
    EXPECT_EQ(Get(manager), "error: revoked");
    EXPECT_FALSE(Revoke(manager).has_value());
  }
  TokenManager manager = Manager();
  EXPECT_EQ(Get(manager), "error: revoked");
  ASSERT_TRUE(Revoke(manager).has_value());
  EXPECT_THAT(revoker_.sent, ElementsAre("refresh r0", "refresh r0", "access stored", "refresh r0",
                                         "access stored"));
  ASSERT_TRUE(Revoke(manager).has_value());
  EXPECT_EQ(revoker_.sent.size(), 5u) << "there is nothing left to revoke";
}

TEST_F(TokenRevocationTest, OA14_NothingHappensIfTheMarkCannotBeStored) {
  Store("stored", "r0", hours(1));
  TokenManager manager = Manager();
  store_.fail_saves = 1;
  const auto revocation = Revoke(manager);
  ASSERT_FALSE(revocation.has_value());
  EXPECT_EQ(revocation.error().code, ErrorCode::kStorage);
  EXPECT_THAT(revoker_.sent, IsEmpty());
  EXPECT_EQ(Get(manager), "stored");
}

TEST_F(TokenRevocationTest, OA14_ANewLoginEndsIt) {
  Store("stored", "r0", hours(1));
  TokenManager manager = Manager();
  ASSERT_TRUE(Revoke(manager).has_value());
  TokenSet login;
  login.access_token = Secret("new");
  login.refresh_token = Secret("r9");
  ASSERT_TRUE(manager.SetTokens(login).has_value());
  EXPECT_EQ(Get(manager), "new");
}

TEST_F(TokenRevocationTest, OA14_ALoginDuringTheRevocationIsNotHurt) {
  Store("stored", "r0", hours(1));
  TokenManager manager = Manager();
  revoker_.during = [&] {
    TokenSet login;
    login.access_token = Secret("new");
    ASSERT_TRUE(manager.SetTokens(login).has_value());
  };
  ASSERT_TRUE(Revoke(manager).has_value());
  EXPECT_EQ(Get(manager), "new");
}

TEST_F(TokenRevocationTest, OA14_ARefreshOfAnotherProcessIsAwaitedAndItsTokensAreRevoked) {
  Store("stored", "r0", Duration::zero());
  const RefreshLease lease = LeaseOfAnother();
  world_.clock.At(seconds(2), [&] {
    Store("theirs", "r1", hours(1));
    ASSERT_TRUE(store_.inner.ReleaseRefreshLease(lease).has_value());
  });
  TokenManager manager = Manager();
  ASSERT_TRUE(Revoke(manager).has_value());
  EXPECT_THAT(revoker_.sent, ElementsAre("refresh r1", "access theirs"));
}

TEST_F(TokenRevocationTest, OA14_ARefreshThatLostItsLeaseCannotBringTheTokensBack) {
  Store("stored", "r0", Duration::zero());
  TokenManager manager = Manager();
  TokenManager other = Manager();
  source_.DuringNext([&] {
    world_.clock.Advance(minutes(1));  // The refresher's lease is over.
    ASSERT_TRUE(Revoke(other).has_value());
  });
  EXPECT_EQ(Get(manager), "error: revoked");
  EXPECT_TRUE((**store_.inner.Load("acme")).access_token.empty());
}

TEST_F(TokenRevocationTest, OA14_TokensThatCouldNotBeStoredAreRevokedToo) {
  Store("stored", "r0", Duration::zero());
  store_.fail_saves = 3;
  TokenManager manager = Manager();
  ASSERT_EQ(Get(manager), "access-1");
  ASSERT_TRUE(Revoke(manager).has_value());
  EXPECT_THAT(revoker_.sent, ElementsAre("refresh refresh-1", "access access-1"));
}

TEST_F(TokenRevocationTest, OA14_AnotherProcessThatSeesTheMarkDropsTheTokenItHasInMemory) {
  Store("stored", "r0", seconds(100));
  TokenManager manager = Manager();
  TokenManager other = Manager();
  ASSERT_EQ(Get(other), "stored");
  ASSERT_TRUE(Revoke(manager).has_value());
  EXPECT_EQ(Get(other), "stored") << "until it looks at the store";
  world_.clock.Advance(seconds(90));
  EXPECT_EQ(Get(other), "error: revoked");
}

}  // namespace
}  // namespace understudy::test
