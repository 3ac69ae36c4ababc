#include "middleware/adapter/money.h"

#include <algorithm>
#include <limits>
#include <string>

#include <gtest/gtest.h>

namespace understudy {
namespace {

constexpr std::int64_t kMax = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t kMin = std::numeric_limits<std::int64_t>::min();

Currency Of(std::string_view code) { return Currency::Parse(code).value(); }

TEST(Currency, TakesEveryActiveCodeInAnyCaseAndNoneTwice) {
  const auto codes = AllCurrencyCodes();
  EXPECT_EQ(codes.size(), 171U);
  EXPECT_EQ(std::adjacent_find(codes.begin(), codes.end()), codes.end());
  for (const std::string_view code : codes) {
    const Result<Currency> currency = Currency::Parse(code);
    ASSERT_TRUE(currency) << code;
    EXPECT_EQ(currency->code(), code);
    EXPECT_EQ(Currency::Parse(currency->lower_code()).value(), *currency);
  }
}

struct CodeRow {
  std::string name;
  std::string code;
};
class CurrencyRefuses : public testing::TestWithParam<CodeRow> {};

TEST_P(CurrencyRefuses, WhatHasNoMinorUnit) {
  const CodeRow& test = GetParam();
  const Result<Currency> currency = Currency::Parse(test.code);
  ASSERT_FALSE(currency);
  EXPECT_EQ(currency.error().reason, "currency");
}

INSTANTIATE_TEST_SUITE_P(Codes, CurrencyRefuses,
                         testing::Values(CodeRow{"Empty", ""}, CodeRow{"Short", "US"},
                                         CodeRow{"Long", "USDT"}, CodeRow{"Across", "D A"},
                                         CodeRow{"Unknown", "QQQ"}, CodeRow{"Gold", "XAU"},
                                         CodeRow{"None", "XXX"}, CodeRow{"Test", "XTS"},
                                         CodeRow{"Bytes", "\xff\xfe\xfd"}),
                         [](const auto& test) { return test.param.name; });

struct ExponentRow {
  std::string code;
  std::string text;
  std::int64_t minor;
};
class AD3_ExponentOfTheCurrency : public testing::TestWithParam<ExponentRow> {};

TEST_P(AD3_ExponentOfTheCurrency, ParsesAndPrints) {
  const ExponentRow& test = GetParam();
  const Result<Money> money = Money::Parse(test.text, Of(test.code));
  ASSERT_TRUE(money) << money.error().ToString();
  EXPECT_EQ(money->minor(), test.minor);
  EXPECT_EQ(money->AmountText(), test.text);
  EXPECT_EQ(money->ToString(), test.text + " " + test.code);
}

INSTANTIATE_TEST_SUITE_P(
    Codes, AD3_ExponentOfTheCurrency,
    testing::Values(ExponentRow{"JPY", "1500", 1500}, ExponentRow{"USD", "15.00", 1500},
                    ExponentRow{"KWD", "1.500", 1500}, ExponentRow{"BHD", "0.005", 5},
                    ExponentRow{"CLF", "0.1500", 1500}, ExponentRow{"UYW", "-0.0001", -1},
                    ExponentRow{"XCG", "1.01", 101}),
    [](const auto& test) { return test.param.code; });

struct TextRow {
  std::string name;
  std::string text;
  std::int64_t cents;
};
class AD1_DecimalText : public testing::TestWithParam<TextRow> {};

TEST_P(AD1_DecimalText, LosesNoCent) {
  const TextRow& test = GetParam();
  EXPECT_EQ(Money::Parse(test.text, Of("USD")).value().minor(), test.cents);
}

INSTANTIATE_TEST_SUITE_P(
    Amounts, AD1_DecimalText,
    testing::Values(TextRow{"Float1998", "19.99", 1999}, TextRow{"Float114", "1.15", 115},
                    TextRow{"OneDigit", "10.1", 1010}, TextRow{"Whole", "150", 15000},
                    TextRow{"ManyZeros", "1.5000000", 150},
                    TextRow{"Beyond2To53", "90071992547409.93", 9007199254740993},
                    TextRow{"Largest", "92233720368547758.07", kMax},
                    TextRow{"Least", "-92233720368547758.08", kMin}),
    [](const auto& test) { return test.param.name; });

TEST(Money, AD1_EveryCentOfAMillionDollarsSurvives) {
  const Currency usd = Of("USD");
  for (std::int64_t cents = 0; cents <= 100'000'000; cents += 997) {
    const Money money = Money::FromMinor(cents, usd);
    ASSERT_EQ(Money::Parse(money.AmountText(), usd).value().minor(), cents);
  }
}

TEST(Money, AD2_PrintsAllDigitsOfTheExponentAndOfBigValues) {
  EXPECT_EQ(Money::FromMinor(1010, Of("USD")).AmountText(), "10.10");
  EXPECT_EQ(Money::FromMinor(kMax, Of("USD")).AmountText(), "92233720368547758.07");
  EXPECT_EQ(Money::FromMinor(kMin, Of("CLF")).AmountText(), "-922337203685477.5808");
  EXPECT_EQ(Money::FromMinor(-5, Of("EUR")).AmountText(), "-0.05");
}

TEST(Money, RefusesMoreDigitsThanTheCurrencyHas) {
  EXPECT_EQ(Money::Parse("0.5", Of("JPY")).error().reason, "decimal-inexact");
  EXPECT_EQ(Money::Parse("0.005", Of("USD")).error().reason, "decimal-inexact");
  const Decimal half_cent = Decimal::Parse("0.005").value();
  EXPECT_EQ(Money::FromMajor(half_cent, Of("USD"), Rounding::kHalfUp)->minor(), 1);
  EXPECT_EQ(Money::FromMajor(half_cent, Of("USD"), Rounding::kHalfEven)->minor(), 0);
}

TEST(Money, TwoCurrenciesInOneOperationAreATypedError) {
  const Money usd = Money::FromMinor(1, Of("USD"));
  const Money eur = Money::FromMinor(1, Of("EUR"));
  EXPECT_EQ(usd.Add(eur).error().reason, "currency-mismatch");
  EXPECT_EQ(usd.Subtract(eur).error().reason, "currency-mismatch");
  EXPECT_EQ(usd.Compare(eur).error().reason, "currency-mismatch");
  EXPECT_EQ(Money().Add(usd).error().reason, "currency-mismatch");
  EXPECT_NE(usd, eur);
}

TEST(Money, OverflowIsATypedError) {
  const Money most = Money::FromMinor(kMax, Of("USD"));
  const Money least = Money::FromMinor(kMin, Of("USD"));
  EXPECT_EQ(most.Add(Money::FromMinor(1, Of("USD"))).error().reason, "money-range");
  EXPECT_EQ(least.Subtract(Money::FromMinor(1, Of("USD"))).error().reason, "money-range");
  EXPECT_EQ(least.Negated().error().reason, "money-range");
  EXPECT_EQ(most.Multiply(2, Rounding::kExact).error().reason, "money-range");
  EXPECT_EQ(Money::Parse("92233720368547758.08", Of("USD")).error().reason, "money-range");
}

TEST(Money, CountsExactly) {
  const Money a = Money::FromMinor(1999, Of("USD"));
  EXPECT_EQ(a.Add(Money::FromMinor(1, Of("USD")))->minor(), 2000);
  EXPECT_EQ(a.Negated()->minor(), -1999);
  EXPECT_EQ(a.Multiply(Decimal::Parse("2.5").value(), Rounding::kHalfEven)->minor(), 4998);
  EXPECT_EQ(a.Multiply(Decimal::Parse("2.5").value(), Rounding::kExact).error().reason,
            "decimal-inexact");
  EXPECT_EQ(a.Compare(a).value(), std::strong_ordering::equal);
}

struct WireRow {
  std::string code;
  std::int64_t wire;
  std::string major;
};
class AD3_StripeWireAmount : public testing::TestWithParam<WireRow> {};

TEST_P(AD3_StripeWireAmount, IsReadAndWrittenByItsRule) {
  const WireRow& test = GetParam();
  const Result<Money> money = Money::FromWire(test.wire, Of(test.code), StripeAmounts());
  ASSERT_TRUE(money) << money.error().ToString();
  EXPECT_EQ(money->AmountText(), test.major);
  EXPECT_EQ(money->ToWire(StripeAmounts()).value(), test.wire);
}

INSTANTIATE_TEST_SUITE_P(Currencies, AD3_StripeWireAmount,
                         testing::Values(WireRow{"USD", 1099, "10.99"}, WireRow{"JPY", 500, "500"},
                                         WireRow{"MGA", 5, "5.00"}, WireRow{"ISK", 500, "5"},
                                         WireRow{"UGX", 500, "5"}, WireRow{"KWD", 5120, "5.120"},
                                         WireRow{"HUF", 1050, "10.50"}, WireRow{"KRW", -1, "-1"}),
                         [](const auto& test) { return test.param.code; });

TEST(StripeAmounts, AD3_TheWholeZeroDecimalListHasNoDecimalsOnTheWire) {
  for (const std::string_view code : {"BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA", "PYG",
                                      "RWF", "VND", "VUV", "XAF", "XOF", "XPF"}) {
    EXPECT_EQ(StripeAmounts().RuleFor(Of(code))->exponent, 0) << code;
  }
  for (const std::string_view code : {"BHD", "JOD", "KWD", "OMR", "TND"}) {
    EXPECT_EQ(StripeAmounts().RuleFor(Of(code))->exponent, 3) << code;
    EXPECT_EQ(StripeAmounts().RuleFor(Of(code))->multiple_of, 10) << code;
  }
}

TEST(StripeAmounts, AD3_RefusesWhatTheVendorRefuses) {
  EXPECT_EQ(Money::FromMinor(5125, Of("KWD")).ToWire(StripeAmounts()).error().reason,
            "wire-multiple");
  EXPECT_EQ(Money::FromMinor(150, Of("MGA")).ToWire(StripeAmounts()).error().reason,
            "decimal-inexact");
  EXPECT_EQ(Money::FromWire(501, Of("ISK"), StripeAmounts()).error().reason, "decimal-inexact");
  EXPECT_TRUE(Money::FromMinor(150, Of("HUF")).ToWire(StripeAmounts()));
  EXPECT_EQ(Money::FromMinor(150, Of("HUF")).ToWire(StripePayoutAmounts()).error().reason,
            "wire-multiple");
  EXPECT_EQ(Money::FromMinor(150, Of("TWD")).ToWire(StripePayoutAmounts()).error().reason,
            "wire-multiple");
}

TEST(StripeAmounts, AD3_GuessNothingAboutCurrenciesThatNobodyListed) {
  for (const std::string_view code : {"IQD", "LYD", "CLF", "UYW", "UYI"}) {
    EXPECT_EQ(StripeAmounts().RuleFor(Of(code)).error().reason, "currency-unsupported") << code;
  }
  EXPECT_EQ(StripeAmounts().RuleFor(Currency()).error().reason, "currency-unsupported");
  const WireAmounts iso("a vendor by the book", {}, WireAmounts::Unlisted::kIso);
  EXPECT_EQ(iso.RuleFor(Of("CLF"))->exponent, 4);
  EXPECT_EQ(iso.RuleFor(Currency()).error().reason, "currency-unsupported");
}

TEST(StripeAmounts, EveryCurrencyWithARuleSurvivesTheRoundTrip) {
  for (const std::string_view code : AllCurrencyCodes()) {
    const Result<WireAmountRule> rule = StripeAmounts().RuleFor(Of(code));
    if (!rule) continue;
    const std::int64_t wire = 12'300 * rule->multiple_of;
    const Result<Money> money = Money::FromWire(wire, Of(code), StripeAmounts());
    ASSERT_TRUE(money) << code;
    EXPECT_EQ(money->ToWire(StripeAmounts()).value(), wire) << code;
  }
}

}  // namespace
}  // namespace understudy
