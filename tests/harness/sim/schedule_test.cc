#include "harness/sim/schedule.h"

#include <map>

#include <gtest/gtest.h>

namespace understudy::harness {
namespace {

std::vector<Schedule::Candidate> ThreeCandidates() {
  return {{1, "a", 0}, {2, "b", 0}, {3, "c", 0}};
}

TEST(ScheduleTest, RoundRobinTakesTheFirst) {
  Schedule schedule(Scheduler::kRoundRobin, 42, 3, {});
  for (int i = 0; i < 10; ++i) EXPECT_EQ(schedule.Choose(ThreeCandidates()), 0U);
  EXPECT_FALSE(schedule.PreemptBeforeLock());
}

TEST(ScheduleTest, RandomReachesEveryCandidate) {
  Schedule schedule(Scheduler::kRandom, 42, 3, {});
  std::map<std::size_t, int> chosen;
  for (int i = 0; i < 300; ++i) ++chosen[schedule.Choose(ThreeCandidates())];
  EXPECT_EQ(chosen.size(), 3U);
  for (const auto& [index, times] : chosen) EXPECT_GT(times, 50) << index;
}

TEST(ScheduleTest, PctKeepsToItsPriorityBetweenChangePoints) {
  Schedule schedule(Scheduler::kPct, 42, 0, {});
  const std::size_t first = schedule.Choose(ThreeCandidates());
  for (int i = 0; i < 50; ++i) EXPECT_EQ(schedule.Choose(ThreeCandidates()), first);
}

TEST(ScheduleTest, PctChangesItsMindAtMostAsOftenAsAllowed) {
  Schedule schedule(Scheduler::kPct, 42, 2, {{"a", 30}, {"b", 30}, {"c", 30}});
  int changes = 0;
  std::size_t last = schedule.Choose(ThreeCandidates());
  for (int i = 0; i < 200; ++i) {
    const std::size_t next = schedule.Choose(ThreeCandidates());
    changes += next == last ? 0 : 1;
    last = next;
  }
  EXPECT_GE(changes, 1);
  EXPECT_LE(changes, 2);
}

TEST(ScheduleTest, UrwPrefersTheActorWithMoreWorkLeft) {
  Schedule schedule(Scheduler::kUrw, 42, 0, {{"a", 1000}, {"b", 10}, {"c", 10}});
  int first = 0;
  for (int i = 0; i < 200; ++i) first += schedule.Choose(ThreeCandidates()) == 0U ? 1 : 0;
  EXPECT_GT(first, 170);
}

}  // namespace
}  // namespace understudy::harness
