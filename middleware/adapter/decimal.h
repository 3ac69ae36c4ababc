// Decimal: an exact decimal number. Money and quantities from vendors pass through it, never
// through a double, which has no 19.99 (defects.md AD-1).
//
//   UNDERSTUDY_ASSIGN_OR_RETURN(const Decimal price, Decimal::Parse("19.990"));
//   price.ToString();                                     // "19.990": the scale is kept
//   price.Rescaled(1, Rounding::kHalfEven)->ToString();   // "20.0"
//   price.Rescaled(1);                                    // kInvalidArgument, reason
//   "decimal-inexact"
//
// The value is coefficient * 10^-scale with at most kDecimalDigitsMax digits and a scale of 0 to
// kDecimalScaleMax. Nothing rounds unless it is asked to.
//
// Errors of this header: kInvalidArgument with a reason, and never a piece of the text:
//   "decimal-syntax"   not a number as JSON writes it (RFC 8259 section 6)
//   "decimal-range"    more digits or a larger scale than the above, or than the target type holds
//   "decimal-inexact"  digits would be lost, and Rounding::kExact was asked for
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "middleware/base/result.h"

namespace understudy {

__extension__ typedef __int128 Int128;  // NOLINT(modernize-use-using): __extension__ needs it.

// 10^36 - 1 is the largest coefficient: two of them can be added, and one be multiplied by ten,
// without leaving 128 bits.
inline constexpr int kDecimalDigitsMax = 36;
inline constexpr int kDecimalScaleMax = 36;
// Longer text is refused before it is read: leading zeros of the exponent and trailing zeros of the
// fraction have no other bound.
inline constexpr std::size_t kDecimalTextMax = 128;

enum class Rounding {
  kExact,     // Refuse to lose a digit other than zero.
  kHalfEven,  // To the nearest, ties to the even neighbour ("banker's").
  kHalfUp,    // To the nearest, ties away from zero (commercial).
  kDown,      // Toward zero.
  kUp,        // Away from zero.
  kFloor,     // Toward minus infinity.
  kCeiling,   // Toward plus infinity.
};

// A value type; all operations are pure and thread-safe.
class Decimal {
 public:
  Decimal() = default;                                  // 0
  Decimal(std::int64_t whole) : coefficient_(whole) {}  // NOLINT: implicit, every integer is one.

  // The number as JSON writes it: "-0.50", "19.99", "1e3", "2.5E-3"; no plus sign, space, leading
  // zero or separator, no NaN. Positive exponents are multiplied out, negative ones enlarge the
  // scale.
  static Result<Decimal> Parse(std::string_view text);
  // coefficient * 10^-scale: FromParts(1999, 2) is 19.99.
  static Result<Decimal> FromParts(Int128 coefficient, int scale);

  Int128 coefficient() const { return coefficient_; }
  int scale() const { return scale_; }
  bool IsZero() const { return coefficient_ == 0; }
  bool IsNegative() const { return coefficient_ < 0; }

  // The same number with exactly `scale` digits after the point. "decimal-inexact",
  // "decimal-range".
  Result<Decimal> Rescaled(int scale, Rounding rounding = Rounding::kExact) const;
  // Multiplied by 10^power, -36 to 36: the point moves, no digit is lost.
  Result<Decimal> Shifted(int power) const;
  // Without trailing zeros of the fraction: 19.990 becomes 19.99.
  Decimal Normalized() const;
  // A whole number that fits. "decimal-inexact" for 1.5, not for 1.0; "decimal-range".
  Result<std::int64_t> ToInt64() const;

  Decimal Negated() const;
  // Exact, with the larger scale (sums) or the sum of the scales (products).
  Result<Decimal> Add(const Decimal& other) const;
  Result<Decimal> Subtract(const Decimal& other) const;
  Result<Decimal> Multiply(const Decimal& other) const;

  // Never an exponent, at least one digit before the point; Parse gives the same Decimal again.
  std::string ToString() const;

  // By value: 1.10 equals 1.1.
  bool operator==(const Decimal& other) const { return std::is_eq(*this <=> other); }
  std::weak_ordering operator<=>(const Decimal& other) const;

 private:
  Decimal(Int128 coefficient, int scale) : coefficient_(coefficient), scale_(scale) {}

  Int128 coefficient_ = 0;
  int scale_ = 0;
};

}  // namespace understudy
