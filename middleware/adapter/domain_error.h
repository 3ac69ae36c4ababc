// DomainError: why a vendor refused, in words that are the same for all vendors.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace understudy {

enum class DomainErrorKind {
  kCardDeclined,     // Ask the customer for another way to pay.
  kPaymentRequired,  // Our own account with the vendor lacks money or a plan.
  kValidation,       // The request is wrong; see `field`. Repeating it cannot succeed.
  kNotFound,         // Or hidden: some vendors answer so where a permission is missing.
  kConflict,         // It changed meanwhile, exists already, or the same call is under way.
  kPermission,       // The credentials are good, but not for this.
  kAuthentication,   // The credentials are not good.
  kRateLimited,      // Later.
  kVendorDown,       // The vendor's fault. Later, or elsewhere.
  kUnknown,          // None of these for sure; treat it as a failure.
};

std::string_view ToString(DomainErrorKind kind);  // "card-declined", "validation", ...

// A plain value. Nothing in it is the vendor's prose: that may quote the request, with names,
// addresses and numbers of people. What is copied are identifiers, checked for their characters and
// length.
struct DomainError {
  DomainErrorKind kind = DomainErrorKind::kUnknown;
  int status = 0;                // Of HTTP; may be 200.
  std::string vendor_code = {};  // "card_declined", "5010", "RESOURCE_EXHAUSTED"; may be empty.
  std::string field = {};        // The wrong member, as the vendor names it; may be empty.
  std::string request_id = {};   // For the vendor's support; may be empty.
  std::string retry_hint = {};   // One of our own sentences: what a repetition needs.

  // "validation (parameter_invalid), field "currency", status 400, request req_1"
  std::string ToString() const;
  bool operator==(const DomainError&) const = default;
};

}  // namespace understudy
