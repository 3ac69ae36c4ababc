#include "middleware/adapter/domain_error.h"

#include "middleware/base/check.h"

namespace understudy {

std::string_view ToString(DomainErrorKind kind) {
  switch (kind) {
    case DomainErrorKind::kCardDeclined:
      return "card-declined";
    case DomainErrorKind::kPaymentRequired:
      return "payment-required";
    case DomainErrorKind::kValidation:
      return "validation";
    case DomainErrorKind::kNotFound:
      return "not-found";
    case DomainErrorKind::kConflict:
      return "conflict";
    case DomainErrorKind::kPermission:
      return "permission";
    case DomainErrorKind::kAuthentication:
      return "authentication";
    case DomainErrorKind::kRateLimited:
      return "rate-limited";
    case DomainErrorKind::kVendorDown:
      return "vendor-down";
    case DomainErrorKind::kUnknown:
      return "unknown";
  }
  UNDERSTUDY_CHECK(false, "a DomainErrorKind that does not exist");
}

std::string DomainError::ToString() const {
  std::string text(understudy::ToString(kind));
  if (!vendor_code.empty()) text.append(" (").append(vendor_code).append(")");
  if (!field.empty()) text.append(", field \"").append(field).append("\"");
  text.append(", status ").append(std::to_string(status));
  if (!request_id.empty()) text.append(", request ").append(request_id);
  if (!retry_hint.empty()) text.append("; ").append(retry_hint);
  return text;
}

}  // namespace understudy
