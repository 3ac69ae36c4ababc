// The whole of it in virtual time: a client with a breaker, a vendor that fails and comes back, a
// monitor that hears the traffic, and a probe that leads the traffic back.
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "middleware/client/client_builder.h"
#include "middleware/health/passive_health.h"
#include "middleware/observe/fan_out_sink.h"
#include "tests/middleware/health/health_test_support.h"

namespace understudy::test {
namespace {

using namespace std::chrono_literals;  // NOLINT: literals
using ::testing::ElementsAre;

class FailingVendor final : public http::Transport {
 public:
  explicit FailingVendor(Clock& clock) : clock_(clock) {}

  Result<http::Response> Send(const http::Request&, const http::SendOptions& options) override {
    ++sends;
    clock_.SleepUntil(SaturatingAdd(clock_.Now(), 20ms), options.stop);
    return http::Response{down ? 503 : 200, {}, {}};
  }

  bool down = false;
  int sends = 0;

 private:
  Clock& clock_;
};

TEST(HealthSimTest, HC7_ABreakerTakesReadinessAwayAndAProbeGivesItBack) {
  Simulate([](SimWorld& world) {
    auto passive = PassiveHealth::Create(
                       world.clock(),
                       {{.name = "vendor", .breakers = {"vendor*"}, .operations = {"orders.*"}}})
                       .value();
    FanOutSink events({&world.events, passive.get()});
    const Runtime runtime{world.clock(), world.executor(), world.random, world.logger, events};
    FailingVendor vendor(world.clock());
    CircuitBreakerOptions breaker;
    breaker.open_for = 5s;
    ClientBuilder builder(runtime, vendor, "vendor");
    builder.BaseUrl("https://api.vendor.example").Breaker(breaker);
    const auto client = builder.Build().value();

    // The probe has a way of its own, else the open breaker would refuse it.
    int probes = 0;
    HealthDependency dependency = Plain("vendor", [&](const ProbeContext& context) {
      ++probes;
      http::SendOptions options;
      options.deadline = context.deadline;
      options.stop = context.stop;
      return JudgeAnswer(vendor.Send({}, options));
    });
    dependency.passive = passive->Source("vendor");
    auto monitor = HealthMonitor::Create(runtime, {.heartbeat = 1s}).value();
    ASSERT_TRUE(monitor->Register(dependency));

    // A load balancer: asks every second, and sends calls only while this process is ready.
    monitor->Start();
    std::vector<std::string> seen;
    const auto serve = [&](int seconds) {
      for (int i = 0; i < seconds; ++i) {
        const HealthReport report = monitor->Report();
        const std::string line = Line(report);
        if (seen.empty() || seen.back() != line) seen.push_back(line);
        for (int call = 0; report.ready && call < 10; ++call) {
          static_cast<void>(client->Get("/v1/orders/1", {.operation = "orders.get"}));
        }
        world.clock().SleepFor(1s);
      }
    };
    serve(60);
    EXPECT_THAT(seen, ElementsAre("vendor=unknown:never-checked", "vendor=healthy:ok"));
    EXPECT_EQ(probes, 1);  // Traffic took over.
    vendor.down = true;
    serve(60);
    EXPECT_EQ(seen.back(), "vendor=unhealthy:breaker-open");
    const int sends = vendor.sends;
    serve(20);
    EXPECT_LE(vendor.sends - sends, 3);  // Only probes.
    vendor.down = false;
    seen.clear();
    serve(120);
    EXPECT_THAT(seen, ::testing::Contains("vendor=degraded:recovering"));
    EXPECT_EQ(seen.back(), "vendor=healthy:ok");
    EXPECT_TRUE(monitor->Report().ready);
  });
}

TEST(HealthSimTest, EverySchedulesReportsAreConsistentAndAllEnds) {
  harness::WorkerPool pool;
  for (std::uint64_t seed = 0; seed < 80; ++seed) {
    Simulate(pool, seed, [&](SimWorld& world) {
      FakeProbe good(world);
      good.takes = 1s;
      FakeProbe hung(world);
      hung.takes = 30s;
      hung.heeds_stop = seed % 3 == 0;
      FakeProbe flaky(world);
      auto monitor = NewMonitor(world, {.running_max = 2});
      HealthDependency optional = Plain("hung", hung.Function());
      optional.critical = false;
      ASSERT_TRUE(monitor->Register(Plain("good", good.Function())));
      ASSERT_TRUE(monitor->Register(optional));
      ASSERT_TRUE(monitor->Register(Plain("flaky", flaky.Function())));
      monitor->Start();
      std::vector<Task> actors;
      actors.push_back(world.executor().Spawn("reporter", [&](const std::stop_token&) {
        for (int i = 0; i < 40; ++i) {
          const HealthReport report = monitor->Report();
          std::vector<HealthPart> parts;
          for (const DependencyHealth& one : report.dependencies) {
            parts.push_back({one.status, one.critical, false});
            EXPECT_LE(one.abandoned, 2);  // One, and one of an earlier registration.
          }
          const HealthVerdict verdict = Aggregate(parts);
          EXPECT_EQ(report.status, verdict.status);
          EXPECT_EQ(report.ready, verdict.ready);
          world.clock().SleepFor(700ms);
        }
      }));
      actors.push_back(world.executor().Spawn("checker", [&](const std::stop_token&) {
        for (int i = 0; i < 5; ++i) {
          const TimePoint before = world.clock().Now();
          monitor->CheckNow(Deadline::After(before, 3s));
          EXPECT_LE(world.clock().Now() - before, 3s);
          flaky.result = i % 2 == 0 ? Result<ProbeOutcome>(ProbeOutcome::Unhealthy("down"))
                                    : ProbeOutcome::Healthy();
          world.clock().SleepFor(2s);
        }
      }));
      actors.push_back(world.executor().Spawn("meddler", [&](const std::stop_token&) {
        for (int i = 0; i < 6; ++i) {
          world.clock().SleepFor(3s);
          static_cast<void>(i % 2 == 0 ? monitor->Unregister("flaky")
                                       : monitor->Register(Plain("flaky", flaky.Function())));
        }
      }));
      for (Task& actor : actors) actor.Join();
      EXPECT_EQ(good.inside_max, 1);
      static_cast<void>(monitor->Stop(1s));
      monitor.reset();
      EXPECT_EQ(good.inside + hung.inside + flaky.inside, 0);
    });
    ASSERT_FALSE(HasFailure()) << "seed " << seed;
  }
}

}  // namespace
}  // namespace understudy::test
