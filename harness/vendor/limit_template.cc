#include "harness/vendor/limit_template.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <optional>
#include <utility>

#include "middleware/base/text.h"
#include "middleware/http/date.h"

namespace understudy::harness {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// At least one digit behind the point: "2.0", "64.57".
std::string Thousandths(std::int64_t thousandths) {
  std::string fraction = std::to_string(1000 + thousandths % 1000).substr(1);
  while (fraction.size() > 1 && fraction.back() == '0') fraction.pop_back();
  return std::to_string(thousandths / 1000) + "." + fraction;
}

std::int64_t MillisecondsOf(Duration delay) {
  return std::chrono::ceil<milliseconds>(std::max(delay, Duration::zero())).count();
}

// As Go's Duration.String writes it: "0s", "20ms", "1.5s", "6m0s", "1h0m0s".
std::string GoDuration(std::int64_t total_ms) {
  if (total_ms == 0) return "0s";
  if (total_ms < 1000) return std::to_string(total_ms) + "ms";
  const std::int64_t minutes = total_ms / 60'000;
  std::string text;
  if (minutes >= 60) text = std::to_string(minutes / 60) + "h";
  if (minutes > 0) text += std::to_string(minutes % 60) + "m";
  const std::int64_t rest = total_ms % 60'000;
  return text + (rest % 1000 == 0 ? std::to_string(rest / 1000) : Thousandths(rest)) + "s";
}

// protobuf's JSON mapping of a Duration: no fraction, or three digits of it.
std::string ProtobufDuration(std::int64_t total_ms) {
  std::string text = std::to_string(total_ms / 1000);
  if (total_ms % 1000 != 0) text += "." + std::to_string(1000 + total_ms % 1000).substr(1);
  return text + "s";
}

std::string Padded(std::int64_t number, std::size_t digits) {
  const std::string text = std::to_string(number);
  return std::string(digits - std::min(digits, text.size()), '0') + text;
}

std::string DateAndMinute(SystemTime at) {
  const auto day = std::chrono::floor<std::chrono::days>(at);
  const std::chrono::year_month_day date(day);
  const auto minutes = std::chrono::floor<std::chrono::minutes>(at - day).count();
  return Padded(int{date.year()}, 4) + "-" + Padded(static_cast<unsigned>(date.month()), 2) + "-" +
         Padded(static_cast<unsigned>(date.day()), 2) + "T" + Padded(minutes / 60, 2) + ":" +
         Padded(minutes % 60, 2);
}

std::string Rfc3339(SystemTime at) {
  const auto second = std::chrono::ceil<seconds>(at);
  const std::int64_t count = second.time_since_epoch().count();
  return DateAndMinute(second) + ":" + Padded((count % 60 + 60) % 60, 2) + "Z";
}

// FNV-1a: the same on every machine, unlike std::hash.
std::uint64_t Mix(std::uint64_t hash, std::string_view text) {
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 1'099'511'628'211U;
  return (hash ^ 0xFFU) * 1'099'511'628'211U;
}

std::string Bucket(const LimitReading& reading) {
  std::uint64_t hash = Mix(Mix(14'695'981'039'346'656'037U, reading.id), reading.route);
  std::string bytes;
  for (int i = 0; i < 8; ++i, hash >>= 8U) bytes += static_cast<char>(hash & 0xFFU);
  return HexEncode(bytes);
}

std::string RestoreRate(const LimitReading& reading) {
  if (reading.window <= Duration::zero()) return "0.0";
  __extension__ using Wide = __int128;
  const Wide thousandths = Wide{reading.limit} * 1'000'000'000'000 / reading.window.count();
  constexpr Wide kMax = 1'000'000'000'000'000;
  return Thousandths(static_cast<std::int64_t>(std::min(thousandths, kMax)));
}

Error Bad(const std::string& what) { return InvalidArgument(what); }

std::string Suggestion(std::string_view word, const std::vector<std::string_view>& known) {
  const std::string_view close = ClosestMatch(word, known);
  if (!close.empty()) return "; did you mean \"" + std::string(close) + "\"?";
  std::string text = "; there are";
  for (const std::string_view name : known) text.append(" ").append(name);
  return text;
}

}  // namespace

