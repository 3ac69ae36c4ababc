#include "harness/scenario/rfc3339.h"

#include <cstdint>

namespace understudy::harness {
namespace {

// Takes `count` digits off the front of `text`; nullopt if they are not there.
std::optional<int> TakeDigits(std::string_view& text, std::size_t count) {
  if (text.size() < count) return std::nullopt;
  int value = 0;
  for (std::size_t i = 0; i < count; ++i) {
    if (text[i] < '0' || text[i] > '9') return std::nullopt;
    value = value * 10 + (text[i] - '0');
  }
  text.remove_prefix(count);
  return value;
}

bool Take(std::string_view& text, std::string_view any_of) {
  if (text.empty() || any_of.find(text.front()) == std::string_view::npos) return false;
  text.remove_prefix(1);
  return true;
}

// ".5": up to nine digits.
std::optional<Duration> TakeFraction(std::string_view& text) {
  if (!Take(text, ".")) return Duration::zero();
  std::int64_t scale = 1'000'000'000;
  std::int64_t nanoseconds = 0;
  while (scale > 1) {
    const auto digit = TakeDigits(text, 1);
    if (!digit) break;
    scale /= 10;
    nanoseconds += *digit * scale;
  }
  if (scale == 1'000'000'000) return std::nullopt;
  return Duration(nanoseconds);
}

// "Z", "+02:00": how far local time is ahead of UTC.
std::optional<Duration> TakeOffset(std::string_view& text) {
  if (Take(text, "Zz")) return Duration::zero();
  const bool negative = !text.empty() && text.front() == '-';
  if (!Take(text, "+-")) return std::nullopt;
  const auto hours = TakeDigits(text, 2);
  const bool colon = Take(text, ":");
  const auto minutes = TakeDigits(text, 2);
  if (!hours || !colon || !minutes || *hours > 23 || *minutes > 59) return std::nullopt;
  const Duration offset = std::chrono::hours(*hours) + std::chrono::minutes(*minutes);
  return negative ? -offset : offset;
}

}  // namespace

std::optional<SystemTime> ParseRfc3339(std::string_view text) {
  const auto year = TakeDigits(text, 4);
  const bool dash1 = Take(text, "-");
  const auto month = TakeDigits(text, 2);
  const bool dash2 = Take(text, "-");
  const auto day = TakeDigits(text, 2);
  const bool separator = Take(text, "Tt ");
  const auto hour = TakeDigits(text, 2);
  const bool colon1 = Take(text, ":");
  const auto minute = TakeDigits(text, 2);
  const bool colon2 = Take(text, ":");
  const auto second = TakeDigits(text, 2);
  if (!year || !dash1 || !month || !dash2 || !day || !separator || !hour || !colon1 || !minute ||
      !colon2 || !second) {
    return std::nullopt;
  }
  const auto fraction = TakeFraction(text);
  const auto offset = TakeOffset(text);
  const std::chrono::year_month_day date(std::chrono::year(*year),
                                         std::chrono::month(static_cast<unsigned>(*month)),
                                         std::chrono::day(static_cast<unsigned>(*day)));
  if (!fraction || !offset || !text.empty() || !date.ok() || *year < 1970 || *year > 2199 ||
      *hour > 23 || *minute > 59 || *second > 59) {
    return std::nullopt;
  }
  return SystemTime(std::chrono::sys_days(date)) + std::chrono::hours(*hour) +
         std::chrono::minutes(*minute) + std::chrono::seconds(*second) + *fraction - *offset;
}

}  // namespace understudy::harness
