#include "middleware/adapter/vendor_fields.h"

#include "middleware/base/iso_time.h"

namespace understudy {

Error VendorFields::Fail(std::string_view reason, std::string_view path,
                         std::string_view what) const {
  std::string message = subject_;
  if (!path.empty()) message.append(": \"").append(path).append("\"");
  message.append(" ").append(what);
  return Error{.code = ErrorCode::kProtocol,
               .message = std::move(message),
               .delivery = Delivery::kAnswered,
               .origin = Origin::kRemote,
               .reason = std::string(reason)};
}

Error VendorFields::Missing(std::string_view path) const {
  return Fail("field-missing", path, "is missing");
}

Error VendorFields::WrongType(std::string_view path, std::string_view expected) const {
  return Fail("field-type", path, "is not " + std::string(expected));
}

Error VendorFields::WrongValue(std::string_view path, std::string_view what) const {
  return Fail("field-value", path, what);
}

Error VendorFields::WrongValue(std::string_view path, const Error& error) const {
  return Fail("field-value", path, "holds no usable value: " + error.message);
}

Result<std::string> VendorFields::RequiredText(std::string_view path) const {
  UNDERSTUDY_ASSIGN_OR_RETURN(std::optional<std::string> text, Text(path));
  if (!text || text->empty()) return Missing(path);
  return *std::move(text);
}

Result<std::optional<std::string>> VendorFields::Text(std::string_view path) const {
  const ExactJson* member = object_.FindPath(path);
  if (member == nullptr) return std::optional<std::string>();
  const auto text = member->StringText();
  if (!text) return WrongType(path, "a string");
  return std::optional<std::string>(*text);
}

Result<std::optional<bool>> VendorFields::Boolean(std::string_view path) const {
  const ExactJson* member = object_.FindPath(path);
  if (member == nullptr) return std::optional<bool>();
  const auto value = member->BooleanValue();
  if (!value) return WrongType(path, "true or false");
  return value;
}

Result<std::int64_t> VendorFields::RequiredInteger(std::string_view path) const {
  UNDERSTUDY_ASSIGN_OR_RETURN(const std::optional<std::int64_t> number, Integer(path));
  if (!number) return Missing(path);
  return *number;
}

Result<std::optional<std::int64_t>> VendorFields::Integer(std::string_view path) const {
  const ExactJson* member = object_.FindPath(path);
  if (member == nullptr) return std::optional<std::int64_t>();
  const auto text = member->NumberText();
  if (!text) return WrongType(path, "a number");
  const Result<Decimal> decimal = Decimal::Parse(*text);
  if (!decimal) return WrongValue(path, decimal.error());
  const Result<std::int64_t> whole = decimal->ToInt64();
  if (!whole) return WrongValue(path, whole.error());
  return std::optional<std::int64_t>(*whole);
}

Result<Decimal> VendorFields::RequiredDecimal(std::string_view path) const {
  UNDERSTUDY_ASSIGN_OR_RETURN(const std::optional<Decimal> decimal, DecimalOf(path));
  if (!decimal) return Missing(path);
  return *decimal;
}

Result<std::optional<Decimal>> VendorFields::DecimalOf(std::string_view path) const {
  const ExactJson* member = object_.FindPath(path);
  if (member == nullptr) return std::optional<Decimal>();
  auto text = member->NumberText();
  if (!text) text = member->StringText();
  if (!text) return WrongType(path, "a number, nor a string with one");
  const Result<Decimal> decimal = Decimal::Parse(*text);
  if (!decimal) return WrongValue(path, decimal.error());
  return std::optional<Decimal>(*decimal);
}

Result<std::optional<std::chrono::sys_seconds>> VendorFields::EpochSeconds(
    std::string_view path) const {
  using Seconds = std::optional<std::chrono::sys_seconds>;
  UNDERSTUDY_ASSIGN_OR_RETURN(const std::optional<std::int64_t> seconds, Integer(path));
  if (!seconds) return Seconds();
  const std::chrono::sys_seconds instant{std::chrono::seconds(*seconds)};
  if (instant < kInstantMin || instant > kInstantMax)
    return WrongValue(path, "is no time of the years 0 to 9999");
  return Seconds(instant);
}

Result<std::optional<std::chrono::sys_seconds>> VendorFields::IsoInstant(
    std::string_view path) const {
  UNDERSTUDY_ASSIGN_OR_RETURN(const std::optional<std::string> text, Text(path));
  if (!text) return std::optional<std::chrono::sys_seconds>();
  const auto instant = ParseIsoInstant(*text);
  if (!instant) return WrongValue(path, "is no time with an offset, as 2026-02-28T12:00:00-08:00");
  return instant;
}

Result<std::optional<std::chrono::year_month_day>> VendorFields::IsoDate(
    std::string_view path) const {
  UNDERSTUDY_ASSIGN_OR_RETURN(const std::optional<std::string> text, Text(path));
  if (!text) return std::optional<std::chrono::year_month_day>();
  const auto date = ParseIsoDate(*text);
  if (!date) return WrongValue(path, "is no date, as 2026-02-28");
  return date;
}

Result<const ExactJson*> VendorFields::List(std::string_view path) const {
  const ExactJson* member = object_.FindPath(path);
  if (member != nullptr && !member->IsArray()) return WrongType(path, "a list");
  return member;
}

}  // namespace understudy
