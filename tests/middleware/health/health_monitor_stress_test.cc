// Real threads: what simulation cannot see. Build with -fsanitize=thread.
#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "middleware/health/health_handler.h"
#include "middleware/health/health_monitor.h"
#include "middleware/health/passive_health.h"
#include "middleware/platform/system_runtime.h"
#include "middleware/runtime/periodic_scheduler.h"

namespace understudy::test {
namespace {

using namespace std::chrono_literals;  // NOLINT: literals

HealthDependency Quick(std::string name, HealthProbe probe) {
  HealthDependency dependency;
  dependency.name = std::move(name);
  dependency.critical = true;
  dependency.probe = std::move(probe);
  dependency.timeout = 1ms;
  dependency.interval = 2ms;
  dependency.hysteresis.stale_after = 50ms;
  return dependency;
}

TEST(HealthMonitorStressTest, HC5_ReportsChecksAndRegistrationsMayAllHappenAtOnce) {
  SystemRuntime system;
  auto passive = PassiveHealth::Create(
                     system.clock(),
                     {{.name = "shared", .breakers = {"b*"}, .operations = {"*"}, .calls_min = 1}})
                     .value();
  auto monitor = HealthMonitor::Create(system.view(), {.running_max = 4, .heartbeat = 1ms}).value();
  HealthHandler handler(*monitor, {.details = true});
  std::atomic<int> probes = 0;
  const HealthProbe probe = [&](const ProbeContext& context) -> Result<ProbeOutcome> {
    const int number = ++probes;
    // Now and then one is late, and ends by its stop.
    if (number % 7 == 0) system.clock().SleepUntil(kNever, context.stop);
    if (number % 3 == 0) return Error{.code = ErrorCode::kConnection};
    return ProbeOutcome::Healthy();
  };
  HealthDependency shared = Quick("shared", probe);
  shared.passive = passive->Source("shared");
  ASSERT_TRUE(monitor->Register(shared));
  ASSERT_TRUE(monitor->Register(Quick("steady", probe)));
  monitor->Start();

  constexpr int kRounds = 150;
  std::vector<std::jthread> threads;
  for (int thread = 0; thread < 2; ++thread) {
    threads.emplace_back([&] {
      http::Request request;
      request.url = http::Url::Parse("http://127.0.0.1/healthz?verbose").value();
      for (int i = 0; i < kRounds; ++i) {
        const HealthReport report = monitor->Report();
        EXPECT_TRUE(report.ready || report.status != HealthStatus::kHealthy);
        EXPECT_FALSE(handler.Handle(request).body.empty());
      }
    });
    threads.emplace_back([&] {
      for (int i = 0; i < kRounds / 5; ++i) {
        monitor->CheckNow(Deadline::After(system.clock().Now(), 5ms));
      }
    });
  }
  threads.emplace_back([&] {
    for (int i = 0; i < kRounds; ++i) {
      const std::string name = "d" + std::to_string(i % 5);
      static_cast<void>(monitor->Register(Quick(name, probe)));
      if (i % 2 == 0) static_cast<void>(monitor->Unregister(name));
    }
  });
  threads.emplace_back([&] {
    for (int i = 0; i < kRounds * 10; ++i) {
      passive->Publish("call.end", {{"operation", "o"}, {"class", "ok"}, {"attempts", 1}});
      passive->Publish("breaker", {{"name", "b1"}, {"to", i % 2 == 0 ? "open" : "closed"}});
      passive->Read("shared");
    }
  });
  threads.clear();  // Joins.
  EXPECT_TRUE(monitor->Stop(20s));
  EXPECT_GT(probes, 0);
}

TEST(PeriodicSchedulerStressTest, JobsComeGoAndRunAtOnceWithoutOverlap) {
  SystemRuntime system;
  auto scheduler = PeriodicScheduler::Create(system.view(), {.heartbeat = 1ms}).value();
  std::atomic<int> inside = 0;
  std::atomic<int> runs = 0;
  const JobBody body = [&](const JobContext& context) -> Result<JobDone> {
    EXPECT_EQ(++inside, 1);
    if (++runs % 5 == 0) system.clock().SleepUntil(kNever, context.stop);
    --inside;
    return JobDone{};
  };
  JobOptions options;
  options.name = "job";
  options.interval = 1ms;
  options.timeout = 1ms;
  options.overlap = Overlap::kQueueOne;
  ASSERT_TRUE(scheduler->Add(options, body));
  std::vector<std::jthread> threads;
  threads.emplace_back([&] {
    for (int i = 0; i < 200; ++i) static_cast<void>(scheduler->RunNow("job"));
  });
  threads.emplace_back([&] {
    for (int i = 0; i < 200; ++i) {
      static_cast<void>(scheduler->Pause("job"));
      static_cast<void>(scheduler->Resume("job"));
      scheduler->Snapshot();
    }
  });
  threads.emplace_back([&] {
    for (int i = 0; i < 100; ++i) {
      static_cast<void>(scheduler->Remove("job"));
      static_cast<void>(scheduler->Add(options, body));
    }
  });
  threads.clear();
  EXPECT_TRUE(scheduler->Stop(20s));
  EXPECT_EQ(inside, 0);
}

}  // namespace
}  // namespace understudy::test
