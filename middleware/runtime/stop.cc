#include "middleware/runtime/stop.h"

#include "middleware/base/mutex.h"

namespace understudy {

void RequestStop(std::stop_source& source) {
  SchedulerHook* const hook = SetSchedulerHook(nullptr);
  source.request_stop();
  SetSchedulerHook(hook);
}

}  // namespace understudy
