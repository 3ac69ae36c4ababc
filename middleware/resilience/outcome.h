// OutcomeClassifier: what each policy learns from the end of an attempt. One table for all of them,
// so that retry and breaker never disagree about what a failure is.
//
//   const Outcome outcome = classifier.Classify(result, clock.SystemNow());
//   permit.Record(outcome.breaker, outcome.retry_after);
//   if (outcome.retry == RetryVerdict::kIfReplayable && context.replayable()) ...
//
// The rows (reference resilience 4.3); "idem" = only if the call is idempotent or keyed. Sample is
// what an adaptive bulkhead learns, quota what happens to a reserved permit of a local limiter.
//
//   event                         retry      breaker    sample  quota   class
//   2xx 3xx, 4xx not below        no         success    sample  spent   ok, redirect, client-error
//   401                           no         neutral    ignore  spent   auth
//   403                           no         neutral    ignore  spent   auth-denied
//   408                           idem       failure    sample  spent   timeout-remote
//   425                           idem       failure    sample  spent   timeout-remote
//   409                           keyed      success    sample  spent   client-error, in-progress
//   429, 403 with Retry-After,    idem       neutral    drop    spent   throttled
//     or what the dialect says
//   500                           idem       failure    sample  spent   server-error
//   502 504                       idem       failure    drop    spent   gateway
//   503                           idem       failure    drop    spent   unavailable
//   501 505                       no         success    sample  spent   unsupported
//   other 5xx                     no         failure    sample  spent   server-error
//   connection, nothing sent      any        failure    ignore  refund  connect
//     on a dead reused one        any        neutral    ignore  refund  stale-connection
//   connection, maybe sent        idem       failure    drop    spent   ambiguous
//   attempt timeout               idem, cost 2  failure drop    spent   timeout-local
//   total deadline                no         neutral    ignore  spent   deadline
//     and the attempt timed out   no         failure    ignore  spent   deadline
//   caller or race cancelled      no         cancelled  ignore  spent   cancelled
//   open breaker, limiter, full   no         local-reject ignore refund local-reject
//   certificate, pinning          no         neutral    ignore  refund  security
//   no credentials                no         neutral    ignore  refund  auth
//   malformed, oversized answer   no         success    sample  spent   protocol
//   local mistake or bug          no         neutral    ignore  refund  local-error
//
// A 401 is repeated once with fresh credentials by the auth layer before anybody here sees it. A
// 503 keeps the breaker open at least for its hint. The headers Stripe-Should-Retry and
// x-should-retry (Stripe API reference, "Advanced error handling"; OpenAI's client libraries)
// override the retry column of a response: "false" forbids, "true" allows for an idempotent or
// keyed call.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "middleware/base/result.h"
#include "middleware/http/response.h"
#include "middleware/runtime/clock.h"

namespace understudy {

struct RateLimitDialect;
class RateLimitHintParser;

// What a circuit breaker is told about a call. The last three only give the permit back.
enum class BreakerOutcome {
  kSuccess,      // The vendor works, whatever it answered.
  kFailure,      // The vendor does not work.
  kNeutral,      // Says nothing about the vendor.
  kCancelled,    // The caller stopped.
  kLocalReject,  // An inner local policy refused before anything was sent.
};

std::string_view ToString(BreakerOutcome outcome);  // "success", "failure", ...

// Whether repeating can help, and when it is safe.
enum class RetryVerdict {
  kNo,            // Repeating cannot succeed, or must not happen.
  kIfKeyed,       // The vendor still works on a request with the same idempotency key.
  kIfReplayable,  // The vendor may have executed the request.
  kAnyMethod,     // Nothing was sent.
};

// What an adaptive limit on concurrency learns from the end of an attempt.
enum class ConcurrencySample {
  kSample,  // Its round trip is a measurement.
  kDrop,    // The vendor or the way to it is overloaded.
  kIgnore,  // Says nothing about the load.
};

// How an attempt ended, coarsely: for audit, health and metrics. Low cardinality, stable.
enum class OutcomeClass {
  kOk,
  kRedirect,
  kClientError,
  kAuth,
  kAuthDenied,
  kInProgress,
  kTimeoutRemote,
  kThrottled,
  kServerError,
  kGateway,
  kUnavailable,
  kUnsupported,
  kConnect,
  kStaleConnection,
  kAmbiguous,
  kTimeoutLocal,
  kDeadline,
  kCancelled,
  kLocalReject,
  kSecurity,
  kProtocol,
  kLocalError,
};

std::string_view ToString(OutcomeClass value);  // "ok", "client-error", ...; literals

struct Outcome {
  RetryVerdict retry = RetryVerdict::kNo;
  BreakerOutcome breaker = BreakerOutcome::kNeutral;
  // The vendor's hint, counted from now. Never shorter than the vendor asked for.
  std::optional<Duration> retry_after = {};
  // The quota of a rate limiter was not used up: nothing reached the vendor.
  bool refund_quota = false;
  // Short and stable, for events: "503", "timeout", "deadline", "connection:reset", "breaker-open",
  // ...
  std::string reason = {};
  OutcomeClass klass = OutcomeClass::kLocalError;
  ConcurrencySample sample = ConcurrencySample::kIgnore;
  // The vendor refused for its rate: back off longer.
  bool throttled = false;
  // What a retry takes from the budget, in tokens. A timeout costs twice: it also cost the time of
  // the vendor (AWS SDKs and Tools Reference, "Retry behavior", quota of 10 against 5).
  int budget_cost = 1;
};

// A value without state other than its options; thread-safe.
class OutcomeClassifier {
 public:
  struct Options {
    // Count 429 as a failure of the vendor: for vendors that throttle when they are in trouble.
    bool throttling_is_failure = false;
    // Statuses that mean "try again" to this vendor, besides those of the table; they count as
    // failures. At most 32.
    std::vector<int> also_retryable = {};
    // How this vendor says its limits. None: Retry-After and retry-after-ms.
    std::shared_ptr<const RateLimitDialect> dialect = {};
  };

  OutcomeClassifier() = default;
  explicit OutcomeClassifier(Options options);

  // The same rules, hearing the vendor's limits through `dialect`.
  OutcomeClassifier WithDialect(std::shared_ptr<const RateLimitDialect> dialect) const {
    Options options = options_;
    options.dialect = std::move(dialect);
    return OutcomeClassifier(std::move(options));
  }

  // The same with the wall clock of `clock`, which is read only for an answer that may carry a date
  // to compare with it: every call passes here, and hardly any needs it.
  Outcome Classify(const Result<http::Response>& result, const Clock& clock) const;
  // `now` is the wall clock, for a Retry-After date in a response without a Date.
  Outcome Classify(const Result<http::Response>& result, SystemTime now) const;

  // A 2xx that is nothing but one to this vendor: its row of the table is known without a look at
  // its headers and body.
  bool IsPlainSuccess(const http::Response& response) const;

 private:
  bool MayCarryHint(const http::Response& response) const;
  Outcome ClassifyResponse(const http::Response& response, SystemTime now) const;
  Outcome ClassifyStatus(int status, bool throttled) const;

  Options options_ = {};
  std::shared_ptr<const RateLimitHintParser> hints_ = {};  // Shared by all copies.
};

// The reason of an error as events show it; see Outcome::reason.
std::string ReasonOf(const Error& error);

// Is this a failure of availability, for which an older, made-up or other vendor's answer is better
// than none: no answer in time, no connection, an open breaker, a local refusal, a malformed
// answer? Not what the caller must know: wrong arguments, refused credentials, an untrusted peer,
// its own stop.
bool IsUnavailable(const Error& error);

}  // namespace understudy
