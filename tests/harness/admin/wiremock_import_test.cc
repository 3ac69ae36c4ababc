#include "harness/admin/wiremock_import.h"

#include <map>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "harness/admin/wiremock_request.h"
#include "harness/match/request_matcher.h"

namespace understudy::harness {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

http::Request Get(const std::string& target) {
  return {.url = *http::Url::Parse("http://127.0.0.1:8080" + target)};
}

http::Request Post(std::string body, http::Headers headers = {}) {
  return {.method = http::Method::Post(),
          .url = *http::Url::Parse("http://127.0.0.1:8080/x"),
          .headers = std::move(headers),
          .body = std::move(body)};
}

WireMockImport Import(const std::string& text, WireMockTextOptions options = {.file = "a.json"}) {
  auto import = ImportWireMockText(text, options);
  EXPECT_TRUE(import) << import.error().message;
  return import ? *std::move(import) : WireMockImport{};
}

std::string ErrorOf(const std::string& text) {
  const auto import = ImportWireMockText(text, {.file = "a.json"});
  return import ? std::string() : import.error().message;
}

// The only stub of a mapping with this request or response.
WireMockStub WithRequest(const std::string& request) {
  return Import(R"({"request":)" + request + "}").stubs.at(0);
}
WireMockImport WithResponse(const std::string& response) {
  return Import(R"({"request":{"urlPathTemplate":"/o/{id}"},"response":)" + response + "}");
}

// ---- requests -----------------------------------------------------------------------------------

struct MatchRow {
  const char* name;
  const char* pattern;
  http::Request fits;
  http::Request misses;
};

class PatternTest : public ::testing::TestWithParam<MatchRow> {};

TEST_P(PatternTest, MatchesWhatWireMockMatches) {
  const WireMockStub stub = WithRequest(GetParam().pattern);
  ASSERT_TRUE(stub.enabled);
  const auto matcher = RequestMatcher::Compile(stub.route.match);
  ASSERT_TRUE(matcher) << matcher.error().message;
  EXPECT_TRUE(matcher->Match(GetParam().fits).matched)
      << matcher->Explain(matcher->Match(GetParam().fits));
  EXPECT_FALSE(matcher->Match(GetParam().misses).matched);
}

std::vector<MatchRow> MatchRows() {
  const auto with = [](std::string_view name, std::string_view value) {
    http::Request request = Get("/x");
    EXPECT_TRUE(request.headers.Add(name, value));
    return request;
  };
  const auto method = [](std::string_view name) {
    http::Request request = Get("/x");
    request.method = http::Method(name);
    return request;
  };
  return {
      {"UrlHasTheQuery", R"({"url":"/a?b=1"})", Get("/a?b=1"), Get("/a")},
      {"UrlPatternIsAFullMatch", R"({"urlPattern":"/a\\?b=[0-9]+"})", Get("/a?b=12"),
       Get("/a?b=12&c=3")},
      {"UrlPathIgnoresTheQuery", R"({"urlPath":"/a"})", Get("/a?b=1"), Get("/a/b")},
      {"UrlPathPatternAlternatives", R"({"urlPathPattern":"/a|/b"})", Get("/b"), Get("/ab")},
      {"UrlPathTemplate",
       R"({"urlPathTemplate":"/o/{id}","pathParameters":{"id":{"matches":"o.+"}}})", Get("/o/o1"),
       Get("/o/x1")},
      {"MethodAny", R"({"method":"ANY","urlPath":"/x"})", method("DELETE"), Get("/y")},
      {"MethodOneOf", R"({"method":{"oneOf":["PUT","POST"]}})", method("PUT"), method("GET")},
      {"MethodNoneOf", R"({"method":{"noneOf":["PUT","POST"]}})", method("GET"), method("PUT")},
      {"MissingMethodIsAny", R"({"urlPath":"/x"})", method("PATCH"), Get("/y")},
      {"QueryEqualTo", R"({"queryParameters":{"q":{"equalTo":"1s"}}})", Get("/x?q=1s"),
       Get("/x?q=1000ms")},
      {"QueryAbsent", R"({"queryParameters":{"q":{"absent":true}}})", Get("/x"), Get("/x?q=1")},
      {"QueryHasExactly",
       R"({"queryParameters":{"q":{"hasExactly":[{"equalTo":"1"},{"equalTo":"2"}]}}})",
       Get("/x?q=2&q=1"), Get("/x?q=1&q=2&q=3")},
      {"QueryIncludes",
       R"({"queryParameters":{"q":{"includes":[{"equalTo":"1"},{"equalTo":"2"}]}}})",
       Get("/x?q=1&q=2&q=3"), Get("/x?q=1")},
      {"HeaderCaseInsensitive", R"({"headers":{"a":{"equalTo":"One","caseInsensitive":true}}})",
       with("A", "oNE"), with("A", "two")},
      {"HeaderMatchesInFull", R"({"headers":{"A":{"matches":"b+"}}})", with("A", "bb"),
       with("A", "abb")},
      {"HeaderDoesNotMatchFitsAMissingOne", R"({"headers":{"A":{"doesNotMatch":"b+"}}})", Get("/x"),
       with("A", "bb")},
      {"HeaderDoesNotContain", R"({"headers":{"A":{"doesNotContain":"b"}}})", with("A", "ac"),
       with("A", "abc")},
      {"HeaderAnd", R"({"headers":{"A":{"and":[{"contains":"x"},{"contains":"y"}]}}})",
       with("A", "yx"), with("A", "x")},
      {"HeaderOr", R"({"headers":{"A":{"or":[{"equalTo":"x"},{"absent":true}]}}})", Get("/x"),
       with("A", "y")},
      {"HeaderNot", R"({"headers":{"A":{"not":{"equalTo":"x"}}}})", with("A", "y"), with("A", "x")},
      {"NumberMatchers",
       R"({"queryParameters":{"n":{"and":[{"greaterThanNumber":1},{"lessThanEqualNumber":5}]}}})",
       Get("/x?n=5"), Get("/x?n=1")},
      {"EqualToNumber", R"({"queryParameters":{"n":{"equalToNumber":5}}})", Get("/x?n=5.0"),
       Get("/x?n=6")},
      {"Cookie", R"({"cookies":{"sid":{"equalTo":"a"}}})", with("Cookie", "t=1; sid=a"),
       with("Cookie", "sid=b")},
      {"BasicAuth", R"({"basicAuth":{"username":"u","password":"p"}})",
       with("Authorization", "Basic dTpw"), with("Authorization", "Basic dTpx")},
      {"BasicAuthOfTheSchema", R"({"basicAuthCredentials":{"username":"u","password":"p"}})",
       with("Authorization", "Basic dTpw"), Get("/x")},
      {"HostAsMatcher",
       R"({"host":{"equalTo":"127.0.0.1"}})",
       Get("/x"),
       {.url = *http::Url::Parse("http://other/x")}},
      {"HostAsText",
       R"({"host":"127.0.0.1"})",
       Get("/x"),
       {.url = *http::Url::Parse("http://other/x")}},
      {"Form", R"({"formParameters":{"a":{"equalTo":"1"}}})",
       Post("a=1", {{"Content-Type", "application/x-www-form-urlencoded"}}),
       Post("a=2", {{"Content-Type", "application/x-www-form-urlencoded"}})},
      {"BodyEqualTo", R"({"bodyPatterns":[{"equalTo":"ab"}]})", Post("ab"), Post("abc")},
      {"BodyContainsTwice", R"({"bodyPatterns":[{"contains":"a"},{"contains":"b"}]})", Post("ab"),
       Post("a")},
      {"BodyAbsent", R"({"bodyPatterns":[{"absent":true}]})", Post(""), Post("a")},
      {"BodyBinary", R"({"bodyPatterns":[{"binaryEqualTo":"AAE="}]})", Post(std::string("\0\1", 2)),
       Post("a")},
      {"EqualToJsonText", R"({"bodyPatterns":[{"equalToJson":"{\"a\":[1,2]}"}]})",
       Post(R"({ "a" : [1, 2] })"), Post(R"({"a":[2,1]})")},
      {"EqualToJsonIgnoresOrder",
       R"({"bodyPatterns":[{"equalToJson":{"a":[1,2]},"ignoreArrayOrder":true}]})",
       Post(R"({"a":[2,1]})"), Post(R"({"a":[2,1],"b":1})")},
      {"EqualToJsonIgnoresExtra",
       R"({"bodyPatterns":[{"equalToJson":{"a":1},"ignoreExtraElements":true}]})",
       Post(R"({"a":1,"b":2})"), Post(R"({"b":2})")},
      {"JsonPathIsThere", R"({"bodyPatterns":[{"matchesJsonPath":"$.a"}]})", Post(R"({"a":[]})"),
       Post(R"({"a":null})")},
      {"JsonPathFilter", R"({"bodyPatterns":[{"matchesJsonPath":"$.things[?(@.name == 'x')]"}]})",
       Post(R"({"things":[{"name":"x"}]})"), Post(R"({"things":[{"name":"y"}]})")},
      {"JsonPathEqualToANumberAsText",
       R"({"bodyPatterns":[{"matchesJsonPath":{"expression":"$.a","equalTo":"5"}}]})",
       Post(R"({"a":5})"), Post(R"({"a":55})")},
      {"JsonPathMatches",
       R"({"bodyPatterns":[{"matchesJsonPath":{"expression":"$.a","matches":"[0-9]+"}}]})",
       Post(R"({"a":"12"})"), Post(R"({"a":"12x"})")},
      {"JsonPathJudgesElements",
       R"({"bodyPatterns":[{"matchesJsonPath":{"expression":"$.a","equalTo":"y"}}]})",
       Post(R"({"a":["x","y"]})"), Post(R"({"a":{"k":"y"}})")},
      {"JsonPathAbsent",
       R"({"bodyPatterns":[{"matchesJsonPath":{"expression":"$.a","absent":true}}]})",
       Post(R"({"b":1})"), Post(R"({"a":1})")},
      {"JsonPathEqualToJson",
       R"({"bodyPatterns":[{"matchesJsonPath":{"expression":"$.a","equalToJson":"{\"k\":1}"}}]})",
       Post(R"({"a":{"k":1}})"), Post(R"({"a":{"k":2}})")},
      {"JsonSchema",
       R"({"bodyPatterns":[{"matchesJsonSchema":{"type":"object","required":["a"]}}]})",
       Post(R"({"a":1})"), Post(R"({"b":1})")},
      {"BodyNot", R"({"bodyPatterns":[{"not":{"contains":"a"}}]})", Post("b"), Post("a")},
      {"BodyOr", R"({"bodyPatterns":[{"or":[{"equalTo":"a"},{"matchesJsonPath":"$.a"}]}]})",
       Post(R"({"a":1})"), Post("b")},
  };
}

