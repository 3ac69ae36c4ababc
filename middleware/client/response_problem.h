// ResponseProblem: what a vendor says went wrong, in one shape for all vendors.
//
//   if (const auto problem = ResponseProblem::From(*response)) {
//     if (problem->code == "card_declined") ...
//     log.Log(LogLevel::kWarning, "billing", problem->ToString());
//     // "402 card_declined: Your card was declined. (request req_123)"
//   }
#pragma once

#include <optional>
#include <string>

#include "middleware/http/response.h"

namespace understudy {

// A value. Everything in it comes from outside: compare it, show it, but do not trust it. All texts
// are valid UTF-8 on one line, without control characters and marks that reorder text, bounded as
// said, and empty where the vendor is silent.
//
// Secrets and personal data that a vendor echoes do not get through: in `title` and `detail` each
// word that looks like a credential (a known prefix such as sk_ or xoxb-, 20 or more letters and
// digits mixed, 13 or more digits, what follows Bearer or Basic) or holds an "@" is replaced by
// "[hidden]", and addresses lose their query. That is a heuristic: a short password in clear text
// would pass, so keep these texts away from end users.
struct ResponseProblem {
  int status = 0;
  // The kind: a URI (RFC 9457, without query) or the vendor's word, e.g. "card_error"; at most 200
  // bytes of printable ASCII.
  std::string type = {};
  // The vendor's stable code: "card_declined", "RESOURCE_EXHAUSTED", "6240"; at most 100 bytes of
  // letters, digits and . _ - : /
  std::string code = {};
  std::string title = {};   // At most 200 bytes.
  std::string detail = {};  // At most 500 bytes.
  // What the vendor's support asks for, from the headers; at most 100 bytes.
  std::string request_id = {};

  // What the answer says. A status of 400 or more always is a problem, if only with its status: the
  // body may be HTML, broken or empty. Below that only an answer that says so in its body is one:
  // "ok": false (Slack), a Fault (QuickBooks), a non-empty list "errors" (GraphQL), an "error"
  // (GitHub's token endpoint); nullopt otherwise.
  //
  // Reads RFC 9457 problem details and the envelopes of reference vendors 4.4, whatever the content
  // type; bodies above 64 KiB, or that ParseJsonText refuses, are not looked at. Pure, thread-safe,
  // total over any bytes.
  static std::optional<ResponseProblem> From(const http::Response& response);

  // "429 rate_limit: Slow down. (request req_1)"; one line.
  std::string ToString() const;

  bool operator==(const ResponseProblem&) const = default;
};

}  // namespace understudy
