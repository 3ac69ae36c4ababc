#include "harness/match/request_matcher.h"

#include <string>

#include <gmock/gmock.h>

namespace understudy::harness {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;

http::Request MakeRequest(std::string_view method, std::string_view target,
                          http::Headers headers = {}, std::string body = {}) {
  auto url = http::Url::Parse(std::string("http://acme.sim").append(target));
  EXPECT_TRUE(url.has_value()) << target;
  return {http::Method(method), *std::move(url), std::move(headers), std::move(body)};
}

RequestMatcher Compiled(const RequestMatch& spec) {
  auto matcher = RequestMatcher::Compile(spec);
  EXPECT_TRUE(matcher.has_value());
  return *std::move(matcher);
}

bool Fits(const RequestMatch& spec, const http::Request& request) {
  return Compiled(spec).Match(request).matched;
}

TEST(RequestMatcherTest, AnEmptyDescriptionFitsEverything) {
  const MatchResult result = Compiled({}).Match(MakeRequest("DELETE", "/x"));
  EXPECT_TRUE(result.matched);
  EXPECT_EQ(result.distance, 0.0);
}

TEST(RequestMatcherTest, ComparesTheMethodWithCase) {
  EXPECT_TRUE(Fits({.method = "GET"}, MakeRequest("GET", "/")));
  EXPECT_FALSE(Fits({.method = "GET"}, MakeRequest("get", "/")));
}

struct PathCase {
  const char* name;
  const char* path;
  const char* target;
  bool fits;
};

class PathTemplateTest : public ::testing::TestWithParam<PathCase> {};

TEST_P(PathTemplateTest, Judges) {
  EXPECT_EQ(Fits({.path = GetParam().path}, MakeRequest("GET", GetParam().target)),
            GetParam().fits);
}

INSTANTIATE_TEST_SUITE_P(
    Paths, PathTemplateTest,
    ::testing::Values(PathCase{"Literal", "/v1/orders", "/v1/orders", true},
                      PathCase{"Root", "/", "/", true},
                      PathCase{"QueryIsNoPath", "/v1/orders", "/v1/orders?a=1", true},
                      PathCase{"Shorter", "/v1/orders", "/v1", false},
                      PathCase{"Longer", "/v1/orders", "/v1/orders/1", false},
                      PathCase{"TrailingSlash", "/v1/orders", "/v1/orders/", false},
                      PathCase{"Case", "/v1/orders", "/v1/Orders", false},
                      PathCase{"Parameter", "/v1/orders/{id}", "/v1/orders/o1", true},
                      PathCase{"ParameterIsOneSegment", "/v1/orders/{id}", "/v1/orders/o1/x",
                               false},
                      PathCase{"ParameterIsNotEmpty", "/v1/orders/{id}", "/v1/orders/", false},
                      PathCase{"EscapedSlashStaysInside", "/v1/{id}", "/v1/a%2Fb", true},
                      PathCase{"EscapesCompareDecoded", "/v1/a%20b", "/v1/%61%20b", true}),
    [](const auto& test) { return test.param.name; });

TEST(RequestMatcherTest, CapturesParametersDecoded) {
  const auto result =
      Compiled({.path = "/v1/{kind}/{id}"}).Match(MakeRequest("GET", "/v1/o/a%2Fb"));
  EXPECT_THAT(result.captures, ElementsAre(Pair("kind", "o"), Pair("id", "a/b")));
}

TEST(RequestMatcherTest, CapturesNothingWhenItDoesNotMatch) {
  const auto matcher = Compiled({.method = "POST", .path = "/v1/{id}"});
  EXPECT_THAT(matcher.Match(MakeRequest("GET", "/v1/o1")).captures, IsEmpty());
}

TEST(RequestMatcherTest, AnchorsThePathRegexAtBothEnds) {
  const RequestMatch spec{.path_regex = R"(/v\d/orders)"};
  EXPECT_TRUE(Fits(spec, MakeRequest("GET", "/v1/orders")));
  EXPECT_FALSE(Fits(spec, MakeRequest("GET", "/v1/orders/o1")));
  EXPECT_FALSE(Fits(spec, MakeRequest("GET", "/api/v1/orders")));
}

TEST(RequestMatcherTest, CapturesNamedGroupsOfThePathRegex) {
  const auto result =
      Compiled({.path_regex = R"(/v1/(?P<id>\w+))"}).Match(MakeRequest("GET", "/v1/o1"));
  EXPECT_THAT(result.captures, ElementsAre(Pair("id", "o1")));
}

struct FieldCase {
  const char* name;
  const char* predicate;
  const char* query;
  bool fits;
};

class QueryTest : public ::testing::TestWithParam<FieldCase> {};

TEST_P(QueryTest, Judges) {
  const std::string target = std::string("/v1") + GetParam().query;
  EXPECT_EQ(Fits({.query = {{"a", GetParam().predicate}}}, MakeRequest("GET", target)),
            GetParam().fits);
}

INSTANTIATE_TEST_SUITE_P(
    Predicates, QueryTest,
    ::testing::Values(FieldCase{"Equal", R"("x y")", "?a=x%20y", true},
                      FieldCase{"Different", R"("x")", "?a=y", false},
                      FieldCase{"Missing", R"("x")", "?b=x", false},
                      FieldCase{"AnyOfTheValues", R"("x")", "?a=y&a=x", true},
                      FieldCase{"Number", "10", "?a=10", true},
                      FieldCase{"Regex", R"({"regex":"^o\\d$"})", "?a=o1", true},
                      FieldCase{"Gte", R"({"gte":10})", "?a=9", false},
                      FieldCase{"NotNeedsAValue", R"({"not":"x"})", "", false},
                      FieldCase{"Absent", R"({"absent":true})", "?b=1", true},
                      FieldCase{"AbsentButThere", R"({"absent":true})", "?a=", false},
                      FieldCase{"PresentWithAnyValue", R"({"absent":false})", "?a=", true},
                      FieldCase{"PresentButMissing", R"({"absent":false})", "", false},
                      FieldCase{"AnyOf", R"({"any_of":["x","y"]})", "?a=y", true}),
    [](const auto& test) { return test.param.name; });

TEST(RequestMatcherTest, ComparesHeaderNamesWithoutCase) {
  const RequestMatch spec{.headers = {FieldMatch::Equals("x-kind", "a\"b")}};
  EXPECT_TRUE(Fits(spec, MakeRequest("GET", "/", {{"X-Kind", "a\"b"}})));
  EXPECT_FALSE(Fits(spec, MakeRequest("GET", "/", {{"X-Kind", "c"}})));
}

struct JsonCase {
  const char* name;
  const char* expected;
  const char* body;
  bool fits;
};

class JsonBodyTest : public ::testing::TestWithParam<JsonCase> {};

TEST_P(JsonBodyTest, Judges) {
  EXPECT_EQ(Fits({.json = GetParam().expected}, MakeRequest("POST", "/", {}, GetParam().body)),
            GetParam().fits);
}

INSTANTIATE_TEST_SUITE_P(
    Bodies, JsonBodyTest,
    ::testing::Values(JsonCase{"Equal", R"({"a":1})", R"({"a":1})", true},
                      JsonCase{"MoreMembers", R"({"a":1})", R"({"b":2,"a":1})", true},
                      JsonCase{"NestedSubset", R"({"a":{"b":1}})", R"({"a":{"b":1,"c":2}})", true},
                      JsonCase{"MissingMember", R"({"a":1,"b":2})", R"({"a":1})", false},
                      JsonCase{"OtherValue", R"({"a":1})", R"({"a":2})", false},
                      JsonCase{"ArraysEqual", R"({"a":[1,2]})", R"({"a":[1,2]})", true},
                      JsonCase{"ArrayLonger", R"({"a":[1,2]})", R"({"a":[1,2,3]})", false},
                      JsonCase{"ArrayElementsAreNotSubsets", R"([{"a":1}])", R"([{"a":1,"b":2}])",
                               false},
                      JsonCase{"NullIsAValue", R"({"a":null})", "{}", false},
                      JsonCase{"EmptyObjectFitsAnyObject", "{}", R"({"a":1})", true},
                      JsonCase{"EmptyObjectNeedsAnObject", "{}", "[]", false},
                      JsonCase{"NotJson", "{}", "a=1", false}, JsonCase{"NoBody", "{}", "", false}),
    [](const auto& test) { return test.param.name; });

TEST(RequestMatcherTest, SaysEveryReason) {
  const auto matcher = Compiled({.method = "POST",
                                 .path = "/v1/orders",
                                 .query = {FieldMatch::Equals("limit", "10")},
                                 .headers = {FieldMatch::Equals("X-Kind", "a")},
                                 .json = R"({"a/b":{"c":1}})"});
  const auto result =
      matcher.Match(MakeRequest("GET", "/v1/order", {{"X-Kind", "b"}}, R"({"a/b":{"c":"x"}})"));
  EXPECT_EQ(matcher.Explain(result),
            "POST /v1/orders: method: expected POST, got GET; "
            "path: expected /v1/orders, got /v1/order; "
            "query limit: expected \"10\", got nothing; "
            "header X-Kind: expected \"a\", got \"b\"; "
            "json /a~1b/c: expected 1, got \"x\"");
}

TEST(RequestMatcherTest, ANearMissIsNearerThanAnotherRoute) {
  const auto request = MakeRequest("POST", "/v1/orders/o1");
  const double same_path =
      Compiled({.method = "GET", .path = "/v1/orders/{id}"}).Match(request).distance;
  const double typo =
      Compiled({.method = "POST", .path = "/v1/order/{id}"}).Match(request).distance;
  const double other = Compiled({.method = "GET", .path = "/health"}).Match(request).distance;
  EXPECT_LT(typo, same_path);
  EXPECT_LT(same_path, other);
  EXPECT_GT(typo, 0.0);
  EXPECT_EQ(other, 1.0);
}

TEST(RequestMatcherTest, QuickMatchingAgreesWithFull) {
  const auto matcher = Compiled({.method = "GET", .path = "/v1/{id}"});
  const auto hit = MakeRequest("GET", "/v1/o1");
  const auto miss = MakeRequest("PUT", "/v2");
  EXPECT_TRUE(matcher.Match(PreparedRequest(hit), MatchDetail::kQuick).matched);
  const auto missed = matcher.Match(PreparedRequest(miss), MatchDetail::kQuick);
  EXPECT_FALSE(missed.matched);
  EXPECT_EQ(missed.mismatches.size(), 1U);
}

TEST(RequestMatcherTest, BoundsTheListOfMismatches) {
  RequestMatch spec;
  for (int i = 0; i < 100; ++i)
    spec.query.push_back(FieldMatch::Equals("q" + std::to_string(i), ""));
  const auto result = Compiled(spec).Match(MakeRequest("GET", "/"));
  EXPECT_EQ(result.mismatches.size(), RequestMatcher::kMismatchesMax);
  EXPECT_EQ(result.distance, 1.0);
}

TEST(RequestMatcherTest, SurvivesAHostileBody) {
  const std::string deep = std::string(200'000, '[') + std::string(200'000, ']');
  const auto result = Compiled({.json = R"({"a":1})"}).Match(MakeRequest("POST", "/", {}, deep));
  EXPECT_FALSE(result.matched);
}

struct BadSpec {
  const char* name;
  RequestMatch spec;
  const char* message;
};

class RequestMatchErrorTest : public ::testing::TestWithParam<BadSpec> {};

TEST_P(RequestMatchErrorTest, IsRefused) {
  const auto matcher = RequestMatcher::Compile(GetParam().spec);
  ASSERT_FALSE(matcher.has_value());
  EXPECT_EQ(matcher.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(matcher.error().message, HasSubstr(GetParam().message));
}

INSTANTIATE_TEST_SUITE_P(
    Specs, RequestMatchErrorTest,
    ::testing::Values(
        BadSpec{"LowerCaseMethod", {.method = "get"}, "case-sensitive"},
        BadSpec{"EmptyMethod", {.method = ""}, "method"},
        BadSpec{"RelativePath", {.path = "v1"}, "must start with \"/\""},
        BadSpec{"EmptyPath", {.path = ""}, "must start with \"/\""},
        BadSpec{"QueryInPath", {.path = "/v1?a=1"}, "use \"query\""},
        BadSpec{"PartOfASegment", {.path = "/v1/o-{id}"}, "a whole segment"},
        BadSpec{"EmptyName", {.path = "/v1/{}"}, "a whole segment"},
        BadSpec{"RepeatedName", {.path = "/{id}/{id}"}, "appears twice"},
        BadSpec{"MalformedEscape", {.path = "/v1/%zz"}, "hexadecimal"},
        BadSpec{"BothPaths", {.path = "/v1", .path_regex = "/v1"}, "keep one"},
        BadSpec{"BadRegex", {.path_regex = "/v1("}, "RE2 syntax"},
        BadSpec{"NamelessQuery", {.query = {{"", "\"a\""}}}, "name is empty"},
        BadSpec{"ConditionIsNoJson", {.query = {{"a", "x"}}}, "not JSON"},
        BadSpec{
            "UnknownCondition", {.headers = {{"a", R"({"rgex":"x"})"}}}, "did you mean \"regex\"?"},
        BadSpec{"AbsentWithMore", {.query = {{"a", R"({"absent":true,"regex":"x"})"}}}, "alone"},
        BadSpec{"BodyIsNoJson", {.json = "{"}, "not JSON"}),
    [](const auto& test) { return test.param.name; });

TEST(RequestMatcherTest, FitsAnyOfSeveralMethods) {
  const RequestMatch spec{.methods = {"GET", "HEAD"}};
  EXPECT_TRUE(Fits(spec, MakeRequest("HEAD", "/")));
  EXPECT_FALSE(Fits(spec, MakeRequest("POST", "/")));
  EXPECT_EQ(Compiled(spec).Describe(), "GET|HEAD *");
}

struct FormCase {
  const char* name;
  RequestMatch spec;
  const char* target;
  bool fits;
};

class TargetTest : public ::testing::TestWithParam<FormCase> {};

TEST_P(TargetTest, Judges) {
  const auto request = MakeRequest("GET", GetParam().target);
  const RequestMatcher matcher = Compiled(GetParam().spec);
  EXPECT_EQ(matcher.Match(request).matched, GetParam().fits);
  EXPECT_EQ(matcher.Fits(PreparedRequest(request)), GetParam().fits);
}

INSTANTIATE_TEST_SUITE_P(
    Specs, TargetTest,
    ::testing::Values(
        FormCase{"ExactPath", {.path_exact = "/a/{b}"}, "/a/{b}?c=1", true},
        FormCase{"ExactPathIsNoTemplate", {.path_exact = "/a/{b}"}, "/a/x", false},
        FormCase{"ExactPathAsSent", {.path_exact = "/a b"}, "/a%20b", false},
        FormCase{"Target", {.target = "/a?b=1"}, "/a?b=1", true},
        FormCase{"TargetWithMore", {.target = "/a?b=1"}, "/a?b=1&c=2", false},
        FormCase{"TargetRegex", {.target_regex = R"(/a\?b=\d+)"}, "/a?b=12", true},
        FormCase{"TargetRegexIsAnchored", {.target_regex = R"(/a\?b=\d+)"}, "/a?b=12x", false},
        FormCase{"QueryExact",
                 {.query = {FieldMatch::Equals("a", "1")}, .query_exact = true},
                 "/?a=1",
                 true},
        FormCase{"QueryExactRefusesMore",
                 {.query = {FieldMatch::Equals("a", "1")}, .query_exact = true},
                 "/?a=1&b=",
                 false},
        FormCase{"NoQueryAtAll", {.query_exact = true}, "/?a=1", false},
        FormCase{"PathParameter",
                 {.path = "/o/{id}", .path_parameters = {{"id", R"({"regex":"^\\d+$"})"}}},
                 "/o/12",
                 true},
        FormCase{"PathParameterMisses",
                 {.path = "/o/{id}", .path_parameters = {{"id", R"({"regex":"^\\d+$"})"}}},
                 "/o/x",
                 false},
        FormCase{"Host", {.host = R"({"ends_with":".sim"})"}, "/", true},
        FormCase{"OtherHost", {.host = R"("other.sim")"}, "/", false},
        FormCase{
            "Includes", {.query = {{"a", R"({"includes":["1","2"]})"}}}, "/?a=2&a=3&a=1", true},
        FormCase{
            "IncludesMissesOne", {.query = {{"a", R"({"includes":["1","2"]})"}}}, "/?a=2", false},
        FormCase{
            "ExactlyInAnyOrder", {.query = {{"a", R"({"exactly":["1","2"]})"}}}, "/?a=2&a=1", true},
        FormCase{"ExactlyRefusesMore",
                 {.query = {{"a", R"({"exactly":["1","2"]})"}}},
                 "/?a=2&a=1&a=1",
                 false},
        FormCase{"ExactlyPairsConditions",
                 {.query = {{"a", R"({"exactly":[{"regex":"."},"1"]})"}}},
                 "/?a=1&a=2",
                 true},
        FormCase{"AbsentOrEqual", {.query = {{"a", R"([{"absent":true},"1"])"}}}, "/", true},
        FormCase{"AnyOf", {.any_of = {{.path = "/a"}, {.path = "/b"}}}, "/b", true},
        FormCase{"AnyOfNone", {.any_of = {{.path = "/a"}, {.path = "/b"}}}, "/c", false},
        FormCase{"AllOf", {.all_of = {{.path = "/a"}, {.method = "GET"}}}, "/a", true},
        FormCase{"AllOfMissesOne", {.all_of = {{.path = "/a"}, {.method = "PUT"}}}, "/a", false},
        FormCase{"NoneOf", {.none_of = {{.path = "/a"}}}, "/b", true},
        FormCase{"NoneOfFits", {.none_of = {{.path = "/a"}}}, "/a", false}),
    [](const auto& test) { return test.param.name; });

TEST(RequestMatcherTest, ReadsCookies) {
  const RequestMatch spec{.cookies = {FieldMatch::Equals("sid", "a=b")}};
  EXPECT_TRUE(Fits(spec, MakeRequest("GET", "/", {{"Cookie", "x=1; sid=a=b;y"}})));
  EXPECT_FALSE(Fits(spec, MakeRequest("GET", "/", {{"Cookie", "SID=a=b"}})));
}

TEST(RequestMatcherTest, ReadsFormFieldsOfAFormOnly) {
  const RequestMatch spec{.form = {FieldMatch::Equals("a", "x y")}};
  const http::Headers form{{"Content-Type", "Application/X-WWW-Form-Urlencoded; charset=utf-8"}};
  EXPECT_TRUE(Fits(spec, MakeRequest("POST", "/", form, "b=1&a=x+y")));
  EXPECT_TRUE(Fits(spec, MakeRequest("POST", "/", {}, "a=x%20y")));
  EXPECT_FALSE(Fits(spec, MakeRequest("POST", "/", {{"Content-Type", "text/plain"}}, "a=x+y")));
}

struct BodyCase {
  const char* name;
  RequestMatch spec;
  std::string body;
  bool fits;
};

class BodyTest : public ::testing::TestWithParam<BodyCase> {};

TEST_P(BodyTest, Judges) {
  const auto request = MakeRequest("POST", "/", {}, GetParam().body);
  const RequestMatcher matcher = Compiled(GetParam().spec);
  const MatchResult result = matcher.Match(request);
  EXPECT_EQ(result.matched, GetParam().fits) << matcher.Explain(result);
  EXPECT_EQ(matcher.Fits(PreparedRequest(request)), GetParam().fits);
}

JsonEqualMatch Equal(std::string json, bool order = false, bool extra = false) {
  return {.json = std::move(json), .ignore_order = order, .ignore_extra = extra};
}

INSTANTIATE_TEST_SUITE_P(
    Specs, BodyTest,
    ::testing::Values(
        BodyCase{"Text", {.text = R"({"contains":"b c"})"}, "a b c d", true},
        BodyCase{"TextMisses", {.text = R"({"contains":"b c"})"}, "a b  c", false},
        BodyCase{"Bytes", {.body = std::string("a\0b", 3)}, std::string("a\0b", 3), true},
        BodyCase{"BytesDiffer", {.body = std::string("a\0b", 3)}, std::string("a\0c", 3), false},
        BodyCase{"JsonEqual", {.json_equal = Equal(R"({"a":[1,2]})")}, R"({"a":[1,2.0]})", true},
        BodyCase{"JsonEqualMore", {.json_equal = Equal(R"({"a":1})")}, R"({"a":1,"b":2})", false},
        BodyCase{"JsonEqualLess", {.json_equal = Equal(R"({"a":1,"b":2})")}, R"({"a":1})", false},
        BodyCase{"OrderCounts", {.json_equal = Equal("[1,2]")}, "[2,1]", false},
        BodyCase{"IgnoreOrder", {.json_equal = Equal("[1,2]", true)}, "[2,1]", true},
        BodyCase{
            "IgnoreOrderCountsRepeats", {.json_equal = Equal("[1,1,2]", true)}, "[1,2,2]", false},
        BodyCase{"IgnoreOrderDeep",
                 {.json_equal = Equal(R"([{"a":[1,2]},3])", true)},
                 R"([3,{"a":[2,1]}])",
                 true},
        BodyCase{"IgnoreExtra",
                 {.json_equal = Equal(R"({"a":[1,3]})", false, true)},
                 R"({"b":0,"a":[1,2,3]})",
                 true},
        BodyCase{
            "IgnoreExtraKeepsOrder", {.json_equal = Equal("[1,3]", false, true)}, "[3,1]", false},
        BodyCase{"IgnoreBoth",
                 {.json_equal = Equal(R"([{"a":1},{"b":2}])", true, true)},
                 R"([{"b":2,"c":0},{"a":1},9])",
                 true},
        BodyCase{"PairsTheNarrowOneToo",
                 {.json_equal = Equal(R"([{},{"a":1}])", true, true)},
                 R"([{"a":1},{"b":1}])",
                 true},
        BodyCase{"JsonPath",
                 {.json_path = {{"$.items[?@.qty > 1].id", R"("b")"}}},
                 R"({"items":[{"id":"a","qty":1},{"id":"b","qty":2}]})",
                 true},
        BodyCase{"JsonPathMisses", {.json_path = {{"$.a", "1"}}}, R"({"a":2})", false},
        BodyCase{"JsonPathExists",
                 {.json_path = {{"$..id", R"({"absent":false})"}}},
                 R"({"a":[{"id":null}]})",
                 true},
        BodyCase{"JsonPathAbsent", {.json_path = {{"$.a", R"({"absent":true})"}}}, "{}", true},
        BodyCase{"JsonPathNeedsJson", {.json_path = {{"$.a", R"({"absent":true})"}}}, "x", false},
        BodyCase{"Jayway",
                 {.json_path = {{"$[?(@.a == 'x')]", R"({"absent":false})"}}, .jayway = true},
                 R"({"a":"x"})",
                 true},
        BodyCase{"Schema", {.json_schema = R"({"required":["a"]})"}, R"({"a":1})", true},
        BodyCase{"SchemaMisses", {.json_schema = R"({"required":["a"]})"}, "{}", false},
        BodyCase{"SchemaNeedsJson", {.json_schema = "true"}, "", false}),
    [](const auto& test) { return test.param.name; });

TEST(RequestMatcherTest, TellsWhatASchemaFound) {
  const auto matcher = Compiled({.json_schema = R"({"properties":{"a":{"type":"string"}}})"});
  EXPECT_EQ(matcher.Explain(matcher.Match(MakeRequest("POST", "/", {}, R"({"a":1})"))),
            "* *: json_schema /a: expected to satisfy #/properties/a/type, got a failure: "
            "expected string, got integer");
}

TEST(RequestMatcherTest, TellsWhatTheNearestAlternativeLacks) {
  const auto matcher = Compiled({.any_of = {{.path = "/x/y/z"}, {.method = "PUT", .path = "/a"}}});
  EXPECT_THAT(matcher.Explain(matcher.Match(MakeRequest("GET", "/a"))),
              HasSubstr("method: expected PUT, got GET"));
}

TEST(RequestMatcherTest, ReportsWhatFitsToo) {
  const auto matcher = Compiled({.method = "GET", .path = "/a"});
  const auto request = MakeRequest("GET", "/b");
  const auto result = matcher.Match(PreparedRequest(request), MatchDetail::kReport);
  ASSERT_EQ(result.fitting.size(), 1U);
  EXPECT_EQ(result.fitting[0].part, RequestPart::kMethod);
}

INSTANTIATE_TEST_SUITE_P(
    GrownSpecs, RequestMatchErrorTest,
    ::testing::Values(
        BadSpec{"MethodAndMethods", {.method = "GET", .methods = {"PUT"}}, "keep one"},
        BadSpec{"LowerCaseInMethods", {.methods = {"GET", "put"}}, "case-sensitive"},
        BadSpec{"PathAndTarget", {.path = "/a", .target = "/a"}, "keep one"},
        BadSpec{"RelativeTarget", {.target = "a"}, "must start with"},
        BadSpec{"BadTargetRegex", {.target_regex = "("}, "target_regex"},
        BadSpec{"UnknownParameter",
                {.path = "/{a}", .path_parameters = {{"b", "1"}}},
                "the path has no {b}"},
        BadSpec{"ExactlyWithMore",
                {.query = {{"a", R"({"exactly":["1"],"regex":"x"})"}}},
                "stands alone"},
        BadSpec{"EmptyIncludes", {.query = {{"a", R"({"includes":[]})"}}}, "includes"},
        BadSpec{"TextIsNoJson", {.text = "a"}, "text"},
        BadSpec{"JsonEqualIsNoJson", {.json_equal = JsonEqualMatch{.json = "{"}}, "json_equal"},
        BadSpec{"BadJsonPath", {.json_path = {{"$.a[", "1"}}}, "json_path"},
        BadSpec{"BadSchema", {.json_schema = R"({"type":"text"})"}, "#/type"},
        BadSpec{"Inside", {.any_of = {{.path = "a"}}}, "any_of: path"}),
    [](const auto& test) { return test.param.name; });

TEST(RequestMatcherTest, RefusesEndlessNesting) {
  RequestMatch spec{.path = "/"};
  for (int i = 0; i < 100; ++i) {
    RequestMatch outer;
    outer.all_of.push_back(std::move(spec));
    spec = std::move(outer);
  }
  EXPECT_FALSE(RequestMatcher::Compile(spec).has_value());
}

TEST(RequestMatcherTest, ComparingArraysInAnyOrderIsBounded) {
  std::string big = "[0";
  for (int i = 1; i < 20'000; ++i) big += "," + std::to_string(i);
  big += "]";
  EXPECT_FALSE(Fits({.json_equal = Equal("[-1]", true, true)}, MakeRequest("POST", "/", {}, big)));
}

}  // namespace
}  // namespace understudy::harness
