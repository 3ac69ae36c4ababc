// ThreadExecutor: the Executor of production: one operating-system thread per task.
//
//   ThreadExecutor executor;
//   Task worker = executor.Spawn("webhook worker", [&](std::stop_token stop) { Run(stop); });
#pragma once

#include <functional>
#include <stop_token>
#include <string>

#include "middleware/runtime/executor.h"

namespace understudy {

// Thread-safe and stateless: tasks may outlive it. The first 15 bytes of the name label the thread
// in debuggers and `top -H` (Linux keeps no more). Aborts if the system has no thread left: the
// middleware starts a fixed, small number of tasks and cannot work without them.
class ThreadExecutor final : public Executor {
 public:
  Task Spawn(std::string name, std::function<void(std::stop_token)> body) override;
};

}  // namespace understudy
