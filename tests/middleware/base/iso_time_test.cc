#include "middleware/base/iso_time.h"

#include <string>

#include <gtest/gtest.h>

namespace understudy {
namespace {

using std::chrono::sys_seconds;

struct Row {
  std::string name;
  std::string text;
};

class AD4_NoDate : public testing::TestWithParam<Row> {};
TEST_P(AD4_NoDate, IsRefused) { EXPECT_FALSE(ParseIsoDate(GetParam().text)); }
INSTANTIATE_TEST_SUITE_P(Texts, AD4_NoDate,
                         testing::Values(Row{"Empty", ""}, Row{"NoLeapYear", "2025-02-29"},
                                         Row{"Month13", "2025-13-01"}, Row{"Day0", "2025-01-00"},
                                         Row{"Day31", "2025-04-31"}, Row{"Short", "2025-1-01"},
                                         Row{"American", "01/31/2025"},
                                         Row{"WithTime", "2025-01-31T00:00:00Z"},
                                         Row{"Signed", "2025-01-+1"}, Row{"Space", "2025-01- 1"}),
                         [](const auto& test) { return test.param.name; });

class AD4_NoInstant : public testing::TestWithParam<Row> {};
TEST_P(AD4_NoInstant, IsRefused) { EXPECT_FALSE(ParseIsoInstant(GetParam().text)); }
INSTANTIATE_TEST_SUITE_P(Texts, AD4_NoInstant,
                         testing::Values(Row{"Empty", ""}, Row{"NoOffset", "2025-01-31T12:00:00"},
                                         Row{"DateOnly", "2025-01-31"},
                                         Row{"Hour24", "2025-01-31T24:00:00Z"},
                                         Row{"Minute60", "2025-01-31T12:60:00Z"},
                                         Row{"Second61", "2025-01-31T12:00:61Z"},
                                         Row{"NoSeparator", "2025-01-31 12:00:00Z"},
                                         Row{"NoFraction", "2025-01-31T12:00:00.Z"},
                                         Row{"FractionWithoutOffset", "2025-01-31T12:00:00.5"},
                                         Row{"Offset15", "2025-01-31T12:00:00+15:00"},
                                         Row{"OffsetWithoutColon", "2025-01-31T12:00:00+0800"},
                                         Row{"After", "2025-01-31T12:00:00Zx"},
                                         Row{"BeforeYear0", "0000-01-01T00:00:00+01:00"},
                                         Row{"AfterYear9999", "9999-12-31T23:59:59-01:00"}),
                         [](const auto& test) { return test.param.name; });

TEST(IsoTime, AD4_AnOffsetIsPartOfAnInstant) {
  const auto instant = ParseIsoInstant("2015-07-24T10:35:08-07:00");
  ASSERT_TRUE(instant);
  EXPECT_EQ(FormatIsoInstant(*instant), "2015-07-24T17:35:08Z");
  EXPECT_EQ(ParseIsoInstant("2015-07-24T17:35:08.999Z"), instant);
  EXPECT_EQ(ParseIsoInstant("1970-01-01T00:00:00Z"), sys_seconds());
}

TEST(IsoTime, FormatsEveryDayOfACenturyToWhatItReads) {
  for (std::chrono::sys_days day = std::chrono::year(1999) / 12 / 25;
       day < std::chrono::sys_days(std::chrono::year(2100) / 3 / 5); day += std::chrono::days(1)) {
    ASSERT_EQ(ParseIsoDate(FormatIsoDate(day)), std::chrono::year_month_day(day));
  }
  EXPECT_EQ(FormatIsoDate(std::chrono::year(5) / 1 / 2), "0005-01-02");
  EXPECT_EQ(FormatIsoDate(std::chrono::year(2025) / 2 / 30), "0000-00-00");
}

TEST(IsoTime, AD4_TheDayDependsOnTheCompanysTimeZone) {
  const SystemTime now = SystemTime(*ParseIsoInstant("2025-03-01T02:00:00Z"));
  EXPECT_EQ(FormatIsoDate(LocalDate(now, std::chrono::hours(0))), "2025-03-01");
  EXPECT_EQ(FormatIsoDate(LocalDate(now, std::chrono::hours(-8))), "2025-02-28");
  EXPECT_EQ(FormatIsoDate(LocalDate(now, std::chrono::hours(14))), "2025-03-01");
  EXPECT_EQ(FormatIsoDate(LocalDate(now - std::chrono::hours(3), std::chrono::hours(1))),
            "2025-03-01");
}

TEST(IsoTimeTest, WritesAsManyDigitsOfTheSecondAsAskedAndCutsTheRest) {
  const SystemTime time = std::chrono::sys_days(std::chrono::year(2026) / 11 / 24) +
                          std::chrono::nanoseconds(1987654321);
  EXPECT_EQ(FormatIsoInstant(time, 0), "2026-11-24T00:00:01Z");
  EXPECT_EQ(FormatIsoInstant(time, 3), "2026-11-24T00:00:01.987Z");
  EXPECT_EQ(FormatIsoInstant(time, 9), "2026-11-24T00:00:01.987654321Z");
}

}  // namespace
}  // namespace understudy
