#include "middleware/webhook/canonical_json.h"

#include <bit>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace understudy::test {
namespace {

std::string Canonical(std::string_view text) {
  const auto canonical = CanonicalJson(text);
  return canonical ? *canonical : "<" + canonical.error().reason + ">";
}

TEST(CanonicalJsonTest, IsThatOfTheExampleInRfc8785) {
  EXPECT_EQ(Canonical(R"({
  "numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
  "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/",
  "literals": [null, true, false]
})"),
            "{\"literals\":[null,true,false],\"numbers\":[333333333.3333333,1e+30,4.5,0.002,1e-27],"
            "\"string\":\"\xe2\x82\xac$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\"}");
}

TEST(CanonicalJsonTest, SortsByUtf16AsTheExampleInRfc8785) {
  EXPECT_EQ(Canonical(R"({"\u20ac": 1, "\r": 2, "\ufb33": 3, "1": 4, "\ud83d\ude00": 5,
                          "\u0080": 6, "\u00f6": 7})"),
            "{\"\\r\":2,\"1\":4,\"\xc2\x80\":6,\"\xc3\xb6\":7,\"\xe2\x82\xac\":1,"
            "\"\xf0\x9f\x98\x80\":5,\"\xef\xac\xb3\":3}");
}

TEST(CanonicalJsonTest, Utf16OrderIsNotTheOrderOfBytes) {
  EXPECT_TRUE(LessByUtf16("\xf0\x9f\x98\x80", "\xef\xac\xb3"));  // U+1F600, U+FB33
  EXPECT_FALSE(LessByUtf16("\xef\xac\xb3", "\xf0\x9f\x98\x80"));
  EXPECT_TRUE(LessByUtf16("\xf0\x9f\x98\x80", "\xf0\x9f\x98\x81"));
  EXPECT_TRUE(LessByUtf16("a", "ab"));
  EXPECT_TRUE(LessByUtf16("", "a"));
  EXPECT_FALSE(LessByUtf16("a", "a"));
}

struct Number {
  std::uint64_t bits;
  const char* text;
};

// RFC 8785 appendix B.
TEST(EcmaScriptNumberTest, IsThatOfAppendixBInRfc8785) {
  const std::vector<Number> rows = {{0x0000000000000000, "0"},
                                    {0x8000000000000000, "0"},
                                    {0x0000000000000001, "5e-324"},
                                    {0x8000000000000001, "-5e-324"},
                                    {0x7fefffffffffffff, "1.7976931348623157e+308"},
                                    {0xffefffffffffffff, "-1.7976931348623157e+308"},
                                    {0x4340000000000000, "9007199254740992"},
                                    {0xc340000000000000, "-9007199254740992"},
                                    {0x4430000000000000, "295147905179352830000"},
                                    {0x44b52d02c7e14af5, "9.999999999999997e+22"},
                                    {0x44b52d02c7e14af6, "1e+23"},
                                    {0x44b52d02c7e14af7, "1.0000000000000001e+23"},
                                    {0x444b1ae4d6e2ef4e, "999999999999999700000"},
                                    {0x444b1ae4d6e2ef4f, "999999999999999900000"},
                                    {0x444b1ae4d6e2ef50, "1e+21"},
                                    {0x3eb0c6f7a0b5ed8c, "9.999999999999997e-7"},
                                    {0x3eb0c6f7a0b5ed8d, "0.000001"},
                                    {0x41b3de4355555553, "333333333.3333332"},
                                    {0x41b3de4355555554, "333333333.33333325"},
                                    {0x41b3de4355555555, "333333333.3333333"},
                                    {0x41b3de4355555556, "333333333.3333334"},
                                    {0x41b3de4355555557, "333333333.33333343"},
                                    {0xbecbf647612f3696, "-0.0000033333333333333333"},
                                    {0x43143ff3c1cb0959, "1424953923781206.2"}};
  for (const Number& row : rows) {
    EXPECT_EQ(EcmaScriptNumber(std::bit_cast<double>(row.bits)), row.text);
  }
}

TEST(EcmaScriptNumberTest, ReadsBackAsTheSameDouble) {
  std::uint64_t bits = 88172645463325252;
  for (int i = 0; i < 20'000; ++i) {
    bits ^= bits << 13U;
    bits ^= bits >> 7U;
    bits ^= bits << 17U;
    const auto value = std::bit_cast<double>(bits);
    if (!std::isfinite(value)) continue;
    const auto parsed = nlohmann::json::parse(EcmaScriptNumber(value), nullptr, false);
    ASSERT_TRUE(parsed.is_number());
    ASSERT_EQ(parsed.get<double>(), value) << EcmaScriptNumber(value);
  }
}

