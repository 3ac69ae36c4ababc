// Calendar dates and instants as text (ISO 8601 / RFC 3339), as two types that do not convert into
// each other: a due date is a day somewhere, not a second.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "middleware/base/time.h"

namespace understudy {

// "2026-02-28", exactly; a day of the calendar. nullopt for anything else. Pure, total.
std::optional<std::chrono::year_month_day> ParseIsoDate(std::string_view text);
// Years 0 to 9999; "0000-00-00" for what is no day of the calendar.
std::string FormatIsoDate(std::chrono::year_month_day date);

// "2026-02-28T23:59:59-08:00", fraction of seconds optional and cut off, "Z" or an offset of at
// most 14 hours needed: without it a time is no instant. Leap seconds count as the next second.
// nullopt for anything else. Pure, total.
std::optional<std::chrono::sys_seconds> ParseIsoInstant(std::string_view text);
// "2026-03-01T07:59:59Z"; with `digits` (1 to 9) of the second's `nanoseconds` behind a point:
// "2026-03-01T07:59:59.250Z" for 3.
std::string FormatIsoInstant(std::chrono::sys_seconds instant, std::uint32_t nanoseconds = 0,
                             int digits = 0);
// The same of a wall-clock time, cut to the digits.
std::string FormatIsoInstant(SystemTime time, int digits);

// The first and the last second whose year has four digits: what a vendor's epoch seconds may be.
inline constexpr std::chrono::sys_seconds kInstantMin =
    std::chrono::sys_days(std::chrono::year(0) / 1 / 1);
inline constexpr std::chrono::sys_seconds kInstantMax =
    std::chrono::sys_days(std::chrono::year(10'000) / 1 / 1) - std::chrono::seconds(1);

// The day it is at `now` where clocks are `utc_offset` ahead of UTC (-8 h for California in
// winter).
std::chrono::year_month_day LocalDate(SystemTime now, std::chrono::minutes utc_offset);

}  // namespace understudy
