// RateLimiter: keeps below a vendor's published rate, by waiting a little or refusing at once.
//
//   RateLimiter limiter({.permits = 100, .per = 1s, .burst = 10}, clock);
//   Result<RateLimiter::Permit> permit = limiter.Acquire(deadline, stop);
//   if (!permit) return permit.error();  // kRateLimited: it would come after the deadline
//   if (NothingWasSent()) permit->Refund();
//
// A caller that must wait reserves its place at once, so it knows when its turn comes, nobody waits
// in vain, and nobody takes another try that could fail. AcquireAll (acquire_all.h) takes permits
// of several limiters together.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string_view>
#include <utility>
#include <vector>

#include "middleware/base/mutex.h"
#include "middleware/base/problems.h"
#include "middleware/base/result.h"
#include "middleware/resilience/rate_schedule.h"
#include "middleware/runtime/clock.h"
#include "middleware/runtime/deadline.h"

namespace understudy {

// Which one fits depends on how the vendor counts. If that is not known: kSlidingWindow keeps every
// limit of that length, and kGcra with burst 1 is the gentlest.
enum class RateAlgorithm {
  // One permit every per / permits; an idle limiter saves up to `burst` of them.
  kGcra,
  // `permits` at the end of every `per`, into a bucket of `burst` (at least `permits`).
  kTokenBucket,
  // At most `permits` in any window of `per`, wherever it begins.
  kSlidingWindow,
  // One permit per slot of per / permits, on a grid; a cost takes so many slots in a row.
  kSmooth,
  // `permits` per cycle of `per`; a cost may reach into the cycles to come.
  kBursty,
};

// "gcra", "token-bucket", "sliding-window", "smooth", "bursty".
std::string_view ToString(RateAlgorithm algorithm);

struct RateLimiterOptions {
  int permits = 100;                       // Permits that become due ...
  Duration per = std::chrono::seconds(1);  // ... in this time; at most 100 days.
  int burst = 1;  // Permits that an idle limiter gives out at once; only kGcra, kTokenBucket.
  int waiters_max = 64;  // Callers that wait at the same time; 0: none waits.
  // A caller whose deadline leaves less than this after the wait is refused at once: there would be
  // no time to use the permit.
  Duration min_useful = Duration::zero();
  RateAlgorithm algorithm = RateAlgorithm::kGcra;

  bool operator==(const RateLimiterOptions&) const = default;
};

Problems FindProblems(const RateLimiterOptions& options);

// For people and metrics. Counts are calls since construction, not costs.
struct RateLimiterSnapshot {
  int available = 0;  // The largest cost that would be granted at once.
  int waiting = 0;
  std::uint64_t granted = 0;
  std::uint64_t refused = 0;    // At once; calls with a wrong cost do not count.
  std::uint64_t cancelled = 0;  // Stopped while waiting.
  std::uint64_t refunded = 0;   // Permits that came back and could be given out again.

  bool operator==(const RateLimiterSnapshot&) const = default;
};

class MultiPermit;

// Thread-safe. First come, first served, whatever the costs. The clock must outlive it; it must
// outlive its permits. A grant without a wait takes one mutex once and allocates nothing (but the
// sliding window's log grows).
class RateLimiter {
 public:
  // The right to send one request. Move-only; a permit that just ends was used.
  class Permit {
   public:
    Permit(Permit&& other) noexcept
        : limiter_(std::exchange(other.limiter_, nullptr)),
          reservation_(other.reservation_),
          waited_(other.waited_) {}
    Permit& operator=(Permit&& other) noexcept {
      limiter_ = std::exchange(other.limiter_, nullptr);
      reservation_ = other.reservation_;
      waited_ = other.waited_;
      return *this;
    }
    ~Permit() = default;

    // How long Acquire waited for it.
    Duration waited() const { return waited_; }
    // Gives back a permit that was not used, because an inner layer refused or nothing was sent. It
    // has an effect only where that cannot exceed the rate: always if no later permit was given
    // out, and in a sliding window as long as the permit is in it. The second time does nothing.
    void Refund();

   private:
    friend class RateLimiter;
    Permit(RateLimiter& limiter, const RateSchedule::Reservation& reservation, Duration waited)
        : limiter_(&limiter), reservation_(reservation), waited_(waited) {}

