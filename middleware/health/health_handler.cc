#include "middleware/health/health_handler.h"

#include <algorithm>
#include <chrono>
#include <optional>
#include <utility>

#include <nlohmann/json.hpp>

#include "middleware/base/check.h"
#include "middleware/base/iso_time.h"
#include "middleware/base/text.h"
#include "middleware/health/health_code.h"

namespace understudy {
namespace {

using Json = nlohmann::ordered_json;

std::string_view DraftStatus(HealthStatus status) {
  if (status == HealthStatus::kHealthy) return "pass";
  return status == HealthStatus::kDegraded ? "warn" : "fail";
}

std::int64_t Milliseconds(Duration duration) {
  return std::chrono::floor<std::chrono::milliseconds>(duration).count();
}

http::Response Answer(int status, const Json& body) {
  http::Response response;
  response.status = status;
  response.headers = {{"Content-Type", "application/health+json"}, {"Cache-Control", "no-store"}};
  // All text is of a small alphabet; the handler replaces what is not, instead of throwing.
  response.body = body.dump(-1, ' ', false, Json::error_handler_t::replace);
  return response;
}

http::Response Refuse(int status, std::string_view error) {
  http::Response response = Answer(status, Json{{"error", error}});
  response.headers = {{"Content-Type", "application/json"}, {"Cache-Control", "no-store"}};
  if (status == 405) {
    const auto set = response.headers.Set("Allow", "GET, HEAD");
    UNDERSTUDY_CHECK(set.has_value(), "a header in the source code is malformed");
  }
  return response;
}

bool AsksForDetails(std::string_view query) {
  const auto parts = Split(query, '&');
  return std::any_of(parts.begin(), parts.end(), [](std::string_view part) {
    return part == "verbose" || part == "verbose=" || part == "verbose=1" || part == "verbose=true";
  });
}

Json CheckOf(const DependencyHealth& dependency, SystemTime at) {
  Json check{{"status", DraftStatus(dependency.status)},
             {"health", ToString(dependency.status)},
             {"critical", dependency.critical},
             {"code", dependency.code},
             {"source", ToString(dependency.source)}};
  if (dependency.age) {
    check["age_ms"] = Milliseconds(*dependency.age);
    check["time"] = FormatIsoInstant(at - *dependency.age, 3);
  }
  if (dependency.latency) check["latency_ms"] = Milliseconds(*dependency.latency);
  check["consecutive_failures"] = dependency.consecutive_failures;
  check["abandoned"] = dependency.abandoned;
  check["checks"] = dependency.checks;
  return check;
}

Json ChecksOf(const HealthReport& report) {
  Json checks = Json::object();
  for (const DependencyHealth& dependency : report.dependencies) {
    checks[dependency.name] = Json::array({CheckOf(dependency, report.at)});
  }
  return checks;
}

void CheckOptions(const HealthHandlerOptions& options) {
  const auto is_path = [](const std::string& path) { return path.starts_with('/'); };
  UNDERSTUDY_CHECK(is_path(options.live_path) && is_path(options.ready_path) &&
                       is_path(options.health_path) && options.live_path != options.ready_path &&
                       options.live_path != options.health_path &&
                       options.ready_path != options.health_path,
                   "the paths of a health handler begin with / and differ");
  for (const Heartbeat& heartbeat : options.heartbeats) {
    UNDERSTUDY_CHECK(IsHealthName(heartbeat.name) && heartbeat.age != nullptr &&
                         heartbeat.age_max > Duration::zero(),
                     "a heartbeat needs a name, a function, and an age above zero");
  }
}

}  // namespace

HealthHandler::HealthHandler(HealthMonitor& monitor, HealthHandlerOptions options)
    : monitor_(monitor), options_(std::move(options)) {
  CheckOptions(options_);
}

http::Response HealthHandler::Handle(const http::Request& request) {
  const std::string_view path = request.url.path();
  const bool live = path == options_.live_path;
  const bool ready = path == options_.ready_path;
  http::Response response;
  const bool head = request.method == http::Method::Head();
  if (!live && !ready && path != options_.health_path) {
    response = Refuse(404, "not-found");
  } else if (!head && request.method != http::Method::Get()) {
    response = Refuse(405, "method");
  } else {
    const bool verbose = options_.details && AsksForDetails(request.url.query());
    response = live ? Live(verbose) : ready ? Ready(verbose) : Health(verbose);
  }
  if (head) response.body.clear();
  return response;
}

http::Response HealthHandler::Live(bool verbose) const {
  bool alive = true;
  Json checks = Json::object();
  for (const Heartbeat& heartbeat : options_.heartbeats) {
    const Duration age = heartbeat.age();
    const bool beats = age <= heartbeat.age_max;
    alive = alive && beats;
    checks[heartbeat.name] =
        Json::array({Json{{"status", beats ? "pass" : "fail"}, {"age_ms", Milliseconds(age)}}});
  }
  Json body{{"status", alive ? "pass" : "fail"}};
  if (verbose && !checks.empty()) body["checks"] = std::move(checks);
  return Answer(alive ? 200 : 503, body);
}

http::Response HealthHandler::Ready(bool verbose) const {
  const HealthReport report = monitor_.Report();
  const bool draining = draining_;
  const bool ready = report.ready && !draining;
  // Ready and yet not healthy: part of the service, with a warning.
  const std::string_view status = !ready                                    ? "fail"
                                  : report.status == HealthStatus::kHealthy ? "pass"
                                                                            : "warn";
  Json body{{"status", status}, {"health", ToString(report.status)}, {"ready", ready}};
  if (draining) body["code"] = "draining";
  if (verbose) body["checks"] = ChecksOf(report);
  return Answer(ready ? 200 : 503, body);
}

http::Response HealthHandler::Health(bool verbose) const {
  const HealthReport report = monitor_.Report();
  const bool draining = draining_;
  Json body{{"status", DraftStatus(report.status)},
            {"health", ToString(report.status)},
            {"ready", report.ready && !draining}};
  if (draining) body["code"] = "draining";
  body["time"] = FormatIsoInstant(report.at, 3);
  if (verbose) body["checks"] = ChecksOf(report);
  const bool usable =
      report.status == HealthStatus::kHealthy || report.status == HealthStatus::kDegraded;
  return Answer(usable ? 200 : 503, body);
}

}  // namespace understudy
