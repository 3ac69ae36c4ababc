#include "middleware/adapter/decimal.h"

#include <algorithm>
#include <array>
#include <limits>
#include <optional>
#include <utility>

#include "middleware/base/check.h"

namespace understudy {
namespace {

constexpr std::array<Int128, kDecimalDigitsMax + 1> MakePowers() {
  std::array<Int128, kDecimalDigitsMax + 1> powers{};
  powers[0] = 1;
  for (std::size_t i = 1; i < powers.size(); ++i) powers[i] = powers[i - 1] * 10;
  return powers;
}
constexpr auto kPowers = MakePowers();
constexpr Int128 kCoefficientMax = kPowers[kDecimalDigitsMax] - 1;

Int128 PowerOfTen(int exponent) { return kPowers[static_cast<std::size_t>(exponent)]; }

Error Fail(std::string_view reason, std::string_view what) {
  Error error = InvalidArgument("decimal number: " + std::string(what));
  error.reason = std::string(reason);
  return error;
}

Error SyntaxError() { return Fail("decimal-syntax", "not a number as JSON writes it"); }
Error RangeError() {
  return Fail("decimal-range", "more than 36 digits, or more than 36 after the point");
}

bool IsDigit(char c) { return c >= '0' && c <= '9'; }
Int128 Magnitude(Int128 value) { return value < 0 ? -value : value; }
// Not by the magnitude: the least 128-bit number has none.
bool InRange(Int128 coefficient) {
  return coefficient <= kCoefficientMax && coefficient >= -kCoefficientMax;
}

// nullopt if the product leaves the range.
std::optional<Int128> CheckedMultiply(Int128 a, Int128 b) {
  Int128 product = 0;
  if (__builtin_mul_overflow(a, b, &product) || !InRange(product)) return std::nullopt;
  return product;
}

// One more than `quotient` in magnitude, or not?
bool RoundsAway(Int128 quotient, Int128 remainder, Int128 divisor, bool negative,
                Rounding rounding) {
  const Int128 twice = 2 * remainder;  // Both below 10^36.
  switch (rounding) {
    case Rounding::kExact:
    case Rounding::kDown:
      return false;
    case Rounding::kUp:
      return true;
    case Rounding::kFloor:
      return negative;
    case Rounding::kCeiling:
      return !negative;
    case Rounding::kHalfUp:
      return twice >= divisor;
    case Rounding::kHalfEven:
      return twice > divisor || (twice == divisor && quotient % 2 != 0);
  }
  UNDERSTUDY_CHECK(false, "a Rounding that does not exist");
}

// The parts of a number's text, as the grammar of RFC 8259 section 6 cuts them.
struct NumberText {
  bool negative = false;
  std::string digits = {};  // Before and after the point.
  int fraction = 0;         // How many of them are after it.
  int exponent = 0;
};

class NumberReader {
 public:
  explicit NumberReader(std::string_view text) : rest_(text) {}

  std::optional<NumberText> Read() {
    NumberText number;
    number.negative = Take("-");
    const std::string_view whole = TakeDigits();
    if (whole.empty() || (whole.size() > 1 && whole.front() == '0')) return std::nullopt;
    number.digits = whole;
    if (Take(".")) {
      const std::string_view fraction = TakeDigits();
      if (fraction.empty()) return std::nullopt;
      number.digits.append(fraction);
      number.fraction = static_cast<int>(fraction.size());
    }
    if (Take("eE") && !ReadExponent(number)) return std::nullopt;
    if (!rest_.empty()) return std::nullopt;
    return number;
  }

 private:
  bool Take(std::string_view any_of) {
    if (rest_.empty() || any_of.find(rest_.front()) == std::string_view::npos) return false;
    rest_.remove_prefix(1);
    return true;
  }

  std::string_view TakeDigits() {
    const auto end = std::find_if_not(rest_.begin(), rest_.end(), IsDigit);
    const std::string_view digits(rest_.data(), static_cast<std::size_t>(end - rest_.begin()));
    rest_.remove_prefix(digits.size());
    return digits;
  }

  bool ReadExponent(NumberText& number) {
    const bool negative = Take("-");
    if (!negative) Take("+");
    const std::string_view digits = TakeDigits();
    // Beyond any scale, and far from the end of an int.
    constexpr int kExponentMax = 100'000;
    for (const char digit : digits)
      number.exponent = std::min(number.exponent * 10 + (digit - '0'), kExponentMax);
    if (negative) number.exponent = -number.exponent;
    return !digits.empty();
  }

