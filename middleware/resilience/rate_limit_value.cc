#include "middleware/resilience/rate_limit_value.h"

#include <algorithm>
#include <array>
#include <limits>

#include "middleware/base/text.h"
#include "middleware/http/date.h"
#include "middleware/http/retry_after.h"

namespace understudy {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::int64_t kNanosPerSecond = 1'000'000'000;
constexpr std::int64_t kEpochSecondsMin = 1'000'000'000;  // September 2001.
constexpr std::int64_t kEpochMillisecondsMin = 1'000 * kEpochSecondsMin;
// What a clock can show: sums with the cap and with dates stay within 64 bits of nanoseconds.
constexpr SystemTime kClockMin = SystemTime(std::chrono::sys_days(std::chrono::year(1700) / 1 / 1));
constexpr SystemTime kClockMax = SystemTime(std::chrono::sys_days(std::chrono::year(2200) / 1 / 1));
// Larger numbers are read as this: 30 million years, and far from an overflow.
constexpr std::int64_t kWholeMax = 1'000'000'000'000'000;

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// A decimal number, with its fraction in billionths, rounded up.
struct Decimal {
  std::int64_t whole = 0;       // 0 to kWholeMax.
  std::int64_t billionths = 0;  // 0 to 1,000,000,000.
};

std::size_t CountDigits(std::string_view text) {
  const auto* const end = std::find_if_not(text.begin(), text.end(), IsDigit);
  return static_cast<std::size_t>(end - text.begin());
}

std::int64_t BillionthsOf(std::string_view digits) {
  std::int64_t value = 0;
  for (std::size_t i = 0; i < 9; ++i)
    value = value * 10 + (i < digits.size() ? digits[i] - '0' : 0);
  const std::string_view rest = digits.substr(std::min<std::size_t>(9, digits.size()));
  const bool more = rest.find_first_not_of('0') != std::string_view::npos;
  return value + (more ? 1 : 0);
}

// Takes "12" or "12.5" from the front of `text`.
std::optional<Decimal> TakeDecimal(std::string_view& text) {
  const std::size_t whole_digits = CountDigits(text);
  if (whole_digits == 0) return std::nullopt;
  Decimal decimal;
  const std::uint64_t whole = ParseUnsigned(text.substr(0, whole_digits))
                                  .value_or(std::numeric_limits<std::uint64_t>::max());
  decimal.whole = static_cast<std::int64_t>(
      std::min<std::uint64_t>(whole, static_cast<std::uint64_t>(kWholeMax)));
  text.remove_prefix(whole_digits);
  if (!text.starts_with('.')) return decimal;
  const std::size_t digits = CountDigits(text.substr(1));
  if (digits == 0) return std::nullopt;
  decimal.billionths = BillionthsOf(text.substr(1, digits));
  text.remove_prefix(1 + digits);
  return decimal;
}

std::optional<Decimal> ParseDecimal(std::string_view text) {
  text = TrimOws(text);
  const std::optional<Decimal> decimal = TakeDecimal(text);
  return text.empty() ? decimal : std::nullopt;
}

// Rounded up; saturates at the cap. `unit` is at most a day.
Duration Scale(const Decimal& decimal, Duration unit) {
  if (decimal.whole >= kRetryAfterCap / unit) return kRetryAfterCap;
  // A fraction of a unit: billionths are nanoseconds per second, so scale by the unit in seconds.
  __extension__ using Wide = __int128;
  const Wide scaled = Wide{decimal.billionths} * unit.count();
  const Wide fraction = (scaled + kNanosPerSecond - 1) / kNanosPerSecond;
  return std::min(kRetryAfterCap,
                  unit * decimal.whole + Duration(static_cast<Duration::rep>(fraction)));
}

// `at` is in seconds (or milliseconds) since 1970.
Duration UntilEpoch(const Decimal& at, Duration unit, SystemTime answered_at) {
  const Decimal in_seconds =
      unit == seconds(1)
          ? at
          : Decimal{at.whole / 1000, at.whole % 1000 * 1'000'000 + (at.billionths + 999) / 1000};
  const auto base = std::chrono::floor<seconds>(answered_at);
  const std::int64_t difference = in_seconds.whole - base.time_since_epoch().count();
  constexpr std::int64_t kCapSeconds = std::chrono::duration_cast<seconds>(kRetryAfterCap).count();
  if (difference > kCapSeconds) return kRetryAfterCap;
  if (difference < -1) return Duration::zero();
  const Duration delay =
      seconds(difference) + Duration(in_seconds.billionths) - (answered_at - base);
  return std::clamp(delay, Duration::zero(), kRetryAfterCap);
}

bool IsNear(std::int64_t whole, SystemTime answered_at) {
  const auto base = std::chrono::floor<seconds>(answered_at).time_since_epoch().count();
  constexpr std::int64_t kYear = std::chrono::duration_cast<seconds>(kRetryAfterCap).count();
  return whole >= kYear && whole - base <= kYear && base - whole <= kYear;
}

Duration UntilNumber(const Decimal& number, ResetForm form, SystemTime answered_at) {
  const bool says_epoch = form == ResetForm::kEpochSeconds || form == ResetForm::kEpochMilliseconds;
  if (says_epoch && answered_at < SystemTime(seconds(kEpochSecondsMin))) {
    const Duration unit = form == ResetForm::kEpochSeconds ? Duration(seconds(1)) : milliseconds(1);
    return UntilEpoch(number, unit, answered_at);
  }
  if (number.whole >= kEpochMillisecondsMin)
    return UntilEpoch(number, milliseconds(1), answered_at);
  if (number.whole >= kEpochSecondsMin || IsNear(number.whole, answered_at))
    return UntilEpoch(number, seconds(1), answered_at);
  return Scale(number, seconds(1));
}

std::optional<unsigned> TwoDigits(std::string_view text, std::size_t at) {
  if (at + 2 > text.size() || !IsDigit(text[at]) || !IsDigit(text[at + 1])) return std::nullopt;
  return static_cast<unsigned>((text[at] - '0') * 10 + (text[at + 1] - '0'));
}

// yyyy-mm-dd at the front.
std::optional<std::chrono::sys_days> ParseDay(std::string_view text) {
  const auto century = TwoDigits(text, 0);
  const auto year = TwoDigits(text, 2);
  const auto month = TwoDigits(text, 5);
  const auto day = TwoDigits(text, 8);
  if (!century || !year || !month || !day || text[4] != '-' || text[7] != '-') return std::nullopt;
  const int full_year = static_cast<int>(*century * 100 + *year);
  const std::chrono::year_month_day date{std::chrono::year(full_year), std::chrono::month(*month),
                                         std::chrono::day(*day)};
  // Nanoseconds in 64 bits reach from 1677 to 2262.
  if (!date.ok() || full_year < 1700 || full_year > 2200) return std::nullopt;
  return std::chrono::sys_days(date);
}

// hh:mm, and :ss with or without a fraction if they are there, from the front of `text`.
std::optional<Duration> TakeTimeOfDay(std::string_view& text) {
  const auto hour = TwoDigits(text, 0);
  const auto minute = TwoDigits(text, 3);
  if (!hour || !minute || text[2] != ':' || *hour > 23 || *minute > 59) return std::nullopt;
  text.remove_prefix(5);
  Duration time = std::chrono::hours(*hour) + std::chrono::minutes(*minute);
  if (!text.starts_with(':')) return time;
  text.remove_prefix(1);
  const std::size_t digits = CountDigits(text);
  const std::optional<Decimal> second = TakeDecimal(text);
  // 60 is a leap second.
  if (digits != 2 || !second || second->whole > 60) return std::nullopt;
  return time + Scale(*second, seconds(1));
}

// "Z", "+02:00", "-05:30": how far local time is ahead of UTC.
std::optional<Duration> ParseOffset(std::string_view text) {
  if (text == "Z" || text == "z") return Duration::zero();
  const auto hours = TwoDigits(text, 1);
  const auto minutes = TwoDigits(text, 4);
  if (text.size() != 6 || !hours || !minutes || text[3] != ':' || *hours > 23 || *minutes > 59)
    return std::nullopt;
  if (text[0] != '+' && text[0] != '-') return std::nullopt;
  const Duration offset = std::chrono::hours(*hours) + std::chrono::minutes(*minutes);
  return text[0] == '+' ? offset : -offset;
}

struct GoUnit {
  std::string_view name;
  Duration unit;
};

// Longer names first: "ms" is not "m".
constexpr std::array<GoUnit, 9> kGoUnits = {{{"ns", std::chrono::nanoseconds(1)},
                                             {"us", std::chrono::microseconds(1)},
                                             {"\xC2\xB5s", std::chrono::microseconds(1)},
                                             {"\xCE\xBCs", std::chrono::microseconds(1)},
                                             {"ms", milliseconds(1)},
                                             {"s", seconds(1)},
                                             {"m", std::chrono::minutes(1)},
                                             {"h", std::chrono::hours(1)},
                                             {"d", std::chrono::hours(24)}}};

// Nothing but digits, at most 15 of them: nearly every number of a vendor.
std::optional<std::int64_t> ParseDigits(std::string_view text, std::size_t digits_max) {
  if (text.empty() || text.size() > digits_max) return std::nullopt;
  std::int64_t count = 0;
  for (const char c : text) {
    if (!IsDigit(c)) return std::nullopt;
    count = count * 10 + (c - '0');
  }
  return count;
}

// Digits that are seconds whatever the time is: far fewer than a year's, and no epoch.
std::optional<Duration> ParseShortDelay(std::string_view text) {
  const std::optional<std::int64_t> count = ParseDigits(TrimOws(text), 7);
  return count ? std::optional<Duration>(seconds(*count)) : std::nullopt;
}

std::optional<Duration> UntilTimestamp(std::string_view text, SystemTime answered_at) {
  const std::optional<SystemTime> until = ParseTimestamp(text);
  return until ? std::optional(DelayUntil(*until, answered_at)) : std::nullopt;
}

std::optional<Duration> UntilAnyShape(std::string_view text, SystemTime answered_at) {
  if (const auto number = ParseDecimal(text))
    return UntilNumber(*number, ResetForm::kAuto, answered_at);
  if (const auto until = UntilTimestamp(text, answered_at)) return until;
  if (const auto duration = ParseGoDuration(text)) return duration;
  const std::optional<SystemTime> date = http::ParseHttpDate(text, answered_at);
  return date ? std::optional(DelayUntil(*date, answered_at)) : std::nullopt;
}

}  // namespace