INSTANTIATE_TEST_SUITE_P(Rows, PatternTest, ::testing::ValuesIn(MatchRows()),
                         [](const auto& row) { return std::string(row.param.name); });

struct DisabledRow {
  const char* name;
  const char* pattern;
  const char* pointer;
};

class DisabledTest : public ::testing::TestWithParam<DisabledRow> {};

TEST_P(DisabledTest, ServesNothingAndSaysWhere) {
  const WireMockImport import = Import(std::string(R"({"request":)") + GetParam().pattern + "}");
  ASSERT_THAT(import.stubs, SizeIs(1));
  EXPECT_FALSE(import.stubs[0].enabled);
  EXPECT_THAT(RoutesOf(import.stubs), IsEmpty());
  ASSERT_THAT(import.findings, SizeIs(1));
  EXPECT_EQ(import.findings[0].kind, WireMockFinding::Kind::kDisabled);
  EXPECT_EQ(import.findings[0].pointer, GetParam().pointer);
  EXPECT_EQ(import.findings[0].file, "a.json");
}

constexpr DisabledRow kDisabledRows[] = {
    {"Xml", R"({"bodyPatterns":[{"equalToXml":"<a/>"}]})", "/request/bodyPatterns/0/equalToXml"},
    {"XPath", R"({"bodyPatterns":[{"matchesXPath":"//a"}]})",
     "/request/bodyPatterns/0/matchesXPath"},
    {"Multipart", R"({"multipartPatterns":[{"name":"a"}]})", "/request/multipartPatterns"},
    {"CustomMatcher", R"({"customMatcher":{"name":"m"}})", "/request/customMatcher"},
    {"ClientIp", R"({"clientIp":{"equalTo":"1.2.3.4"}})", "/request/clientIp"},
    {"Date", R"({"headers":{"A":{"before":"2021-05-01T00:00:00Z"}}})", "/request/headers/A/before"},
    {"LookAround", R"({"urlPattern":"/(?!a).*"})", "/request/urlPattern"},
    {"BackReference", R"({"urlPattern":"/(a)\\1"})", "/request/urlPattern"},
    {"ClassIntersection", R"({"urlPattern":"/[a-z&&[^b]]"})", "/request/urlPattern"},
    {"JsonUnit", R"({"bodyPatterns":[{"equalToJson":{"a":"${json-unit.any-string}"}}]})",
     "/request/bodyPatterns/0/equalToJson"},
    {"Possessive", R"({"urlPattern":"/a++"})", "/request"},
};

