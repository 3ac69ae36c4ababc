#include "middleware/client/attempt_timeout_interceptor.h"

#include "middleware/base/text.h"

namespace understudy {

Result<http::Response> AttemptTimeoutInterceptor::Intercept(http::Request& request,
                                                            CallContext& context, Next next) {
  const TimePoint now = context.Now(runtime_.clock);
  const Deadline total = context.deadline();
  const Duration remaining = total.Remaining(now);
  if (remaining < min_attempt_time_ || remaining == Duration::zero()) {
    return Error{ErrorCode::kDeadlineExceeded,
                 "the deadline leaves " + FormatDuration(remaining) + ", too little for an attempt",
                 Delivery::kNotSent,
                 Origin::kLocal,
                 {},
                 {}};
  }
  const Deadline own = timeout_ ? Deadline::After(now, *timeout_) : Deadline::Never();
  context.TightenDeadline(own);
  Result<http::Response> result = next(request, context);
  context.RestoreDeadline(total);
  if (result || result.error().code != ErrorCode::kDeadlineExceeded) return result;
  return Translate(std::move(result).error(), own, total, context.Now(runtime_.clock));
}

Error AttemptTimeoutInterceptor::Translate(Error error, Deadline own, Deadline total,
                                           TimePoint now) const {
  if (!own.Passed(now)) return error;
  error.reason = "attempt-timeout";
  error.origin = Origin::kRemote;
  if (total.Passed(now)) return error;
  error.code = ErrorCode::kTimeout;
  error.message = "no answer within the attempt timeout of " + FormatDuration(*timeout_);
  return error;
}

std::string AttemptTimeoutInterceptor::Describe() const {
  return "attempt timeout: " +
         (timeout_ ? FormatDuration(*timeout_) : std::string("what the deadline leaves"));
}

}  // namespace understudy
