// World: where a scenario takes place. One interface, two worlds: simulated (virtual time, in
// memory) and wire (real threads and sockets). Nothing above this line knows which one it is in.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "harness/plan/response_plan.h"
#include "harness/scenario/history.h"
#include "harness/sim/schedule.h"
#include "harness/sim/worker_pool.h"
#include "middleware/base/function_ref.h"
#include "middleware/http/transport.h"
#include "middleware/runtime/crypto.h"
#include "middleware/runtime/runtime.h"

namespace understudy::harness {

enum class WorldEnd { kFinished, kDeadlock, kTimeLimit, kStalled, kRuleBroken };

struct WorldReport {
  WorldEnd end = WorldEnd::kFinished;
  std::string detail = {};     // who waits for what; empty if finished
  Duration virtual_time = {};  // how long the run took on its own clock
  StepCounts steps = {};       // simulated runs only: for the schedulers of later seeds
};

// Clients and vendors live in one world; hosts must outlive Run.
class World {
 public:
  virtual ~World() = default;

  virtual std::string_view mode() const = 0;  // "sim" or "wire"
  virtual Clock& clock() = 0;
  virtual Executor& executor() = 0;
  virtual Random& random() = 0;
  virtual const Crypto& crypto() = 0;
  virtual History& history() = 0;
  // Carries requests to whatever is hosted. Adds the correlation header itself.
  virtual http::Transport& network() = 0;

  // Hosts a vendor (decides at once) and returns its origin, e.g. "http://127.0.0.1:40123".
  virtual Result<std::string> HostVendor(std::string_view name, PlannedHandler& vendor) = 0;
  // Hosts an application's server, which may block in its handler.
  virtual Result<std::string> HostApplication(std::string_view name,
                                              PlannedHandler& application) = 0;

  // Runs `main` as an actor until it returns and everything it spawned has ended. Call once.
  virtual WorldReport Run(FunctionRef<void()> main) = 0;

  // After Run: takes every host off the network. Returns when none of their handlers is called any
  // more.
  virtual void StopHosting() = 0;
};

struct SimWorldOptions {
  std::uint64_t seed = 0;  // 0 is the benign run
  Scheduler scheduler = Scheduler::kRandom;
  int preemptions_max = 3;
  StepCounts expected_steps = {};
  SystemTime start = {};
  Duration limit = std::chrono::hours(24 * 365);
};
std::unique_ptr<World> MakeSimWorld(SimWorldOptions options, const Crypto& crypto,
                                    WorkerPool& pool);

struct WireWorldOptions {
  std::uint64_t seed = 0;  // of the drawn latencies; schedules are the operating system's
  bool skip_idle_time = true;
  SystemTime start = {};
  Duration limit = std::chrono::hours(24 * 365);
};
std::unique_ptr<World> MakeWireWorld(WireWorldOptions options, const Crypto& crypto);

}  // namespace understudy::harness
