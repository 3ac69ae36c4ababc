#include "harness/scenario/json_document.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace understudy::harness {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

JsonDocument Parse(std::string text) { return JsonDocument::Parse("f.json", std::move(text)); }

std::string FirstProblem(std::string text) {
  const JsonDocument document = Parse(std::move(text));
  return document.ok() ? "ok" : document.diagnostics().front().ToString();
}

TEST(JsonDocumentTest, AcceptsCommentsAndTrailingCommas) {
  const JsonDocument document =
      Parse("// head\n{ \"a\": [1, 2,], /* in\nside */ \"b\": true, }\n// tail");
  ASSERT_TRUE(document.ok()) << document.diagnostics().front().ToString();
  EXPECT_EQ(document.root().Serialise(), R"({"a":[1,2],"b":true})");
}

TEST(JsonDocumentTest, KeepsThePlaceOfEveryKeyAndValue) {
  const JsonDocument document = Parse("{\n  \"a\": [10,\n    true]\n}");
  ASSERT_TRUE(document.ok());
  const JsonNode::Member& member = document.root().members().front();
  EXPECT_EQ(member.key_position, (SourcePosition{2, 3, 4}));
  EXPECT_EQ(member.value.position(), (SourcePosition{2, 8, 9}));
  EXPECT_EQ(member.value.items()[1].position(), (SourcePosition{3, 5, 18}));
}

TEST(JsonDocumentTest, CountsColumnsInCharactersAndOffsetsInBytes) {
  const JsonDocument document = Parse("[\"\xC3\xA4\xE2\x82\xAC\", 1]");
  ASSERT_TRUE(document.ok());
  EXPECT_EQ(document.root().items()[1].position(), (SourcePosition{1, 8, 10}));
}

TEST(JsonDocumentTest, ToleratesAByteOrderMark) {
  const JsonDocument document = Parse("\xEF\xBB\xBF[1]");
  ASSERT_TRUE(document.ok());
  EXPECT_EQ(document.root().position(), (SourcePosition{1, 1, 3}));
}

TEST(JsonDocumentTest, KeepsNumbersExactly) {
  const JsonDocument document =
      Parse("[9223372036854775807, -9223372036854775808, 9223372036854775808, 1.10, 1e3, -0]");
  ASSERT_TRUE(document.ok());
  const auto& items = document.root().items();
  EXPECT_EQ(items[0].integer(), INT64_MAX);
  EXPECT_EQ(items[1].integer(), INT64_MIN);
  EXPECT_EQ(items[2].kind(), JsonNode::Kind::kNumber);
  EXPECT_EQ(items[4].kind(), JsonNode::Kind::kNumber);
  EXPECT_DOUBLE_EQ(items[4].number(), 1000.0);
  EXPECT_EQ(document.root().Serialise(),
            "[9223372036854775807,-9223372036854775808,9223372036854775808,1.10,1e3,-0]");
}

TEST(JsonDocumentTest, DecodesEscapesAndSurrogatePairs) {
  const JsonDocument document = Parse(R"(["\"\\\/\b\f\n\r\t\u00e4\u20AC\ud83d\ude00"])");
  ASSERT_TRUE(document.ok()) << document.diagnostics().front().ToString();
  EXPECT_EQ(document.root().items()[0].text(),
            "\"\\/\b\f\n\r\t\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80");
}

TEST(JsonDocumentTest, SerialisesWhatItReads) {
  const std::string text = R"({"b":[null,true,-1.5,{}],"a":"\u0001\n\"é","c":[]})";
  const JsonDocument document = Parse(text);
  ASSERT_TRUE(document.ok());
  EXPECT_EQ(document.root().Serialise(), text);
  EXPECT_EQ(ToNlohmann(document.root()), nlohmann::json::parse(text));
}

TEST(JsonDocumentTest, ConvertsIntegersBeyondInt64ToUnsigned) {
  const JsonDocument document = Parse("[18446744073709551615]");
  ASSERT_TRUE(document.ok());
  EXPECT_EQ(ToNlohmann(document.root())[0].get<std::uint64_t>(), UINT64_MAX);
}

