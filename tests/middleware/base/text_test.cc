#include "middleware/base/text.h"

#include <array>

#include <gtest/gtest.h>

namespace understudy {
namespace {

using namespace std::chrono_literals;  // NOLINT: literals

TEST(TextTest, ParsesUnsignedStrictly) {
  EXPECT_EQ(ParseUnsigned("0"), 0U);
  EXPECT_EQ(ParseUnsigned("18446744073709551615"), 18446744073709551615ULL);
  for (const auto* const bad :
       {"", "-1", "+1", " 1", "1 ", "1.0", "0x1", "18446744073709551616", "1e3"}) {
    EXPECT_EQ(ParseUnsigned(bad), std::nullopt) << bad;
  }
}

TEST(TextTest, HexIsStrictAndInverse) {
  EXPECT_EQ(HexEncode(std::string("\x00\xff\x10", 3)), "00ff10");
  EXPECT_EQ(HexDecode("00fF10"), std::string("\x00\xff\x10", 3));
  EXPECT_EQ(HexDecode("0"), std::nullopt);
  EXPECT_EQ(HexDecode("0g"), std::nullopt);
}

// RFC 4648 section 10.
TEST(TextTest, Base64FollowsTheVectorsOfTheRfc) {
  const std::array<std::pair<const char*, const char*>, 7> vectors = {{{"", ""},
                                                                       {"f", "Zg=="},
                                                                       {"fo", "Zm8="},
                                                                       {"foo", "Zm9v"},
                                                                       {"foob", "Zm9vYg=="},
                                                                       {"fooba", "Zm9vYmE="},
                                                                       {"foobar", "Zm9vYmFy"}}};
  for (const auto& [plain, encoded] : vectors) {
    EXPECT_EQ(Base64Encode(plain), encoded);
    EXPECT_EQ(Base64Decode(encoded), plain);
  }
}

TEST(TextTest, Base64RefusesWhatIsNotCanonical) {
  for (const auto* const bad : {"Zg", "Zg=", "Z===", "Zh==", "Zm9=", "Zm 9", "====", "Zg==Zg=="}) {
    EXPECT_EQ(Base64Decode(bad), std::nullopt) << bad;
  }
}

TEST(TextTest, TokensOfPointersGoThereAndBack) {
  for (const std::string_view name : {"", "a/b", "~", "~1", "m~n/o~0"}) {
    EXPECT_EQ(UnescapePointerToken(EscapePointerToken(name)), name);
  }
  EXPECT_EQ(UnescapePointerToken("a~"), "a~");
}

TEST(TextTest, ANumberOfALocaleIsReadWithAPoint) {
  EXPECT_EQ(WithDecimalPoint("1,5"), "1.5");
  EXPECT_EQ(WithDecimalPoint("-1.5e-7"), "-1.5e-7");
  EXPECT_EQ(WithDecimalPoint("12"), "12");
  EXPECT_EQ(WithDecimalPoint("1\xD9\xAB"
                             "5"),
            "1.5")
      << "a decimal sign of two bytes";
  EXPECT_TRUE(IsWholeNumber("-123"));
  EXPECT_FALSE(IsWholeNumber("1,5"));
  EXPECT_FALSE(IsWholeNumber("1e5"));
}

TEST(TextTest, FormatsDurationsInTheShortestExactForm) {
  EXPECT_EQ(FormatDuration(0ns), "0ms");
  EXPECT_EQ(FormatDuration(20ms), "20ms");
  EXPECT_EQ(FormatDuration(1500ms), "1.5s");
  EXPECT_EQ(FormatDuration(30s), "30s");
  EXPECT_EQ(FormatDuration(90s), "90s");
  EXPECT_EQ(FormatDuration(24h), "1d");
  EXPECT_EQ(FormatDuration(1ns), "1ns");
  EXPECT_EQ(FormatDuration(32500ms), "32.5s");
}

TEST(TextTest, ParsesDurationsWithAUnitOnly) {
  EXPECT_EQ(ParseDuration("150ms"), 150ms);
  EXPECT_EQ(ParseDuration("0.5s"), 500ms);
  EXPECT_EQ(ParseDuration("3d"), 72h);
  for (const auto* const bad :
       {"", "20", "30 sec", "s", "1.s", "-1s", "1ss", "99999999999999999999s", "1e3s"}) {
    EXPECT_EQ(ParseDuration(bad), std::nullopt) << bad;
  }
}

TEST(TextTest, FindsTheWordThatWasMeant) {
  constexpr std::array<std::string_view, 3> kWords = {"times", "status", "latency"};
  EXPECT_EQ(ClosestMatch("tmies", kWords), "times");
  EXPECT_EQ(ClosestMatch("latncy", kWords), "latency");
  EXPECT_EQ(ClosestMatch("completely-else", kWords), "");
}

}  // namespace
}  // namespace understudy
