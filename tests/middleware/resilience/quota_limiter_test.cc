#include "middleware/resilience/quota_limiter.h"

#include <cmath>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/test_runtime.h"

namespace understudy {
namespace {

using namespace std::chrono_literals;  // NOLINT: literals
using test::FakeClock;
using ::testing::HasSubstr;

using Permit = QuotaLimiter::Permit;

RateLimitHint Left(std::int64_t remaining, std::optional<Duration> reset = {},
                   std::int64_t limit = 10) {
  RateLimitHint hint;
  hint.quotas = {{.limit = limit, .remaining = remaining, .reset_after = reset}};
  return hint;
}

RateLimitHint Refused(Duration retry_after, bool global = false) {
  RateLimitHint hint;
  hint.retry_after = retry_after;
  hint.throttled = true;
  hint.global = global;
  return hint;
}

class QuotaLimiterTest : public ::testing::Test {
 protected:
  explicit QuotaLimiterTest(FakeClock::Waits waits = FakeClock::Waits::kAdvance) : world_(waits) {
    options_.reset_jitter = 0s;
    Make();
  }
  void Make() { limiter_ = std::make_unique<QuotaLimiter>("vendor", options_, world_.runtime()); }
  Result<Permit> Acquire(Duration patience = 0s, std::string_view scope = {}, int cost = 1) {
    const Deadline deadline = Deadline::After(world_.clock.Now(), patience + Duration(1));
    return limiter_->Acquire(scope, cost, deadline);
  }
  // One request that is answered at once.
  void Learn(const RateLimitHint& hint, std::string_view scope = {}) {
    Result<Permit> permit = Acquire(0s, scope);
    ASSERT_TRUE(permit) << permit.error().ToString();
    permit->Learn(hint);
  }

