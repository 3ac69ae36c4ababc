#include <list>
#include <utility>

#include "harness/plan/lane.h"
#include "harness/plan/seeded_random.h"
#include "harness/scenario/correlating_transport.h"
#include "harness/scenario/world.h"
#include "harness/server/http_server.h"
#include "harness/wire/wire_clock.h"
#include "harness/wire/wire_executor.h"
#include "harness/wire/wire_handler.h"
#include "harness/wire/wire_transport.h"
#include "middleware/platform/curl_transport.h"
#include "middleware/platform/system_clock.h"

namespace understudy::harness {
namespace {

// Port 9 is "discard"; nobody listens on it on loopback, so connecting is refused by the kernel.
constexpr std::string_view kRefusedOrigin = "http://127.0.0.1:9";

WorldEnd ToWorldEnd(WireEnd end) {
  switch (end) {
    case WireEnd::kRunning:
      return WorldEnd::kFinished;
    case WireEnd::kDeadlock:
      return WorldEnd::kDeadlock;
    case WireEnd::kTimeLimit:
      return WorldEnd::kTimeLimit;
    case WireEnd::kStalled:
      return WorldEnd::kStalled;
  }
  return WorldEnd::kStalled;
}

// A scenario may have 10,000 callers; how many run at once is the scenario's business, not the
// transport's.
CurlTransportOptions ClientOptions() {
  CurlTransportOptions options;
  options.connections_max = 10'000;
  return options;
}

class WireWorld final : public World {
 public:
  WireWorld(WireWorldOptions options, const Crypto& crypto)
      : crypto_(crypto),
        clock_(real_clock_, {.mode = options.skip_idle_time ? WireClockOptions::Mode::kSkip
                                                            : WireClockOptions::Mode::kReal,
                             .start = options.start,
                             .limit = options.limit}),
        executor_(clock_),
        random_(options.seed),
        history_(clock_),
        curl_(clock_, ClientOptions()),
        wire_(clock_, curl_, std::string(kRefusedOrigin)),
        correlating_(wire_) {}

  ~WireWorld() override { StopHosting(); }

  void StopHosting() override {
    // Releases the servers' parked threads, which then end.
    clock_.Shutdown();
    servers_.clear();
  }

  std::string_view mode() const override { return "wire"; }
  Clock& clock() override { return clock_; }
  Executor& executor() override { return executor_; }
  Random& random() override { return random_; }
  const Crypto& crypto() override { return crypto_; }
  History& history() override { return history_; }
  http::Transport& network() override { return correlating_; }

  Result<std::string> HostVendor(std::string_view name, PlannedHandler& vendor) override {
    return Host(name, vendor);
  }
  Result<std::string> HostApplication(std::string_view name, PlannedHandler& application) override {
    return Host(name, application);
  }

  WorldReport Run(FunctionRef<void()> main) override {
    clock_.ActorStarted();
    clock_.ActorEnter("main");
    WireClock::RunActor([&] {
      const LaneScope lane({.name = "main"});
      main();
    });
    clock_.ActorLeave();
    return {.end = ToWorldEnd(clock_.end()),
            .detail = clock_.detail(),
            .virtual_time = clock_.Now().time_since_epoch()};
  }

 private:
  Result<std::string> Host(std::string_view name, PlannedHandler& handler) {
    static_cast<void>(name);
    handlers_.emplace_back(clock_, handler);
    UNDERSTUDY_ASSIGN_OR_RETURN(auto server, HttpServer::Start(clock_, handlers_.back(), {}));
    std::string origin = server->url();
    wire_.AskBeforeConnect(origin, handler);
    servers_.push_back(std::move(server));
    return origin;
  }

  const Crypto& crypto_;
  SystemClock real_clock_;
  WireClock clock_;
  WireExecutor executor_;
  SeededRandom random_;
  History history_;
  CurlTransport curl_;
  WireTransport wire_;
  CorrelatingTransport correlating_;
  std::list<WireHandler> handlers_;  // Stable addresses: servers refer to them.
  std::vector<std::unique_ptr<HttpServer>> servers_;
};

}  // namespace

std::unique_ptr<World> MakeWireWorld(WireWorldOptions options, const Crypto& crypto) {
  return std::make_unique<WireWorld>(std::move(options), crypto);
}

}  // namespace understudy::harness
