#include "middleware/base/mutex.h"

#include <gtest/gtest.h>

namespace understudy {
namespace {

class CountingHook final : public SchedulerHook {
 public:
  void BeforeLock() override { ++calls; }
  int calls = 0;
};

class CountingWaiter final : public CondVar::Waiter {
 public:
  void Wake() override { ++wakes; }
  int wakes = 0;
};

TEST(MutexTest, CountsWhatTheThreadHolds) {
  Mutex outer;
  Mutex inner;
  EXPECT_EQ(HeldMutexCount(), 0);
  {
    const MutexLock outer_lock(outer);
    const MutexLock inner_lock(inner);
    EXPECT_EQ(HeldMutexCount(), 2);
  }
  EXPECT_EQ(HeldMutexCount(), 0);
}

TEST(MutexTest, AsksTheSchedulerOnlyBeforeTheOutermostLock) {
  CountingHook hook;
  SchedulerHook* const previous = SetSchedulerHook(&hook);
  {
    Mutex outer;
    Mutex inner;
    const MutexLock outer_lock(outer);
    const MutexLock inner_lock(inner);
  }
  SetSchedulerHook(previous);
  EXPECT_EQ(hook.calls, 1);
}

TEST(CondVarTest, WakesRegisteredWaitersOnly) {
  CondVar condition;
  CountingWaiter registered;
  CountingWaiter gone;
  condition.Register(registered);
  condition.Register(gone);
  condition.Unregister(gone);
  condition.NotifyAll();
  condition.Unregister(registered);
  condition.NotifyAll();
  EXPECT_EQ(registered.wakes, 1);
  EXPECT_EQ(gone.wakes, 0);
}

TEST(CondVarDeathTest, DestroyingOneThatIsAwaitedAborts) {
  EXPECT_DEATH(
      {
        CountingWaiter waiter;
        CondVar condition;
        condition.Register(waiter);
      },
      "destroyed while somebody waits");
}

}  // namespace
}  // namespace understudy