std::optional<std::int64_t> ParseQuotaCount(std::string_view text) {
  if (const auto count = ParseDigits(text, 15)) return count;  // Below kQuotaCountMax.
  const std::optional<Decimal> number = ParseDecimal(text);
  return number ? std::optional(std::min(number->whole, kQuotaCountMax)) : std::nullopt;
}

std::optional<std::int64_t> ParseRemaining(std::string_view text) {
  text = TrimOws(text);
  if (!text.starts_with('-')) return ParseQuotaCount(text);
  text.remove_prefix(1);
  const bool is_number = TakeDecimal(text) && text.empty();
  return is_number ? std::optional<std::int64_t>(0) : std::nullopt;
}

std::optional<Duration> ParseDelay(std::string_view text, Duration unit) {
  const std::optional<Decimal> number = ParseDecimal(text);
  return number ? std::optional(Scale(*number, unit)) : std::nullopt;
}

std::optional<SystemTime> ParseTimestamp(std::string_view text) {
  text = TrimOws(text);
  const auto day = ParseDay(text);
  if (!day || text.size() < 11 || (text[10] != 'T' && text[10] != 't')) return std::nullopt;
  text.remove_prefix(11);
  const std::optional<Duration> time = TakeTimeOfDay(text);
  if (!time) return std::nullopt;
  const std::optional<Duration> offset = ParseOffset(text);
  if (!offset) return std::nullopt;
  return SystemTime(*day) + *time - *offset;
}

