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
// or the factory.
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
