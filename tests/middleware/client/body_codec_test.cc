#include "middleware/client/body_codec.h"

#include <cmath>
#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace understudy {
namespace {

using Json = nlohmann::json;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

Json Nested(int depth, Json core) {
  for (int i = 0; i < depth; ++i) core = Json{{"a", std::move(core)}};
  return core;
}

TEST(BodyCodecTest, NamesItsContentTypes) {
  EXPECT_EQ(ContentTypeOf(BodyCodec::kJson), "application/json");
  EXPECT_EQ(ContentTypeOf(BodyCodec::kForm), "application/x-www-form-urlencoded");
  EXPECT_EQ(ToString(BodyCodec::kForm), "form");
  EXPECT_EQ(ToString(BodyCodec::kJson), "json");
}

TEST(BodyCodecTest, WritesCompactJson) {
  const Json value = {{"b", {1, -2, 2.5, true, nullptr}}, {"a", "x\ny"}};
  EXPECT_EQ(WriteJson(value).value(), R"({"a":"x\ny","b":[1,-2,2.5,true,null]})");
  EXPECT_EQ(WriteJson("text").value(), R"("text")");
}

struct BadRow {
  std::string name;
  Json value;
  std::string problem;
};
class BadValueTest : public ::testing::TestWithParam<BadRow> {};

TEST_P(BadValueTest, IsRefusedByBothWritersWithItsPlace) {
  for (const std::string& message : {WriteJson(GetParam().value).error().message,
                                     FlattenForm(GetParam().value).error().message}) {
    EXPECT_THAT(message, AllOf(HasSubstr(GetParam().problem), Not(HasSubstr("secret"))));
  }
}

INSTANTIATE_TEST_SUITE_P(
    Values, BadValueTest,
    ::testing::Values(
        BadRow{"not_utf8", {{"a", {{"b", "secret\xff"}}}}, "/a/b is not UTF-8"},
        BadRow{"half_a_character", {{"a", "secret\xc3"}}, "/a is not UTF-8"},
        BadRow{"surrogate", {{"a", "\xed\xa0\x80"}}, "/a is not UTF-8"},
        BadRow{"name_not_utf8", {{"a\xff", 1}}, "/a? has a name that is not UTF-8"},
        BadRow{"in_a_list", {{"a", {1, "\xff"}}}, "/a/1 is not UTF-8"},
        BadRow{"nan", {{"a", std::nan("")}}, "/a is infinite or not a number"},
        BadRow{"infinity", {{"a", std::numeric_limits<double>::infinity()}}, "/a is infinite"},
        BadRow{"binary", {{"a", Json::binary({1, 2})}}, "/a is binary"},
        BadRow{
            "discarded", {{"a", Json(Json::value_t::discarded)}}, "/a is the result of a failed"},
        BadRow{"too_deep", Nested(kBodyDepthMax, Json::array({1})), "nested too deeply"}),
    [](const auto& test) { return test.param.name; });

TEST(BodyCodecTest, TheDeepestAllowedValueIsWritten) {
  EXPECT_TRUE(WriteJson(Nested(kBodyDepthMax, 1)));
  EXPECT_TRUE(FlattenForm(Nested(kBodyDepthMax, 1)));
}

TEST(BodyCodecTest, QS6_FlattensNestedFieldsAsStripeReadsThem) {
  const Json fields = {{"amount", 1999},
                       {"capture", false},
                       {"description", nullptr},
                       {"items", {{{"price", "p_1"}, {"quantity", 2}}, {{"price", "p_2"}}}},
                       {"metadata", {{"order", "7"}}},
                       {"percent", 8.25}};
  EXPECT_EQ(FlattenForm(fields).value(), (http::FormPairs{{"amount", "1999"},
                                                          {"capture", "false"},
                                                          {"description", ""},
                                                          {"items[0][price]", "p_1"},
                                                          {"items[0][quantity]", "2"},
                                                          {"items[1][price]", "p_2"},
                                                          {"metadata[order]", "7"},
                                                          {"percent", "8.25"}}));
}

TEST(BodyCodecTest, AnEmptyFormHasNoPairs) {
  EXPECT_EQ(FlattenForm(Json::object()).value(), http::FormPairs{});
}

struct FormRow {
  std::string name;
  Json fields;
  std::string problem;
};
class BadFormTest : public ::testing::TestWithParam<FormRow> {};
TEST_P(BadFormTest, IsRefused) {
  const auto pairs = FlattenForm(GetParam().fields);
  ASSERT_FALSE(pairs);
  EXPECT_EQ(pairs.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(pairs.error().message, HasSubstr(GetParam().problem));
}
INSTANTIATE_TEST_SUITE_P(
    Forms, BadFormTest,
    ::testing::Values(FormRow{"list", Json::array({1}), "object of named fields"},
                      FormRow{"scalar", 1, "object of named fields"},
                      FormRow{"empty_list", {{"a", Json::array()}}, "field a is an empty"},
                      FormRow{"empty_object", {{"a", {{"b", Json::object()}}}}, "a[b] is an empty"},
                      FormRow{"empty_name", {{"", 1}}, "empty name"},
                      FormRow{"empty_inner_name", {{"a", {{"", 1}}}}, "empty name"},
                      FormRow{"bracket", {{"a[b]", 1}}, "bracket"},
                      FormRow{"inner_bracket", {{"metadata", {{"x][y", 1}}}}, "bracket"}),
    [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace understudy
