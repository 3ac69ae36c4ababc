// The `match` of a route, as a file writes it.
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "harness/scenario/vendor_decoder.h"

namespace understudy::harness {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

struct Decoded {
  VendorSpec vendor = {.name = "acme"};
  std::vector<Diagnostic> problems = {};

  const RequestMatch& match() const { return vendor.routes.front().match; }
};

Decoded Decode(const std::string& match) {
  const auto document = JsonDocument::Parse(
      "a.json", R"({"routes":[{"id":"r","match":)" + match + R"(,"respond":[{"status":200}]}]})");
  EXPECT_TRUE(document.ok()) << match;
  Decoded decoded;
  ProblemList problems(20);
  VendorIds ids;
  Places places;
  DecodeVendor(NodeReader(document.root(), document.file(), problems), {}, decoded.vendor, ids,
               places);
  decoded.problems = problems.problems();
  return decoded;
}

bool Fits(const RequestMatch& match, const std::string& method, const std::string& target,
          const http::Headers& headers = {}, const std::string& body = {}) {
  const http::Request request{http::Method(method), *http::Url::Parse("http://acme.sim" + target),
                              headers, body};
  return RequestMatcher::Compile(match)->Match(request).matched;
}

TEST(VendorMatchTest, ReadsEveryKey) {
  const auto decoded = Decode(R"({
    "method": ["PUT", "PATCH"], "path": "/o/{id}", "path_parameters": {"id": {"starts_with": "o"}},
    "host": "acme.sim", "query": {"a": "1"}, "query_exact": true, "headers": {"X-A": "b"},
    "cookies": {"sid": "c"}, "text": {"contains": "k"}, "json": {"k": 1},
    "json_equal": {"v": [2, 1], "k": 1}, "json_ignore": ["order"], "json_path": {"$.v[0]": 1},
    "json_schema": {"required": ["k"]}, "body_base64": "eyJrIjoxLCJ2IjpbMSwyXX0=",
    "all_of": [{"method": "PUT"}], "any_of": [{"path": "/o/o1"}], "none_of": [{"method": "GET"}]})");
  ASSERT_THAT(decoded.problems, IsEmpty());
  const RequestMatch& match = decoded.match();
  EXPECT_THAT(match.methods, ElementsAre("PUT", "PATCH"));
  EXPECT_TRUE(match.json_equal->ignore_order);
  EXPECT_FALSE(match.json_equal->ignore_extra);
  EXPECT_THAT(match.any_of, SizeIs(1));
  const http::Headers headers{{"X-A", "b"}, {"Cookie", "sid=c"}};
  EXPECT_TRUE(Fits(match, "PUT", "/o/o1?a=1", headers, R"({"k":1,"v":[1,2]})"));
  EXPECT_FALSE(Fits(match, "PATCH", "/o/o1?a=1", headers, R"({"k":1,"v":[1,2]})"));
}

TEST(VendorMatchTest, ReadsOneMethodAsBefore) {
  const auto decoded = Decode(R"({"method": "GET"})");
  EXPECT_EQ(decoded.match().method, "GET");
  EXPECT_THAT(decoded.match().methods, IsEmpty());
}

TEST(VendorMatchTest, ReadsAForm) {
  const auto decoded = Decode(R"({"form": {"a": "x y"}})");
  EXPECT_TRUE(Fits(decoded.match(), "POST", "/", {}, "a=x+y"));
}

struct BadMatch {
  const char* name;
  const char* match;
  const char* pointer;
  const char* message;
};

class VendorMatchErrorTest : public ::testing::TestWithParam<BadMatch> {};

TEST_P(VendorMatchErrorTest, IsReportedAtItsPlace) {
  const auto decoded = Decode(GetParam().match);
  ASSERT_THAT(decoded.problems, SizeIs(1));
  EXPECT_EQ(decoded.problems[0].pointer, std::string("/routes/0/match") + GetParam().pointer);
  EXPECT_THAT(decoded.problems[0].message, HasSubstr(GetParam().message));
}

INSTANTIATE_TEST_SUITE_P(
    Matches, VendorMatchErrorTest,
    ::testing::Values(
        BadMatch{"UnknownKey", R"({"cookie": {}})", "/cookie", "cookie"},
        BadMatch{"NoMethods", R"({"method": []})", "/method", "at least one"},
        BadMatch{"RelativeTarget", R"({"target": "x"})", "/target", "begins with"},
        BadMatch{"BadTargetRegex", R"({"target_regex": "("})", "/target_regex", "RE2"},
        BadMatch{"BadBase64", R"({"body_base64": "a"})", "/body_base64", "base64"},
        BadMatch{"IgnoreWithoutEqual", R"({"json_ignore": ["order"]})", "/json_ignore",
                 "json_equal"},
        BadMatch{"UnknownIgnore", R"({"json_equal": 1, "json_ignore": ["odrer"]})",
                 "/json_ignore/0", "odrer"},
        BadMatch{"EmptyAnyOf", R"({"any_of": []})", "/any_of", "empty"},
        BadMatch{"Inside", R"({"any_of": [{"json_path": {"$[": 1}}]})", "/any_of/0", "JSONPath"},
        BadMatch{"BadSchema", R"({"json_schema": {"type": "text"}})", "", "#/type"}),
    [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace understudy::harness
