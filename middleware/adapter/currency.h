// Currency: a code of ISO 4217 with the number of decimals its amounts have, and the rules by which
// a vendor writes amounts on the wire.
//
//   UNDERSTUDY_ASSIGN_OR_RETURN(const Currency yen, Currency::Parse("jpy"));   // any case
//   yen.exponent();                                                          // 0
//   UNDERSTUDY_ASSIGN_OR_RETURN(const WireAmountRule rule, StripeAmounts().RuleFor(yen));
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "middleware/base/result.h"

namespace understudy {

// A value type of four bytes.
class Currency {
 public:
  // "XXX", ISO's code for no currency, without decimals: what an amount has before it is set.
  Currency() = default;

  // A code of ISO 4217 list one, or one that it dropped since 2022 and that older invoices still
  // carry; case does not matter. kInvalidArgument, reason "currency", for anything else: also for
  // metals, test codes and units of account without a minor unit.
  static Result<Currency> Parse(std::string_view code);

  std::string_view code() const { return {code_.data(), code_.size()}; }  // "USD"
  std::string lower_code() const;                                         // "usd"
  // Digits after the point: 0 (JPY), 2 (USD), 3 (KWD) or 4 (CLF).
  int exponent() const { return exponent_; }
  bool IsNone() const { return code() == "XXX"; }

  bool operator==(const Currency&) const = default;

 private:
  Currency(std::array<char, 3> code, int exponent)
      : code_(code), exponent_(static_cast<std::int8_t>(exponent)) {}

  std::array<char, 3> code_ = {'X', 'X', 'X'};
  std::int8_t exponent_ = 0;
};

// All codes that Parse takes, upper case, sorted.
std::vector<std::string_view> AllCurrencyCodes();

// How a vendor writes amounts of one currency as whole numbers.
struct WireAmountRule {
  int exponent = 2;              // The wire's 1999 is 19.99 with 2.
  std::int64_t multiple_of = 1;  // What is sent must be divisible by this; 1 or more.
};

// A row of a vendor's own table, for the currencies where it differs from ISO 4217.
struct WireAmountOverride {
  std::string_view code = {};  // Upper case; the text must outlive the table.
  WireAmountRule rule = {};
};

// A vendor's rules: its overrides, and ISO's exponent for the rest. Immutable and thread-safe. The
// rows must outlive the table; they are data in the source code.
class WireAmounts {
 public:
  enum class Unlisted {
    kIso,             // The exponent of ISO 4217.
    kTwoDecimalsOnly  // Only if ISO says two decimals, too: the vendor's word is needed for others.
  };

  WireAmounts(std::string_view vendor, std::span<const WireAmountOverride> overrides,
              Unlisted unlisted)
      : vendor_(vendor), overrides_(overrides), unlisted_(unlisted) {}

  // kInvalidArgument, reason "currency-unsupported", where nobody knows what the vendor means by a
  // whole number: an amount that is wrong by a factor of 1,000 would look right.
  Result<WireAmountRule> RuleFor(Currency currency) const;

 private:
  std::string_view vendor_;
  std::span<const WireAmountOverride> overrides_;
  Unlisted unlisted_;
};

// Stripe's amounts (https://docs.stripe.com/currencies): no decimals for its zero-decimal list, MGA
// among it although ISO gives it two; three for BHD, JOD, KWD, OMR and TND, the last digit zero;
// ISK and UGX as if they had two, both zero.
const WireAmounts& StripeAmounts();
// The same for payouts: HUF and TWD also have to be divisible by 100.
const WireAmounts& StripePayoutAmounts();

}  // namespace understudy
