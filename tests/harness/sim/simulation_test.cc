#include "harness/sim/simulation.h"

#include <set>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "harness/plan/lane.h"
#include "harness/plan/seeded_random.h"
#include "middleware/base/text.h"

namespace understudy::harness {
namespace {

using namespace std::chrono_literals;  // NOLINT: literals
using ::testing::ElementsAre;
using ::testing::HasSubstr;

// What happened, in order; only the running actor writes, so no lock.
using Trace = std::vector<std::string>;

// Eight actors that sleep for drawn times and share a queue: enough to interleave in many ways.
Trace RunBusyWorld(std::uint64_t seed, Scheduler scheduler, WorkerPool& pool) {
  Trace trace;
  Simulation sim({.seed = seed, .scheduler = scheduler}, pool);
  SeededRandom random(seed);
  Mutex mutex;
  CondVar changed("turn taken");
  int turns = 0;
  const auto report = sim.Run([&] {
    std::vector<Task> tasks;
    for (int i = 0; i < 8; ++i) {
      tasks.push_back(
          sim.executor().Spawn("actor-" + std::to_string(i), [&](const std::stop_token&) {
            for (int round = 0; round < 3; ++round) {
              sim.clock().SleepFor(random.Between("pause", 0ms, 20ms));
              const MutexLock lock(mutex);
              ++turns;
              trace.push_back(CurrentLane().name + "@" +
                              FormatDuration(sim.clock().Now().time_since_epoch()));
              changed.NotifyAll();
            }
          }));
    }
    const MutexLock lock(mutex);
    sim.clock().AwaitUntil(mutex, changed, kNever, [&] { return turns == 24; });
  });
  EXPECT_EQ(report.end, SimulationEnd::kFinished) << report.detail;
  return trace;
}

TEST(SimulationTest, SameSeedGivesTheSameRunFor200Seeds) {
  WorkerPool pool;
  std::set<Trace> different;
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    const Trace first = RunBusyWorld(seed, Scheduler::kRandom, pool);
    ASSERT_EQ(first, RunBusyWorld(seed, Scheduler::kRandom, pool)) << "seed " << seed;
    different.insert(first);
  }
  EXPECT_GT(different.size(), 190U) << "seeds must differ from each other";
}

TEST(SimulationTest, EverySchedulerIsDeterministic) {
  WorkerPool pool;
  for (const Scheduler scheduler :
       {Scheduler::kRoundRobin, Scheduler::kRandom, Scheduler::kPct, Scheduler::kUrw}) {
    for (std::uint64_t seed = 1; seed <= 5; ++seed) {
      EXPECT_EQ(RunBusyWorld(seed, scheduler, pool), RunBusyWorld(seed, scheduler, pool));
    }
  }
}

TEST(SimulationTest, ADayPassesWithoutWaiting) {
  WorkerPool pool;
  Simulation sim({}, pool);
  const auto report = sim.Run([&] { sim.clock().SleepFor(24h); });
  EXPECT_EQ(report.end, SimulationEnd::kFinished);
  EXPECT_EQ(report.ended_at.time_since_epoch(), 24h);
}

TEST(SimulationTest, TimeMovesOnlyWhenAllAreParked) {
  WorkerPool pool;
  Simulation sim({}, pool);
  Trace trace;
  sim.Run([&] {
    Task task = sim.executor().Spawn("worker", [&](const std::stop_token&) {
      for (int i = 0; i < 100; ++i) sim.Yield();
      trace.push_back("worker@" + FormatDuration(sim.clock().Now().time_since_epoch()));
    });
    sim.clock().SleepFor(1s);
    trace.push_back("main@" + FormatDuration(sim.clock().Now().time_since_epoch()));
  });
  EXPECT_THAT(trace, ElementsAre("worker@0ms", "main@1s"));
}

TEST(SimulationTest, WallClockStartsWhereTheOptionsSay) {
  WorkerPool pool;
  const SystemTime start{std::chrono::sys_days(std::chrono::January / 1 / 2026)};
  Simulation sim({.start = start}, pool);
  sim.Run([&] {
    sim.clock().SleepFor(90s);
    EXPECT_EQ(sim.clock().SystemNow(), start + 90s);
  });
}

TEST(SimulationTest, AwaitTimesOutAtTheDeadline) {
  WorkerPool pool;
  Simulation sim({}, pool);
  sim.Run([&] {
    Mutex mutex;
    CondVar never("something that does not happen");
    const MutexLock lock(mutex);
    EXPECT_FALSE(
        sim.clock().AwaitUntil(mutex, never, sim.clock().Now() + 3s, [] { return false; }));
    EXPECT_EQ(sim.clock().Now().time_since_epoch(), 3s);
  });
}

TEST(SimulationTest, StopRequestEndsASleep) {
  WorkerPool pool;
  Simulation sim({}, pool);
  sim.Run([&] {
    bool slept_through = true;
    Task sleeper = sim.executor().Spawn("sleeper", [&](const std::stop_token& stop) {
      slept_through = sim.clock().SleepUntil(sim.clock().Now() + 1h, stop);
    });
    sim.clock().SleepFor(1s);
    sleeper.RequestStop();
    sleeper.Join();
    EXPECT_FALSE(slept_through);
    EXPECT_EQ(sim.clock().Now().time_since_epoch(), 1s);
  });
}

TEST(SimulationTest, DeadlockIsReportedWithWhoWaitsForWhat) {
  WorkerPool pool;
  Simulation sim({}, pool);
  const auto report = sim.Run([&] {
    Mutex mutex;
    CondVar token("a token nobody publishes");
    Task waiter = sim.executor().Spawn("caller-7", [&](const std::stop_token&) {
      sim.clock().SleepFor(2s);
      const MutexLock lock(mutex);
      sim.clock().AwaitUntil(mutex, token, kNever, [] { return false; });
    });
    waiter.Join();
  });
  EXPECT_EQ(report.end, SimulationEnd::kDeadlock);
  EXPECT_THAT(report.detail, HasSubstr("caller-7 waits for a token nobody publishes, since 2s"));
  EXPECT_THAT(report.detail, HasSubstr("main waits for the end of caller-7"));
}

TEST(SimulationTest, AForgottenNotifyIsADeadlockAndNotHiddenByPolling) {
  WorkerPool pool;
  Simulation sim({}, pool);
  const auto report = sim.Run([&] {
    Mutex mutex;
    CondVar ready("ready");
    bool done = false;
    Task waiter = sim.executor().Spawn("waiter", [&](const std::stop_token&) {
      const MutexLock lock(mutex);
      sim.clock().AwaitUntil(mutex, ready, kNever, [&] { return done; });
    });
    sim.clock().SleepFor(1s);
    {
      const MutexLock lock(mutex);
      done = true;  // and nobody is told
    }
    waiter.Join();
  });
  EXPECT_EQ(report.end, SimulationEnd::kDeadlock);
}

TEST(SimulationTest, HoldingAMutexAcrossASleepIsReported) {
  WorkerPool pool;
  Simulation sim({}, pool);
  const auto report = sim.Run([&] {
    Mutex mutex;
    const MutexLock lock(mutex);
    sim.clock().SleepFor(1s);
  });
  EXPECT_EQ(report.end, SimulationEnd::kHeldMutex);
  EXPECT_THAT(report.detail, HasSubstr("main holds a mutex across a wait for the clock"));
}

TEST(SimulationTest, HoldingASecondMutexAcrossAnAwaitIsReported) {
  WorkerPool pool;
  Simulation sim({}, pool);
  const auto report = sim.Run([&] {
    Mutex outer;
    Mutex inner;
    CondVar condition("inner condition");
    const MutexLock outer_lock(outer);
    const MutexLock inner_lock(inner);
    sim.clock().AwaitUntil(inner, condition, sim.clock().Now() + 1s, [] { return false; });
  });
  EXPECT_EQ(report.end, SimulationEnd::kHeldMutex);
  EXPECT_THAT(report.detail, HasSubstr("inner condition"));
}

TEST(SimulationTest, VirtualTimeCeilingEndsTheRun) {
  WorkerPool pool;
  Simulation sim({.limit = 1h}, pool);
  const auto report = sim.Run([&] {
    for (;;) sim.clock().SleepFor(10min);
  });
  EXPECT_EQ(report.end, SimulationEnd::kTimeLimit);
  EXPECT_EQ(report.ended_at.time_since_epoch(), 1h);
}

TEST(SimulationTest, EndlessYieldingIsALivelock) {
  WorkerPool pool;
  Simulation sim({.switches_max = 1000}, pool);
  const auto report = sim.Run([&] {
    Task other = sim.executor().Spawn("spinner", [&](const std::stop_token&) {
      for (;;) sim.Yield();
    });
    for (;;) sim.Yield();
  });
  EXPECT_EQ(report.end, SimulationEnd::kLivelock);
}

TEST(SimulationTest, AnEndedRunUnwindsEveryActorThroughItsDestructors) {
  WorkerPool pool;
  Simulation sim({}, pool);
  int unwound = 0;
  struct Counter {
    int& count;
    ~Counter() { ++count; }
  };
  const auto report = sim.Run([&] {
    const Counter main_counter{unwound};
    std::vector<Task> tasks;
    for (int i = 0; i < 5; ++i) {
      tasks.push_back(sim.executor().Spawn("stuck", [&](const std::stop_token&) {
        const Counter counter{unwound};
        sim.clock().SleepUntil(kNever);
      }));
    }
    for (Task& task : tasks) task.Join();
  });
  EXPECT_EQ(report.end, SimulationEnd::kDeadlock);
  EXPECT_EQ(unwound, 6);
}

TEST(SimulationTest, ExceptionsInFlightSurviveASwitch) {
  WorkerPool pool;
  Simulation sim({.seed = 7}, pool);
  Trace caught;
  sim.Run([&] {
    std::vector<Task> tasks;
    for (int i = 0; i < 4; ++i) {
      tasks.push_back(sim.executor().Spawn("thrower", [&, i](const std::stop_token&) {
        try {
          try {
            throw std::to_string(i);
          } catch (const std::string&) {
            sim.clock().SleepFor(Duration(1ms) * (4 - i));
            throw;
          }
        } catch (const std::string& mine) {
          EXPECT_EQ(mine, std::to_string(i));
          caught.push_back(mine);
        }
      }));
    }
  });
  EXPECT_EQ(caught.size(), 4U);
}

TEST(SimulationTest, ThePlantedCheckThenActRaceIsFound) {
  // Two actors read, wait at a lock and write: only a switch between check and act shows the bug.
  WorkerPool pool;
  int seeds_that_found_it = 0;
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    Simulation sim({.seed = seed}, pool);
    Mutex mutex;
    int refreshes = 0;
    bool valid = false;
    sim.Run([&] {
      const auto refresh_if_needed = [&](const std::stop_token&) {
        bool seen = false;
        {
          const MutexLock lock(mutex);
          seen = valid;
        }
        if (seen) return;
        const MutexLock lock(mutex);
        ++refreshes;
        valid = true;
      };
      Task a = sim.executor().Spawn("a", refresh_if_needed);
      Task b = sim.executor().Spawn("b", refresh_if_needed);
    });
    if (refreshes == 2) ++seeds_that_found_it;
  }
  EXPECT_GT(seeds_that_found_it, 0);
  EXPECT_LT(seeds_that_found_it, 50);
}

TEST(SimulationTest, FiveHundredActorsFinish) {
  WorkerPool pool;
  Simulation sim({.seed = 3}, pool);
  int finished = 0;
  const auto report = sim.Run([&] {
    std::vector<Task> tasks;
    for (int i = 0; i < 500; ++i) {
      tasks.push_back(
          sim.executor().Spawn("caller-" + std::to_string(i), [&](const std::stop_token&) {
            sim.clock().SleepFor(10ms);
            ++finished;
          }));
    }
    for (Task& task : tasks) task.Join();
  });
  EXPECT_EQ(report.end, SimulationEnd::kFinished);
  EXPECT_EQ(finished, 500);
  EXPECT_EQ(report.ended_at.time_since_epoch(), 10ms);
}

}  // namespace
}  // namespace understudy::harness
