// Retry-After (RFC 9110 section 10.2.3), and the millisecond form retry-after-ms that some vendors
// add.
//
//   const auto wait = ParseRetryAfter(response.headers, clock.SystemNow());
//   if (wait) clock.SleepFor(*wait);
#pragma once

#include <optional>

#include "middleware/base/time.h"
#include "middleware/http/headers.h"

namespace understudy {

// Longer hints are taken as this long: an overlong number must not overflow, and nobody waits a
// year.
inline constexpr Duration kRetryAfterCap = std::chrono::hours(24 * 365);

// How long the vendor asks to wait, from the moment it answered; never less than it asked for.
// Pure.
//
// Reads delta-seconds and the three HTTP-date forms. A date is taken relative to the response's own
// Date, so that a wrong clock on either side does not matter, else to `now` (wall clock); one in
// the past means zero. Of several fields the longest counts. nullopt if there is none, or none that
// is well formed ("-5", "1.5", "soon", ...).
std::optional<Duration> ParseRetryAfter(const http::Headers& headers, SystemTime now,
                                        Duration cap = kRetryAfterCap);

}  // namespace understudy
