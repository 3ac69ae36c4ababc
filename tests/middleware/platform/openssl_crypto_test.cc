#include "middleware/platform/openssl_crypto.h"

#include <atomic>
#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "middleware/base/text.h"
#include "tests/support/test_certificate.h"

namespace understudy::test {
namespace {

const OpensslCrypto kCrypto;
constexpr SystemTime kIn2027 = SystemTime(std::chrono::seconds(1'800'000'000));

std::string Hex(std::string_view text) { return *HexDecode(text); }

// RFC 8032 section 7.1, TEST 2.
const std::string kSeed = Hex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb");
const std::string kPublic = Hex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c");
const std::string kSignature =
    Hex("92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
        "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00");

TEST(OpensslCryptoTest, HmacSha512IsThatOfRfc4231) {
  EXPECT_EQ(HexEncode(kCrypto.HmacSha512("Jefe", "what do ya want for nothing?")),
            "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea250554"
            "9758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737");
}

TEST(OpensslCryptoTest, Ed25519IsThatOfRfc8032) {
  EXPECT_EQ(kCrypto.Ed25519PublicKey(kSeed).value(), kPublic);
  EXPECT_EQ(kCrypto.SignEd25519(kSeed, "\x72").value(), kSignature);
  EXPECT_TRUE(kCrypto.VerifyEd25519(kPublic, "\x72", kSignature).value());
  EXPECT_FALSE(kCrypto.VerifyEd25519(kPublic, "\x73", kSignature).value());
}

TEST(OpensslCryptoTest, AnEd25519SignatureOfAnotherLengthIsWrong) {
  EXPECT_FALSE(kCrypto.VerifyEd25519(kPublic, "\x72", "").value());
  EXPECT_FALSE(kCrypto.VerifyEd25519(kPublic, "\x72", kSignature.substr(1)).value());
  EXPECT_FALSE(kCrypto.VerifyEd25519(kPublic, "\x72", kSignature + "x").value());
}

TEST(OpensslCryptoTest, AnEd25519KeyOfAnotherLengthIsATypedError) {
  EXPECT_EQ(kCrypto.VerifyEd25519("short", "", kSignature).error().code,
            ErrorCode::kInvalidArgument);
  EXPECT_EQ(kCrypto.SignEd25519(kSeed + "x", "").error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(kCrypto.Ed25519PublicKey("").error().code, ErrorCode::kInvalidArgument);
}

TEST(OpensslCryptoTest, ARsaSignatureVerifiesUnderTheCertificate) {
  const auto signature = kCrypto.SignRsaSha256(kLeafKeyPem, "text");
  ASSERT_TRUE(signature) << signature.error().message;
  EXPECT_TRUE(kCrypto.VerifyRsaSha256(kLeafPem, "text", *signature).value());
  EXPECT_FALSE(kCrypto.VerifyRsaSha256(kLeafPem, "texT", *signature).value());
  EXPECT_FALSE(kCrypto.VerifyRsaSha256(kLeafPem, "text", "").value());
  EXPECT_FALSE(kCrypto.VerifyRsaSha256(kRootPem, "text", *signature).value());
}

TEST(OpensslCryptoTest, UnusableKeysAndCertificatesAreTypedErrors) {
  for (const std::string_view pem : {std::string_view(), std::string_view("text"), kLeafKeyPem,
                                     kEllipticPem, kLeafPem.substr(0, 400)}) {
    EXPECT_EQ(kCrypto.VerifyRsaSha256(pem, "text", "signature").error().code,
              ErrorCode::kInvalidArgument);
  }
  for (const std::string_view pem : {std::string_view(), std::string_view("text"), kLeafPem}) {
    EXPECT_EQ(kCrypto.SignRsaSha256(pem, "text").error().code, ErrorCode::kInvalidArgument);
  }
}

TEST(OpensslCryptoTest, AnEncryptedKeyDoesNotAskForItsPassPhrase) {
  constexpr std::string_view kEncrypted =
      "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n"
      "DEK-Info: AES-128-CBC,00000000000000000000000000000000\n\nAAAA\n"
      "-----END RSA PRIVATE KEY-----\n";
  EXPECT_FALSE(kCrypto.SignRsaSha256(kEncrypted, "text"));
}

Result<void> CheckCertificate(std::string_view chain, std::string_view roots, std::string_view host,
                              SystemTime now) {
  UNDERSTUDY_ASSIGN_OR_RETURN(const auto trusted, kCrypto.ReadRoots(roots));
  return trusted->Check(chain, host, now);
}

TEST(OpensslCryptoTest, ACertificateLeadsToItsRoot) {
  EXPECT_TRUE(CheckCertificate(kLeafPem, kRootPem, ".paypal.com", kIn2027));
  EXPECT_TRUE(CheckCertificate(kLeafPem, kRootPem, "messageverificationcerts.paypal.com", kIn2027));
}

TEST(OpensslCryptoTest, ACertificateOfAnotherNameRootOrTimeIsUnverified) {
  const auto check = [](std::string_view roots, std::string_view host, SystemTime now) {
    const auto result = CheckCertificate(kLeafPem, roots, host, now);
    return result ? std::string() : result.error().reason;
  };
  EXPECT_EQ(check(kRootPem, "paypal.com", kIn2027), "certificate-untrusted");
  EXPECT_EQ(check(kRootPem, ".pal.com", kIn2027), "certificate-untrusted");
  EXPECT_EQ(check(kEllipticPem, ".paypal.com", kIn2027), "certificate-untrusted");
  EXPECT_EQ(check(kRootPem, ".paypal.com", SystemTime()), "certificate-untrusted");
  EXPECT_EQ(check(kRootPem, ".paypal.com", SystemTime(std::chrono::hours(24 * 365 * 200))),
            "certificate-untrusted");
}

TEST(OpensslCryptoTest, RootsAreReadOnceAndCheckFromManyThreads) {
  const auto roots = kCrypto.ReadRoots(kRootPem);
  ASSERT_TRUE(roots);
  std::atomic<int> trusted{0};
  std::vector<std::jthread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int n = 0; n < 50; ++n) {
        trusted += (*roots)->Check(kLeafPem, ".paypal.com", kIn2027).has_value() ? 1 : 0;
        trusted += (*roots)->Check(kLeafPem, ".pal.com", kIn2027).has_value() ? 1000 : 0;
      }
    });
  }
  threads.clear();
  EXPECT_EQ(trusted, 200);
}

TEST(OpensslCryptoTest, ACheckWithoutCertificateRootOrHostIsATypedError) {
  EXPECT_EQ(CheckCertificate("", kRootPem, "a", kIn2027).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(CheckCertificate(kLeafPem, "", "a", kIn2027).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(CheckCertificate(kLeafPem, kRootPem, "", kIn2027).error().code,
            ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace understudy::test
