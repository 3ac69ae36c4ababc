// HTTP dates (RFC 9110 section 5.6.7): IMF-fixdate, RFC 850 and asctime read, IMF-fixdate written.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "middleware/base/time.h"

namespace understudy::http {

// nullopt for anything that is not one of the three forms or not a date of the calendar. RFC 850's
// two-digit year is taken as the most recent past or up to 50 years ahead of `now`, as the section
// says.
std::optional<SystemTime> ParseHttpDate(std::string_view text, SystemTime now);

// "Sun, 06 Nov 1994 08:49:37 GMT", seconds rounded down.
std::string FormatHttpDate(SystemTime time);

}  // namespace understudy::http
