#include "middleware/resilience/breaker_registry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/test_runtime.h"

namespace understudy {
namespace {

using ::testing::HasSubstr;

const BreakerKey kStripe{"stripe", "https://api.stripe.com", ""};
const BreakerKey kOther{"stripe", "https://files.stripe.com", ""};
const BreakerKey kGithub{"github", "https://api.github.com", ""};

class BreakerRegistryTest : public ::testing::Test {
 protected:
  test::TestRuntime world_;
};

TEST_F(BreakerRegistryTest, GivesTheSameBreakerForTheSameKey) {
  BreakerRegistry registry(world_.runtime());
  EXPECT_EQ(registry.Get(kStripe, {}).value(), registry.Get(kStripe, {}).value());
}

TEST_F(BreakerRegistryTest, CB18_ReportsADifferentConfiguration) {
  BreakerRegistry registry(world_.runtime());
  ASSERT_TRUE(registry.Get(kStripe, {.failures = 5}));
  const auto second = registry.Get(kStripe, {.failures = 6});
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(second.error().message, HasSubstr("stripe https://api.stripe.com"));
}

TEST_F(BreakerRegistryTest, CB18_TwoRegistriesShareNothing) {
  BreakerRegistry first(world_.runtime());
  BreakerRegistry second(world_.runtime());
  EXPECT_NE(first.Get(kStripe, {}).value(), second.Get(kStripe, {.failures = 9}).value());
}

TEST_F(BreakerRegistryTest, CB18_DropsTheLeastRecentlyUsedIdleBreaker) {
  BreakerRegistry registry(world_.runtime(), 2);
  ASSERT_TRUE(registry.Get(kStripe, {}));
  ASSERT_TRUE(registry.Get(kOther, {}));
  ASSERT_TRUE(registry.Get(kStripe, {}));  // kOther is now the older one.
  ASSERT_TRUE(registry.Get(kGithub, {}));
  ASSERT_EQ(registry.size(), 2u);
  EXPECT_EQ(registry.Snapshot()[0].key, kGithub);
  EXPECT_EQ(registry.Snapshot()[1].key, kStripe);
}

TEST_F(BreakerRegistryTest, CB18_KeepsBreakersInUse) {
  BreakerRegistry registry(world_.runtime(), 1);
  const auto used = registry.Get(kStripe, {}).value();
  const auto refused = registry.Get(kGithub, {});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kOverloaded);
  EXPECT_EQ(registry.Get(kStripe, {}).value(), used);
}

TEST_F(BreakerRegistryTest, CB18_KeepsOpenBreakers) {
  BreakerRegistry registry(world_.runtime(), 1);
  registry.Get(kStripe, {.failures = 1})
      .value()
      ->TryAcquire()
      .value()
      .Record(BreakerOutcome::kFailure);
  EXPECT_FALSE(registry.Get(kGithub, {}));
}

TEST_F(BreakerRegistryTest, CB19_OneAuthorityDoesNotOpenTheBreakerOfAnother) {
  BreakerRegistry registry(world_.runtime());
  registry.Get(kStripe, {.failures = 1})
      .value()
      ->TryAcquire()
      .value()
      .Record(BreakerOutcome::kFailure);
  EXPECT_EQ(registry.Get(kOther, {.failures = 1}).value()->state(), BreakerState::kClosed);
}

TEST_F(BreakerRegistryTest, RefusesUnusableOptions) {
  BreakerRegistry registry(world_.runtime());
  EXPECT_FALSE(registry.Get(kStripe, {.failures = 0}));
  EXPECT_EQ(registry.size(), 0u);
}

}  // namespace
}  // namespace understudy
