#include "harness/vendor/template.h"

#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "harness/plan/seeded_random.h"
#include "harness/vendor/template_time.h"
#include "middleware/base/iso_time.h"

namespace understudy::harness {
namespace {

using nlohmann::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;

http::Request MakeRequest(std::string_view target, std::string body = {},
                          http::Headers headers = {}) {
  auto url = http::Url::Parse(std::string("http://acme.test").append(target));
  EXPECT_TRUE(url.has_value()) << target;
  return {http::Method("POST"), *std::move(url), std::move(headers), std::move(body)};
}

SystemTime At(const char* text) {
  const auto time = ParseIsoInstant(text);
  EXPECT_TRUE(time.has_value()) << text;
  return *time;
}

class TemplateTest : public ::testing::Test {
 protected:
  std::string Render(std::string_view text, TemplateSyntax syntax = TemplateSyntax::kText) {
    const auto compiled = Template::Compile(text, {.captures = {"id"}}, syntax);
    if (!compiled) return "does not compile: " + compiled.error().message;
    const PreparedRequest prepared(request_);
    const auto rendered = compiled->Render({.request = prepared,
                                            .captures = captures_,
                                            .counters = counters_,
                                            .states = states_,
                                            .now = At("2026-03-05T07:08:09Z"),
                                            .random = random_,
                                            .random_site = "template/orders",
                                            .vendor = "acme",
                                            .route = "orders",
                                            .caller = "app-1",
                                            .test = "t7",
                                            .n = 3});
    return rendered ? *rendered : "does not render: " + rendered.error().message;
  }
  std::string RenderJson(std::string_view text) { return Render(text, TemplateSyntax::kJson); }

  http::Request request_ =
      MakeRequest("/v1/orders/o%201?page=2&tag=a&tag=b&page%5Bsize%5D=9",
                  R"({"total":12.5,"items":[{"sku":"k\"1"}],"note":null,"a.b":true})",
                  {{"X-Name", "Ann"}, {"Cookie", "sid=s1; theme=dark"}});
  std::vector<std::pair<std::string, std::string>> captures_ = {{"id", "o 1"}};
  std::vector<std::pair<std::string, std::int64_t>> counters_ = {{"orders", 41}};
  std::vector<std::pair<std::string, std::string>> states_ = {{"cart", "open"}};
  SeededRandom random_{7};
};

struct Case {
  const char* name;
  const char* text;
  const char* expected;
};

class TemplateTextTest : public TemplateTest, public ::testing::WithParamInterface<Case> {};

TEST_P(TemplateTextTest, IsFilledIn) { EXPECT_EQ(Render(GetParam().text), GetParam().expected); }

