// Money: an amount in whole minor units of a currency. No float, no sum over two currencies.
//
//   UNDERSTUDY_ASSIGN_OR_RETURN(const Money price, Money::Parse("19.99", usd));   // 1999 cents
//   UNDERSTUDY_ASSIGN_OR_RETURN(const Money total, price.Add(shipping));
//   total.ToString();                                                           // "24.98 USD"
//
// Errors of this header: kInvalidArgument with one of the reasons of decimal.h, or
//   "currency-mismatch"  two currencies in one operation
//   "money-range"        a result of more than 64 bits of minor units
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "middleware/adapter/currency.h"
#include "middleware/adapter/decimal.h"
#include "middleware/base/result.h"

namespace understudy {

// A value type; all operations are pure and thread-safe.
class Money {
 public:
  Money() = default;  // 0 of no currency.
  // 1999 and USD is 19.99 USD; any number.
  static Money FromMinor(std::int64_t minor, Currency currency) { return Money(minor, currency); }
  // 19.99 and USD is 19.99 USD. More digits than the currency has: "decimal-inexact", unless a
  // rounding is given; zeros are no digits (19.990 is fine).
  static Result<Money> FromMajor(const Decimal& major, Currency currency,
                                 Rounding rounding = Rounding::kExact);
  // Decimal::Parse, then FromMajor.
  static Result<Money> Parse(std::string_view major, Currency currency);
  // A vendor's whole number by its rule: 500 ISK of Stripe are 5 ISK. "decimal-inexact" where that
  // is no whole number of minor units.
  static Result<Money> FromWire(std::int64_t wire, Currency currency, const WireAmounts& amounts);

  std::int64_t minor() const { return minor_; }
  Currency currency() const { return currency_; }
  bool IsZero() const { return minor_ == 0; }
  bool IsNegative() const { return minor_ < 0; }
  Decimal major() const;  // With the currency's exponent as scale.

  // The inverse of FromWire. "wire-multiple" where the vendor refuses the amount.
  Result<std::int64_t> ToWire(const WireAmounts& amounts) const;

  Result<Money> Add(const Money& other) const;
  Result<Money> Subtract(const Money& other) const;
  Result<Money> Negated() const;
  // Price times quantity.
  Result<Money> Multiply(const Decimal& factor, Rounding rounding) const;
  Result<std::strong_ordering> Compare(const Money& other) const;

  std::string AmountText() const { return major().ToString(); }  // "19.90", "1999", "-0.05"
  std::string ToString() const;                                  // "19.90 USD"

  // Of amount and currency: 0 USD is not 0 EUR.
  bool operator==(const Money&) const = default;

 private:
  Money(std::int64_t minor, Currency currency) : minor_(minor), currency_(currency) {}

  std::int64_t minor_ = 0;
  Currency currency_;
};

}  // namespace understudy
