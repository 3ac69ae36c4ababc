#include "middleware/http/date.h"

#include <algorithm>
#include <array>
#include <cstdio>

#include "middleware/base/text.h"

namespace understudy::http {
namespace {

constexpr std::array<std::string_view, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                      "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
constexpr std::array<std::string_view, 7> kDays = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
constexpr std::array<std::string_view, 7> kLongDays = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                                       "Thursday", "Friday", "Saturday"};

template <std::size_t N>
std::optional<unsigned> IndexOf(const std::array<std::string_view, N>& names,
                                std::string_view name) {
  const auto* const found = std::find(names.begin(), names.end(), name);
  if (found == names.end()) return std::nullopt;
  return static_cast<unsigned>(found - names.begin());
}

struct Fields {
  std::string_view day;
  std::string_view month;
  std::string_view year;
  std::string_view clock;  // hh:mm:ss
};

std::optional<SystemTime> Assemble(const Fields& fields, int year) {
  const auto month = IndexOf(kMonths, fields.month);
  const auto day = ParseUnsigned(TrimOws(fields.day));
  if (!month || !day || fields.clock.size() != 8 || fields.clock[2] != ':' ||
      fields.clock[5] != ':') {
    return std::nullopt;
  }
  const auto hour = ParseUnsigned(fields.clock.substr(0, 2));
  const auto minute = ParseUnsigned(fields.clock.substr(3, 2));
  const auto second = ParseUnsigned(fields.clock.substr(6, 2));
  // 60 is a leap second, which the grammar allows.
  if (!hour || !minute || !second || *hour > 23 || *minute > 59 || *second > 60)
    return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year(year), std::chrono::month(*month + 1),
                                         std::chrono::day(static_cast<unsigned>(*day))};
  // Nanoseconds in 64 bits reach from 1677 to 2262.
  if (!date.ok() || year < 1700 || year > 2200) return std::nullopt;
  return SystemTime(std::chrono::sys_days(date)) + std::chrono::hours(*hour) +
         std::chrono::minutes(*minute) + std::chrono::seconds(*second);
}

std::optional<int> FourDigitYear(std::string_view text) {
  const auto year = ParseUnsigned(text);
  if (!year || text.size() != 4) return std::nullopt;
  return static_cast<int>(*year);
}

int ExpandTwoDigitYear(unsigned year, SystemTime now) {
  const std::chrono::year_month_day today{std::chrono::floor<std::chrono::days>(now)};
  const int current = static_cast<int>(today.year());
  int expanded = current / 100 * 100 + static_cast<int>(year);
  if (expanded > current + 50) expanded -= 100;
  return expanded;
}

// "Sun, 06 Nov 1994 08:49:37 GMT"
std::optional<SystemTime> ParseImfFixdate(std::string_view text) {
  if (text.size() != 29 || text.substr(3, 2) != ", " || text[7] != ' ' || text[11] != ' ' ||
      text[16] != ' ' || text.substr(25) != " GMT" || !IndexOf(kDays, text.substr(0, 3))) {
    return std::nullopt;
  }
  const auto year = FourDigitYear(text.substr(12, 4));
  if (!year) return std::nullopt;
  return Assemble({text.substr(5, 2), text.substr(8, 3), {}, text.substr(17, 8)}, *year);
}

// "Sunday, 06-Nov-94 08:49:37 GMT"
std::optional<SystemTime> ParseRfc850(std::string_view text, SystemTime now) {
  const std::size_t comma = text.find(", ");
  if (comma == std::string_view::npos || !IndexOf(kLongDays, text.substr(0, comma)))
    return std::nullopt;
  const std::string_view rest = text.substr(comma + 2);
  if (rest.size() != 22 || rest[2] != '-' || rest[6] != '-' || rest[9] != ' ' ||
      rest.substr(18) != " GMT") {
    return std::nullopt;
  }
  const auto year = ParseUnsigned(rest.substr(7, 2));
  if (!year) return std::nullopt;
  return Assemble({rest.substr(0, 2), rest.substr(3, 3), {}, rest.substr(10, 8)},
                  ExpandTwoDigitYear(static_cast<unsigned>(*year), now));
}

// "Sun Nov  6 08:49:37 1994"
std::optional<SystemTime> ParseAsctime(std::string_view text) {
  if (text.size() != 24 || text[3] != ' ' || text[7] != ' ' || text[10] != ' ' || text[19] != ' ' ||
      !IndexOf(kDays, text.substr(0, 3))) {
    return std::nullopt;
  }
  const auto year = FourDigitYear(text.substr(20, 4));
  if (!year) return std::nullopt;
  return Assemble({text.substr(8, 2), text.substr(4, 3), {}, text.substr(11, 8)}, *year);
}

}  // namespace

std::optional<SystemTime> ParseHttpDate(std::string_view text, SystemTime now) {
  text = TrimOws(text);
  if (const auto date = ParseImfFixdate(text)) return date;
  if (const auto date = ParseRfc850(text, now)) return date;
  return ParseAsctime(text);
}

std::string FormatHttpDate(SystemTime time) {
  const auto days = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date{days};
  const std::chrono::hh_mm_ss clock{std::chrono::floor<std::chrono::seconds>(time - days)};
  const unsigned weekday = std::chrono::weekday(days).c_encoding();
  std::array<char, 40> buffer{};
  const int length = std::snprintf(
      buffer.data(), buffer.size(), "%s, %02u %s %04d %02d:%02d:%02d GMT", kDays[weekday].data(),
      static_cast<unsigned>(date.day()), kMonths[static_cast<unsigned>(date.month()) - 1].data(),
      static_cast<int>(date.year()), static_cast<int>(clock.hours().count()),
      static_cast<int>(clock.minutes().count()), static_cast<int>(clock.seconds().count()));
  return std::string(buffer.data(), static_cast<std::size_t>(length));
}

}  // namespace understudy::http
