#include "middleware/runtime/periodic_scheduler.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/sim_world.h"
#include "tests/support/test_runtime.h"

namespace understudy::test {
namespace {

using namespace std::chrono_literals;  // NOLINT: literals
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::Ge;
using ::testing::HasSubstr;
using ::testing::Lt;
using ::testing::SizeIs;

std::unique_ptr<PeriodicScheduler> NewScheduler(const Runtime& runtime) {
  return PeriodicScheduler::Create(runtime, {}).value();
}

// Every `interval`, without jitter.
JobOptions Every(Duration interval) {
  JobOptions options;
  options.name = "job";
  options.interval = interval;
  options.jitter = 0;
  options.timeout = 1h;
  return options;
}

// Notes the times of its runs, and does what the test says. One actor runs at a time.
struct Diary {
  JobBody Body(SimWorld& world, std::function<Result<JobDone>(const JobContext&)> work = {}) {
    return [this, &world, work = std::move(work)](const JobContext& context) -> Result<JobDone> {
      starts.push_back(world.Elapsed());
      return work ? work(context) : Result<JobDone>(JobDone{});
    };
  }
  std::vector<Duration> starts = {};
};

JobStats StatsOf(const PeriodicScheduler& scheduler) {
  const std::vector<JobStats> all = scheduler.Snapshot();
  return all.size() == 1 ? all[0] : JobStats{};
}

Error Broken(std::optional<Duration> retry_after = {}) {
  return {ErrorCode::kConnection, "broken", Delivery::kNotSent, Origin::kRemote, retry_after, {}};
}

TEST(PeriodicSchedulerTest, TicksLieOnAGridWhateverTheRunsTake) {
  Simulate([](SimWorld& world) {
    Diary diary;
    auto scheduler = NewScheduler(world.runtime());
    ASSERT_TRUE(scheduler->Add(Every(10s), diary.Body(world, [&](const JobContext&) {
      world.clock().SleepFor(3s);
      return JobDone{};
    })));
    world.clock().SleepFor(35s);
    EXPECT_THAT(diary.starts, ElementsAre(10s, 20s, 30s));
    const JobStats stats = StatsOf(*scheduler);
    EXPECT_EQ(stats.runs, 3u);
    EXPECT_EQ(stats.succeeded, 3u);
    EXPECT_EQ(stats.skipped, 0u);
    EXPECT_EQ(stats.last_duration, 3s);
    EXPECT_EQ(stats.last_outcome, "ok");
    EXPECT_EQ(stats.next_in, 5s);
  });
}

TEST(PeriodicSchedulerTest, AnInitialDelayMovesTheFirstTickAndZeroMeansNow) {
  Simulate([](SimWorld& world) {
    Diary now;
    Diary later;
    auto scheduler = NewScheduler(world.runtime());
    JobOptions options = Every(10s);
    options.initial_delay = 0s;
    options.jitter = 0.5;  // What shall start at once does not wait for it.
    ASSERT_TRUE(scheduler->Add(options, now.Body(world)));
    options = Every(10s);
    options.name = "later";
    options.initial_delay = 4s;
    ASSERT_TRUE(scheduler->Add(options, later.Body(world)));
    world.clock().SleepFor(15s);
    EXPECT_THAT(now.starts, ElementsAre(0s, 12500ms));
    EXPECT_THAT(later.starts, ElementsAre(4s, 14s));
  });
}

TEST(PeriodicSchedulerTest, JitterDelaysATickWithinItsShareAndDoesNotAddUp) {
  Simulate([](SimWorld& world) {
    FixedRandom random({0.0, 0.25, 0.99});
    Diary diary;
    auto scheduler =
        NewScheduler(Runtime{world.clock(), world.executor(), random, world.logger, world.events});
    JobOptions options = Every(10s);
    options.jitter = 0.2;
    ASSERT_TRUE(scheduler->Add(options, diary.Body(world)));
    world.clock().SleepFor(1005s);
    ASSERT_THAT(diary.starts, SizeIs(100));
    bool jittered = false;
    for (std::size_t i = 0; i < diary.starts.size(); ++i) {
      const Duration tick = 10s * static_cast<int>(i + 1);
      EXPECT_THAT(diary.starts[i], AllOf(Ge(tick), Lt(tick + 2s)));
      jittered = jittered || diary.starts[i] != tick;
    }
    EXPECT_TRUE(jittered);
  });
}

TEST(PeriodicSchedulerTest, ATickThatFindsTheJobRunningIsSkipped) {
  Simulate([](SimWorld& world) {
    Diary diary;
    auto scheduler = NewScheduler(world.runtime());
    ASSERT_TRUE(scheduler->Add(Every(10s), diary.Body(world, [&](const JobContext&) {
      world.clock().SleepFor(25s);
      return JobDone{};
    })));
    world.clock().SleepFor(65s);
    EXPECT_THAT(diary.starts, ElementsAre(10s, 40s));  // Until 35 s and 65 s.
    EXPECT_EQ(StatsOf(*scheduler).skipped, 4u);
  });
}

TEST(PeriodicSchedulerTest, AQueuedTickRunsOnceWhenTheRunHasEnded) {
  Simulate([](SimWorld& world) {
    Diary diary;
    auto scheduler = NewScheduler(world.runtime());
    JobOptions options = Every(10s);
    options.overlap = Overlap::kQueueOne;
    ASSERT_TRUE(scheduler->Add(options, diary.Body(world, [&](const JobContext& context) {
      if (context.run == 1) world.clock().SleepFor(25s);
      return JobDone{};
    })));
    world.clock().SleepFor(45s);
    EXPECT_THAT(diary.starts, ElementsAre(10s, 35s, 40s));  // Ticks at 20 s and 30 s: one run.
    EXPECT_EQ(StatsOf(*scheduler).skipped, 1u);
  });
}

TEST(PeriodicSchedulerTest, ARunIsToldToStopExactlyAtItsDeadline) {
  Simulate([](SimWorld& world) {
    Diary diary;
    Duration stopped_at{};
    auto scheduler = NewScheduler(world.runtime());
    JobOptions options = Every(10s);
    options.timeout = 3s;
    ASSERT_TRUE(scheduler->Add(options,
                               diary.Body(world, [&](const JobContext& context) -> Result<JobDone> {
                                 EXPECT_EQ(context.deadline.point().time_since_epoch(), 13s);
                                 world.clock().SleepUntil(kNever, context.stop);
                                 stopped_at = world.Elapsed();
                                 return JobDone{};
                               })));
    world.clock().SleepFor(15s);
    EXPECT_EQ(stopped_at, 13s);
    const JobStats stats = StatsOf(*scheduler);
    EXPECT_EQ(stats.timed_out, 1u);
    EXPECT_EQ(stats.failed, 1u);  // Although it returned a success.
    EXPECT_EQ(stats.succeeded, 0u);
    EXPECT_EQ(stats.last_outcome, "timeout");
    EXPECT_THAT(world.events.Lines("job.overdue"), ElementsAre("job.overdue job=job timeout=3s"));
    EXPECT_THAT(world.events.Lines("job.run"),
                ElementsAre("job.run duration=3s job=job outcome=timeout"));
  });
}

TEST(PeriodicSchedulerTest, ARunThatEndsJustBeforeItsDeadlineIsInTime) {
  Simulate([](SimWorld& world) {
    Diary diary;
    auto scheduler = NewScheduler(world.runtime());
    JobOptions options = Every(10s);
    options.timeout = 3s;
    ASSERT_TRUE(scheduler->Add(options, diary.Body(world, [&](const JobContext&) {
      world.clock().SleepFor(3s - 1ns);
      return JobDone{};
    })));
    world.clock().SleepFor(15s);
    EXPECT_EQ(StatsOf(*scheduler).timed_out, 0u);
    EXPECT_EQ(StatsOf(*scheduler).succeeded, 1u);
  });
}

TEST(PeriodicSchedulerTest, ARunThatIgnoresItsStopStaysTheOnlyOneAndIsShownAsOverdue) {
  Simulate([](SimWorld& world) {
    Diary diary;
    auto scheduler = NewScheduler(world.runtime());
    JobOptions options = Every(10s);
    options.timeout = 1s;
    ASSERT_TRUE(scheduler->Add(options, diary.Body(world, [&](const JobContext&) {
      world.clock().SleepFor(102s);
      return JobDone{};
    })));
    world.clock().SleepFor(55s);
    EXPECT_THAT(diary.starts, ElementsAre(10s));
    EXPECT_TRUE(StatsOf(*scheduler).overdue);
    EXPECT_EQ(StatsOf(*scheduler).timed_out, 1u);
    EXPECT_EQ(StatsOf(*scheduler).failed, 0u);  // Not yet.
    world.clock().SleepFor(60s);
    EXPECT_FALSE(StatsOf(*scheduler).overdue);
    EXPECT_EQ(StatsOf(*scheduler).failed, 1u);
    EXPECT_EQ(StatsOf(*scheduler).timed_out, 1u);
  });
}

TEST(PeriodicSchedulerTest, FailuresAreRetriedAfterAGrowingPauseUpToTheCap) {
  Simulate([](SimWorld& world) {
    Diary diary;
    auto scheduler = NewScheduler(world.runtime());
    JobOptions options = Every(1h);
    options.initial_delay = 0s;
    options.retry_base = 4s;
    options.retry_cap = 10s;
    ASSERT_TRUE(scheduler->Add(options,
                               diary.Body(world, [&](const JobContext& context) -> Result<JobDone> {
                                 if (context.run <= 4) return Broken();
                                 return JobDone{};
                               })));
    world.clock().SleepFor(40s);
    // The draw is 0.5: three quarters of 4 s, 8 s, 10 s, 10 s.
    EXPECT_THAT(diary.starts, ElementsAre(0s, 3s, 9s, 16500ms, 24s));
    const JobStats stats = StatsOf(*scheduler);
    EXPECT_EQ(stats.failed, 4u);
    EXPECT_EQ(stats.consecutive_failures, 0);
    EXPECT_EQ(stats.next_in, 1h - 16s);  // The grid starts anew at 24 s; it is 40 s.
  });
}

TEST(PeriodicSchedulerTest, AFailureWithoutRetriesWaitsForTheNextTick) {
  Simulate([](SimWorld& world) {
    Diary diary;
    auto scheduler = NewScheduler(world.runtime());
    ASSERT_TRUE(scheduler->Add(
        Every(10s),
        diary.Body(world, [&](const JobContext&) -> Result<JobDone> { return Broken(); })));
    world.clock().SleepFor(35s);
    EXPECT_THAT(diary.starts, ElementsAre(10s, 20s, 30s));
    EXPECT_EQ(StatsOf(*scheduler).consecutive_failures, 3);
    EXPECT_EQ(StatsOf(*scheduler).last_outcome, "connection");
  });
}

TEST(PeriodicSchedulerTest, AFailureIsNotRepeatedEarlierThanTheVendorAsks) {
  Simulate([](SimWorld& world) {
    Diary diary;
    auto scheduler = NewScheduler(world.runtime());
    JobOptions options = Every(10s);
    options.retry_base = 1s;
    ASSERT_TRUE(scheduler->Add(options,
                               diary.Body(world, [&](const JobContext& context) -> Result<JobDone> {
                                 if (context.run == 1) return Broken(25s);
                                 return JobDone{};
                               })));
    world.clock().SleepFor(50s);
    EXPECT_THAT(diary.starts, ElementsAre(10s, 35s, 45s));
  });
}

TEST(PeriodicSchedulerTest, AnExceptionIsAFailure) {
  Simulate([](SimWorld& world) {
    Diary diary;
    auto scheduler = NewScheduler(world.runtime());
    ASSERT_TRUE(
        scheduler->Add(Every(10s), diary.Body(world, [&](const JobContext&) -> Result<JobDone> {
          throw std::runtime_error("boom");
        })));
    world.clock().SleepFor(25s);
    EXPECT_EQ(StatsOf(*scheduler).failed, 2u);
    EXPECT_EQ(StatsOf(*scheduler).last_outcome, "internal");
  });
}

TEST(PeriodicSchedulerTest, ProcessSleepSkipsTicksInsteadOfCatchingUp) {
  TestRuntime world(FakeClock::Waits::kBlock);
  std::atomic<int> runs = 0;
  auto scheduler = NewScheduler(world.runtime());
  ASSERT_TRUE(scheduler->Add(Every(1s), [&](const JobContext&) -> Result<JobDone> {
    ++runs;
    return JobDone{};
  }));
  world.clock.AwaitSleepers(1);
  world.clock.Advance(100s);  // At once.
  while (world.events.Count("job.run") < 1) std::this_thread::yield();
  const JobStats stats = StatsOf(*scheduler);
  EXPECT_EQ(runs, 1);
  EXPECT_EQ(stats.skipped, 99u);
  EXPECT_EQ(stats.next_in, 1s);
}

TEST(PeriodicSchedulerTest, PauseAndResumeHoldATick) {
  Simulate([](SimWorld& world) {
    Diary diary;
    auto scheduler = NewScheduler(world.runtime());
    ASSERT_TRUE(scheduler->Add(Every(10s), diary.Body(world)));
    world.clock().SleepFor(15s);
    ASSERT_TRUE(scheduler->Pause("job"));
    EXPECT_TRUE(StatsOf(*scheduler).paused);
    EXPECT_EQ(StatsOf(*scheduler).next_in, std::nullopt);
    world.clock().SleepFor(60s);
    ASSERT_TRUE(scheduler->Resume("job"));
    ASSERT_TRUE(scheduler->Resume("job"));
    world.clock().SleepFor(15s);
    EXPECT_THAT(diary.starts, ElementsAre(10s, 85s));
  });
}

TEST(PeriodicSchedulerTest, RunNowRunsAtOnceAlsoWhilePaused) {
  Simulate([](SimWorld& world) {
    Diary diary;
    auto scheduler = NewScheduler(world.runtime());
    ASSERT_TRUE(scheduler->Add(Every(1h), diary.Body(world)));
    ASSERT_TRUE(scheduler->Pause("job"));
    world.clock().SleepFor(1s);
    ASSERT_TRUE(scheduler->RunNow("job"));
    world.clock().SleepFor(1s);
    EXPECT_THAT(diary.starts, ElementsAre(1s));
  });
}

TEST(PeriodicSchedulerTest, RunNowDuringARunRunsOnceMoreAfterIt) {
  Simulate([](SimWorld& world) {
    Diary diary;
    auto scheduler = NewScheduler(world.runtime());
    JobOptions options = Every(1h);
    options.initial_delay = 0s;
    ASSERT_TRUE(scheduler->Add(options, diary.Body(world, [&](const JobContext&) {
      world.clock().SleepFor(5s);
      return JobDone{};
    })));
    world.clock().SleepFor(1s);
    ASSERT_TRUE(scheduler->RunNow("job"));
    ASSERT_TRUE(scheduler->RunNow("job"));
    world.clock().SleepFor(20s);
    EXPECT_THAT(diary.starts, ElementsAre(0s, 5s));
  });
}

TEST(PeriodicSchedulerTest, ARemovedJobIsToldToStopAndKeepsItsNameUntilItHas) {
  Simulate([](SimWorld& world) {
    Diary diary;
    auto scheduler = NewScheduler(world.runtime());
    JobOptions options = Every(10s);
    options.initial_delay = 0s;
    const JobBody body = diary.Body(world, [&](const JobContext& context) -> Result<JobDone> {
      world.clock().SleepUntil(kNever, context.stop);
      world.clock().SleepFor(2s);
      return Error{.code = ErrorCode::kCancelled};
    });
    ASSERT_TRUE(scheduler->Add(options, body));
    world.clock().SleepFor(1s);
    ASSERT_TRUE(scheduler->Remove("job"));
    EXPECT_EQ(scheduler->Remove("job").error().code, ErrorCode::kNotFound);
    EXPECT_THAT(scheduler->Snapshot(), SizeIs(0));
    EXPECT_FALSE(scheduler->Add(options, body));
    world.clock().SleepFor(3s);
    EXPECT_THAT(world.events.Lines("job.run"),
                ElementsAre("job.run duration=3s job=job outcome=cancelled"));
    EXPECT_TRUE(scheduler->Add(options, body));
  });
}

TEST(PeriodicSchedulerTest, StopWaitsForRunsThatHeedIt) {
  Simulate([](SimWorld& world) {
    Diary diary;
    auto scheduler = NewScheduler(world.runtime());
    JobOptions options = Every(10s);
    options.initial_delay = 0s;
    ASSERT_TRUE(scheduler->Add(options,
                               diary.Body(world, [&](const JobContext& context) -> Result<JobDone> {
                                 world.clock().SleepUntil(kNever, context.stop);
                                 world.clock().SleepFor(2s);
                                 return Error{.code = ErrorCode::kCancelled};
                               })));
    world.clock().SleepFor(1s);
    EXPECT_TRUE(scheduler->Stop(5s));
    EXPECT_EQ(world.Elapsed(), 3s);
    EXPECT_EQ(StatsOf(*scheduler).cancelled, 1u);
    EXPECT_FALSE(scheduler->Add(Every(1s), diary.Body(world)));
    world.clock().SleepFor(60s);
    EXPECT_THAT(diary.starts, SizeIs(1));
  });
}

TEST(PeriodicSchedulerTest, StopGivesUpAfterItsGraceAndNamesTheJob) {
  Simulate([](SimWorld& world) {
    Diary diary;
    auto scheduler = NewScheduler(world.runtime());
    JobOptions options = Every(10s);
    options.initial_delay = 0s;
    ASSERT_TRUE(scheduler->Add(options, diary.Body(world, [&](const JobContext&) {
      world.clock().SleepFor(60s);
      return JobDone{};
    })));
    world.clock().SleepFor(1s);
    const auto stopped = scheduler->Stop(5s);
    EXPECT_EQ(world.Elapsed(), 6s);
    ASSERT_FALSE(stopped);
    EXPECT_EQ(stopped.error().code, ErrorCode::kTimeout);
    EXPECT_THAT(stopped.error().message, HasSubstr("within 5s: job"));
    scheduler.reset();  // Joins.
    EXPECT_EQ(world.Elapsed(), 60s);
  });
}

TEST(PeriodicSchedulerTest, TheBeatAgesOnlyAsFarAsTheHeartbeat) {
  Simulate([](SimWorld& world) {
    auto scheduler = PeriodicScheduler::Create(world.runtime(), {.heartbeat = 10s}).value();
    Duration oldest{0};
    for (int i = 0; i < 100; ++i) {
      world.clock().SleepFor(1s);
      oldest = std::max(oldest, scheduler->SinceBeat());
    }
    EXPECT_LE(oldest, 10s);
    EXPECT_GE(oldest, 9s);
    EXPECT_TRUE(scheduler->Stop(0s));
    world.clock().SleepFor(60s);
    EXPECT_GE(scheduler->SinceBeat(), 60s);
  });
}

struct BadJob {
  std::string name;
  std::function<void(JobOptions&)> spoil;
  std::string problem;
};

class BadJobTest : public testing::TestWithParam<BadJob> {};

TEST_P(BadJobTest, IsRefused) {
  TestRuntime world(FakeClock::Waits::kBlock);
  auto scheduler = NewScheduler(world.runtime());
  JobOptions options = Every(10s);
  GetParam().spoil(options);
  const auto added = scheduler->Add(options, [](const JobContext&) { return JobDone{}; });
  ASSERT_FALSE(added);
  EXPECT_EQ(added.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(added.error().message, HasSubstr(GetParam().problem));
}

INSTANTIATE_TEST_SUITE_P(
    PeriodicScheduler, BadJobTest,
    testing::Values(
        BadJob{"NoName", [](JobOptions& job) { job.name = ""; }, "name must be"},
        BadJob{"NameWithSpace", [](JobOptions& job) { job.name = "a b"; }, "name must be"},
        BadJob{"NameTooLong", [](JobOptions& job) { job.name = std::string(65, 'a'); }, "name"},
        BadJob{"IntervalZero", [](JobOptions& job) { job.interval = 0s; }, "interval is"},
        BadJob{"IntervalTooLong", [](JobOptions& job) { job.interval = 24h * 367; }, "interval is"},
        BadJob{"DelayNegative", [](JobOptions& job) { job.initial_delay = -1s; }, "initial_delay"},
        BadJob{"JitterOne", [](JobOptions& job) { job.jitter = 1; }, "jitter is"},
        BadJob{"JitterNaN",
               [](JobOptions& job) { job.jitter = std::numeric_limits<double>::quiet_NaN(); },
               "jitter is"},
        BadJob{"TimeoutZero", [](JobOptions& job) { job.timeout = 0s; }, "timeout is"},
        BadJob{"RetryBaseZero", [](JobOptions& job) { job.retry_base = 0s; }, "retry_base is"},
        BadJob{"RetryBaseAboveCap", [](JobOptions& job) { job.retry_base = 1h; }, "retry_base is"}),
    [](const auto& test) { return test.param.name; });

TEST(PeriodicSchedulerTest, RefusesNamesTwiceTooManyJobsAndUnknownNames) {
  TestRuntime world(FakeClock::Waits::kBlock);
  auto scheduler = PeriodicScheduler::Create(world.runtime(), {.jobs_max = 1}).value();
  const JobBody body = [](const JobContext&) { return JobDone{}; };
  ASSERT_TRUE(scheduler->Add(Every(1s), body));
  EXPECT_THAT(scheduler->Add(Every(1s), body).error().message, HasSubstr("in use"));
  JobOptions other = Every(1s);
  other.name = "other";
  EXPECT_THAT(scheduler->Add(other, body).error().message, HasSubstr("jobs_max"));
  EXPECT_THAT(scheduler->Add(other, nullptr).error().message, HasSubstr("no body"));
  EXPECT_EQ(scheduler->Pause("other").error().code, ErrorCode::kNotFound);
  EXPECT_EQ(scheduler->Resume("other").error().code, ErrorCode::kNotFound);
  EXPECT_EQ(scheduler->RunNow("other").error().code, ErrorCode::kNotFound);
  EXPECT_FALSE(PeriodicScheduler::Create(world.runtime(), {.jobs_max = 0}));
  EXPECT_FALSE(PeriodicScheduler::Create(world.runtime(), {.heartbeat = 0s}));
}

// The uses that the middleware has for it.

TEST(PeriodicSchedulerTest, QS8_RefreshesATokenBeforeItExpiresAndSoonAfterAFailure) {
  Simulate([](SimWorld& world) {
    struct FakeTokens {
      TimePoint expires_at = {};
      int refreshes = 0;
      bool vendor_down = false;
    } tokens;
    auto scheduler = NewScheduler(world.runtime());
    JobOptions options = Every(1h);
    options.name = "token.refresh";
    options.initial_delay = 0s;
    options.retry_base = 10s;
    ASSERT_TRUE(scheduler->Add(options, [&](const JobContext&) -> Result<JobDone> {
      if (tokens.vendor_down) return Broken();
      ++tokens.refreshes;
      tokens.expires_at = SaturatingAdd(world.clock().Now(), 10min);
      return JobDone{.next_in = 8min};  // Two minutes early.
    }));
    for (int minute = 0; minute < 60; ++minute) {
      world.clock().SleepFor(1min);
      tokens.vendor_down = minute == 15;  // From 16:00 to 17:00, when one refresh is due.
      EXPECT_GT(tokens.expires_at, world.clock().Now()) << "minute " << minute;
    }
    EXPECT_EQ(tokens.refreshes, 8);
  });
}

TEST(PeriodicSchedulerTest, QS8_DropsOldAuditRecordsInBoundedPieces) {
  Simulate([](SimWorld& world) {
    std::map<TimePoint, int> records;
    for (int i = 0; i < 2500; ++i) records[TimePoint(1s * i)] = i;
    auto scheduler = NewScheduler(world.runtime());
    JobOptions options = Every(1h);
    options.name = "audit.retention";
    options.timeout = 5min;
    ASSERT_TRUE(scheduler->Add(options, [&](const JobContext& context) -> Result<JobDone> {
      const TimePoint limit = SaturatingAdd(world.clock().Now(), -30min);
      int dropped = 0;
      while (!records.empty() && records.begin()->first < limit && !context.stop.stop_requested()) {
        records.erase(records.begin());
        // Much is left: go on after a pause that lets others at the table.
        if (++dropped == 1000) return JobDone{.next_in = 1s};
      }
      return JobDone{};
    }));
    world.clock().SleepFor(1h + 5s);
    ASSERT_FALSE(records.empty());
    EXPECT_GE(records.begin()->first, TimePoint(30min));
    EXPECT_EQ(StatsOf(*scheduler).runs, 2u);
  });
}

TEST(PeriodicSchedulerTest, QS8_PollsAVendorWithoutWebhooksAndRespectsItsQuota) {
  Simulate([](SimWorld& world) {
    std::vector<int> fetched;
    std::vector<Duration> polls;
    auto scheduler = NewScheduler(world.runtime());
    JobOptions options = Every(30s);
    options.name = "poll.orders";
    options.retry_base = 1s;
    ASSERT_TRUE(scheduler->Add(options, [&](const JobContext& context) -> Result<JobDone> {
      polls.push_back(world.Elapsed());
      if (context.run == 2) return Broken(90s);  // 429 with Retry-After: 90
      fetched.push_back(static_cast<int>(context.run));
      return JobDone{};
    }));
    world.clock().SleepFor(190s);
    EXPECT_THAT(polls, ElementsAre(30s, 60s, 150s, 180s));
    EXPECT_THAT(fetched, ElementsAre(1, 3, 4));
  });
}

TEST(PeriodicSchedulerTest, NoScheduleMakesAJobOverlapItselfOrHang) {
  harness::WorkerPool pool;
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    Simulate(pool, seed, [](SimWorld& world) {
      auto scheduler = NewScheduler(world.runtime());
      int inside = 0;
      int runs = 0;
      JobOptions options = Every(10ms);
      options.overlap = Overlap::kQueueOne;
      options.timeout = 8ms;
      options.retry_base = 1ms;
      const JobBody body = [&](const JobContext& context) -> Result<JobDone> {
        EXPECT_EQ(++inside, 1);
        ++runs;
        world.clock().SleepUntil(SaturatingAdd(world.clock().Now(), 1ms * (context.run % 12)),
                                 context.stop);
        --inside;
        if (context.run % 3 == 0) return Broken();
        return JobDone{};
      };
      ASSERT_TRUE(scheduler->Add(options, body));
      Task meddler = world.executor().Spawn("meddler", [&](const std::stop_token&) {
        for (int i = 0; i < 10; ++i) {
          static_cast<void>(scheduler->RunNow("job"));
          world.clock().SleepFor(7ms);
          static_cast<void>(i % 2 == 0 ? scheduler->Pause("job") : scheduler->Resume("job"));
          if (i == 5) static_cast<void>(scheduler->Remove("job"));
          if (i > 5) static_cast<void>(scheduler->Add(options, body));
        }
      });
      meddler.Join();
      EXPECT_TRUE(scheduler->Stop(1s));
      EXPECT_EQ(inside, 0);
      EXPECT_GT(runs, 5);
    });
    ASSERT_FALSE(HasFailure()) << "seed " << seed;
  }
}

}  // namespace
}  // namespace understudy::test
