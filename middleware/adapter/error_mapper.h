// MapVendorError: what a vendor answered instead of a success, as a DomainError.
//
//   if (const auto error = MapVendorError(response, ErrorDialect::kStripe)) {
//     if (error->kind == DomainErrorKind::kCardDeclined) return AskForAnotherCard();
//     log.Log(LogLevel::kError, "billing", error->ToString());   // No prose of the vendor's in it.
//   }
//
// The envelopes: Stripe {"error":{type,code,param,...}}, QuickBooks {"Fault":{Error:[...],type}}
// (also in lower case, also with status 200), GitHub {message,documentation_url,errors}, Google
// {"error":{code,status,details}}, Salesforce [{errorCode,fields}], Slack {"ok":false,error} with
// status 200, Twilio {code,more_info,status}, PayPal {name,debug_id,details}, OAuth {"error":"..."}
// (RFC 6749 section 5.2), problem details (RFC 9457); and whatever a proxy writes on a 502.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "middleware/adapter/domain_error.h"
#include "middleware/http/response.h"

namespace understudy {

enum class ErrorDialect {
  kGeneric,  // Any of the envelopes below, told apart by their shape.
  kStripe,
  kQuickBooks,
  kGitHub,
  kGoogle,
  kSalesforce,
  kSlack,
  kTwilio,
  kPayPal,
  kProblemDetails,
};

// Longer bodies are not read: the status decides.
inline constexpr std::size_t kErrorBodyMax = std::size_t{256} * 1024;

// Total: any status, headers and body give an answer, and nothing is thrown. nullopt for a success:
// a 2xx status, unless the body of kQuickBooks is a Fault, of kSlack is not ok, or of kGeneric is
// one of the two. A body that is not of the dialect is tried as kGeneric, and decides nothing if it
// is not known: then the status does. Pure, thread-safe, in time proportional to the body.
std::optional<DomainError> MapVendorError(const http::Response& response,
                                          ErrorDialect dialect = ErrorDialect::kGeneric);

// One entry of a QuickBooks batch (POST .../batch) that failed, whatever became of the others.
struct BatchFault {
  std::string batch_id = {};  // bId, as the caller gave it; empty if it is no identifier.
  DomainError error = {};
};

// The faults of BatchItemResponse[]; empty if there are none, or the body is no batch answer (for
// which MapVendorError is). Total, as above.
std::vector<BatchFault> QuickBooksBatchFaults(const http::Response& response);

}  // namespace understudy