INSTANTIATE_TEST_SUITE_P(
    Text, TemplateTextTest,
    ::testing::Values(
        Case{"NoPlaceholder", "plain } { text", "plain } { text"},
        Case{"Method", "[{{request.method}}]", "[POST]"},
        Case{"Spaces", "{{  request.method  }}", "POST"},
        Case{"Url", "{{request.url}}", "/v1/orders/o%201?page=2&tag=a&tag=b&page%5Bsize%5D=9"},
        Case{"Path", "{{request.path}}", "/v1/orders/o%201"},
        Case{"Capture", "{{request.path.id}}", "o 1"},
        Case{"Segment", "{{request.path.1}}", "orders"},
        Case{"SegmentBeyondTheEnd", "<{{request.path.9}}>", "<>"},
        Case{"Query", "{{request.query.page}}", "2"},
        Case{"SecondValue", "{{request.query.tag.1}}", "b"},
        Case{"BracketedName", "{{request.query.['page[size]']}}", "9"},
        Case{"HeaderWithoutCase", "{{request.headers.x-name}}", "Ann"},
        Case{"MissingHeader", "<{{request.headers.X-None}}>", "<>"},
        Case{"Cookie", "{{request.cookies.theme}}", "dark"},
        Case{"JsonMember", "{{request.json.total}}", "12.5"},
        Case{"JsonElement", "{{request.json.items.0.sku}}", "k\"1"},
        Case{"JsonPointer", "{{request.json/items/0/sku}}", "k\"1"},
        Case{"JsonNameWithADot", "{{request.json.['a.b']}}", "true"},
        Case{"JsonTree", "{{request.json.items}}", R"([{"sku":"k\"1"}])"},
        Case{"JsonNull", "<{{request.json.note}}>", "<>"},
        Case{"Counter", "{{counter 'orders'}}", "41"}, Case{"State", "{{state 'cart'}}", "open"},
        Case{"Names", "{{vendor}} {{route}} {{caller}} {{test}} {{n}}", "acme orders app-1 t7 3"},
        Case{"Upper", "{{upper request.path.id}}", "O 1"},
        Case{"Nested", "{{upper (concat 'x-' (default request.query.none 'none'))}}", "X-NONE"},
        Case{"DefaultOfAMissingOne", "{{default request.query.none '1'}}", "1"},
        Case{"DefaultOfAPresentOne", "{{default request.query.page '1'}}", "2"},
        Case{"Base64", "{{base64 request.headers.X-Name}}", "QW5u"},
        Case{"UrlEncoded", "{{url request.path.id}}", "o%201"},
        Case{"Xml", "{{xml '<a b=\"c\">'}}", "&lt;a b=&quot;c&quot;&gt;"},
        Case{"Number", "{{number request.query.page}}", "2"},
        Case{"LiteralBraces", "{{'{{'}}x{{'}}'}}", "{{x}}"},
        Case{"Now", "{{now}}", "2026-03-05T07:08:09Z"},
        Case{"NowEarlier", "{{now offset='-1h30m'}}", "2026-03-05T05:38:09Z"},
        Case{"NowInDays", "{{now offset='3 days' format='date'}}", "2026-03-08"},
        Case{"NowUnix", "{{now format='unix'}}", "1772694489"},
        Case{"NowHttp", "{{now format='http'}}", "Thu, 05 Mar 2026 07:08:09 GMT"},
        Case{"NowLetters", "{{now format=\"EEE d MMM yyyy 'at' h:mm a\"}}",
             "Thu 5 Mar 2026 at 7:08 AM"}),
    [](const auto& test) { return test.param.name; });

class TemplateJsonTest : public TemplateTest, public ::testing::WithParamInterface<Case> {};

TEST_P(TemplateJsonTest, IsFilledInAsJson) {
  const std::string rendered = RenderJson(GetParam().text);
  EXPECT_EQ(rendered, GetParam().expected);
  EXPECT_FALSE(json::parse(rendered, nullptr, false).is_discarded());
}

INSTANTIATE_TEST_SUITE_P(
    Json, TemplateJsonTest,
    ::testing::Values(
        Case{"TextInsideAStringIsEscaped", R"({"a":"<{{request.json.items.0.sku}}>"})",
             R"({"a":"<k\"1>"})"},
        Case{"AWholeStringBecomesTheValue", R"({"a":"{{request.json.total}}"})", R"({"a":12.5})"},
        Case{"AWholeStringOfTextStaysOne", R"({"a":"{{request.path.id}}"})", R"({"a":"o 1"})"},
        Case{"AWholeTree", R"({"a":"{{request.json.items}}"})", R"({"a":[{"sku":"k\"1"}]})"},
        Case{"AMissingValueIsNull", R"({"a":"{{request.query.none}}"})", R"({"a":null})"},
        Case{"StringKeepsItText", R"({"a":"{{string request.json.total}}"})", R"({"a":"12.5"})"},
        Case{"AMemberNameStaysAString", R"({"{{n}}":1})", R"({"3":1})"},
        Case{"TwoInOneString", R"(["{{n}}{{n}}"])", R"(["33"])"},
        Case{"OutsideOfStrings", R"({"n":{{n}},"s":{{request.path.id}}})", R"({"n":3,"s":"o 1"})"},
        Case{"EscapedQuotesInThePlaceholder", R"(["{{default request.query.none \"x\"}}"])",
             R"(["x"])"},
        Case{"ABackslashBeforeTheQuote", R"(["\\","{{n}}"])", R"(["\\",3])"},
        Case{"NestedObjectsEndInBraces", R"({"a":{"b":"{{n}}"}})", R"({"a":{"b":3}})"}),
    [](const auto& test) { return test.param.name; });

