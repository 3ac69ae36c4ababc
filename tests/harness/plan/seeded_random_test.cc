#include "harness/plan/seeded_random.h"

#include <string>

#include <gtest/gtest.h>

#include "harness/plan/lane.h"

namespace understudy::harness {
namespace {

TEST(SeededRandomTest, TheSameSeedGivesTheSameValues) {
  SeededRandom a(7);
  SeededRandom b(7);
  SeededRandom other(8);
  for (int i = 0; i < 10; ++i) {
    const auto value = a.Next("x");
    EXPECT_EQ(value, b.Next("x"));
    EXPECT_NE(value, other.Next("x"));
  }
}

TEST(SeededRandomTest, ADrawElsewhereChangesNothing) {
  SeededRandom a(7);
  SeededRandom b(7);
  static_cast<void>(b.Next("somewhere else"));
  {
    const LaneScope lane({.name = "another actor"});
    static_cast<void>(b.Next("x"));
  }
  EXPECT_EQ(a.Next("x"), b.Next("x"));
}

TEST(SeededRandomTest, LanesDrawApart) {
  SeededRandom random(7);
  const auto outside = random.Next("x");
  const LaneScope lane({.name = "caller-1"});
  EXPECT_NE(random.Next("x"), outside);
}

TEST(SeededRandomTest, SitesBeyondTheBoundStillDraw) {
  SeededRandom random(7);
  for (std::size_t i = 0; i < SeededRandom::kCountersMax; ++i) {
    static_cast<void>(random.Next(std::to_string(i)));
  }
  const auto first = random.Next("one more");
  EXPECT_NE(random.Next("one more"), first);
}

}  // namespace
}  // namespace understudy::harness
