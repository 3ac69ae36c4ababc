// Logger: where diagnostics for people go. Injected; the middleware writes to no stream of its own.
#pragma once

#include <string_view>

namespace understudy {

enum class LogLevel { kDebug, kInfo, kWarning, kError };

std::string_view ToString(LogLevel level);

// Implementations are thread-safe and do not block for I/O longer than a write to a local file.
class Logger {
 public:
  virtual ~Logger() = default;
  // `component` is a stable short name ("retry"); `message` is one line without secrets.
  virtual void Log(LogLevel level, std::string_view component, std::string_view message) = 0;
};

// Discards everything.
class NullLogger final : public Logger {
 public:
  void Log(LogLevel, std::string_view, std::string_view) override {}
};

}  // namespace understudy
