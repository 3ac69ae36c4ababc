// The examples of docs/health.md, put together: traffic, probe, endpoints and a periodic job. The
// guide shows what stands between the markers.
#include <memory>
#include <string>

#include "docs/examples/expect.h"
#include "middleware/client/client_builder.h"
#include "middleware/health/health_handler.h"
#include "middleware/health/health_monitor.h"
#include "middleware/health/passive_health.h"
#include "middleware/observe/fan_out_sink.h"
#include "middleware/observe/metrics_sink.h"
#include "middleware/platform/system_runtime.h"
#include "middleware/runtime/periodic_scheduler.h"

namespace {

using namespace understudy;  // NOLINT: as the reader of the guide would write it.
using namespace std::chrono_literals;

// In the place of the network.
class Vendor final : public http::Transport {
 public:
  Result<http::Response> Send(const http::Request&, const http::SendOptions&) override {
    return http::Response{.status = 200, .body = "{}"};
  }
};

Result<void> FetchNewOrders(Deadline, const std::stop_token&) { return {}; }

int StatusOf(HealthHandler& handler, const char* path) {
  http::Request request;
  request.url = http::Url::Parse(std::string("http://127.0.0.1") + path).value();
  return handler.Handle(request).status;
}

Result<void> Run(const Runtime& base) {
  Clock& clock = base.clock;
  Executor& executor = base.executor;
  Random& random = base.random;
  Logger& logger = base.logger;
  MetricsSink metrics;
  // [begin traffic]
  UNDERSTUDY_ASSIGN_OR_RETURN(
      const auto passive,
      PassiveHealth::Create(
          clock,
          {{.name = "stripe", .breakers = {"stripe*"}, .operations = {"charges.*", "refunds.*"}}}));
  FanOutSink events({&metrics, passive.get()});
  const Runtime runtime{clock, executor, random, logger, events};  // For clients and monitor.
  // [end traffic]
  Vendor vendor;
  UNDERSTUDY_ASSIGN_OR_RETURN(
      const auto probe_client,
      ClientBuilder(runtime, vendor, "stripe").BaseUrl("https://api.stripe.com").Build());
  // [begin probe]
  UNDERSTUDY_ASSIGN_OR_RETURN(const auto health, HealthMonitor::Create(runtime, {}));
  UNDERSTUDY_RETURN_IF_ERROR(health->Register(
      {.name = "stripe",
       .critical = true,
       .probe =
           [&](const ProbeContext& context) {
             return JudgeAnswer(probe_client->Get("/v1/balance", {.operation = "health.balance",
                                                                  .deadline = context.deadline,
                                                                  .stop = context.stop}));
           },
       .passive = passive->Source("stripe"),
       .timeout = 3s,
       .interval = 30s}));
  health->Start();
  // [end probe]
  // [begin job]
  UNDERSTUDY_ASSIGN_OR_RETURN(const auto scheduler, PeriodicScheduler::Create(runtime, {}));
  UNDERSTUDY_RETURN_IF_ERROR(
      scheduler->Add({.name = "poll.orders", .interval = 30s, .timeout = 20s, .retry_base = 1s},
                     [&](const JobContext& context) -> Result<JobDone> {
                       UNDERSTUDY_RETURN_IF_ERROR(FetchNewOrders(context.deadline, context.stop));
                       return JobDone{};
                     }));
  // [end job]
  // [begin endpoints]
  HealthHandler handler(*health,
                        {.details = true,
                         .heartbeats = {{"health", [&] { return health->SinceBeat(); }},
                                        {"scheduler", [&] { return scheduler->SinceBeat(); }}}});
  // [end endpoints]
  static_cast<void>(health->CheckNow(Deadline::After(clock.Now(), 10s)));
  Expect(StatusOf(handler, "/livez") == 200, "alive");
  Expect(StatusOf(handler, "/readyz") == 200, "ready after a good probe");
  Expect(StatusOf(handler, "/healthz") == 200, "healthy after a good probe");
  handler.SetDraining(true);
  Expect(StatusOf(handler, "/readyz") == 503, "not ready while draining");
  UNDERSTUDY_RETURN_IF_ERROR(scheduler->Stop(10s));
  return health->Stop(10s);
}

}  // namespace

int main() {
  SystemRuntime system;
  const Result<void> done = Run(system.view());
  Expect(done.has_value(), done ? "" : done.error().ToString());
  return 0;
}
