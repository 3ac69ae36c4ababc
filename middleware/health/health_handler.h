// HealthHandler: /livez, /readyz and /healthz, for load balancers, orchestrators and people.
//
//   HealthHandler handler(monitor, {.details = true});
//   const http::Response answer = handler.Handle(request);   // An http::Handler: of any server.
//
//   /livez    Is this process alive? It alone: no dependency is ever part of the answer, because an
//             orchestrator restarts what is not live, and a restart repairs no vendor (spec defect
//             HC-7). With `heartbeats`, its own tasks are.
//   /readyz   Shall this process get traffic? Critical dependencies decide. 503 while draining.
//   /healthz  How does everything stand? For dashboards and people.
//
// Answers: GET and HEAD; 200 or 503; 404 for another path, 405 with Allow for another method. Never
// cached (Cache-Control: no-store), never blocked: what is answered is what is known.
//
//   {"status":"warn","health":"degraded","ready":true,"checks":{"stripe":[{"status":"fail", ...}]}}
//
// The form is that of the Internet-Draft "Health Check Response Format for HTTP APIs"
// (draft-inadarei-api-health-check-06), media type application/health+json: `status` is pass
// (healthy), warn (degraded) or fail (unhealthy, unknown), and `checks` has an array for each
// component. The members `health`, `ready` and, in a check, `critical`, `code`, `source`, `age_ms`,
// `latency_ms`, `consecutive_failures`, `abandoned` and `checks` are ours; `time` is when the
// evidence was seen, RFC 3339. Members come in a fixed order, checks in that of their names.
//
// Names of dependencies and codes are for those who may know them: they are shown only if `details`
// allows it and the query asks for it (?verbose; also verbose=1 or verbose=true). Texts of errors
// are never shown: reports hold none.
#pragma once

#include <atomic>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "middleware/health/health_monitor.h"
#include "middleware/http/handler.h"

namespace understudy {

// Something inside of this process that must keep looking around.
struct Heartbeat {
  std::string name = {};  // IsHealthName.
  // Time since it last did, e.g. [&] { return scheduler.SinceBeat(); }. Does not block.
  std::function<Duration()> age = {};
  // A process with an older one is not live. Several times its normal period, because a restart is
  // a strong medicine; above zero.
  Duration age_max = std::chrono::minutes(2);
};

struct HealthHandlerOptions {
  std::string live_path = "/livez";
  std::string ready_path = "/readyz";
  std::string health_path = "/healthz";
  bool details = false;
  std::vector<Heartbeat> heartbeats = {};
};

// Thread-safe. `monitor` is borrowed, and whatever the heartbeats look at.
class HealthHandler final : public http::Handler {
 public:
  // Aborts for equal paths, one that does not begin with "/", and a heartbeat without name,
  // function or age_max: these are in the source code.
  explicit HealthHandler(HealthMonitor& monitor, HealthHandlerOptions options = {});

  http::Response Handle(const http::Request& request) override;

  // While draining, the process is not ready, whatever its dependencies are: set it before a
  // shutdown, and wait until the load balancer has seen it.
  void SetDraining(bool draining) { draining_ = draining; }

 private:
  http::Response Live(bool verbose) const;
  http::Response Ready(bool verbose) const;
  http::Response Health(bool verbose) const;

  HealthMonitor& monitor_;
  const HealthHandlerOptions options_;
  std::atomic<bool> draining_ = false;
};

}  // namespace understudy
