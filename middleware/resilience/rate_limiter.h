// RateLimiter: keeps below a vendor's published rate, by waiting a little or refusing at once.
//
//   RateLimiter limiter({.permits = 100, .per = 1s, .burst = 10}, clock);
//   Result<RateLimiter::Permit> permit = limiter.Acquire(deadline, stop);
//   if (!permit) return permit.error();  // kRateLimited: it would come after the deadline
//   if (NothingWasSent()) permit->Refund();
//
// A token bucket in its virtual-scheduling form (GCRA, ITU-T I.371): one point of time says when
// the next permit is due, so a caller that must wait reserves its own point and nobody waits in
// vain.
#pragma once

#include <optional>
#include <stop_token>
#include <utility>

#include "middleware/base/mutex.h"
#include "middleware/base/result.h"
#include "middleware/resilience/problems.h"
#include "middleware/runtime/clock.h"
#include "middleware/runtime/deadline.h"

namespace understudy {

struct RateLimiterOptions {
  int permits = 100;                       // Permits that become due ...
  Duration per = std::chrono::seconds(1);  // ... in this time, evenly.
  int burst = 1;                           // Permits that an idle limiter gives out at once.
  int waiters_max = 64;                    // Callers that wait at the same time; 0: none waits.

  bool operator==(const RateLimiterOptions&) const = default;
};

Problems FindProblems(const RateLimiterOptions& options);

// Thread-safe. Permits come due in the order of the calls. The clock must outlive it; it must
// outlive its permits.
class RateLimiter {
 public:
  // The right to send one request. A plain value: a permit that just ends was used.
  class Permit {
   public:
    // How long Acquire waited for it.
    Duration waited() const { return waited_; }
    // Gives back a permit that was not used, because an inner layer refused or nothing was sent. It
    // has an effect only if no later permit was given out: shifting those would exceed the rate. At
    // most once.
    void Refund();

   private:
    friend class RateLimiter;
    Permit(RateLimiter& limiter, TimePoint before, TimePoint after, Duration waited)
        : limiter_(&limiter), before_(before), after_(after), waited_(waited) {}

    RateLimiter* limiter_;
    TimePoint before_;  // The limiter's schedule before and after this permit.
    TimePoint after_;
    Duration waited_;
  };

  // `options` without problems; aborts otherwise.
  RateLimiter(const RateLimiterOptions& options, Clock& clock);
  RateLimiter(const RateLimiter&) = delete;
  RateLimiter& operator=(const RateLimiter&) = delete;

  // Blocks through the clock until the permit is due. Errors, all not-sent and local: kRateLimited
  // at once, with retry_after, if it is due only after `deadline` ("rate-limit") or waiters_max
  // callers wait ("rate-limit-waiters"); kCancelled, which gives the reservation back.
  Result<Permit> Acquire(Deadline deadline, const std::stop_token& stop = {}) EXCLUDES(mutex_);

 private:
  Result<Permit> Reserve(TimePoint now, Deadline deadline) EXCLUDES(mutex_);
  void Refund(TimePoint before, TimePoint after) EXCLUDES(mutex_);
  void EndWait() EXCLUDES(mutex_);

  const RateLimiterOptions options_;
  Clock& clock_;
  const Duration interval_;  // Between two permits; rounded up, so that the rate is never exceeded.
  const Duration tolerance_;  // How far ahead of its schedule a burst may run.
  Mutex mutex_;
  TimePoint due_
      GUARDED_BY(mutex_);  // When the next permit is due without tolerance; in the past if idle.
  int waiters_ GUARDED_BY(mutex_) = 0;
};

}  // namespace understudy
