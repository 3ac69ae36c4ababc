// DeadlineInterceptor: the total deadline of a logical call, over all its attempts and waits.
#pragma once

#include <optional>
#include <string>

#include "middleware/client/interceptor.h"
#include "middleware/runtime/runtime.h"

namespace understudy {

// Tightens the context's deadline to the client's total, to CallOptions::timeout (from the start of
// the call) and to CallOptions::deadline (a point in time, carried from an outer call), whichever
// ends first; for what it wraps, and not beyond: the outer layers find their own deadline again. A
// call with less than `min_attempt_time` left fails with kDeadlineExceeded [not-sent,
// local] before anything is sent: it would not be answered in time, and a rounded-up timeout would
// break the caller's promise.
//
// Publishes "deadline": operation, phase ("before-call", or "attempt" if it passed on the way).
class DeadlineInterceptor final : public Interceptor {
 public:
  DeadlineInterceptor(std::optional<Duration> total, Duration min_attempt_time,
                      const Runtime& runtime)
      : total_(total), min_attempt_time_(min_attempt_time), runtime_(runtime) {}

  Result<http::Response> Intercept(http::Request& request, CallContext& context,
                                   Next next) override;
  bool MayWait() const override { return false; }
  std::string Describe() const override;

 private:
  Result<http::Response> Run(http::Request& request, CallContext& context, Next next);
  // The error of a call that is over before it begins; nullopt if there is enough time.
  std::optional<Error> WhyNot(CallContext& context, TimePoint now);
  void Publish(const CallContext& context, std::string_view phase);

  const std::optional<Duration> total_;
  const Duration min_attempt_time_;
  const Runtime runtime_;
};

}  // namespace understudy
