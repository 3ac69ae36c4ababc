#include "middleware/platform/sqlite_token_store.h"

#include <chrono>
#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>
#include <sqlite3.h>

#include "middleware/platform/openssl_aead.h"
#include "middleware/store/encrypted_token_store.h"
#include "middleware/store/in_memory_token_store.h"
#include "tests/contract/token_store_contract.h"
#include "tests/support/owning_token_store.h"
#include "tests/support/temporary_folder.h"

namespace understudy::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

std::unique_ptr<TokenStore> MakeSqlite() {
  auto folder = std::make_unique<TemporaryFolder>();
  auto store = SqliteTokenStore::Open(folder->File("tokens.db")).value();
  return std::make_unique<OwningTokenStore<std::unique_ptr<TemporaryFolder>>>(std::move(store),
                                                                              std::move(folder));
}

KeyRing OneKey() { return KeyRing::Create({{"k1", Secret(std::string(32, 'k'))}}, "k1").value(); }

std::unique_ptr<TokenStore> Encrypted(std::unique_ptr<TokenStore> inner) {
  static const OpensslAead kAead;
  auto store = std::make_unique<EncryptedTokenStore>(*inner, kAead, OneKey());
  return std::make_unique<OwningTokenStore<std::unique_ptr<TokenStore>>>(std::move(store),
                                                                         std::move(inner));
}

INSTANTIATE_TEST_SUITE_P(Sqlite, TokenStoreContractTest,
                         testing::Values(TokenStoreFactory(MakeSqlite)));
INSTANTIATE_TEST_SUITE_P(EncryptedInMemory, TokenStoreContractTest,
                         testing::Values(TokenStoreFactory([] {
                           return Encrypted(std::make_unique<InMemoryTokenStore>());
                         })));
INSTANTIATE_TEST_SUITE_P(EncryptedSqlite, TokenStoreContractTest,
                         testing::Values(TokenStoreFactory([] {
                           return Encrypted(MakeSqlite());
                         })));

TokenSet Tokens(const std::string& access) {
  TokenSet tokens;
  tokens.access_token = Secret(access);
  tokens.refresh_token = Secret("refresh-of-" + access);
  tokens.scope = "scope-of-" + access;
  return tokens;
}

// Every byte of every file of the folder that holds `file`.
std::string BytesBeside(const std::string& file) {
  std::ostringstream bytes;
  for (const auto& entry :
       std::filesystem::directory_iterator(std::filesystem::path(file).parent_path())) {
    bytes << std::ifstream(entry.path(), std::ios::binary).rdbuf();
  }
  return bytes.str();
}

class SqliteTokenStoreTest : public testing::Test {
 protected:
  TemporaryFolder folder_;
  const std::string path_ = folder_.File("tokens.db");
};

TEST_F(SqliteTokenStoreTest, OA1_TokensAndTheirWallClockExpirySurviveARestart) {
  TokenSet tokens = Tokens("a1");
  tokens.issued_at = SystemTime(seconds(1'700'000'000));
  tokens.expires_at = SystemTime(seconds(1'700'003'600));
  ASSERT_TRUE(SqliteTokenStore::Open(path_).value()->Save("acme", tokens, 0).has_value());
  const auto loaded = SqliteTokenStore::Open(path_).value()->Load("acme");
  ASSERT_TRUE(loaded.has_value() && loaded->has_value());
  EXPECT_EQ((*loaded)->access_token.Reveal(), "a1");
  EXPECT_EQ((*loaded)->expires_at, tokens.expires_at);
  EXPECT_EQ((*loaded)->version, 1u);
}

TEST_F(SqliteTokenStoreTest, OA8_TwoStoresOnOneFileSeeEachOthersTokensAndLeases) {
  const auto one = SqliteTokenStore::Open(path_).value();
  const auto two = SqliteTokenStore::Open(path_).value();
  ASSERT_TRUE(one->Save("acme", Tokens("a1"), 0).has_value());
  EXPECT_EQ(two->Save("acme", Tokens("a2"), 0).error().reason, "conflict");
  EXPECT_EQ((**two->Load("acme")).access_token.Reveal(), "a1");
  const SystemTime now = SystemTime(seconds(1'700'000'000));
  const auto lease = one->AcquireRefreshLease("acme", "one", now, seconds(10)).value().lease;
  ASSERT_TRUE(lease.has_value());
  EXPECT_FALSE(two->AcquireRefreshLease("acme", "two", now, seconds(10)).value().lease);
  ASSERT_TRUE(one->ReleaseRefreshLease(*lease).has_value());
  EXPECT_TRUE(two->AcquireRefreshLease("acme", "two", now, seconds(10)).value().lease);
}

TEST_F(SqliteTokenStoreTest, OnlyTheOwnerMayReadTheFile) {
  const auto store = SqliteTokenStore::Open(path_).value();
  ASSERT_TRUE(store->Save("acme", Tokens("a1"), 0).has_value());
  for (const auto& entry :
       std::filesystem::directory_iterator(std::filesystem::path(path_).parent_path())) {
    const auto others = std::filesystem::perms::group_all | std::filesystem::perms::others_all;
    EXPECT_EQ(entry.status().permissions() & others, std::filesystem::perms::none) << entry.path();
  }
}

TEST_F(SqliteTokenStoreTest, AWriterThatDoesNotEndIsBusy) {
  const auto store = SqliteTokenStore::Open(path_, {.busy_timeout = milliseconds(1)}).value();
  sqlite3* other = nullptr;
  ASSERT_EQ(sqlite3_open(path_.c_str(), &other), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(other, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr), SQLITE_OK);
  const auto saved = store->Save("acme", Tokens("secret-1"), 0);
  sqlite3_close(other);
  ASSERT_FALSE(saved.has_value());
  EXPECT_EQ(saved.error().code, ErrorCode::kStorage);
  EXPECT_EQ(saved.error().reason, "busy");
  EXPECT_EQ(saved.error().ToString().find("secret-1"), std::string::npos);
}

TEST_F(SqliteTokenStoreTest, AFileOfANewerProgramIsRefused) {
  static_cast<void>(SqliteTokenStore::Open(path_).value());
  sqlite3* other = nullptr;
  ASSERT_EQ(sqlite3_open(path_.c_str(), &other), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(other, "PRAGMA user_version = 99", nullptr, nullptr, nullptr), SQLITE_OK);
  sqlite3_close(other);
  EXPECT_EQ(SqliteTokenStore::Open(path_).error().reason, "schema");
}

TEST_F(SqliteTokenStoreTest, AFileThatIsNoDatabaseIsAnErrorAndNotAnEmptyStore) {
  std::ofstream(path_) << std::string(4096, 'x');
  EXPECT_EQ(SqliteTokenStore::Open(path_).error().reason, "corrupt");
}

TEST_F(SqliteTokenStoreTest, OA15_AnEncryptedFileHoldsNoToken) {
  const auto rows = SqliteTokenStore::Open(path_).value();
  const OpensslAead aead;
  EncryptedTokenStore store(*rows, aead, OneKey());
  ASSERT_TRUE(store.Save("acme", Tokens("plain-access"), 0).has_value());
  const std::string bytes = BytesBeside(path_);
  EXPECT_EQ(bytes.find("plain-access"), std::string::npos);  // In no token and no scope.
  EXPECT_NE(bytes.find("ut1.k1."), std::string::npos);
  EXPECT_EQ((**store.Load("acme")).access_token.Reveal(), "plain-access");
}

}  // namespace
}  // namespace understudy::test
