// VendorFields: reads the members of a vendor's object, with one rule for all: null is missing, a
// wrong type is an error, and the error names the member and not its value.
//
//   const VendorFields fields(json, "a Stripe invoice");
//   UNDERSTUDY_ASSIGN_OR_RETURN(const std::string id, fields.RequiredText("id"));
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "middleware/adapter/decimal.h"
#include "middleware/adapter/exact_json.h"
#include "middleware/base/result.h"

namespace understudy {

// A view: the JSON must outlive it. Every name may be a path ("MetaData/CreateTime").
//
// Errors: kProtocol [answered, remote], reason "field-missing", "field-type" or "field-value".
class VendorFields {
 public:
  // `subject` goes into messages: "a Stripe invoice: "total" is missing".
  VendorFields(const ExactJson& object, std::string subject)
      : object_(object), subject_(std::move(subject)) {}

  Result<std::string> RequiredText(std::string_view path) const;  // Not empty.
  Result<std::optional<std::string>> Text(std::string_view path) const;
  Result<std::optional<bool>> Boolean(std::string_view path) const;
  // A number without a fraction.
  Result<std::int64_t> RequiredInteger(std::string_view path) const;
  Result<std::optional<std::int64_t>> Integer(std::string_view path) const;
  // A number, or a string with one: vendors do both.
  Result<Decimal> RequiredDecimal(std::string_view path) const;
  Result<std::optional<Decimal>> DecimalOf(std::string_view path) const;
  // Seconds since 1970.
  Result<std::optional<std::chrono::sys_seconds>> EpochSeconds(std::string_view path) const;
  Result<std::optional<std::chrono::sys_seconds>> IsoInstant(std::string_view path) const;
  Result<std::optional<std::chrono::year_month_day>> IsoDate(std::string_view path) const;
  // nullptr: missing.
  Result<const ExactJson*> List(std::string_view path) const;

  Error Missing(std::string_view path) const;
  Error WrongType(std::string_view path, std::string_view expected) const;
  Error WrongValue(std::string_view path, std::string_view what) const;
  // `error` of a conversion, as this member's.
  Error WrongValue(std::string_view path, const Error& error) const;

  const ExactJson& object() const { return object_; }
  const std::string& subject() const { return subject_; }

 private:
  Error Fail(std::string_view reason, std::string_view path, std::string_view what) const;

  const ExactJson& object_;
  std::string subject_;
};

}  // namespace understudy
