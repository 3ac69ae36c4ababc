// StderrLogger: one line per message on standard error: "warning retry: gave up after 3 attempts".
#pragma once

#include "middleware/runtime/logger.h"

namespace understudy {

// Thread-safe: a line is one write, so that lines of several threads do not mix. Control characters
// in a message are written as '?', so that nobody can forge a line. A full or closed stream loses
// messages and nothing else.
class StderrLogger final : public Logger {
 public:
  // Drops messages below `level_min`.
  explicit StderrLogger(LogLevel level_min = LogLevel::kInfo) : level_min_(level_min) {}

  void Log(LogLevel level, std::string_view component, std::string_view message) override;

 private:
  LogLevel level_min_;
};

}  // namespace understudy
