#include "middleware/store/encrypted_token_store.h"

#include <chrono>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "middleware/base/text.h"
#include "middleware/platform/openssl_aead.h"
#include "middleware/store/in_memory_token_store.h"

namespace understudy::test {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

Secret Key(char fill) { return Secret(std::string(Aead::kKeyBytes, fill)); }

TokenSet Tokens(const std::string& access) {
  TokenSet tokens;
  tokens.access_token = Secret(access);
  tokens.refresh_token = Secret("refresh-1");
  return tokens;
}

class EncryptedTokenStoreTest : public testing::Test {
 protected:
  EncryptedTokenStore With(std::vector<std::pair<std::string, Secret>> keys,
                           const std::string& current, EncryptedTokenStoreOptions options = {}) {
    return EncryptedTokenStore(rows_, aead_, KeyRing::Create(std::move(keys), current).value(),
                               options);
  }
  std::string Row(const std::string& key) {
    return std::string((**rows_.Load(key)).access_token.Reveal());
  }
  void PutRow(const std::string& key, const std::string& text) {
    const auto old = rows_.Load(key).value();
    TokenSet row;
    row.access_token = Secret(text);
    ASSERT_TRUE(rows_.Save(key, row, old ? old->version : 0).has_value());
  }
  static std::string Got(const Result<std::optional<TokenSet>>& loaded) {
    if (!loaded) return std::string(ToString(loaded.error().code)) + " " + loaded.error().reason;
    return *loaded ? std::string((*loaded)->access_token.Reveal()) : "none";
  }