struct LimitTemplate::PlaceName {
  std::string_view name;
  Place place;
};

struct LimitTemplate::FormName {
  std::string_view name;
  Form form;
};

Result<LimitTemplate::Piece> LimitTemplate::CompilePlace(std::string_view inner) {
  static constexpr std::array<PlaceName, 12> kPlaces = {{{"limit", Place::kLimit},
                                                         {"remaining", Place::kRemaining},
                                                         {"used", Place::kUsed},
                                                         {"cost", Place::kCost},
                                                         {"restore-rate", Place::kRestoreRate},
                                                         {"id", Place::kId},
                                                         {"route", Place::kRoute},
                                                         {"bucket", Place::kBucket},
                                                         {"near", Place::kNear},
                                                         {"reset", Place::kReset},
                                                         {"retry-after", Place::kRetryAfter},
                                                         {"window", Place::kWindow}}};
  static constexpr std::array<FormName, 11> kForms = {{{"s", Form::kSeconds},
                                                       {"s-float", Form::kSecondsFloat},
                                                       {"ms", Form::kMilliseconds},
                                                       {"go", Form::kGo},
                                                       {"protobuf", Form::kProtobuf},
                                                       {"epoch-s", Form::kEpochSeconds},
                                                       {"epoch-float", Form::kEpochFloat},
                                                       {"epoch-ms", Form::kEpochMilliseconds},
                                                       {"rfc3339", Form::kRfc3339},
                                                       {"iso-minutes", Form::kIsoMinutes},
                                                       {"http-date", Form::kHttpDate}}};
  const std::size_t colon = inner.find(':');
  const std::string_view name = inner.substr(0, colon);
  const std::string shown = "\"{" + std::string(inner.substr(0, 64)) + "}\"";
  const auto place = std::find_if(kPlaces.begin(), kPlaces.end(),
                                  [&](const PlaceName& row) { return row.name == name; });
  if (place == kPlaces.end()) {
    std::vector<std::string_view> names;
    for (const PlaceName& row : kPlaces) names.push_back(row.name);
    return Bad(shown + " is no place that can be filled in" + Suggestion(name, names) +
               " (a brace itself is written twice)");
  }
  Piece piece{.place = place->place};
  if (colon == std::string_view::npos) return piece;
  const bool is_time = place->place == Place::kReset || place->place == Place::kRetryAfter ||
                       place->place == Place::kWindow;
  if (!is_time) return Bad(shown + ": only reset, retry-after and window have a form");
  const std::string_view form_name = inner.substr(colon + 1);
  const auto form = std::find_if(kForms.begin(), kForms.end(),
                                 [&](const FormName& row) { return row.name == form_name; });
  if (form == kForms.end()) {
    std::vector<std::string_view> names;
    for (const FormName& row : kForms) names.push_back(row.name);
    return Bad(shown + " has an unknown form" + Suggestion(form_name, names));
  }
  if (place->place == Place::kWindow && form->form >= Form::kEpochSeconds) {
    return Bad(shown + ": a window is a length; it has s, s-float, ms, go or protobuf");
  }
  piece.form = form->form;
  return piece;
}

Result<LimitTemplate> LimitTemplate::Compile(std::string_view text) {
  if (text.size() > kTextMax) {
    return Bad("the text has " + std::to_string(text.size()) + " bytes; at most " +
               std::to_string(kTextMax) + " are allowed");
  }
  LimitTemplate compiled;
  std::string literal;
  const auto flush = [&] {
    if (!literal.empty()) compiled.pieces_.push_back({.text = std::exchange(literal, {})});
  };
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c != '{' && c != '}') {
      literal += c;
      continue;
    }
    if (i + 1 < text.size() && text[i + 1] == c) {
      literal += c;
      ++i;
      continue;
    }
    const std::size_t end = c == '{' ? text.find('}', i) : std::string_view::npos;
    if (end == std::string_view::npos) {
      return Bad("a \"" + std::string(1, c) + "\" without its partner; a brace itself is \"" +
                 std::string(2, c) + "\"");
    }
    UNDERSTUDY_ASSIGN_OR_RETURN(Piece piece, CompilePlace(text.substr(i + 1, end - i - 1)));
    flush();
    compiled.pieces_.push_back(std::move(piece));
    i = end;
  }
  flush();
  return compiled;
}