INSTANTIATE_TEST_SUITE_P(Rows, DisabledTest, ::testing::ValuesIn(kDisabledRows),
                         [](const auto& row) { return std::string(row.param.name); });

TEST(JavaRegexTest, IsReadAsJavaReadsIt) {
  EXPECT_EQ(*JavaRegexToRe2("a.c"), "\\A(?:a.c)\\z");
  EXPECT_EQ(*JavaRegexToRe2("(?<id>x)"), "\\A(?:(?P<id>x))\\z");
  EXPECT_EQ(*JavaRegexToRe2("\\Qa.b\\E+"), "\\A(?:a\\.b+)\\z");
  EXPECT_EQ(*JavaRegexToRe2("\\u00e9"), "\\A(?:\\x{00e9})\\z");
  EXPECT_FALSE(JavaRegexToRe2("(?>a)"));
  EXPECT_FALSE(JavaRegexToRe2("(?U)a"));
  EXPECT_FALSE(JavaRegexToRe2("a\\"));
  EXPECT_FALSE(JavaRegexToRe2("[a"));
}

// ---- responses ----------------------------------------------------------------------------------

TEST(WireMockImportTest, AMappingWithoutAnythingAnswersEverythingWith200) {
  const WireMockImport import = Import("{}");
  ASSERT_THAT(import.stubs, SizeIs(1));
  const RouteSpec& route = import.stubs[0].route;
  EXPECT_EQ(route.responses.at(0).status, 200);
  EXPECT_EQ(route.priority, 5);
  EXPECT_EQ(route.when_exhausted, WhenExhausted::kRepeatLast);
  EXPECT_TRUE(IsUuid(import.stubs[0].id));
}

