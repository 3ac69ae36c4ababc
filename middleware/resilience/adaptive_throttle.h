// AdaptiveThrottle: refuses a share of the requests before they are sent, the larger the fewer of
// the recent ones were accepted.
//
//   AdaptiveThrottle throttle({.accept_share = 0.5, .window = 60s});
//   if (!throttle.Admits(now, random.UnitInterval("throttle"))) return Overloaded();
//   const Outcome outcome = Send();
//   throttle.Record(clock.Now(), /*accepted=*/outcome.breaker != BreakerOutcome::kFailure);
//
// Softer than a circuit breaker: a vendor that still accepts some requests goes on getting about
// as many as it accepts, and a few more so that its recovery is noticed. B. Beyer et al., "Site
// Reliability Engineering", chapter 21, "Client-Side Throttling":
//
//   probability = (requests - accepts / accept_share) / (requests + 1), from 0 to rejection_max
//
// As in failsafe-go only requests that were sent count, when they end: a burst that is still in
// flight is no sign of trouble.
#pragma once

#include "middleware/base/call_window.h"
#include "middleware/base/problems.h"

namespace understudy {

struct AdaptiveThrottleOptions {
  // Nothing is refused while at least this share of the requests is accepted; the book's K is its
  // inverse. Above 0, at most 1.
  double accept_share = 0.5;
  // At most this share is refused, so that some always find out. 0 to 1.
  double rejection_max = 0.9;
  Duration window = std::chrono::minutes(1);  // How long a request counts.
  int buckets = 20;                           // The window forgets in so many steps.
  int requests_min = 10;                      // Nothing is refused on the evidence of fewer.

  bool operator==(const AdaptiveThrottleOptions&) const = default;
};

Problems FindProblems(const AdaptiveThrottleOptions& options);

// Not thread-safe; its memory is bounded by `buckets`. `now` is the monotonic clock.
class AdaptiveThrottle {
 public:
  // `options` without problems; aborts otherwise.
  explicit AdaptiveThrottle(const AdaptiveThrottleOptions& options);

  // Whether to send a request, for the draw `share` of [0, 1). Counts nothing.
  bool Admits(TimePoint now, double share) const { return share >= RejectionProbability(now); }

  // A request that was sent ended; what says nothing about the vendor is not recorded.
  void Record(TimePoint now, bool accepted);

  // From 0 to rejection_max.
  double RejectionProbability(TimePoint now) const;

 private:
  const AdaptiveThrottleOptions options_;
  CallWindow window_;
};

}  // namespace understudy
