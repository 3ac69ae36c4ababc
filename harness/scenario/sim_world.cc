#include <utility>

#include "harness/plan/seeded_random.h"
#include "harness/scenario/correlating_transport.h"
#include "harness/scenario/world.h"
#include "harness/sim/sim_network.h"
#include "harness/sim/simulation.h"

namespace understudy::harness {
namespace {

SimulationOptions ToSimulation(const SimWorldOptions& options) {
  return {.seed = options.seed,
          .scheduler = options.scheduler,
          .preemptions_max = options.preemptions_max,
          .expected_steps = options.expected_steps,
          .start = options.start,
          .limit = options.limit};
}

WorldEnd ToWorldEnd(SimulationEnd end) {
  switch (end) {
    case SimulationEnd::kFinished:
      return WorldEnd::kFinished;
    case SimulationEnd::kDeadlock:
      return WorldEnd::kDeadlock;
    case SimulationEnd::kTimeLimit:
      return WorldEnd::kTimeLimit;
    case SimulationEnd::kLivelock:
      return WorldEnd::kStalled;
    case SimulationEnd::kHeldMutex:
      return WorldEnd::kRuleBroken;
  }
  return WorldEnd::kStalled;
}

class SimWorld final : public World {
 public:
  SimWorld(SimWorldOptions options, const Crypto& crypto, WorkerPool& pool)
      : crypto_(crypto),
        simulation_(ToSimulation(options), pool),
        random_(options.seed),
        history_(simulation_.clock()),
        network_(simulation_),
        correlating_(network_) {}

  std::string_view mode() const override { return "sim"; }
  Clock& clock() override { return simulation_.clock(); }
  Executor& executor() override { return simulation_.executor(); }
  Random& random() override { return random_; }
  const Crypto& crypto() override { return crypto_; }
  History& history() override { return history_; }
  http::Transport& network() override { return correlating_; }

  Result<std::string> HostVendor(std::string_view name, PlannedHandler& vendor) override {
    std::string origin = Origin(name);
    network_.Listen(origin, vendor);
    return origin;
  }

  Result<std::string> HostApplication(std::string_view name, PlannedHandler& application) override {
    std::string origin = Origin(name);
    network_.ListenBlocking(origin, application, std::string(name));
    return origin;
  }

  WorldReport Run(FunctionRef<void()> main) override {
    SimulationReport report = simulation_.Run(main);
    return {.end = ToWorldEnd(report.end),
            .detail = std::move(report.detail),
            .virtual_time = report.ended_at.time_since_epoch(),
            .steps = std::move(report.steps)};
  }

  void StopHosting() override {}  // Nothing runs outside Run.

 private:
  // Names of vendors may hold characters that a host name may not.
  std::string Origin(std::string_view name) {
    std::string host;
    for (const char c : name) {
      const bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
      host.push_back(plain ? c : '-');
    }
    return "http://" + host + "-" + std::to_string(++hosts_) + ".localhost";
  }

  const Crypto& crypto_;
  Simulation simulation_;
  SeededRandom random_;
  History history_;
  SimNetwork network_;
  CorrelatingTransport correlating_;
  int hosts_ = 0;
};

}  // namespace

std::unique_ptr<World> MakeSimWorld(SimWorldOptions options, const Crypto& crypto,
                                    WorkerPool& pool) {
  return std::make_unique<SimWorld>(std::move(options), crypto, pool);
}

}  // namespace understudy::harness