TEST(WireMockImportTest, TheFirstBodyOfTheCodesOrderCounts) {
  const auto body = [](const std::string& response) {
    return *WithResponse(response).stubs.at(0).route.responses.at(0).body;
  };
  EXPECT_EQ(body(R"({"body":"b","jsonBody":{"a":1},"base64Body":"eA=="})"), R"({"a":1})");
  EXPECT_EQ(body(R"({"body":"b","base64Body":"eA=="})"), "x");
  EXPECT_EQ(body(R"({"body":"b"})"), "b");
  EXPECT_EQ(body(R"({"body":{"data":"b"}})"), "b");
}

TEST(WireMockImportTest, HeadersMayHaveSeveralValues) {
  const auto headers =
      WithResponse(R"({"headers":{"A":["1","2"],"B":"3"}})").stubs[0].route.responses[0].headers;
  EXPECT_THAT(headers, ElementsAre(std::pair<std::string, std::string>{"A", "1"},
                                   std::pair<std::string, std::string>{"A", "2"},
                                   std::pair<std::string, std::string>{"B", "3"}));
}

TEST(WireMockImportTest, AddsNoContentType) {
  EXPECT_EQ(WithResponse(R"({"jsonBody":{}})").stubs[0].route.responses[0].content_type, "");
}

struct FaultRow {
  const char* name;
  FaultKind kind;
};

class FaultTest : public ::testing::TestWithParam<FaultRow> {};

TEST_P(FaultTest, IsThatFault) {
  const WireMockImport import =
      WithResponse(std::string(R"({"fault":")") + GetParam().name + "\"}");
  EXPECT_EQ(import.stubs.at(0).route.responses.at(0).fault, GetParam().kind);
  EXPECT_THAT(import.findings, IsEmpty());
}

INSTANTIATE_TEST_SUITE_P(Rows, FaultTest,
                         ::testing::Values(FaultRow{"CONNECTION_RESET_BY_PEER", FaultKind::kReset},
                                           FaultRow{"EMPTY_RESPONSE", FaultKind::kClose},
                                           FaultRow{"MALFORMED_RESPONSE_CHUNK",
                                                    FaultKind::kMalformedChunk},
                                           FaultRow{"RANDOM_DATA_THEN_CLOSE", FaultKind::kGarbage}),
                         [](const auto& row) { return std::string(row.param.name); });

