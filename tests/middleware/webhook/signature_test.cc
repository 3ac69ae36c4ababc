#include "middleware/webhook/signature.h"

#include <chrono>
#include <cstdint>
#include <fstream>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "middleware/base/text.h"
#include "middleware/platform/openssl_crypto.h"

namespace understudy::test {
namespace {

using std::chrono::seconds;
using testing::HasSubstr;
using testing::Not;

constexpr std::int64_t kUnix = 1'700'000'000;
constexpr SystemTime kNow = SystemTime(seconds(kUnix));
constexpr std::string_view kBody = R"({"id":"evt_1","type":"order.paid"})";

SignatureVerifier Verifier(std::string_view scheme, std::vector<Secret> secrets) {
  static const OpensslCrypto crypto;
  auto verifier = SignatureVerifier::Create(crypto, *FindScheme(scheme), secrets);
  return std::move(verifier).value();
}

std::string StripeHex(std::string_view secret, std::string_view timestamp, std::string_view body) {
  return HexEncode(
      OpensslCrypto().HmacSha256(secret, std::string(timestamp).append(".").append(body)));
}

http::Headers Stripe(std::string_view value) { return {{"Stripe-Signature", value}}; }

// "" if it verifies, else the reason.
std::string ReasonOf(const Result<Verified>& result) {
  if (result) return "";
  EXPECT_EQ(result.error().code, ErrorCode::kUnverified);
  return result.error().reason;
}

std::string VerifyStripe(std::string_view header, SystemTime now = kNow) {
  return ReasonOf(Verifier("stripe", {Secret("whsec_a")}).Verify(Stripe(header), kBody, now));
}

// A good header for kBody at kUnix.
std::string GoodStripe() { return "t=1700000000,v1=" + StripeHex("whsec_a", "1700000000", kBody); }

std::optional<std::string_view> SchemeOfVector(const nlohmann::json& row) {
  const std::string vendor = row.at("vendor");
  if (row.value("scheme", "") == "v1a-ed25519") return std::nullopt;
  if (vendor == "stripe" || vendor == "svix") return vendor == "stripe" ? "stripe" : "svix";
  if (vendor == "github") return row.value("legacy_sha1", false) ? "github-sha1" : "github";
  if (vendor == "standardwebhooks" || vendor == "openai") return "standard-webhooks";
  return std::nullopt;
}

TEST(SignatureVectorsTest, AgreesWithThePublishedVectorsOfTheVendors) {
  const std::string folder = UNDERSTUDY_SHARED_DIR;
  std::ifstream file(folder + "/data/webhook_vectors.json");
  if (folder.empty() || !file) GTEST_SKIP() << "the shared test data is not here";
  const auto rows = nlohmann::json::parse(file);
  int checked = 0;
  for (const auto& row : rows) {
    const auto scheme = SchemeOfVector(row);
    if (!scheme) continue;
    SCOPED_TRACE("vector " + row.at("n").dump() + ": " + row.value("note", ""));
    http::Headers headers;
    for (const auto& [name, value] : row.at("headers").items()) {
      ASSERT_TRUE(headers.Add(name, value.get<std::string>()).has_value());
    }
    const SystemTime now{seconds(row.value("now", std::int64_t{0}))};
    const auto verified = Verifier(*scheme, {Secret(row.at("secret").get<std::string>())})
                              .Verify(headers, row.at("body").get<std::string>(), now);
    EXPECT_EQ(verified.has_value(), row.at("valid").get<bool>());
    ++checked;
  }
  EXPECT_GE(checked, 30);
}

TEST(FindSchemeTest, KnowsItsNamesAndNothingElse) {
  for (const char* name :
       {"stripe", "github", "github-sha1", "standard-webhooks", "svix", "hmac-sha256-ts"}) {
    const auto scheme = FindScheme(name);
    ASSERT_TRUE(scheme.has_value()) << name;
    EXPECT_EQ(scheme->name, name);
  }
  EXPECT_FALSE(FindScheme("Stripe").has_value());
  EXPECT_FALSE(FindScheme("").has_value());
}

TEST(SignatureVerifierTest, AcceptsAGoodSignatureAndTellsItsTime) {
  const auto verified =
      Verifier("stripe", {Secret("whsec_a")}).Verify(Stripe(GoodStripe()), kBody, kNow);
  ASSERT_TRUE(verified.has_value());
  EXPECT_EQ(verified->timestamp, kNow);
}

TEST(SignatureVerifierTest, AnyChangedByteOfTheBodyIsRefused) {
  std::string body(kBody);
  for (std::size_t i = 0; i < body.size(); ++i) {
    std::string changed = body;
    changed[i] = static_cast<char>(changed[i] ^ 1);
    EXPECT_EQ(
        ReasonOf(
            Verifier("stripe", {Secret("whsec_a")}).Verify(Stripe(GoodStripe()), changed, kNow)),
        "no-match");
  }
}

TEST(SignatureVerifierTest, WH1_AnyOfSeveralSignaturesMayMatch) {
  const std::string good = StripeHex("whsec_a", "1700000000", kBody);
  const std::string bad(64, '0');
  EXPECT_EQ(VerifyStripe("t=1700000000,v1=" + good + ",v1=" + bad), "");
  EXPECT_EQ(VerifyStripe("t=1700000000,v1=" + bad + ",v1=" + good), "");
  EXPECT_EQ(VerifyStripe("t=1700000000,v1=potato,v9=x,junk,v1=" + good + ",v0=" + bad), "");
  EXPECT_EQ(VerifyStripe("v1=" + good + ",t=1700000000"), "");
  EXPECT_EQ(VerifyStripe("t=1700000000,v1=" + bad + ",v1=" + bad), "no-match");
}

TEST(SignatureVerifierTest, WH1_OtherVersionsNeverCount) {
  const std::string good = StripeHex("whsec_a", "1700000000", kBody);
  EXPECT_EQ(VerifyStripe("t=1700000000,v0=" + good), "malformed");
  EXPECT_EQ(VerifyStripe("t=1700000000,v1=,v0=" + good), "no-match");
}

TEST(SignatureVerifierTest, WH2_MalformedHeadersAreTypedErrors) {
  const std::string good = StripeHex("whsec_a", "1700000000", kBody);
  struct Row {
    std::string header;
    std::string_view reason;
  };
  const std::vector<Row> rows = {
      {"", "malformed"},
      {",,", "malformed"},
      {"t", "malformed"},
      {"=", "malformed"},
      {"t=1700000000", "malformed"},
      {"v1=" + good, "malformed"},
      {"t=1700000000,v1=" + good.substr(0, 63), "no-match"},
      {"t=1700000000,v1=" + good.substr(0, 62), "no-match"},
      {"t=1700000000,v1=" + good + "00", "no-match"},
      {"t=1700000000,v1=\xc3\xa9\xff", "no-match"},
      {"t=1700000000,t=1700000000,v1=" + good, "malformed"},
  };
  for (const Row& row : rows) EXPECT_EQ(VerifyStripe(row.header), row.reason) << row.header;
}

TEST(SignatureVerifierTest, WH2_TooManySignaturesAreRefused) {
  std::string header = "t=1700000000";
  for (int i = 0; i < 64; ++i) header += ",v1=00";
  EXPECT_EQ(VerifyStripe(header), "no-match");
  EXPECT_EQ(VerifyStripe(header + ",v1=00"), "malformed");
}

TEST(SignatureVerifierTest, WH2_AMissingOrRepeatedHeaderIsRefused) {
  const auto verifier = Verifier("stripe", {Secret("whsec_a")});
  EXPECT_EQ(ReasonOf(verifier.Verify({}, kBody, kNow)), "missing-header");
  EXPECT_EQ(
      ReasonOf(verifier.Verify(
          {{"Stripe-Signature", GoodStripe()}, {"stripe-signature", GoodStripe()}}, kBody, kNow)),
      "malformed");
}

TEST(SignatureVerifierTest, WH3_TimestampsAreStrictDecimalNumbers) {
  for (const char* timestamp :
       {"abc", "12x", "", "+1700000000", "-1", "1700000000.0", "0x10", "1e9",
        "99999999999999999999", "18446744073709551615", "9223372037"}) {
    const std::string header =
        std::string("t=") + timestamp + ",v1=" + StripeHex("whsec_a", timestamp, kBody);
    EXPECT_EQ(VerifyStripe(header), "malformed") << timestamp;
  }
}

TEST(SignatureVerifierTest, WH3_ExtremeTimesDoNotOverflow) {
  const std::string last = "9223372036";
  const std::string header = "t=" + last + ",v1=" + StripeHex("whsec_a", last, kBody);
  EXPECT_EQ(VerifyStripe(header, SystemTime::min()), "in-future");
  const std::string first = "t=0,v1=" + StripeHex("whsec_a", "0", kBody);
  EXPECT_EQ(VerifyStripe(first, SystemTime::max()), "too-old");
}

TEST(SignatureVerifierTest, WH4_TheToleranceIsAsymmetricAndItsEndsBelongToIt) {
  EXPECT_EQ(VerifyStripe(GoodStripe(), kNow + seconds(300)), "");
  EXPECT_EQ(VerifyStripe(GoodStripe(), kNow + seconds(301)), "too-old");
  EXPECT_EQ(VerifyStripe(GoodStripe(), kNow - seconds(60)), "");
  EXPECT_EQ(VerifyStripe(GoodStripe(), kNow - seconds(61)), "in-future");
}

TEST(SignatureVerifierTest, WH4_TheToleranceCanBeChosen) {
  const OpensslCrypto crypto;
  const auto verifier =
      SignatureVerifier::Create(crypto, *FindScheme("stripe"), {Secret("whsec_a")},
                                {.tolerance_past = seconds(10), .tolerance_future = seconds(0)});
  ASSERT_TRUE(verifier.has_value());
  EXPECT_EQ(ReasonOf(verifier->Verify(Stripe(GoodStripe()), kBody, kNow + seconds(11))), "too-old");
  EXPECT_EQ(ReasonOf(verifier->Verify(Stripe(GoodStripe()), kBody, kNow - seconds(1))),
            "in-future");
}

TEST(SignatureVerifierTest, WH4_WhiteSpaceAroundElementsIsIgnored) {
  const std::string good = StripeHex("whsec_a", "1700000000", kBody);
  EXPECT_EQ(VerifyStripe("t=1700000000, v1=" + good + " ,\tv1=00"), "");
}

TEST(SignatureVerifierTest, WH4_AWrongSignatureWithAnOldTimestampIsNoMatch) {
  EXPECT_EQ(VerifyStripe(std::string("t=1,v1=").append(64, '0')), "no-match");
}

TEST(SignatureVerifierTest, WH5_GitHubNeverFallsBackToSha1) {
  const OpensslCrypto crypto;
  const std::string sha1 = "sha1=" + HexEncode(crypto.HmacSha1("s", kBody));
  const http::Headers headers{{"X-Hub-Signature", sha1}};
  EXPECT_EQ(ReasonOf(Verifier("github", {Secret("s")}).Verify(headers, kBody, kNow)),
            "missing-header");
  EXPECT_EQ(
      ReasonOf(
          Verifier("github", {Secret("s")}).Verify({{"X-Hub-Signature-256", sha1}}, kBody, kNow)),
      "malformed");
  EXPECT_EQ(ReasonOf(Verifier("github-sha1", {Secret("s")}).Verify(headers, kBody, kNow)), "");
}

TEST(SignatureVerifierTest, WH5_StandardWebhooksSignsIdAndTimestamp) {
  const OpensslCrypto crypto;
  const Secret secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
  const auto scheme = *FindScheme("standard-webhooks");
  const auto verifier = Verifier("standard-webhooks", {secret});
  auto headers = Sign(crypto, scheme, secret, "msg_1", kNow, kBody);
  ASSERT_TRUE(headers.has_value());
  const auto verified = verifier.Verify(*headers, kBody, kNow);
  ASSERT_TRUE(verified.has_value());
  EXPECT_EQ(verified->id, "msg_1");
  http::Headers other_id = *headers;
  ASSERT_TRUE(other_id.Set("webhook-id", "msg_2").has_value());
  EXPECT_EQ(ReasonOf(verifier.Verify(other_id, kBody, kNow)), "no-match");
  http::Headers empty_id = *headers;
  ASSERT_TRUE(empty_id.Set("webhook-id", "").has_value());
  EXPECT_EQ(ReasonOf(verifier.Verify(empty_id, kBody, kNow)), "malformed");
  http::Headers no_time = *headers;
  no_time.Remove("webhook-timestamp");
  EXPECT_EQ(ReasonOf(verifier.Verify(no_time, kBody, kNow)), "missing-header");
}

TEST(SignatureVerifierTest, WH5_ASchemeOfOnesOwnIsData) {
  // Slack's: "v0:{t}:{body}", the timestamp in a header of its own.
  SignatureScheme slack;
  slack.name = "slack";
  slack.signature_header = "X-Slack-Signature";
  slack.timestamp_header = "X-Slack-Request-Timestamp";
  slack.tag = "v0=";
  slack.content = "v0:{t}:{body}";
  const OpensslCrypto crypto;
  const auto headers = Sign(crypto, slack, Secret("s"), "", kNow, kBody);
  ASSERT_TRUE(headers.has_value());
  EXPECT_EQ(headers->Get("X-Slack-Signature"),
            "v0=" + HexEncode(crypto.HmacSha256("s", std::string("v0:1700000000:").append(kBody))));
  const auto verifier = SignatureVerifier::Create(crypto, slack, {Secret("s")});
  EXPECT_EQ(ReasonOf(verifier->Verify(*headers, kBody, kNow)), "");
}

TEST(SignatureVerifierTest, WH6_ARotationAcceptsOldAndNewSecret) {
  const auto verifier = Verifier("stripe", {Secret("new"), Secret("old")});
  for (const char* secret : {"new", "old"}) {
    const auto header = "t=1700000000,v1=" + StripeHex(secret, "1700000000", kBody);
    EXPECT_EQ(ReasonOf(verifier.Verify(Stripe(header), kBody, kNow)), "") << secret;
  }
  const auto header = "t=1700000000,v1=" + StripeHex("other", "1700000000", kBody);
  EXPECT_EQ(ReasonOf(verifier.Verify(Stripe(header), kBody, kNow)), "no-match");
}

TEST(SignatureVerifierTest, WH6_MissingEmptyOrMalformedSecretsAreRefused) {
  const OpensslCrypto crypto;
  const auto stripe = *FindScheme("stripe");
  const auto standard = *FindScheme("standard-webhooks");
  EXPECT_FALSE(SignatureVerifier::Create(crypto, stripe, {}).has_value());
  EXPECT_FALSE(SignatureVerifier::Create(crypto, stripe, {Secret("a"), Secret()}).has_value());
  EXPECT_FALSE(SignatureVerifier::Create(crypto, standard, {Secret("whsec_")}).has_value());
  const auto bad = SignatureVerifier::Create(crypto, standard, {Secret("whsec_not base64")});
  ASSERT_FALSE(bad.has_value());
  EXPECT_THAT(bad.error().message, Not(HasSubstr("not base64")));
  const std::vector<Secret> many(17, Secret("a"));
  EXPECT_FALSE(SignatureVerifier::Create(crypto, stripe, many).has_value());
}

TEST(SignatureVerifierTest, AnIncompleteSchemeIsRefused) {
  const OpensslCrypto crypto;
  SignatureScheme no_header;
  EXPECT_FALSE(SignatureVerifier::Create(crypto, no_header, {Secret("a")}).has_value());
  SignatureScheme no_body;
  no_body.signature_header = "X-Sig";
  no_body.content = "constant";
  EXPECT_FALSE(SignatureVerifier::Create(crypto, no_body, {Secret("a")}).has_value());
  SignatureScheme no_time;
  no_time.signature_header = "X-Sig";
  no_time.content = "{t}.{body}";
  EXPECT_FALSE(SignatureVerifier::Create(crypto, no_time, {Secret("a")}).has_value());
}

TEST(SignTest, EverySchemeVerifiesWhatItSigns) {
  const OpensslCrypto crypto;
  const Secret secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
  // A body that looks like the pattern must not be expanded again.
  const std::string body = std::string("{t}{id}{body}\0\xff", 15);
  for (const char* name :
       {"stripe", "github", "github-sha1", "standard-webhooks", "svix", "hmac-sha256-ts"}) {
    const auto headers = Sign(crypto, *FindScheme(name), secret, "evt_1", kNow, body);
    ASSERT_TRUE(headers.has_value()) << name;
    EXPECT_EQ(ReasonOf(Verifier(name, {secret}).Verify(*headers, body, kNow)), "") << name;
  }
}

TEST(SignTest, TheGenericSchemeIsExactlyAsDocumented) {
  const OpensslCrypto crypto;
  const auto headers =
      Sign(crypto, *FindScheme("hmac-sha256-ts"), Secret("whsec_test"), "evt_1", kNow, kBody);
  ASSERT_TRUE(headers.has_value());
  EXPECT_EQ(headers->size(), 1u);
  EXPECT_EQ(headers->Get("Webhook-Signature"),
            "t=1700000000,v1=" + StripeHex("whsec_test", "1700000000", kBody));
}

TEST(SignTest, GitHubGetsItsDeliveryId) {
  const auto headers =
      Sign(OpensslCrypto(), *FindScheme("github"), Secret("s"), "guid-1", kNow, kBody);
  ASSERT_TRUE(headers.has_value());
  EXPECT_EQ(headers->Get("X-GitHub-Delivery"), "guid-1");
}

TEST(SignTest, SeveralSecretsSignSideBySide) {
  const std::vector<Secret> secrets = {Secret("new"), Secret("old")};
  const auto headers = Sign(OpensslCrypto(), *FindScheme("stripe"), secrets, "evt_1", kNow, kBody);
  ASSERT_TRUE(headers.has_value());
  for (const char* secret : {"new", "old"}) {
    EXPECT_EQ(ReasonOf(Verifier("stripe", {Secret(secret)}).Verify(*headers, kBody, kNow)), "");
  }
}

TEST(SignTest, RefusesWhatCannotBeSigned) {
  const OpensslCrypto crypto;
  const Secret secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
  const auto standard = *FindScheme("standard-webhooks");
  EXPECT_FALSE(Sign(crypto, standard, secret, "", kNow, kBody).has_value());
  EXPECT_FALSE(Sign(crypto, standard, secret, "a\r\nb", kNow, kBody).has_value());
  EXPECT_FALSE(Sign(crypto, standard, secret, "a", SystemTime(seconds(-1)), kBody).has_value());
  EXPECT_FALSE(Sign(crypto, *FindScheme("stripe"), Secret(), "a", kNow, kBody).has_value());
}

}  // namespace
}  // namespace understudy::test
