#include "middleware/resilience/outcome.h"

#include "middleware/base/text.h"
#include "middleware/resilience/retry_after.h"

namespace understudy {
namespace {

Outcome ConnectionOutcome(const Error& error) {
  Outcome outcome;
  const bool not_sent = error.delivery == Delivery::kNotSent;
  outcome.retry = not_sent ? RetryVerdict::kAnyMethod : RetryVerdict::kIfReplayable;
  outcome.refund_quota = not_sent;
  // "send" with nothing sent is a kept-alive connection that the peer had closed: normal, not a
  // sign of trouble.
  const bool stale = not_sent && error.reason == "send";
  outcome.breaker = stale ? BreakerOutcome::kNeutral : BreakerOutcome::kFailure;
  return outcome;
}

Outcome LocalReject() { return {RetryVerdict::kNo, BreakerOutcome::kLocalReject, {}, true, {}}; }

Outcome OutcomeOfCode(const Error& error) {
  const bool not_sent = error.delivery == Delivery::kNotSent;
  switch (error.code) {
    case ErrorCode::kConnection:
      return ConnectionOutcome(error);
    case ErrorCode::kTimeout:
      return {not_sent ? RetryVerdict::kAnyMethod : RetryVerdict::kIfReplayable,
              BreakerOutcome::kFailure,
              {},
              not_sent,
              {}};
    case ErrorCode::kDeadlineExceeded: {
      const bool used_up_attempt = error.reason == "attempt-timeout";
      return {RetryVerdict::kNo,
              used_up_attempt ? BreakerOutcome::kFailure : BreakerOutcome::kNeutral,
              {},
              not_sent,
              {}};
    }
    case ErrorCode::kCancelled:
      return {RetryVerdict::kNo, BreakerOutcome::kCancelled, {}, not_sent, {}};
    case ErrorCode::kCircuitOpen:
    case ErrorCode::kRateLimited:
    case ErrorCode::kOverloaded:
      return LocalReject();
    case ErrorCode::kProtocol:
      return {RetryVerdict::kNo, BreakerOutcome::kSuccess, {}, false, {}};
    case ErrorCode::kInvalidArgument:
    case ErrorCode::kTls:
    case ErrorCode::kAuth:
    case ErrorCode::kStorage:
    case ErrorCode::kNotFound:
    case ErrorCode::kUnverified:
    case ErrorCode::kInternal:
      break;
  }
  return {RetryVerdict::kNo, BreakerOutcome::kNeutral, {}, not_sent, {}};
}

Outcome ClassifyError(const Error& error) {
  Outcome outcome = OutcomeOfCode(error);
  // What happened on our side says nothing about the vendor (a token endpoint that is down, no free
  // socket).
  const bool counts =
      outcome.breaker == BreakerOutcome::kFailure || outcome.breaker == BreakerOutcome::kSuccess;
  if (counts && error.origin == Origin::kLocal) outcome.breaker = BreakerOutcome::kNeutral;
  outcome.retry_after = error.retry_after;
  outcome.reason = ReasonOf(error);
  return outcome;
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

Outcome OutcomeClassifier::Classify(const Result<http::Response>& result, SystemTime now) const {
  return result ? ClassifyResponse(*result, now) : ClassifyError(result.error());
}

Outcome OutcomeClassifier::ClassifyResponse(const http::Response& response, SystemTime now) const {
  const std::optional<Duration> hint =
      response.status >= 400 ? ParseRetryAfter(response.headers, now) : std::nullopt;
  Outcome outcome = ClassifyStatus(response.status, hint.has_value());
  outcome.retry_after = hint;
  outcome.reason = std::to_string(response.status);
  if (response.status < 400) return outcome;
  const std::optional<std::string_view> advice = response.headers.Get("Stripe-Should-Retry");
  if (advice && EqualsIgnoreAsciiCase(*advice, "false")) outcome.retry = RetryVerdict::kNo;
  if (advice && EqualsIgnoreAsciiCase(*advice, "true")) outcome.retry = RetryVerdict::kIfReplayable;
  return outcome;
}

Outcome OutcomeClassifier::ClassifyStatus(int status, bool has_hint) const {
  const BreakerOutcome throttled =
      options_.throttling_is_failure ? BreakerOutcome::kFailure : BreakerOutcome::kNeutral;
  switch (status) {
    case 401:
      return {RetryVerdict::kNo, BreakerOutcome::kNeutral, {}, false, {}};
    case 403:  // With a hint it is GitHub's secondary rate limit.
      if (has_hint) return {RetryVerdict::kIfReplayable, throttled, {}, false, {}};
      return {RetryVerdict::kNo, BreakerOutcome::kNeutral, {}, false, {}};
    case 429:
      return {RetryVerdict::kIfReplayable, throttled, {}, false, {}};
    case 408:
    case 425:
    case 500:
    case 502:
    case 503:
    case 504:
      return {RetryVerdict::kIfReplayable, BreakerOutcome::kFailure, {}, false, {}};
    case 501:
    case 505:
      return {RetryVerdict::kNo, BreakerOutcome::kSuccess, {}, false, {}};
    default:
      return {RetryVerdict::kNo,
              status >= 500 ? BreakerOutcome::kFailure : BreakerOutcome::kSuccess,
              {},
              false,
              {}};
  }
}

}  // namespace understudy
