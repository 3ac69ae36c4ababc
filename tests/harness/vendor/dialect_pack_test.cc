#include "harness/vendor/dialect_pack.h"

#include <algorithm>
#include <chrono>
#include <string>

#include <gmock/gmock.h>

#include "harness/vendor/builtin_dialects.h"

namespace understudy::harness {
namespace {

using namespace std::chrono_literals;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr std::string_view kPack = R"({
  "about": "of a test", "source": "invented",
  "forms": {
    "main": {
      "headers": {"X-Left": "{remaining}", "X-Policy": {"value": "{id}", "join": "; "}},
      "merge": {"meta": {"left": "{#remaining}", "id": "{id}"}},
      "exceeded": {"status": 403, "headers": {"x-left": "none", "X-Policy": null, "X-Wait": "{retry-after}"},
                   "json": [{"code": "over \"{id}\"", "wait": "{#retry-after:s-float}", "no": null, "n": [1, true]}],
                   "content_type": "application/problem+json"}},
    "plain": {"exceeded": {"text": "wait {retry-after:go}"}},
    "empty": {}
  }})";

LimitReading Reading(bool exceeded) {
  return {.id = "a\"b", .limit = 10, .remaining = 4, .retry_after = 1500ms, .exceeded = exceeded};
}

DialectForm Form(std::string_view name) { return *DialectPack::Parse("test", kPack)->Find(name); }

std::string Lines(const std::vector<DialectHeader>& headers) {
  std::string text;
  for (const DialectHeader& header : headers)
    text.append(header.name).append(": ").append(header.value).append("\n");
  return text;
}

TEST(DialectPackTest, TheFirstFormIsMeantWhenNoneIsNamed) {
  const auto pack = DialectPack::Parse("test", kPack);
  ASSERT_TRUE(pack.has_value());
  EXPECT_THAT(pack->form_names(), ElementsAre("main", "plain", "empty"));
  EXPECT_EQ(pack->source(), "invented");
  EXPECT_EQ(Lines(pack->Find("")->Headers(Reading(false))), "X-Left: 4\nX-Policy: a\"b\n");
}

TEST(DialectPackTest, ARefusalReplacesAddsAndLeavesAwayHeaders) {
  EXPECT_EQ(Lines(Form("main").Headers(Reading(true))), "x-left: none\nX-Wait: 2\n");
}

TEST(DialectPackTest, ARefusalHasTheBodyOfThePackWithNumbersAndEscapes) {
  const http::Response refusal = Form("main").Refusal(Reading(true));
  EXPECT_EQ(refusal.status, 403);
  EXPECT_EQ(refusal.headers.Get("Content-Type"), "application/problem+json");
  EXPECT_EQ(refusal.body,
            R"([{"code":"over \"a\"b\"","wait":1.5,"no":null,"n":[1,true]}])" + std::string());
}

TEST(DialectPackTest, ARefusalMayBeText) {
  const http::Response refusal = Form("plain").Refusal(Reading(true));
  EXPECT_EQ(refusal.status, 429);
  EXPECT_EQ(refusal.headers.Get("Content-Type"), "text/plain; charset=utf-8");
  EXPECT_EQ(refusal.body, "wait 1.5s");
}

TEST(DialectPackTest, AnEmptyFormRefusesWith429AndNothingElse) {
  const http::Response refusal = Form("empty").Refusal(Reading(true));
  EXPECT_EQ(refusal.status, 429);
  EXPECT_TRUE(refusal.headers.empty());
  EXPECT_EQ(refusal.body, "");
}

TEST(DialectPackTest, MergesIntoWhatIsAJsonObjectAndKeepsWhatIsThere) {
  const DialectForm form = Form("main");
  const auto merged = [&](std::string body) {
    form.MergeBody(Reading(false), body);
    return body;
  };
  EXPECT_EQ(merged(R"({"b": 1, "a": 2})"), R"({"b":1,"a":2,"meta":{"left":4,"id":"a\"b"}})");
  EXPECT_EQ(merged(R"({"meta":{"id":7}})"), R"({"meta":{"id":7,"left":4}})");
  EXPECT_EQ(merged(R"({"meta":5})"), R"({"meta":5})");
  for (const char* const body : {"", "[1]", "{", "no JSON"}) EXPECT_EQ(merged(body), body);
  const std::string deep = R"({"a":)" + std::string(100, '[') + std::string(100, ']') + "}";
  EXPECT_EQ(merged(deep), deep);
  const std::string large = R"({"a":")" + std::string(1 << 20, 'x') + "\"}";
  EXPECT_EQ(merged(large), large);
}

// ---- what is refused

struct Row {
  std::string name;
  std::string json;
  std::string message;
};

class DialectPackErrorTest : public ::testing::TestWithParam<Row> {};

TEST_P(DialectPackErrorTest, IsRefused) {
  const auto pack = DialectPack::Parse("test", GetParam().json);
  ASSERT_FALSE(pack.has_value());
  EXPECT_THAT(pack.error().message, HasSubstr(GetParam().message));
}

std::string WithForm(const std::string& form) { return R"({"forms":{"f":)" + form + "}}"; }