TEST(JsonDocumentTest, ReportsEveryRepeatedKeyWithBothPlaces) {
  const JsonDocument document = Parse("{\n \"a\": 1,\n \"b\": {\"c\": 1, \"c\": 2},\n \"a\": 3\n}");
  ASSERT_THAT(document.diagnostics(), SizeIs(2));
  EXPECT_EQ(document.diagnostics()[0].ToString(),
            "f.json:3:16: /b/c: duplicate key \"c\", first at line 3, column 8; remove or rename "
            "one of them");
  EXPECT_EQ(document.diagnostics()[1].ToString(),
            "f.json:4:2: /a: duplicate key \"a\", first at line 2, column 2; remove or rename one "
            "of them");
  EXPECT_TRUE(document.root().IsObject());
}

TEST(JsonDocumentTest, FindsRepeatedKeysInBigObjects) {
  std::string text = "{";
  for (int i = 0; i < 5000; ++i) text += "\"k" + std::to_string(i) + "\":0,";
  EXPECT_EQ(FirstProblem(text + "}"), "ok");
  EXPECT_THAT(FirstProblem(text + "\"k4711\":1}"), HasSubstr("/k4711: duplicate key \"k4711\""));
}

TEST(JsonDocumentTest, BoundsTheNumberOfDiagnostics) {
  std::string text = "{\"a\":0";
  for (int i = 0; i < 100; ++i) text += ",\"a\":1";
  EXPECT_THAT(Parse(text + "}").diagnostics(), SizeIs(20));
}

struct SyntaxRow {
  const char* name;
  std::string text;
  const char* problem;
};

class SyntaxTest : public ::testing::TestWithParam<SyntaxRow> {};

TEST_P(SyntaxTest, IsReportedAtItsPlace) {
  EXPECT_EQ(FirstProblem(GetParam().text), GetParam().problem);
}

INSTANTIATE_TEST_SUITE_P(
    Rows, SyntaxTest,
    ::testing::Values(
        SyntaxRow{"Empty", "", "f.json:1:1: (root): the document is empty"},
        SyntaxRow{"OnlyComment", "// x\n", "f.json:2:1: (root): the document is empty"},
        SyntaxRow{"OpenObject", "{\"a\": {\"b\": 1,\n",
                  "f.json:2:1: /a: the text ends inside the object that begins at line 1, column "
                  "7; is the file truncated?"},
        SyntaxRow{"OpenArray", "[1, [2",
                  "f.json:1:7: /1: the text ends inside the array that begins at line 1, column 5; "
                  "is the file truncated?"},
        SyntaxRow{"OpenString", "[\"abc",
                  "f.json:1:6: /0: the text ends inside the string that begins at line 1, column "
                  "2; is the file truncated?"},
        SyntaxRow{"OpenUnicodeEscape", "[\"\\u00",
                  "f.json:1:7: /0: the text ends inside the string that begins at line 1, column "
                  "2; is the file truncated?"},
        SyntaxRow{"OpenComment", "[1] /* x",
                  "f.json:1:9: (root): the text ends inside the comment that begins at line 1, "
                  "column 5; is the file truncated?"},
        SyntaxRow{
            "ValueMissing", "{\"a\":",
            "f.json:1:6: /a: the text ends where a value was expected; is the file truncated?"},
        SyntaxRow{"WordCut", "[tru",
                  "f.json:1:5: /0: the text ends inside the word \"tru\" that begins at line 1, "
                  "column 2; is the file truncated?"},
        SyntaxRow{"LineBreakInString", "[\"a\n\"]",
                  "f.json:1:2: /0: the string is not closed on its line; close it with \", or "
                  "write \\n for a line break"},
        SyntaxRow{"ControlCharacter", std::string("[\"a\x01\"]"),
                  "f.json:1:4: /0: control character 0x01 in a string; write it as \\u00XX"},
        SyntaxRow{"UnknownEscape", "[\"a\\q\"]",
                  "f.json:1:4: /0: unknown escape \"\\q\" in a string; a backslash itself is "
                  "written \\\\"},
        SyntaxRow{"LoneSurrogate", "[\"\\ud800\"]",
                  "f.json:1:3: /0: \"\\u\" needs four hexadecimal digits, and a surrogate its "
                  "other half"},
        SyntaxRow{"MissingComma", "{\"a\": 1 \"b\": 2}",
                  "f.json:1:9: (root): expected \",\" or \"}\", found \"\"\""},
        SyntaxRow{"MissingColon", "{\"a\" 1}",
                  "f.json:1:6: /a: expected \":\" after the key, found \"1\""},
        SyntaxRow{"BareKey", "{a: 1}",
                  "f.json:1:2: (root): expected a key in double quotes or \"}\", found \"a\""},
        SyntaxRow{"TwoCommas", "[1,,2]", "f.json:1:4: /1: expected a value, found \",\""},
        SyntaxRow{"SingleQuotes", "['a']", "f.json:1:2: /0: expected a value, found \"'\""},
        SyntaxRow{"BareWord", "[yes]",
                  "f.json:1:2: /0: expected a value, found yes; strings need double quotes"},
        SyntaxRow{
            "BareDuration", "[20ms]",
            "f.json:1:2: /0: \"20ms\" is not a JSON number; durations are strings: write \"20ms\""},
        SyntaxRow{"LeadingZero", "[007]", "f.json:1:2: /0: \"007\" is not a JSON number"},
        SyntaxRow{"NumberTooBig", "[1e999]", "f.json:1:2: /0: the number 1e999 is out of range"},
        SyntaxRow{"TextAfterTheEnd", "[] x",
                  "f.json:1:4: (root): there is more text after the end of the document"},
        SyntaxRow{"PointerIsEscaped", "{\"a/b~c\": !}",
                  "f.json:1:11: /a~1b~0c: expected a value, found \"!\""},
        SyntaxRow{
            "BadUtf8", "[\"ab\xFF\"]",
            "f.json:1:5: (root): invalid UTF-8: byte 0xff at offset 4; save the file as UTF-8"},
        SyntaxRow{
            "OverlongUtf8", "[\"\xC0\xAF\"]",
            "f.json:1:3: (root): invalid UTF-8: byte 0xc0 at offset 2; save the file as UTF-8"},
        SyntaxRow{
            "Utf8Surrogate", "[\"\xED\xA0\x80\"]",
            "f.json:1:3: (root): invalid UTF-8: byte 0xed at offset 2; save the file as UTF-8"},
        SyntaxRow{
            "Utf8Cut", "[\"\xE2\x82",
            "f.json:1:3: (root): invalid UTF-8: byte 0xe2 at offset 2; save the file as UTF-8"}),
    [](const auto& row) { return row.param.name; });

