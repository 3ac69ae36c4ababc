// What the audit adds to the thread of a call: the stack without and with it, over a transport that
// answers at once from memory, and an asynchronous log whose sink keeps nothing.
//
//   build/release/bin/audit_bench
//
// Budget: at most 1 us, the difference of the two Burst figures. A burst is a hundred calls, with a
// pause after it in which the log's own thread works: what a thread that also does something else
// sees. Call is the same in a loop: there the log cannot keep up, the queue grows into memory that
// is new each time, and its thread competes for caches and for the allocator.
#include <memory>

#include <benchmark/benchmark.h>

#include "middleware/client/client_builder.h"
#include "middleware/platform/openssl_crypto.h"
#include "middleware/platform/system_runtime.h"

namespace understudy {
namespace {

using namespace std::chrono_literals;  // NOLINT: literals

class InMemoryTransport final : public http::Transport {
 public:
  Result<http::Response> Send(const http::Request&, const http::SendOptions&) override {
    return answer_;
  }

 private:
  const http::Response answer_{200,
                               {{"Content-Type", "application/json"},
                                {"Date", "Sun, 06 Nov 1994 08:49:37 GMT"},
                                {"Cache-Control", "no-store"},
                                {"Set-Cookie", "session=1"},
                                {"X-Request-Id", "req_1234567890"},
                                {"X-RateLimit-Remaining", "999999999"}},
                               R"({"id":"o1"})"};
};

// Takes everything and keeps nothing.
class NullAuditSink final : public AuditSink {
 public:
  Result<void> Append(std::span<const AuditEntry>) override { return {}; }
  Result<void> Flush() override { return {}; }
  Result<std::vector<AuditEntry>> Find(const AuditQuery&) override {
    return std::vector<AuditEntry>();
  }
  Result<std::optional<AuditEntry>> Last() override { return std::optional<AuditEntry>(); }
  Result<std::size_t> Retain(SystemTime, SystemTime) override { return std::size_t{0}; }
};

struct World {
  SystemRuntime system = SystemRuntime({.log = LogTo::kNowhere});
  OpensslCrypto crypto = {};
  InMemoryTransport transport = {};
  std::unique_ptr<AuditLog> log = {};
  std::unique_ptr<Client> client = {};
  http::Request request = {};

  explicit World(bool audited) {
    const Runtime runtime = system.view();
    log = AuditLog::Create({.records_max = 200'000, .bytes_max = std::size_t{512} << 20U},
                           std::make_shared<NullAuditSink>(), crypto, runtime)
              .value();
    ClientBuilder builder(runtime, transport, "vendor");
    builder.BaseUrl("https://api.vendor.example");
    if (audited) builder.Audit(*log, {});
    client = builder.Build().value();
    request = client->NewRequest(http::Method::Get(), "/v1/orders/o1?limit=3").value();
    request.headers = {{"Accept", "application/json"},
                       {"Authorization", "Bearer abcdefghijklmnop"},
                       {"User-Agent", "app/1.0"},
                       {"X-Custom", "some value"}};
  }

  void CallOnce(benchmark::State& state) {
    Result<http::Response> answer =
        client->Call(http::Request(request), {.operation = "orders.get"});
    if (!answer || answer->status != 200) state.SkipWithError("the call failed");
    benchmark::DoNotOptimize(answer);
  }
};

World& WorldOf(bool audited) {
  static World with(true);
  static World without(false);
  return audited ? with : without;
}

void ReportLoss(benchmark::State& state, const World& world) {
  state.counters["lost"] = static_cast<double>(world.log->stats().lost(AuditDrop::kQueueFull));
}

void Call(benchmark::State& state, bool audited) {
  World& world = WorldOf(audited);
  for (auto _ : state) world.CallOnce(state);
  ReportLoss(state, world);
}
BENCHMARK_CAPTURE(Call, Plain, false);
BENCHMARK_CAPTURE(Call, Audited, true);

// Nanoseconds per call.
void Burst(benchmark::State& state, bool audited) {
  constexpr int kCalls = 100;
  World& world = WorldOf(audited);
  const Runtime runtime = world.system.view();
  for (auto _ : state) {
    runtime.clock.SleepFor(20ms);
    const TimePoint start = runtime.clock.Now();
    for (int i = 0; i < kCalls; ++i) world.CallOnce(state);
    const Duration taken = runtime.clock.Now() - start;
    state.SetIterationTime(std::chrono::duration<double>(taken).count() / kCalls);
  }
  ReportLoss(state, world);
}
BENCHMARK_CAPTURE(Burst, Plain, false)->UseManualTime()->Iterations(300);
BENCHMARK_CAPTURE(Burst, Audited, true)->UseManualTime()->Iterations(300);

}  // namespace
}  // namespace understudy

BENCHMARK_MAIN();
