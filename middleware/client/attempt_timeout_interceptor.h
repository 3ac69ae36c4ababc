// AttemptTimeoutInterceptor: bounds one attempt on the wire, within the total deadline.
#pragma once

#include <optional>
#include <string>

#include "middleware/client/interceptor.h"
#include "middleware/runtime/runtime.h"

namespace understudy {

// Innermost, so that time in local queues is not held against the vendor. The attempt gets the
// smaller of `timeout` and what is left of the total deadline, computed anew for each attempt.
//
// If the attempt runs out of its own time while the call has some left, the error becomes kTimeout
// [remote], which retry may repeat. If the call's time is over it stays kDeadlineExceeded, never
// repeated; its reason is "attempt-timeout" if the attempt had used up its own time as well, so
// that the breaker still learns of it. With less than `min_attempt_time` left, nothing is sent.
class AttemptTimeoutInterceptor final : public Interceptor {
 public:
  AttemptTimeoutInterceptor(std::optional<Duration> timeout, Duration min_attempt_time,
                            const Runtime& runtime)
      : timeout_(timeout), min_attempt_time_(min_attempt_time), runtime_(runtime) {}

  Result<http::Response> Intercept(http::Request& request, CallContext& context,
                                   Next next) override;
  bool MayWait() const override { return false; }
  std::string Describe() const override;

 private:
  Error Translate(Error error, Deadline own, Deadline total, TimePoint now) const;

  const std::optional<Duration> timeout_;
  const Duration min_attempt_time_;
  const Runtime runtime_;
};

}  // namespace understudy
