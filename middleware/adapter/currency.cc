#include "middleware/adapter/currency.h"

#include <algorithm>
#include <iterator>

#include "middleware/base/text.h"

namespace understudy {
namespace {

// ISO 4217 list one as of 2026-01-01, by minor unit. Left out: codes without one (gold, SDR, bond
// units, XTS, XXX).
struct Group {
  int exponent = 0;
  std::string_view codes = {};  // Four characters each, the last one without its space.
};

constexpr Group kGroups[] = {
    {0, "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"},
    {2,
     "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BOV BRL BSD BTN BWP "
     "BYN BZD CAD CDF CHE CHF CHW CNY COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB "
     "EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES "
     "KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR "
     "MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD "
     "RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP "
     "TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST XAD XCD XCG YER ZAR ZMW ZWG"},
    {3, "BHD IQD JOD KWD LYD OMR TND"},
    {4, "CLF UYW"},
    // Withdrawn since 2022: guilder of the Antilles, lev, convertible peso, kuna, leone (old),
    // dollar of Zimbabwe (2009).
    {2, "ANG BGN CUC HRK SLL ZWL"},
};

constexpr std::size_t kCodeSize = 3;
constexpr std::size_t kStride = kCodeSize + 1;

bool Holds(std::string_view codes, std::string_view code) {
  for (std::size_t at = 0; at < codes.size(); at += kStride)
    if (codes.substr(at, kCodeSize) == code) return true;
  return false;
}

char Upper(char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; }

Error Unknown() {
  Error error = InvalidArgument(
      "a currency that is no code of ISO 4217 with a minor unit; expected three letters, e.g. EUR");
  error.reason = "currency";
  return error;
}

constexpr WireAmountRule kZeroDecimal = {.exponent = 0};
constexpr WireAmountRule kThreeDecimal = {.exponent = 3, .multiple_of = 10};
constexpr WireAmountRule kTwoDecimalZeroCents = {.exponent = 2, .multiple_of = 100};

// https://docs.stripe.com/currencies: zero-decimal, three-decimal and special-case currencies. UGX
// is on the zero-decimal list too; its special case says how it is written. The rows of payouts
// come last.
constexpr WireAmountOverride kStripeRows[] = {
    {"BIF", kZeroDecimal},         {"CLP", kZeroDecimal},         {"DJF", kZeroDecimal},
    {"GNF", kZeroDecimal},         {"JPY", kZeroDecimal},         {"KMF", kZeroDecimal},
    {"KRW", kZeroDecimal},         {"MGA", kZeroDecimal},         {"PYG", kZeroDecimal},
    {"RWF", kZeroDecimal},         {"VND", kZeroDecimal},         {"VUV", kZeroDecimal},
    {"XAF", kZeroDecimal},         {"XOF", kZeroDecimal},         {"XPF", kZeroDecimal},
    {"BHD", kThreeDecimal},        {"JOD", kThreeDecimal},        {"KWD", kThreeDecimal},
    {"OMR", kThreeDecimal},        {"TND", kThreeDecimal},        {"ISK", kTwoDecimalZeroCents},
    {"UGX", kTwoDecimalZeroCents}, {"HUF", kTwoDecimalZeroCents}, {"TWD", kTwoDecimalZeroCents}};
constexpr std::size_t kPayoutRows = 2;

}  // namespace

Result<Currency> Currency::Parse(std::string_view code) {
  if (code.size() != kCodeSize) return Unknown();
  const std::array<char, kCodeSize> upper = {Upper(code[0]), Upper(code[1]), Upper(code[2])};
  for (const Group& group : kGroups)
    if (Holds(group.codes, {upper.data(), upper.size()})) return Currency(upper, group.exponent);
  return Unknown();
}

std::string Currency::lower_code() const { return AsciiLower(code()); }

std::vector<std::string_view> AllCurrencyCodes() {
  std::vector<std::string_view> codes;
  for (const Group& group : kGroups)
    for (const std::string_view code : Split(group.codes, ' ')) codes.push_back(code);
  std::sort(codes.begin(), codes.end());
  return codes;
}

Result<WireAmountRule> WireAmounts::RuleFor(Currency currency) const {
  for (const WireAmountOverride& row : overrides_)
    if (row.code == currency.code()) return row.rule;
  constexpr int kTwo = 2;
  const bool known = unlisted_ == Unlisted::kIso || currency.exponent() == kTwo;
  if (known && !currency.IsNone()) return WireAmountRule{.exponent = currency.exponent()};
  Error error = InvalidArgument("how " + std::string(vendor_) + " writes amounts of " +
                                std::string(currency.code()) +
                                " is not known; add an override with its own word for it");
  error.reason = "currency-unsupported";
  return error;
}

const WireAmounts& StripeAmounts() {
  static const WireAmounts amounts(
      "Stripe", std::span(kStripeRows).first(std::size(kStripeRows) - kPayoutRows),
      WireAmounts::Unlisted::kTwoDecimalsOnly);
  return amounts;
}

const WireAmounts& StripePayoutAmounts() {
  static const WireAmounts amounts("Stripe payouts", kStripeRows,
                                   WireAmounts::Unlisted::kTwoDecimalsOnly);
  return amounts;
}

}  // namespace understudy
