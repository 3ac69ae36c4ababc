#include "middleware/health/health_code.h"

#include <string>

#include <gtest/gtest.h>

namespace understudy::test {
namespace {

TEST(HealthCodeTest, HC8_OnlyShortPlainCodesAreShown) {
  EXPECT_EQ(CleanHealthCode("status-503"), "status-503");
  EXPECT_EQ(CleanHealthCode(""), "none");
  EXPECT_EQ(CleanHealthCode("connect to 10.0.0.7 failed"), "other");
  EXPECT_EQ(CleanHealthCode("sk_live_ABC"), "other");  // No upper case.
  EXPECT_EQ(CleanHealthCode("\"}"), "other");
  EXPECT_EQ(CleanHealthCode("caf\xc3\xa9"), "other");
  EXPECT_EQ(CleanHealthCode(std::string(48, 'a')), std::string(48, 'a'));
  EXPECT_EQ(CleanHealthCode(std::string(49, 'a')), "other");
}

TEST(HealthCodeTest, NamesArePlain) {
  EXPECT_TRUE(IsHealthName("Stripe.eu-1_b"));
  EXPECT_TRUE(IsHealthName(std::string(64, 'a')));
  EXPECT_FALSE(IsHealthName(std::string(65, 'a')));
  EXPECT_FALSE(IsHealthName(""));
  EXPECT_FALSE(IsHealthName("a b"));
  EXPECT_FALSE(IsHealthName("a\n"));
}

}  // namespace
}  // namespace understudy::test
