// The time that {{now}} writes: a format and an offset, read once from their texts.
//
//   auto format = TimeFormat::Parse("yyyy-MM-dd HH:mm", "-1h30m");
//   format->Write(clock.SystemNow());   // "2026-01-01 10:30", or a number for "unix"
#pragma once

#include <string>
#include <string_view>

#include "middleware/base/result.h"
#include "middleware/base/time.h"

namespace understudy::harness {

// Immutable; thread-safe. Everything is UTC.
class TimeFormat {
 public:
  // `format`: "rfc3339" (also ""), "http" (RFC 9110 section 5.6.7), "unix", "unix-ms", "date", or
  // letters: yyyy yy MM MMM MMMM d dd H HH h hh m mm s ss S.. (1 to 9) a EEE EEEE X XXX Z, with
  // other text in single quotes. `offset`: a sign and numbers with units, "-1h30m", "+3 days",
  // "2 months"; empty for none. kInvalidArgument for anything else.
  static Result<TimeFormat> Parse(std::string_view format, std::string_view offset);

  // Whether it writes a number.
  bool numeric() const { return kind_ == Kind::kUnix || kind_ == Kind::kUnixMs; }
  std::string Write(SystemTime now) const;

 private:
  enum class Kind { kRfc3339, kHttp, kUnix, kUnixMs, kDate, kLetters };

  Kind kind_ = Kind::kRfc3339;
  std::string letters_ = {};
  Duration offset_ = {};
  int months_ = 0;
};

}  // namespace understudy::harness
