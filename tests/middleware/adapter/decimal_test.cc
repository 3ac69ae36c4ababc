#include "middleware/adapter/decimal.h"

#include <limits>
#include <random>
#include <string>

#include <gtest/gtest.h>

namespace understudy {
namespace {

Decimal Of(std::string_view text) { return Decimal::Parse(text).value(); }

const std::string kNines(36, '9');

struct ParseRow {
  std::string name;
  std::string text;
  std::string printed;
};
class DecimalParses : public testing::TestWithParam<ParseRow> {};

TEST_P(DecimalParses, AndPrintsExactly) {
  const ParseRow& test = GetParam();
  const Result<Decimal> decimal = Decimal::Parse(test.text);
  ASSERT_TRUE(decimal) << decimal.error().ToString();
  EXPECT_EQ(decimal->ToString(), test.printed);
}

INSTANTIATE_TEST_SUITE_P(
    Numbers, DecimalParses,
    testing::Values(ParseRow{"NoDouble", "19.99", "19.99"}, ParseRow{"Zero", "0", "0"},
                    ParseRow{"NegativeZero", "-0", "0"}, ParseRow{"ScaleIsKept", "1.10", "1.10"},
                    ParseRow{"ZeroWithScale", "0.00", "0.00"},
                    ParseRow{"Negative", "-0.05", "-0.05"}, ParseRow{"Exponent", "1e3", "1000"},
                    ParseRow{"PlusExponent", "1.5E+2", "150"},
                    ParseRow{"NegativeExponent", "25e-3", "0.025"},
                    ParseRow{"ZeroWithHugeExponent", "0e99999", "0"},
                    ParseRow{"ZeroWithTinyExponent", "0e-99999", "0." + std::string(36, '0')},
                    ParseRow{"BeyondDouble", "9007199254740993.01", "9007199254740993.01"},
                    ParseRow{"LargestCoefficient", kNines, kNines},
                    ParseRow{"LargestScale", "0." + kNines, "0." + kNines},
                    ParseRow{"LargestExponent", "1e35", "1" + std::string(35, '0')}),
    [](const auto& test) { return test.param.name; });

struct RefuseRow {
  std::string name;
  std::string text;
  std::string reason;
};
class DecimalRefuses : public testing::TestWithParam<RefuseRow> {};

TEST_P(DecimalRefuses, WithATypedError) {
  const RefuseRow& test = GetParam();
  const Result<Decimal> decimal = Decimal::Parse(test.text);
  ASSERT_FALSE(decimal);
  EXPECT_EQ(decimal.error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(decimal.error().reason, test.reason);
}

INSTANTIATE_TEST_SUITE_P(
    Texts, DecimalRefuses,
    testing::Values(
        RefuseRow{"Empty", "", "decimal-syntax"}, RefuseRow{"Sign", "-", "decimal-syntax"},
        RefuseRow{"Plus", "+1", "decimal-syntax"}, RefuseRow{"Space", " 1", "decimal-syntax"},
        RefuseRow{"LeadingZero", "01", "decimal-syntax"},
        RefuseRow{"NoWhole", ".5", "decimal-syntax"},
        RefuseRow{"NoFraction", "1.", "decimal-syntax"},
        RefuseRow{"Comma", "1,50", "decimal-syntax"},
        RefuseRow{"TwoPoints", "1.2.3", "decimal-syntax"},
        RefuseRow{"NoExponent", "1e", "decimal-syntax"},
        RefuseRow{"NotANumber", "NaN", "decimal-syntax"},
        RefuseRow{"Infinity", "Infinity", "decimal-syntax"},
        RefuseRow{"Hex", "0x10", "decimal-syntax"}, RefuseRow{"Dollar", "$5", "decimal-syntax"},
        RefuseRow{"TooManyDigits", "1" + std::string(36, '0'), "decimal-range"},
        RefuseRow{"TooLargeScale", "1e-37", "decimal-range"},
        RefuseRow{"TooLargeExponent", "1e36", "decimal-range"},
        RefuseRow{"HugeExponent", "1e99999999999999999999", "decimal-range"},
        RefuseRow{"TinyExponent", "1e-99999999999999999999", "decimal-range"},
        RefuseRow{"LongText", std::string(129, '1'), "decimal-range"}),
    [](const auto& test) { return test.param.name; });

struct RoundRow {
  std::string name;
  Rounding rounding;
  // Of 2.5, 3.5, -2.5, 2.4, -2.6 to whole numbers.
  std::array<int, 5> expected;
};
class DecimalRounds : public testing::TestWithParam<RoundRow> {};

TEST_P(DecimalRounds, AsAsked) {
  const RoundRow& test = GetParam();
  const std::array<std::string, 5> inputs = {"2.5", "3.5", "-2.5", "2.4", "-2.6"};
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const Result<Decimal> rounded = Of(inputs[i]).Rescaled(0, test.rounding);
    ASSERT_TRUE(rounded);
    EXPECT_EQ(rounded->ToString(), std::to_string(test.expected[i])) << inputs[i];
  }
}

INSTANTIATE_TEST_SUITE_P(
    Modes, DecimalRounds,
    testing::Values(RoundRow{"HalfEven", Rounding::kHalfEven, {2, 4, -2, 2, -3}},
                    RoundRow{"HalfUp", Rounding::kHalfUp, {3, 4, -3, 2, -3}},
                    RoundRow{"Down", Rounding::kDown, {2, 3, -2, 2, -2}},
                    RoundRow{"Up", Rounding::kUp, {3, 4, -3, 3, -3}},
                    RoundRow{"Floor", Rounding::kFloor, {2, 3, -3, 2, -3}},
                    RoundRow{"Ceiling", Rounding::kCeiling, {3, 4, -2, 3, -2}}),
    [](const auto& test) { return test.param.name; });

TEST(Decimal, RefusesToLoseADigitUnlessAsked) {
  EXPECT_EQ(Of("1.25").Rescaled(1).error().reason, "decimal-inexact");
  EXPECT_EQ(Of("1.20").Rescaled(1)->ToString(), "1.2");
}

TEST(Decimal, ComparesByValueAtAnyScale) {
  EXPECT_EQ(Of("1.10"), Of("1.1"));
  EXPECT_LT(Of("-1.2"), Of("-1.1"));
  EXPECT_LT(Of("0." + kNines), Of(kNines));
  EXPECT_LT(Of("-" + kNines), Of("-0." + kNines));
  EXPECT_GT(Of("0.1"), Of("0.0999"));
}

TEST(Decimal, AddsAndMultipliesExactly) {
  EXPECT_EQ(Of("0.1").Add(Of("0.2"))->ToString(), "0.3");
  EXPECT_EQ(Of("1").Subtract(Of("0.01"))->ToString(), "0.99");
  EXPECT_EQ(Of("1.15").Multiply(Of("-3"))->ToString(), "-3.45");
}

TEST(Decimal, OverflowIsATypedErrorAtEveryOperation) {
  EXPECT_EQ(Of(kNines).Add(1).error().reason, "decimal-range");
  EXPECT_EQ(Of(kNines).Multiply(2).error().reason, "decimal-range");
  EXPECT_EQ(Of(kNines).Rescaled(1).error().reason, "decimal-range");
  EXPECT_EQ(Of(kNines).Shifted(1).error().reason, "decimal-range");
  EXPECT_EQ(Of("1").Shifted(-37).error().reason, "decimal-range");
  EXPECT_EQ(Of("9223372036854775808").ToInt64().error().reason, "decimal-range");
  EXPECT_EQ(Of("0.1").Rescaled(37).error().reason, "decimal-range");
  // The product is the least 128-bit number: nothing overflows, and it has no magnitude.
  EXPECT_EQ(Of("-18446744073709551616").Multiply(Of("9223372036854775808")).error().reason,
            "decimal-range");
  EXPECT_EQ(Decimal::FromParts(std::numeric_limits<Int128>::min(), 0).error().reason,
            "decimal-range");
}

TEST(Decimal, WholeNumbersReachTheEndsOf64Bits) {
  EXPECT_EQ(*Of("9223372036854775807").ToInt64(), std::numeric_limits<std::int64_t>::max());
  EXPECT_EQ(*Of("-9223372036854775808.00").ToInt64(), std::numeric_limits<std::int64_t>::min());
  EXPECT_EQ(Of("1.5").ToInt64().error().reason, "decimal-inexact");
}

TEST(Decimal, ErrorsDoNotRepeatTheText) {
  EXPECT_EQ(Decimal::Parse("4242424242424242x").error().message.find("4242"), std::string::npos);
}

TEST(Decimal, PrintingAndParsingIsARoundTripForAnyValue) {
  std::mt19937_64 random(4);
  for (int i = 0; i < 20'000; ++i) {
    Int128 coefficient = 0;
    const int digits = static_cast<int>(random() % 37);
    for (int d = 0; d < digits; ++d)
      coefficient = coefficient * 10 + static_cast<int>(random() % 10);
    if (random() % 2 == 0) coefficient = -coefficient;
    const Decimal decimal =
        Decimal::FromParts(coefficient, static_cast<int>(random() % 37)).value();
    const Result<Decimal> again = Decimal::Parse(decimal.ToString());
    ASSERT_TRUE(again) << decimal.ToString();
    ASSERT_EQ(again->coefficient(), decimal.coefficient());
    ASSERT_EQ(again->scale(), decimal.scale());
    ASSERT_EQ(decimal.Normalized(), decimal);
  }
}

TEST(Decimal, RoundingNeverMovesByAWholeUnit) {
  std::mt19937_64 random(5);
  for (int i = 0; i < 5'000; ++i) {
    const auto coefficient = static_cast<std::int64_t>(random());
    const Decimal value = Decimal::FromParts(coefficient, static_cast<int>(random() % 19)).value();
    for (const Rounding rounding : {Rounding::kHalfEven, Rounding::kHalfUp, Rounding::kDown,
                                    Rounding::kUp, Rounding::kFloor, Rounding::kCeiling}) {
      const Decimal moved = value.Rescaled(2, rounding)->Subtract(value).value();
      const Decimal unit = Decimal::FromParts(1, 2).value();
      ASSERT_LT(moved, unit);
      ASSERT_LT(moved.Negated(), unit);
    }
  }
}

}  // namespace
}  // namespace understudy
