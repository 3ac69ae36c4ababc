#include "middleware/audit/body_redaction.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace understudy {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

BodyPreview Json(std::string_view body, RedactionOptions options = {}) {
  return Redactor::Create(std::move(options)).value().Body("application/json", body, true);
}

BodyPreview Form(std::string_view body) {
  return Redactor::Create().value().Body("application/x-www-form-urlencoded; charset=utf-8", body,
                                         true);
}

struct JsonCase {
  std::string name;
  std::string body;
  std::string shown;
};

class JsonRedactionTest : public ::testing::TestWithParam<JsonCase> {};

TEST_P(JsonRedactionTest, AU3_SecretsInJsonAreHiddenWhereverTheyAre) {
  const BodyPreview preview = Json(GetParam().body);
  EXPECT_EQ(preview.text, GetParam().shown);
  EXPECT_EQ(preview.hidden, "");
  EXPECT_FALSE(preview.truncated);
}

INSTANTIATE_TEST_SUITE_P(
    Bodies, JsonRedactionTest,
    ::testing::Values(
        JsonCase{"Plain", R"( {"id":"o1", "n":[1,-2,2.5,true,null]} )",
                 R"({"id":"o1","n":[1,-2,2.5,true,null]})"},
        JsonCase{"ByName", R"({"access_token":"abc","id":1})",
                 R"({"access_token":"[redacted]","id":1})"},
        JsonCase{"Nested", R"({"a":{"b":[{"password":"x","c":1}]}})",
                 R"({"a":{"b":[{"password":"[redacted]","c":1}]}})"},
        JsonCase{"WholeSubtree", R"({"credentials":{"a":{"b":[1,{"c":2}]}},"id":1})",
                 R"({"credentials":"[redacted]","id":1})"},
        JsonCase{"SubtreeInList", R"([{"card":[[1],[2]]},{"x":1}])",
                 R"([{"card":"[redacted]"},{"x":1}])"},
        JsonCase{"CamelCase", R"({"clientSecret":"x"})", R"({"clientSecret":"[redacted]"})"},
        JsonCase{"ByLook", R"({"note":"key sk_live_4eC39HqLyjWDarjt"})",
                 R"({"note":"[redacted]"})"},
        JsonCase{"CardAsNumber", R"({"n":4242424242424242})", R"({"n":"[redacted]"})"},
        JsonCase{"CardAsText", R"({"n":"4242 4242 4242 4242"})", R"({"n":"[redacted]"})"},
        JsonCase{"SecretAsName", R"({"ghp_abcdefghijkl0123":1})", R"({"[redacted]":"[redacted]"})"},
        JsonCase{"UrlAsValue", R"({"u":"https://u:p@h.example/?token=a"})",
                 R"({"u":"https://h.example/?token=[redacted]"})"},
        JsonCase{"BearerAsValue", R"({"h":"Bearer abc"})", R"({"h":"Bearer [redacted]"})"},
        JsonCase{"JsonAsValue", R"({"p":"{\"token\":\"a\",\"i\":1}"})",
                 R"({"p":"{\"token\":\"[redacted]\",\"i\":1}"})"},
        JsonCase{"TwiceNestedJson", R"({"p":"{\"q\":\"{\\\"token\\\":1}\"}"})",
                 R"({"p":"{\"q\":\"[redacted]\"}"})"},
        JsonCase{"BrokenJsonAsValue", R"({"p":"{\"token\":"})", R"({"p":"[redacted]"})"},
        JsonCase{"EscapedName", R"({"pass\u0077ord":"x"})", R"({"password":"[redacted]"})"},
        JsonCase{"ControlCharacters", R"({"a":"x\ny\u001b\u2028z\u0000"})", R"({"a":"x y??z?"})"},
        JsonCase{"QuotesAndBackslashes", R"({"a\"b":"c\\d"})", R"({"a\"b":"c\\d"})"},
        JsonCase{"Scalar", "12", "12"}, JsonCase{"EmptyObject", "{}", "{}"},
        JsonCase{"ByteOrderMark", "\xef\xbb\xbf[1]", "[1]"}),
    [](const auto& test) { return test.param.name; });

TEST(JsonRedactionTest, AU3_OwnNamesAndPointersAreHidden) {
  const RedactionOptions options{.secret_keys = {"Internal-Id"},
                                 .secret_pointers = {"/data/*/who", "/a~1b", "/list/1"}};
  EXPECT_EQ(Json(R"({"data":[{"who":"x","n":1},{"who":{"y":2}}],"a/b":3,"list":[7,8,9],)"
                 R"("internal_id":4,"who":5})",
                 options)
                .text,
            R"({"data":[{"who":"[redacted]","n":1},{"who":"[redacted]"}],"a/b":"[redacted]",)"
            R"("list":[7,"[redacted]",9],"internal_id":"[redacted]","who":5})");
  EXPECT_EQ(Json(R"({"a":1})", {.secret_pointers = {""}}).text, R"("[redacted]")");
}

TEST(JsonRedactionTest, AU3_MalformedJsonShowsNothing) {
  for (const char* const body : {R"({"password":"x")", R"({"a":1} x)", "\xff", R"({'a':1})",
                                 "{\"a\":\"\xff\"}", "nope", R"({"a":1e999})", "[1,]"}) {
    const BodyPreview preview = Json(body);
    EXPECT_EQ(preview.text, "") << body;
    EXPECT_EQ(preview.hidden, "malformed") << body;
  }
}