TEST(WireMockImportTest, DelaysAddUp) {
  using std::chrono::milliseconds;
  const auto latency = [](const std::string& response) {
    return *WithResponse(response).stubs.at(0).route.responses.at(0).latency;
  };
  EXPECT_EQ(latency(R"({"fixedDelayMilliseconds":250})").high, milliseconds(250));
  const LatencySpec both = latency(
      R"({"fixedDelayMilliseconds":5,"delayDistribution":{"type":"uniform","lower":10,"upper":20}})");
  EXPECT_EQ(both.low, milliseconds(15));
  EXPECT_EQ(both.high, milliseconds(25));
  const LatencySpec log = latency(
      R"({"delayDistribution":{"type":"lognormal","median":80,"sigma":0.4,"maxValue":500}})");
  EXPECT_EQ(log.shape, LatencySpec::Shape::kLogNormal);
  EXPECT_EQ(log.center, milliseconds(80));
  EXPECT_EQ(log.max, milliseconds(500));
}

TEST(WireMockImportTest, DribblesInPieces) {
  const ResponseSpec response =
      WithResponse(
          R"({"body":"0123456789","chunkedDribbleDelay":{"numberOfChunks":5,"totalDuration":1000}})")
          .stubs.at(0)
          .route.responses.at(0);
  EXPECT_EQ(response.fault, FaultKind::kSlowDrip);
  EXPECT_EQ(response.fault_detail.drip.piece_bytes, 2U);
  EXPECT_EQ(response.fault_detail.drip.pause, std::chrono::milliseconds(200));
}

TEST(WireMockImportTest, TemplatesSeeTheCapturesOfThePath) {
  const ResponseSpec response =
      WithResponse(R"({"body":"{{request.path.id}}","transformers":["response-template"]})")
          .stubs.at(0)
          .route.responses.at(0);
  EXPECT_TRUE(response.templated);
  EXPECT_EQ(response.body, "{{request.path.id}}");
}