class TemplateErrorTest : public TemplateTest, public ::testing::WithParamInterface<Case> {};

TEST_P(TemplateErrorTest, IsRefusedWithAReason) {
  const auto compiled = Template::Compile(GetParam().text, {.captures = {"id", "item"}});
  ASSERT_FALSE(compiled.has_value());
  EXPECT_EQ(compiled.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(compiled.error().message, HasSubstr(GetParam().expected));
}

INSTANTIATE_TEST_SUITE_P(
    Errors, TemplateErrorTest,
    ::testing::Values(Case{"NotClosed", "a {{request.method", "not closed"},
                      Case{"Empty", "{{ }}", "it is empty"},
                      Case{"UnknownHelper", "{{uper 'x'}}", "did you mean \"upper\""},
                      Case{"UnknownName", "{{reqest.method}}", "did you mean \"request\""},
                      Case{"UnknownPart", "{{request.querry.a}}", "did you mean \"query\""},
                      Case{"UnknownCapture", "{{request.path.itm}}", "did you mean \"item\""},
                      Case{"TooFewArguments", "{{random.int 1}}", "{{random.int 1 10}}"},
                      Case{"TooManyArguments", "{{uuid 1}}", "takes 0 arguments"},
                      Case{"RangeBackwards", "{{random.int 10 1}}", "the smaller first"},
                      Case{"LengthOfZero", "{{random.string 0}}", "a length from 1"},
                      Case{"LengthTooLong", "{{random.hex 1001}}", "to 1000"},
                      Case{"UnknownOption", "{{now formt='unix'}}", "did you mean \"format\""},
                      Case{"UnknownFormatLetter", "{{now format='yyyy-QQ'}}", "stands for nothing"},
                      Case{"BadOffset", "{{now offset='soon'}}", "no offset"},
                      Case{"CounterWithoutAName", "{{counter request.method}}", "a name in quotes"},
                      Case{"QuoteNotClosed", "{{upper 'x}}", "not closed"},
                      Case{"BracketNotClosed", "{{upper (lower 'x'}}", "\"(\" is not closed"},
                      Case{"WholePartWithParts", "{{request.method.x}}", "has no parts"},
                      Case{"QueryTooDeep", "{{request.query.a.b}}", "['a.b']"}),
    [](const auto& test) { return test.param.name; });

TEST_F(TemplateTest, ANameWithBracketsIsNamedByItsQuotes) {
  request_ = MakeRequest("/?a%20b=9&c.d=8");
  EXPECT_EQ(Render("{{request.query.['a b']}} {{request.query.[\"c.d\"]}}"), "9 8");
}

TEST_F(TemplateTest, FormFieldsAreRead) {
  request_ = MakeRequest("/token", "grant_type=refresh_token&x=a+b");
  EXPECT_EQ(Render("{{request.form.grant_type}} {{request.form.x}}"), "refresh_token a b");
}

TEST_F(TemplateTest, RandomValuesComeFromTheSeed) {
  constexpr const char* kText =
      "{{random.int 1 10}} {{random.string 12}} {{random.hex 4}} {{random.pick 'a' 'b'}} {{uuid}}";
  const std::string first = Render(kText);
  EXPECT_THAT(first, MatchesRegex("[0-9]+ [0-9A-Za-z]{12} [0-9a-f]{4} [ab] "
                                  "[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-"
                                  "[0-9a-f]{12}"));
  EXPECT_NE(Render(kText), first);
  SeededRandom again(7);
  const PreparedRequest prepared(request_);
  const auto compiled = Template::Compile(kText, {});
  ASSERT_TRUE(compiled.has_value());
  EXPECT_EQ(*compiled->Render({.request = prepared,
                               .captures = captures_,
                               .counters = counters_,
                               .states = states_,
                               .random = again,
                               .random_site = "template/orders"}),
            first);
}

TEST_F(TemplateTest, RandomIntegersStayInTheirRangeEndsIncluded) {
  bool low = false;
  bool high = false;
  for (int i = 0; i < 200; ++i) {
    const int value = std::stoi(Render("{{random.int -1 1}}"));
    EXPECT_GE(value, -1);
    EXPECT_LE(value, 1);
    low = low || value == -1;
    high = high || value == 1;
  }
  EXPECT_TRUE(low && high);
}

TEST_F(TemplateTest, WhatTheModelMustKnowIsListedOnce) {
  const auto compiled = Template::Compile(
      "{{counter 'a' 5}}{{upper (string (counter 'a'))}}{{counter 'b'}}{{state 'm'}}{{state 'm'}}",
      {});
  ASSERT_TRUE(compiled.has_value());
  EXPECT_THAT(compiled->counters(), ElementsAre(TemplateCounter{"a", 5}, TemplateCounter{"b", 1}));
  EXPECT_THAT(compiled->machines(), ElementsAre("m"));
  EXPECT_FALSE(compiled->needs_captures());
}

TEST_F(TemplateTest, InvalidUtf8InARequestStillMakesValidJson) {
  request_ = MakeRequest("/", "\xff\xfe");
  const std::string rendered = RenderJson(R"({"a":"{{request.body}}"})");
  EXPECT_FALSE(json::parse(rendered, nullptr, false).is_discarded()) << rendered;
}

TEST_F(TemplateTest, DeeplyNestedJsonIsTakenForMissingInsteadOfExhaustingTheStack) {
  const std::string open(100'000, '[');
  request_ = MakeRequest("/", open + std::string(100'000, ']'));
  EXPECT_EQ(RenderJson(R"({"a":"{{request.json}}"})"), R"({"a":null})");
}

TEST_F(TemplateTest, TheOutputIsBounded) {
  request_ = MakeRequest("/", std::string(std::size_t{6} * 1024 * 1024, 'x'));
  EXPECT_THAT(Render("{{request.body}}{{request.body}}{{request.body}}"),
              HasSubstr("does not render: the answer would be longer"));
}

TEST_F(TemplateTest, TooManyPlaceholdersAreRefused) {
  std::string text;
  for (std::size_t i = 0; i <= Template::kPlaceholdersMax; ++i) text += "{{n}}";
  EXPECT_FALSE(Template::Compile(text, {}).has_value());
}

TEST_F(TemplateTest, NestingIsBounded) {
  std::string text = "'x'";
  for (std::size_t i = 0; i < Template::kDepthMax + 2; ++i) text = "(upper " + text + ")";
  EXPECT_FALSE(Template::Compile("{{upper " + text + "}}", {}).has_value());
}

TEST(TimeFormatTest, MonthsKeepToTheLastDayOfAShorterMonth) {
  const auto format = TimeFormat::Parse("date", "+1 month");
  ASSERT_TRUE(format.has_value());
  EXPECT_EQ(format->Write(At("2026-01-31T12:00:00Z")), "2026-02-28");
}

TEST(TimeFormatTest, AHugeOffsetIsRefusedOrClamped) {
  EXPECT_FALSE(TimeFormat::Parse("", "99999999999 days").has_value());
  EXPECT_FALSE(TimeFormat::Parse("", "999999 days 99999999 days").has_value());
  const auto years = TimeFormat::Parse("date", "-1000 years");
  ASSERT_TRUE(years.has_value());
  EXPECT_EQ(years->Write(At("2026-01-31T12:00:00Z")), "1700-01-01");
}

TEST(TimeFormatTest, FractionsHaveAsManyDigitsAsLetters) {
  const auto format = TimeFormat::Parse("ss.SSS", "");
  ASSERT_TRUE(format.has_value());
  EXPECT_EQ(format->Write(At("2026-01-31T12:00:07Z") + std::chrono::milliseconds(45)), "07.045");
}

}  // namespace
}  // namespace understudy::harness