    RateLimiter* limiter_;  // nullptr once refunded.
    RateSchedule::Reservation reservation_;
    Duration waited_;
  };

  // `options` without problems; aborts otherwise.
  RateLimiter(const RateLimiterOptions& options, Clock& clock);
  RateLimiter(const RateLimiter&) = delete;
  RateLimiter& operator=(const RateLimiter&) = delete;

  // Blocks through the clock until the permit is due. `cost` is in permits; 0 is granted at once
  // and takes nothing. Errors, all not-sent and local:
  // - kRateLimited, at once and with retry_after: the permit is due after `deadline`, or leaves
  //   less than min_useful ("rate-limit"); or waiters_max callers wait ("rate-limit-waiters").
  // - kDeadlineExceeded: the permit is there, but `deadline` leaves less than min_useful
  //   ("rate-limit-useless").
  // - kCancelled: `stop` came first. The reservation is given back, and those behind move up.
  // - kInvalidArgument: `cost` is negative or more than the limit ever grants, so that repeating
  //   the call cannot succeed ("rate-limit-cost").
  Result<Permit> Acquire(int cost, Deadline deadline, const std::stop_token& stop = {})
      EXCLUDES(mutex_);
  Result<Permit> Acquire(Deadline deadline, const std::stop_token& stop = {}) {
    return Acquire(1, deadline, stop);
  }

  // Never blocks: kRateLimited with retry_after instead of a wait.
  Result<Permit> TryAcquire(int cost = 1) EXCLUDES(mutex_);

  RateLimiterSnapshot Snapshot() const EXCLUDES(mutex_);
  const RateLimiterOptions& options() const { return options_; }

 private:
  friend Result<MultiPermit> AcquireAll(std::span<RateLimiter* const> limiters, int cost,
                                        Deadline deadline, const std::stop_token& stop);

  // A caller that waits. Lives on its stack; in waiters_ from its reservation to its end.
  struct Waiter {
    CondVar changed{"a permit of the rate limiter"};  // An earlier due time, or a stop.
    int cost = 0;
    RateSchedule::Reservation reservation = {};
    TimePoint due = {};
  };
  class PlaceInLine;
  class LockedAll;

  // What several limiters say together; without permits it is the slowest that one must wait for.
  struct Attempt {
    std::vector<Permit> permits = {};
    RateLimiter* slowest = nullptr;
  };
  // All of them or none, without a wait. `limiters` are distinct, in the order of their addresses.
  static Result<Attempt> TryAcquireAll(std::span<RateLimiter* const> limiters, int cost,
                                       Deadline deadline);

  std::optional<Error> FindFault(int cost) const;
  Duration WaitFor(TimePoint now, int cost) const REQUIRES(mutex_) {
    return cost == 0 ? Duration::zero() : schedule_->WaitFor(now, cost);
  }
  std::optional<Error> FindTooLate(TimePoint now, Duration wait, Deadline deadline) const;
  std::optional<Error> FindRefusal(TimePoint now, Duration wait, Deadline deadline) const
      REQUIRES(mutex_);
  Result<Permit> Wait(int cost, Deadline deadline, const std::stop_token& stop) EXCLUDES(mutex_);
  bool AwaitTurn(Waiter& self, const std::stop_token& stop) REQUIRES(mutex_);
  void TakePlace(Waiter& waiter, TimePoint now) REQUIRES(mutex_);
  void GiveUpPlace(Waiter& waiter, TimePoint now) REQUIRES(mutex_);
  Permit Grant(TimePoint now, int cost) REQUIRES(mutex_);
  void Refund(const RateSchedule::Reservation& reservation) EXCLUDES(mutex_);
  // Threads that raced for the lock see a time that only grows.
  TimePoint Latest(TimePoint now) REQUIRES(mutex_);

  const RateLimiterOptions options_;
  Clock& clock_;
  mutable Mutex mutex_;
  const std::unique_ptr<RateSchedule> schedule_;  // Its state: under mutex_.
  const int cost_max_;
  TimePoint latest_ GUARDED_BY(mutex_);
  std::deque<Waiter*> waiters_ GUARDED_BY(mutex_);  // First come first; due times never decrease.
  RateLimiterSnapshot counts_ GUARDED_BY(mutex_);   // Without `available` and `waiting`.
};

}  // namespace understudy
