#include "middleware/http/form.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace understudy::http {
namespace {

using ::testing::ElementsAre;
using ::testing::Pair;

TEST(FormTest, ReadsPairsWithPlusAndEscapes) {
  EXPECT_THAT(ParseForm("a=1&b=x+y%21&a=&c"),
              ElementsAre(Pair("a", "1"), Pair("b", "x y!"), Pair("a", ""), Pair("c", "")));
}

TEST(FormTest, KeepsMalformedEscapes) {
  EXPECT_THAT(ParseForm("a=%zz"), ElementsAre(Pair("a", "%zz")));
}

TEST(FormTest, WritesWhatItReads) {
  const FormPairs pairs = {{"a b", "1&2=3"}, {"\xc3\xa4", "+"}};
  EXPECT_EQ(ParseForm(EncodeForm(pairs)), pairs);
}

TEST(FormTest, PercentDecodeIsStrict) {
  EXPECT_EQ(PercentDecode("a%2Fb+"), "a/b+");
  EXPECT_EQ(PercentDecode("%"), std::nullopt);
  EXPECT_EQ(PercentDecode("%2"), std::nullopt);
  EXPECT_EQ(PercentDecode("%2g"), std::nullopt);
}

}  // namespace
}  // namespace understudy::http
