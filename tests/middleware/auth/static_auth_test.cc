#include "middleware/auth/static_auth.h"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace understudy {
namespace {

using testing::HasSubstr;
using testing::Not;

http::Request Request(std::string_view url = "https://api.example.com/v1/orders") {
  http::Request request;
  request.url = *http::Url::Parse(url);
  return request;
}

TEST(BearerAuthTest, PutsTheTokenIntoTheAuthorizationHeader) {
  const auto auth = BearerAuth::Create(Secret("abc.DEF-1"));
  ASSERT_TRUE(auth.has_value());
  http::Request request = Request();
  ASSERT_TRUE((*auth)->Apply(request, {}, {}).has_value());
  EXPECT_EQ(request.headers.Get("Authorization"), "Bearer abc.DEF-1");
}

TEST(BearerAuthTest, ApplyingTwiceReplacesTheHeader) {
  const auto auth = BearerAuth::Create(Secret("abc"));
  http::Request request = Request();
  ASSERT_TRUE((*auth)->Apply(request, {}, {}).has_value());
  ASSERT_TRUE((*auth)->Apply(request, {}, {}).has_value());
  EXPECT_EQ(request.headers.GetAll("Authorization").size(), 1u);
}

TEST(BearerAuthTest, OA9_RefusesWhatCouldBreakOutOfTheHeader) {
  const std::vector<std::string> malformed = {"",     "a b",       "a\r\nX: 1",           "a\n",
                                              "\x7f", "t\xc3\xa9", std::string("a\0b", 3)};
  for (const std::string& token : malformed) {
    const auto auth = BearerAuth::Create(Secret(token));
    ASSERT_FALSE(auth.has_value()) << testing::PrintToString(token);
    EXPECT_EQ(auth.error().code, ErrorCode::kInvalidArgument);
  }
}

TEST(BearerAuthTest, A401ChangesNothing) {
  const auto auth = BearerAuth::Create(Secret("abc"));
  EXPECT_FALSE((*auth)->HandleUnauthorized(Request(), {.status = 401}, {}, {}));
}

TEST(BearerAuthTest, DescribeHoldsNoSecret) {
  EXPECT_THAT((*BearerAuth::Create(Secret("abc")))->Describe(), Not(HasSubstr("abc")));
}

TEST(BasicAuthTest, EncodesTheExampleOfRfc7617) {
  const auto auth = BasicAuth::Create("Aladdin", Secret("open sesame"));
  ASSERT_TRUE(auth.has_value());
  http::Request request = Request();
  ASSERT_TRUE((*auth)->Apply(request, {}, {}).has_value());
  EXPECT_EQ(request.headers.Get("Authorization"), "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
}

TEST(BasicAuthTest, EncodesUtf8AsRfc7617Shows) {
  const auto auth = BasicAuth::Create("test", Secret("123\xc2\xa3"));
  http::Request request = Request();
  ASSERT_TRUE((*auth)->Apply(request, {}, {}).has_value());
  EXPECT_EQ(request.headers.Get("Authorization"), "Basic dGVzdDoxMjPCow==");
}

TEST(BasicAuthTest, AColonIsAllowedInThePasswordButNotInTheUser) {
  EXPECT_TRUE(BasicAuth::Create("user", Secret("a:b")).has_value());
  EXPECT_FALSE(BasicAuth::Create("us:er", Secret("ab")).has_value());
}

TEST(BasicAuthTest, RefusesControlCharacters) {
  EXPECT_FALSE(BasicAuth::Create("us\ner", Secret("p")).has_value());
  EXPECT_FALSE(BasicAuth::Create("user", Secret("p\r")).has_value());
}

TEST(ApiKeyAuthTest, PutsTheKeyIntoTheNamedHeader) {
  const auto auth = ApiKeyAuth::InHeader("X-Api-Key", Secret("k1"));
  ASSERT_TRUE(auth.has_value());
  http::Request request = Request();
  ASSERT_TRUE((*auth)->Apply(request, {}, {}).has_value());
  EXPECT_EQ(request.headers.Get("x-api-key"), "k1");
  EXPECT_EQ((*auth)->Describe(), "API key in header X-Api-Key");
}

TEST(ApiKeyAuthTest, PutsTheKeyIntoTheQueryEncoded) {
  const auto auth = ApiKeyAuth::InQuery("api_key", Secret("k&1"));
  ASSERT_TRUE(auth.has_value());
  http::Request request = Request("https://api.example.com/v1?page=2");
  ASSERT_TRUE((*auth)->Apply(request, {}, {}).has_value());
  EXPECT_EQ(request.url.ToString(), "https://api.example.com/v1?page=2&api_key=k%261");
}

TEST(ApiKeyAuthTest, ApplyingTwiceReplacesTheQueryParameterAndKeepsTheOthers) {
  const auto auth = ApiKeyAuth::InQuery("api_key", Secret("k1"));
  http::Request request = Request("https://api.example.com/v1?a=1&api%5Fkey=old&api_key2=x");
  ASSERT_TRUE((*auth)->Apply(request, {}, {}).has_value());
  ASSERT_TRUE((*auth)->Apply(request, {}, {}).has_value());
  EXPECT_EQ(request.url.query(), "a=1&api_key2=x&api_key=k1");
}

TEST(ApiKeyAuthTest, RefusesMalformedNamesAndKeys) {
  EXPECT_FALSE(ApiKeyAuth::InHeader("X Api", Secret("k")).has_value());
  EXPECT_FALSE(ApiKeyAuth::InHeader("", Secret("k")).has_value());
  EXPECT_FALSE(ApiKeyAuth::InHeader("X-Api-Key", Secret("k\r\n")).has_value());
  EXPECT_FALSE(ApiKeyAuth::InHeader("X-Api-Key", Secret()).has_value());
  EXPECT_FALSE(ApiKeyAuth::InQuery("", Secret("k")).has_value());
  EXPECT_FALSE(ApiKeyAuth::InQuery("key", Secret("k\n")).has_value());
}

}  // namespace
}  // namespace understudy