TEST(CanonicalJsonTest, NumbersThatAreEqualAreWrittenAlike) {
  for (const char* one : {"1", "1.0", "1e0", "10e-1", "0.1e1", "1.000"}) {
    EXPECT_EQ(Canonical(one), "1") << one;
  }
  for (const char* zero : {"0", "-0", "0.0", "-0.0", "0e9", "1e-400"}) {
    EXPECT_EQ(Canonical(zero), "0") << zero;
  }
  EXPECT_EQ(Canonical("-5"), "-5");
  EXPECT_EQ(Canonical("1e21"), "1e+21");
  EXPECT_EQ(Canonical("1e20"), "100000000000000000000");
}

TEST(CanonicalJsonTest, AWholeNumberThatADoubleCannotHoldIsRefused) {
  EXPECT_EQ(Canonical("9007199254740992"), "9007199254740992");
  EXPECT_EQ(Canonical("-9007199254740992"), "-9007199254740992");
  for (const char* text : {"9007199254740993", "-9007199254740993", "18446744073709551615",
                           "9223372036854775807", "100000000000000000001"}) {
    EXPECT_EQ(Canonical(text), "<json-number>") << text;
  }
  // Exact, but written shorter; and what this function itself writes.
  EXPECT_EQ(Canonical("-9223372036854775808"), "-9223372036854776000");
  EXPECT_EQ(Canonical("295147905179352830000"), "295147905179352830000");
}

TEST(CanonicalJsonTest, StringsKeepEverythingButQuotesBackslashesAndControls) {
  EXPECT_EQ(Canonical(R"("\u0000\u001f\u007f\b\t\n\f\r\/<>&'\u00e9\ud83d\ude00")"),
            "\"\\u0000\\u001f\x7f\\b\\t\\n\\f\\r/<>&'\xc3\xa9\xf0\x9f\x98\x80\"");
}

TEST(CanonicalJsonTest, EmptyAndNestedContainers) {
  EXPECT_EQ(Canonical(" [ ] "), "[]");
  EXPECT_EQ(Canonical("{ }"), "{}");
  EXPECT_EQ(Canonical(R"([{"b":[{}, [[]]],"a":{"d":1,"c":[2,"x"]}}, null])"),
            R"([{"a":{"c":[2,"x"],"d":1},"b":[{},[[]]]},null])");
}

TEST(CanonicalJsonTest, IsItsOwnCanonicalForm) {
  const std::string once = Canonical(R"({"z":[1.50,{"y":"\u00e9","x":-0}],"a":1e25})");
  EXPECT_EQ(Canonical(once), once);
}

struct Refused {
  const char* name;
  std::string text;
  const char* reason;
};
class CanonicalJsonRefusesTest : public ::testing::TestWithParam<Refused> {};

TEST_P(CanonicalJsonRefusesTest, WithATypedError) {
  const auto canonical = CanonicalJson(GetParam().text, {.bytes_max = 200, .depth_max = 8});
  ASSERT_FALSE(canonical);
  EXPECT_EQ(canonical.error().reason, GetParam().reason);
  EXPECT_EQ(canonical.error().code, ErrorCode::kProtocol);
}

INSTANTIATE_TEST_SUITE_P(
    Table, CanonicalJsonRefusesTest,
    ::testing::Values(Refused{"RepeatedKey", R"({"a":1,"a":1})", "repeated-key"},
                      Refused{"RepeatedKeyInOtherSpelling", R"({"a":1,"\u0061":2})",
                              "repeated-key"},
                      Refused{"RepeatedKeyBelow", R"([{"b":{"a":1,"c":2,"a":3}}])", "repeated-key"},
                      Refused{"Empty", "", "not-json"}, Refused{"TwoValues", "1 2", "not-json"},
                      Refused{"HugeNumber", "1e999", "not-json"},
                      Refused{"LoneSurrogate", R"("\ud800")", "not-json"},
                      Refused{"BrokenUtf8", "\"\xff\"", "not-json"},
                      Refused{"NaN", "NaN", "not-json"},
                      Refused{"BehindANul", std::string("{}\0x", 4), "not-json"},
                      Refused{"TooDeep", "[[[[[[[[[1]]]]]]]]]", "json-depth"},
                      Refused{"TooLong", std::string(201, ' '), "json-size"}),
    [](const auto& test) { return test.param.name; });

TEST(CanonicalJsonTest, AVeryDeepTextIsRefusedWithoutRecursion) {
  EXPECT_EQ(Canonical(std::string(1'000'000, '[')), "<json-depth>");
}

}  // namespace
}  // namespace understudy::test
