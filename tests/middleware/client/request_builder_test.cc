#include "middleware/client/request_builder.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace understudy {
namespace {

using http::Method;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

http::Url Base(std::string_view text = "https://api.vendor.example") {
  return http::Url::Parse(text).value();
}

http::Request Built(const RequestBuilder& builder) { return builder.Build(Base()).value(); }

std::string Target(const RequestBuilder& builder) {
  return std::string(Built(builder).url.target());
}

std::string Refusal(const RequestBuilder& builder) {
  const auto request = builder.Build(Base());
  EXPECT_FALSE(request);
  if (request) return "accepted: " + request->url.ToString();
  EXPECT_EQ(request.error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(request.error().delivery, Delivery::kNotSent);
  return request.error().message;
}

TEST(RequestBuilderTest, MakesARequestFromItsParts) {
  const http::Request request = Built(RequestBuilder(Method::Get(), "/v1/orders/{id}/lines")
                                          .Path("id", "o_1")
                                          .Query("limit", 10)
                                          .Query("expand", "item")
                                          .Query("expand", "tax rate")
                                          .Header("X-Team", "billing")
                                          .Accept("application/json"));
  EXPECT_EQ(request.method, Method::Get());
  EXPECT_EQ(
      request.url.ToString(),
      "https://api.vendor.example/v1/orders/o_1/lines?limit=10&expand=item&expand=tax%20rate");
  EXPECT_EQ(request.headers,
            (http::Headers{{"X-Team", "billing"}, {"Accept", "application/json"}}));
  EXPECT_EQ(request.body, "");
}

TEST(RequestBuilderTest, BuildsSeveralRequestsFromOneBuilder) {
  const RequestBuilder builder = RequestBuilder(Method::Post(), "/v1/things").JsonText("{}");
  EXPECT_EQ(Built(builder).body, "{}");
  EXPECT_EQ(builder.Build(Base("https://other.example")).value().url.ToString(),
            "https://other.example/v1/things");
}

struct NumberRow {
  std::string name;
  std::string target;
  RequestBuilder builder;
};
class RequestNumberTest : public ::testing::TestWithParam<NumberRow> {};
TEST_P(RequestNumberTest, AreWrittenInDecimal) {
  EXPECT_EQ(Target(GetParam().builder), GetParam().target);
}

RequestBuilder Get(std::string_view path = "/x") { return RequestBuilder(Method::Get(), path); }

INSTANTIATE_TEST_SUITE_P(
    Values, RequestNumberTest,
    ::testing::Values(NumberRow{"zero", "/x?n=0", Get().Query("n", 0)},
                      NumberRow{"negative", "/x?n=-1", Get().Query("n", -1)},
                      NumberRow{"largest", "/x?n=18446744073709551615",
                                Get().Query("n", std::numeric_limits<std::uint64_t>::max())},
                      NumberRow{"truth", "/x?n=true", Get().Query("n", true)},
                      NumberRow{"lie", "/x?n=false", Get().Query("n", false)},
                      NumberRow{"path", "/x/7", Get("/x/{n}").Path("n", 7)},
                      NumberRow{"text", "/x?n=7", Get().Query("n", "7")}),
    [](const auto& test) { return test.param.name; });

// --- the path

struct JoinRow {
  std::string name;
  std::string base;
  std::string path;
  std::string url;
};
class RequestJoinTest : public ::testing::TestWithParam<JoinRow> {};
TEST_P(RequestJoinTest, GoesWhereTheTemplateSays) {
  EXPECT_EQ(Get(GetParam().path).Build(Base(GetParam().base)).value().url.ToString(),
            GetParam().url);
}

INSTANTIATE_TEST_SUITE_P(
    Bases, RequestJoinTest,
    ::testing::Values(
        JoinRow{"from_the_root", "https://v.example/api", "/v1/x", "https://v.example/v1/x"},
        JoinRow{"below_the_base", "https://v.example/api", "v1/x", "https://v.example/api/v1/x"},
        JoinRow{"below_the_base_with_slash", "https://v.example/api/", "x",
                "https://v.example/api/x"},
        JoinRow{"below_an_origin", "https://v.example", "x", "https://v.example/x"},
        JoinRow{"the_base_itself", "https://v.example/api", "", "https://v.example/api"},
        JoinRow{"no_query_of_the_base", "https://v.example/api?a=1", "x",
                "https://v.example/api/x"},
        JoinRow{"a_colon_is_no_scheme", "https://v.example/api", "users:list",
                "https://v.example/api/users:list"},
        JoinRow{"an_address_is_no_origin", "https://v.example", "/go/https:/evil.example",
                "https://v.example/go/https:/evil.example"},
        JoinRow{"escapes_stay", "https://v.example", "/a%20b", "https://v.example/a%20b"}),
    [](const auto& test) { return test.param.name; });

struct PathRow {
  std::string name;
  std::string value;
  std::string target;  // Empty: refused.
};
class RequestPathValueTest : public ::testing::TestWithParam<PathRow> {};
TEST_P(RequestPathValueTest, StaysInItsSegment) {
  const RequestBuilder builder = Get("/v1/{id}/x").Path("id", GetParam().value);
  if (GetParam().target.empty()) {
    EXPECT_THAT(Refusal(builder), HasSubstr("path"));
  } else {
    EXPECT_EQ(Target(builder), GetParam().target);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Values, RequestPathValueTest,
    ::testing::Values(
        PathRow{"plain", "o_1", "/v1/o_1/x"}, PathRow{"slash", "a/b", "/v1/a%2Fb/x"},
        PathRow{"query", "a?b=c#d", "/v1/a%3Fb%3Dc%23d/x"},
        PathRow{"percent", "%2e%2e", "/v1/%252e%252e/x"},
        PathRow{"utf8", "\xc3\xa9", "/v1/%C3%A9/x"}, PathRow{"braces", "{id}", "/v1/%7Bid%7D/x"},
        PathRow{"dots_inside", "a..b", "/v1/a..b/x"}, PathRow{"three_dots", "...", "/v1/.../x"},
        PathRow{"empty", "", ""}, PathRow{"dot", ".", ""}, PathRow{"dot_dot", "..", ""},
        PathRow{"climbs", "../admin", ""}, PathRow{"climbs_inside", "a/../b", ""},
        PathRow{"climbs_at_the_end", "a/..", ""}, PathRow{"climbs_backwards", "..\\admin", ""},
        PathRow{"nul", std::string("a\0b", 3), ""}, PathRow{"line_feed", "a\nb", ""},
        PathRow{"delete", "a\x7f", ""}),
    [](const auto& test) { return test.param.name; });

TEST(RequestBuilderTest, X110_NoValueLeavesTheFolderItWasPutIn) {
  for (int byte = 0; byte < 256; ++byte) {
    const std::string value(1, static_cast<char>(byte));
    for (const std::string& id : {value, value + value, "." + value, value + "..", ".." + value}) {
      const auto request = Get("/v1/{id}/x").Path("id", id).Build(Base());
      if (!request) continue;
      const auto path = std::string(request->url.path());
      EXPECT_TRUE(path.starts_with("/v1/") && path.ends_with("/x")) << path;
      EXPECT_EQ(std::count(path.begin(), path.end(), '/'), 3) << path;
    }
  }
}

TEST(RequestBuilderTest, X110_DotsAreAlsoRefusedWhenPartsFormThem) {
  EXPECT_THAT(Refusal(Get("/v1/{a}{b}").Path("a", ".").Path("b", ".")),
              HasSubstr("leads elsewhere"));
  EXPECT_THAT(Refusal(Get("/v1/.{a}").Path("a", ".")), HasSubstr("leads elsewhere"));
}

struct TemplateRow {
  std::string name;
  std::string path;
  std::string problem;
};
class RequestTemplateTest : public ::testing::TestWithParam<TemplateRow> {};
TEST_P(RequestTemplateTest, IsRefused) {
  EXPECT_THAT(Refusal(Get(GetParam().path).Path("id", "1")), HasSubstr(GetParam().problem));
}

INSTANTIATE_TEST_SUITE_P(
    Templates, RequestTemplateTest,
    ::testing::Values(TemplateRow{"another_host", "//evil.example/{id}", "names a host"},
                      TemplateRow{"unknown_name", "/v1/{order}", "{order} has no value"},
                      TemplateRow{"left_over_value", "/v1", "the path has no {id}"},
                      TemplateRow{"unclosed", "/v1/{id", "unmatched brace"},
                      TemplateRow{"unopened", "/v1/id}/{id}", "unmatched brace"},
                      TemplateRow{"empty_name", "/v1/{}/{id}", "letters, digits"},
                      TemplateRow{"nested", "/v1/{{id}}", "letters, digits"},
                      TemplateRow{"query", "/v1/{id}?a=1", "use Query"},
                      TemplateRow{"fragment", "/v1/{id}#a", "use Query"},
                      TemplateRow{"space", "/v1 /{id}", "percent-encoded"},
                      TemplateRow{"line_feed", "/v1\n/{id}", "percent-encoded"},
                      TemplateRow{"backslash", "/v1\\..\\{id}", "percent-encoded"},
                      TemplateRow{"half_an_escape", "/v1/%2/{id}", "two hexadecimal digits"},
                      TemplateRow{"dot_dot", "/v1/../{id}", "leads elsewhere"},
                      TemplateRow{"encoded_dot_dot", "/v1/%2e%2E/{id}", "leads elsewhere"}),
    [](const auto& test) { return test.param.name; });

TEST(RequestBuilderTest, APlaceholderMayOccurTwiceButHasOneValue) {
  EXPECT_EQ(Target(Get("/{id}/{id}").Path("id", "a")), "/a/a");
  EXPECT_THAT(Refusal(Get("/{id}").Path("id", "a").Path("id", "b")), HasSubstr("several values"));
}

TEST(RequestBuilderTest, AQueryCannotAddAnotherParameter) {
  EXPECT_EQ(Target(Get().Query("a&b", "c&d=e#f")), "/x?a%26b=c%26d%3De%23f");
  EXPECT_THAT(Refusal(Get().Query("", "a")), HasSubstr("no name"));
}

TEST(RequestBuilderTest, ATargetIsBounded) {
  const std::string longest(RequestBuilder::kTargetBytesMax - std::string("/x?q=").size(), 'a');
  EXPECT_EQ(Target(Get().Query("q", longest)).size(), RequestBuilder::kTargetBytesMax);
  EXPECT_THAT(Refusal(Get().Query("q", longest + "a")), HasSubstr("65536 bytes"));
}

// --- headers

TEST(RequestBuilderTest, X110_AHeaderCannotStartAnotherOne) {
  const std::string message = Refusal(Get().Header("X-A", "secret\r\nX-B: 1"));
  EXPECT_THAT(message, AllOf(HasSubstr("X-A"), Not(HasSubstr("secret"))));
  EXPECT_THAT(Refusal(Get().Accept("a\nb")), HasSubstr("Accept"));
  EXPECT_THAT(Refusal(Get().Header("X A", "1")), HasSubstr("token"));
}

class RequestHeaderTest : public ::testing::TestWithParam<std::string> {};
TEST_P(RequestHeaderTest, IsNotTheCallersToSet) {
  EXPECT_THAT(Refusal(Get().Header(GetParam(), "1")), HasSubstr(GetParam()));
}
INSTANTIATE_TEST_SUITE_P(Names, RequestHeaderTest,
                         ::testing::Values("Host", "content-length", "Transfer-Encoding",
                                           "Connection", "Content-Type", "TE"),
                         [](const auto& test) {
                           std::string name = test.param;
                           std::erase(name, '-');
                           return name;
                         });

TEST(RequestBuilderTest, AcceptReplacesAnEarlierOne) {
  const auto request = Built(Get().Header("accept", "a/b").Accept("c/d").Accept("e/f"));
  EXPECT_EQ(request.headers, (http::Headers{{"accept", "e/f"}}));
}

// --- bodies

RequestBuilder Post() { return RequestBuilder(Method::Post(), "/x"); }

TEST(RequestBuilderTest, WritesJson) {
  const auto request = Built(Post().Json({{"amount", 1999}, {"note", "\xc3\xa9"}}));
  EXPECT_EQ(request.body, "{\"amount\":1999,\"note\":\"\xc3\xa9\"}");
  EXPECT_EQ(request.headers, (http::Headers{{"Content-Type", "application/json"}}));
}

TEST(RequestBuilderTest, WritesJsonOfAnotherType) {
  const auto request = Built(
      RequestBuilder(Method::Patch(), "/x").Json({{"a", nullptr}}, "application/merge-patch+json"));
  EXPECT_EQ(request.body, "{\"a\":null}");
  EXPECT_EQ(request.headers.Get("Content-Type"), "application/merge-patch+json");
}

TEST(RequestBuilderTest, JsonThatIsNotUtf8IsAnErrorAndNoException) {
  const std::string message = Refusal(Post().Json({{"note", "secret \xff"}}));
  EXPECT_THAT(message, AllOf(HasSubstr("/note"), HasSubstr("UTF-8"), Not(HasSubstr("secret"))));
}

TEST(RequestBuilderTest, TakesJsonTextThatIsJson) {
  EXPECT_EQ(Built(Post().JsonText("{ \"a\": 1 }")).body, "{ \"a\": 1 }");
  EXPECT_THAT(Refusal(Post().JsonText("{a: 1}")), HasSubstr("not JSON at byte 1"));
  EXPECT_THAT(Refusal(Post().JsonText("{\"a\":1,\"a\":2}")), HasSubstr("repeated"));
}

TEST(RequestBuilderTest, QS6_WritesTheFormsThatStripeReads) {
  const auto request = Built(Post()
                                 .Form({{"amount", "1999"}, {"currency", "eur"}})
                                 .FormField({"metadata", "order"}, "a&b")
                                 .FormField({"items", "0", "price"}, "p_1")
                                 .FormField({"items", "0", "quantity"}, 2)
                                 .FormField({"expand", ""}, "customer"));
  EXPECT_EQ(request.headers.Get("Content-Type"), "application/x-www-form-urlencoded");
  EXPECT_EQ(http::ParseForm(request.body), (http::FormPairs{{"amount", "1999"},
                                                            {"currency", "eur"},
                                                            {"metadata[order]", "a&b"},
                                                            {"items[0][price]", "p_1"},
                                                            {"items[0][quantity]", "2"},
                                                            {"expand[]", "customer"}}));
  EXPECT_THAT(request.body, HasSubstr("metadata%5Border%5D=a%26b"));
}

TEST(RequestBuilderTest, AFormFieldCannotMoveToAnotherPlace) {
  EXPECT_THAT(Refusal(Post().FormField({"metadata", "a][b"}, "1")), HasSubstr("bracket"));
  EXPECT_THAT(Refusal(Post().FormField({"", "a"}, "1")), HasSubstr("no name"));
  EXPECT_THAT(Refusal(Post().FormField({}, "1")), HasSubstr("no name"));
}

TEST(RequestBuilderTest, QS6_TheCodecIsTheVendorsAndNotTheCallers) {
  const nlohmann::json fields = {{"amount", 1999}, {"metadata", {{"order", "7"}}}};
  EXPECT_EQ(Built(Post().Fields(fields, BodyCodec::kForm)).body,
            "amount=1999&metadata%5Border%5D=7");
  EXPECT_EQ(Built(Post().Fields(fields, BodyCodec::kJson)).body,
            "{\"amount\":1999,\"metadata\":{\"order\":\"7\"}}");
  EXPECT_THAT(Refusal(Post().Fields({{"a", {}}, {"b", nlohmann::json::array()}}, BodyCodec::kForm)),
              HasSubstr("empty"));
}

TEST(RequestBuilderTest, WritesRawBytes) {
  const std::string bytes("\0\xff\r\n", 4);
  const auto request = Built(Post().Body("application/octet-stream", bytes));
  EXPECT_EQ(request.body, bytes);
  EXPECT_EQ(request.headers.Get("Content-Type"), "application/octet-stream");
  EXPECT_THAT(Refusal(Post().Body("", bytes)), HasSubstr("no content type"));
  EXPECT_THAT(Refusal(Post().Body("a\r\nX: 1", bytes)), HasSubstr("Content-Type"));
}

TEST(RequestBuilderTest, AnEmptyBodyIsABodyAndNoneIsNone) {
  EXPECT_TRUE(Built(Post().Form({})).headers.Has("Content-Type"));
  EXPECT_FALSE(Built(Post()).headers.Has("Content-Type"));
}

TEST(RequestBuilderTest, TwoBodiesAreRefused) {
  EXPECT_THAT(Refusal(Post().JsonText("{}").JsonText("{}")), HasSubstr("more than one body"));
  EXPECT_THAT(Refusal(Post().JsonText("{}").Form({{"a", "b"}})), HasSubstr("more than one body"));
}

TEST(RequestBuilderTest, BodiesGoWithTheMethodsThatHaveThem) {
  for (const auto& method : {Method::Post(), Method::Put(), Method::Patch(), Method::Delete()}) {
    EXPECT_EQ(Built(RequestBuilder(method, "/x").JsonText("{}")).body, "{}");
  }
  for (const auto& method : {Method::Get(), Method::Head(), Method("TRACE")}) {
    EXPECT_THAT(Refusal(RequestBuilder(method, "/x").JsonText("{}")), HasSubstr("no body"));
  }
}

// --- all at once

TEST(RequestBuilderTest, NamesEveryProblemAtOnceAndNoValue) {
  const std::string message = Refusal(RequestBuilder(Method("GE T"), "/v1/{id}/{other}")
                                          .Path("id", "")
                                          .Header("Host", "s3cret")
                                          .Header("X-A", "s3cret\n")
                                          .Json({{"b", std::nan("")}, {"a", "s3cret"}})
                                          .JsonText("s3cret"));
  EXPECT_THAT(message, AllOf(HasSubstr("no token"), HasSubstr("{id} is empty"),
                             HasSubstr("{other} has no value"), HasSubstr("Host is set by"),
                             HasSubstr("X-A"), HasSubstr("/b is infinite"),
                             HasSubstr("not JSON at byte 0"), HasSubstr("more than one body")));
  EXPECT_THAT(message, Not(HasSubstr("s3cret")));
}

TEST(RequestBuilderTest, NeedsABaseUrl) {
  EXPECT_THAT(Get().Build(http::Url()).error().message, HasSubstr("no base URL"));
}

}  // namespace
}  // namespace understudy
