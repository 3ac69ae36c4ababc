#include "middleware/platform/openssl_aead.h"

#include <string>

#include <gtest/gtest.h>

#include "middleware/base/text.h"

namespace understudy {
namespace {

Secret Key(char fill) { return Secret(std::string(Aead::kKeyBytes, fill)); }

void ExpectNotOpened(const Result<Secret>& opened) {
  ASSERT_FALSE(opened.has_value());
  EXPECT_EQ(opened.error().code, ErrorCode::kUnverified);
  EXPECT_EQ(opened.error().reason, "undecryptable");
}

// Test case 16 of D. McGrew, J. Viega, "The Galois/Counter Mode of Operation", appendix B.
TEST(OpensslAeadTest, OpensThePublishedVectorOfAes256Gcm) {
  const std::string half = "feffe9928665731c6d6a8f9467308308";
  const std::string sealed =
      "cafebabefacedbaddecaf888"
      "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
      "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662"
      "76fc6ece0f4e1768cddf8853bb2d551b";
  const auto opened = OpensslAead().Open(Secret(*HexDecode(half + half)), *HexDecode(sealed),
                                         *HexDecode("feedfacedeadbeeffeedfacedeadbeefabaddad2"));
  ASSERT_TRUE(opened.has_value());
  EXPECT_EQ(HexEncode(opened->Reveal()),
            "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
            "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39");
}

TEST(OpensslAeadTest, OpensWhatItHasSealed) {
  const OpensslAead aead;
  for (const std::string& text : {std::string(), std::string("token"), std::string(100'000, 'x')}) {
    for (const std::string associated : {"", "place"}) {
      const auto sealed = aead.Seal(Key('k'), text, associated);
      ASSERT_TRUE(sealed.has_value());
      EXPECT_EQ(sealed->size(), text.size() + 28);
      EXPECT_EQ(aead.Open(Key('k'), *sealed, associated).value().Reveal(), text);
    }
  }
}

TEST(OpensslAeadTest, NeverSealsTheSameTextAlike) {
  const OpensslAead aead;
  EXPECT_NE(aead.Seal(Key('k'), "text", "a").value(), aead.Seal(Key('k'), "text", "a").value());
}

TEST(OpensslAeadTest, AnotherKeyOrAnotherPlaceDoesNotOpen) {
  const OpensslAead aead;
  const std::string sealed = aead.Seal(Key('k'), "text", "place").value();
  ExpectNotOpened(aead.Open(Key('l'), sealed, "place"));
  ExpectNotOpened(aead.Open(Key('k'), sealed, "elsewhere"));
  ExpectNotOpened(aead.Open(Key('k'), sealed, ""));
}

TEST(OpensslAeadTest, OneFlippedBitAnywhereDoesNotOpen) {
  const OpensslAead aead;
  const std::string sealed = aead.Seal(Key('k'), "text", "place").value();
  for (std::size_t i = 0; i < sealed.size(); ++i) {
    std::string changed = sealed;
    changed[i] = static_cast<char>(changed[i] ^ 1);
    ExpectNotOpened(aead.Open(Key('k'), changed, "place"));
  }
}

TEST(OpensslAeadTest, WhatIsCutShortDoesNotOpen) {
  const OpensslAead aead;
  const std::string sealed = aead.Seal(Key('k'), "text", "place").value();
  for (std::size_t size = 0; size < sealed.size(); ++size) {
    ExpectNotOpened(aead.Open(Key('k'), sealed.substr(0, size), "place"));
  }
}

TEST(OpensslAeadTest, RefusesKeysOfAnotherLength) {
  const OpensslAead aead;
  for (const std::size_t size : {0u, 16u, 31u, 33u}) {
    const Secret key(std::string(size, 'k'));
    EXPECT_EQ(aead.Seal(key, "text", "").error().code, ErrorCode::kInvalidArgument);
    EXPECT_EQ(aead.Open(key, std::string(40, 'x'), "").error().code, ErrorCode::kInvalidArgument);
  }
}

}  // namespace
}  // namespace understudy
