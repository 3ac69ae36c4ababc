// A test program of somebody else's: a scenario in virtual time and over sockets, and a fake
// vendor.
#include <cstdio>
#include <cstdlib>
#include <string>
#include <utility>

#include "harness/scenario/cell_runner.h"
#include "harness/scenario/scenario_loader.h"
#include "harness/server/http_server.h"
#include "harness/sim/worker_pool.h"
#include "harness/vendor/vendor_model.h"
#include "middleware/client/client_builder.h"
#include "middleware/platform/curl_transport.h"
#include "middleware/platform/openssl_crypto.h"
#include "middleware/platform/system_runtime.h"

using namespace understudy;  // NOLINT: a small program

namespace {

constexpr char kScenario[] = R"({
  "format": 1,
  "name": "the vendor's second answer counts",
  "vendor": { "routes": [ { "id": "search", "match": { "path": "/search" },
    "respond": [ { "status": 503 }, { "status": 200 } ] } ] },
  "client": { "operations": { "search": { "method": "GET", "path": "/search" } },
              "stack": [ { "retry": { "attempts": 2 } } ] },
  "steps": [ { "call": "search" } ],
  "expect": [ { "id": "answered",
    "count": { "event": "call.end", "where": { "status": 200 } }, "is": 1 } ]
})";

Result<std::string> PlayScenario(SystemRuntime& system) {
  const harness::LoadResult loaded = harness::LoadScenarioText("inline.scn.json", kScenario);
  if (!loaded.ok()) return InvalidArgument(loaded.ErrorText());
  const harness::ProgramRegistry programs;
  const OpensslCrypto crypto;
  harness::WorkerPool pool;
  const harness::CellReport report = harness::RunCell(loaded.cells.front().scenario, {},
                                                      {programs, crypto, pool, system.clock()}, "");
  return std::string(ToString(report.verdict()));
}

Result<std::string> AskVendor(SystemRuntime& system) {
  harness::VendorSpec spec{.name = "acme"};
  spec.routes.push_back({.id = "orders",
                         .match = {.method = "GET", .path = "/v1/orders/{id}"},
                         .responses = {{.status = 200, .body = "7"}}});
  const Runtime runtime = system.view();
  UNDERSTUDY_ASSIGN_OR_RETURN(
      const auto vendor, harness::VendorModel::Create(
                             std::move(spec), {runtime.clock, runtime.random, runtime.events}));
  UNDERSTUDY_ASSIGN_OR_RETURN(const auto server,
                              harness::HttpServer::Start(runtime.clock, *vendor, {}));
  CurlTransport network(runtime.clock);
  UNDERSTUDY_ASSIGN_OR_RETURN(
      const auto client, ClientBuilder(runtime, network, "acme").BaseUrl(server->url()).Build());
  UNDERSTUDY_ASSIGN_OR_RETURN(const http::Response answer, client->Get("/v1/orders/7"));
  return answer.body;
}

bool Show(const char* what, const Result<std::string>& outcome) {
  std::printf("%s: %s\n", what, outcome ? outcome->c_str() : outcome.error().ToString().c_str());
  return outcome.has_value();
}

}  // namespace

int main() {
  SystemRuntime system;
  const bool played = Show("scenario", PlayScenario(system));
  const bool asked = Show("vendor", AskVendor(system));
  return played && asked ? EXIT_SUCCESS : EXIT_FAILURE;
}
