// Runtime: everything a component needs from the outside world, in one small struct passed
// explicitly.
#pragma once

#include "middleware/runtime/clock.h"
#include "middleware/runtime/event.h"
#include "middleware/runtime/executor.h"
#include "middleware/runtime/logger.h"
#include "middleware/runtime/random.h"

namespace understudy {

// References, never owned: whoever builds the Runtime keeps the parts alive longer than every
// component that got it. There is no global Runtime and no default one. Production:
// platform/system_runtime.h. Simulation: harness/sim.
struct Runtime {
  Clock& clock;
  Executor& executor;
  Random& random;
  Logger& logger;
  EventSink& events;
};

}  // namespace understudy
