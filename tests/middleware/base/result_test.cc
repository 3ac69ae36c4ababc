#include "middleware/base/result.h"

#include <memory>
#include <string>

#include <gtest/gtest.h>

namespace understudy {
namespace {

Result<int> Half(int value) {
  if (value % 2 != 0) return InvalidArgument("odd");
  return value / 2;
}

Result<int> Quarter(int value) {
  UNDERSTUDY_ASSIGN_OR_RETURN(const int half, Half(value));
  return Half(half);
}

Result<void> MustBeEven(int value) {
  UNDERSTUDY_RETURN_IF_ERROR(Half(value));
  return {};
}

TEST(ResultTest, HoldsAValue) {
  const Result<int> result = 4;
  ASSERT_TRUE(result.has_value());
  EXPECT_EQ(*result, 4);
}

TEST(ResultTest, HoldsAnError) {
  const Result<int> result = InvalidArgument("no");
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::kInvalidArgument);
}

TEST(ResultTest, MacrosPassTheErrorOn) {
  EXPECT_EQ(Quarter(8).value(), 2);
  EXPECT_EQ(Quarter(6).error().message, "odd");
  EXPECT_TRUE(MustBeEven(2));
  EXPECT_EQ(MustBeEven(3).error().message, "odd");
}

TEST(ResultTest, MovesMoveOnlyValues) {
  Result<std::unique_ptr<int>> result = std::make_unique<int>(7);
  const std::unique_ptr<int> moved = *std::move(result);
  EXPECT_EQ(*moved, 7);
}

TEST(ResultTest, ChainsLikeExpected) {
  EXPECT_EQ(Half(8).and_then(Half).transform([](int v) { return std::to_string(v); }).value(), "2");
  EXPECT_EQ(Half(3).or_else([](const Error&) -> Result<int> { return 42; }).value(), 42);
  EXPECT_EQ(Half(3).value_or(-1), -1);
}

TEST(ResultDeathTest, TheValueOfAnErrorAbortsWithItsMessage) {
  const Result<int> result = InvalidArgument("the port is missing");
  EXPECT_DEATH(static_cast<void>(result.value()), "the port is missing");
}

TEST(ResultDeathTest, TheErrorOfAValueAborts) {
  const Result<int> result = 1;
  EXPECT_DEATH(static_cast<void>(result.error()), "holds a value");
}

}  // namespace
}  // namespace understudy
