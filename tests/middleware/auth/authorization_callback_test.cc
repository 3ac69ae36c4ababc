#include "middleware/auth/authorization_callback.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace understudy::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::Pair;

TEST(AuthorizationCallbackTest, ReadsCodeStateIssuerAndWhatElseThereIs) {
  for (const char* const query :
       {"code=a%2Fb&state=s-1&iss=https%3A%2F%2Fas.example&realmId=42&x=1+2",
        "?code=a%2Fb&state=s-1&iss=https%3A%2F%2Fas.example&realmId=42&x=1+2"}) {
    const auto callback = ParseAuthorizationCallback(query);
    ASSERT_TRUE(callback.has_value()) << query;
    EXPECT_EQ(callback->code.Reveal(), "a/b");
    EXPECT_EQ(callback->state.Reveal(), "s-1");
    EXPECT_EQ(callback->error, "");
    EXPECT_EQ(callback->issuer, "https://as.example");
    EXPECT_THAT(callback->others, ElementsAre(Pair("realmId", "42"), Pair("x", "1 2")));
  }
}

TEST(AuthorizationCallbackTest, ReadsAnErrorSanitisedAndBounded) {
  const auto callback = ParseAuthorizationCallback("error=access%0Adenied" + std::string(100, 'x') +
                                                   "&state=s&error_description=no%00%E2%82%AC" +
                                                   std::string(300, 'y'));
  ASSERT_TRUE(callback.has_value());
  EXPECT_TRUE(callback->code.empty());
  EXPECT_THAT(callback->error, testing::StartsWith("access?denied"));
  EXPECT_EQ(callback->error.size(), 64u);
  EXPECT_THAT(callback->error_description, testing::StartsWith("no????y"));
  EXPECT_EQ(callback->error_description.size(), 200u);
}

struct Bad {
  const char* name;
  std::string query;
};

class BadCallbackTest : public testing::TestWithParam<Bad> {};

TEST_P(BadCallbackTest, IsATypedErrorThatRepeatsNothing) {
  const auto callback = ParseAuthorizationCallback(GetParam().query);
  ASSERT_FALSE(callback.has_value());
  EXPECT_EQ(callback.error().code, ErrorCode::kProtocol);
  EXPECT_EQ(callback.error().reason, "callback");
  EXPECT_THAT(callback.error().ToString(), Not(HasSubstr("Zz")));
}

std::string Many(int count) {
  std::string query = "code=Zz&state=Zz";
  for (int i = 0; i < count; ++i) query += "&a=b";
  return query;
}

INSTANTIATE_TEST_SUITE_P(
    Queries, BadCallbackTest,
    testing::Values(
        Bad{"Empty", ""}, Bad{"NoState", "code=Zz"}, Bad{"EmptyState", "code=Zz&state="},
        Bad{"NeitherCodeNorError", "state=Zz"},
        Bad{"BothCodeAndError", "state=Zz&code=Zz&error=Zz"},
        Bad{"TwoCodes", "state=Zz&code=Zz&code=Zz"}, Bad{"TwoStates", "state=Zz&code=Zz&state=Zz"},
        Bad{"TwoErrors", "state=Zz&error=Zz&error=Zz"},
        Bad{"TwoIssuers", "state=Zz&code=Zz&iss=Zz&iss=Zz"}, Bad{"EmptyCode", "state=Zz&code="},
        Bad{"EmptyError", "state=Zz&error="}, Bad{"LineEndInCode", "state=Zz&code=Zz%0D%0A"},
        Bad{"NulInState", "state=Zz%00&code=Zz"}, Bad{"NonAscii", "state=Zz&code=Zz%C3"},
        Bad{"EmptyIssuer", "state=Zz&code=Zz&iss="},
        Bad{"TooLarge", "state=Zz&code=" + std::string(17'000, 'Z')}, Bad{"TooMany", Many(63)}),
    [](const auto& test) { return test.param.name; });

TEST(AuthorizationCallbackTest, TheLargestNumberOfParametersIsRead) {
  EXPECT_TRUE(ParseAuthorizationCallback(Many(62)).has_value());
}

}  // namespace
}  // namespace understudy::test
