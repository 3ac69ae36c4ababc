#include "middleware/http/method.h"

#include <gtest/gtest.h>

namespace understudy::http {
namespace {

TEST(MethodTest, KnowsSafeAndIdempotentOnes) {
  EXPECT_TRUE(Method::Get().IsSafe());
  EXPECT_FALSE(Method::Delete().IsSafe());
  EXPECT_TRUE(Method::Delete().IsIdempotent());
  EXPECT_TRUE(Method::Put().IsIdempotent());
  EXPECT_FALSE(Method::Post().IsIdempotent());
  EXPECT_FALSE(Method::Patch().IsIdempotent());
  EXPECT_FALSE(Method("PURGE").IsIdempotent());
}

TEST(MethodTest, ComparesWithCase) { EXPECT_NE(Method("get"), Method::Get()); }

}  // namespace
}  // namespace understudy::http
