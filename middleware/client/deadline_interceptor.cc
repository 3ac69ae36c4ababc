#include "middleware/client/deadline_interceptor.h"

#include "middleware/base/text.h"

namespace understudy {

Result<http::Response> DeadlineInterceptor::Intercept(http::Request& request, CallContext& context,
                                                      Next next) {
  const Deadline outer = context.deadline();
  Result<http::Response> result = Run(request, context, next);
  // Also after a refusal: a fallback around this layer may still have time of its own.
  context.RestoreDeadline(outer);
  return result;
}

Result<http::Response> DeadlineInterceptor::Run(http::Request& request, CallContext& context,
                                                Next next) {
  const TimePoint now = context.Now(runtime_.clock);
  const CallOptions& options = context.options();
  if (total_) context.TightenDeadline(Deadline::After(now, *total_));
  if (options.timeout) context.TightenDeadline(Deadline::After(now, *options.timeout));
  context.TightenDeadline(options.deadline);
  if (std::optional<Error> error = WhyNot(context, now)) return *std::move(error);
  Result<http::Response> result = next(request, context);
  if (!result && result.error().code == ErrorCode::kDeadlineExceeded) {
    Publish(context, "attempt");
    context.Explain(context.Now(runtime_.clock), "deadline", "passed");
  }
  return result;
}

std::optional<Error> DeadlineInterceptor::WhyNot(CallContext& context, TimePoint now) {
  if (context.stop().stop_requested()) {
    return Error{ErrorCode::kCancelled,
                 "stopped before the call",
                 Delivery::kNotSent,
                 Origin::kLocal,
                 {},
                 {}};
  }
  const Duration remaining = context.deadline().Remaining(now);
  if (remaining >= min_attempt_time_ && remaining > Duration::zero()) return std::nullopt;
  Publish(context, "before-call");
  context.Explain(now, "deadline", "refused: " + FormatDuration(remaining) + " left");
  return Error{ErrorCode::kDeadlineExceeded,
               "the deadline leaves " + FormatDuration(remaining) + ", too little for an attempt",
               Delivery::kNotSent,
               Origin::kLocal,
               {},
               "before-call"};
}

void DeadlineInterceptor::Publish(const CallContext& context, std::string_view phase) {
  runtime_.events.Publish("deadline", {{"operation", context.operation()}, {"phase", phase}});
}

std::string DeadlineInterceptor::Describe() const {
  return "deadline: " +
         (total_ ? FormatDuration(*total_) + " in total" : std::string("the caller's timeout"));
}

}  // namespace understudy