  test::TestRuntime world_;
  QuotaOptions options_;
  std::unique_ptr<QuotaLimiter> limiter_;
};

TEST_F(QuotaLimiterTest, AdmitsEverythingUntilTheVendorHasSpoken) {
  for (int i = 0; i < 100; ++i) EXPECT_TRUE(Acquire());
}

TEST_F(QuotaLimiterTest, RL1_ARetryAfterAloneBlocksEverybodyUntilThen) {
  Learn(Refused(30s));
  const Result<Permit> refused = Acquire();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kRateLimited);
  EXPECT_EQ(refused.error().reason, "quota-blocked");
  EXPECT_EQ(refused.error().retry_after, 30s);
  world_.clock.Advance(30s - Duration(1));
  EXPECT_FALSE(Acquire());
  world_.clock.Advance(Duration(1));
  EXPECT_TRUE(Acquire());
}

TEST_F(QuotaLimiterTest, ACallerWithTimeWaitsForTheEndOfTheBlock) {
  Learn(Refused(30s));
  const Result<Permit> permit = Acquire(31s);
  ASSERT_TRUE(permit);
  EXPECT_EQ(permit->waited(), 30s);
}

TEST_F(QuotaLimiterTest, RL9_TheWaitersOfAResetComeAfterItAndNotAllAtOnce) {
  options_.reset_jitter = 500ms;
  Make();
  Learn(Refused(30s));
  const Result<Permit> permit = Acquire(40s);
  ASSERT_TRUE(permit);
  EXPECT_GT(permit->waited(), 30s);
  EXPECT_LE(permit->waited(), 30s + 500ms);
}

TEST_F(QuotaLimiterTest, NobodyWaitsLongerThanWaitMax) {
  Learn(Refused(2min));
  EXPECT_FALSE(Acquire(10min));
  EXPECT_EQ(world_.clock.Elapsed(), 0s) << "it was refused at once";
}

TEST_F(QuotaLimiterTest, UsedUpItWaitsForTheReset) {
  Learn(Left(0, 20s));
  EXPECT_EQ(Acquire().error().reason, "quota");
  EXPECT_EQ(Acquire(30s)->waited(), 20s);
}

TEST_F(QuotaLimiterTest, RL2_AfterTheResetItIsFullUntilAnAnswerSaysOtherwise) {
  Learn(Left(0, 20s, 10));
  world_.clock.Advance(20s);
  std::vector<Permit> permits;
  for (int i = 0; i < 10; ++i) {
    Result<Permit> permit = Acquire();
    ASSERT_TRUE(permit) << i;
    permits.push_back(*std::move(permit));
  }
  EXPECT_FALSE(Acquire());
}

TEST_F(QuotaLimiterTest, RL2_UsedUpWithoutAKnownResetOneProbeAtATimeFindsOut) {
  Learn(Left(0));
  EXPECT_FALSE(Acquire());
  world_.clock.Advance(options_.probe_every);
  std::optional<Permit> probe = *Acquire();
  EXPECT_FALSE(Acquire()) << "one probe at a time";
  probe->Learn(Left(0));
  EXPECT_FALSE(Acquire());
  world_.clock.Advance(options_.probe_every);
  Acquire()->Learn(Left(5));
  EXPECT_TRUE(Acquire());
}

TEST_F(QuotaLimiterTest, RL3_AnAnswerWithoutHeadersErasesNothing) {
  Learn(Left(1, 20s));
  Learn(RateLimitHint{});
  EXPECT_FALSE(Acquire()) << "the request itself was counted";
}

TEST_F(QuotaLimiterTest, RL7_WhatIsInFlightIsTakenOffWhatRemains) {
  Learn(Left(2, 20s));
  const Result<Permit> first = Acquire();
  const Result<Permit> second = Acquire();
  ASSERT_TRUE(second);
  EXPECT_FALSE(Acquire());
}

TEST_F(QuotaLimiterTest, RL7_AnAnswerThatArrivesLateDoesNotRaiseWhatIsLeft) {
  Learn(Left(10, 20s));
  Permit early = *Acquire();
  Permit late = *Acquire();
  late.Learn(Left(0, 20s));
  early.Learn(Left(9, 20s));
  EXPECT_FALSE(Acquire());
}

TEST_F(QuotaLimiterTest, RL7_AnAnswerOfAnOlderWindowIsIgnored) {
  Learn(Left(10, 60s));
  Permit old = *Acquire();
  Learn(Left(3, 120s));
  old.Learn(Left(0, 60s));
  EXPECT_TRUE(Acquire());
}

TEST_F(QuotaLimiterTest, ANewWindowReplacesWhatWasKnown) {
  Learn(Left(0, 20s));
  world_.clock.Advance(20s);
  Learn(Left(7, 60s));
  EXPECT_EQ(limiter_->Snapshot().at(0).remaining, 7);
}

TEST_F(QuotaLimiterTest, ARefundGivesTheQuotaBack) {
  Learn(Left(1, 20s));
  Acquire()->Refund();
  EXPECT_TRUE(Acquire());
}

TEST_F(QuotaLimiterTest, ARequestWhoseAnswerWasLostWasCounted) {
  Learn(Left(1, 20s));
  { const Result<Permit> lost = Acquire(); }
  EXPECT_FALSE(Acquire());
}

TEST_F(QuotaLimiterTest, RL10_ScopesDoNotShareTheirQuotas) {
  Learn(Left(0, 20s), "search");
  EXPECT_FALSE(Acquire(0s, "search"));
  EXPECT_TRUE(Acquire(0s, "core"));
}

TEST_F(QuotaLimiterTest, AGlobalRefusalBlocksEveryScope) {
  Learn(Refused(30s, /*global=*/true), "search");
  EXPECT_FALSE(Acquire(0s, "core"));
}

TEST_F(QuotaLimiterTest, SeveralQuotasMustAllAllowIt) {
  RateLimitHint hint;
  hint.quotas = {{.name = "requests", .limit = 10, .remaining = 5, .reset_after = 1s},
                 {.name = "tokens", .limit = 1000, .remaining = 3, .reset_after = 20s}};
  Learn(hint);
  EXPECT_EQ(Acquire(0s, {}, 4).error().retry_after, 20s);
  EXPECT_TRUE(Acquire(0s, {}, 3));
}

TEST_F(QuotaLimiterTest, APermanentRefusalIsFinal) {
  RateLimitHint hint;
  hint.permanent = true;
  Learn(hint);
  world_.clock.Advance(24h);
  const Result<Permit> refused = Acquire();
  EXPECT_EQ(refused.error().reason, "quota-exhausted");
  EXPECT_EQ(refused.error().retry_after, std::nullopt);
}

TEST_F(QuotaLimiterTest, AShareCanBeKeptBackForOthers) {
  options_.keep_back = 0.5;
  Make();
  Learn(Left(6, 20s, 10));
  const Result<Permit> first = Acquire();
  EXPECT_TRUE(first);
  EXPECT_FALSE(Acquire());
}

TEST_F(QuotaLimiterTest, RL9_PacingSpreadsWhatIsLeftOverTheTimeToTheReset) {
  options_.pace_below = 1.0;
  Make();
  Learn(Left(4, 20s, 10));
  EXPECT_EQ(Acquire(10s)->waited(), 0s);
  const Duration waited = Acquire(10s)->waited();
  EXPECT_GE(waited, 4s);
  EXPECT_LE(waited, 7s);
}

TEST_F(QuotaLimiterTest, RL12_ALimitOfZeroIsNoSizeOfAWindow) {
  RateLimitHint hint;
  hint.quotas = {{.limit = 0, .remaining = 0, .reset_after = 5s}};
  Learn(hint);
  world_.clock.Advance(5s);
  EXPECT_TRUE(Acquire());
}

TEST_F(QuotaLimiterTest, ForgetsTheScopeThatWasUsedLongestAgo) {
  options_.scopes_max = 2;
  Make();
  Learn(Left(0, 20s), "a");
  Learn(Left(0, 20s), "b");
  Learn(Left(0, 20s), "c");
  EXPECT_TRUE(Acquire(0s, "a"));
}

TEST_F(QuotaLimiterTest, OptionsThatCannotWorkAreNamed) {
  const Problems problems = FindProblems(QuotaOptions{.wait_max = -1s,
                                                      .keep_back = 1.0,
                                                      .pace_below = std::nan(""),
                                                      .probe_every = 0s,
                                                      .waiters_max = -1,
                                                      .scopes_max = 0});
  EXPECT_EQ(problems.size(), 6u);
}

class BlockingQuotaTest : public QuotaLimiterTest {
 protected:
  BlockingQuotaTest() : QuotaLimiterTest(FakeClock::Waits::kBlock) {}
};

TEST_F(BlockingQuotaTest, AWaiterGoesAsSoonAsAnAnswerFreesTheQuota) {
  Learn(Left(1, 50s));
  std::optional<Permit> only = *Acquire();
  std::optional<Result<Permit>> second;
  std::jthread waiter([&] { second.emplace(Acquire(59s)); });
  world_.clock.AwaitSleepers(1);
  only->Refund();
  waiter.join();
  EXPECT_TRUE(*second);
}

TEST_F(BlockingQuotaTest, AStopEndsTheWait) {
  Learn(Refused(30s));
  std::stop_source stop;
  std::optional<Result<Permit>> result;
  std::jthread waiter(
      [&] { result.emplace(limiter_->Acquire({}, 1, Deadline::Never(), stop.get_token())); });
  world_.clock.AwaitSleepers(1);
  stop.request_stop();
  waiter.join();
  EXPECT_EQ(result->error().code, ErrorCode::kCancelled);
}

TEST(QuotaRegistryTest, ClientsOfOneAccountShareWhatTheyLearn) {
  test::TestRuntime world;
  QuotaRegistry registry(world.runtime());
  const auto first = registry.Get("github", "acme", {});
  const auto second = registry.Get("github", "acme", {});
  const auto other = registry.Get("github", "zenith", {});
  EXPECT_EQ(first->get(), second->get());
  EXPECT_NE(first->get(), other->get());
}

TEST(QuotaRegistryTest, TwoConfigurationsOfOneQuotaAreAMistake) {
  test::TestRuntime world;
  QuotaRegistry registry(world.runtime());
  ASSERT_TRUE(registry.Get("github", "", {}));
  EXPECT_THAT(registry.Get("github", "", {.keep_back = 0.5}).error().message,
              HasSubstr("other options"));
}

TEST(QuotaRegistryTest, AFullRegistryForgetsWhatNobodyHolds) {
  test::TestRuntime world;
  QuotaRegistry registry(world.runtime(), 2);
  const auto held = registry.Get("a", "", {});
  { const auto released = registry.Get("b", "", {}); }
  const auto third = registry.Get("c", "", {});
  EXPECT_TRUE(third);
  EXPECT_EQ(registry.Get("d", "", {}).error().code, ErrorCode::kOverloaded);
}

}  // namespace
}  // namespace understudy
