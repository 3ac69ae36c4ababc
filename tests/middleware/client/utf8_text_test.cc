#include "middleware/client/utf8_text.h"

#include <gtest/gtest.h>

#include "middleware/base/utf8.h"

namespace understudy {
namespace {

struct Utf8Row {
  std::string name;
  std::string bytes;
  bool valid;
};
class Utf8Test : public ::testing::TestWithParam<Utf8Row> {};
TEST_P(Utf8Test, IsJudgedAsRfc3629Says) { EXPECT_EQ(IsUtf8(GetParam().bytes), GetParam().valid); }

INSTANTIATE_TEST_SUITE_P(
    Bytes, Utf8Test,
    ::testing::Values(
        Utf8Row{"empty", "", true}, Utf8Row{"ascii", "a\x7f", true},
        Utf8Row{"nul", std::string(1, '\0'), true}, Utf8Row{"two", "\xc2\x80", true},
        Utf8Row{"three", "\xe2\x82\xac", true}, Utf8Row{"four", "\xf0\x9f\x98\x80", true},
        Utf8Row{"last", "\xf4\x8f\xbf\xbf", true}, Utf8Row{"beyond", "\xf4\x90\x80\x80", false},
        Utf8Row{"before_surrogates", "\xed\x9f\xbf", true},
        Utf8Row{"surrogate", "\xed\xa0\x80", false},
        Utf8Row{"after_surrogates", "\xee\x80\x80", true},
        Utf8Row{"overlong_two", "\xc1\xbf", false},
        Utf8Row{"overlong_three", "\xe0\x9f\xbf", false},
        Utf8Row{"overlong_four", "\xf0\x8f\xbf\xbf", false}, Utf8Row{"lone_tail", "\x80", false},
        Utf8Row{"cut", "\xe2\x82", false}, Utf8Row{"wrong_tail", "\xe2\x82z", false},
        Utf8Row{"never", "\xff", false}, Utf8Row{"five", "\xf8\x88\x80\x80\x80", false}),
    [](const auto& test) { return test.param.name; });

TEST(CleanTextTest, KeepsOrdinaryText) {
  EXPECT_EQ(CleanText("Zw\xc3\xb6lf Boxk\xc3\xa4mpfer", 100), "Zw\xc3\xb6lf Boxk\xc3\xa4mpfer");
}

TEST(CleanTextTest, IsOneLineWithoutControlCharacters) {
  EXPECT_EQ(CleanText("  a\r\n\tb \x1b[31m c\xc2\x85 d  ", 100), "a b [31m c d");
}

TEST(CleanTextTest, ReplacesWhatIsBrokenOrMisleads) {
  EXPECT_EQ(CleanText("a\xff\xc3z", 100), "a??z");
  EXPECT_EQ(CleanText("a\xe2\x80\xae"
                      "b\xe2\x80\x8b"
                      "c\xe2\x81\xa6"
                      "d\xef\xbb\xbf",
                      100),
            "a?b?c?d?");
}

TEST(CleanTextTest, CutsBetweenCharactersWithinItsBound) {
  EXPECT_EQ(CleanText("abcdef", 6), "abcdef");
  EXPECT_EQ(CleanText("abcdefg", 6), "abc...");
  EXPECT_EQ(CleanText("a\xe2\x82\xac\xe2\x82\xac", 6), "a...");
  EXPECT_EQ(CleanText("\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac", 6), "\xe2\x82\xac...");
  EXPECT_EQ(CleanText("abcdef", 2), "..");
  EXPECT_EQ(CleanText("abcdef", 0), "");
}

}  // namespace
}  // namespace understudy
