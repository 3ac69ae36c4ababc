#include "harness/match/json_schema.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "harness/match/ecma_regex.h"

namespace understudy::harness {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::SizeIs;

JsonSchema Compiled(const std::string& text, const JsonSchema::Options& options = {}) {
  auto schema = JsonSchema::Compile(text, options);
  EXPECT_TRUE(schema.has_value()) << (schema ? "" : schema.error().message);
  return *std::move(schema);
}

TEST(JsonSchemaTest, TellsWhereInTheValueAndInTheSchema) {
  const auto schema = Compiled(
      R"({"properties":{"a/b":{"items":{"type":"integer"}},"c":{"$ref":"#/$defs/c"}},
          "required":["d"],"$defs":{"c":{"enum":["x","y"]}}})");
  const auto violations = schema.Validate(json::parse(R"({"a/b":[1,"2"],"c":"z"})"));
  ASSERT_THAT(violations, SizeIs(3));
  EXPECT_EQ(violations[0].ToString(), "(root): the member \"d\" is missing (#/required)");
  EXPECT_EQ(violations[1].ToString(),
            "/a~1b/1: expected integer, got string (#/properties/a~1b/items/type)");
  EXPECT_EQ(violations[2].ToString(),
            "/c: expected one of [\"x\",\"y\"], got \"z\" (#/$defs/c/enum)");
}

TEST(JsonSchemaTest, ATypeNamesItsAlternatives) {
  const auto violations = Compiled(R"({"type":["string","null"]})").Validate(1);
  ASSERT_THAT(violations, SizeIs(1));
  EXPECT_EQ(violations[0].message, R"(expected ["string","null"], got integer)");
}

TEST(JsonSchemaTest, TakesTheDraftOfTheSchemaBeforeTheOneOfTheOptions) {
  const std::string text =
      R"({"$schema":"http://json-schema.org/draft-04/schema#","maximum":5,"exclusiveMaximum":true})";
  EXPECT_FALSE(Compiled(text).IsValid(5));
  EXPECT_TRUE(Compiled(text).IsValid(4));
}

TEST(JsonSchemaTest, TakesTheDraftOfTheOptions) {
  const std::string text = R"({"items":[{"type":"string"}]})";
  EXPECT_FALSE(JsonSchema::Compile(text).has_value());
  EXPECT_FALSE(Compiled(text, {.draft = JsonSchema::Draft::k7}).IsValid(json::array({1})));
}

