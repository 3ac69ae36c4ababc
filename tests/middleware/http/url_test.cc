#include "middleware/http/url.h"

#include <gtest/gtest.h>

namespace understudy::http {
namespace {

TEST(UrlTest, TakesAUrlApart) {
  const Url url = Url::Parse("HTTPS://API.Example.com:8443/v1/a%20b?x=1&y=2#frag").value();
  EXPECT_EQ(url.scheme(), "https");
  EXPECT_EQ(url.host(), "api.example.com");
  EXPECT_EQ(url.port(), 8443);
  EXPECT_EQ(url.path(), "/v1/a%20b");
  EXPECT_EQ(url.query(), "x=1&y=2");
  EXPECT_EQ(url.ToString(), "https://api.example.com:8443/v1/a%20b?x=1&y=2");
}

TEST(UrlTest, DefaultPortIsNotPartOfTheOrigin) {
  EXPECT_EQ(Url::Parse("https://a:443/").value().origin(), "https://a");
  EXPECT_EQ(Url::Parse("http://a").value().ToString(), "http://a/");
}

TEST(UrlTest, ReadsIpv6Hosts) {
  const Url url = Url::Parse("http://[::1]:8080/x").value();
  EXPECT_EQ(url.host(), "[::1]");
  EXPECT_EQ(url.port(), 8080);
}

struct BadUrlCase {
  const char* name;
  const char* text;
};
class BadUrlTest : public ::testing::TestWithParam<BadUrlCase> {};
TEST_P(BadUrlTest, IsRefused) { EXPECT_FALSE(Url::Parse(GetParam().text)) << GetParam().text; }
INSTANTIATE_TEST_SUITE_P(
    Table, BadUrlTest,
    ::testing::Values(
        BadUrlCase{"NoScheme", "example.com"}, BadUrlCase{"OtherScheme", "file:///etc/passwd"},
        BadUrlCase{"UserInfo", "http://user:pw@host/"}, BadUrlCase{"NoHost", "http:///x"},
        BadUrlCase{"PortZero", "http://a:0/"}, BadUrlCase{"PortTooBig", "http://a:65536/"},
        BadUrlCase{"PortText", "http://a:x/"}, BadUrlCase{"Space", "http://a/b c"},
        BadUrlCase{"LineBreak", "http://a/\r\nX: 1"}, BadUrlCase{"Backslash", "http://a\\b/"},
        BadUrlCase{"OpenIpv6", "http://[::1/"}, BadUrlCase{"Empty", ""}),
    [](const auto& test) { return test.param.name; });

struct ResolveCase {
  const char* reference;
  const char* expected;
};
// RFC 3986 section 5.4, without the parts that http does not use.
TEST(UrlTest, ResolvesReferencesAsTheRfcSays) {
  const Url base = Url::Parse("http://a/b/c/d?q").value();
  for (const ResolveCase& row :
       {ResolveCase{"g", "http://a/b/c/g"}, ResolveCase{"./g", "http://a/b/c/g"},
        ResolveCase{"g/", "http://a/b/c/g/"}, ResolveCase{"/g", "http://a/g"},
        ResolveCase{"//g", "http://g/"}, ResolveCase{"?y", "http://a/b/c/d?y"},
        ResolveCase{"g?y", "http://a/b/c/g?y"}, ResolveCase{"", "http://a/b/c/d?q"},
        ResolveCase{".", "http://a/b/c/"}, ResolveCase{"..", "http://a/b/"},
        ResolveCase{"../g", "http://a/b/g"}, ResolveCase{"../../g", "http://a/g"},
        ResolveCase{"../../../g", "http://a/g"}, ResolveCase{"#s", "http://a/b/c/d?q"},
        ResolveCase{"https://x/y", "https://x/y"}}) {
    EXPECT_EQ(base.Resolve(row.reference).value().ToString(), row.expected) << row.reference;
  }
}

TEST(UrlTest, AddQueryEncodesBothSides) {
  Url url = Url::Parse("http://a/x?p=1").value();
  url.AddQuery("k y", "a&b=c");
  EXPECT_EQ(url.target(), "/x?p=1&k%20y=a%26b%3Dc");
}

}  // namespace
}  // namespace understudy::http
