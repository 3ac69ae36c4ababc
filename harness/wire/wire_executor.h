// WireExecutor: real threads whose work and waits are known to a WireClock.
#pragma once

#include "harness/wire/wire_clock.h"
#include "middleware/runtime/executor.h"

namespace understudy::harness {

// Thread-safe. Tasks must end before the clock does.
class WireExecutor final : public Executor {
 public:
  explicit WireExecutor(WireClock& clock) : clock_(clock) {}

  Task Spawn(std::string name, std::function<void(std::stop_token)> body) override;

 private:
  WireClock& clock_;
};

}  // namespace understudy::harness
