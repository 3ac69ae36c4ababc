// The numbers and times of rate-limit headers, as vendors write them: counts, delays, moments.
//
//   ParseReset("6m30s", ResetForm::kGoDuration, answered_at);    // 390 s
//   ParseReset("1700000060", ResetForm::kAuto, answered_at);     // until then
//
// All functions are pure, thread-safe and total over any bytes: what is malformed is nullopt. Only
// digits with at most one point count as a number: no sign, exponent, hexadecimal, nan or inf
// (reference vendors 2.2). Delays are rounded up to a nanosecond, never negative, and at most
// kRetryAfterCap.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "middleware/base/function_ref.h"
#include "middleware/base/time.h"

namespace understudy {

// How a vendor writes when a quota is full again. A number may have a fraction in every form.
enum class ResetForm {
  kAuto,               // By shape: any of the others, and an HTTP date.
  kEpochSeconds,       // 1700000000, 1470173023.123
  kEpochMilliseconds,  // 1700000000000
  kDeltaSeconds,       // 41, 64.57
  kTimestamp,          // ISO 8601 and RFC 3339: 2024-01-01T00:00Z, 2025-01-01T00:01:00.5+02:00
  kGoDuration,         // 6m30s, 20ms, 1.5s; also protobuf's "31s"
};

// Counts of a quota are 0 to this (the range of RFC 9651); larger ones are taken as this.
inline constexpr std::int64_t kQuotaCountMax = 999'999'999'999'999;

// "5000", "118.7" (rounded down: a part of a request is none).
std::optional<std::int64_t> ParseQuotaCount(std::string_view text);

// As ParseQuotaCount, but "-3" is 0: vendors count below zero when they admit more than they said.
std::optional<std::int64_t> ParseRemaining(std::string_view text);

// A number of `unit`s, which is a millisecond or a second.
std::optional<Duration> ParseDelay(std::string_view text, Duration unit);

// A point in time with its offset to UTC: yyyy-mm-ddThh:mm, optionally :ss and a fraction, then Z
// or +hh:mm. nullopt for a date that the calendar does not have, and outside of 1700 to 2200.
std::optional<SystemTime> ParseTimestamp(std::string_view text);

// One or more numbers with units of h, m, s, ms, us, ns (Go's time.ParseDuration without signs),
// and d for 24 h. At most 64 bytes.
std::optional<Duration> ParseGoDuration(std::string_view text);

// How long after `answered_at` the quota is full again; zero if that is past. `answered_at` is the
// time of the vendor's clock when it answered (its Date), so that a wrong clock on either side does
// not matter.
//
// A number that cannot be meant as the form says is read as what it can be: above 1e12 it is epoch
// milliseconds, above 1e9 (2001) epoch seconds, and a year or more that is within a year of
// `answered_at` epoch seconds; below that it is a delay, unless the form says epoch and
// `answered_at` is before 2001 too (simulated clocks). The same name is an epoch at one vendor and
// a delay at another (reference vendors 2.1), and to read an epoch as a delay would mean to wait
// for ever.
std::optional<Duration> ParseReset(std::string_view text, ResetForm form, SystemTime answered_at);
// The same; `answered_at` is only called if it matters: not for the seconds of a few months.
std::optional<Duration> ParseReset(std::string_view text, ResetForm form,
                                   FunctionRef<SystemTime()> answered_at);

// `until` as seen from `answered_at`: never negative, at most kRetryAfterCap, no overflow.
Duration DelayUntil(SystemTime until, SystemTime answered_at);

}  // namespace understudy
