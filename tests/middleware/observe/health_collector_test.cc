#include "middleware/observe/health_collector.h"

#include <chrono>
#include <memory>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/test_runtime.h"

namespace understudy::test {
namespace {

using namespace std::chrono_literals;  // NOLINT: literals
using ::testing::HasSubstr;
using ::testing::Not;

std::string PageOf(const std::function<void(MetricsWriter&)>& collector) {
  MetricsWriter writer;
  collector(writer);
  EXPECT_EQ(writer.refused(), 0u);
  std::string page;
  writer.AppendTo(page);
  return page;
}

TEST(HealthCollectorTest, HC3_WhatIsNotKnownDoesNotLookHealthy) {
  TestRuntime world(FakeClock::Waits::kBlock);
  const std::shared_ptr<HealthMonitor> monitor = HealthMonitor::Create(world.runtime(), {}).value();
  HealthDependency dependency;
  dependency.name = "stripe";
  dependency.critical = true;
  dependency.probe = [](const ProbeContext&) { return ProbeOutcome::Healthy(); };
  ASSERT_TRUE(monitor->Register(dependency));
  const auto collector = CollectHealth(monitor);
  std::string page = PageOf(collector);
  EXPECT_THAT(page, HasSubstr("\nunderstudy_health_ready 0\n"));
  EXPECT_THAT(page, HasSubstr("\nunderstudy_health_dependency_status{name=\"stripe\"} 3\n"));
  EXPECT_THAT(page, Not(HasSubstr("age_seconds{")));
  monitor->CheckNow(Deadline::Never());
  page = PageOf(collector);
  EXPECT_THAT(page, HasSubstr("\nunderstudy_health_ready 1\n"));
  EXPECT_THAT(page, HasSubstr("\nunderstudy_health_status 0\n"));
  EXPECT_THAT(page, HasSubstr("\nunderstudy_health_dependency_status{name=\"stripe\"} 0\n"));
  EXPECT_THAT(page, HasSubstr("\nunderstudy_health_age_seconds{name=\"stripe\"} 0\n"));
}

TEST(HealthCollectorTest, JobsShowHowTheyStand) {
  TestRuntime world(FakeClock::Waits::kBlock);
  const std::shared_ptr<PeriodicScheduler> scheduler =
      PeriodicScheduler::Create(world.runtime(), {}).value();
  JobOptions options;
  options.name = "audit.retention";
  ASSERT_TRUE(scheduler->Add(options, [](const JobContext&) { return JobDone{}; }));
  const std::string page = PageOf(CollectJobs(scheduler));
  EXPECT_THAT(page, HasSubstr("\nunderstudy_job_running{job=\"audit.retention\"} 0\n"));
  EXPECT_THAT(page, HasSubstr("\nunderstudy_job_overdue{job=\"audit.retention\"} 0\n"));
  EXPECT_THAT(page, HasSubstr("\nunderstudy_scheduler_beat_age_seconds 0\n"));
}

}  // namespace
}  // namespace understudy::test
