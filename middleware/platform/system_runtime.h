// SystemRuntime: everything the middleware needs from a real machine, in one object.
//
//   SystemRuntime system({.log = LogTo::kStderr});
//   CurlTransport transport(system.clock());
//   Component component(system.view(), transport);
#pragma once

#include "middleware/platform/stderr_logger.h"
#include "middleware/platform/system_clock.h"
#include "middleware/platform/system_random.h"
#include "middleware/platform/thread_executor.h"
#include "middleware/runtime/runtime.h"

namespace understudy {

enum class LogTo { kNowhere, kStderr };

struct SystemRuntimeOptions {
  LogTo log = LogTo::kNowhere;
  LogLevel log_level_min = LogLevel::kInfo;
  EventSink* events =
      nullptr;  // Borrowed; must outlive the SystemRuntime. nullptr: events are ignored.
};

// Owns its parts. Keep it alive longer than every component that got its view(). Thread-safe, as
// its parts are.
class SystemRuntime {
 public:
  explicit SystemRuntime(SystemRuntimeOptions options = {});
  SystemRuntime(const SystemRuntime&) = delete;
  SystemRuntime& operator=(const SystemRuntime&) = delete;

  Runtime view() { return Runtime{clock_, executor_, random_, *logger_, *events_}; }
  Clock& clock() { return clock_; }

 private:
  SystemClock clock_;
  ThreadExecutor executor_;
  SystemRandom random_;
  NullLogger null_logger_;
  StderrLogger stderr_logger_;
  NullEventSink null_events_;
  Logger* logger_;
  EventSink* events_;
};

}  // namespace understudy
