// LogSink: writes events to the injected Logger, one structured line each, for people and for log
// collectors.
//
//   LogSink log(logger, clock, {.lines_max = 20});
//
//   info retry: operation=charges.create attempt=2 delay=200ms reason=503 hint=false
//   warning breaker: name=stripe from=closed to=open reason="5 failures in a row"
//
// The component is the name of the event; the message is its fields in logfmt, in the order of the
// publisher. A value is quoted unless it is plain; inside quotes \" \\ \n \r \t and \u00XX stand
// for what they name, and \xNN for a byte that is no UTF-8. No control character passes, so nobody
// can forge a line or steer a terminal through a field.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "middleware/base/problems.h"
#include "middleware/runtime/clock.h"
#include "middleware/runtime/event.h"
#include "middleware/runtime/logger.h"

namespace understudy {

struct LogSinkOptions {
  // Less important events are not written. kDebug shows the start and end of every call.
  LogLevel level_min = LogLevel::kInfo;
  // At most so many lines per event name and `per`, so that an outage does not fill the disk; the
  // next line that is written says how many were not ("suppressed=812"). 0: no bound.
  int lines_max = 0;  // 0 to 1,000,000
  Duration per = std::chrono::seconds(1);
};

Problems FindProblems(const LogSinkOptions& options);

// How important an event is:
//
//   warning   a breaker that opens, or would have, or that an operator switched; a fallback or
//             failover; a passed deadline; what a rate limit, a quota or a bulkhead refused, a
//             budget denied or the vendor throttled; a token refresh that failed; a webhook that
//             was not accepted or not processed; a call that ended with an error or a 5xx
//   info      retry; waits; other transitions of a breaker; a 4xx; a call served by a fallback; a
//             cache that stood in for a failure; webhooks; an event that is not known here
//   debug     "call.start", and "call.end" with ok; cache; hedge; the start of a token refresh
LogLevel LevelOf(std::string_view event, std::span<const Field> fields);

// The message: "key=value key=value". At most kLogLineBytesMax bytes; a value is cut at
// kLogValueBytesMax source bytes, which "..." at its end says, and fields that no longer fit are
// left out, which "truncated=true" says.
inline constexpr std::size_t kLogValueBytesMax = 256;
inline constexpr std::size_t kLogLineBytesMax = 2048;
std::string FormatLogfmt(std::span<const Field> fields);

// Thread-safe. Blocks as long as its logger does, which is at most for a write to a local file, and
// calls it without a lock. The logger and the clock must outlive this.
class LogSink final : public EventSink {
 public:
  // `options` without problems; aborts otherwise.
  LogSink(Logger& logger, Clock& clock, const LogSinkOptions& options = {});
  LogSink(const LogSink&) = delete;
  LogSink& operator=(const LogSink&) = delete;

  using EventSink::Publish;
  void Publish(std::string_view name, std::span<const Field> fields) noexcept override;

 private:
  struct Window {
    TimePoint begin = {};
    int lines = 0;
    std::uint64_t suppressed = 0;
  };

  // How many lines were suppressed since the last one; nullopt if this one must be as well.
  std::optional<std::uint64_t> Admit(std::string_view component);

  // Names with a bound of their own; further ones share one.
  static constexpr std::size_t kWindowsMax = 64;

  Logger& logger_;
  Clock& clock_;
  const LogSinkOptions options_;
  // Not a Mutex: publishing an event is no switching point of the simulator (ADR 0005).
  std::mutex windows_mutex_;
  std::map<std::string, Window, std::less<>> windows_;  // Under windows_mutex_.
};

}  // namespace understudy
