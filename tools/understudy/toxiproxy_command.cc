#include "tools/understudy/toxiproxy_command.h"

#include <chrono>
#include <memory>
#include <ostream>
#include <utility>

#include "harness/admin/toxiproxy_api.h"
#include "harness/plan/handler_host.h"
#include "harness/plan/seeded_random.h"
#include "harness/server/http_server.h"
#include "middleware/platform/file.h"
#include "middleware/platform/stderr_logger.h"
#include "middleware/platform/stop_signals.h"
#include "middleware/platform/system_clock.h"
#include "tools/understudy/api_access.h"

namespace understudy::tools {
namespace {

constexpr std::size_t kConfigBytesMax = std::size_t{1024} * 1024;

int Refuse(std::string_view message, Console& console) {
  console.err << message << "\n";
  return kExitUsage;
}

// The number of proxies of the configuration file.
Result<std::size_t> Configure(harness::ToxiproxyApi& api, const std::string& file) {
  if (file.empty()) return std::size_t{0};
  UNDERSTUDY_ASSIGN_OR_RETURN(const std::string text, ReadFile(file, kConfigBytesMax));
  auto populated = api.Populate(text);
  if (!populated) return InvalidArgument(file + ": " + populated.error().message);
  return populated->size();
}

}  // namespace

int ServeToxiproxy(const ToxiproxyServeOptions& options, Console& console) {
  StopSignals signals;  // Before any thread is started.
  auto token = ReadApiToken(options.host, options.token_env, "--token-env",
                            "on " + options.host +
                                " others can reach the API, and it opens ports: give it a token "
                                "with --token-env NAME");
  if (!token) return Refuse(token.error().message, console);
  SystemClock clock;
  harness::SeededRandom random(options.seed);
  StderrLogger logger;
  harness::ToxiproxyApi api(clock, random, logger, {.token = std::move(*token)});
  const auto configured = Configure(api, options.config);
  if (!configured) return Refuse(configured.error().message, console);
  harness::HandlerHost host(api);
  const auto server =
      harness::HttpServer::Start(clock, host, {.host = options.host, .port = options.port});
  if (!server) return Refuse(server.error().message, console);
  console.out << "listening on " << (*server)->url() << " (Toxiproxy API, seed " << options.seed
              << ", proxies " << *configured << ")" << std::endl;
  while (!signals.Wait(std::chrono::hours(1))) {
  }
  (*server)->Stop();
  return 0;
}

}  // namespace understudy::tools
