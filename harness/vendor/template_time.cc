#include "harness/vendor/template_time.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <optional>

#include "middleware/base/iso_time.h"
#include "middleware/base/text.h"
#include "middleware/http/date.h"

namespace understudy::harness {
namespace {

using std::chrono::days;
using std::chrono::sys_days;

constexpr std::array<std::string_view, 12> kMonths = {
    "January", "February", "March",     "April",   "May",      "June",
    "July",    "August",   "September", "October", "November", "December"};
constexpr std::array<std::string_view, 7> kWeekdays = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                                       "Thursday", "Friday", "Saturday"};
constexpr std::string_view kLetterSet = "yMdHhmsSaEXZ";
// An offset beyond this many units is a mistake, and would overflow.
constexpr std::uint64_t kOffsetMax = 1'000'000'000;

bool IsLetter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

std::string Padded(std::int64_t value, std::size_t width) {
  std::string digits = std::to_string(value);
  return digits.size() >= width ? digits : std::string(width - digits.size(), '0') + digits;
}

struct Unit {
  std::string_view name;
  Duration length;
  int months;
};
constexpr Unit kUnits[] = {
    {"ms", std::chrono::milliseconds(1), 0}, {"s", std::chrono::seconds(1), 0},
    {"m", std::chrono::minutes(1), 0},       {"h", std::chrono::hours(1), 0},
    {"d", std::chrono::hours(24), 0},        {"second", std::chrono::seconds(1), 0},
    {"minute", std::chrono::minutes(1), 0},  {"hour", std::chrono::hours(1), 0},
    {"day", std::chrono::hours(24), 0},      {"week", std::chrono::hours(24 * 7), 0},
    {"month", Duration::zero(), 1},          {"year", Duration::zero(), 12},
};

const Unit* FindUnit(std::string_view name) {
  if (name.size() > 2 && name.back() == 's') name.remove_suffix(1);
  const auto* const found = std::find_if(std::begin(kUnits), std::end(kUnits),
                                         [&](const Unit& unit) { return unit.name == name; });
  return found == std::end(kUnits) ? nullptr : found;
}

struct Offset {
  Duration duration = {};
  int months = 0;
};

std::string_view TakeWhile(std::string_view& text, bool (*wanted)(char)) {
  std::size_t end = 0;
  while (end < text.size() && wanted(text[end])) ++end;
  const std::string_view taken = text.substr(0, end);
  text.remove_prefix(end);
  return taken;
}

Result<Offset> ParseOffset(std::string_view text) {
  const auto bad = [text] {
    return InvalidArgument("\"" + std::string(text) +
                           "\" is no offset; write e.g. '-1h30m' or '3 days'");
  };
  std::string_view rest = TrimOws(text);
  if (rest.empty()) return Offset{};
  int sign = 1;
  if (rest.front() == '-' || rest.front() == '+') {
    sign = rest.front() == '-' ? -1 : 1;
    rest.remove_prefix(1);
  }
  Offset offset;
  rest = TrimOws(rest);
  if (rest.empty()) return bad();
  while (!rest.empty()) {
    const auto number = ParseUnsigned(TakeWhile(rest, [](char c) { return c >= '0' && c <= '9'; }));
    rest = TrimOws(rest);
    const Unit* const unit = FindUnit(TakeWhile(rest, IsLetter));
    rest = TrimOws(rest);
    if (!number || *number > kOffsetMax || unit == nullptr) return bad();
    const auto count = static_cast<std::int64_t>(*number) * sign;
    if (unit->months != 0) {
      if (*number > 12'000) return bad();
      offset.months += static_cast<int>(count) * unit->months;
      if (offset.months > 144'000 || offset.months < -144'000) return bad();
    } else {
      if (count != 0 && unit->length > Duration::max() / (count < 0 ? -count : count)) return bad();
      offset.duration = SaturatingAdd(offset.duration, unit->length * count);
    }
  }
  return offset;
}

// The run of equal letters at the front of `letters`, or a quoted text ('' is a quote).
struct Run {
  char letter = 0;  // 0 for text.
  std::size_t count = 0;
  std::string text = {};
};

// nullopt for a quote that is not closed.
std::optional<Run> TakeRun(std::string_view& letters) {
  Run run;
  if (letters.front() == '\'') {
    letters.remove_prefix(1);
    if (letters.starts_with('\'')) {
      letters.remove_prefix(1);
      run.text = "'";
      return run;
    }
    for (;;) {
      const std::size_t end = letters.find('\'');
      if (end == std::string_view::npos) return std::nullopt;
      run.text.append(letters.substr(0, end));
      letters.remove_prefix(end + 1);
      if (!letters.starts_with('\'')) return run;
      run.text.push_back('\'');
      letters.remove_prefix(1);
    }
  }
  if (!IsLetter(letters.front())) {
    run.text.assign(letters.substr(0, 1));
    letters.remove_prefix(1);
    return run;
  }
  run.letter = letters.front();
  while (letters.starts_with(run.letter)) {
    ++run.count;
    letters.remove_prefix(1);
  }
  return run;
}

Result<void> CheckLetters(std::string_view format) {
  for (std::string_view rest = format; !rest.empty();) {
    const auto run = TakeRun(rest);
    if (!run) return InvalidArgument("the format has a quote ' that is not closed");
    if (run->letter == 0) continue;
    if (kLetterSet.find(run->letter) == std::string_view::npos || run->count > 9) {
      return InvalidArgument("the format has \"" + std::string(run->count, run->letter) +
                             "\", which stands for nothing; put text in single quotes, and use "
                             "letters as in yyyy-MM-dd HH:mm:ss.SSS, or one of rfc3339, http, "
                             "unix, unix-ms, date");
    }
  }
  return {};
}

// A time taken apart.
struct Parts {
  std::chrono::year_month_day date;
  std::chrono::hh_mm_ss<Duration> time;
  unsigned weekday = 0;

  explicit Parts(SystemTime at)
      : date(std::chrono::floor<days>(at)),
        time(at - std::chrono::floor<days>(at)),
        weekday(std::chrono::weekday(std::chrono::floor<days>(at)).c_encoding()) {}
};

std::string WriteRun(const Run& run, const Parts& parts) {
  const std::int64_t hour = parts.time.hours().count();
  const unsigned month = static_cast<unsigned>(parts.date.month());
  switch (run.letter) {
    case 'y': {
      const int year = static_cast<int>(parts.date.year());
      return run.count == 2 ? Padded(year % 100, 2) : Padded(year, run.count);
    }
    case 'M':
      if (run.count >= 4) return std::string(kMonths[month - 1]);
      if (run.count == 3) return std::string(kMonths[month - 1].substr(0, 3));
      return Padded(month, run.count);
    case 'd':
      return Padded(static_cast<unsigned>(parts.date.day()), run.count);
    case 'H':
      return Padded(hour, run.count);
    case 'h':
      return Padded(hour % 12 == 0 ? 12 : hour % 12, run.count);
    case 'm':
      return Padded(parts.time.minutes().count(), run.count);
    case 's':
      return Padded(parts.time.seconds().count(), run.count);
    case 'S':
      return Padded(parts.time.subseconds().count(), 9).substr(0, run.count);
    case 'a':
      return hour < 12 ? "AM" : "PM";
    case 'E': {
      const std::string_view name = kWeekdays[parts.weekday];
      return std::string(run.count >= 4 ? name : name.substr(0, 3));
    }
    case 'X':
      return "Z";
    case 'Z':
      return "+0000";
    default:
      return run.text;
  }
}

std::string WriteLetters(std::string_view letters, SystemTime at) {
  const Parts parts(at);
  std::string text;
  while (!letters.empty()) {
    const auto run = TakeRun(letters);
    if (!run) return text;
    text += WriteRun(*run, parts);
  }
  return text;
}

// Well inside of what a SystemTime can tell.
SystemTime Clamped(std::chrono::sys_days day) {
  return std::clamp(day, sys_days(std::chrono::year(1700) / 1 / 1),
                    sys_days(std::chrono::year(2250) / 1 / 1));
}

// The same day of the month, or the last one of a shorter month.
SystemTime AddMonths(SystemTime at, int months) {
  if (months == 0) return at;
  const auto day = std::chrono::floor<days>(at);
  std::chrono::year_month_day date = day;
  date += std::chrono::months(months);
  if (!date.ok()) date = date.year() / date.month() / std::chrono::last;
  return Clamped(sys_days(date)) + (at - day);
}

}  // namespace

Result<TimeFormat> TimeFormat::Parse(std::string_view format, std::string_view offset) {
  TimeFormat time;
  UNDERSTUDY_ASSIGN_OR_RETURN(const Offset parsed, ParseOffset(offset));
  time.offset_ = parsed.duration;
  time.months_ = parsed.months;
  if (format.empty() || format == "rfc3339") return time;
  if (format == "http") {
    time.kind_ = Kind::kHttp;
  } else if (format == "unix") {
    time.kind_ = Kind::kUnix;
  } else if (format == "unix-ms") {
    time.kind_ = Kind::kUnixMs;
  } else if (format == "date") {
    time.kind_ = Kind::kDate;
  } else {
    UNDERSTUDY_RETURN_IF_ERROR(CheckLetters(format));
    time.kind_ = Kind::kLetters;
    time.letters_ = std::string(format);
  }
  return time;
}

std::string TimeFormat::Write(SystemTime now) const {
  const SystemTime at =
      std::clamp(SaturatingAdd(AddMonths(now, months_), offset_),
                 Clamped(std::chrono::sys_days::min()), Clamped(std::chrono::sys_days::max()));
  switch (kind_) {
    case Kind::kRfc3339:
      return FormatIsoInstant(at, 0);
    case Kind::kHttp:
      return http::FormatHttpDate(at);
    case Kind::kUnix:
      return std::to_string(
          std::chrono::floor<std::chrono::seconds>(at.time_since_epoch()).count());
    case Kind::kUnixMs:
      return std::to_string(
          std::chrono::floor<std::chrono::milliseconds>(at.time_since_epoch()).count());
    case Kind::kDate:
      return FormatIsoDate(std::chrono::year_month_day(std::chrono::floor<days>(at)));
    case Kind::kLetters:
      return WriteLetters(letters_, at);
  }
  return {};
}

}  // namespace understudy::harness
