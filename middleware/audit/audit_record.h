// AuditRecord: one line of the audit trail: what was asked of a vendor, what came back, and what
// the middleware made of it.
//
// There is one record for each logical call (kCall) and one for each request that was handed to the
// transport (kAttempt); they share call_id. A must-audit call has one more that was stored before
// anything was sent (kCallStart); without a kCall after it, what became of the call is not known.
// kGap says how many records were lost before it, and why.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "middleware/base/time.h"
#include "middleware/store/audit_sink.h"

namespace understudy {

enum class AuditKind { kCallStart, kCall, kAttempt, kGap };

std::string_view ToString(AuditKind kind);  // "call.start", "call", "attempt", "gap"

// Of a body: its length always, its digest and the beginning of its redacted text if asked for.
struct AuditBody {
  std::size_t length = 0;        // Bytes.
  std::string digest = {};       // Hexadecimal; empty: none was asked for.
  std::size_t digest_bytes = 0;  // Of how many of the first bytes the digest is.
  bool keyed = false;            // HMAC-SHA-256 instead of SHA-256.
  std::string preview = {};
  bool truncated = false;
  std::string hidden = {};  // Why there is no preview: "type", "malformed", "too-deep".
};

struct AuditDecision {
  Duration after{0};  // Since the call began.
  std::string layer = {};
  std::string what = {};
};

// All text is redacted, valid UTF-8, without control characters, and bounded. A value type.
struct AuditRecord {
  AuditKind kind = AuditKind::kCall;
  std::string id = {};
  std::string call_id = {};
  SystemTime at = {};  // When the call or the attempt began, by the wall clock (UTC).
  std::string provider = {};
  std::string operation = {};
  std::string method = {};
  std::string url = {};
  int attempt = 0;       // kAttempt: of retry, from 1.
  int sends = 0;         // kAttempt: which request of the call; kCall: how many.
  Duration after{0};     // kAttempt: between the beginning of the call and this request:
                         // waits, queues and earlier attempts.
  Duration duration{0};  // By the monotonic clock.
  std::optional<int> status = {};
  std::string outcome = {};   // Of the answer or error: an OutcomeClass, e.g. "ok", "throttled".
  std::string error = {};     // An ErrorCode, e.g. "timeout"; empty if there was an answer.
  std::string delivery = {};  // With an error: "not-sent", "maybe-sent", "answered".
  std::string origin = {};    // With an error: "local", "remote".
  std::string reason = {};
  std::string message = {};
  std::string breaker = {};   // kAttempt: "closed", "half-open"; empty: no breaker.
  std::string because = {};   // kAttempt: retry's decision that led to it; empty for the first.
  std::string trace_id = {};  // W3C Trace Context; empty: none.
  bool fallback = false;      // kCall: the answer was made up by the fallback layer.
  std::vector<std::pair<std::string, std::string>> request_headers = {};
  std::vector<std::pair<std::string, std::string>> response_headers = {};
  // Names of headers whose values are not shown.
  std::vector<std::string> hidden_request_headers = {};
  std::vector<std::string> hidden_response_headers = {};
  std::optional<AuditBody> request_body = {};
  std::optional<AuditBody> response_body = {};
  std::vector<AuditDecision> decisions = {};          // kCall.
  std::map<std::string, std::uint64_t> dropped = {};  // kGap: by reason.
};

// The record as one line of JSON with a fixed order of members, empty ones left out; durations are
// whole nanoseconds in members that end with _ns.
AuditEntry ToEntry(const AuditRecord& record);

}  // namespace understudy