TEST(WireMockImportTest, BracesWithoutTheTransformerAreText) {
  const ResponseSpec response =
      WithResponse(R"({"body":"{{#if}}"})").stubs.at(0).route.responses.at(0);
  EXPECT_FALSE(response.templated);
}

TEST(WireMockImportTest, AnAnswerThatCannotBeMadeIs500AndSaysWhy) {
  for (const char* const response :
       {R"({"proxyBaseUrl":"http://x"})",
        R"({"body":"{{#if a}}","transformers":["response-template"]})",
        R"({"transformers":["mine"]})", R"({"bodyFileName":"gone.json"})",
        R"({"bodyFileName":"../gone.json"})", R"({"status":100})"}) {
    const WireMockImport import = WithResponse(response);
    EXPECT_TRUE(import.stubs.at(0).enabled) << response;
    EXPECT_EQ(import.stubs[0].route.responses.at(0).status, 500) << response;
    ASSERT_THAT(import.findings, SizeIs(1)) << response;
    EXPECT_EQ(import.findings[0].kind, WireMockFinding::Kind::kNoAnswer);
  }
}

TEST(WireMockImportTest, TellsEachFieldThatIsLost) {
  const WireMockImport import = Import(R"({
    "surprise": 1, "postServeActions": {"webhook": {}},
    "serveEventListeners": [{"name": "webhook"}],
    "response": {"statusMessage": "Fine", "colour": "red"}})");
  EXPECT_EQ(WireMockReport(import.findings),
            "a.json: /serveEventListeners/0: lost: no webhook is sent; declare it as the vendor's "
            "webhook\n"
            "a.json: /postServeActions/webhook: lost: no webhook is sent; declare it as the "
            "vendor's webhook\n"
            "a.json: /surprise: warning: unknown field \"surprise\"\n"
            "a.json: /response/colour: warning: unknown field \"colour\"\n"
            "a.json: /response/statusMessage: lost: the reason phrase is the status's own\n");
}

// ---- stubs and files ----------------------------------------------------------------------------

TEST(WireMockImportTest, ScenariosBecomeStates) {
  const RouteSpec route = Import(R"({"scenarioName":"cart","requiredScenarioState":"Started",
                                     "newScenarioState":"full"})")
                              .stubs.at(0)
                              .route;
  EXPECT_EQ(route.when_state, (StateCondition{{"cart", {"Started"}}}));
  EXPECT_EQ(route.set_state, (StateChange{{"cart", "full"}}));
}

TEST(WireMockImportTest, TheUuidIsAnotherNameOfTheId) {
  const std::string a = "0afc9f8e-5d3f-4c59-9d2b-6f2a3b1c0d4e";
  EXPECT_EQ(Import(R"({"uuid":")" + a + "\"}").stubs[0].id, a);
  const WireMockImport both =
      Import(R"({"id":")" + a + R"(","uuid":"1afc9f8e-5d3f-4c59-9d2b-6f2a3b1c0d4e"})");
  EXPECT_EQ(both.stubs[0].id, a);
  EXPECT_THAT(both.findings, SizeIs(1));
  EXPECT_THAT(Import(R"({"id":"5348439ge0ef"})").findings, SizeIs(1));
}

TEST(WireMockImportTest, TheNewestStubComesFirst) {
  const WireMockImport import = Import(R"({"mappings":[{"id":"a"},{"id":"b"}]})");
  const auto routes = RoutesOf(import.stubs);
  ASSERT_THAT(routes, SizeIs(2));
  EXPECT_EQ(routes[0].id, "b");
  EXPECT_EQ(routes[1].id, "a");
}

TEST(WireMockImportTest, KeepsTheMetadata) {
  EXPECT_THAT(Import(R"({"metadata":{"team":"x"}})").stubs[0].json,
              HasSubstr(R"("metadata":{"team":"x"})"));
}

TEST(WireMockImportTest, AMalformedFileIsAnErrorWithItsPlace) {
  EXPECT_THAT(ErrorOf("{\n\"a\": }"), HasSubstr("a.json: line 2: it is not JSON"));
  EXPECT_THAT(ErrorOf("{}{}"), HasSubstr("mappings"));
  EXPECT_THAT(ErrorOf("[]"), HasSubstr("a.json: /: a mapping file is an object"));
  EXPECT_THAT(ErrorOf(R"({"mappings":[{"request":{"url":5}}]})"),
              HasSubstr("a.json: /mappings/0/request/url: it is a text"));
  EXPECT_THAT(ErrorOf(R"({"request":{"url":"/a","urlPath":"/a"}})"),
              HasSubstr("/request/urlPath: only one of url and urlPath may stand"));
  EXPECT_THAT(ErrorOf(R"({"response":{"fault":"EMPTY_RESPONS"}})"),
              HasSubstr("did you mean \"EMPTY_RESPONSE\"?"));
  EXPECT_THAT(ErrorOf(R"({"request":{"headers":{"A":{"equalsTo":"x"}}}})"),
              HasSubstr("did you mean \"equalTo\"?"));
  EXPECT_THAT(ErrorOf(std::string(100, '[')), HasSubstr("nested too deeply"));
}

TEST(WireMockImportTest, ReadsAFolderInTheOrderOfItsPaths) {
  const std::map<std::string, std::string> tree = {
      {"root/mappings/b.json", R"({"id":"b","response":{"bodyFileName":"x.txt"}})"},
      {"root/mappings/a/c.json", R"({"mappings":[{"id":"a"}]})"},
      {"root/__files/x.txt", "bytes"}};
  const WireMockFiles files{.read = [&](const std::string& path) -> Result<std::string> {
                              const auto found = tree.find(path);
                              if (found == tree.end()) return InvalidArgument("no file " + path);
                              return found->second;
                            },
                            .list =
                                [&](const std::string& folder) {
                                  std::vector<std::string> paths;
                                  for (const auto& [path, text] : tree) {
                                    if (path.starts_with(folder + "/")) paths.push_back(path);
                                  }
                                  return paths;
                                }};
  const auto import = ImportWireMockDirectory("root", files);
  ASSERT_TRUE(import) << import.error().message;
  ASSERT_THAT(import->stubs, SizeIs(2));
  EXPECT_EQ(import->stubs[0].id, "a");
  EXPECT_EQ(import->stubs[1].route.responses.at(0).body, "bytes");
  EXPECT_FALSE(ImportWireMockDirectory("elsewhere", files));
}

}  // namespace
}  // namespace understudy::harness
