#include "tools/understudy/wiremock_command.h"

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <ostream>
#include <utility>

#include "harness/admin/wiremock_api.h"
#include "harness/plan/seeded_random.h"
#include "harness/server/http_server.h"
#include "middleware/base/mutex.h"
#include "middleware/base/text.h"
#include "middleware/platform/file.h"
#include "middleware/platform/stop_signals.h"
#include "middleware/platform/system_clock.h"
#include "middleware/runtime/event.h"
#include "tools/understudy/api_access.h"

namespace understudy::tools {
namespace {

constexpr Duration kPoll = std::chrono::milliseconds(100);
constexpr std::size_t kFilesMax = 10'000;

int Refuse(std::string_view message, Console& console) {
  console.err << message << "\n";
  return kExitUsage;
}

Result<std::uint16_t> ParsePort(const std::vector<std::string>& ports) {
  if (ports.empty()) return std::uint16_t{0};
  const auto port = ParseUnsigned(ports.front());
  if (ports.size() > 1 || !port || *port > 65535)
    return InvalidArgument("--port: with --wiremock, one number up to 65535, 0 for a free one");
  return static_cast<std::uint16_t>(*port);
}

// Links to folders are not followed, so that a loop of them ends.
std::vector<std::string> ListJson(const std::string& folder) {
  namespace fs = std::filesystem;
  std::vector<std::string> paths;
  std::error_code error;
  fs::recursive_directory_iterator entry(folder, error);
  while (!error && entry != fs::recursive_directory_iterator() && paths.size() < kFilesMax) {
    if (entry->path().extension() == ".json" && entry->is_regular_file(error))
      paths.push_back(entry->path().generic_string());
    entry.increment(error);
  }
  return paths;
}

harness::WireMockFiles FileSystem() {
  return {
      .read = [](const std::string& path) { return ReadFile(path, harness::kWireMockBytesMax); },
      .list = ListJson};
}

std::string Summary(const harness::WireMockApi& api) {
  const auto findings = api.findings();
  const auto count = [&](harness::WireMockFinding::Kind kind) {
    return std::count_if(findings.begin(), findings.end(),
                         [&](const harness::WireMockFinding& each) { return each.kind == kind; });
  };
  std::string text = Plural(api.stub_count(), "stub");
  if (const auto losses = count(harness::WireMockFinding::Kind::kLoss); losses > 0)
    text += ", " + Plural(static_cast<std::size_t>(losses), "part") + " lost";
  const auto broken = count(harness::WireMockFinding::Kind::kDisabled) +
                      count(harness::WireMockFinding::Kind::kNoAnswer);
  if (broken > 0) text += ", " + std::to_string(broken) + " that cannot serve, see above";
  return text;
}

}  // namespace

int ServeWireMockUntil(const WireMockServeOptions& options, Console& console,
                       const std::function<bool(Duration)>& wait) {
  if (!IsThisMachine(options.host)) {
    return Refuse("--host " + options.host +
                      ": whoever reaches WireMock's API decides what is answered; only addresses "
                      "of this machine are served",
                  console);
  }
  const auto port = ParsePort(options.ports);
  if (!port) return Refuse(port.error().message, console);

  SystemClock clock;
  harness::SeededRandom random(options.seed);
  NullEventSink nobody;
  Mutex console_mutex;
  std::atomic<bool> shutdown = false;
  harness::WireMockApiOptions api_options;
  if (!options.folder.empty()) {
    api_options.load = [&] {
      return harness::ImportWireMockDirectory(options.folder, FileSystem());
    };
  }
  api_options.report = [&](const std::string& report) {
    if (options.quiet) return;
    const MutexLock lock(console_mutex);
    console.err << report << std::flush;
  };
  api_options.shutdown = [&] { shutdown = true; };
  auto api = harness::WireMockApi::Create(std::move(api_options),
                                          {.clock = clock, .random = random, .events = nobody});
  if (!api) return Refuse(api.error().message, console);
  if (!options.quiet) console.err << harness::WireMockReport((*api)->findings()) << std::flush;
  const auto server =
      harness::HttpServer::Start(clock, **api, {.host = options.host, .port = *port});
  if (!server) return Refuse(server.error().message, console);
  console.out << "listening on " << (*server)->url() << " (" << Summary(**api) << ")" << std::endl;
  while (!shutdown && !wait(kPoll)) {
  }
  (*server)->Stop();
  return 0;
}

int ServeWireMock(const WireMockServeOptions& options, Console& console) {
  StopSignals signals;
  return ServeWireMockUntil(options, console,
                            [&](Duration timeout) { return signals.Wait(timeout); });
}

}  // namespace understudy::tools
