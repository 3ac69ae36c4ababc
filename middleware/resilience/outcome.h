// OutcomeClassifier: what each policy learns from the end of an attempt. One table for all of them,
// so that retry and breaker never disagree about what a failure is.
//
//   const Outcome outcome = classifier.Classify(result, clock.SystemNow());
//   permit.Record(outcome.breaker, outcome.retry_after);
//   if (outcome.retry == RetryVerdict::kIfReplayable && context.replayable()) ...
//
// The rows (reference resilience 4.3); "idem" = only if the call is idempotent or keyed:
//
//   2xx 3xx, 4xx not below        no retry   success   a vendor that says no in time is healthy
//   401 403                       no retry   neutral   our credentials, not the vendor's health
//   408 425                       idem       failure
//   429, 403 with Retry-After     idem       neutral   throttled
//   500 502 504                   idem       failure
//   503                           idem       failure   keeps the breaker open at least for the hint
//   501 505                       no retry   success   unsupported
//   other 5xx                     no retry   failure
//   connection, nothing sent      any        failure   neutral for "send": a dead reused connection
//   connection, maybe sent        idem       failure
//   attempt timeout               idem       failure
//   total deadline                no retry   neutral   failure if the attempt timed out as well
//   caller cancelled              no retry   cancelled
//   open breaker, limiter, full   no retry   local-reject
//   certificate, auth, local bug  no retry   neutral
//   malformed, oversized answer   no retry   success
//
// The header Stripe-Should-Retry (Stripe API reference, "Advanced error handling") overrides the
// retry column of a response: "false" forbids, "true" allows for an idempotent or keyed call.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "middleware/base/result.h"
#include "middleware/http/response.h"

namespace understudy {

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
  kIfReplayable,  // The vendor may have executed the request.
  kAnyMethod,     // Nothing was sent.
};

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
};

// A value without state other than its options; thread-safe.
class OutcomeClassifier {
 public:
  struct Options {
    // Count 429 as a failure of the vendor: for vendors that throttle when they are in trouble.
    bool throttling_is_failure = false;
  };

  OutcomeClassifier() = default;
  explicit OutcomeClassifier(Options options) : options_(options) {}

  // `now` is the wall clock, for a Retry-After date in a response without a Date.
  Outcome Classify(const Result<http::Response>& result, SystemTime now) const;

 private:
  Outcome ClassifyResponse(const http::Response& response, SystemTime now) const;
  Outcome ClassifyStatus(int status, bool has_hint) const;

  Options options_ = {};
};

// The reason of an error as events show it; see Outcome::reason.
std::string ReasonOf(const Error& error);

}  // namespace understudy
