#include "middleware/health/health_monitor.h"

#include <chrono>
#include <functional>
#include <limits>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/middleware/health/health_test_support.h"
#include "tests/support/test_runtime.h"

namespace understudy::test {
namespace {

using namespace std::chrono_literals;  // NOLINT: literals
using enum HealthStatus;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::Ge;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Le;
using ::testing::Not;
using ::testing::SizeIs;

Error Refused(ErrorCode code, Origin origin = Origin::kRemote) {
  return {code,
          "connect to 10.0.0.7 with key sk_live_1 failed",
          Delivery::kNotSent,
          origin,
          {},
          "secret reason"};
}

TEST(HealthMonitorTest, HC3_WhatWasNeverCheckedIsUnknownAndNotReady) {
  Simulate([](SimWorld& world) {
    FakeProbe probe(world);
    auto monitor = NewMonitor(world);
    EXPECT_FALSE(monitor->Report().ready);
    ASSERT_TRUE(monitor->Register(Plain("a", probe.Function())));
    const HealthReport report = monitor->Report();
    EXPECT_EQ(report.status, kUnknown);
    EXPECT_FALSE(report.ready);
    EXPECT_EQ(Line(report), "a=unknown:never-checked");
    EXPECT_EQ(report.dependencies[0].age, std::nullopt);
    EXPECT_EQ(report.dependencies[0].source, HealthSource::kNone);
  });
}

TEST(HealthMonitorTest, ReadyWhenUnknownIsReadyUntilSomethingIsKnown) {
  Simulate([](SimWorld& world) {
    FakeProbe probe(world);
    probe.takes = 500ms;
    probe.result = ProbeOutcome::Unhealthy("down");
    auto monitor = NewMonitor(world);
    HealthDependency dependency = Plain("a", probe.Function());
    dependency.ready_when_unknown = true;
    ASSERT_TRUE(monitor->Register(dependency));
    EXPECT_TRUE(monitor->Report().ready) << "unknown, and it is said to be no reason";
    EXPECT_EQ(monitor->Report().status, HealthStatus::kUnknown);
    EXPECT_FALSE(monitor->CheckNow(Deadline::Never()).ready) << "known to be down";
    probe.result = ProbeOutcome::Healthy();
    EXPECT_TRUE(monitor->CheckNow(Deadline::Never()).ready);
    world.clock().SleepFor(26s);
    EXPECT_EQ(Line(monitor->Report()), "a=unknown:stale");
    EXPECT_TRUE(monitor->Report().ready) << "it was well, and nobody knows better";
  });
}

TEST(HealthMonitorTest, ReadyWhenUnknownIsOfThatDependencyAlone) {
  Simulate([](SimWorld& world) {
    FakeProbe probe(world);
    auto monitor = NewMonitor(world);
    HealthDependency lenient = Plain("lenient", probe.Function());
    lenient.ready_when_unknown = true;
    ASSERT_TRUE(monitor->Register(lenient));
    ASSERT_TRUE(monitor->Register(Plain("strict", probe.Function())));
    EXPECT_FALSE(monitor->Report().ready);
    ASSERT_TRUE(monitor->Unregister("strict"));
    EXPECT_TRUE(monitor->Report().ready);
  });
}

TEST(HealthMonitorTest, OnlyATrafficSourceNeedsReadyWhenUnknownIfItIsCritical) {
  Simulate([](SimWorld& world) {
    auto monitor = NewMonitor(world);
    HealthDependency passive{
        .name = "a", .critical = true, .passive = [] { return PassiveReading{}; }};
    EXPECT_EQ(monitor->Register(passive).error().code, ErrorCode::kInvalidArgument);
    passive.ready_when_unknown = true;
    ASSERT_TRUE(monitor->Register(passive));
    EXPECT_TRUE(monitor->Report().ready);
  });
}

TEST(HealthMonitorTest, ChecksAtOnceAndThenAtItsInterval) {
  Simulate([](SimWorld& world) {
    FakeProbe probe(world);
    probe.takes = 500ms;
    auto monitor = NewMonitor(world);
    monitor->Start();
    monitor->Start();
    world.clock().SleepFor(1s);
    ASSERT_TRUE(monitor->Register(Plain("a", probe.Function())));
    world.clock().SleepFor(25s);
    EXPECT_THAT(probe.starts, ElementsAre(1s, 11s, 21s));
    const HealthReport report = monitor->Report();
    EXPECT_EQ(report.status, kHealthy);
    EXPECT_TRUE(report.ready);
    EXPECT_EQ(Line(report), "a=healthy:ok");
    EXPECT_EQ(report.dependencies[0].age, 4500ms);
    EXPECT_EQ(report.dependencies[0].latency, 500ms);
    EXPECT_EQ(report.dependencies[0].checks, 3u);
    EXPECT_EQ(report.dependencies[0].source, HealthSource::kProbe);
  });
}

TEST(HealthMonitorTest, HC1_AHungProbeFailsExactlyAtItsDeadline) {
  Simulate([](SimWorld& world) {
    FakeProbe probe(world);
    probe.takes = 1h;
    probe.heeds_stop = false;
    auto monitor = NewMonitor(world);
    ASSERT_TRUE(monitor->Register(Plain("a", probe.Function())));
    monitor->Start();
    world.clock().SleepFor(2s - 1ns);
    EXPECT_EQ(Line(monitor->Report()), "a=unknown:never-checked");
    world.clock().SleepFor(1ns);
    const HealthReport report = monitor->Report();
    EXPECT_EQ(Line(report), "a=unhealthy:timeout");
    EXPECT_EQ(report.dependencies[0].abandoned, 1);
    EXPECT_FALSE(report.ready);
  });
}

TEST(HealthMonitorTest, HC1_AProbeIsInTimeUntilJustBeforeItsDeadline) {
  Simulate([](SimWorld& world) {
    FakeProbe in_time(world);
    in_time.takes = 2s - 1ns;
    FakeProbe late(world);
    late.takes = 2s;
    auto monitor = NewMonitor(world);
    ASSERT_TRUE(monitor->Register(Plain("in-time", in_time.Function())));
    ASSERT_TRUE(monitor->Register(Plain("late", late.Function())));
    EXPECT_EQ(Line(monitor->CheckNow(Deadline::Never())),
              "in-time=healthy:ok late=unhealthy:timeout");
  });
}

TEST(HealthMonitorTest, HC1_AHungProbeHoldsUpNeitherReportsNorOthers) {
  Simulate([](SimWorld& world) {
    FakeProbe hung(world);
    hung.takes = 1h;
    hung.heeds_stop = false;
    FakeProbe fine(world);
    auto monitor = NewMonitor(world, {.running_max = 1});  // Even of the only place.
    ASSERT_TRUE(monitor->Register(Plain("a", hung.Function())));
    ASSERT_TRUE(monitor->Register(Plain("b", fine.Function())));
    const HealthReport report = monitor->CheckNow(Deadline::Never());
    EXPECT_EQ(world.Elapsed(), 2s);
    EXPECT_EQ(Line(report), "a=unhealthy:timeout b=healthy:ok");
    const Duration before = world.Elapsed();
    monitor->Report();
    EXPECT_EQ(world.Elapsed(), before);
  });
}

TEST(HealthMonitorTest, HC1_HungProbesAreBoundedAndRecoverWhenTheyReturn) {
  Simulate([](SimWorld& world) {
    FakeProbe probe(world);
    probe.takes = 35s;
    probe.heeds_stop = false;
    auto monitor = NewMonitor(world);
    HealthDependency dependency = Plain("a", probe.Function());
    dependency.abandoned_max = 2;
    ASSERT_TRUE(monitor->Register(dependency));
    monitor->Start();
    world.clock().SleepFor(13s);
    EXPECT_EQ(monitor->Report().dependencies[0].abandoned, 2);
    world.clock().SleepFor(18s);  // Checks at 20 s and 30 s start nothing.
    EXPECT_THAT(probe.starts, ElementsAre(0s, 10s));
    EXPECT_EQ(Line(monitor->Report()), "a=unhealthy:hung");
    EXPECT_EQ(monitor->Report().dependencies[0].consecutive_failures, 4);
    probe.takes = 0s;
    world.clock().SleepFor(10s);  // The first returned at 35 s, healthy: too late to count.
    EXPECT_THAT(probe.starts, ElementsAre(0s, 10s, 40s));
    EXPECT_EQ(Line(monitor->Report()), "a=healthy:ok");
    EXPECT_EQ(monitor->Report().dependencies[0].abandoned, 1);
  });
}

TEST(HealthMonitorTest, HC1_ALateSuccessDoesNotCount) {
  Simulate([](SimWorld& world) {
    FakeProbe probe(world);
    probe.takes = 5s;
    probe.heeds_stop = false;
    auto monitor = NewMonitor(world);
    ASSERT_TRUE(monitor->Register(Plain("a", probe.Function())));
    monitor->Start();
    world.clock().SleepFor(8s);
    EXPECT_TRUE(probe.stopped);
    EXPECT_EQ(Line(monitor->Report()), "a=unhealthy:timeout");
    EXPECT_EQ(monitor->Report().dependencies[0].abandoned, 0);
    EXPECT_EQ(monitor->Report().dependencies[0].checks, 1u);
  });
}

TEST(HealthMonitorTest, HC2_AFailedResultIsUnhealthy) {
  Simulate([](SimWorld& world) {
    FakeProbe probe(world);
    probe.result = Refused(ErrorCode::kConnection);
    auto monitor = NewMonitor(world);
    ASSERT_TRUE(monitor->Register(Plain("a", probe.Function())));
    const HealthReport report = monitor->CheckNow(Deadline::Never());
    EXPECT_EQ(Line(report), "a=unhealthy:connection");
    EXPECT_EQ(report.status, kUnhealthy);
  });
}

TEST(HealthMonitorTest, HC2_AnEmptyOutcomeAndAnExceptionAreUnhealthy) {
  Simulate([](SimWorld& world) {
    auto monitor = NewMonitor(world);
    ASSERT_TRUE(monitor->Register(Plain(
        "empty", [](const ProbeContext&) -> Result<ProbeOutcome> { return ProbeOutcome(); })));
    ASSERT_TRUE(monitor->Register(Plain("throws", [](const ProbeContext&) -> Result<ProbeOutcome> {
      throw std::runtime_error("password=1");
    })));
    EXPECT_EQ(Line(monitor->CheckNow(Deadline::Never())),
              "empty=unhealthy:no-outcome throws=unhealthy:exception");
  });
}

struct AnswerCase {
  std::string name;
  int status;
  HealthStatus health;
  std::string code;
};

class JudgeAnswerTest : public testing::TestWithParam<AnswerCase> {};

TEST_P(JudgeAnswerTest, HC2_AnAnswerIsHealthyOnlyIfItSaysSo) {
  const auto outcome = JudgeAnswer(http::Response{GetParam().status, {}, {}});
  ASSERT_TRUE(outcome);
  EXPECT_EQ(outcome->status, GetParam().health);
  EXPECT_EQ(outcome->code, GetParam().code);
}

INSTANTIATE_TEST_SUITE_P(HealthProbe, JudgeAnswerTest,
                         testing::Values(AnswerCase{"Ok", 200, kHealthy, "ok"},
                                         AnswerCase{"NotModified", 304, kHealthy, "ok"},
                                         AnswerCase{"Informational", 199, kUnhealthy, "status-199"},
                                         AnswerCase{"BadRequest", 400, kUnhealthy, "status-400"},
                                         AnswerCase{"Unauthorized", 401, kUnhealthy, "status-401"},
                                         AnswerCase{"Throttled", 429, kDegraded, "throttled"},
                                         AnswerCase{"Down", 503, kUnhealthy, "status-503"}),
                         [](const auto& test) { return test.param.name; });

TEST(HealthProbeTest, HC2_AnErrorStaysAnError) {
  EXPECT_FALSE(JudgeAnswer(Refused(ErrorCode::kTimeout)));
}

TEST(HealthMonitorTest, ALocalLimitSaysNothingAboutTheDependency) {
  Simulate([](SimWorld& world) {
    FakeProbe probe(world);
    auto monitor = NewMonitor(world);
    ASSERT_TRUE(monitor->Register(Plain("a", probe.Function())));
    monitor->CheckNow(Deadline::Never());
    probe.result = Refused(ErrorCode::kRateLimited, Origin::kLocal);
    EXPECT_EQ(Line(monitor->CheckNow(Deadline::Never())), "a=healthy:ok");
    world.clock().SleepFor(25s);  // But it is no evidence either.
    EXPECT_EQ(Line(monitor->CheckNow(Deadline::Never())), "a=unknown:stale");
    probe.result = Refused(ErrorCode::kRateLimited, Origin::kRemote);  // The vendor's own.
    EXPECT_EQ(Line(monitor->CheckNow(Deadline::Never())), "a=unhealthy:rate-limited");
    probe.result = Refused(ErrorCode::kCircuitOpen, Origin::kLocal);
    EXPECT_EQ(Line(monitor->CheckNow(Deadline::Never())), "a=unhealthy:circuit-open");
  });
}

TEST(HealthMonitorTest, HC3_ACachedReportGoesStaleExactlyAtItsAge) {
  Simulate([](SimWorld& world) {
    FakeProbe probe(world);
    auto monitor = NewMonitor(world);
    ASSERT_TRUE(monitor->Register(Plain("a", probe.Function())));
    EXPECT_TRUE(monitor->CheckNow(Deadline::Never()).ready);
    world.clock().SleepFor(25s - 1ns);
    EXPECT_EQ(Line(monitor->Report()), "a=healthy:ok");
    world.clock().SleepFor(1ns);
    const HealthReport report = monitor->Report();
    EXPECT_EQ(Line(report), "a=unknown:stale");
    EXPECT_EQ(report.dependencies[0].age, 25s);
    EXPECT_EQ(report.status, kUnknown);
    EXPECT_FALSE(report.ready);
  });
}

TEST(HealthMonitorTest, HC3_CachedAndLiveReportsAgree) {
  Simulate([](SimWorld& world) {
    FakeProbe up(world);
    FakeProbe down(world);
    down.result = Refused(ErrorCode::kConnection);
    auto monitor = NewMonitor(world);
    HealthDependency optional = Plain("b", down.Function());
    optional.critical = false;
    ASSERT_TRUE(monitor->Register(Plain("a", up.Function())));
    ASSERT_TRUE(monitor->Register(optional));
    const HealthReport live = monitor->CheckNow(Deadline::Never());
    const HealthReport cached = monitor->Report();
    EXPECT_EQ(live.status, kDegraded);
    EXPECT_TRUE(live.ready);
    EXPECT_EQ(cached.status, live.status);
    EXPECT_EQ(cached.ready, live.ready);
    EXPECT_EQ(Line(cached), Line(live));
  });
}

TEST(HealthMonitorTest, HC6_OneProbeRunsAtATimeAndCallersShareIt) {
  Simulate([](SimWorld& world) {
    FakeProbe probe(world);
    probe.takes = 1s;
    auto monitor = NewMonitor(world);
    ASSERT_TRUE(monitor->Register(Plain("a", probe.Function())));
    monitor->Start();
    std::vector<Task> callers;
    int healthy = 0;
    for (int i = 0; i < 5; ++i) {
      callers.push_back(world.executor().Spawn("caller", [&](const std::stop_token&) {
        healthy += monitor->CheckNow(Deadline::Never()).status == kHealthy ? 1 : 0;
      }));
    }
    for (Task& caller : callers) caller.Join();
    EXPECT_EQ(healthy, 5);
    EXPECT_EQ(world.Elapsed(), 1s);
    EXPECT_THAT(probe.starts, SizeIs(1));
  });
}

TEST(HealthMonitorTest, HC6_IntervalsAreSpreadWithinTheirShare) {
  Simulate([](SimWorld& world) {
    FixedRandom random({0.1, 0.9, 0.35, 0.6, 0.77});
    FakeProbe a(world);
    FakeProbe b(world);
    auto monitor =
        HealthMonitor::Create(
            Runtime{world.clock(), world.executor(), random, world.logger, world.events}, {})
            .value();
    HealthDependency dependency = Plain("a", a.Function());
    dependency.jitter = 0.2;
    ASSERT_TRUE(monitor->Register(dependency));
    dependency.name = "b";
    dependency.probe = b.Function();
    ASSERT_TRUE(monitor->Register(dependency));
    monitor->Start();
    world.clock().SleepFor(10min);
    std::vector<Duration> gaps;
    for (std::size_t i = 1; i < a.starts.size(); ++i) gaps.push_back(a.starts[i] - a.starts[i - 1]);
    EXPECT_THAT(gaps, SizeIs(Ge(40u)));
    EXPECT_THAT(gaps, Each(AllOf(Ge(8s), Le(12s))));
    EXPECT_THAT(gaps, Contains(Not(10s)));
    EXPECT_NE(a.starts, b.starts);  // They drift apart.
  });
}

TEST(HealthMonitorTest, HC6_AfterStopNothingRunsAndReportsGoStale) {
  Simulate([](SimWorld& world) {
    FakeProbe probe(world);
    auto monitor = NewMonitor(world);
    ASSERT_TRUE(monitor->Register(Plain("a", probe.Function())));
    monitor->Start();
    world.clock().SleepFor(1s);
    probe.takes = 10s;
    world.clock().SleepFor(10s);  // In the middle of the second.
    EXPECT_TRUE(monitor->Stop(5s));
    EXPECT_EQ(world.Elapsed(), 11s);
    EXPECT_TRUE(probe.stopped);
    EXPECT_EQ(Line(monitor->Report()), "a=healthy:ok");  // Of the first; the stop proves nothing.
    world.clock().SleepFor(1h);
    EXPECT_THAT(probe.starts, SizeIs(2));
    EXPECT_EQ(Line(monitor->CheckNow(Deadline::Never())), "a=unknown:stale");
  });
}

TEST(HealthMonitorTest, StopGivesUpOnAProbeThatIgnoresIt) {
  Simulate([](SimWorld& world) {
    FakeProbe probe(world);
    probe.takes = 1min;
    probe.heeds_stop = false;
    auto monitor = NewMonitor(world);
    ASSERT_TRUE(monitor->Register(Plain("a", probe.Function())));
    monitor->Start();
    world.clock().SleepFor(1s);
    const auto stopped = monitor->Stop(5s);
    EXPECT_EQ(world.Elapsed(), 6s);
    ASSERT_FALSE(stopped);
    EXPECT_EQ(stopped.error().code, ErrorCode::kTimeout);
    monitor.reset();
    EXPECT_EQ(world.Elapsed(), 1min);
  });
}

TEST(HealthMonitorTest, CheckNowEndsAtItsDeadlineWithWhatIsKnown) {
  Simulate([](SimWorld& world) {
    FakeProbe slow(world);
    slow.takes = 1500ms;
    FakeProbe quick(world);
    auto monitor = NewMonitor(world);
    ASSERT_TRUE(monitor->Register(Plain("a", slow.Function())));
    ASSERT_TRUE(monitor->Register(Plain("b", quick.Function())));
    EXPECT_EQ(Line(monitor->CheckNow(Deadline::At(TimePoint(1s)))),
              "a=unknown:never-checked b=healthy:ok");
    EXPECT_EQ(world.Elapsed(), 1s);
  });
}

TEST(HealthMonitorTest, ASlowProbeIsDegraded) {
  Simulate([](SimWorld& world) {
    FakeProbe at_bound(world);
    at_bound.takes = 1s;
    FakeProbe above(world);
    above.takes = 1s + 1ns;
    auto monitor = NewMonitor(world);
    HealthDependency dependency = Plain("a", at_bound.Function());
    dependency.slow_after = 1s;
    ASSERT_TRUE(monitor->Register(dependency));
    dependency.name = "b";
    dependency.probe = above.Function();
    ASSERT_TRUE(monitor->Register(dependency));
    EXPECT_EQ(Line(monitor->CheckNow(Deadline::Never())), "a=healthy:ok b=degraded:slow");
  });
}

TEST(HealthMonitorTest, PublishesChangesInOrder) {
  Simulate([](SimWorld& world) {
    FakeProbe probe(world);
    auto monitor = NewMonitor(world);
    ASSERT_TRUE(monitor->Register(Plain("a", probe.Function())));
    monitor->Start();
    world.clock().SleepFor(5s);
    probe.result = Refused(ErrorCode::kTimeout);
    world.clock().SleepFor(10s);
    probe.result = Refused(ErrorCode::kOverloaded, Origin::kLocal);
    world.clock().SleepFor(30s);
    EXPECT_THAT(
        world.events.Lines("health.changed"),
        ElementsAre("health.changed code=ok critical=true from=unknown name=a to=healthy",
                    "health.changed code=timeout critical=true from=healthy name=a to=unhealthy",
                    "health.changed code=stale critical=true from=unhealthy name=a to=unknown"));
    EXPECT_THAT(world.events.Lines("health.ready"),
                ElementsAre("health.ready ready=true status=healthy",
                            "health.ready ready=false status=unhealthy"));
    EXPECT_EQ(world.events.Lines("health.check").at(2),
              "health.check code=overloaded duration=0ms name=a outcome=inconclusive");
  });
}

TEST(HealthMonitorTest, HC8_NoTextOfAnErrorReachesAReportOrAnEvent) {
  Simulate([](SimWorld& world) {
    FakeProbe probe(world);
    auto monitor = NewMonitor(world);
    ASSERT_TRUE(monitor->Register(Plain("a", probe.Function())));
    for (const Result<ProbeOutcome>& result :
         {Result<ProbeOutcome>(Refused(ErrorCode::kAuth)),
          Result<ProbeOutcome>(ProbeOutcome::Unhealthy("key sk_live_1 refused")),
          Result<ProbeOutcome>(ProbeOutcome::Degraded("SELECT * FROM secret"))}) {
      probe.result = result;
      const std::string line = Line(monitor->CheckNow(Deadline::Never()));
      EXPECT_THAT(line, AllOf(Not(HasSubstr("sk_live")), Not(HasSubstr("secret")),
                              Not(HasSubstr("10.0.0.7"))));
    }
    for (const RecordedEvent& event : world.events.All()) {
      EXPECT_THAT(event.ToString(), AllOf(Not(HasSubstr("sk_live")), Not(HasSubstr("secret"))));
    }
    EXPECT_EQ(Line(monitor->Report()), "a=degraded:other");
  });
}

TEST(HealthMonitorTest, AnUnregisteredDependencyIsGoneAndItsProbeStopped) {
  Simulate([](SimWorld& world) {
    FakeProbe probe(world);
    probe.takes = 1s;
    auto monitor = NewMonitor(world);
    ASSERT_TRUE(monitor->Register(Plain("a", probe.Function())));
    monitor->Start();
    world.clock().SleepFor(500ms);
    ASSERT_TRUE(monitor->Unregister("a"));
    EXPECT_EQ(monitor->Unregister("a").error().code, ErrorCode::kNotFound);
    EXPECT_THAT(monitor->Report().dependencies, IsEmpty());
    world.clock().SleepFor(1min);
    EXPECT_TRUE(probe.stopped);
    EXPECT_THAT(probe.starts, SizeIs(1));
    EXPECT_EQ(world.events.Count("health.check"), 0u);
  });
}

// Traffic and probes.

struct FuseCase {
  std::string name;
  HealthStatus passive;
  HealthStatus probe;  // kUnknown: none ran.
  bool probe_is_younger;
  HealthStatus expected;
};

class FuseTest : public testing::TestWithParam<FuseCase> {};

TEST_P(FuseTest, HC7_TrafficSpeaksFirstAndProbesConfirm) {
  const FuseCase& test = GetParam();
  Simulate([&](SimWorld& world) {
    PassiveReading reading;
    FakeProbe probe(world);
    probe.result = ProbeOutcome{test.probe, "probe"};
    auto monitor = NewMonitor(world);
    HealthDependency dependency = Plain("a", probe.Function());
    dependency.passive = [&] { return reading; };
    ASSERT_TRUE(monitor->Register(dependency));
    world.clock().SleepFor(10s);
    if (test.probe != kUnknown) monitor->CheckNow(Deadline::Never());
    reading = {test.passive, "traffic", TimePoint(test.probe_is_younger ? 9s : 11s), true};
    world.clock().SleepFor(2s);
    EXPECT_EQ(monitor->Report().status, test.expected);
  });
}

INSTANTIATE_TEST_SUITE_P(
    HealthMonitor, FuseTest,
    testing::Values(FuseCase{"HealthyAlone", kHealthy, kUnknown, false, kHealthy},
                    FuseCase{"HealthyAndHealthy", kHealthy, kHealthy, true, kHealthy},
                    FuseCase{"HealthyAndUnhealthy", kHealthy, kUnhealthy, true, kDegraded},
                    FuseCase{"HealthyAfterUnhealthy", kHealthy, kUnhealthy, false, kHealthy},
                    FuseCase{"DegradedAndHealthy", kDegraded, kHealthy, true, kDegraded},
                    FuseCase{"DegradedAndUnhealthy", kDegraded, kUnhealthy, true, kUnhealthy},
                    FuseCase{"DegradedAfterUnhealthy", kDegraded, kUnhealthy, false, kDegraded},
                    FuseCase{"UnhealthyAlone", kUnhealthy, kUnknown, false, kUnhealthy},
                    FuseCase{"UnhealthyThenHealthy", kUnhealthy, kHealthy, true, kDegraded},
                    FuseCase{"UnhealthyThenDegraded", kUnhealthy, kDegraded, true, kDegraded},
                    FuseCase{"UnhealthyAfterHealthy", kUnhealthy, kHealthy, false, kUnhealthy},
                    FuseCase{"UnhealthyTwice", kUnhealthy, kUnhealthy, true, kUnhealthy},
                    FuseCase{"UnknownAndHealthy", kUnknown, kHealthy, false, kHealthy},
                    FuseCase{"UnknownAndUnhealthy", kUnknown, kUnhealthy, false, kUnhealthy},
                    FuseCase{"UnknownAlone", kUnknown, kUnknown, false, kUnknown}),
    [](const auto& test) { return test.param.name; });

TEST(HealthMonitorTest, HC7_WhatAnOperatorClosedNoProbeOpens) {
  Simulate([](SimWorld& world) {
    FakeProbe probe(world);
    auto monitor = NewMonitor(world);
    HealthDependency dependency = Plain("a", probe.Function());
    dependency.passive = [] {
      return PassiveReading{kUnhealthy, "breaker-forced", TimePoint(), false};
    };
    ASSERT_TRUE(monitor->Register(dependency));
    EXPECT_EQ(Line(monitor->CheckNow(Deadline::Never())), "a=unhealthy:breaker-forced");
  });
}

TEST(HealthMonitorTest, HC6_WhileTrafficShowsItHealthyNoProbeBurnsQuota) {
  Simulate([](SimWorld& world) {
    HealthStatus traffic = kHealthy;
    FakeProbe probe(world);
    auto monitor = NewMonitor(world);
    HealthDependency dependency = Plain("a", probe.Function());
    dependency.passive = [&] {
      return PassiveReading{traffic, "traffic", world.clock().Now(), true};
    };
    ASSERT_TRUE(monitor->Register(dependency));
    monitor->Start();
    world.clock().SleepFor(1h);
    EXPECT_EQ(Line(monitor->CheckNow(Deadline::Never())), "a=healthy:traffic");
    EXPECT_THAT(probe.starts, IsEmpty());
    traffic = kUnknown;  // Silence: now it looks, within an interval.
    world.clock().SleepFor(10s + 1ns);
    EXPECT_THAT(probe.starts, SizeIs(1));
    EXPECT_EQ(Line(monitor->Report()), "a=healthy:ok");
  });
}

TEST(HealthMonitorTest, APassiveDependencyNeedsNoProbe) {
  Simulate([](SimWorld& world) {
    PassiveReading reading;
    auto monitor = NewMonitor(world);
    HealthDependency dependency = Plain("a", nullptr);
    dependency.critical = false;
    dependency.passive = [&] { return reading; };
    ASSERT_TRUE(monitor->Register(dependency));
    monitor->Start();
    EXPECT_EQ(Line(monitor->CheckNow(Deadline::Never())), "a=unknown:never-checked");
    reading = {kDegraded, "Not A Code", world.clock().Now(), true};
    world.clock().SleepFor(6s);  // A heartbeat and a little.
    EXPECT_THAT(world.events.Lines("health.changed"),
                ElementsAre("health.changed code=other critical=false from=unknown name=a "
                            "to=degraded"));
    EXPECT_EQ(monitor->Report().dependencies[0].source, HealthSource::kPassive);
    EXPECT_EQ(monitor->Report().dependencies[0].age, 6s);
  });
}

TEST(HealthMonitorTest, TheBeatAgesOnlyAsFarAsTheHeartbeat) {
  Simulate([](SimWorld& world) {
    auto monitor = NewMonitor(world, {.heartbeat = 5s});
    monitor->Start();
    for (int i = 0; i < 30; ++i) {
      world.clock().SleepFor(1s);
      EXPECT_LE(monitor->SinceBeat(), 5s);
    }
  });
}

// Options.

struct BadDependency {
  std::string name;
  std::function<void(HealthDependency&)> spoil;
  std::string problem;
};

class BadDependencyTest : public testing::TestWithParam<BadDependency> {};

TEST_P(BadDependencyTest, IsRefused) {
  TestRuntime world(FakeClock::Waits::kBlock);
  auto monitor = HealthMonitor::Create(world.runtime(), {}).value();
  HealthDependency dependency =
      Plain("a", [](const ProbeContext&) { return ProbeOutcome::Healthy(); });
  GetParam().spoil(dependency);
  const auto registered = monitor->Register(dependency);
  ASSERT_FALSE(registered);
  EXPECT_EQ(registered.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(registered.error().message, HasSubstr(GetParam().problem));
}

INSTANTIATE_TEST_SUITE_P(
    HealthMonitor, BadDependencyTest,
    testing::Values(
        BadDependency{"Name", [](HealthDependency& d) { d.name = "a b"; }, "name must be"},
        BadDependency{"Nothing", [](HealthDependency& d) { d.probe = nullptr; }, "neither"},
        BadDependency{"CriticalPassiveOnly",
                      [](HealthDependency& d) {
                        d.probe = nullptr;
                        d.passive = [] { return PassiveReading(); };
                      },
                      "never be ready"},
        BadDependency{"HC5_TimeoutZero", [](HealthDependency& d) { d.timeout = 0s; },
                      "timeout is 0ms; it must be above zero"},
        BadDependency{"IntervalBelowTimeout", [](HealthDependency& d) { d.interval = 1s; },
                      "interval is"},
        BadDependency{"IntervalHuge", [](HealthDependency& d) { d.interval = Duration::max(); },
                      "interval is"},
        BadDependency{
            "JitterNaN",
            [](HealthDependency& d) { d.jitter = std::numeric_limits<double>::quiet_NaN(); },
            "jitter is"},
        BadDependency{"JitterTooMuch", [](HealthDependency& d) { d.jitter = 0.51; }, "jitter is"},
        BadDependency{"FailuresZero",
                      [](HealthDependency& d) { d.hysteresis.failures_to_fail = 0; },
                      "failures_to_fail is 0"},
        BadDependency{"SuccessesZero",
                      [](HealthDependency& d) { d.hysteresis.successes_to_recover = 0; },
                      "successes_to_recover is 0"},
        BadDependency{"StaleTooSoon", [](HealthDependency& d) { d.hysteresis.stale_after = 12s; },
                      "stale_after is 12s; it must be longer than"},
        BadDependency{"StaleZero", [](HealthDependency& d) { d.hysteresis.stale_after = 0s; },
                      "stale_after is"},
        BadDependency{"SlowZero", [](HealthDependency& d) { d.slow_after = 0s; }, "slow_after is"},
        BadDependency{"AbandonedZero", [](HealthDependency& d) { d.abandoned_max = 0; },
                      "abandoned_max is 0"},
        BadDependency{"Several",
                      [](HealthDependency& d) {
                        d.timeout = 0s;
                        d.jitter = 7;
                      },
                      "; jitter is"}),
    [](const auto& test) { return test.param.name; });

TEST(HealthMonitorTest, RefusesNamesTwiceTooManyAndBadOptions) {
  TestRuntime world(FakeClock::Waits::kBlock);
  auto monitor = HealthMonitor::Create(world.runtime(), {.dependencies_max = 2}).value();
  const HealthProbe probe = [](const ProbeContext&) { return ProbeOutcome::Healthy(); };
  ASSERT_TRUE(monitor->Register(Plain("a", probe)));
  EXPECT_THAT(monitor->Register(Plain("a", probe)).error().message, HasSubstr("in use"));
  ASSERT_TRUE(monitor->Register(Plain("b", probe)));
  EXPECT_THAT(monitor->Register(Plain("c", probe)).error().message, HasSubstr("dependencies_max"));
  const auto bad = HealthMonitor::Create(
      world.runtime(), {.dependencies_max = 0, .running_max = 65, .heartbeat = 0s});
  ASSERT_FALSE(bad);
  EXPECT_THAT(bad.error().message, AllOf(HasSubstr("dependencies_max is 0"),
                                         HasSubstr("running_max is 65"), HasSubstr("heartbeat")));
}

}  // namespace
}  // namespace understudy::test
