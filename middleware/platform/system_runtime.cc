#include "middleware/platform/system_runtime.h"

namespace understudy {

SystemRuntime::SystemRuntime(SystemRuntimeOptions options)
    : stderr_logger_(options.log_level_min), logger_(&null_logger_), events_(&null_events_) {
  if (options.log == LogTo::kStderr) logger_ = &stderr_logger_;
  if (options.events != nullptr) events_ = options.events;
}

}  // namespace understudy
