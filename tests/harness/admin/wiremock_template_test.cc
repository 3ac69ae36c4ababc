#include "harness/admin/wiremock_template.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace understudy::harness {
namespace {

using ::testing::HasSubstr;

struct Row {
  const char* name;
  const char* handlebars;
  const char* ours;
  bool json = false;
};

class HandlebarsTest : public ::testing::TestWithParam<Row> {};

TEST_P(HandlebarsTest, IsCarriedOver) {
  const HandlebarsScope scope{
      .json = GetParam().json, .captures = {"id"}, .parameters = {{"greeting", "it's"}}};
  const auto text = TranslateHandlebars(GetParam().handlebars, scope);
  ASSERT_TRUE(text) << text.error().message;
  EXPECT_EQ(*text, GetParam().ours);
}

constexpr Row kRows[] = {
    {"Plain", "no braces", "no braces"},
    {"Method", "{{request.method}}", "{{request.method}}"},
    {"TripleBraces", "{{{request.url}}}", "{{request.url}}"},
    {"PathSegmentByIndex", "{{request.path.[1]}}", "{{request.path.1}}"},
    {"PathSegments", "{{request.pathSegments.[0]}}", "{{request.path.0}}"},
    {"PathVariable", "{{request.path.id}}", "{{request.path.id}}"},
    {"Query", "{{request.query.page}}", "{{request.query.['page']}}"},
    {"SecondQueryValue", "{{request.query.page.[1]}}", "{{request.query.['page'].1}}"},
    {"LegacyRequestLine", "{{request.requestLine.query.q}}", "{{request.query.['q']}}"},
    {"BracketedHeader", "{{request.headers.[X-Id]}}", "{{request.headers.['X-Id']}}"},
    {"Header", "{{request.headers.X-Id}}", "{{request.headers.['X-Id']}}"},
    {"Cookie", "{{request.cookies.sid}}", "{{request.cookies.['sid']}}"},
    {"JsonPath", "{{jsonPath request.body '$.a.b[0]'}}", "{{request.json.['a'].['b'].['0']}}"},
    {"JsonPathWithQuotedName", "{{jsonPath request.body \"$['a b']\"}}",
     "{{request.json.['a b']}}"},
    {"JsonPathDefault", "{{jsonPath request.body '$.a' default='x'}}",
     "{{default request.json.['a'] 'x'}}"},
    {"Now", "{{now}}", "{{now}}"},
    {"NowFormatted", "{{now offset='3 days' format='yyyy-MM-dd'}}",
     "{{now format='yyyy-MM-dd' offset='3 days'}}"},
    {"NowEpoch", "{{now format='epoch'}}", "{{now format='unix-ms'}}"},
    {"Uuid", "{{randomValue type='UUID'}}", "{{uuid}}"},
    {"Alphanumeric", "{{randomValue length=8 type='ALPHANUMERIC'}}", "{{lower (random.string 8)}}"},
    {"UpperHex", "{{randomValue length=8 type='HEXADECIMAL' uppercase=true}}",
     "{{upper (random.hex 8)}}"},
    {"RandomIntIsHalfOpen", "{{randomInt lower=5 upper=9}}", "{{random.int 5 8}}"},
    {"PickRandom", "{{pickRandom 'a' 'b'}}", "{{random.pick 'a' 'b'}}"},
    {"Nested", "{{trim (upper request.body)}}", "{{trim (upper request.body)}}"},
    {"Base64", "{{base64 request.body}}", "{{base64 request.body}}"},
    {"Default", "{{defaultIfEmpty request.query.q 'none'}}",
     "{{default request.query.['q'] 'none'}}"},
    {"Parameter", "{{parameters.greeting}}", "{{'it\\'s'}}"},
    {"Comment", "a{{! gone }}b{{!-- {{gone}} --}}c", "abc"},
    {"EscapedBraces", "\\{{x", "{{'{{'}}x"},
    {"InJsonStringItStaysText", R"({"n":"{{request.query.n}}"})",
     R"({"n":"{{string request.query.['n']}}"})", true},
    {"OutsideOfJsonStringsItIsANumber", R"({"n":{{request.query.n}}})",
     R"({"n":{{number request.query.['n']}}})", true},
    {"OutsideOfJsonStringsJsonPathKeepsItsType", R"({"n":{{jsonPath request.body '$.n'}}})",
     R"({"n":{{request.json.['n']}}})", true},
    {"OutsideOfJsonStringsTheBodyIsJson", R"({"n":{{request.body}}})", R"({"n":{{request.json}}})",
     true},
};

INSTANTIATE_TEST_SUITE_P(Rows, HandlebarsTest, ::testing::ValuesIn(kRows),
                         [](const auto& row) { return std::string(row.param.name); });

struct LostRow {
  const char* name;
  const char* handlebars;
};

class LostHandlebarsTest : public ::testing::TestWithParam<LostRow> {};

TEST_P(LostHandlebarsTest, IsRefusedAndQuoted) {
  const auto text = TranslateHandlebars(GetParam().handlebars, {});
  ASSERT_FALSE(text) << *text;
  EXPECT_THAT(text.error().message, HasSubstr("{{"));
}

constexpr LostRow kLostRows[] = {
    {"Block", "{{#if request.query.a}}x{{/if}}"},
    {"Partial", "{{> other}}"},
    {"Trimming", "{{~request.method~}}"},
    {"UnknownHelper", "{{math 1 '+' 2}}"},
    {"UnknownPart", "{{request.clientIp}}"},
    {"UnknownVariable", "{{request.path.nobody}}"},
    {"WildcardPath", "{{jsonPath request.body '$..a'}}"},
    {"OtherJson", "{{jsonPath request.headers.X '$.a'}}"},
    {"TimeZone", "{{now timezone='Australia/Sydney'}}"},
    {"BadFormat", "{{now format='qqq'}}"},
    {"Decoding", "{{base64 request.body decode=true}}"},
    {"Unclosed", "{{request.method"},
    {"Empty", "{{}}"},
};

INSTANTIATE_TEST_SUITE_P(Rows, LostHandlebarsTest, ::testing::ValuesIn(kLostRows),
                         [](const auto& row) { return std::string(row.param.name); });

}  // namespace
}  // namespace understudy::harness
