#include "middleware/resilience/outcome.h"

#include <algorithm>

#include "middleware/base/text.h"
#include "middleware/http/retry_after.h"
#include "middleware/resilience/rate_limit_dialect.h"
#include "middleware/resilience/rate_limit_hint.h"

namespace understudy {
namespace {

// One row of the table, without what is computed.
struct Row {
  RetryVerdict retry;
  BreakerOutcome breaker;
  ConcurrencySample sample;
  OutcomeClass klass;
  bool refund = false;
  int budget_cost = 1;
};

Outcome FromRow(const Row& row) {
  Outcome outcome;
  outcome.retry = row.retry;
  outcome.breaker = row.breaker;
  outcome.sample = row.sample;
  outcome.klass = row.klass;
  outcome.refund_quota = row.refund;
  outcome.budget_cost = row.budget_cost;
  return outcome;
}

constexpr auto kNo = RetryVerdict::kNo;
constexpr auto kIdem = RetryVerdict::kIfReplayable;
constexpr auto kSuccess = BreakerOutcome::kSuccess;
constexpr auto kFailure = BreakerOutcome::kFailure;
constexpr auto kNeutral = BreakerOutcome::kNeutral;
constexpr auto kSample = ConcurrencySample::kSample;
constexpr auto kDrop = ConcurrencySample::kDrop;
constexpr auto kIgnore = ConcurrencySample::kIgnore;

Row RowOfStatus(int status) {
  switch (status) {
    case 401:
      return {kNo, kNeutral, kIgnore, OutcomeClass::kAuth};
    case 403:
      return {kNo, kNeutral, kIgnore, OutcomeClass::kAuthDenied};
    case 408:
    case 425:
      return {kIdem, kFailure, kSample, OutcomeClass::kTimeoutRemote};
    case 409:
      return {RetryVerdict::kIfKeyed, kSuccess, kSample, OutcomeClass::kInProgress};
    case 429:
      return {kIdem, kNeutral, kDrop, OutcomeClass::kThrottled};
    case 500:
      return {kIdem, kFailure, kSample, OutcomeClass::kServerError};
    case 502:
    case 504:
      return {kIdem, kFailure, kDrop, OutcomeClass::kGateway};
    case 503:
      return {kIdem, kFailure, kDrop, OutcomeClass::kUnavailable};
    case 501:
    case 505:
      return {kNo, kSuccess, kSample, OutcomeClass::kUnsupported};
    default:
      break;
  }
  if (status >= 500) return {kNo, kFailure, kSample, OutcomeClass::kServerError};
  if (status >= 400) return {kNo, kSuccess, kSample, OutcomeClass::kClientError};
  if (status >= 300 && status != 304) return {kNo, kSuccess, kSample, OutcomeClass::kRedirect};
  return {kNo, kSuccess, kSample, OutcomeClass::kOk};
}

Row RowOfConnection(const Error& error) {
  if (error.delivery != Delivery::kNotSent) {
    return {kIdem, kFailure, kDrop, OutcomeClass::kAmbiguous};
  }
  // "send" with nothing sent is a kept-alive connection that the peer had closed: normal, not a
  // sign of trouble.
  if (error.reason == "send") {
    return {RetryVerdict::kAnyMethod, kNeutral, kIgnore, OutcomeClass::kStaleConnection, true};
  }
  return {RetryVerdict::kAnyMethod, kFailure, kIgnore, OutcomeClass::kConnect, true};
}

Row RowOfError(const Error& error) {
  const bool not_sent = error.delivery == Delivery::kNotSent;
  switch (error.code) {
    case ErrorCode::kConnection:
      return RowOfConnection(error);
    case ErrorCode::kTimeout:
      if (not_sent) {
        return {RetryVerdict::kAnyMethod, kFailure, kIgnore, OutcomeClass::kConnect, true, 2};
      }
      return {kIdem, kFailure, kDrop, OutcomeClass::kTimeoutLocal, false, 2};
    case ErrorCode::kDeadlineExceeded: {
      const bool used_up_attempt = error.reason == "attempt-timeout";
      return {kNo, used_up_attempt ? kFailure : kNeutral, kIgnore, OutcomeClass::kDeadline,
              not_sent};
    }
    case ErrorCode::kCancelled:
      return {kNo, BreakerOutcome::kCancelled, kIgnore, OutcomeClass::kCancelled, not_sent};
    case ErrorCode::kCircuitOpen:
    case ErrorCode::kRateLimited:
    case ErrorCode::kOverloaded:
      return {kNo, BreakerOutcome::kLocalReject, kIgnore, OutcomeClass::kLocalReject, true};
    case ErrorCode::kProtocol:
      return {kNo, kSuccess, kSample, OutcomeClass::kProtocol};
    case ErrorCode::kTls:
      return {kNo, kNeutral, kIgnore, OutcomeClass::kSecurity, not_sent};
    case ErrorCode::kAuth:
      return {kNo, kNeutral, kIgnore, OutcomeClass::kAuth, not_sent};
    case ErrorCode::kInvalidArgument:
    case ErrorCode::kStorage:
    case ErrorCode::kNotFound:
    case ErrorCode::kUnverified:
    case ErrorCode::kInternal:
      break;
  }
  return {kNo, kNeutral, kIgnore, OutcomeClass::kLocalError, not_sent};
}

Outcome ClassifyError(const Error& error) {
  Outcome outcome = FromRow(RowOfError(error));
  // What happened on our side says nothing about the vendor (a token endpoint that is down, no free
  // socket).
  const bool counts = outcome.breaker == kFailure || outcome.breaker == kSuccess;
  if (counts && error.origin == Origin::kLocal) {
    outcome.breaker = kNeutral;
    outcome.sample = kIgnore;
  }
  outcome.retry_after = error.retry_after;
  outcome.reason = ReasonOf(error);
  return outcome;
}

std::optional<bool> ShouldRetry(const http::Headers& headers) {
  for (const std::string_view name : {"Stripe-Should-Retry", "x-should-retry"}) {
    const std::optional<std::string_view> advice = headers.Get(name);
    if (!advice) continue;
    if (EqualsIgnoreAsciiCase(*advice, "false")) return false;
    if (EqualsIgnoreAsciiCase(*advice, "true")) return true;
  }
  return std::nullopt;
}

}  // namespace

std::string_view ToString(BreakerOutcome outcome) {
  switch (outcome) {
    case BreakerOutcome::kSuccess:
      return "success";
    case BreakerOutcome::kFailure:
      return "failure";
    case BreakerOutcome::kNeutral:
      return "neutral";
    case BreakerOutcome::kCancelled:
      return "cancelled";
    case BreakerOutcome::kLocalReject:
      return "local-reject";
  }
  return "neutral";
}

std::string_view ToString(OutcomeClass value) {
  switch (value) {
    case OutcomeClass::kOk:
      return "ok";
    case OutcomeClass::kRedirect:
      return "redirect";
    case OutcomeClass::kClientError:
      return "client-error";
    case OutcomeClass::kAuth:
      return "auth";
    case OutcomeClass::kAuthDenied:
      return "auth-denied";
    case OutcomeClass::kInProgress:
      return "in-progress";
    case OutcomeClass::kTimeoutRemote:
      return "timeout-remote";
    case OutcomeClass::kThrottled:
      return "throttled";
    case OutcomeClass::kServerError:
      return "server-error";
    case OutcomeClass::kGateway:
      return "gateway";
    case OutcomeClass::kUnavailable:
      return "unavailable";
    case OutcomeClass::kUnsupported:
      return "unsupported";
    case OutcomeClass::kConnect:
      return "connect";
    case OutcomeClass::kStaleConnection:
      return "stale-connection";
    case OutcomeClass::kAmbiguous:
      return "ambiguous";
    case OutcomeClass::kTimeoutLocal:
      return "timeout-local";
    case OutcomeClass::kDeadline:
      return "deadline";
    case OutcomeClass::kCancelled:
      return "cancelled";
    case OutcomeClass::kLocalReject:
      return "local-reject";
    case OutcomeClass::kSecurity:
      return "security";
    case OutcomeClass::kProtocol:
      return "protocol";
    case OutcomeClass::kLocalError:
      break;
  }
  return "local-error";
}

std::string ReasonOf(const Error& error) {
  switch (error.code) {
    case ErrorCode::kCircuitOpen:
      return "breaker-open";
    case ErrorCode::kDeadlineExceeded:
      return "deadline";
    case ErrorCode::kConnection:
      return error.reason.empty() ? "connection" : "connection:" + error.reason;
    case ErrorCode::kAuth:
      return error.reason.empty() ? "auth" : "auth:" + error.reason;
    default:
      return std::string(ToString(error.code));
  }
}

bool IsUnavailable(const Error& error) {
  switch (error.code) {
    case ErrorCode::kTimeout:
    case ErrorCode::kDeadlineExceeded:
    case ErrorCode::kConnection:
    case ErrorCode::kCircuitOpen:
    case ErrorCode::kRateLimited:
    case ErrorCode::kOverloaded:
    case ErrorCode::kProtocol:
      return true;
    default:
      return false;
  }
}

OutcomeClassifier::OutcomeClassifier(Options options) : options_(std::move(options)) {
  if (options_.dialect) hints_ = std::make_shared<const RateLimitHintParser>(options_.dialect);
}

bool OutcomeClassifier::IsPlainSuccess(const http::Response& response) const {
  const std::vector<int>& also = options_.also_retryable;
  return response.ok() && !MayCarryHint(response) &&
         std::find(also.begin(), also.end(), response.status) == also.end();
}

Outcome OutcomeClassifier::Classify(const Result<http::Response>& result,
                                    const Clock& clock) const {
  const bool dated = result && MayCarryHint(*result);
  return Classify(result, dated ? clock.SystemNow() : SystemTime());
}

bool OutcomeClassifier::MayCarryHint(const http::Response& response) const {
  // A success can only be a refusal in disguise for the vendors whose dialect says so.
  return response.status >= 400 || (options_.dialect && !options_.dialect->success_markers.empty());
}

Outcome OutcomeClassifier::Classify(const Result<http::Response>& result, SystemTime now) const {
  return result ? ClassifyResponse(*result, now) : ClassifyError(result.error());
}

Outcome OutcomeClassifier::ClassifyResponse(const http::Response& response, SystemTime now) const {
  std::optional<Duration> hint;
  bool throttled = false;
  bool permanent = false;
  if (response.status >= 400) hint = ParseRetryAfter(response.headers, now);
  const std::shared_ptr<const RateLimitDialect>& dialect = options_.dialect;
  if (dialect && MayCarryHint(response)) {
    const RateLimitHint limit = hints_->Parse(response, [now] { return now; });
    if (limit.retry_after) hint = std::max(hint.value_or(*limit.retry_after), *limit.retry_after);
    throttled = limit.throttled;
    permanent = limit.permanent;
  } else if (!dialect) {
    // A 403 that asks to come back later is GitHub's secondary rate limit.
    throttled = response.status == 429 || (response.status == 403 && hint);
  }
  Outcome outcome = ClassifyStatus(response.status, throttled);
  outcome.reason = std::to_string(response.status);
  if (response.status < 400 && !throttled) return outcome;
  outcome.retry_after = hint;
  if (const std::optional<bool> advice = ShouldRetry(response.headers)) {
    outcome.retry = *advice ? kIdem : kNo;
  }
  if (permanent) outcome.retry = kNo;
  return outcome;
}

Outcome OutcomeClassifier::ClassifyStatus(int status, bool throttled) const {
  // A vendor that throttles in the guise of 503 is in trouble all the same.
  const bool as_throttled = throttled && status != 503;
  Outcome outcome = FromRow(RowOfStatus(as_throttled ? 429 : status));
  outcome.throttled = throttled;
  if (as_throttled && options_.throttling_is_failure) outcome.breaker = kFailure;
  const std::vector<int>& also = options_.also_retryable;
  if (!throttled && std::find(also.begin(), also.end(), status) != also.end()) {
    outcome.retry = kIdem;
    outcome.breaker = kFailure;
  }
  return outcome;
}

}  // namespace understudy