  OpensslAead aead_;
  InMemoryTokenStore rows_;
  EncryptedTokenStore store_ = With({{"k1", Key('1')}}, "k1");
};

TEST_F(EncryptedTokenStoreTest, OA15_TheRowNamesItsKeyAndHoldsNoTokenScopeOrTime) {
  TokenSet tokens = Tokens("access-1");
  tokens.expires_at = SystemTime(std::chrono::hours(1));
  ASSERT_TRUE(store_.Save("acme", tokens, 0).has_value());
  const TokenSet row = **rows_.Load("acme");
  EXPECT_THAT(std::string(row.access_token.Reveal()), StartsWith("ut1.k1."));
  EXPECT_THAT(std::string(row.access_token.Reveal()), Not(HasSubstr("access-1")));
  EXPECT_TRUE(row.refresh_token.empty());
  EXPECT_EQ(row.scope, "");
  EXPECT_FALSE(row.expires_at.has_value());
}

TEST_F(EncryptedTokenStoreTest, OA15_AWrongKeyIsATypedErrorAndNeverNoTokens) {
  ASSERT_TRUE(store_.Save("acme", Tokens("access-1"), 0).has_value());
  EncryptedTokenStore wrong = With({{"k1", Key('x')}}, "k1");
  EXPECT_EQ(Got(wrong.Load("acme")), "unverified undecryptable");
  EXPECT_FALSE(wrong.Save("acme", Tokens("mine"), 0).has_value()) << "nor is it overwritten";
}

TEST_F(EncryptedTokenStoreTest, OA15_AKeyThatIsNotOnTheRingIsNamed) {
  ASSERT_TRUE(store_.Save("acme", Tokens("access-1"), 0).has_value());
  EncryptedTokenStore other = With({{"k2", Key('2')}}, "k2");
  const auto loaded = other.Load("acme");
  EXPECT_EQ(Got(loaded), "storage unknown-key");
  EXPECT_THAT(loaded.error().message, HasSubstr("\"k1\""));
}

TEST_F(EncryptedTokenStoreTest, OA15_ARecordCannotBeMovedToAnotherKey) {
  ASSERT_TRUE(store_.Save("mallory", Tokens("access-of-mallory"), 0).has_value());
  ASSERT_TRUE(store_.Save("alice", Tokens("access-of-alice"), 0).has_value());
  PutRow("alice", Row("mallory"));
  EXPECT_EQ(Got(store_.Load("alice")), "unverified undecryptable");
}

TEST_F(EncryptedTokenStoreTest, OA15_ARecordCannotBeAttributedToAnotherName) {
  EncryptedTokenStore store = With({{"k1", Key('1')}, {"k2", Key('2')}}, "k1");
  ASSERT_TRUE(store.Save("acme", Tokens("access-1"), 0).has_value());
  std::string row = Row("acme");
  PutRow("acme", row.replace(4, 2, "k2"));
  EXPECT_EQ(Got(store.Load("acme")), "unverified undecryptable");
}

struct Damage {
  const char* name;
  const char* row;
  const char* got;
};

class DamagedRecordTest : public EncryptedTokenStoreTest,
                          public testing::WithParamInterface<Damage> {};

TEST_P(DamagedRecordTest, OA15_IsATypedError) {
  PutRow("acme", GetParam().row);
  EXPECT_EQ(Got(store_.Load("acme")), GetParam().got);
}

INSTANTIATE_TEST_SUITE_P(
    Rows, DamagedRecordTest,
    testing::Values(Damage{"Plaintext", "ya29.token", "unverified not-encrypted"},
                    Damage{"Empty", "", "unverified not-encrypted"},
                    Damage{"PrefixOnly", "ut1.", "unverified malformed"},
                    Damage{"NoDot", "ut1.k1", "unverified malformed"},
                    Damage{"NoName", "ut1..AAAA", "unverified malformed"},
                    Damage{"BadName", "ut1.k 1.AAAA", "unverified malformed"},
                    Damage{"BadBase64", "ut1.k1.A", "unverified malformed"},
                    Damage{"NoBytes", "ut1.k1.", "unverified undecryptable"},
                    Damage{"TooShort", "ut1.k1.AAAA", "unverified undecryptable"}),
    [](const auto& test) { return test.param.name; });

TEST_F(EncryptedTokenStoreTest, AnAuthenticRecordOfAnUnknownFormatIsATypedError) {
  const std::string sealed =
      aead_.Seal(Key('1'), "\x02 of the future", "understudy token record 1\nk1\nacme").value();
  PutRow("acme", "ut1.k1." + Base64Encode(sealed));
  EXPECT_EQ(Got(store_.Load("acme")), "storage format");
}

TEST_F(EncryptedTokenStoreTest, OldKeysStillOpenAndNewWritesTakeTheCurrentOne) {
  ASSERT_TRUE(store_.Save("acme", Tokens("access-1"), 0).has_value());
  EncryptedTokenStore rotated = With({{"k1", Key('1')}, {"k2", Key('2')}}, "k2");
  EXPECT_EQ(Got(rotated.Load("acme")), "access-1");
  ASSERT_TRUE(rotated.Save("acme", Tokens("access-2"), 1).has_value());
  EXPECT_THAT(Row("acme"), StartsWith("ut1.k2."));
  EXPECT_EQ(Got(rotated.Load("acme")), "access-2");
}

TEST_F(EncryptedTokenStoreTest, RewrapMovesARecordToTheCurrentKeyOnce) {
  ASSERT_TRUE(store_.Save("acme", Tokens("access-1"), 0).has_value());
  EncryptedTokenStore rotated = With({{"k1", Key('1')}, {"k2", Key('2')}}, "k2");
  EXPECT_EQ(rotated.Rewrap("acme").value(), true);
  EXPECT_EQ(rotated.Rewrap("acme").value(), false);
  EXPECT_EQ(rotated.Rewrap("nobody").value(), false);
  EncryptedTokenStore without_old = With({{"k2", Key('2')}}, "k2");
  EXPECT_EQ(Got(without_old.Load("acme")), "access-1");
}

TEST_F(EncryptedTokenStoreTest, RewrapAllMovesEveryRecordAndGoesOnAfterAFailure) {
  for (int i = 0; i < 250; ++i) {
    ASSERT_TRUE(store_.Save("acme/" + std::to_string(i), Tokens("a"), 0).has_value());
  }
  PutRow("acme/17", "ut1.k1.AAAA");
  EncryptedTokenStore rotated = With({{"k1", Key('1')}, {"k2", Key('2')}}, "k2");
  const RewrapReport report = rotated.RewrapAll({}).value();
  EXPECT_EQ(report.examined, 250u);
  EXPECT_EQ(report.moved, 249u);
  EXPECT_EQ(report.failed, 1u);
  ASSERT_TRUE(report.first_error.has_value());
  EXPECT_THAT(report.first_error->message, StartsWith("acme/17: "));
  EXPECT_EQ(rotated.RewrapAll({}).value().moved, 0u);
}

TEST_F(EncryptedTokenStoreTest, RewrapAllCanBeStopped) {
  ASSERT_TRUE(store_.Save("acme", Tokens("a"), 0).has_value());
  std::stop_source stop;
  stop.request_stop();
  EXPECT_EQ(store_.RewrapAll(stop.get_token()).error().code, ErrorCode::kCancelled);
}

TEST_F(EncryptedTokenStoreTest, PlaintextIsTakenOverOnlyIfAsked) {
  ASSERT_TRUE(rows_.Save("acme", Tokens("plain"), 0).has_value());
  EXPECT_EQ(Got(store_.Load("acme")), "unverified not-encrypted");
  EncryptedTokenStore migrating = With({{"k1", Key('1')}}, "k1", {.accept_plaintext = true});
  EXPECT_EQ(Got(migrating.Load("acme")), "plain");
  EXPECT_EQ(migrating.Rewrap("acme").value(), true);
  EXPECT_EQ(Got(store_.Load("acme")), "plain");
}

}  // namespace
}  // namespace understudy::test
