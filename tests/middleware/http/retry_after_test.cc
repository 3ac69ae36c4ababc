#include "middleware/http/retry_after.h"

#include <optional>
#include <string>

#include <gtest/gtest.h>

namespace understudy {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

// Sun, 06 Nov 1994 08:49:37 GMT
constexpr SystemTime kNow = SystemTime(seconds(784111777));

struct Row {
  std::string name;
  http::Headers headers;
  std::optional<Duration> expected;
};

class RetryAfterTest : public ::testing::TestWithParam<Row> {};

TEST_P(RetryAfterTest, R8_IsReadAsItsRow) {
  EXPECT_EQ(ParseRetryAfter(GetParam().headers, kNow), GetParam().expected);
}

http::Headers Field(std::string_view value) { return {{"Retry-After", value}}; }

INSTANTIATE_TEST_SUITE_P(
    Table, RetryAfterTest,
    ::testing::Values(
        Row{"seconds", Field("10"), seconds(10)}, Row{"zero", Field("0"), seconds(0)},
        Row{"leading_zeros", Field("010"), seconds(10)}, Row{"spaces", Field(" 10 "), seconds(10)},
        Row{"RL5_date", Field("Mon, 07 Nov 1994 08:49:37 GMT"), hours(24)},
        Row{"rfc850_date", Field("Monday, 07-Nov-94 08:49:37 GMT"), hours(24)},
        Row{"asctime_date", Field("Mon Nov  7 08:49:37 1994"), hours(24)},
        Row{"past_date", Field("Sat, 05 Nov 1994 08:49:37 GMT"), seconds(0)},
        Row{"missing", {}, std::nullopt}, Row{"empty", Field(""), std::nullopt},
        Row{"word", Field("abc"), std::nullopt}, Row{"negative", Field("-5"), std::nullopt},
        Row{"plus", Field("+5"), std::nullopt}, Row{"fraction", Field("1.5"), std::nullopt},
        Row{"inf", Field("inf"), std::nullopt}, Row{"exponent", Field("1e3"), std::nullopt},
        Row{"list", Field("10, 20"), std::nullopt},
        Row{"twenty_digits", Field("99999999999999999999"), kRetryAfterCap},
        Row{"above_the_cap", Field("31536001"), kRetryAfterCap},
        Row{"relative_to_the_own_date",
            {{"Retry-After", "Fri, 31 Dec 1999 23:59:59 GMT"},
             {"Date", "Fri, 31 Dec 1999 23:59:29 GMT"}},
            seconds(30)},
        Row{"invalid_own_date",
            {{"Retry-After", "Sun, 06 Nov 1994 08:49:47 GMT"}, {"Date", "yesterday"}},
            seconds(10)},
        Row{"duplicates", {{"Retry-After", "5"}, {"Retry-After", "9"}}, seconds(9)},
        Row{"one_of_two_valid", {{"Retry-After", "5"}, {"Retry-After", "soon"}}, seconds(5)},
        Row{"milliseconds", {{"retry-after-ms", "1234"}}, milliseconds(1234)},
        Row{"the_longer_of_both", {{"Retry-After", "2"}, {"retry-after-ms", "1234"}}, seconds(2)}),
    [](const auto& row) { return row.param.name; });

TEST(RetryAfterRoundingTest, ADateWithinTheCurrentSecondIsNeverEarly) {
  const SystemTime now = kNow + milliseconds(400);
  EXPECT_EQ(ParseRetryAfter(Field("Sun, 06 Nov 1994 08:49:38 GMT"), now), milliseconds(600));
}

TEST(RetryAfterCapTest, TheCapIsAnOption) {
  EXPECT_EQ(ParseRetryAfter(Field("120"), kNow, seconds(60)), seconds(60));
}

}  // namespace
}  // namespace understudy
