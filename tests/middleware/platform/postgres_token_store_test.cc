#include "middleware/platform/postgres_token_store.h"

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "middleware/platform/openssl_aead.h"
#include "middleware/store/encrypted_token_store.h"
#include "tests/contract/token_store_contract.h"
#include "tests/support/owning_token_store.h"
#include "tests/support/postgres_server.h"

namespace understudy::test {
namespace {

using std::chrono::seconds;
using testing::HasSubstr;
using testing::Not;

std::unique_ptr<PostgresTokenStore> Open(const std::string& schema) {
  const auto server = SharedPostgresServer();
  if (!server) return nullptr;
  return PostgresTokenStore::Open((*server)->conninfo(), {.schema = schema}).value();
}

// Null where PostgreSQL is not installed; the suite skips then. One that does not start fails it.
std::unique_ptr<TokenStore> Make() {
  const auto server = SharedPostgresServer();
  EXPECT_TRUE(server || server.error().code == ErrorCode::kNotFound) << server.error().message;
  return server ? Open((*server)->NewSchema()) : nullptr;
}

std::unique_ptr<TokenStore> MakeEncrypted() {
  static const OpensslAead kAead;
  std::unique_ptr<TokenStore> inner = Make();
  if (inner == nullptr) return nullptr;
  auto store = std::make_unique<EncryptedTokenStore>(
      *inner, kAead, KeyRing::Create({{"k1", Secret(std::string(32, 'k'))}}, "k1").value());
  return std::make_unique<OwningTokenStore<std::unique_ptr<TokenStore>>>(std::move(store),
                                                                         std::move(inner));
}

INSTANTIATE_TEST_SUITE_P(Postgres, TokenStoreContractTest,
                         testing::Values(TokenStoreFactory(Make)));
INSTANTIATE_TEST_SUITE_P(EncryptedPostgres, TokenStoreContractTest,
                         testing::Values(TokenStoreFactory(MakeEncrypted)));

TokenSet Tokens(const std::string& access) {
  TokenSet tokens;
  tokens.access_token = Secret(access);
  return tokens;
}

class PostgresTokenStoreTest : public testing::Test {
 protected:
  void SetUp() override {
    UNDERSTUDY_SKIP_WITHOUT_POSTGRES();
    server_ = *SharedPostgresServer();
    schema_ = server_->NewSchema();
  }

  PostgresServer* server_ = nullptr;
  std::string schema_;
};

TEST_F(PostgresTokenStoreTest, OA1_TokensSurviveTheProcessThatStoredThem) {
  ASSERT_TRUE(Open(schema_)->Save("acme", Tokens("a1"), 0).has_value());
  EXPECT_EQ((**Open(schema_)->Load("acme")).access_token.Reveal(), "a1");
}

TEST_F(PostgresTokenStoreTest, OA8_TwoStoresSeeEachOthersTokensAndLeases) {
  const auto one = Open(schema_);
  const auto two = Open(schema_);
  ASSERT_TRUE(one->Save("acme", Tokens("a1"), 0).has_value());
  EXPECT_EQ(two->Save("acme", Tokens("a2"), 0).error().reason, "conflict");
  const SystemTime now = SystemTime(seconds(1'700'000'000));
  const auto lease = one->AcquireRefreshLease("acme", "one", now, seconds(10)).value().lease;
  ASSERT_TRUE(lease.has_value());
  EXPECT_FALSE(two->AcquireRefreshLease("acme", "two", now, seconds(10)).value().lease);
  ASSERT_TRUE(one->ReleaseRefreshLease(*lease).has_value());
  EXPECT_TRUE(two->AcquireRefreshLease("acme", "two", now, seconds(10)).value().lease);
}

TEST_F(PostgresTokenStoreTest, OA8_StoresThatOpenAnEmptySchemaAtOnceAllWork) {
  std::vector<std::jthread> threads;
  std::atomic<int> loaded = 0;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      const auto none = Open(schema_)->Load("acme");
      if (none && !*none) ++loaded;
    });
  }
  threads.clear();
  EXPECT_EQ(loaded, 4);
}

TEST_F(PostgresTokenStoreTest, ASchemaOfANewerProgramIsRefused) {
  static_cast<void>(Open(schema_));
  server_->Psql("UPDATE " + schema_ + ".understudy_migrations SET version = 99");
  const auto refused = PostgresTokenStore::Open(server_->conninfo(), {.schema = schema_});
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().reason, "schema");
}

TEST_F(PostgresTokenStoreTest, OA10_ErrorsHoldNoToken) {
  const auto store = Open(schema_);
  server_->Psql("ALTER TABLE " + schema_ + ".oauth_tokens ADD CHECK (version > 5)");
  const auto saved = store->Save("acme", Tokens("secret-1"), 0);
  ASSERT_FALSE(saved.has_value());
  EXPECT_EQ(saved.error().code, ErrorCode::kStorage);
  EXPECT_THAT(saved.error().ToString(), Not(HasSubstr("secret-1")));
  EXPECT_THAT(saved.error().ToString(), Not(HasSubstr("736563726574")));  // In hexadecimal.
}

TEST_F(PostgresTokenStoreTest, AServerThatIsGoneIsAnErrorAndNeverNoTokens) {
  const auto store = Open(schema_);
  ASSERT_TRUE(store->Save("acme", Tokens("a1"), 0).has_value());
  server_->Crash();
  const auto gone = store->Load("acme");
  ASSERT_TRUE(server_->Restart().has_value());
  ASSERT_FALSE(gone.has_value());
  EXPECT_EQ(gone.error().code, ErrorCode::kStorage);
  EXPECT_EQ(gone.error().reason, "gone");
  EXPECT_EQ((**store->Load("acme")).access_token.Reveal(), "a1") << "it connects again";
}

TEST_F(PostgresTokenStoreTest, OA15_AnEncryptedTableHoldsNoToken) {
  const auto rows = Open(schema_);
  const OpensslAead aead;
  EncryptedTokenStore store(*rows, aead,
                            KeyRing::Create({{"k1", Secret(std::string(32, 'k'))}}, "k1").value());
  ASSERT_TRUE(store.Save("acme", Tokens("plain-access"), 0).has_value());
  const std::string table = server_->Psql(
      "SELECT convert_from(access_token, 'UTF8'), refresh_token, scope, issued_at, expires_at "
      "FROM " +
      schema_ + ".oauth_tokens");
  EXPECT_THAT(table, HasSubstr("ut1.k1."));
  EXPECT_THAT(table, Not(HasSubstr("plain-access")));
}

}  // namespace
}  // namespace understudy::test
