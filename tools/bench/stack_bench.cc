// What the whole middleware adds to a call: every policy on, over a transport that answers at once
// from memory.
//
//   build/release/bin/stack_bench
//
// Budget: at most 2 us per call. The bare transport shows what the measurement itself costs.
#include <memory>

#include <benchmark/benchmark.h>

#include "middleware/auth/static_auth.h"
#include "middleware/client/client_builder.h"
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
                                {"X-RateLimit-Limit", "1000000000"},
                                {"X-RateLimit-Remaining", "999999999"},
                                {"X-RateLimit-Reset", "60"}},
                               R"({"id":"o1"})"};
};

struct World {
  SystemRuntime system = SystemRuntime({.log = LogTo::kNowhere});
  InMemoryTransport transport = {};
  std::unique_ptr<Client> client = {};
  http::Request request = {};

  explicit World(bool policies) {
    const Runtime runtime = system.view();
    ClientBuilder builder(runtime, transport, "vendor");
    builder.BaseUrl("https://api.vendor.example");
    if (policies) {
      auto budget = std::make_shared<RetryBudget>(RetryBudgetOptions{}, runtime.clock);
      CircuitBreakerOptions breaker = CircuitBreakerOptions::Recommended(2s);
      breaker.ramp_up = 0s;
      builder.Fallback({})
          .Cache({})
          .TotalDeadline(10s)
          .Hedge({.after = 1s})
          .Retry({.budget = budget})
          .Breaker(breaker)
          .Quota({})
          .RateLimit({.permits = 1'000'000, .per = 1ms, .burst = 1000})
          .Bulkhead({})
          .Auth(BearerAuth::Create(Secret("token")).value())
          .AttemptTimeout(2s);
    }
    client = builder.Build().value();
    request = client->NewRequest(http::Method::Get(), "/v1/orders/o1").value();
  }
};

void Call(benchmark::State& state, bool policies) {
  static World with(true);
  static World without(false);
  World& world = policies ? with : without;
  for (auto _ : state) {
    Result<http::Response> answer =
        world.client->Call(http::Request(world.request), {.operation = "orders.get"});
    if (!answer || answer->status != 200) state.SkipWithError("the call failed");
    benchmark::DoNotOptimize(answer);
  }
}
BENCHMARK_CAPTURE(Call, AllPolicies, true)->Threads(1)->Threads(2)->UseRealTime();
BENCHMARK_CAPTURE(Call, NoPolicy, false)->Threads(1)->Threads(2)->UseRealTime();

void BareTransport(benchmark::State& state) {
  InMemoryTransport transport;
  const http::Request request;
  for (auto _ : state) {
    benchmark::DoNotOptimize(transport.Send(http::Request(request), {}));
  }
}
BENCHMARK(BareTransport);

}  // namespace
}  // namespace understudy

BENCHMARK_MAIN();
