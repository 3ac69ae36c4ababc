#include "middleware/http/headers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace understudy::http {
namespace {

using ::testing::ElementsAre;
using ::testing::Pair;

TEST(HeadersTest, LookupIgnoresCaseAndTheListKeepsOrderAndRepeats) {
  const Headers headers{{"Set-Cookie", "a=1"}, {"X-One", "1"}, {"set-cookie", "b=2"}};
  EXPECT_EQ(headers.Get("SET-COOKIE"), "a=1");
  EXPECT_THAT(headers.GetAll("set-cookie"), ElementsAre("a=1", "b=2"));
  EXPECT_THAT(headers, ElementsAre(Pair("Set-Cookie", "a=1"), Pair("X-One", "1"),
                                   Pair("set-cookie", "b=2")));
}

TEST(HeadersTest, SetReplacesEveryFieldOfThatNameAtThePlaceOfTheFirst) {
  Headers headers{{"A", "1"}, {"B", "2"}, {"a", "3"}};
  ASSERT_TRUE(headers.Set("a", "9"));
  EXPECT_THAT(headers, ElementsAre(Pair("A", "9"), Pair("B", "2")));
}

TEST(HeadersTest, RefusesInjection) {
  Headers headers;
  for (const std::string_view bad : {std::string_view("a\r\nEvil: 1"), std::string_view("a\nb"),
                                     std::string_view("a\rb"), std::string_view("a\0b", 3)}) {
    EXPECT_EQ(headers.Add("X", bad).error().code, ErrorCode::kInvalidArgument);
    EXPECT_FALSE(headers.Set("X", bad));
  }
  EXPECT_TRUE(headers.empty());
}

TEST(HeadersTest, RefusesNamesThatAreNotTokens) {
  Headers headers;
  for (const auto* const bad : {"", "a b", "a:", "a\n", "\xc3\xa4"})
    EXPECT_FALSE(headers.Add(bad, "1")) << bad;
}

TEST(HeadersTest, TrimsWhiteSpaceAroundValues) {
  Headers headers;
  ASSERT_TRUE(headers.Add("X", " \t v \t"));
  EXPECT_EQ(headers.Get("X"), "v");
}

TEST(HeadersTest, RemoveTakesAllOfThatName) {
  Headers headers{{"A", "1"}, {"a", "2"}, {"B", "3"}};
  headers.Remove("A");
  EXPECT_EQ(headers.size(), 1U);
}

}  // namespace
}  // namespace understudy::http
