#include "middleware/http/retry_after.h"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <string_view>

#include "middleware/base/text.h"
#include "middleware/http/date.h"

namespace understudy {
namespace {

// `text` units, saturating at `cap`; nullopt if it is not a plain decimal number.
std::optional<Duration> ParseCount(std::string_view text, Duration unit, Duration cap) {
  const std::string_view digits = TrimOws(text);
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  if (digits.empty() || !std::all_of(digits.begin(), digits.end(), is_digit)) return std::nullopt;
  const std::uint64_t count = ParseUnsigned(digits).value_or(
      std::numeric_limits<std::uint64_t>::max());  // Too long for 64 bits.
  if (count >= static_cast<std::uint64_t>(cap / unit)) return cap;
  return unit * static_cast<Duration::rep>(count);
}

std::optional<Duration> ParseDate(std::string_view text, SystemTime base, Duration cap) {
  const std::optional<SystemTime> date = http::ParseHttpDate(TrimOws(text), base);
  if (!date) return std::nullopt;
  if (*date <= base) return Duration::zero();
  // The earliest and the latest date are five centuries apart, and a Duration holds less than
  // three.
  if (base <= SystemTime::max() - cap && *date >= base + cap) return cap;
  return *date - base;
}

void KeepLonger(std::optional<Duration>& longest, std::optional<Duration> candidate) {
  if (candidate && (!longest || *candidate > *longest)) longest = candidate;
}

}  // namespace

std::optional<Duration> ParseRetryAfter(const http::Headers& headers, SystemTime now,
                                        Duration cap) {
  SystemTime base = now;
  if (const std::optional<std::string_view> date = headers.Get("Date")) {
    base = http::ParseHttpDate(TrimOws(*date), now).value_or(now);
  }
  std::optional<Duration> longest;
  for (const std::string_view value : headers.GetAll("Retry-After")) {
    const std::optional<Duration> seconds = ParseCount(value, std::chrono::seconds(1), cap);
    KeepLonger(longest, seconds ? seconds : ParseDate(value, base, cap));
  }
  for (const std::string_view value : headers.GetAll("Retry-After-Ms")) {
    KeepLonger(longest, ParseCount(value, std::chrono::milliseconds(1), cap));
  }
  return longest;
}

}  // namespace understudy
