#include "middleware/platform/redirect.h"

#include <string>

#include <gtest/gtest.h>

namespace understudy {
namespace {

using http::Headers;
using http::Method;
using http::Request;
using http::Response;

Request Make(const std::string& method, const std::string& url, std::string body = "") {
  return Request{.method = Method(method),
                 .url = http::Url::Parse(url).value(),
                 .headers = Headers{{"Authorization", "t"}, {"X-Api-Key", "k"}, {"Accept", "*/*"}},
                 .body = std::move(body)};
}

Response To(int status, const std::string& location) {
  return Response{.status = status, .headers = Headers{{"Location", location}}};
}

struct MethodCase {
  std::string name;
  int status;
  std::string method;
  std::string next_method;
  bool keeps_body;
};

class RedirectMethodTest : public testing::TestWithParam<MethodCase> {};

TEST_P(RedirectMethodTest, FollowsRfc9110) {
  const MethodCase& row = GetParam();
  const bool has_body = row.method != "HEAD" && row.method != "GET";
  const Request request = Make(row.method, "https://a.example/x", has_body ? "body" : "");
  const auto next = NextHop(request, To(row.status, "/y"));
  ASSERT_TRUE(next.has_value());
  EXPECT_EQ(next->method.name(), row.next_method);
  EXPECT_EQ(next->body, row.keeps_body ? "body" : "");
  EXPECT_EQ(next->url.ToString(), "https://a.example/y");
  EXPECT_EQ(next->headers, request.headers) << "the origin is the same";
}

INSTANTIATE_TEST_SUITE_P(Rows, RedirectMethodTest,
                         testing::Values(MethodCase{"post_301", 301, "POST", "GET", false},
                                         MethodCase{"post_302", 302, "POST", "GET", false},
                                         MethodCase{"post_303", 303, "POST", "GET", false},
                                         MethodCase{"post_307", 307, "POST", "POST", true},
                                         MethodCase{"post_308", 308, "POST", "POST", true},
                                         MethodCase{"put_302", 302, "PUT", "PUT", true},
                                         MethodCase{"put_303", 303, "PUT", "GET", false},
                                         MethodCase{"head_303", 303, "HEAD", "HEAD", false},
                                         MethodCase{"get_301", 301, "GET", "GET", false}),
                         [](const auto& row) { return row.param.name; });

TEST(RedirectTest, IsNotFollowedForOtherStatusesOrWithoutLocation) {
  const Request request = Make("GET", "https://a.example/");
  for (const int status : {200, 201, 300, 304, 305, 306, 399, 400}) {
    EXPECT_FALSE(NextHop(request, To(status, "/y"))) << status;
  }
  EXPECT_FALSE(NextHop(request, Response{.status = 302}));
}

TEST(RedirectTest, IsNotFollowedToWhatIsNoHttpUrl) {
  const Request request = Make("GET", "https://a.example/");
  for (const char* location :
       {"ftp://a.example/", "https://user:pw@a.example/", "http://", "/a b"}) {
    EXPECT_FALSE(NextHop(request, To(302, location))) << location;
  }
}

TEST(RedirectTest, IsNotFollowedFromHttpsToHttpButTheOtherWay) {
  EXPECT_FALSE(NextHop(Make("GET", "https://a.example/"), To(302, "http://a.example/")));
  EXPECT_TRUE(NextHop(Make("GET", "http://a.example/"), To(302, "https://a.example/")));
}

TEST(RedirectTest, KeepsOnlyHarmlessHeadersOnAnotherOrigin) {
  for (const char* location :
       {"https://b.example/", "https://a.example:444/", "//sub.a.example/"}) {
    const auto next = NextHop(Make("GET", "https://a.example/"), To(302, location));
    ASSERT_TRUE(next.has_value()) << location;
    EXPECT_EQ(next->headers, (Headers{{"Accept", "*/*"}})) << location;
  }
}

TEST(RedirectTest, NeverTakesABodyToAnotherOrigin) {
  const Request request = Make("POST", "https://a.example/", "client_secret=s");
  EXPECT_FALSE(NextHop(request, To(307, "https://b.example/")));
  const auto as_get = NextHop(request, To(303, "https://b.example/"));
  ASSERT_TRUE(as_get.has_value());
  EXPECT_EQ(as_get->body, "");
}

TEST(RedirectTest, DropsTheHeadersThatDescribeADroppedBody) {
  Request request = Make("POST", "https://a.example/", "{}");
  request.headers =
      Headers{{"Content-Type", "application/json"}, {"content-length", "2"}, {"A", "1"}};
  EXPECT_EQ(NextHop(request, To(303, "/y"))->headers, (Headers{{"A", "1"}}));
}

}  // namespace
}  // namespace understudy