bool LimitTemplate::IsNumber() const {
  if (pieces_.size() != 1) return false;
  switch (pieces_.front().place) {
    case Place::kText:
    case Place::kId:
    case Place::kRoute:
    case Place::kBucket:
    case Place::kNear:
      return false;
    case Place::kLimit:
    case Place::kRemaining:
    case Place::kUsed:
    case Place::kCost:
    case Place::kRestoreRate:
      return true;
    case Place::kReset:
    case Place::kRetryAfter:
    case Place::kWindow:
      break;
  }
  switch (pieces_.front().form) {
    case Form::kGo:
    case Form::kProtobuf:
    case Form::kRfc3339:
    case Form::kIsoMinutes:
    case Form::kHttpDate:
      return false;
    default:
      return true;
  }
}

std::string LimitTemplate::Render(const LimitReading& reading) const {
  std::string text;
  for (const Piece& piece : pieces_) {
    if (piece.place == Place::kText) {
      text += piece.text;
    } else if (piece.place >= Place::kReset) {
      text += Time(piece.place, piece.form, reading);
    } else {
      text += Number(piece.place, reading);
    }
  }
  return text;
}

std::string LimitTemplate::Number(Place place, const LimitReading& reading) {
  switch (place) {
    case Place::kLimit:
      return std::to_string(reading.limit);
    case Place::kRemaining:
      return std::to_string(reading.remaining);
    case Place::kUsed:
      return std::to_string(reading.limit - reading.remaining);
    case Place::kCost:
      return std::to_string(reading.cost);
    case Place::kRestoreRate:
      return RestoreRate(reading);
    case Place::kId:
      return std::string(reading.id);
    case Place::kRoute:
      return std::string(reading.route);
    case Place::kBucket:
      return Bucket(reading);
    case Place::kNear:
      return reading.remaining < reading.limit / 5 || reading.remaining == 0 ? "true" : "false";
    default:
      return {};
  }
}

std::string LimitTemplate::Time(Place place, Form form, const LimitReading& reading) {
  if (place == Place::kWindow) return Delay(form, reading.window);
  const Duration delay = place == Place::kReset ? reading.reset_after : reading.retry_after;
  if (form < Form::kEpochSeconds) return Delay(form, delay);
  return Moment(form, SaturatingAdd(reading.now, delay));
}

std::string LimitTemplate::Delay(Form form, Duration delay) {
  const std::int64_t ms = MillisecondsOf(delay);
  switch (form) {
    case Form::kSecondsFloat:
      return Thousandths(ms);
    case Form::kMilliseconds:
      return std::to_string(ms);
    case Form::kGo:
      return GoDuration(ms);
    case Form::kProtobuf:
      return ProtobufDuration(ms);
    default:
      return std::to_string(std::chrono::ceil<seconds>(std::max(delay, Duration::zero())).count());
  }
}

std::string LimitTemplate::Moment(Form form, SystemTime at) {
  // A vendor's clock is never before 1970, and the forms have no sign; a century from the end of
  // the clock there is room to round up.
  at = std::clamp(at, SystemTime(),
                  SystemTime(std::chrono::sys_days(std::chrono::year(2200) / 1 / 1)));
  switch (form) {
    case Form::kEpochFloat:
      return Thousandths(MillisecondsOf(at.time_since_epoch()));
    case Form::kEpochMilliseconds:
      return std::to_string(MillisecondsOf(at.time_since_epoch()));
    case Form::kRfc3339:
      return Rfc3339(at);
    case Form::kIsoMinutes:
      return DateAndMinute(std::chrono::ceil<std::chrono::minutes>(at)) + "Z";
    case Form::kHttpDate:
      return http::FormatHttpDate(std::chrono::ceil<seconds>(at));
    default:
      return std::to_string(std::chrono::ceil<seconds>(at.time_since_epoch()).count());
  }
}

}  // namespace understudy::harness
