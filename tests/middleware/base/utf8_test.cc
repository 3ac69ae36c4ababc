#include "middleware/base/utf8.h"

#include <string>
#include <string_view>

#include <gtest/gtest.h>

namespace understudy {
namespace {

struct DecodeCase {
  std::string name;
  std::string text;
  bool valid;
  std::size_t bytes;
  char32_t value;
};

class DecodeUtf8Test : public ::testing::TestWithParam<DecodeCase> {};

TEST_P(DecodeUtf8Test, ReadsTheFirstCodePointOrOneInvalidByte) {
  const CodePoint point = DecodeUtf8(GetParam().text);
  EXPECT_EQ(point.valid, GetParam().valid);
  EXPECT_EQ(point.bytes, GetParam().bytes);
  EXPECT_EQ(point.value, GetParam().value);
}

INSTANTIATE_TEST_SUITE_P(
    Rows, DecodeUtf8Test,
    ::testing::Values(DecodeCase{"Ascii", "ab", true, 1, 'a'},
                      DecodeCase{"Nul", std::string(1, '\0'), true, 1, 0},
                      DecodeCase{"SmallestOfTwo", "\xc2\x80", true, 2, 0x80},
                      DecodeCase{"SmallestOfThree", "\xe0\xa0\x80", true, 3, 0x800},
                      DecodeCase{"LastBeforeTheSurrogates", "\xed\x9f\xbf", true, 3, 0xd7ff},
                      DecodeCase{"SmallestOfFour", "\xf0\x90\x80\x80", true, 4, 0x10000},
                      DecodeCase{"Largest", "\xf4\x8f\xbf\xbf", true, 4, 0x10ffff},
                      DecodeCase{"Continuation", "\x80", false, 1, 0x80},
                      DecodeCase{"OverlongTwo", "\xc1\xbf", false, 1, 0xc1},
                      DecodeCase{"OverlongThree", "\xe0\x9f\xbf", false, 1, 0xe0},
                      DecodeCase{"OverlongFour", "\xf0\x8f\xbf\xbf", false, 1, 0xf0},
                      DecodeCase{"Surrogate", "\xed\xa0\x80", false, 1, 0xed},
                      DecodeCase{"TooLarge", "\xf4\x90\x80\x80", false, 1, 0xf4},
                      DecodeCase{"NoSuchLead", "\xff", false, 1, 0xff},
                      DecodeCase{"CutShort", "\xe2\x82", false, 1, 0xe2},
                      DecodeCase{"WrongContinuation", "\xe2\x82x", false, 1, 0xe2}),
    [](const auto& test) { return test.param.name; });

TEST(IsControlTest, HoldsForWhatActsInsteadOfBeingShown) {
  // U+0000 is in the literal as well, at its end.
  for (const char32_t point :
       U"\x1b\x1f\x7f\x80\x9b\x9f\x200e\x2028\x2029\x202e\x2066\x2069\x61c") {
    EXPECT_TRUE(IsControl(point)) << static_cast<unsigned>(point);
  }
  for (const char32_t point : std::u32string_view(U" ~\xa0\x2027\x202f\x206a\x20ac\x1f600")) {
    EXPECT_FALSE(IsControl(point)) << static_cast<unsigned>(point);
  }
}

}  // namespace
}  // namespace understudy
