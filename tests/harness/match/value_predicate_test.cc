#include "harness/match/value_predicate.h"

#include <string>

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

namespace understudy::harness {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

ValuePredicate Compiled(const std::string& spec) {
  auto compiled = ValuePredicate::Compile(json::parse(spec));
  EXPECT_TRUE(compiled.has_value()) << spec;
  return *std::move(compiled);
}

struct Case {
  const char* name;
  const char* spec;
  const char* value;
  bool matches;
};

class ValuePredicateTableTest : public ::testing::TestWithParam<Case> {};

TEST_P(ValuePredicateTableTest, Judges) {
  EXPECT_EQ(Compiled(GetParam().spec).Matches(json::parse(GetParam().value)), GetParam().matches);
}

INSTANTIATE_TEST_SUITE_P(
    Values, ValuePredicateTableTest,
    ::testing::Values(
        Case{"EqualText", R"("open")", R"("open")", true},
        Case{"OtherText", R"("open")", R"("opened")", false}, Case{"EqualNumber", "5", "5", true},
        Case{"IntegerEqualsItsDouble", "5", "5.0", true},
        Case{"NumberIsNotText", "5", R"("5")", false}, Case{"TrueIsNotOne", "true", "1", false},
        Case{"EqualBoolean", "false", "false", true}, Case{"NullEqualsNull", "null", "null", true},
        Case{"SameDurationOtherUnit", R"("1s")", R"("1000ms")", true},
        Case{"ArrayMeansAnyOf", R"(["a","b"])", R"("b")", true},
        Case{"ArrayWithoutTheValue", R"(["a","b"])", R"("c")", false},
        Case{"GteAtTheBound", R"({"gte":200})", "200", true},
        Case{"GteBelow", R"({"gte":200})", "199", false},
        Case{"LteAtTheBound", R"({"lte":299})", "299", true},
        Case{"LteAbove", R"({"lte":299})", "300", false},
        Case{"GteAndLteInside", R"({"gte":200,"lte":299})", "204", true},
        Case{"GteAndLteOutside", R"({"gte":200,"lte":299})", "503", false},
        Case{"GteDurationOtherUnit", R"({"gte":"150ms"})", R"("1s")", true},
        Case{"GteDurationBelow", R"({"gte":"150ms"})", R"("149ms")", false},
        Case{"GteNumberAgainstDuration", R"({"gte":1})", R"("1s")", false},
        Case{"GteNumberAgainstText", R"({"gte":1})", R"("2")", false},
        Case{"LteAgainstBoolean", R"({"lte":1})", "false", false},
        Case{"RegexFindsInside", R"({"regex":"evt_\\d"})", R"("x evt_1 y")", true},
        Case{"RegexAnchoredByItself", R"({"regex":"^evt_\\d$"})", R"("evt_12")", false},
        Case{"RegexOverANumber", R"({"regex":"^5\\d\\d$"})", "503", true},
        Case{"RegexOverNull", R"({"regex":"."})", "null", false},
        Case{"NotScalar", R"({"not":"closed"})", R"("open")", true},
        Case{"NotScalarEqual", R"({"not":"closed"})", R"("closed")", false},
        Case{"NotCondition", R"({"not":{"gte":500}})", "404", true},
        Case{"AnyOfMixed", R"({"any_of":["a",{"regex":"^b"}]})", R"("bcd")", true},
        Case{"AnyOfNone", R"({"any_of":["a",{"regex":"^b"}]})", R"("cb")", false},
        Case{"AllConditionsMustHold", R"({"regex":"a","not":"ba"})", R"("ba")", false}),
    [](const auto& test) { return test.param.name; });

struct BadCase {
  const char* name;
  const char* spec;
  const char* message;
};

class ValuePredicateErrorTest : public ::testing::TestWithParam<BadCase> {};

TEST_P(ValuePredicateErrorTest, IsRefused) {
  const auto compiled = ValuePredicate::Compile(json::parse(GetParam().spec));
  ASSERT_FALSE(compiled.has_value());
  EXPECT_EQ(compiled.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(compiled.error().message, HasSubstr(GetParam().message));
}

INSTANTIATE_TEST_SUITE_P(
    Specs, ValuePredicateErrorTest,
    ::testing::Values(BadCase{"Typo", R"({"gtee":1})", R"(did you mean "gte"?)"},
                      BadCase{"UnknownCondition", R"({"shaped":"a"})", "write one of equals, gte"},
                      BadCase{"TypoOfTwoWords", R"({"startswith":"a"})", R"("starts_with"?)"},
                      BadCase{"Empty", "{}", "is empty"},
                      BadCase{"EmptyAnyOf", R"({"any_of":[]})", "at least one value"},
                      BadCase{"AnyOfScalar", R"({"any_of":"a"})", "at least one value"},
                      BadCase{"GteText", R"({"gte":"many"})", "a number or a duration"},
                      BadCase{"RegexNumber", R"({"regex":5})", "needs a text"},
                      BadCase{"RegexLookAhead", R"x({"regex":"(?=a)"})x", "RE2 syntax"},
                      BadCase{"ErrorInside", R"({"not":{"any_of":[{"regex":"("}]}})",
                              "RE2 syntax"}),
    [](const auto& test) { return test.param.name; });

TEST(ValuePredicateTest, RefusesEndlessNesting) {
  json spec = "a";
  for (int i = 0; i < 100; ++i) spec = json{{"not", spec}};
  EXPECT_FALSE(ValuePredicate::Compile(spec).has_value());
}

TEST(ValuePredicateTest, ReadsTextAsTheKindItComparesWith) {
  EXPECT_TRUE(Compiled("10").MatchesText("10"));
  EXPECT_TRUE(Compiled(R"({"gte":5})").MatchesText("10"));
  EXPECT_FALSE(Compiled(R"({"not":10})").MatchesText("10"));
  EXPECT_TRUE(Compiled("true").MatchesText("true"));
  EXPECT_FALSE(Compiled(R"({"gte":5})").MatchesText("ten"));
}

TEST(ValuePredicateTest, ComparesTextWithTextExactly) {
  EXPECT_TRUE(Compiled(R"("010")").MatchesText("010"));
  EXPECT_FALSE(Compiled(R"("1s")").MatchesText("1000ms"));
}

TEST(ValuePredicateTest, DescribesItselfAsItWasWritten) {
  EXPECT_EQ(Compiled(R"({"gte": 200})").Describe(), R"({"gte":200})");
}

struct GrownCase {
  const char* name;
  const char* spec;
  const char* value;
  bool fits;
};

class GrownPredicateTest : public ::testing::TestWithParam<GrownCase> {};

TEST_P(GrownPredicateTest, Judges) {
  EXPECT_EQ(Compiled(GetParam().spec).Matches(json::parse(GetParam().value)), GetParam().fits);
}

INSTANTIATE_TEST_SUITE_P(
    Conditions, GrownPredicateTest,
    ::testing::Values(
        GrownCase{"GtIsStrict", R"({"gt":5})", "5", false},
        GrownCase{"GtAbove", R"({"gt":5})", "5.5", true},
        GrownCase{"LtIsStrict", R"({"lt":5})", "5", false},
        GrownCase{"LtOfDurations", R"({"lt":"1s"})", R"("999ms")", true},
        GrownCase{"Contains", R"({"contains":"bc"})", R"("abcd")", true},
        GrownCase{"ContainsNot", R"({"contains":"bd"})", R"("abcd")", false},
        GrownCase{"ContainsEmpty", R"({"contains":""})", R"("")", true},
        GrownCase{"ContainsAnElement", R"({"contains":5})", "[4,5]", true},
        GrownCase{"ContainsNoElement", R"({"contains":5})", "[4,55]", false},
        GrownCase{"ContainsOfNumber", R"({"contains":"5"})", "55", false},
        GrownCase{"StartsWith", R"({"starts_with":"ab"})", R"("abc")", true},
        GrownCase{"StartsWithMore", R"({"starts_with":"abcd"})", R"("abc")", false},
        GrownCase{"StartsWithInside", R"({"starts_with":"bc"})", R"("abc")", false},
        GrownCase{"EndsWith", R"({"ends_with":"bc"})", R"("abc")", true},
        GrownCase{"EndsWithInside", R"({"ends_with":"ab"})", R"("abc")", false},
        GrownCase{"IgnoreCaseEquals", R"({"equals":"OPEN","ignore_case":true})", R"("Open")", true},
        GrownCase{"CaseCounts", R"({"equals":"OPEN"})", R"("Open")", false},
        GrownCase{"IgnoreCaseContains", R"({"contains":"BC","ignore_case":true})", R"("abcd")",
                  true},
        GrownCase{"IgnoreCaseRegex", R"({"regex":"^B","ignore_case":true})", R"("bc")", true},
        GrownCase{"IgnoreCaseDoesNotGoInside", R"({"not":{"equals":"A"},"ignore_case":true})",
                  R"("a")", true},
        GrownCase{"EqualsStructured", R"({"equals":{"a":[1]}})", R"({"a":[1.0]})", true},
        GrownCase{"EqualsArrayIsNoList", R"({"equals":[1,2]})", "1", false},
        GrownCase{"AllOf", R"({"all_of":[{"gt":1},{"lt":3}]})", "2", true},
        GrownCase{"AllOfMissesOne", R"({"all_of":[{"gt":1},{"lt":3}]})", "3", false}),
    [](const auto& test) { return test.param.name; });

struct MissingCase {
  const char* name;
  const char* spec;
  bool fits;
};

class MissingValueTest : public ::testing::TestWithParam<MissingCase> {};

TEST_P(MissingValueTest, Judges) {
  const auto compiled = ValuePredicate::CompileField(json::parse(GetParam().spec));
  ASSERT_TRUE(compiled.has_value());
  EXPECT_EQ(compiled->MatchesMissing(), GetParam().fits);
}

INSTANTIATE_TEST_SUITE_P(
    Specs, MissingValueTest,
    ::testing::Values(MissingCase{"Value", R"("a")", false},
                      MissingCase{"NotAValue", R"({"not":"a"})", false},
                      MissingCase{"Absent", R"({"absent":true})", true},
                      MissingCase{"Present", R"({"absent":false})", false},
                      MissingCase{"NotAbsent", R"({"not":{"absent":true}})", false},
                      MissingCase{"NotPresent", R"({"not":{"absent":false}})", true},
                      MissingCase{"AbsentOr", R"([{"absent":true},"a"])", true},
                      MissingCase{"AbsentAnd", R"({"all_of":[{"absent":true},"a"]})", false}),
    [](const auto& test) { return test.param.name; });

TEST(ValuePredicateTest, APresentValueIsNotAbsent) {
  const auto absent = ValuePredicate::CompileField(json::parse(R"({"absent":true})"));
  ASSERT_TRUE(absent.has_value());
  EXPECT_FALSE(absent->MatchesText(""));
}

TEST(ValuePredicateTest, AbsenceIsNoConditionOnAValue) {
  EXPECT_FALSE(ValuePredicate::Compile(json::parse(R"({"absent":true})")).has_value());
}

TEST(ValuePredicateTest, RefusesIgnoreCaseAlone) {
  EXPECT_FALSE(ValuePredicate::Compile(json::parse(R"({"ignore_case":true})")).has_value());
}

}  // namespace
}  // namespace understudy::harness
