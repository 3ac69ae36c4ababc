// HealthProbe: a function that finds out whether a dependency works, and says so in a value.
//
//   HealthProbe stripe = [&](const ProbeContext& context) {
//     return JudgeAnswer(client.Get("/v1/balance", {.operation = "health.balance",
//                                                   .deadline = context.deadline,
//                                                   .stop = context.stop}));
//   };
//
// Nothing is healthy by default: a failed Result, an outcome that nobody filled in, and an
// exception are all failures (spec defect HC-2). A probe costs the vendor, and often the quota: see
// passive_health.h first.
#pragma once

#include <functional>
#include <stop_token>
#include <string>

#include "middleware/base/result.h"
#include "middleware/health/health_status.h"
#include "middleware/http/response.h"
#include "middleware/runtime/deadline.h"

namespace understudy {

// Give both to whatever the probe waits for. `stop` is requested when the deadline passes, and when
// the monitor ends.
struct ProbeContext {
  Deadline deadline = {};
  std::stop_token stop = {};
};

// What a probe saw.
struct ProbeOutcome {
  static ProbeOutcome Healthy() { return {HealthStatus::kHealthy, "ok"}; }
  static ProbeOutcome Degraded(std::string code) {
    return {HealthStatus::kDegraded, std::move(code)};
  }
  static ProbeOutcome Unhealthy(std::string code) {
    return {HealthStatus::kUnhealthy, std::move(code)};
  }

  HealthStatus status = HealthStatus::kUnknown;  // kUnknown counts as a failure.
  std::string code = {};                         // As CleanHealthCode wants it; shown in reports.
};

// Called by one thread at a time. Returns soon after its stop is requested: one that does not is
// given up on at its deadline, but its thread remains (HealthMonitor).
//
// An Error is a failure, with one exception: a refusal by a local limit (kRateLimited or
// kOverloaded with Origin::kLocal) says nothing about the dependency, and counts as if the probe
// had not run.
using HealthProbe = std::function<Result<ProbeOutcome>(const ProbeContext&)>;

// The outcome for a vendor's answer: 2xx and 3xx healthy; 429 degraded ("throttled"); everything
// else unhealthy ("status-503"). An Error stays one.
Result<ProbeOutcome> JudgeAnswer(const Result<http::Response>& answer);

}  // namespace understudy
