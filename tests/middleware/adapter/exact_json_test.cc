#include "middleware/adapter/exact_json.h"

#include <string>

#include <gtest/gtest.h>

namespace understudy {
namespace {

ExactJson Of(std::string_view text) { return ExactJson::Parse(text).value(); }

TEST(ExactJson, AD1_KeepsTheTextOfNumbers) {
  const ExactJson json = Of(R"({"a":19.990,"b":1E3,"c":-7,"d":18446744073709551615,
    "e":123456789012345678901234567890.123456789,"f":-0.0})");
  EXPECT_EQ(json.Find("a")->NumberText(), "19.990");
  EXPECT_EQ(json.Find("b")->NumberText(), "1E3");
  EXPECT_EQ(json.Find("c")->NumberText(), "-7");
  EXPECT_EQ(json.Find("d")->NumberText(), "18446744073709551615");
  EXPECT_EQ(json.Find("e")->NumberText(), "123456789012345678901234567890.123456789");
  EXPECT_EQ(json.Find("f")->NumberText(), "-0.0");
}

TEST(ExactJson, AD6_NullReadsAsMissing) {
  const ExactJson json = Of(R"({"a":null,"b":{"c":null}})");
  EXPECT_EQ(json.Find("a"), nullptr);
  EXPECT_EQ(json.Find("absent"), nullptr);
  EXPECT_EQ(json.FindPath("a/x"), nullptr);
  EXPECT_EQ(json.FindPath("b/c"), nullptr);
  EXPECT_NE(json.FindPath("b"), nullptr);
  EXPECT_EQ(json.FindPath(""), &json);
}

TEST(ExactJson, WritesWhatItRead) {
  const std::string text = R"({"a":[1.50,true,false,null,"q\"\\\n"],"b":{},"c":[],"d":"\u00e4"})";
  const std::string written = Of(text).Write();
  EXPECT_EQ(Of(written), Of(text));
  EXPECT_NE(written.find("1.50"), std::string::npos);
}

TEST(ExactJson, HasKinds) {
  EXPECT_EQ(Of("true").BooleanValue(), true);
  EXPECT_EQ(Of("\"x\"").StringText(), "x");
  EXPECT_EQ(Of("\"1\"").NumberText(), std::nullopt);
  EXPECT_EQ(Of("1").StringText(), std::nullopt);
  EXPECT_TRUE(Of("[]").IsArray());
  EXPECT_TRUE(Of("{}").IsObject());
  const ExactJson list = Of("[1]");
  const ExactJson object = Of("{\"a\":1}");
  EXPECT_TRUE(list.members().empty());
  EXPECT_TRUE(object.elements().empty());
  EXPECT_TRUE(Of("\xEF\xBB\xBF[1]").IsArray());
}

struct RefuseRow {
  std::string name;
  std::string text;
  std::string reason;
};
class ExactJsonRefuses : public testing::TestWithParam<RefuseRow> {};

TEST_P(ExactJsonRefuses, WithATypedError) {
  const RefuseRow& test = GetParam();
  const Result<ExactJson> json =
      ExactJson::Parse(test.text, {.bytes_max = 200, .depth_max = 3, .values_max = 10});
  ASSERT_FALSE(json);
  EXPECT_EQ(json.error().code, ErrorCode::kProtocol);
  EXPECT_EQ(json.error().origin, Origin::kRemote);
  EXPECT_EQ(json.error().reason, test.reason);
}

INSTANTIATE_TEST_SUITE_P(Texts, ExactJsonRefuses,
                         testing::Values(RefuseRow{"Empty", "", "json-empty"},
                                         RefuseRow{"Html", "<html>", "json-syntax"},
                                         RefuseRow{"Cut", R"({"a":)", "json-syntax"},
                                         RefuseRow{"After", "1 2", "json-syntax"},
                                         RefuseRow{"Nul", std::string("1\0", 2), "json-syntax"},
                                         RefuseRow{"Utf8", "\"\xff\"", "json-syntax"},
                                         RefuseRow{"NotANumber", "NaN", "json-syntax"},
                                         RefuseRow{"Huge", "1e999", "json-number"},
                                         RefuseRow{"Duplicate", R"({"a":1,"b":2,"a":3})",
                                                   "json-duplicate"},
                                         RefuseRow{"Deep", "[[[[]]]]", "json-depth"},
                                         RefuseRow{"Values", "[1,2,3,4,5,6,7,8,9,10]", "json-size"},
                                         RefuseRow{"Bytes", std::string(201, ' '), "json-size"}),
                         [](const auto& test) { return test.param.name; });

TEST(ExactJson, TakesExactlyTheLimits) {
  EXPECT_TRUE(ExactJson::Parse("[[[]]]", {.depth_max = 3}));
  EXPECT_TRUE(ExactJson::Parse("[1,2]", {.values_max = 3}));
  EXPECT_TRUE(ExactJson::Parse("[1]", {.bytes_max = 3}));
}

TEST(ExactJson, ErrorsDoNotRepeatTheText) {
  const Result<ExactJson> json = ExactJson::Parse(R"({"email":"secret@example.com"x)");
  ASSERT_FALSE(json);
  EXPECT_EQ(json.error().message.find("secret"), std::string::npos);
}

TEST(ExactJson, IsBuiltByHand) {
  ExactJson list = ExactJson::List();
  list.Append(ExactJson::FromNumber("1.10"));
  ExactJson json = ExactJson::Map();
  json.Set("items", std::move(list)).Set("ok", ExactJson::Boolean(true));
  EXPECT_EQ(json.Write(), R"({"items":[1.10],"ok":true})");
}

}  // namespace
}  // namespace understudy
