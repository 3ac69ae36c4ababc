// Fuzz target: any bytes as HTTP dates and as Retry-After: the first line is the Date of an answer,
// the others its Retry-After fields, or retry-after-ms if they start with "ms ". Nothing may crash;
// a wait is never negative and never above its cap, and a date that was read is written as itself.
//
//   clang++ -std=c++20 -fsanitize=fuzzer,address,undefined ... && ./retry_after_fuzz corpus/
#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "middleware/base/text.h"
#include "middleware/http/date.h"
#include "middleware/http/headers.h"
#include "middleware/http/retry_after.h"

namespace {

using understudy::Duration;
using understudy::kRetryAfterCap;
using understudy::ParseRetryAfter;
using understudy::Split;
using understudy::SystemTime;
using understudy::http::FormatHttpDate;
using understudy::http::Headers;
using understudy::http::ParseHttpDate;

constexpr SystemTime kNow = SystemTime(std::chrono::seconds(1'700'000'000));

void Require(bool condition) {
  if (!condition) std::abort();
}

void CheckDate(std::string_view text) {
  const std::optional<SystemTime> date = ParseHttpDate(text, kNow);
  // A leap second at the end of the last year leads into one that is not read.
  if (!date || *date >= SystemTime(std::chrono::sys_days(std::chrono::year(2201) / 1 / 1))) return;
  Require(ParseHttpDate(FormatHttpDate(*date), kNow) == date);
}

// False if the field cannot exist: CR, LF or NUL in it.
bool AddLine(std::string_view line, bool is_date, Headers& headers) {
  if (is_date) return headers.Add("Date", line).has_value();
  if (line.starts_with("ms ")) return headers.Add("retry-after-ms", line.substr(3)).has_value();
  return headers.Add("Retry-After", line).has_value();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  Headers headers;
  bool is_date = true;
  for (const std::string_view line : Split(text, '\n')) {
    CheckDate(line);
    if (!AddLine(line, is_date, headers)) return 0;
    is_date = false;
  }
  const std::optional<Duration> wait = ParseRetryAfter(headers, kNow);
  constexpr Duration kShortCap = std::chrono::seconds(60);
  const std::optional<Duration> capped = ParseRetryAfter(headers, kNow, kShortCap);
  Require(wait.has_value() == capped.has_value());
  if (!wait) return 0;
  Require(*wait >= Duration::zero() && *wait <= kRetryAfterCap);
  Require(*capped == std::min(*wait, kShortCap));
  return 0;
}
