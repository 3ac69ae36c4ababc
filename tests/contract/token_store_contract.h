// What every TokenStore keeps, as one suite. Include it in one source file of a test program and
// instantiate:
//
//   INSTANTIATE_TEST_SUITE_P(InMemory, TokenStoreContractTest,
//                            testing::Values(TokenStoreFactory([] { return
//                            std::make_unique<InMemoryTokenStore>(); })));
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "middleware/store/token_store.h"

namespace understudy::test {

// Makes an empty store. What the store needs (a temporary folder) is owned by the returned object
// or the factory. Null skips the suite: the store needs a server that is not installed.
using TokenStoreFactory = std::function<std::unique_ptr<TokenStore>()>;

class TokenStoreContractTest : public testing::TestWithParam<TokenStoreFactory> {
 protected:
  static TokenSet Tokens(const std::string& access, const std::string& refresh = "r") {
    TokenSet tokens;
    tokens.access_token = Secret(access);
    tokens.refresh_token = Secret(refresh);
    tokens.issued_at = SystemTime(std::chrono::seconds(1'700'000'000));
    tokens.expires_at = SystemTime(std::chrono::seconds(1'700'003'600));
    tokens.scope = "read write";
    return tokens;
  }

  static constexpr SystemTime kNow = SystemTime(std::chrono::seconds(1'700'000'000));

  LeaseAnswer Lease(const std::string& owner, SystemTime now = kNow,
                    const std::string& key = "acme") {
    const auto answer = store_->AcquireRefreshLease(key, owner, now, std::chrono::seconds(10));
    EXPECT_TRUE(answer.has_value()) << answer.error().ToString();
    return answer.value();
  }

  void SetUp() override {
    if (store_ == nullptr) GTEST_SKIP() << "the store's server is not installed";
  }

  std::unique_ptr<TokenStore> store_ = GetParam()();
};

TEST_P(TokenStoreContractTest, AnUnknownKeyHasNoTokens) {
  const auto loaded = store_->Load("nobody");
  ASSERT_TRUE(loaded.has_value());
  EXPECT_FALSE(loaded->has_value());
}

TEST_P(TokenStoreContractTest, GivesBackEveryFieldThatWasSaved) {
  const TokenSet tokens = Tokens("access-1", "refresh-1");
  const auto version = store_->Save("acme", tokens, 0);
  ASSERT_TRUE(version.has_value());
  const auto loaded = store_->Load("acme");
  ASSERT_TRUE(loaded.has_value() && loaded->has_value());
  const TokenSet& found = **loaded;
  EXPECT_EQ(found.access_token.Reveal(), "access-1");
  EXPECT_EQ(found.refresh_token.Reveal(), "refresh-1");
  EXPECT_EQ(found.issued_at, tokens.issued_at);
  EXPECT_EQ(found.expires_at, tokens.expires_at);
  EXPECT_EQ(found.scope, "read write");
  EXPECT_EQ(found.version, *version);
}

TEST_P(TokenStoreContractTest, KeepsAnAbsentExpiryAndAnEmptyRefreshToken) {
  TokenSet tokens = Tokens("access-1", "");
  tokens.expires_at = std::nullopt;
  ASSERT_TRUE(store_->Save("acme", tokens, 0).has_value());
  const auto loaded = store_->Load("acme");
  ASSERT_TRUE(loaded.has_value() && loaded->has_value());
  EXPECT_FALSE((*loaded)->expires_at.has_value());
  EXPECT_TRUE((*loaded)->refresh_token.empty());
}

TEST_P(TokenStoreContractTest, KeepsNanosecondsAndTimesBefore1970) {
  TokenSet tokens = Tokens("access-1");
  tokens.issued_at = SystemTime(std::chrono::nanoseconds(-1));
  tokens.expires_at = SystemTime(std::chrono::nanoseconds(1'700'000'000'123'456'789));
  ASSERT_TRUE(store_->Save("acme", tokens, 0).has_value());
  const auto loaded = store_->Load("acme");
  ASSERT_TRUE(loaded.has_value() && loaded->has_value());
  EXPECT_EQ((*loaded)->issued_at, tokens.issued_at);
  EXPECT_EQ((*loaded)->expires_at, tokens.expires_at);
}

TEST_P(TokenStoreContractTest, OA14_KeepsTheMarkOfARevocation) {
  TokenSet tokens = Tokens("access-1");
  tokens.revoked = true;
  const auto version = store_->Save("acme", tokens, 0);
  ASSERT_TRUE(version.has_value());
  EXPECT_TRUE((**store_->Load("acme")).revoked);
  ASSERT_TRUE(store_->Save("acme", Tokens("access-2"), *version).has_value());
  EXPECT_FALSE((**store_->Load("acme")).revoked);
}

TEST_P(TokenStoreContractTest, KeepsAnyBytesAndLongTokens) {
  TokenSet tokens = Tokens(std::string(10'000, 'a'), std::string("r\0'\xff\n", 5));
  tokens.scope = "a b\tc \xe2\x82\xac";
  const std::string key = "acme/ten'ant \"1\"; \xc3\xa9";
  ASSERT_TRUE(store_->Save(key, tokens, 0).has_value());
  const auto loaded = store_->Load(key);
  ASSERT_TRUE(loaded.has_value() && loaded->has_value());
  EXPECT_EQ((*loaded)->access_token.Reveal(), tokens.access_token.Reveal());
  EXPECT_EQ((*loaded)->refresh_token.Reveal(), tokens.refresh_token.Reveal());
  EXPECT_EQ((*loaded)->scope, tokens.scope);
}

TEST_P(TokenStoreContractTest, ListsItsKeysInOrderPageByPage) {
  for (const char* const key : {"b/2", "B/1", "a", "b/10"}) {
    ASSERT_TRUE(store_->Save(key, Tokens("t"), 0).has_value());
  }
  using Keys = std::vector<std::string>;
  EXPECT_EQ(store_->Keys("", 10).value(), (Keys{"B/1", "a", "b/10", "b/2"}));
  EXPECT_EQ(store_->Keys("", 2).value(), (Keys{"B/1", "a"}));
  EXPECT_EQ(store_->Keys("a", 2).value(), (Keys{"b/10", "b/2"}));
  EXPECT_EQ(store_->Keys("b", 1).value(), (Keys{"b/10"})) << "`after` need not exist";
  EXPECT_EQ(store_->Keys("b/2", 10).value(), Keys{});
  EXPECT_EQ(store_->Keys("", 0).value(), Keys{});
}

TEST_P(TokenStoreContractTest, OA8_OnlyOneOwnerHoldsTheLeaseOfAKey) {
  const auto first = Lease("one");
  ASSERT_TRUE(first.lease.has_value());
  EXPECT_EQ(first.lease->key, "acme");
  EXPECT_EQ(first.lease->owner, "one");
  EXPECT_EQ(first.lease->expires_at, kNow + std::chrono::seconds(10));
  const auto second = Lease("two");
  EXPECT_FALSE(second.lease.has_value());
  EXPECT_EQ(second.held_until, kNow + std::chrono::seconds(10));
  EXPECT_FALSE(Lease("one").lease.has_value()) << "nor the same owner twice";
  EXPECT_TRUE(Lease("two", kNow, "other").lease.has_value()) << "keys are apart";
}

TEST_P(TokenStoreContractTest, OA8_ALeaseEndsAtItsTimeAndNotBefore) {
  ASSERT_TRUE(Lease("one").lease.has_value());
  const SystemTime end = kNow + std::chrono::seconds(10);
  EXPECT_FALSE(Lease("two", end - Duration(1)).lease.has_value());
  EXPECT_TRUE(Lease("two", end).lease.has_value());
}

TEST_P(TokenStoreContractTest, OA8_AReleasedLeaseIsFreeAndTheFenceGrows) {
  const auto first = Lease("one");
  ASSERT_TRUE(first.lease.has_value());
  ASSERT_TRUE(store_->ReleaseRefreshLease(*first.lease).has_value());
  const auto second = Lease("two");
  ASSERT_TRUE(second.lease.has_value());
  EXPECT_GT(second.lease->fence, first.lease->fence);
}

TEST_P(TokenStoreContractTest, OA8_ALateReleaseDoesNotFreeTheLeaseOfTheNextHolder) {
  const auto first = Lease("one");
  const auto second = Lease("two", kNow + std::chrono::seconds(10));
  ASSERT_TRUE(first.lease.has_value() && second.lease.has_value());
  EXPECT_TRUE(store_->ReleaseRefreshLease(*first.lease).has_value());
  EXPECT_FALSE(Lease("three", kNow + std::chrono::seconds(10)).lease.has_value());
}

TEST_P(TokenStoreContractTest, OA8_ALeaseFromAClockThatWasFarAheadDoesNotBlockTheKey) {
  ASSERT_TRUE(Lease("one", kNow + std::chrono::hours(24)).lease.has_value());
  EXPECT_TRUE(Lease("two").lease.has_value());
}

TEST_P(TokenStoreContractTest, RefusesALeaseThatMakesNoSense) {
  using std::chrono::seconds;
  for (const Duration ttl : {Duration::zero(), Duration(-1), kRefreshLeaseMax + Duration(1)}) {
    const auto answer = store_->AcquireRefreshLease("acme", "one", kNow, ttl);
    ASSERT_FALSE(answer.has_value());
    EXPECT_EQ(answer.error().code, ErrorCode::kInvalidArgument);
  }
  EXPECT_FALSE(store_->AcquireRefreshLease("", "one", kNow, seconds(1)).has_value());
  EXPECT_FALSE(store_->AcquireRefreshLease("acme", "", kNow, seconds(1)).has_value());
}

TEST_P(TokenStoreContractTest, OA8_OfConcurrentClaimsOfALeaseExactlyOneWins) {
  constexpr int kThreads = 4;
  std::atomic<int> wins = 0;
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < kThreads; ++i) {
      threads.emplace_back([&, i] {
        if (Lease("owner-" + std::to_string(i)).lease) ++wins;
      });
    }
  }
  EXPECT_EQ(wins, 1);
}

TEST_P(TokenStoreContractTest, TheVersionGrowsWithEverySave) {
  const auto first = store_->Save("acme", Tokens("a1"), 0);
  ASSERT_TRUE(first.has_value());
  EXPECT_GT(*first, 0u);
  const auto second = store_->Save("acme", Tokens("a2"), *first);
  ASSERT_TRUE(second.has_value());
  EXPECT_GT(*second, *first);
}

TEST_P(TokenStoreContractTest, OA8_ASaveOverNewerTokensIsAConflictAndChangesNothing) {
  const auto first = store_->Save("acme", Tokens("a1"), 0);
  ASSERT_TRUE(first.has_value());
  ASSERT_TRUE(store_->Save("acme", Tokens("a2"), *first).has_value());
  for (const std::uint64_t stale : {std::uint64_t{0}, *first, *first + 100}) {
    const auto late = store_->Save("acme", Tokens("late"), stale);
    ASSERT_FALSE(late.has_value()) << "expected_version " << stale;
    EXPECT_EQ(late.error().code, ErrorCode::kStorage);
    EXPECT_EQ(late.error().reason, "conflict");
  }
  EXPECT_EQ((**store_->Load("acme")).access_token.Reveal(), "a2");
}

TEST_P(TokenStoreContractTest, ASaveThatExpectsTokensWhereThereAreNoneIsAConflict) {
  const auto saved = store_->Save("acme", Tokens("a1"), 3);
  ASSERT_FALSE(saved.has_value());
  EXPECT_EQ(saved.error().reason, "conflict");
  EXPECT_FALSE(store_->Load("acme")->has_value());
}

TEST_P(TokenStoreContractTest, KeysAreApart) {
  ASSERT_TRUE(store_->Save("acme/1", Tokens("a1"), 0).has_value());
  ASSERT_TRUE(store_->Save("acme/2", Tokens("a2"), 0).has_value());
  EXPECT_EQ((**store_->Load("acme/1")).access_token.Reveal(), "a1");
  EXPECT_EQ((**store_->Load("acme/2")).access_token.Reveal(), "a2");
}

TEST_P(TokenStoreContractTest, OA8_OfConcurrentSavesOverOneVersionExactlyOneWins) {
  constexpr int kThreads = 4;
  std::atomic<int> wins = 0;
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < kThreads; ++i) {
      threads.emplace_back([&, i] {
        if (store_->Save("acme", Tokens("a" + std::to_string(i)), 0).has_value()) ++wins;
      });
    }
  }
  EXPECT_EQ(wins, 1);
}

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(TokenStoreContractTest);

}  // namespace understudy::test
