#include "middleware/runtime/task_group.h"

#include <chrono>
#include <cstdint>
#include <functional>

#include <gtest/gtest.h>

#include "tests/support/sim_world.h"

namespace understudy::test {
namespace {

using namespace std::chrono_literals;  // NOLINT: literals

TEST(TaskGroupTest, RunsBodiesAtOnceAndForgetsThemWhenTheyHaveEnded) {
  Simulate([](SimWorld& world) {
    TaskGroup group(world.clock(), world.executor());
    int ended = 0;
    for (int i = 0; i < 3; ++i) {
      group.Spawn("body", [&] {
        world.clock().SleepFor(1s);
        ++ended;
      });
    }
    EXPECT_EQ(group.running(), 3u);
    EXPECT_TRUE(group.AwaitIdle(kNever));
    EXPECT_EQ(ended, 3);
    EXPECT_EQ(world.Elapsed(), 1s);
    group.Reap();
    EXPECT_EQ(group.running(), 0u);
  });
}

TEST(TaskGroupTest, AwaitIdleGivesUpAtItsDeadlineAndTheDestructorWaits) {
  Simulate([](SimWorld& world) {
    bool ended = false;
    {
      TaskGroup group(world.clock(), world.executor());
      group.Spawn("body", [&] {
        world.clock().SleepFor(10s);
        ended = true;
      });
      EXPECT_FALSE(group.AwaitIdle(SaturatingAdd(world.clock().Now(), 1s)));
      EXPECT_EQ(world.Elapsed(), 1s);
      EXPECT_FALSE(ended);
    }
    EXPECT_TRUE(ended);
    EXPECT_EQ(world.Elapsed(), 10s);
  });
}

TEST(TaskGroupTest, ABodyMayStartAnother) {
  harness::WorkerPool pool;
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    Simulate(pool, seed, [](SimWorld& world) {
      int runs = 0;
      TaskGroup group(world.clock(), world.executor());
      std::function<void()> body = [&] {
        if (++runs < 5) group.Spawn("next", body);
      };
      group.Spawn("first", body);
      EXPECT_TRUE(group.AwaitIdle(kNever));
      EXPECT_EQ(runs, 5);
    });
  }
}

}  // namespace
}  // namespace understudy::test