  std::string_view rest_;
};

std::optional<Int128> CoefficientOf(std::string_view digits) {
  Int128 coefficient = 0;
  for (const char digit : digits) {
    if (coefficient > kCoefficientMax / 10) return std::nullopt;
    coefficient = coefficient * 10 + (digit - '0');
  }
  return coefficient;
}

}  // namespace

Result<Decimal> Decimal::Parse(std::string_view text) {
  if (text.size() > kDecimalTextMax) return RangeError();
  std::optional<NumberText> number = NumberReader(text).Read();
  if (!number) return SyntaxError();
  // Zeros that only fill up: 1.50e1 keeps what it says, 0e99 is zero.
  std::optional<Int128> coefficient = CoefficientOf(number->digits);
  if (!coefficient) return RangeError();
  int scale = number->fraction - number->exponent;
  if (*coefficient == 0) scale = std::clamp(scale, 0, kDecimalScaleMax);
  if (scale < -kDecimalDigitsMax || scale > kDecimalScaleMax) return RangeError();
  if (scale < 0) {
    coefficient = CheckedMultiply(*coefficient, PowerOfTen(-scale));
    if (!coefficient) return RangeError();
    scale = 0;
  }
  return Decimal(number->negative ? -*coefficient : *coefficient, scale);
}

Result<Decimal> Decimal::FromParts(Int128 coefficient, int scale) {
  if (!InRange(coefficient)) return RangeError();
  if (scale < 0 || scale > kDecimalScaleMax) return RangeError();
  return Decimal(coefficient, scale);
}

Result<Decimal> Decimal::Rescaled(int scale, Rounding rounding) const {
  if (scale < 0 || scale > kDecimalScaleMax) return RangeError();
  if (scale >= scale_) {
    const auto coefficient = CheckedMultiply(coefficient_, PowerOfTen(scale - scale_));
    if (!coefficient) return RangeError();
    return Decimal(*coefficient, scale);
  }
  const Int128 divisor = PowerOfTen(scale_ - scale);
  const Int128 magnitude = Magnitude(coefficient_);
  Int128 quotient = magnitude / divisor;
  const Int128 remainder = magnitude % divisor;
  if (remainder != 0) {
    if (rounding == Rounding::kExact) {
      return Fail("decimal-inexact", "more than " + std::to_string(scale) +
                                         " digits after the point; round it on purpose");
    }
    if (RoundsAway(quotient, remainder, divisor, IsNegative(), rounding)) ++quotient;
  }
  return Decimal(IsNegative() ? -quotient : quotient, scale);
}

Result<Decimal> Decimal::Shifted(int power) const {
  if (power < -kDecimalDigitsMax || power > kDecimalDigitsMax) return RangeError();
  const int scale = scale_ - power;
  if (scale >= 0) return FromParts(coefficient_, scale);
  const auto coefficient = CheckedMultiply(coefficient_, PowerOfTen(-scale));
  if (!coefficient) return RangeError();
  return Decimal(*coefficient, 0);
}

Decimal Decimal::Normalized() const {
  Decimal shorter = *this;
  while (shorter.scale_ > 0 && shorter.coefficient_ % 10 == 0) {
    shorter.coefficient_ /= 10;
    --shorter.scale_;
  }
  return shorter;
}

Result<std::int64_t> Decimal::ToInt64() const {
  UNDERSTUDY_ASSIGN_OR_RETURN(const Decimal whole, Rescaled(0));
  if (whole.coefficient_ > std::numeric_limits<std::int64_t>::max() ||
      whole.coefficient_ < std::numeric_limits<std::int64_t>::min()) {
    return Fail("decimal-range", "a whole number of more than 64 bits");
  }
  return static_cast<std::int64_t>(whole.coefficient_);
}

Decimal Decimal::Negated() const { return Decimal(-coefficient_, scale_); }

Result<Decimal> Decimal::Add(const Decimal& other) const {
  const int scale = std::max(scale_, other.scale_);
  UNDERSTUDY_ASSIGN_OR_RETURN(const Decimal a, Rescaled(scale));
  UNDERSTUDY_ASSIGN_OR_RETURN(const Decimal b, other.Rescaled(scale));
  return FromParts(a.coefficient_ + b.coefficient_, scale);
}

Result<Decimal> Decimal::Subtract(const Decimal& other) const { return Add(other.Negated()); }

Result<Decimal> Decimal::Multiply(const Decimal& other) const {
  const auto product = CheckedMultiply(coefficient_, other.coefficient_);
  if (!product) return RangeError();
  return FromParts(*product, scale_ + other.scale_);
}

std::string Decimal::ToString() const {
  std::string digits;
  for (Int128 rest = Magnitude(coefficient_); rest > 0; rest /= 10)
    digits.push_back(static_cast<char>('0' + static_cast<int>(rest % 10)));
  const auto scale = static_cast<std::size_t>(scale_);
  if (digits.size() < scale + 1) digits.append(scale + 1 - digits.size(), '0');
  if (scale > 0) digits.insert(scale, ".");
  if (IsNegative()) digits.push_back('-');
  std::reverse(digits.begin(), digits.end());
  return digits;
}

std::weak_ordering Decimal::operator<=>(const Decimal& other) const {
  // Whole parts first: to bring both to one scale may leave 128 bits.
  const Int128 divisor = PowerOfTen(scale_);
  const Int128 other_divisor = PowerOfTen(other.scale_);
  const Int128 whole = coefficient_ / divisor;
  const Int128 other_whole = other.coefficient_ / other_divisor;
  if (whole != other_whole)
    return whole < other_whole ? std::weak_ordering::less : std::weak_ordering::greater;
  // Fractions of at most 36 digits, each filled up to 36.
  const Int128 fraction = coefficient_ % divisor * PowerOfTen(kDecimalScaleMax - scale_);
  const Int128 other_fraction =
      other.coefficient_ % other_divisor * PowerOfTen(kDecimalScaleMax - other.scale_);
  if (fraction == other_fraction) return std::weak_ordering::equivalent;
  return fraction < other_fraction ? std::weak_ordering::less : std::weak_ordering::greater;
}

}  // namespace understudy