TEST(JsonSchemaTest, ReadsRegisteredDocuments) {
  const JsonSchema::Options options{
      .documents = {{"http://acme.sim/id.json", R"({"type":"string"})"}}};
  const auto schema = Compiled(
      R"({"$id":"http://acme.sim/a.json","properties":{"id":{"$ref":"id.json"}}})", options);
  EXPECT_TRUE(schema.IsValid(json::parse(R"({"id":"x"})")));
  const auto violations = schema.Validate(json::parse(R"({"id":1})"));
  ASSERT_THAT(violations, SizeIs(1));
  EXPECT_EQ(violations[0].schema, "http://acme.sim/id.json#/type");
}

TEST(JsonSchemaTest, AFormatNeverFails) {
  EXPECT_TRUE(Compiled(R"({"format":"email"})").IsValid("no address"));
}

TEST(JsonSchemaTest, EndlessReferencesAreInvalidNotEndless) {
  const auto schema = Compiled(R"({"$ref":"#/$defs/a","$defs":{"a":{"$ref":"#/$defs/a"}}})");
  const auto violations = schema.Validate(1);
  ASSERT_THAT(violations, SizeIs(1));
  EXPECT_THAT(violations[0].message, HasSubstr("too deep"));
}

// What a bound cuts must not become valid by being negated.
TEST(JsonSchemaTest, ANegatedEndlessReferenceIsInvalidToo) {
  const auto schema =
      Compiled(R"({"not":{"$ref":"#/$defs/a"},"$defs":{"a":{"not":{"$ref":"#/$defs/a"}}}})");
  EXPECT_FALSE(schema.IsValid(1));
}

TEST(JsonSchemaTest, AnExponentialSchemaIsCut) {
  json schema = {{"$defs", {{"a0", {{"type", "string"}}}}}, {"$ref", "#/$defs/a40"}};
  for (int i = 1; i <= 40; ++i) {
    const json below = {{"$ref", "#/$defs/a" + std::to_string(i - 1)}};
    schema["$defs"]["a" + std::to_string(i)] = {{"oneOf", json::array({below, below})}};
  }
  EXPECT_FALSE(Compiled(schema.dump()).IsValid(1));
}

TEST(JsonSchemaTest, ADeepValueIsInvalid) {
  const json deep = json::parse(std::string(10'000, '[') + std::string(10'000, ']'));
  EXPECT_FALSE(Compiled("true").IsValid(deep));
}

TEST(JsonSchemaTest, BoundsTheListOfViolations) {
  EXPECT_THAT(Compiled(R"({"items":false})").Validate(json(std::vector<int>(100, 1))),
              SizeIs(JsonSchema::kViolationsMax));
}

struct BadSchema {
  const char* name;
  const char* schema;
  const char* message;
};

class JsonSchemaErrorTest : public ::testing::TestWithParam<BadSchema> {};

TEST_P(JsonSchemaErrorTest, IsRefused) {
  const auto schema = JsonSchema::Compile(GetParam().schema);
  ASSERT_FALSE(schema.has_value());
  EXPECT_EQ(schema.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(schema.error().message, HasSubstr(GetParam().message));
}

INSTANTIATE_TEST_SUITE_P(
    Schemas, JsonSchemaErrorTest,
    ::testing::Values(
        BadSchema{"NoJson", "{", "not JSON"}, BadSchema{"NoSchema", "1", "an object or a boolean"},
        BadSchema{"UnknownType", R"({"type":"text"})", "#/type: expected array, boolean"},
        BadSchema{"NegativeCount", R"({"minLength":-1})", "#/minLength: expected a whole number"},
        BadSchema{"RequiredIsText", R"({"required":"a"})", "array of strings"},
        BadSchema{"EmptyAllOf", R"({"allOf":[]})", "at least one schema"},
        BadSchema{"InsideProperties", R"({"properties":{"a":{"pattern":"("}}})",
                  "#/properties/a/pattern"},
        BadSchema{"LookAround", R"x({"pattern":"(?=a)"})x", "no look-around"},
        BadSchema{"NoTarget", R"({"$ref":"#/$defs/x"})", "leads nowhere"},
        BadSchema{"NoAnchor", R"({"$ref":"#x"})", "no anchor"},
        BadSchema{"NoDocument", R"({"$ref":"http://acme.sim/x"})", "no document"},
        BadSchema{"UnknownDialect", R"({"$schema":"http://acme.sim/x"})", "unknown dialect"},
        BadSchema{"TargetIsNoSchema", R"({"$ref":"#/required","required":["a"]})", "no schema"},
        BadSchema{"ListOfItems", R"({"items":[true]})", "prefixItems"},
        BadSchema{"RepeatedId", R"({"$defs":{"a":{"$id":"http://x/a"},"b":{"$id":"http://x/a"}}})",
                  "given twice"}),
    [](const auto& test) { return test.param.name; });

TEST(JsonSchemaTest, RefusesADeepSchema) {
  std::string deep;
  for (int i = 0; i < 1'000; ++i) deep += R"({"not":)";
  EXPECT_FALSE(JsonSchema::Compile(deep + "true" + std::string(1'000, '}')).has_value());
}

TEST(EcmaRegexTest, WritesWhatRe2Reads) {
  EXPECT_EQ(EcmaToRe2(R"(^\u00e9\u{1F600}\cA\p{Letter}\P{gc=Nd}(?<n>a)\\u\d$)"),
            R"(^\x{00e9}\x{1F600}\x01\p{L}\P{Nd}(?P<n>a)\\u\d$)");
  EXPECT_EQ(EcmaToRe2("(?<=a)\\"), "(?<=a)\\");
}

}  // namespace
}  // namespace understudy::harness
