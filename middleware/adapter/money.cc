#include "middleware/adapter/money.h"

#include <limits>

namespace understudy {
namespace {

Error Fail(std::string_view reason, std::string message) {
  Error error = InvalidArgument(std::move(message));
  error.reason = std::string(reason);
  return error;
}

Error RangeError(Currency currency) {
  return Fail("money-range", "an amount of " + std::string(currency.code()) +
                                 " has more than 64 bits of minor units");
}

Result<void> RequireSame(Currency a, Currency b) {
  if (a == b) return {};
  return Fail("currency-mismatch", std::string(a.code()) + " and " + std::string(b.code()) +
                                       " in one operation; convert one of them first");
}

}  // namespace

Result<Money> Money::FromMajor(const Decimal& major, Currency currency, Rounding rounding) {
  UNDERSTUDY_ASSIGN_OR_RETURN(const Decimal scaled, major.Rescaled(currency.exponent(), rounding));
  const Int128 minor = scaled.coefficient();
  if (minor > std::numeric_limits<std::int64_t>::max() ||
      minor < std::numeric_limits<std::int64_t>::min()) {
    return RangeError(currency);
  }
  return Money(static_cast<std::int64_t>(minor), currency);
}

Result<Money> Money::Parse(std::string_view major, Currency currency) {
  UNDERSTUDY_ASSIGN_OR_RETURN(const Decimal decimal, Decimal::Parse(major));
  return FromMajor(decimal, currency);
}

Result<Money> Money::FromWire(std::int64_t wire, Currency currency, const WireAmounts& amounts) {
  UNDERSTUDY_ASSIGN_OR_RETURN(const WireAmountRule rule, amounts.RuleFor(currency));
  UNDERSTUDY_ASSIGN_OR_RETURN(const Decimal major, Decimal(wire).Shifted(-rule.exponent));
  return FromMajor(major, currency);
}

Decimal Money::major() const {
  return Decimal::FromParts(minor_, currency_.exponent()).value();  // 19 digits: in range.
}

Result<std::int64_t> Money::ToWire(const WireAmounts& amounts) const {
  UNDERSTUDY_ASSIGN_OR_RETURN(const WireAmountRule rule, amounts.RuleFor(currency_));
  UNDERSTUDY_ASSIGN_OR_RETURN(const Decimal shifted, major().Shifted(rule.exponent));
  UNDERSTUDY_ASSIGN_OR_RETURN(const std::int64_t wire, shifted.ToInt64());
  if (wire % rule.multiple_of != 0) {
    return Fail("wire-multiple", "the vendor takes amounts of " + std::string(currency_.code()) +
                                     " only in steps of " + std::to_string(rule.multiple_of) +
                                     " of its units; round it on purpose");
  }
  return wire;
}

Result<Money> Money::Add(const Money& other) const {
  UNDERSTUDY_RETURN_IF_ERROR(RequireSame(currency_, other.currency_));
  std::int64_t sum = 0;
  if (__builtin_add_overflow(minor_, other.minor_, &sum)) return RangeError(currency_);
  return Money(sum, currency_);
}

Result<Money> Money::Subtract(const Money& other) const {
  UNDERSTUDY_RETURN_IF_ERROR(RequireSame(currency_, other.currency_));
  std::int64_t difference = 0;
  if (__builtin_sub_overflow(minor_, other.minor_, &difference)) return RangeError(currency_);
  return Money(difference, currency_);
}

Result<Money> Money::Negated() const { return Money(0, currency_).Subtract(*this); }

Result<Money> Money::Multiply(const Decimal& factor, Rounding rounding) const {
  UNDERSTUDY_ASSIGN_OR_RETURN(const Decimal product, major().Multiply(factor));
  return FromMajor(product, currency_, rounding);
}

Result<std::strong_ordering> Money::Compare(const Money& other) const {
  UNDERSTUDY_RETURN_IF_ERROR(RequireSame(currency_, other.currency_));
  return minor_ <=> other.minor_;
}

std::string Money::ToString() const { return AmountText() + " " + std::string(currency_.code()); }

}  // namespace understudy
