#include "middleware/http/date.h"

#include <gtest/gtest.h>

namespace understudy::http {
namespace {

using namespace std::chrono_literals;  // NOLINT: literals

const SystemTime kExample =
    SystemTime(std::chrono::sys_days(std::chrono::November / 6 / 1994)) + 8h + 49min + 37s;
const SystemTime kNow = SystemTime(std::chrono::sys_days(std::chrono::January / 1 / 2026));

TEST(HttpDateTest, ReadsTheThreeForms) {
  for (const auto* const text : {"Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT",
                                 "Sun Nov  6 08:49:37 1994"}) {
    EXPECT_EQ(ParseHttpDate(text, kNow), kExample) << text;
  }
}

TEST(HttpDateTest, TwoDigitYearsReachFiftyYearsAhead) {
  const auto year = [](std::string_view text) {
    return std::chrono::year_month_day(
               std::chrono::floor<std::chrono::days>(*ParseHttpDate(text, kNow)))
        .year();
  };
  EXPECT_EQ(year("Sunday, 06-Nov-76 08:49:37 GMT"), std::chrono::year(2076));
  EXPECT_EQ(year("Sunday, 06-Nov-77 08:49:37 GMT"), std::chrono::year(1977));
}

TEST(HttpDateTest, RefusesEverythingElse) {
  for (const auto* const bad : {"", "120", "Sun, 6 Nov 1994 08:49:37 GMT",
                                "Sun, 06 Nov 1994 08:49:37 UTC", "Sun, 31 Feb 1994 08:49:37 GMT",
                                "Sun, 06 Nov 1994 24:00:00 GMT", "Xxx, 06 Nov 1994 08:49:37 GMT",
                                "Sun, 06 Nov 99999 08:49:37 GMT", "1994-11-06T08:49:37Z"}) {
    EXPECT_EQ(ParseHttpDate(bad, kNow), std::nullopt) << bad;
  }
}

TEST(HttpDateTest, WritesTheFixedForm) {
  EXPECT_EQ(FormatHttpDate(kExample + 999ms), "Sun, 06 Nov 1994 08:49:37 GMT");
}

TEST(HttpDateTest, WritesWhatItReads) {
  EXPECT_EQ(ParseHttpDate(FormatHttpDate(kNow), kNow), kNow);
}

}  // namespace
}  // namespace understudy::http
