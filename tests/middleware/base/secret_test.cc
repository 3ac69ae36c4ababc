#include "middleware/base/secret.h"

#include <sstream>
#include <type_traits>

#include <gtest/gtest.h>

namespace understudy {
namespace {

template <typename T>
concept Streamable = requires(std::ostream& stream, const T& value) {
  stream << value;
};

TEST(SecretTest, CannotBePrintedOrComparedByAccident) {
  static_assert(!Streamable<Secret>);
  static_assert(!std::is_convertible_v<Secret, std::string>);
  static_assert(!std::is_convertible_v<Secret, std::string_view>);
  SUCCEED();
}

TEST(SecretTest, RevealsOnRequest) { EXPECT_EQ(Secret("k1").Reveal(), "k1"); }

TEST(SecretTest, MovingLeavesNothingBehind) {
  Secret from("a-rather-long-secret-that-is-not-in-the-small-buffer");
  const Secret to = std::move(from);
  EXPECT_TRUE(from.empty());  // NOLINT(bugprone-use-after-move): that is what is tested
  EXPECT_EQ(to.Reveal(), "a-rather-long-secret-that-is-not-in-the-small-buffer");
}

TEST(SecretTest, ComparesInConstantTime) {
  EXPECT_TRUE(ConstantTimeEquals("abc", "abc"));
  EXPECT_FALSE(ConstantTimeEquals("abc", "abd"));
  EXPECT_FALSE(ConstantTimeEquals("abc", "abcd"));
  EXPECT_TRUE(Secret("abc").Equals("abc"));
}

}  // namespace
}  // namespace understudy