TEST(JsonDocumentTest, AcceptsDepthAtTheLimitAndRefusesOneMore) {
  EXPECT_EQ(FirstProblem(std::string(200, '[') + std::string(200, ']')), "ok");
  EXPECT_THAT(FirstProblem(std::string(201, '[') + std::string(201, ']')),
              HasSubstr("f.json:1:201: " + [] {
                std::string pointer;
                for (int i = 0; i < 200; ++i) pointer += "/0";
                return pointer;
              }() + ": nested more than 200 levels deep"));
}

TEST(JsonDocumentTest, RefusesMoreBytesThanTheLimit) {
  JsonLimits limits;
  limits.bytes = 4;
  EXPECT_TRUE(JsonDocument::Parse("f", "[12]", limits).ok());
  EXPECT_EQ(JsonDocument::Parse("f", "[123]", limits).diagnostics().front().message,
            "the file has 5 bytes; at most 4 are read");
}

TEST(JsonDocumentTest, RefusesMoreValuesThanTheLimit) {
  JsonLimits limits;
  limits.values = 3;
  EXPECT_TRUE(JsonDocument::Parse("f", "[1,2]", limits).ok());
  EXPECT_THAT(
      JsonDocument::Parse("f", "[1,2,3]", limits).diagnostics(),
      ElementsAre(::testing::Field(&Diagnostic::message, "the document has more than 3 values")));
}

TEST(JsonDocumentTest, GivesTheTextOfALine) {
  const JsonDocument document = Parse("[\r\n  1,\r\n 2]");
  EXPECT_EQ(document.LineText(2), "1,");
  EXPECT_EQ(document.LineText(3), "2]");
  EXPECT_THAT(std::string(document.LineText(4)), IsEmpty());
}

}  // namespace
}  // namespace understudy::harness