INSTANTIATE_TEST_SUITE_P(
    Documents, DialectPackErrorTest,
    ::testing::Values(
        Row{"NoJson", "{", "not JSON"}, Row{"NoObject", "[]", "must be an object"},
        Row{"InvalidUtf8", "{\"source\":\"\xFF\",\"forms\":{}}", "not JSON"},
        Row{"NoForms", "{}", "/forms: must be an object with at least one form"},
        Row{"EmptyForms", R"({"forms":{}})", "at least one form"},
        Row{"UnknownKey", R"({"form":{}})", "unknown member \"form\"; did you mean \"forms\"?"},
        Row{"FormName", R"({"forms":{"a/b":{}}})", "/forms/a~1b: a form's name"},
        Row{"UnknownFormKey", WithForm(R"({"exceded":{}})"),
            "/forms/f: unknown member \"exceded\"; did you mean \"exceeded\"?"},
        Row{"HeaderName", WithForm(R"({"headers":{"a b":"1"}})"),
            "/forms/f/headers/a b: \"a b\" is not a header name"},
        Row{"HeaderValue", WithForm(R"({"headers":{"A":"1\r\n2"}})"), "no line breaks"},
        Row{"HeaderJoin", WithForm(R"({"headers":{"A":{"value":"1","join":"\n"}}})"),
            "no line breaks"},
        Row{"HeaderNumber", WithForm(R"({"headers":{"A":1}})"),
            "/forms/f/headers/A: must be a text"},
        Row{"HeaderNull", WithForm(R"({"headers":{"A":null}})"), "must be a text"},
        Row{"HeaderWithoutValue", WithForm(R"({"headers":{"A":{"join":","}}})"),
            "has no \"value\""},
        Row{"Place", WithForm(R"({"headers":{"A":"{remaning}"}})"), "did you mean \"remaining\"?"},
        Row{"Status", WithForm(R"({"exceeded":{"status":600}})"), "/forms/f/exceeded/status"},
        Row{"StatusWithoutBody", WithForm(R"({"exceeded":{"status":204}})"), "not 204 or 304"},
        Row{"StatusText", WithForm(R"({"exceeded":{"status":"429"}})"), "must be 200 to 599"},
        Row{"TwoBodies", WithForm(R"({"exceeded":{"json":1,"text":"a"}})"), "not both"},
        Row{"BodyPlace", WithForm(R"({"exceeded":{"json":{"a":["{x}"]}}})"),
            "/forms/f/exceeded/json/a/0: "},
        Row{"NumberThatIsNone", WithForm(R"({"exceeded":{"json":"{#id}"}})"), "leave the # out"},
        Row{"NumberInText", WithForm(R"({"exceeded":{"json":"{#limit} x"}})"), "stands alone"},
        Row{"MergeNoObject", WithForm(R"({"merge":[]})"), "/forms/f/merge: must be an object"},
        Row{"Deep",
            WithForm(R"({"exceeded":{"json":)" + std::string(40, '[') + std::string(40, ']') +
                     "}}"),
            "more than 32 levels"},
        Row{"Large", std::string(DialectPack::kDocumentBytesMax + 1, ' '), "at most 262144"}),
    [](const auto& test) { return test.param.name; });

TEST(DialectPackTest, HasAtMostThirtyTwoHeadersAndForms) {
  std::string headers;
  std::string forms;
  for (int i = 0; i < 33; ++i) {
    headers += (i > 0 ? ",\"H" : "\"H") + std::to_string(i) + "\":\"1\"";
    forms += (i > 0 ? ",\"f" : "\"f") + std::to_string(i) + "\":{}";
  }
  EXPECT_FALSE(DialectPack::Parse("test", WithForm("{\"headers\":{" + headers + "}}")).has_value());
  EXPECT_FALSE(DialectPack::Parse("test", "{\"forms\":{" + forms + "}}").has_value());
}

// ---- the book

TEST(DialectBookTest, EveryBuiltInPackIsSoundAndSaysWhereItComesFrom) {
  ASSERT_GE(BuiltinDialects().size(), 20U);
  for (const BuiltinDialect& dialect : BuiltinDialects()) {
    const auto pack = DialectPack::Parse(dialect.name, dialect.json);
    ASSERT_TRUE(pack.has_value()) << dialect.name;
    EXPECT_FALSE(pack->source().empty()) << dialect.name;
  }
  const auto names = DialectBook::Create({})->names();
  EXPECT_TRUE(std::is_sorted(names.begin(), names.end()));
  EXPECT_THAT(names, AllOf(Contains("github"), Contains("ietf-10"), Contains("shopify-graphql")));
}

TEST(DialectBookTest, SuggestsThePackAndTheFormThatWereMeant) {
  const auto book = DialectBook::Create({});
  EXPECT_THAT(book->Find("githb").error().message, HasSubstr("did you mean \"github\"?"));
  EXPECT_THAT(book->Find("github/secondry").error().message,
              HasSubstr("did you mean \"secondary\"?"));
  EXPECT_FALSE(book->Find("").has_value());
}

TEST(DialectBookTest, APackOfTheUsersTakesThePlaceOfABuiltInOne) {
  const auto book = DialectBook::Create(
      {{.name = "github", .json = R"({"forms":{"mine":{"headers":{"X-Mine":"1"}}}})"}});
  EXPECT_EQ(Lines(book->Find("github/mine")->Headers({})), "X-Mine: 1\n");
  EXPECT_FALSE(book->Find("github/secondary").has_value());
}

TEST(DialectBookTest, RefusesUselessNamesAndNamesThePackThatIsWrong) {
  const std::string sound = R"({"forms":{"f":{}}})";
  EXPECT_FALSE(DialectBook::Create({{.name = "", .json = sound}}).has_value());
  EXPECT_FALSE(DialectBook::Create({{.name = "a/b", .json = sound}}).has_value());
  EXPECT_FALSE(DialectBook::Create({{.name = "a", .json = sound}, {.name = "a", .json = sound}})
                   .has_value());
  EXPECT_THAT(DialectBook::Create({{.name = "mine", .json = "{}"}}).error().message,
              HasSubstr("dialect \"mine\": /forms"));
}

}  // namespace
}  // namespace understudy::harness
