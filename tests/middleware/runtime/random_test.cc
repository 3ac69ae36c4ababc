#include "middleware/runtime/random.h"

#include <deque>
#include <regex>

#include <gtest/gtest.h>

namespace understudy {
namespace {

using namespace std::chrono_literals;  // NOLINT: literals

class Scripted final : public Random {
 public:
  explicit Scripted(std::deque<std::uint64_t> values) : values_(std::move(values)) {}
  std::uint64_t Next(std::string_view) override {
    const std::uint64_t value = values_.front();
    if (values_.size() > 1) values_.pop_front();
    return value;
  }

 private:
  std::deque<std::uint64_t> values_;
};

TEST(RandomTest, UnitIntervalExcludesOne) {
  EXPECT_EQ(Scripted({0}).UnitInterval("x"), 0.0);
  EXPECT_LT(Scripted({~std::uint64_t{0}}).UnitInterval("x"), 1.0);
}

TEST(RandomTest, BelowDrawsAgainInsteadOfFavouringSmallValues) {
  // 2^64 mod 3 is 1, so the value 0 is the unfair one.
  EXPECT_EQ(Scripted({0, 5}).Below("x", 3), 2U);
  EXPECT_EQ(Scripted({7}).Below("x", 0), 0U);
}

TEST(RandomTest, BetweenIncludesBothEnds) {
  EXPECT_EQ(Scripted({11}).Between("x", 10ns, 19ns), 11ns);
  EXPECT_EQ(Scripted({9}).Between("x", 10ns, 19ns), 19ns);
  EXPECT_EQ(Scripted({5}).Between("x", 10ms, 10ms), 10ms);
  EXPECT_EQ(Scripted({5}).Between("x", 10ms, 5ms), 10ms);
}

TEST(RandomTest, UuidIsVersionFour) {
  const std::string uuid = Scripted({~std::uint64_t{0}}).Uuid("x");
  EXPECT_TRUE(std::regex_match(
      uuid, std::regex("[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")))
      << uuid;
}

}  // namespace
}  // namespace understudy
