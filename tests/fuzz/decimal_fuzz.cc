// Fuzz target: any bytes as the text of a number, and as an amount of money. Nothing may crash or
// overflow; what is read is printed and read again as the same value, and no rounding moves it by a
// whole unit.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "middleware/adapter/decimal.h"
#include "middleware/adapter/money.h"

namespace {

using understudy::Currency;
using understudy::Decimal;
using understudy::Money;
using understudy::Rounding;

void Require(bool condition) {
  if (!condition) std::abort();
}

void CheckRounding(const Decimal& value) {
  const Decimal unit = Decimal::FromParts(1, 2).value();
  for (const Rounding rounding : {Rounding::kHalfEven, Rounding::kHalfUp, Rounding::kDown,
                                  Rounding::kUp, Rounding::kFloor, Rounding::kCeiling}) {
    const auto rounded = value.Rescaled(2, rounding);
    if (!rounded) continue;
    const auto moved = rounded->Subtract(value);
    if (moved) Require(*moved < unit && moved->Negated() < unit);
  }
}

void CheckMoney(std::string_view text) {
  for (const std::string_view code : {"JPY", "USD", "KWD", "CLF"}) {
    const Currency currency = Currency::Parse(code).value();
    const auto money = Money::Parse(text, currency);
    if (!money) continue;
    const auto again = Money::Parse(money->AmountText(), currency);
    Require(again && *again == *money);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto value = Decimal::Parse(text);
  if (!value) {
    Require(!value.error().reason.empty());
    return 0;
  }
  const auto again = Decimal::Parse(value->ToString());
  Require(again && again->coefficient() == value->coefficient() &&
          again->scale() == value->scale());
  Require(value->Normalized() == *value);
  static_cast<void>(value->Multiply(*value));
  static_cast<void>(value->Add(*value));
  static_cast<void>(value->ToInt64());
  CheckRounding(*value);
  CheckMoney(text);
  return 0;
}
