#include "harness/server/connection_threads.h"

#include <future>

#include <gtest/gtest.h>

namespace understudy::harness {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(ConnectionThreadsTest, RunsJobsSideBySideUpToTheLimit) {
  ConnectionThreads threads(2);
  std::promise<void> release;
  const std::shared_future<void> released(release.get_future());
  EXPECT_TRUE(threads.TryRun([released] { released.wait(); }));
  EXPECT_TRUE(threads.TryRun([released] { released.wait(); }));
  EXPECT_FALSE(threads.TryRun([] {}));
  release.set_value();
  EXPECT_TRUE(threads.AwaitIdle(seconds(10)));
  EXPECT_TRUE(threads.TryRun([] {}));
}

TEST(ConnectionThreadsTest, ReusesAnIdleThread) {
  ConnectionThreads threads(8);
  std::thread::id first;
  std::thread::id second;
  threads.TryRun([&] { first = std::this_thread::get_id(); });
  ASSERT_TRUE(threads.AwaitIdle(seconds(10)));
  threads.TryRun([&] { second = std::this_thread::get_id(); });
  ASSERT_TRUE(threads.AwaitIdle(seconds(10)));
  EXPECT_EQ(first, second);
}

TEST(ConnectionThreadsTest, SaysThatAJobIsStillRunning) {
  ConnectionThreads threads(1);
  std::promise<void> release;
  threads.TryRun([released = release.get_future().share()] { released.wait(); });
  EXPECT_FALSE(threads.AwaitIdle(milliseconds(1)));
  release.set_value();
}

TEST(ConnectionThreadsTest, IsIdleBeforeTheFirstJob) {
  EXPECT_TRUE(ConnectionThreads(1).AwaitIdle(milliseconds(0)));
}

}  // namespace
}  // namespace understudy::harness