std::optional<Duration> ParseGoDuration(std::string_view text) {
  constexpr std::size_t kBytesMax = 64;
  text = TrimOws(text);
  if (text == "0") return Duration::zero();
  if (text.empty() || text.size() > kBytesMax) return std::nullopt;
  Duration total = Duration::zero();
  while (!text.empty()) {
    const std::optional<Decimal> number = TakeDecimal(text);
    if (!number) return std::nullopt;
    const auto* const unit = std::find_if(kGoUnits.begin(), kGoUnits.end(), [&](const GoUnit& row) {
      return text.starts_with(row.name);
    });
    if (unit == kGoUnits.end()) return std::nullopt;
    text.remove_prefix(unit->name.size());
    total = std::min(kRetryAfterCap, total + Scale(*number, unit->unit));
  }
  return total;
}

Duration DelayUntil(SystemTime until, SystemTime answered_at) {
  if (until <= answered_at) return Duration::zero();
  // Near the end of the representable times the difference is below the cap, and the sum overflows.
  const bool has_room = answered_at <= SystemTime::max() - kRetryAfterCap;
  if (has_room && until >= answered_at + kRetryAfterCap) return kRetryAfterCap;
  return until - answered_at;
}

std::optional<Duration> ParseReset(std::string_view text, ResetForm form,
                                   FunctionRef<SystemTime()> answered_at) {
  const bool may_be_delay = form == ResetForm::kAuto || form == ResetForm::kDeltaSeconds;
  const std::optional<Duration> delay = may_be_delay ? ParseShortDelay(text) : std::nullopt;
  return delay ? delay : ParseReset(text, form, answered_at());
}

std::optional<Duration> ParseReset(std::string_view text, ResetForm form, SystemTime answered_at) {
  answered_at = std::clamp(answered_at, kClockMin, kClockMax);
  switch (form) {
    case ResetForm::kAuto:
      return UntilAnyShape(text, answered_at);
    case ResetForm::kTimestamp:
      return UntilTimestamp(text, answered_at);
    case ResetForm::kGoDuration:
      return ParseGoDuration(text);
    case ResetForm::kEpochSeconds:
    case ResetForm::kEpochMilliseconds:
    case ResetForm::kDeltaSeconds:
      break;
  }
  const std::optional<Decimal> number = ParseDecimal(text);
  return number ? std::optional(UntilNumber(*number, form, answered_at)) : std::nullopt;
}

}  // namespace understudy
