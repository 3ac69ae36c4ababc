#include "middleware/client/json_body.h"

#include <cstdint>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace understudy {
namespace {

using Json = nlohmann::json;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

http::Response Answer(std::string body, std::string_view type = "application/json",
                      int status = 200) {
  return {status, http::Headers{{"Content-Type", type}}, std::move(body)};
}

TEST(JsonBodyTest, ReadsEveryKindOfValue) {
  const auto value = ParseJson(Answer(
      R"( {"a": [1, -2, 2.5, 1e3, true, false, null], "b": {"c": "x\u00e9\n"}, "d": [], "e": {}} )"));
  ASSERT_TRUE(value) << value.error().ToString();
  EXPECT_EQ(*value, (Json{{"a", {1, -2, 2.5, 1e3, true, false, nullptr}},
                          {"b", {{"c", "x\xc3\xa9\n"}}},
                          {"d", Json::array()},
                          {"e", Json::object()}}));
}

TEST(JsonBodyTest, ReadsScalarsAndTheLargestWholeNumbers) {
  EXPECT_EQ(ParseJsonText("18446744073709551615").value(), Json(18446744073709551615ULL));
  EXPECT_EQ(ParseJsonText("-9223372036854775808").value(), Json(INT64_MIN));
  EXPECT_EQ(ParseJsonText("\"x\"").value(), Json("x"));
  EXPECT_EQ(ParseJsonText("null").value(), Json());
}

TEST(JsonBodyTest, SkipsAByteOrderMark) {
  EXPECT_EQ(ParseJsonText("\xef\xbb\xbf{}").value(), Json::object());
}

TEST(JsonBodyTest, TheSameNameMayOccurInDifferentObjects) {
  EXPECT_TRUE(ParseJsonText(R"({"a":{"a":1},"b":[{"a":1},{"a":1}]})"));
}

struct BadRow {
  std::string name;
  std::string text;
  std::string reason;
  std::string where;
};
class BadJsonTest : public ::testing::TestWithParam<BadRow> {};

TEST_P(BadJsonTest, IsATypedErrorWithItsPlaceAndNothingOfTheBody) {
  const auto value = ParseJson(Answer(GetParam().text));
  ASSERT_FALSE(value);
  EXPECT_EQ(value.error().code, ErrorCode::kProtocol);
  EXPECT_EQ(value.error().delivery, Delivery::kAnswered);
  EXPECT_EQ(value.error().origin, Origin::kRemote);
  EXPECT_EQ(value.error().reason, GetParam().reason);
  EXPECT_THAT(value.error().message, AllOf(HasSubstr("the answer 200"), HasSubstr(GetParam().where),
                                           Not(HasSubstr("s3cret"))));
}

INSTANTIATE_TEST_SUITE_P(
    Bodies, BadJsonTest,
    ::testing::Values(
        BadRow{"empty", "", "json-empty", "no body"},
        BadRow{"space", "  ", "json-syntax", "at byte 2"},
        BadRow{"word", "s3cret", "json-syntax", "at byte 0"},
        BadRow{"cut", R"({"s3cret":)", "json-syntax", "at byte 10"},
        BadRow{"cut_text", R"({"s3cret)", "json-syntax", "at byte 8"},
        BadRow{"bare_name", "{s3cret:1}", "json-syntax", "at byte 1"},
        BadRow{"trailing_comma", "[1,]", "json-syntax", "at byte 3"},
        BadRow{"comment", "[1/*s3cret*/]", "json-syntax", "at byte 2"},
        BadRow{"after_the_value", "{}s3cret", "json-syntax", "at byte 2"},
        BadRow{"two_values", "{}{}", "json-syntax", "at byte 2"},
        BadRow{"nul_after_the_value", std::string("{}\0s3cret", 9), "json-syntax",
               "NUL byte at byte 2"},
        BadRow{"nul_in_text", std::string("[\"\0\"]", 5), "json-syntax", "at byte 2"},
        BadRow{"utf16", std::string("\xff\xfe{\0}\0", 6), "json-syntax", "at byte 3"},
        BadRow{"broken_utf8", "[\"s3cret\xff\"]", "json-syntax", "at byte 8"},
        BadRow{"overlong_utf8", "[\"\xc0\xaf\"]", "json-syntax", "at byte 2"},
        BadRow{"lone_surrogate", R"(["\ud800"])", "json-syntax", "at byte 8"},
        BadRow{"half_a_mark", "\xef\xbb{}", "json-syntax", "at byte"},
        BadRow{"raw_control", "[\"\x01\"]", "json-syntax", "at byte 2"},
        BadRow{"leading_zero", "[01]", "json-syntax", "at byte 2"},
        BadRow{"not_a_number", "[NaN]", "json-syntax", "at byte 1"},
        BadRow{"repeated_name", R"({"s3cret":1,"s3cret":2})", "json-duplicate", "at byte 19"},
        BadRow{"repeated_escaped_name", R"({"a":1,"\u0061":2})", "json-duplicate", "at byte 14"},
        BadRow{"number_beyond_double", "[1e999]", "json-number", "too large"},
        BadRow{"whole_number_beyond_64_bits", "[18446744073709551616]", "json-number",
               "more than 64 bits"},
        BadRow{"negative_beyond_64_bits", "[-9223372036854775809]", "json-number",
               "more than 64 bits"}),
    [](const auto& test) { return test.param.name; });

// --- limits

TEST(JsonBodyTest, X110_BytesAreBounded) {
  const JsonLimits limits{.bytes_max = 4};
  EXPECT_TRUE(ParseJsonText("[12]", limits));
  const auto value = ParseJsonText("[123]", limits);
  EXPECT_EQ(value.error().reason, "json-size");
  EXPECT_EQ(value.error().code, ErrorCode::kProtocol);
}

TEST(JsonBodyTest, X110_DepthIsBounded) {
  const JsonLimits limits{.depth_max = 3};
  EXPECT_TRUE(ParseJsonText(R"([{"a":[1]}])", limits));
  const auto value = ParseJsonText(R"([{"a":[[1]]}])", limits);
  EXPECT_EQ(value.error().reason, "json-depth");
  EXPECT_THAT(value.error().message, HasSubstr("at byte 7"));
}

TEST(JsonBodyTest, X110_AMegabyteOfBracketsIsRefusedAndNotFollowed) {
  EXPECT_EQ(ParseJsonText(std::string(1'000'000, '[')).error().reason, "json-depth");
}

TEST(JsonBodyTest, X110_ValuesAreBounded) {
  const JsonLimits limits{.values_max = 3};
  EXPECT_TRUE(ParseJsonText("[1,{}]", limits));
  EXPECT_TRUE(ParseJsonText(R"({"a":1,"b":2})", limits));
  EXPECT_EQ(ParseJsonText("[1,2,3]", limits).error().reason, "json-size");
  EXPECT_EQ(ParseJsonText("[1,2,[]]", limits).error().reason, "json-size");
}

TEST(JsonBodyTest, TheDeepestAllowedLimitIsRead) {
  const std::string text = std::string(1000, '[') + std::string(1000, ']');
  EXPECT_TRUE(ParseJsonText(text, {.depth_max = 1000}));
}

struct LimitRow {
  std::string name;
  JsonLimits limits;
  bool ok;
};
class JsonLimitsTest : public ::testing::TestWithParam<LimitRow> {};
TEST_P(JsonLimitsTest, AreChecked) {
  EXPECT_EQ(FindProblems(GetParam().limits).empty(), GetParam().ok);
  const auto value = ParseJsonText("1", GetParam().limits);
  EXPECT_EQ(value.has_value(), GetParam().ok);
  if (!value) {
    EXPECT_EQ(value.error().code, ErrorCode::kInvalidArgument);
  }
}
INSTANTIATE_TEST_SUITE_P(
    Limits, JsonLimitsTest,
    ::testing::Values(LimitRow{"defaults", {}, true}, LimitRow{"no_bytes", {.bytes_max = 0}, false},
                      LimitRow{"most_bytes", {.bytes_max = std::size_t{1} << 30U}, true},
                      LimitRow{"too_many_bytes", {.bytes_max = (std::size_t{1} << 30U) + 1}, false},
                      LimitRow{"no_depth", {.depth_max = 0}, false},
                      LimitRow{"negative_depth", {.depth_max = -1}, false},
                      LimitRow{"least_depth", {.depth_max = 1}, true},
                      LimitRow{"most_depth", {.depth_max = 1000}, true},
                      LimitRow{"too_much_depth", {.depth_max = 1001}, false},
                      LimitRow{"no_values", {.values_max = 0}, false},
                      LimitRow{"most_values", {.values_max = 100'000'000}, true},
                      LimitRow{"too_many_values", {.values_max = 100'000'001}, false}),
    [](const auto& test) { return test.param.name; });

// --- content type

struct TypeRow {
  std::string name;
  std::string type;
  bool json;
};
class ContentTypeTest : public ::testing::TestWithParam<TypeRow> {};
TEST_P(ContentTypeTest, DecidesWhetherABodyIsRead) {
  EXPECT_EQ(IsJsonContentType(GetParam().type), GetParam().json);
  const auto value = ParseJson(Answer("{}", GetParam().type));
  EXPECT_EQ(value.has_value(), GetParam().json);
  if (!value) {
    EXPECT_EQ(value.error().reason, "content-type");
    EXPECT_EQ(value.error().code, ErrorCode::kProtocol);
  }
  EXPECT_TRUE(ParseJson(Answer("{}", GetParam().type), {.any_content_type = true}));
}
INSTANTIATE_TEST_SUITE_P(
    Types, ContentTypeTest,
    ::testing::Values(TypeRow{"json", "application/json", true},
                      TypeRow{"charset", "application/json; charset=utf-8", true},
                      TypeRow{"upper_case", "Application/JSON ;charset=UTF-8", true},
                      TypeRow{"problem", "application/problem+json", true},
                      TypeRow{"vendor", "application/vnd.github+json", true},
                      TypeRow{"html", "text/html", false}, TypeRow{"empty", "", false},
                      TypeRow{"text_json", "text/json", false},
                      TypeRow{"json_lines", "application/jsonl", false},
                      TypeRow{"only_a_suffix", "application/+json", false},
                      TypeRow{"no_slash", "x+json", false},
                      TypeRow{"suffix_in_a_parameter", "text/html; x=y+json", false},
                      TypeRow{"space_inside", "application/a b+json", false},
                      TypeRow{"two_slashes", "a/b/c+json", false}),
    [](const auto& test) { return test.param.name; });

TEST(JsonBodyTest, AMissingOrRepeatedContentTypeIsNoJson) {
  EXPECT_THAT(ParseJson({200, {}, "{}"}).error().message, HasSubstr("no content type"));
  EXPECT_THAT(
      ParseJson({200,
                 http::Headers{{"Content-Type", "application/json"}, {"content-type", "text/html"}},
                 "{}"})
          .error()
          .message,
      HasSubstr("several content types"));
}

TEST(JsonBodyTest, AProxysErrorPageIsNamedWithoutTricks) {
  EXPECT_THAT(ParseJson(Answer("<html>", "text/html", 502)).error().message,
              AllOf(HasSubstr("the answer 502"), HasSubstr("text/html")));
  EXPECT_THAT(ParseJson(Answer("{}", "text/\x1b[31m")).error().message, Not(HasSubstr("\x1b")));
  EXPECT_THAT(ParseJson(Answer("{}", "a/" + std::string(1000, 'b'))).error().message.size(),
              ::testing::Lt(200u));
}

TEST(JsonBodyTest, AnAnswerWithoutContentIsNoJson) {
  const auto value = ParseJson({204, {}, ""});
  EXPECT_EQ(value.error().reason, "json-empty");
  EXPECT_THAT(value.error().message, HasSubstr("the answer 204"));
}

}  // namespace
}  // namespace understudy
