// What a circuit breaker adds to a healthy call: admission and success, while closed.
//
//   build/release/bin/breaker_bench
//
// Budgets: a streak at most 15 ns per call, a time window at most 50 ns, and not slower per call
// with two threads. The loop without a breaker shows what the measurement itself costs; the time
// window reads the system's clock.
#include <memory>

#include <benchmark/benchmark.h>

#include "middleware/platform/system_clock.h"
#include "middleware/resilience/circuit_breaker.h"

namespace understudy {
namespace {

// The closed breaker asks for nothing of the runtime; everything that would be asked for aborts.
class NoClock final : public Clock {
 public:
  using Clock::SleepUntil;
  TimePoint Now() const override { return TimePoint(); }
  SystemTime SystemNow() const override { return SystemTime(); }
  void SleepUntil(TimePoint) override { UNDERSTUDY_CHECK(false, "the benchmark sleeps"); }
  bool AwaitUntil(Mutex&, CondVar&, TimePoint, FunctionRef<bool()> predicate) override {
    return predicate();
  }
};

class NoExecutor final : public Executor {
 public:
  Task Spawn(std::string, std::function<void(std::stop_token)>) override { return {}; }
};

class NoRandom final : public Random {
 public:
  std::uint64_t Next(std::string_view) override { return 0; }
};

struct World {
  NoClock clock = {};
  NoExecutor executor = {};
  NoRandom random = {};
  NullLogger logger = {};
  NullEventSink events = {};
  std::unique_ptr<CircuitBreaker> breaker =
      CircuitBreaker::Create("bench", {}, {clock, executor, random, logger, events}).value();
};

// One breaker for all threads of a run, as in production.
World& SharedWorld() {
  static World world;
  return world;
}

void AdmitAndSucceed(benchmark::State& state) {
  CircuitBreaker& breaker = *SharedWorld().breaker;
  for (auto _ : state) {
    Result<CircuitBreaker::Permit> permit = breaker.TryAcquire();
    benchmark::DoNotOptimize(permit);
    permit->Record(BreakerOutcome::kSuccess);
  }
}
BENCHMARK(AdmitAndSucceed)->Threads(1)->Threads(2);

void AdmitAndDrop(benchmark::State& state) {
  CircuitBreaker& breaker = *SharedWorld().breaker;
  for (auto _ : state) {
    benchmark::DoNotOptimize(breaker.TryAcquire());
  }
}
BENCHMARK(AdmitAndDrop)->Threads(1)->Threads(2);

struct WindowWorld {
  SystemClock clock = {};
  NoExecutor executor = {};
  NoRandom random = {};
  NullLogger logger = {};
  NullEventSink events = {};
  std::unique_ptr<CircuitBreaker> breaker =
      CircuitBreaker::Create("bench",
                             {.window_kind = BreakerWindow::kTime,
                              .window = std::chrono::seconds(60),
                              .failure_rate = 0.5},
                             {clock, executor, random, logger, events})
          .value();
};

WindowWorld& SharedWindowWorld() {
  static WindowWorld world;
  return world;
}

void TimeWindowAdmitAndSucceed(benchmark::State& state) {
  CircuitBreaker& breaker = *SharedWindowWorld().breaker;
  for (auto _ : state) {
    Result<CircuitBreaker::Permit> permit = breaker.TryAcquire();
    benchmark::DoNotOptimize(permit);
    permit->Record(BreakerOutcome::kSuccess);
  }
}
BENCHMARK(TimeWindowAdmitAndSucceed)->Threads(1)->Threads(2);

void TimeWindowOneFailureInHundred(benchmark::State& state) {
  CircuitBreaker& breaker = *SharedWindowWorld().breaker;
  int call = 0;
  for (auto _ : state) {
    Result<CircuitBreaker::Permit> permit = breaker.TryAcquire();
    const bool failed = ++call % 100 == 0;
    permit->Record(failed ? BreakerOutcome::kFailure : BreakerOutcome::kSuccess);
  }
}
BENCHMARK(TimeWindowOneFailureInHundred)->Threads(1)->Threads(2);

void ReadTheClock(benchmark::State& state) {
  const SystemClock clock;
  for (auto _ : state) benchmark::DoNotOptimize(clock.Now());
}
BENCHMARK(ReadTheClock);

// A healthy vendor with one failure in a hundred: the slow path of the failure and of the success
// after it included.
void OneFailureInHundred(benchmark::State& state) {
  CircuitBreaker& breaker = *SharedWorld().breaker;
  int call = 0;
  for (auto _ : state) {
    Result<CircuitBreaker::Permit> permit = breaker.TryAcquire();
    const bool failed = ++call % 100 == 0;
    permit->Record(failed ? BreakerOutcome::kFailure : BreakerOutcome::kSuccess);
  }
}
BENCHMARK(OneFailureInHundred)->Threads(1)->Threads(2);

void EmptyLoop(benchmark::State& state) {
  for (auto _ : state) benchmark::ClobberMemory();
}
BENCHMARK(EmptyLoop)->Threads(1)->Threads(2);

}  // namespace
}  // namespace understudy

BENCHMARK_MAIN();
