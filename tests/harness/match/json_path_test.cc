#include "harness/match/json_path.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace understudy::harness {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

json Selected(const std::string& path, const json& document,
              JsonPath::Flavour flavour = JsonPath::Flavour::kStandard) {
  const auto compiled = JsonPath::Parse(path, flavour);
  EXPECT_TRUE(compiled.has_value()) << path << ": " << (compiled ? "" : compiled.error().message);
  json out = json::array();
  if (!compiled) return out;
  for (const json* node : compiled->Select(document).nodes) out.push_back(*node);
  return out;
}

struct PathCase {
  const char* name;
  const char* path;
  const char* document;
  const char* selected;
};

class JsonPathTest : public ::testing::TestWithParam<PathCase> {};

TEST_P(JsonPathTest, Selects) {
  EXPECT_EQ(Selected(GetParam().path, json::parse(GetParam().document)),
            json::parse(GetParam().selected));
}

INSTANTIATE_TEST_SUITE_P(
    Segments, JsonPathTest,
    ::testing::Values(
        PathCase{"Root", "$", R"({"a":1})", R"([{"a":1}])"},
        PathCase{"Name", "$.a.b", R"({"a":{"b":1}})", "[1]"},
        PathCase{"NameMissing", "$.b", R"({"a":1})", "[]"},
        PathCase{"NameOfAnArray", "$.a", "[1]", "[]"},
        PathCase{"NullIsAValue", "$.a", R"({"a":null})", "[null]"},
        PathCase{"Quoted", R"($['a.b']["c\"d"])", R"({"a.b":{"c\"d":1}})", "[1]"},
        PathCase{"Escapes", R"($['\u00e9\uD83D\uDE00\'\n'])", "{\"é😀'\\n\":1}", "[1]"},
        PathCase{"NameNotAscii", "$.é", R"({"é":1})", "[1]"},
        PathCase{"NameWithDash", "$.a-b", R"({"a-b":1})", "[1]"},
        PathCase{"Blanks", "$ .a [ 'b' , 0 ]", R"({"a":{"b":1}})", "[1]"},
        PathCase{"Wildcard", "$.*", R"({"a":1,"b":[2]})", "[1,[2]]"},
        PathCase{"WildcardOfScalar", "$.a.*", R"({"a":1})", "[]"},
        PathCase{"Index", "$[1]", "[1,2]", "[2]"},
        PathCase{"IndexFromTheEnd", "$[-1]", "[1,2]", "[2]"},
        PathCase{"IndexBeyond", "$[2]", "[1,2]", "[]"},
        PathCase{"IndexBefore", "$[-3]", "[1,2]", "[]"},
        PathCase{"IndexOfAnObject", "$[0]", R"({"0":1})", "[]"},
        PathCase{"Union", "$[0,2,'a',0]", "[1,2,3]", "[1,3,1]"},
        PathCase{"Slice", "$[1:3]", "[0,1,2,3]", "[1,2]"},
        PathCase{"SliceOpen", "$[:2]", "[0,1,2,3]", "[0,1]"},
        PathCase{"SliceStep", "$[1:6:2]", "[0,1,2,3,4,5,6]", "[1,3,5]"},
        PathCase{"SliceBackwards", "$[5:1:-2]", "[0,1,2,3,4,5,6]", "[5,3]"},
        PathCase{"SliceReversed", "$[::-1]", "[0,1,2]", "[2,1,0]"},
        PathCase{"SliceStepZero", "$[::0]", "[0,1,2]", "[]"},
        PathCase{"SliceFromTheEnd", "$[-2:]", "[0,1,2]", "[1,2]"},
        PathCase{"SliceHuge", "$[-9007199254740991:9007199254740991:9007199254740991]", "[0,1]",
                 "[0]"},
        PathCase{"Descendant", "$..a", R"({"a":1,"b":[{"a":2}]})", "[1,2]"},
        PathCase{"DescendantIndex", "$..[0]", "[[1],[2]]", "[[1],1,2]"},
        PathCase{"DescendantWildcard", "$..*", R"({"a":[1]})", "[[1],1]"}),
    [](const auto& test) { return test.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Filters, JsonPathTest,
    ::testing::Values(
        PathCase{"Equal", "$[?@.a == 'x']", R"([{"a":"x"},{"a":"y"}])", R"([{"a":"x"}])"},
        PathCase{"InParentheses", "$[?(@.a=='x')]", R"([{"a":"x"},{"a":"y"}])", R"([{"a":"x"}])"},
        PathCase{"OfMembers", "$[?@ > 1]", R"({"a":1,"b":2})", "[2]"},
        PathCase{"Exists", "$[?@.a]", R"([{"a":null},{}])", R"([{"a":null}])"},
        PathCase{"ExistsNot", "$[?!@.a]", R"([{"a":null},{}])", "[{}]"},
        PathCase{"And", "$[?@ > 1 && @ < 4]", "[1,2,3,4]", "[2,3]"},
        PathCase{"AndBindsTighter", "$[?@ == 1 || @ == 2 && @ == 3]", "[1,2,3]", "[1]"},
        PathCase{"Parentheses", "$[?(@ == 1 || @ == 2) && @ == 2]", "[1,2,3]", "[2]"},
        PathCase{"NumbersCompareByValue", "$[?@ == 1.0]", "[1,2]", "[1]"},
        PathCase{"NothingEqualsNothing", "$[?@.a == @.b]", R"([{"c":1},{"a":1}])", R"([{"c":1}])"},
        PathCase{"NothingIsNotNull", "$[?@.a == null]", R"([{"a":null},{}])", R"([{"a":null}])"},
        PathCase{"OrderOfTexts", "$[?@ >= 'b']", R"(["a","b","c",1])", R"(["b","c"])"},
        PathCase{"NoOrderOfMixedTypes", "$[?@ < 5]", R"(["1",true,4])", "[4]"},
        PathCase{"DeepEquality", "$[?@ == $[0]]", R"([{"a":[1]},{"a":[1]},{"a":[2]}])",
                 R"([{"a":[1]},{"a":[1]}])"},
        PathCase{"RootInside", "$.v[?@ == $.want]", R"({"want":2,"v":[1,2]})", "[2]"},
        PathCase{"Nested", "$[?@.a[?@ > 1]]", R"([{"a":[1]},{"a":[2]}])", R"([{"a":[2]}])"},
        PathCase{"Length", "$[?length(@) == 2]", R"(["é😀","abc",[1,2],{"a":1,"b":2},7])",
                 R"(["é😀",[1,2],{"a":1,"b":2}])"},
        PathCase{"Count", "$[?count(@.*) > 1]", "[[1],[1,2]]", "[[1,2]]"},
        PathCase{"Match", "$[?match(@, 'a.')]", R"(["ab","xab"])", R"(["ab"])"},
        PathCase{"Search", "$[?search(@, 'a.')]", R"(["ab","xab","a"])", R"(["ab","xab"])"},
        PathCase{"PatternFromDocument", "$[?match(@.t, @.p)]",
                 R"([{"t":"aa","p":"a+"},{"t":"b","p":"("}])", R"([{"t":"aa","p":"a+"}])"},
        PathCase{"Value", "$[?value(@..x) == 1]", R"([{"a":{"x":1}},{"x":1,"y":{"x":1}}])",
                 R"([{"a":{"x":1}}])"},
        PathCase{"True", "$[?@.a == true]", R"([{"a":true},{"a":1}])", R"([{"a":true}])"}),
    [](const auto& test) { return test.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Jayway, JsonPathTest,
    ::testing::Values(
        PathCase{"Regex", "$[?(@.a =~ /x.*/i)]", R"([{"a":"Xy"},{"a":"yx"}])", R"([{"a":"Xy"}])"},
        PathCase{"RegexWithSlash", R"($[?(@ =~ /a\/b/)])", R"(["a/b"])", R"(["a/b"])"},
        PathCase{"In", "$[?(@ in ['a','b'])]", R"(["a","c"])", R"(["a"])"},
        PathCase{"Nin", "$[?(@ nin ['a','b'])]", R"(["a","c"])", R"(["c"])"},
        PathCase{"Contains", "$[?(@.t contains 'a')]", R"([{"t":["a"]},{"t":"bab"},{"t":["b"]}])",
                 R"([{"t":["a"]},{"t":"bab"}])"},
        PathCase{"Size", "$[?(@ size 2)]", "[[1],[1,2]]", "[[1,2]]"},
        PathCase{"Empty", "$[?(@ empty true)]", R"([[],"",[1]])", R"([[],""])"},
        PathCase{"LengthAtTheEnd", "$.a.length()", R"({"a":[1,2]})", "[2]"},
        PathCase{"LengthInAFilter", "$[?(@.a.length() > 1)]", R"([{"a":[1]},{"a":[1,2]}])",
                 R"([{"a":[1,2]}])"},
        PathCase{"WithoutRoot", "a.b", R"({"a":{"b":1}})", "[1]"}),
    [](const auto& test) { return test.param.name; });

TEST(JsonPathFlavourTest, JaywayTestsAnObjectItself) {
  const json document = json::parse(R"({"state":"open"})");
  const std::string path = "$[?(@.state == 'open')]";
  EXPECT_EQ(Selected(path, document, JsonPath::Flavour::kJayway), json::array({document}));
  EXPECT_EQ(Selected(path, document), json::array());
}

TEST(JsonPathFlavourTest, KnowsWhetherAPathIsDefinite) {
  EXPECT_TRUE(JsonPath::Parse("$.a[0]['b']")->definite());
  EXPECT_FALSE(JsonPath::Parse("$.a[*]")->definite());
  EXPECT_FALSE(JsonPath::Parse("$..a")->definite());
  EXPECT_FALSE(JsonPath::Parse("$[0,1]")->definite());
}

struct BadPath {
  const char* name;
  const char* path;
  const char* message;
};

class JsonPathErrorTest : public ::testing::TestWithParam<BadPath> {};

TEST_P(JsonPathErrorTest, IsRefused) {
  const auto path = JsonPath::Parse(GetParam().path);
  ASSERT_FALSE(path.has_value());
  EXPECT_EQ(path.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(path.error().message, HasSubstr(GetParam().message));
}

INSTANTIATE_TEST_SUITE_P(
    Paths, JsonPathErrorTest,
    ::testing::Values(BadPath{"Empty", "", "empty"}, BadPath{"OpenBracket", "$[", "byte 2"},
                      BadPath{"TrailingDot", "$.a.", "expected a name"},
                      BadPath{"LeadingZero", "$[01]", "leading zeros"},
                      BadPath{"NegativeZero", "$[-0]", "-0"},
                      BadPath{"HugeIndex", "$[9007199254740992]", "too large"},
                      BadPath{"OpenQuote", "$['a", "closing quote"},
                      BadPath{"UnknownEscape", R"($['\x'])", "unknown escape"},
                      BadPath{"LoneSurrogate", R"($['\uD800'])", "surrogate"},
                      BadPath{"UnknownFunction", "$[?foo(@)]", "unknown function"},
                      BadPath{"ValueAlone", "$[?1]", "compare it"},
                      BadPath{"LengthAlone", "$[?length(@)]", "compare it"},
                      BadPath{"MatchCompared", "$[?match(@,'a') == true]", "stand alone"},
                      BadPath{"ManyCompared", "$[?@..a == 1]", "one value"},
                      BadPath{"BadRegex", "$[?@ =~ /(/]", "RE2"},
                      BadPath{"OpenRegex", "$[?@ =~ /a]", "closing \"/\""},
                      BadPath{"CountOfValue", "$[?count(1) == 1]", "takes a path"},
                      BadPath{"TrailingText", "$.a b", "expected"},
                      BadPath{"NotUtf8", "$.\xff", "UTF-8"}),
    [](const auto& test) { return test.param.name; });

TEST(JsonPathBoundsTest, RefusesEndlessNesting) {
  EXPECT_FALSE(JsonPath::Parse("$[?" + std::string(1000, '(') + "@").has_value());
  std::string nested = "$";
  for (int i = 0; i < 100; ++i) nested += "[?@";
  EXPECT_FALSE(JsonPath::Parse(nested).has_value());
}

TEST(JsonPathBoundsTest, CutsADeepDocument) {
  const json deep = json::parse(std::string(5'000, '[') + std::string(5'000, ']'));
  EXPECT_TRUE(JsonPath::Parse("$..a")->Select(deep).cut);
}

TEST(JsonPathBoundsTest, CutsWhatTakesTooLong) {
  json wide = json::array();
  for (int i = 0; i < 3'000; ++i) wide.push_back(i);
  const auto selection = JsonPath::Parse("$[?count($[?@ == -1]) == 1]")->Select(wide);
  EXPECT_TRUE(selection.cut);
}

TEST(JsonPathBoundsTest, CutsAnExplodingUnion) {
  const json document = json::parse("[[[[[[1]]]]]]");
  std::string path = "$";
  for (int i = 0; i < 6; ++i) {
    path += "[0";
    for (int j = 0; j < 30; ++j) path += ",0";
    path += "]";
  }
  const auto selection = JsonPath::Parse(path)->Select(document);
  EXPECT_TRUE(selection.cut);
  EXPECT_LE(selection.nodes.size(), JsonPath::kNodesMax);
}

}  // namespace
}  // namespace understudy::harness
