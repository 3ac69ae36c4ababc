#include "middleware/webhook/signature_scheme.h"

#include <algorithm>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "middleware/base/text.h"
#include "middleware/platform/openssl_crypto.h"
#include "middleware/webhook/signature.h"
#include "middleware/webhook/signature_content.h"
#include "tests/support/test_certificate.h"

namespace understudy::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

const OpensslCrypto kCrypto;
constexpr SystemTime kNow = SystemTime(seconds(1'800'000'000));
constexpr std::string_view kUrl = "https://me.example/hooks?a=1";
constexpr std::string_view kForm = "application/x-www-form-urlencoded";
constexpr const char* kCertificateUrl = "https://api.paypal.com/certs/1";

// A sender and a receiver that fit together, for each scheme.
struct Pair {
  SignatureScheme scheme = {};
  Secret signing = {};
  Secret verifying = {};
  std::string body = R"({"id":"evt_1","webhookTimestamp":1800000000000})";
  http::Headers headers = {};
};

Pair PairFor(std::string_view name) {
  Pair pair;
  pair.scheme = *FindScheme(name);
  pair.signing = Secret("s3cret");
  if (name == "twilio") {
    pair.body = "B=2&A=1";
    pair.headers = {{"Content-Type", kForm}};
  }
  if (pair.scheme.secret_form == SecretForm::kBase64) pair.signing = Secret("whsec_c2VjcmV0");
  pair.verifying = pair.signing;
  if (pair.scheme.algorithm == SignatureAlgorithm::kEd25519) {
    const std::string seed(32, '\x42');
    const std::string key = *kCrypto.Ed25519PublicKey(seed);
    const bool hex = pair.scheme.secret_form == SecretForm::kHex;
    pair.signing = Secret(hex ? HexEncode(seed + key) : "whsk_" + Base64Encode(seed + key));
    pair.verifying = Secret(hex ? HexEncode(key) : "whpk_" + Base64Encode(key));
  }
  return pair;
}

SignatureVerifierOptions Pinned() {
  auto certificates = std::make_shared<PinnedCertificates>();
  EXPECT_TRUE(certificates->Pin(kCertificateUrl, std::string(kLeafPem)));
  return {.certificates = certificates, .certificates_pinned = true};
}

SigningInput Input(const Pair& pair) {
  SigningInput input;
  input.url = kUrl;
  input.id = "evt_1";
  input.timestamp = kNow;
  input.body = pair.body;
  input.headers = pair.headers;
  input.private_key = Secret(std::string(kLeafKeyPem));
  input.certificate_url = kCertificateUrl;
  return input;
}

http::Headers SignFor(const Pair& pair, const SigningInput& input) {
  const std::vector<Secret> secrets = {pair.signing};
  auto headers = Sign(kCrypto, pair.scheme, secrets, input);
  EXPECT_TRUE(headers) << headers.error().message;
  return headers ? *headers : http::Headers{};
}

SignatureVerifier VerifierFor(const Pair& pair, std::vector<Secret> others = {}) {
  others.push_back(pair.verifying);
  SignatureVerifierOptions options;
  if (pair.scheme.algorithm == SignatureAlgorithm::kRsaSha256) options = Pinned();
  return SignatureVerifier::Create(kCrypto, pair.scheme, others, options).value();
}

// "" if it verifies, else the reason.
std::string Reason(const Result<Verified>& verified) {
  return verified ? "" : verified.error().reason;
}

// Every scheme that there is.
class EverySchemeTest : public ::testing::TestWithParam<std::string_view> {
 protected:
  const Pair pair_ = PairFor(GetParam());
  const http::Headers headers_ = SignFor(pair_, Input(pair_));
  const SignatureVerifier verifier_ = VerifierFor(pair_);

  std::string Verify(const http::Headers& headers, std::string_view body,
                     std::string_view url = kUrl, std::string_view method = "POST") const {
    return Reason(
        verifier_.Verify({.method = method, .url = url, .headers = headers, .body = body}, kNow));
  }
};

TEST_P(EverySchemeTest, WH5_VerifiesWhatItSigns) { EXPECT_EQ(Verify(headers_, pair_.body), ""); }

TEST_P(EverySchemeTest, WH5_AChangedBodyIsRefused) {
  EXPECT_EQ(Verify(headers_, pair_.body + "&x=y"), "no-match");
}

TEST_P(EverySchemeTest, WH2_EveryMissingHeaderIsRefused) {
  for (const auto& [name, value] : headers_) {
    http::Headers fewer = headers_;
    fewer.Remove(name);
    const std::string reason = Verify(fewer, pair_.body);
    const bool signed_or_required =
        name == pair_.scheme.signature_header ||
        (pair_.scheme.has_timestamp() && name == pair_.scheme.timestamp_header) ||
        (pair_.scheme.has_id() && name == pair_.scheme.id_header) ||
        name == pair_.scheme.certificate_url_header ||
        std::any_of(
            pair_.scheme.required_headers.begin(), pair_.scheme.required_headers.end(),
            [&, &here = name](const RequiredHeader& required) { return required.name == here; });
    EXPECT_EQ(reason, signed_or_required ? "missing-header" : "") << name << ": " << value;
  }
}

TEST_P(EverySchemeTest, WH2_ARepeatedSignatureHeaderIsRefused) {
  http::Headers twice = headers_;
  const std::string value(*twice.Get(pair_.scheme.signature_header));
  ASSERT_TRUE(twice.Add(pair_.scheme.signature_header, value));
  EXPECT_EQ(Verify(twice, pair_.body), "malformed");
}

TEST_P(EverySchemeTest, WH2_AnyTextAsSignatureIsRefused) {
  for (const char* text : {"", "=", ",", "v1,", "v0=", "sha256=", "t=1,v1=", "potato", "\xff\xfe",
                           "AAAA", "00", "v1,AAAA v1a,AAAA"}) {
    http::Headers changed = headers_;
    ASSERT_TRUE(changed.Set(pair_.scheme.signature_header, text));
    const std::string reason = Verify(changed, pair_.body);
    EXPECT_TRUE(reason == "no-match" || reason == "malformed") << text << ": " << reason;
  }
}

TEST_P(EverySchemeTest, WH6_SeveralSecretsCountDuringARotation) {
  Pair other = pair_;
  other.verifying = Secret("other");
  if (pair_.scheme.secret_form == SecretForm::kBase64) other.verifying = Secret("b3RoZXIx");
  if (pair_.scheme.algorithm == SignatureAlgorithm::kEd25519) {
    const std::string key = *kCrypto.Ed25519PublicKey(std::string(32, '\x43'));
    other.verifying =
        Secret(pair_.scheme.secret_form == SecretForm::kHex ? HexEncode(key) : Base64Encode(key));
  }
  const SignedRequest request{
      .method = "POST", .url = kUrl, .headers = headers_, .body = pair_.body};
  EXPECT_EQ(Reason(VerifierFor(pair_, {other.verifying}).Verify(request, kNow)), "");
  EXPECT_EQ(Reason(VerifierFor(other).Verify(request, kNow)), "no-match");
}

TEST_P(EverySchemeTest, WH6_AnEmptySecretIsRefused) {
  EXPECT_FALSE(SignatureVerifier::Create(kCrypto, pair_.scheme, {Secret()}, Pinned()));
}

TEST_P(EverySchemeTest, TheUrlAndTheMethodCountWhereTheyAreSigned) {
  EXPECT_EQ(Verify(headers_, pair_.body, "https://me.example/other"),
            pair_.scheme.needs_url() ? "no-match" : "");
  EXPECT_EQ(Verify(headers_, pair_.body, kUrl, "PUT"),
            pair_.scheme.needs_method() ? "no-match" : "");
}

TEST_P(EverySchemeTest, WithoutANeededUrlThereIsATypedError) {
  const auto verified = verifier_.Verify(headers_, pair_.body, kNow);
  if (!pair_.scheme.needs_url()) {
    EXPECT_TRUE(verified);
    return;
  }
  ASSERT_FALSE(verified);
  EXPECT_EQ(verified.error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(verified.error().reason, "needs-url");
  SigningInput input = Input(pair_);
  input.url = "";
  EXPECT_FALSE(Sign(kCrypto, pair_.scheme, std::vector<Secret>{pair_.signing}, input));
}

INSTANTIATE_TEST_SUITE_P(Schemes, EverySchemeTest,
                         ::testing::ValuesIn(SchemeNames().begin(), SchemeNames().end()),
                         [](const auto& test) {
                           std::string name(test.param);
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

TEST(SchemeNamesTest, AreSortedAndAllFound) {
  const auto names = SchemeNames();
  EXPECT_TRUE(std::is_sorted(names.begin(), names.end()));
  for (const std::string_view name : names) {
    ASSERT_TRUE(FindScheme(name)) << name;
    EXPECT_EQ(FindScheme(name)->name, name);
    EXPECT_TRUE(CheckScheme(*FindScheme(name))) << name;
  }
}

// ---- schemes that lack something ----------------------------------------------------------------

struct Incomplete {
  const char* name;
  std::function<void(SignatureScheme&)> spoil;
};
class IncompleteSchemeTest : public ::testing::TestWithParam<Incomplete> {};

TEST_P(IncompleteSchemeTest, IsRefused) {
  SignatureScheme scheme = *FindScheme("slack");
  ASSERT_TRUE(CheckScheme(scheme));
  GetParam().spoil(scheme);
  EXPECT_FALSE(CheckScheme(scheme));
  EXPECT_FALSE(SignatureVerifier::Create(kCrypto, scheme, {Secret("a")}));
}

INSTANTIATE_TEST_SUITE_P(
    Table, IncompleteSchemeTest,
    ::testing::Values(
        Incomplete{"NoHeader", [](SignatureScheme& s) { s.signature_header = ""; }},
        Incomplete{"NoBody", [](SignatureScheme& s) { s.content = "{t}{url}"; }},
        Incomplete{"NoPlaceForTheTime", [](SignatureScheme& s) { s.timestamp_header = ""; }},
        Incomplete{"NoPlaceForTheId", [](SignatureScheme& s) { s.content = "{id}{body}"; }},
        Incomplete{"NoTag",
                   [](SignatureScheme& s) {
                     s.layout = SignatureLayout::kSpaceList;
                     s.tag = "";
                   }},
        Incomplete{"HashWithoutSecret",
                   [](SignatureScheme& s) { s.algorithm = SignatureAlgorithm::kSha256; }},
        Incomplete{"RsaWithoutCertificate",
                   [](SignatureScheme& s) { s.algorithm = SignatureAlgorithm::kRsaSha256; }},
        Incomplete{"TwoTimes", [](SignatureScheme& s) { s.timestamp_pointer = "/time"; }},
        Incomplete{"TimeInAnUnsignedBody",
                   [](SignatureScheme& s) {
                     s.content = "{url}{params}";
                     s.timestamp_pointer = "/time";
                   }}),
    [](const auto& test) { return test.param.name; });

TEST(SignatureVerifierTest, ANegativeToleranceIsRefused) {
  EXPECT_FALSE(SignatureVerifier::Create(kCrypto, *FindScheme("slack"), {Secret("a")},
                                         {.tolerance_past = -seconds(1)}));
}

TEST(SignatureSchemeTest, ADescriptorCanBeExtended) {
  SignatureScheme acme = *FindScheme("slack");
  acme.name = "acme";
  acme.signature_header = "X-Acme-Signature";
  acme.timestamp_header = "X-Acme-Time";
  acme.algorithm = SignatureAlgorithm::kHmacSha512;
  acme.tag = "";
  acme.content = "{method} {url}\n{t}\n{body}";
  SigningInput input;
  input.url = kUrl;
  input.timestamp = kNow;
  input.body = "b";
  const auto headers = Sign(kCrypto, acme, std::vector<Secret>{Secret("k")}, input);
  ASSERT_TRUE(headers);
  EXPECT_EQ(headers->Get("X-Acme-Signature"),
            HexEncode(kCrypto.HmacSha512("k", "POST https://me.example/hooks?a=1\n1800000000\nb")));
  const auto verifier = SignatureVerifier::Create(kCrypto, acme, {Secret("k")});
  EXPECT_EQ(Reason(verifier->Verify(
                {.method = "POST", .url = kUrl, .headers = *headers, .body = "b"}, kNow)),
            "");
}

// ---- timestamps ---------------------------------------------------------------------------------

std::string VerifyAt(const Pair& pair, const http::Headers& headers, SystemTime now) {
  return Reason(VerifierFor(pair).Verify(
      {.method = "POST", .url = kUrl, .headers = headers, .body = pair.body}, now));
}

TEST(TimestampTest, WH4_MillisecondsAreJudgedToTheMillisecond) {
  const Pair pair = PairFor("hubspot");
  const http::Headers headers = SignFor(pair, Input(pair));
  EXPECT_EQ(headers.Get("X-HubSpot-Request-Timestamp"), "1800000000000");
  EXPECT_EQ(VerifyAt(pair, headers, kNow + seconds(300)), "");
  EXPECT_EQ(VerifyAt(pair, headers, kNow + seconds(300) + milliseconds(1)), "too-old");
  EXPECT_EQ(VerifyAt(pair, headers, kNow - seconds(60)), "");
  EXPECT_EQ(VerifyAt(pair, headers, kNow - seconds(60) - milliseconds(1)), "in-future");
}

TEST(TimestampTest, WH4_WholeSecondsAreNotJudgedByPartsOfASecond) {
  const Pair pair = PairFor("slack");
  const http::Headers headers = SignFor(pair, Input(pair));
  EXPECT_EQ(VerifyAt(pair, headers, kNow + seconds(300) + milliseconds(999)), "");
  EXPECT_EQ(VerifyAt(pair, headers, kNow + seconds(301)), "too-old");
}

TEST(RequiredHeaderTest, AnEmptyCompanionIsAMissingOne) {
  const Pair pair = PairFor("shopify");
  http::Headers headers = SignFor(pair, Input(pair));
  ASSERT_EQ(VerifyAt(pair, headers, kNow), "");
  ASSERT_TRUE(headers.Set("X-Shopify-Topic", ""));
  EXPECT_EQ(VerifyAt(pair, headers, kNow), "missing-header");
}

TEST(TimestampTest, WH3_TheSmallestMillisecondsAreNoSeconds) {
  const Pair pair = PairFor("zoom");
  http::Headers headers = SignFor(pair, Input(pair));
  const auto with = [&](const char* timestamp) {
    EXPECT_TRUE(headers.Set("x-zm-request-timestamp", timestamp));
    return VerifyAt(pair, headers, kNow);
  };
  EXPECT_EQ(with("9223372036"), "no-match");
  EXPECT_EQ(with("9223372037"), "malformed") << "seconds beyond what a time holds";
  EXPECT_EQ(with("99999999999"), "malformed");
  EXPECT_EQ(with("100000000000"), "no-match") << "milliseconds from here on";
  EXPECT_EQ(with("9223372036000"), "no-match");
  EXPECT_EQ(with("9223372036001"), "malformed");
}

TEST(TimestampTest, WH3_ZoomMayWriteSecondsOrMilliseconds) {
  Pair pair = PairFor("zoom");
  for (const std::string time : {"1800000000", "1800000000123"}) {
    const http::Headers headers = {
        {"x-zm-request-timestamp", time},
        {"x-zm-signature",
         "v0=" + HexEncode(kCrypto.HmacSha256("s3cret", "v0:" + time + ":" + pair.body))}};
    EXPECT_EQ(VerifyAt(pair, headers, kNow), "") << time;
    EXPECT_EQ(VerifyAt(pair, headers, kNow + seconds(302)), "too-old") << time;
  }
}

http::Headers LinearHeaders(const std::string& body) {
  return {{"Linear-Signature", HexEncode(kCrypto.HmacSha256("s3cret", body))},
          {"Linear-Timestamp", "1800000000000"}};
}

TEST(TimestampTest, WH4_LinearsTimeIsTheSignedOneInTheBody) {
  Pair pair = PairFor("linear");
  EXPECT_EQ(VerifyAt(pair, LinearHeaders(pair.body), kNow + seconds(60)), "");
  EXPECT_EQ(VerifyAt(pair, LinearHeaders(pair.body), kNow + seconds(61)), "too-old");
  EXPECT_EQ(VerifyAt(pair, LinearHeaders(pair.body), kNow - seconds(61)), "in-future");
  // The header, which is not signed, does not help.
  pair.body = R"({"webhookTimestamp":1799990000000})";
  EXPECT_EQ(VerifyAt(pair, LinearHeaders(pair.body), kNow), "too-old");
}

TEST(TimestampTest, WH3_LinearsBodyWithoutAProperTimeIsMalformed) {
  Pair pair = PairFor("linear");
  for (const char* body :
       {"", "no json", "[]", "{}", R"({"webhookTimestamp":"1800000000000"})",
        R"({"webhookTimestamp":-1})", R"({"webhookTimestamp":1.8e12})",
        R"({"webhookTimestamp":18446744073709551615})", R"({"webhookTimestamp":null})",
        R"({"webhookTimestamp":1800000000000,"webhookTimestamp":1800000000000})"}) {
    pair.body = body;
    EXPECT_EQ(VerifyAt(pair, LinearHeaders(body), kNow), "malformed") << body;
  }
}

TEST(TimestampTest, WH7_ASignedBodyThatIsNoJsonIsVerifiedAllTheSame) {
  Pair pair = PairFor("stripe");
  pair.body = "\xff{not json";
  EXPECT_EQ(VerifyAt(pair, SignFor(pair, Input(pair)), kNow), "");
}

// ---- Shopify, HubSpot ---------------------------------------------------------------------------

TEST(ShopifyTest, WH5_TheSignatureIsBase64OfTheBody) {
  const Pair pair = PairFor("shopify");
  const http::Headers headers = SignFor(pair, Input(pair));
  EXPECT_EQ(headers.Get("X-Shopify-Hmac-Sha256"),
            Base64Encode(kCrypto.HmacSha256("s3cret", pair.body)));
  http::Headers hex = headers;
  ASSERT_TRUE(hex.Set("X-Shopify-Hmac-Sha256", HexEncode(kCrypto.HmacSha256("s3cret", pair.body))));
  EXPECT_EQ(VerifyAt(pair, hex, kNow), "no-match");
}

TEST(ShopifyTest, AnEmptyBodyIsRefused) {
  Pair pair = PairFor("shopify");
  pair.body = "";
  EXPECT_EQ(VerifyAt(pair, SignFor(pair, Input(pair)), kNow), "malformed");
}

TEST(ShopifyTest, TheSendersOwnTopicIsKept) {
  const Pair pair = PairFor("shopify");
  SigningInput input = Input(pair);
  input.headers = {{"x-shopify-topic", "app/uninstalled"}};
  EXPECT_EQ(SignFor(pair, input).Get("X-Shopify-Topic"), "app/uninstalled");
}

TEST(HubSpotTest, TheVersionHeaderMustFit) {
  const Pair pair = PairFor("hubspot-v2");
  http::Headers headers = SignFor(pair, Input(pair));
  ASSERT_TRUE(headers.Set("X-HubSpot-Signature-Version", "v1"));
  EXPECT_EQ(VerifyAt(pair, headers, kNow), "malformed");
}

TEST(HubSpotTest, TheUrlMayBeSignedDecoded) {
  const Pair pair = PairFor("hubspot");
  SigningInput input = Input(pair);
  input.url = "https://me.example/hooks?to=(a:b)&x=%20";
  const http::Headers headers = SignFor(pair, input);
  const auto verify = [&](std::string_view url) {
    return Reason(VerifierFor(pair).Verify(
        {.method = "POST", .url = url, .headers = headers, .body = pair.body}, kNow));
  };
  EXPECT_EQ(verify("https://me.example/hooks?to=%28a%3ab%29&x=%20"), "");
  EXPECT_EQ(verify("https://me.example/hooks?to=%28a%3ab%29&x= "), "no-match");
}

// ---- Twilio -------------------------------------------------------------------------------------

std::string TwilioSignature(std::string_view signed_text) {
  return Base64Encode(kCrypto.HmacSha1("s3cret", signed_text));
}

std::string VerifyTwilio(std::string_view url, std::string_view body, std::string_view type,
                         const std::string& signature) {
  http::Headers headers{{"X-Twilio-Signature", signature}};
  const bool added = type.empty() || headers.Add("Content-Type", type).has_value();
  EXPECT_TRUE(added);
  return Reason(
      VerifierFor(PairFor("twilio"))
          .Verify({.method = "POST", .url = url, .headers = headers, .body = body}, kNow));
}

TEST(TwilioTest, ParametersAreSortedDecodedAndOnce) {
  const std::string signature = TwilioSignature("https://e.example/A1B 2B+3");
  EXPECT_EQ(VerifyTwilio("https://e.example/", "B=%2B3&A=1&B=+2&B=%2B3", kForm, signature), "");
  EXPECT_EQ(VerifyTwilio("https://e.example/", "B=%2B3&A=1&B=+2",
                         "Application/X-WWW-form-urlencoded; charset=UTF-8", signature),
            "");
  EXPECT_EQ(VerifyTwilio("https://e.example/", "B=%2B3&A=1", kForm, signature), "no-match");
}

TEST(TwilioTest, ABodyThatNothingCoversIsRefused) {
  // The signature of the URL alone is right; the body could be anybody's.
  const std::string signature = TwilioSignature("https://e.example/");
  EXPECT_EQ(VerifyTwilio("https://e.example/", "{}", "application/json", signature), "malformed");
  EXPECT_EQ(VerifyTwilio("https://e.example/", "a=1", kForm, signature), "no-match");
  EXPECT_EQ(VerifyTwilio("https://e.example/", "", "", signature), "");
}

TEST(TwilioTest, AJsonBodyIsCoveredByItsHashInTheUrl) {
  const std::string hash = HexEncode(kCrypto.Sha256("{}"));
  const std::string url = "https://e.example/?bodySHA256=" + hash;
  EXPECT_EQ(VerifyTwilio(url, "{}", "application/json", TwilioSignature(url)), "");
  EXPECT_EQ(VerifyTwilio(url, "{ }", "application/json", TwilioSignature(url)), "malformed");
  const std::string two = url + "&bodySHA256=" + hash;
  EXPECT_EQ(VerifyTwilio(two, "{}", "application/json", TwilioSignature(two)), "malformed");
  for (const char* bad : {"https://e.example/?bodySHA256=", "https://e.example/?bodySHA256",
                          "https://e.example/?bodySHA256=00", "https://e.example/?xbodySHA256=0"}) {
    EXPECT_EQ(VerifyTwilio(bad, "{}", "application/json", TwilioSignature(bad)), "malformed")
        << bad;
  }
}

TEST(TwilioTest, TooManyParametersAreRefused) {
  std::string body = "a=1";
  for (int i = 0; i < 10'000; ++i) body += "&a=1";
  EXPECT_EQ(VerifyTwilio("https://e.example/", body, kForm, TwilioSignature("")), "malformed");
}

TEST(TwilioTest, TheSpellingsOfAUrl) {
  using Texts = std::vector<std::string>;
  EXPECT_EQ(
      UrlSpellings(UrlForms::kTwilio, "https://u:p@e.example:81/a?q='1'#f"),
      (Texts{"https://u:p@e.example/a?q='1'", "https://u:p@e.example/a?q=%271%27",
             "https://u:p@e.example:81/a?q='1'", "https://u:p@e.example:81/a?q=%271%27",
             "https://u:p@e.example/a?q='1'#f", "https://u:p@e.example/a?q=%271%27#f",
             "https://u:p@e.example:81/a?q='1'#f", "https://u:p@e.example:81/a?q=%271%27#f"}));
  EXPECT_EQ(UrlSpellings(UrlForms::kTwilio, "http://[::1]"),
            (Texts{"http://[::1]", "http://[::1]/", "http://[::1]:80", "http://[::1]:80/"}));
  EXPECT_EQ(UrlSpellings(UrlForms::kTwilio, "wss://e.example/a"), Texts{"wss://e.example/a"});
  EXPECT_EQ(UrlSpellings(UrlForms::kTwilio, "no url"), Texts{"no url"});
  EXPECT_EQ(UrlSpellings(UrlForms::kExact, "https://e.example:443/"),
            Texts{"https://e.example:443/"});
}

TEST(TwilioTest, ABodyThatCannotBeCoveredIsNotSigned) {
  Pair pair = PairFor("twilio");
  pair.headers = {{"Content-Type", "application/json"}};
  EXPECT_FALSE(Sign(kCrypto, pair.scheme, std::vector<Secret>{pair.signing}, Input(pair)));
}

// ---- Ed25519 ------------------------------------------------------------------------------------

TEST(Ed25519SchemeTest, KeysOfAnotherLengthOrPairAreRefused) {
  const auto create = [](const std::string& key) {
    return SignatureVerifier::Create(kCrypto, *FindScheme("discord"), {Secret(HexEncode(key))})
        .has_value();
  };
  const std::string seed(32, '\x42');
  const std::string key = *kCrypto.Ed25519PublicKey(seed);
  EXPECT_TRUE(create(key));
  EXPECT_TRUE(create(seed + key));
  EXPECT_FALSE(create(seed + seed));
  EXPECT_FALSE(create(key.substr(1)));
  EXPECT_FALSE(SignatureVerifier::Create(kCrypto, *FindScheme("discord"), {Secret("not hex")}));
}

TEST(Ed25519SchemeTest, APublicKeyCannotSign) {
  const Pair pair = PairFor("discord");
  const auto headers = Sign(kCrypto, pair.scheme, std::vector<Secret>{pair.verifying}, Input(pair));
  ASSERT_FALSE(headers);
  EXPECT_EQ(headers.error().code, ErrorCode::kInvalidArgument);
}

TEST(Ed25519SchemeTest, TooManySignaturesAreRefusedBeforeAnyIsChecked) {
  const Pair pair = PairFor("standard-webhooks-v1a");
  http::Headers headers = SignFor(pair, Input(pair));
  std::string value(*headers.Get("webhook-signature"));
  for (int i = 0; i < 7; ++i) value += " v1a,AAAA";
  ASSERT_TRUE(headers.Set("webhook-signature", value));
  EXPECT_EQ(VerifyAt(pair, headers, kNow), "");
  ASSERT_TRUE(headers.Set("webhook-signature", value + " v1a,AAAA"));
  EXPECT_EQ(VerifyAt(pair, headers, kNow), "malformed");
}

TEST(Ed25519SchemeTest, ASymmetricSignatureDoesNotCountAndTheOtherWayRound) {
  // Whoever knows the public key must not be able to use it as an HMAC key.
  const Pair pair = PairFor("standard-webhooks-v1a");
  http::Headers headers = SignFor(pair, Input(pair));
  const std::string key = *kCrypto.Ed25519PublicKey(std::string(32, '\x42'));
  const std::string mac = Base64Encode(kCrypto.HmacSha256(key, "evt_1.1800000000." + pair.body));
  for (const char* tag : {"v1,", "v1a,"}) {
    ASSERT_TRUE(headers.Set("webhook-signature", tag + mac));
    EXPECT_NE(VerifyAt(pair, headers, kNow), "") << tag;
  }
}

// ---- PayPal -------------------------------------------------------------------------------------

class PayPalTest : public ::testing::Test {
 protected:
  std::string Verify(const http::Headers& headers, const SignatureVerifierOptions& options,
                     SystemTime now = kNow) const {
    const auto verifier =
        SignatureVerifier::Create(kCrypto, pair_.scheme, {pair_.verifying}, options);
    EXPECT_TRUE(verifier) << verifier.error().message;
    return Reason(verifier->Verify(headers, pair_.body, now));
  }

  const Pair pair_ = PairFor("paypal");
  const http::Headers headers_ = SignFor(pair_, Input(pair_));
};

TEST_F(PayPalTest, SignsIdTimeWebhookAndTheChecksumOfTheBody) {
  EXPECT_EQ(Crc32("123456789"), 0xcbf43926U);
  EXPECT_EQ(Crc32(""), 0U);
  EXPECT_EQ(headers_.Get("PAYPAL-TRANSMISSION-TIME"), "2027-01-15T08:00:00Z");
  EXPECT_EQ(headers_.Get("PAYPAL-AUTH-ALGO"), "SHA256withRSA");
  const std::string text = "evt_1|2027-01-15T08:00:00Z|s3cret|" + std::to_string(Crc32(pair_.body));
  EXPECT_EQ(headers_.Get("PAYPAL-TRANSMISSION-SIG"),
            Base64Encode(*kCrypto.SignRsaSha256(kLeafKeyPem, text)));
}

TEST_F(PayPalTest, TheCertificateIsCheckedAgainstTheRoots) {
  SignatureVerifierOptions options = Pinned();
  options.certificates_pinned = false;
  options.certificate_roots = kRootPem;
  EXPECT_EQ(Verify(headers_, options), "");
  EXPECT_EQ(Verify(headers_, options, SystemTime()), "certificate-untrusted");
  options.certificate_roots = kEllipticPem;
  EXPECT_EQ(Verify(headers_, options), "certificate-untrusted");
}

TEST_F(PayPalTest, APathToTheRootsIsLookedForAfterTheSignature) {
  SignatureVerifierOptions options = Pinned();
  options.certificates_pinned = false;
  options.certificate_roots = kEllipticPem;
  http::Headers headers = headers_;
  ASSERT_TRUE(headers.Set("PAYPAL-TRANSMISSION-SIG", Base64Encode(std::string(256, 'x'))));
  EXPECT_EQ(Verify(headers, options), "no-match");
}

TEST_F(PayPalTest, OnlyTheVendorsHostsAreAsked) {
  class Asked final : public CertificateResolver {
   public:
    Result<std::string> Resolve(const http::Url& url) const override {
      ADD_FAILURE() << "asked for " << url.ToString();
      return std::string(kLeafPem);
    }
  };
  const SignatureVerifierOptions options{.certificates = std::make_shared<Asked>(),
                                         .certificates_pinned = true};
  for (const char* url :
       {"https://evil.example/paypal.com", "https://paypal.com.evil.example/c",
        "https://evilpaypal.com/c", "http://api.paypal.com/c", "http://api.paypal.com:443/c",
        "https://api.paypal.com:8443/c", "https://api.paypal.com@evil.example/c",
        "https://evil.example\\.paypal.com/c", "https://evil.example#.paypal.com",
        "file:///etc/paypal.com", "", "paypal.com"}) {
    http::Headers headers = headers_;
    ASSERT_TRUE(headers.Set("PAYPAL-CERT-URL", url));
    EXPECT_EQ(Verify(headers, options), "certificate-host") << url;
  }
}

TEST_F(PayPalTest, AnotherOrUnusableOrMissingCertificateIsUnverified) {
  const auto with = [](std::string_view pem) {
    auto certificates = std::make_shared<PinnedCertificates>();
    certificates->PinForEveryUrl(std::string(pem));
    return SignatureVerifierOptions{.certificates = certificates, .certificates_pinned = true};
  };
  EXPECT_EQ(Verify(headers_, with(kRootPem)), "no-match");
  EXPECT_EQ(Verify(headers_, with(kEllipticPem)), "certificate-untrusted");
  EXPECT_EQ(Verify(headers_, with("no certificate")), "certificate-untrusted");
  http::Headers elsewhere = headers_;
  ASSERT_TRUE(elsewhere.Set("PAYPAL-CERT-URL", "https://api.paypal.com/certs/2"));
  EXPECT_EQ(Verify(elsewhere, Pinned()), "certificate-unavailable");
}

TEST_F(PayPalTest, TimeAndCertificateUrlHaveALength) {
  const auto with = [&](const char* name, const std::string& value) {
    http::Headers headers = headers_;
    EXPECT_TRUE(headers.Set(name, value));
    auto certificates = std::make_shared<PinnedCertificates>();
    certificates->PinForEveryUrl(std::string(kLeafPem));
    return Verify(headers, {.certificates = certificates, .certificates_pinned = true});
  };
  EXPECT_EQ(with("PAYPAL-TRANSMISSION-TIME", ""), "malformed");
  EXPECT_EQ(with("PAYPAL-TRANSMISSION-TIME", std::string(64, '1')), "no-match");
  EXPECT_EQ(with("PAYPAL-TRANSMISSION-TIME", std::string(65, '1')), "malformed");
  const std::string url = "https://api.paypal.com/";
  EXPECT_EQ(with("PAYPAL-CERT-URL", url + std::string(2048 - url.size(), 'c')), "");
  EXPECT_EQ(with("PAYPAL-CERT-URL", url + std::string(2049 - url.size(), 'c')), "certificate-host");
}

TEST_F(PayPalTest, AnotherAlgorithmIsRefused) {
  http::Headers headers = headers_;
  ASSERT_TRUE(headers.Set("PAYPAL-AUTH-ALGO", "SHA1withRSA"));
  EXPECT_EQ(Verify(headers, Pinned()), "malformed");
}

TEST_F(PayPalTest, AVerifierNeedsAResolverAndOneKindOfTrust) {
  const auto create = [&](const SignatureVerifierOptions& options) {
    return SignatureVerifier::Create(kCrypto, pair_.scheme, {pair_.verifying}, options).has_value();
  };
  SignatureVerifierOptions options = Pinned();
  EXPECT_TRUE(create(options));
  options.certificate_roots = kRootPem;
  EXPECT_FALSE(create(options));  // Which of the two?
  options.certificates_pinned = false;
  EXPECT_TRUE(create(options));
  options.certificate_roots = "";
  EXPECT_FALSE(create(options));
  options.certificate_roots = "no certificate";
  EXPECT_FALSE(create(options)) << "at once, not with the first delivery";
  EXPECT_FALSE(create({.certificates_pinned = true}));
}

}  // namespace
}  // namespace understudy::test