TEST(JsonRedactionTest, WhatIsTooDeepShowsNothing) {
  EXPECT_EQ(Json(std::string(64, '[') + std::string(64, ']')).hidden, "");
  EXPECT_EQ(Json(std::string(65, '[') + std::string(65, ']')).hidden, "too-deep");
  EXPECT_EQ(Json("{\"token\":" + std::string(70, '[') + std::string(70, ']') + "}").hidden,
            "too-deep");
}

TEST(JsonRedactionTest, AU4_RedactionComesBeforeTheCut) {
  // The cut falls into the secret's place; not one byte of it is shown.
  for (std::size_t size = 0; size < 60; ++size) {
    const BodyPreview preview = Json(R"({"id":"o1","password":"hunter2","x":"hunter"})",
                                     {.secret_keys = {"x"}, .preview_bytes_max = size});
    EXPECT_LE(preview.text.size(), size);
    EXPECT_THAT(preview.text, Not(HasSubstr("h")));
    EXPECT_THAT(std::string(R"({"id":"o1","password":"[redacted]","x":"[redacted]"})"),
                StartsWith(preview.text));
    EXPECT_EQ(preview.truncated, size > 0 && size < 52) << size;
  }
}

TEST(JsonRedactionTest, AU4_ALongTextIsCutBetweenCharacters) {
  std::string text;
  for (int i = 0; i < 200; ++i) text += "\xe2\x82\xac";  // 600 bytes
  const BodyPreview preview = Json("[\"" + text + "\"]");
  EXPECT_EQ(preview.text, "[\"" + text.substr(0, 255) + "...\"]");
}

TEST(JsonRedactionTest, AU4_TheBeginningOfALongBodyIsShown) {
  const Redactor redactor = Redactor::Create().value();
  const std::string body = R"({"id":"o1","token":"abc","text":"a long one"})";
  for (std::size_t size = 1; size < body.size(); ++size) {
    const BodyPreview preview =
        redactor.Body("application/json", std::string_view(body).substr(0, size), false);
    EXPECT_EQ(preview.hidden, "") << size;
    EXPECT_TRUE(preview.truncated);
    EXPECT_THAT(preview.text, Not(HasSubstr("abc"))) << size;
  }
  EXPECT_EQ(redactor.Body("application/json", R"({"id":1,}..)", false).hidden, "malformed");
}

struct FormCase {
  std::string name;
  std::string body;
  std::string shown;
};

class FormRedactionTest : public ::testing::TestWithParam<FormCase> {};

TEST_P(FormRedactionTest, AU3_SecretsInFormsAreHidden) {
  EXPECT_EQ(Form(GetParam().body).text, GetParam().shown);
}

INSTANTIATE_TEST_SUITE_P(
    Bodies, FormRedactionTest,
    ::testing::Values(
        FormCase{"Plain", "amount=100&currency=eur", "amount=100&currency=eur"},
        FormCase{"ByName", "client_secret=a&x=1", "client_secret=[redacted]&x=1"},
        FormCase{"Brackets", "card[number]=1&card%5Bcvc%5D=2&metadata[order]=3",
                 "card%5Bnumber%5D=[redacted]&card%5Bcvc%5D=[redacted]&metadata%5Border%5D=3"},
        FormCase{"EncodedName", "p%61ssword=x", "password=[redacted]"},
        FormCase{"ByLook", "note=sk_live_4eC39HqLyjWDarjt", "note=%5Bredacted%5D"},
        FormCase{"OauthExchange", "grant_type=authorization_code&code=abc&client_id=x",
                 "grant_type=authorization_code&code=[redacted]&client_id=[redacted]"},
        FormCase{"JsonPayload", "payload=%7B%22token%22%3A%22a%22%7D",
                 "payload=%7B%22token%22%3A%22%5Bredacted%5D%22%7D"},
        FormCase{"NoValue", "a&b=", "a=&b="}, FormCase{"LineFeed", "a=x%0Ay", "a=x%20y"}),
    [](const auto& test) { return test.param.name; });

TEST(FormRedactionTest, WhatIsNoFormShowsNothing) {
  EXPECT_EQ(Form("a=b\nc").hidden, "malformed");
  EXPECT_EQ(Form("\xff=1").hidden, "malformed");
}

TEST(FormRedactionTest, AU4_OfABeginningOnlyWholePairsAreShown) {
  const Redactor redactor = Redactor::Create().value();
  const BodyPreview preview = redactor.Body("application/x-www-form-urlencoded", "a=1&pass", false);
  EXPECT_EQ(preview.text, "a=1");
  EXPECT_TRUE(preview.truncated);
}

TEST(BodyTypeTest, AU3_OtherTypesShowNothing) {
  const Redactor redactor = Redactor::Create().value();
  for (const char* const type : {"text/plain", "multipart/form-data; boundary=x", "", "text/html",
                                 "application/xml", "application/octet-stream", "json"}) {
    const BodyPreview preview = redactor.Body(type, "secret", true);
    EXPECT_EQ(preview.text, "") << type;
    EXPECT_EQ(preview.hidden, "type") << type;
  }
  EXPECT_EQ(redactor.Body("Application/Problem+JSON; charset=utf-8", "[1]", true).text, "[1]");
}

}  // namespace
}  // namespace understudy
