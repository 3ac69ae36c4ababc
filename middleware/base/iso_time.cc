#include "middleware/base/iso_time.h"

#include <array>
#include <cstdint>

#include "middleware/base/check.h"
#include "middleware/base/text.h"

namespace understudy {
namespace {

constexpr std::size_t kDateSize = 10;   // YYYY-MM-DD
constexpr std::size_t kClockSize = 8;   // HH:MM:SS
constexpr std::size_t kOffsetSize = 6;  // +HH:MM

std::optional<int> Digits(std::string_view text, std::size_t at, std::size_t count) {
  const auto number = ParseUnsigned(text.substr(at, count));
  return number ? std::optional(static_cast<int>(*number)) : std::nullopt;
}

// Filled up with zeros; never more digits.
void AppendNumber(std::string& text, std::int64_t number, std::size_t digits) {
  std::array<char, 9> buffer = {};
  for (std::size_t i = digits; i-- > 0; number /= 10) {
    buffer[i] = static_cast<char>('0' + number % 10);
  }
  text.append(buffer.data(), digits);
}

void AppendDate(std::string& text, std::chrono::year_month_day date) {
  const int year = static_cast<int>(date.year());
  const bool can_be_shown = date.ok() && year >= 0 && year <= 9999;
  AppendNumber(text, can_be_shown ? year : 0, 4);
  text += '-';
  AppendNumber(text, can_be_shown ? static_cast<unsigned>(date.month()) : 0, 2);
  text += '-';
  AppendNumber(text, can_be_shown ? static_cast<unsigned>(date.day()) : 0, 2);
}

std::optional<std::chrono::seconds> ParseClock(std::string_view text) {
  if (text.size() != kClockSize || text[2] != ':' || text[5] != ':') return std::nullopt;
  const auto hour = Digits(text, 0, 2);
  const auto minute = Digits(text, 3, 2);
  const auto second = Digits(text, 6, 2);
  if (!hour || !minute || !second) return std::nullopt;
  if (*hour > 23 || *minute > 59 || *second > 60) return std::nullopt;
  return std::chrono::hours(*hour) + std::chrono::minutes(*minute) + std::chrono::seconds(*second);
}

std::optional<std::chrono::minutes> ParseOffset(std::string_view text) {
  if (text == "Z" || text == "z") return std::chrono::minutes(0);
  if (text.size() != kOffsetSize || (text[0] != '+' && text[0] != '-') || text[3] != ':')
    return std::nullopt;
  const auto hour = Digits(text, 1, 2);
  const auto minute = Digits(text, 4, 2);
  if (!hour || !minute || *minute > 59) return std::nullopt;
  const std::chrono::minutes offset = std::chrono::hours(*hour) + std::chrono::minutes(*minute);
  if (offset > std::chrono::hours(14)) return std::nullopt;
  return text[0] == '-' ? -offset : offset;
}

}  // namespace

std::optional<std::chrono::year_month_day> ParseIsoDate(std::string_view text) {
  if (text.size() != kDateSize || text[4] != '-' || text[7] != '-') return std::nullopt;
  const auto year = Digits(text, 0, 4);
  const auto month = Digits(text, 5, 2);
  const auto day = Digits(text, 8, 2);
  if (!year || !month || !day) return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year(*year),
                                         std::chrono::month(static_cast<unsigned>(*month)),
                                         std::chrono::day(static_cast<unsigned>(*day))};
  return date.ok() ? std::optional(date) : std::nullopt;
}

std::string FormatIsoDate(std::chrono::year_month_day date) {
  std::string text;
  AppendDate(text, date);
  return text;
}

std::optional<std::chrono::sys_seconds> ParseIsoInstant(std::string_view text) {
  if (text.size() < kDateSize + 1 + kClockSize + 1) return std::nullopt;
  const auto date = ParseIsoDate(text.substr(0, kDateSize));
  const char separator = text[kDateSize];
  const auto clock = ParseClock(text.substr(kDateSize + 1, kClockSize));
  if (!date || !clock || (separator != 'T' && separator != 't')) return std::nullopt;
  text.remove_prefix(kDateSize + 1 + kClockSize);
  if (text.front() == '.') {
    const std::size_t end = text.find_first_not_of("0123456789", 1);
    if (end == 1 || end == std::string_view::npos) return std::nullopt;
    text.remove_prefix(end);
  }
  const auto offset = ParseOffset(text);
  if (!offset) return std::nullopt;
  const std::chrono::sys_seconds instant = std::chrono::sys_days(*date) + *clock - *offset;
  return instant >= kInstantMin && instant <= kInstantMax ? std::optional(instant) : std::nullopt;
}

std::string FormatIsoInstant(std::chrono::sys_seconds instant, std::uint32_t nanoseconds,
                             int digits) {
  UNDERSTUDY_CHECK(digits >= 0 && digits <= 9, "a second has nine digits behind the point");
  const auto day = std::chrono::floor<std::chrono::days>(instant);
  const std::chrono::hh_mm_ss clock(instant - day);
  std::string text;
  text.reserve(kDateSize + 1 + kClockSize + 1 + 9 + 1);
  AppendDate(text, day);
  text += 'T';
  AppendNumber(text, clock.hours().count(), 2);
  text += ':';
  AppendNumber(text, clock.minutes().count(), 2);
  text += ':';
  AppendNumber(text, clock.seconds().count(), 2);
  if (digits > 0) {
    text += '.';
    AppendNumber(text, nanoseconds, 9);
    text.resize(text.size() - static_cast<std::size_t>(9 - digits));
  }
  text += 'Z';
  return text;
}

std::string FormatIsoInstant(SystemTime time, int digits) {
  const auto second = std::chrono::floor<std::chrono::seconds>(time);
  return FormatIsoInstant(second, static_cast<std::uint32_t>((time - second).count()), digits);
}

std::chrono::year_month_day LocalDate(SystemTime now, std::chrono::minutes utc_offset) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(now);
  return std::chrono::floor<std::chrono::days>(seconds + utc_offset);
}

}  // namespace understudy
