#include "middleware/resilience/rate_limit_value.h"

#include <optional>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "middleware/http/retry_after.h"

namespace understudy {
namespace {

using std::chrono::hours;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::nanoseconds;
using std::chrono::seconds;

// Tue, 14 Nov 2023 22:13:20 GMT
constexpr SystemTime kNow = SystemTime(seconds(1'700'000'000));

struct ResetRow {
  std::string_view name;
  ResetForm form;
  std::string_view text;
  std::optional<Duration> expected;
};

class ParseResetTest : public ::testing::TestWithParam<ResetRow> {};

TEST_P(ParseResetTest, IsReadAsItsRow) {
  EXPECT_EQ(ParseReset(GetParam().text, GetParam().form, kNow), GetParam().expected);
}

constexpr ResetForm kAuto = ResetForm::kAuto;
constexpr ResetForm kEpoch = ResetForm::kEpochSeconds;
constexpr ResetForm kEpochMs = ResetForm::kEpochMilliseconds;
constexpr ResetForm kDelta = ResetForm::kDeltaSeconds;
constexpr ResetForm kTime = ResetForm::kTimestamp;
constexpr ResetForm kGo = ResetForm::kGoDuration;

INSTANTIATE_TEST_SUITE_P(
    Numbers, ParseResetTest,
    ::testing::Values(
        ResetRow{"epoch", kEpoch, "1700000060", seconds(60)},
        ResetRow{"epoch_now", kEpoch, "1700000000", seconds(0)},
        ResetRow{"epoch_past", kEpoch, "1699999999", seconds(0)},
        ResetRow{"epoch_fraction", kEpoch, "1700000000.123", milliseconds(123)},
        ResetRow{"epoch_fraction_rounds_up", kEpoch, "1700000000.1234567891",
                 nanoseconds(123'456'790)},
        ResetRow{"epoch_far", kEpoch, "9999999999", kRetryAfterCap},
        ResetRow{"epoch_in_milliseconds", kEpoch, "1700000060000", seconds(60)},
        ResetRow{"epoch_that_is_a_delay", kEpoch, "30", seconds(30)},
        ResetRow{"epoch_ms", kEpochMs, "1700000060500", milliseconds(60'500)},
        ResetRow{"epoch_ms_fraction", kEpochMs, "1700000000000.0000001", nanoseconds(1)},
        ResetRow{"epoch_ms_in_seconds", kEpochMs, "1700000060", seconds(60)},
        ResetRow{"delta", kDelta, "41", seconds(41)},
        ResetRow{"delta_zero", kDelta, "0", seconds(0)},
        ResetRow{"delta_fraction", kDelta, "64.57", milliseconds(64'570)},
        ResetRow{"delta_rounds_up", kDelta, "0.0000000001", nanoseconds(1)},
        ResetRow{"delta_carries", kDelta, "1.9999999999", seconds(2)},
        ResetRow{"delta_leading_zeros", kDelta, "007", seconds(7)},
        ResetRow{"delta_spaces", kDelta, " 7\t", seconds(7)},
        ResetRow{"delta_at_the_cap", kDelta, "31536000", kRetryAfterCap},
        ResetRow{"delta_below_the_cap", kDelta, "31535999.5", kRetryAfterCap - milliseconds(500)},
        ResetRow{"RL12_delta_that_is_an_epoch", kDelta, "1700000060", seconds(60)},
        ResetRow{"RL12_auto_delta", kAuto, "999999999", kRetryAfterCap},
        ResetRow{"RL12_auto_first_epoch", kAuto, "1000000000", seconds(0)},
        ResetRow{"RL12_auto_last_epoch_in_seconds", kAuto, "999999999999", kRetryAfterCap},
        ResetRow{"RL12_auto_first_epoch_in_milliseconds", kAuto, "1000000000000", seconds(0)},
        ResetRow{"auto_epoch", kAuto, "1700000060", seconds(60)},
        ResetRow{"auto_epoch_ms", kAuto, "1700000060000", seconds(60)},
        ResetRow{"empty", kDelta, "", std::nullopt}, ResetRow{"word", kDelta, "soon", std::nullopt},
        ResetRow{"minus", kDelta, "-1", std::nullopt}, ResetRow{"plus", kDelta, "+1", std::nullopt},
        ResetRow{"exponent", kDelta, "1e3", std::nullopt},
        ResetRow{"hexadecimal", kEpoch, "0x6553f100", std::nullopt},
        ResetRow{"nan", kAuto, "nan", std::nullopt}, ResetRow{"inf", kAuto, "inf", std::nullopt},
        ResetRow{"infinity", kAuto, "Infinity", std::nullopt},
        ResetRow{"point_first", kDelta, ".5", std::nullopt},
        ResetRow{"point_last", kDelta, "5.", std::nullopt},
        ResetRow{"two_points", kDelta, "1.2.3", std::nullopt},
        ResetRow{"comma", kDelta, "1,5", std::nullopt},
        ResetRow{"space_inside", kDelta, "1 5", std::nullopt},
        ResetRow{"unit_where_none_belongs", kDelta, "1s", std::nullopt},
        ResetRow{"timestamp_where_none_belongs", kEpoch, "2023-11-14T22:13:30Z", std::nullopt}),
    [](const auto& test) { return std::string(test.param.name); });

INSTANTIATE_TEST_SUITE_P(
    Timestamps, ParseResetTest,
    ::testing::Values(
        ResetRow{"without_seconds", kTime, "2023-11-14T22:14Z", seconds(40)},
        ResetRow{"with_seconds", kTime, "2023-11-14T22:13:30Z", seconds(10)},
        ResetRow{"with_a_fraction", kTime, "2023-11-14T22:13:30.25Z", milliseconds(10'250)},
        ResetRow{"fraction_rounds_up", kTime, "2023-11-14T22:13:20.0000000001Z", nanoseconds(1)},
        ResetRow{"ahead_of_utc", kTime, "2023-11-15T00:13:30+02:00", seconds(10)},
        ResetRow{"behind_utc", kTime, "2023-11-14T16:43:30-05:30", seconds(10)},
        ResetRow{"lower_case", kTime, "2023-11-14t22:13:30z", seconds(10)},
        ResetRow{"leap_second", kTime, "2023-11-14T22:13:60Z", seconds(40)},
        ResetRow{"past", kTime, "2023-11-14T22:13:19Z", seconds(0)},
        ResetRow{"leap_day", kTime, "2024-02-29T00:00Z", hours(24 * 106) + seconds(6400)},
        ResetRow{"far", kTime, "2199-12-31T23:59:59Z", kRetryAfterCap},
        ResetRow{"auto_timestamp", kAuto, "2023-11-14T22:13:30Z", seconds(10)},
        ResetRow{"auto_http_date", kAuto, "Tue, 14 Nov 2023 22:13:30 GMT", seconds(10)},
        ResetRow{"no_zone", kTime, "2023-11-14T22:13:30", std::nullopt},
        ResetRow{"date_alone", kTime, "2023-11-14", std::nullopt},
        ResetRow{"no_such_day", kTime, "2023-02-29T00:00Z", std::nullopt},
        ResetRow{"no_such_month", kTime, "2023-13-01T00:00Z", std::nullopt},
        ResetRow{"no_such_hour", kTime, "2023-11-14T24:00Z", std::nullopt},
        ResetRow{"no_such_minute", kTime, "2023-11-14T22:60Z", std::nullopt},
        ResetRow{"no_such_second", kTime, "2023-11-14T22:13:61Z", std::nullopt},
        ResetRow{"four_digit_seconds", kTime, "2023-11-14T22:13:0000Z", std::nullopt},
        ResetRow{"one_digit_second", kTime, "2023-11-14T22:13:5Z", std::nullopt},
        ResetRow{"year_too_early", kTime, "1699-12-31T23:59Z", std::nullopt},
        ResetRow{"year_too_late", kTime, "2201-01-01T00:00Z", std::nullopt},
        ResetRow{"space_for_t", kTime, "2023-11-14 22:13:30Z", std::nullopt},
        ResetRow{"short_offset", kTime, "2023-11-14T22:13:30+02", std::nullopt},
        ResetRow{"offset_too_large", kTime, "2023-11-14T22:13:30+24:00", std::nullopt},
        ResetRow{"text_after", kTime, "2023-11-14T22:13:30Zulu", std::nullopt},
        ResetRow{"cut", kTime, "2023-11-14T22:1", std::nullopt},
        ResetRow{"cut_in_the_date", kTime, "2023-11-1", std::nullopt},
        ResetRow{"other_separators", kTime, "2023/11/14T22:13:30Z", std::nullopt},
        ResetRow{"number_where_none_belongs", kTime, "60", std::nullopt}),
    [](const auto& test) { return std::string(test.param.name); });

INSTANTIATE_TEST_SUITE_P(
    GoDurations, ParseResetTest,
    ::testing::Values(ResetRow{"go_seconds", kGo, "1s", seconds(1)},
                      ResetRow{"go_minutes_and_seconds", kGo, "6m30s", seconds(390)},
                      ResetRow{"go_zero_seconds", kGo, "6m0s", minutes(6)},
                      ResetRow{"go_milliseconds", kGo, "20ms", milliseconds(20)},
                      ResetRow{"go_hours", kGo, "1h2m3s", seconds(3723)},
                      ResetRow{"go_days", kGo, "1d2h", hours(26)},
                      ResetRow{"go_fraction", kGo, "8.64s", milliseconds(8640)},
                      ResetRow{"go_fraction_of_hours", kGo, "1.5h", minutes(90)},
                      ResetRow{"go_microseconds", kGo, "5us", microseconds(5)},
                      ResetRow{"go_micro_sign", kGo, "5\xC2\xB5s", microseconds(5)},
                      ResetRow{"go_greek_mu", kGo, "5\xCE\xBCs", microseconds(5)},
                      ResetRow{"go_nanoseconds", kGo, "7ns", nanoseconds(7)},
                      ResetRow{"go_rounds_up", kGo, "1.5ns", nanoseconds(2)},
                      ResetRow{"go_bare_zero", kGo, "0", seconds(0)},
                      ResetRow{"protobuf_fraction", kGo, "0.1s", milliseconds(100)},
                      ResetRow{"go_huge", kGo, "9999999999999999999999h", kRetryAfterCap},
                      ResetRow{"go_sum_at_the_cap", kGo, "8759h59m60s1s", kRetryAfterCap},
                      ResetRow{"auto_go", kAuto, "1m30s", seconds(90)},
                      ResetRow{"go_empty", kGo, "", std::nullopt},
                      ResetRow{"go_no_unit", kGo, "60", std::nullopt},
                      ResetRow{"go_no_last_unit", kGo, "6m30", std::nullopt},
                      ResetRow{"go_no_number", kGo, "s", std::nullopt},
                      ResetRow{"go_unknown_unit", kGo, "6w", std::nullopt},
                      ResetRow{"go_minus", kGo, "-6s", std::nullopt},
                      ResetRow{"go_plus", kGo, "+6s", std::nullopt},
                      ResetRow{"go_space", kGo, "6m 30s", std::nullopt},
                      ResetRow{"go_capital", kGo, "6S", std::nullopt},
                      ResetRow{"go_too_long", kGo,
                               "0000000000000000000000000000000000000000000000000000000000000001s",
                               std::nullopt}),
    [](const auto& test) { return std::string(test.param.name); });

TEST(ParseResetClockTest, NoClockOverflows) {
  for (const SystemTime clock : {SystemTime::min(), SystemTime::max()}) {
    for (const ResetForm form : {kAuto, kEpoch, kEpochMs, kDelta, kTime}) {
      for (const std::string_view text :
           {"1", "1700000000", "1700000000000", "99999999999999999999", "1700-01-01T00:00Z",
            "2200-12-31T23:59:59+00:00", "Fri, 31 Dec 2199 23:59:59 GMT"}) {
        const Duration reset = ParseReset(text, form, clock).value_or(Duration::zero());
        EXPECT_TRUE(reset >= Duration::zero() && reset <= kRetryAfterCap) << text;
      }
    }
  }
}

TEST(DelayUntilTest, IsBoundedForAnyPair) {
  EXPECT_EQ(DelayUntil(kNow + seconds(5), kNow), seconds(5));
  EXPECT_EQ(DelayUntil(kNow, kNow + seconds(5)), seconds(0));
  EXPECT_EQ(DelayUntil(SystemTime::max(), SystemTime::min()), kRetryAfterCap);
  EXPECT_EQ(DelayUntil(SystemTime::min(), SystemTime::max()), seconds(0));
  EXPECT_EQ(DelayUntil(SystemTime::max(), SystemTime::max() - seconds(5)), seconds(5));
  EXPECT_EQ(DelayUntil(SystemTime::min() + seconds(5), SystemTime::min()), seconds(5));
}

TEST(ParseQuotaCountTest, ReadsWholeAndDecimalNumbers) {
  EXPECT_EQ(ParseQuotaCount("0"), 0);
  EXPECT_EQ(ParseQuotaCount(" 5000 "), 5000);
  EXPECT_EQ(ParseQuotaCount("118.99"), 118);
  EXPECT_EQ(ParseQuotaCount("999999999999999"), kQuotaCountMax);
  EXPECT_EQ(ParseQuotaCount("1000000000000000"), kQuotaCountMax);
  EXPECT_EQ(ParseQuotaCount("18446744073709551616"), kQuotaCountMax);
  for (const std::string_view text : {"", "-1", "+1", "1e3", "0x1", "nan", "inf", "1.", ".1"})
    EXPECT_EQ(ParseQuotaCount(text), std::nullopt) << text;
}

TEST(ParseRemainingTest, RL12_BelowZeroIsZero) {
  EXPECT_EQ(ParseRemaining("-3"), 0);
  EXPECT_EQ(ParseRemaining("-0.5"), 0);
  EXPECT_EQ(ParseRemaining("3"), 3);
  for (const std::string_view text : {"", "-", "--3", "-x", "- 3"})
    EXPECT_EQ(ParseRemaining(text), std::nullopt) << text;
}

TEST(ParseDelayTest, ReadsTheUnitItIsGiven) {
  EXPECT_EQ(ParseDelay("1234", milliseconds(1)), milliseconds(1234));
  EXPECT_EQ(ParseDelay("0.5", milliseconds(1)), microseconds(500));
  EXPECT_EQ(ParseDelay("2.0", seconds(1)), seconds(2));
  EXPECT_EQ(ParseDelay("99999999999999999999", milliseconds(1)), kRetryAfterCap);
  EXPECT_EQ(ParseDelay("1s", seconds(1)), std::nullopt);
}

}  // namespace
}  // namespace understudy
