#include "middleware/resilience/rate_limiter.h"

#include <algorithm>
#include <string>

#include "middleware/base/check.h"
#include "middleware/base/text.h"
#include "middleware/resilience/bursty_schedule.h"
#include "middleware/resilience/gcra_schedule.h"
#include "middleware/resilience/sliding_window_schedule.h"
#include "middleware/resilience/smooth_schedule.h"
#include "middleware/resilience/token_bucket_schedule.h"

namespace understudy {
namespace {

constexpr int kPermitsMax = 1'000'000;

// Rounded up, so that the rate is never exceeded.
Duration IntervalOf(const RateLimiterOptions& options) {
  return Duration((options.per.count() + options.permits - 1) / std::max(options.permits, 1));
}

void CheckBurst(Problems& problems, const RateLimiterOptions& options) {
  const std::string burst = "rate_limit.burst is " + std::to_string(options.burst);
  switch (options.algorithm) {
    case RateAlgorithm::kGcra:
      if (options.burst > 1 && IntervalOf(options) > Duration::max() / (2 * options.burst)) {
        problems.push_back(burst + "; it is too large for one permit per " +
                           FormatDuration(IntervalOf(options)));
      }
      return;
    case RateAlgorithm::kTokenBucket:
      if (options.burst < options.permits) {
        problems.push_back(burst + "; a token bucket must hold at least its " +
                           std::to_string(options.permits) +
                           " permits per refill, or some of each refill would be lost");
      }
      return;
    case RateAlgorithm::kSlidingWindow:
    case RateAlgorithm::kSmooth:
    case RateAlgorithm::kBursty:
      if (options.burst != 1) {
        problems.push_back(burst + "; the algorithm " + std::string(ToString(options.algorithm)) +
                           " has none: leave it at 1");
      }
      return;
  }
  problems.push_back("rate_limit.algorithm is none that exists");
}

std::unique_ptr<RateSchedule> MakeSchedule(const RateLimiterOptions& options, TimePoint start) {
  UNDERSTUDY_CHECK(FindProblems(options).empty(), "invalid rate limiter options");
  switch (options.algorithm) {
    case RateAlgorithm::kGcra:
      return std::make_unique<GcraSchedule>(IntervalOf(options), options.burst, start);
    case RateAlgorithm::kTokenBucket:
      return std::make_unique<TokenBucketSchedule>(
          TokenBucket{.refill = options.permits, .every = options.per, .capacity = options.burst},
          start);
    case RateAlgorithm::kSlidingWindow:
      return std::make_unique<SlidingWindowSchedule>(options.permits, options.per);
    case RateAlgorithm::kSmooth:
      return std::make_unique<SmoothSchedule>(IntervalOf(options), start);
    case RateAlgorithm::kBursty:
      return std::make_unique<BurstySchedule>(options.permits, options.per, start);
  }
  return nullptr;  // FindProblems refuses every other value.
}

Error Refusal(ErrorCode code, std::string message, std::string reason,
              std::optional<Duration> retry_after = {}) {
  return Error{code,           std::move(message), Delivery::kNotSent,
               Origin::kLocal, retry_after,        std::move(reason)};
}

std::string DueIn(Duration wait) { return "the next permit is due in " + FormatDuration(wait); }

}  // namespace

std::string_view ToString(RateAlgorithm algorithm) {
  switch (algorithm) {
    case RateAlgorithm::kGcra:
      return "gcra";
    case RateAlgorithm::kTokenBucket:
      return "token-bucket";
    case RateAlgorithm::kSlidingWindow:
      return "sliding-window";
    case RateAlgorithm::kSmooth:
      return "smooth";
    case RateAlgorithm::kBursty:
      return "bursty";
  }
  return "unknown";
}

Problems FindProblems(const RateLimiterOptions& options) {
  Problems problems;
  RequireRange(problems, "rate_limit.permits", options.permits, 1, kPermitsMax);
  RequireRange(problems, "rate_limit.burst", options.burst, 1, kPermitsMax);
  RequireRange(problems, "rate_limit.waiters_max", options.waiters_max, 0, kPermitsMax);
  // 100 days: any burst of it still fits a Duration.
  constexpr Duration kPerMax = std::chrono::hours(24 * 100);
  if (options.per <= Duration::zero() || options.per > kPerMax) {
    problems.push_back("rate_limit.per is " + FormatDuration(options.per) +
                       "; it must be positive and at most " + FormatDuration(kPerMax));
  }
  if (options.min_useful < Duration::zero()) {
    problems.push_back("rate_limit.min_useful is " + FormatDuration(options.min_useful) +
                       "; it must not be negative");
  }
  if (problems.empty()) CheckBurst(problems, options);  // They would follow from the others.
  return problems;
}

// Takes a waiter out of the line when it stops waiting, however that happens.
class RateLimiter::PlaceInLine {
 public:
  PlaceInLine(RateLimiter& limiter, Waiter& waiter) REQUIRES(limiter.mutex_)
      : limiter_(limiter), waiter_(waiter) {
    limiter_.waiters_.push_back(&waiter_);
  }
  ~PlaceInLine() NO_THREAD_SAFETY_ANALYSIS { std::erase(limiter_.waiters_, &waiter_); }
  PlaceInLine(const PlaceInLine&) = delete;
  PlaceInLine& operator=(const PlaceInLine&) = delete;

 private:
  RateLimiter& limiter_;
  Waiter& waiter_;
};

// The mutexes of several limiters, always taken in the same order.
class RateLimiter::LockedAll {
 public:
  explicit LockedAll(std::span<RateLimiter* const> limiters) NO_THREAD_SAFETY_ANALYSIS
      : limiters_(limiters) {
    for (RateLimiter* limiter : limiters_) limiter->mutex_.Lock();
  }
  ~LockedAll() NO_THREAD_SAFETY_ANALYSIS {
    for (RateLimiter* limiter : limiters_) limiter->mutex_.Unlock();
  }
  LockedAll(const LockedAll&) = delete;
  LockedAll& operator=(const LockedAll&) = delete;

 private:
  const std::span<RateLimiter* const> limiters_;
};

RateLimiter::RateLimiter(const RateLimiterOptions& options, Clock& clock)
    : options_(options),
      clock_(clock),
      schedule_(MakeSchedule(options, clock.Now())),
      cost_max_(schedule_->cost_max()),
      latest_(clock.Now()) {}

Result<RateLimiter::Permit> RateLimiter::Acquire(int cost, Deadline deadline,
                                                 const std::stop_token& stop) {
  if (std::optional<Error> fault = FindFault(cost)) return *std::move(fault);
  const TimePoint arrival = clock_.Now();
  {
    const MutexLock lock(mutex_);
    const TimePoint now = Latest(arrival);
    const Duration wait = WaitFor(now, cost);
    if (std::optional<Error> refusal = FindRefusal(now, wait, deadline)) {
      ++counts_.refused;
      return *std::move(refusal);
    }
    if (wait == Duration::zero()) return Grant(now, cost);
  }
  return Wait(cost, deadline, stop);
}

Result<RateLimiter::Permit> RateLimiter::TryAcquire(int cost) {
  if (std::optional<Error> fault = FindFault(cost)) return *std::move(fault);
  const TimePoint arrival = clock_.Now();
  const MutexLock lock(mutex_);
  const TimePoint now = Latest(arrival);
  const Duration wait = WaitFor(now, cost);
  if (wait == Duration::zero()) return Grant(now, cost);
  ++counts_.refused;
  return Refusal(ErrorCode::kRateLimited, DueIn(wait), "rate-limit", wait);
}

// A second look, because the caller needs a place that others can find; a place is taken only here.
Result<RateLimiter::Permit> RateLimiter::Wait(int cost, Deadline deadline,
                                              const std::stop_token& stop) {
  Waiter self;
  self.cost = cost;
  // Takes the mutex, so that a request between the predicate and the wait is not lost.
  const std::stop_callback wake(stop, [&] {
    const MutexLock lock(mutex_);
    self.changed.NotifyAll();
  });
  const TimePoint arrival = clock_.Now();

  const MutexLock lock(mutex_);
  const TimePoint now = Latest(arrival);
  if (std::optional<Error> refusal = FindRefusal(now, WaitFor(now, cost), deadline)) {
    ++counts_.refused;
    return *std::move(refusal);
  }
  TakePlace(self, now);
  const PlaceInLine place(*this, self);
  if (!AwaitTurn(self, stop)) {
    GiveUpPlace(self, Latest(clock_.Now()));
    ++counts_.cancelled;
    return Refusal(ErrorCode::kCancelled, "stopped while waiting for the rate limit", {});
  }
  ++counts_.granted;
  return Permit(*this, self.reservation, TimeUntil(now, self.due));
}

// False if `stop` came first.
bool RateLimiter::AwaitTurn(Waiter& self, const std::stop_token& stop) {
  for (;;) {
    const TimePoint due = self.due;
    const auto changed = [&] { return stop.stop_requested() || self.due != due; };
    if (!clock_.AwaitUntil(mutex_, self.changed, due, changed)) return true;
    if (stop.stop_requested()) return false;
  }
}

void RateLimiter::TakePlace(Waiter& waiter, TimePoint now) {
  waiter.reservation = schedule_->Reserve(now, waiter.cost);
  UNDERSTUDY_CHECK(waiter.reservation.taken(), "a wait that was accepted cannot be reserved");
  waiter.due = now + waiter.reservation.wait;
}

// Those behind give up their places as well, last first, and take new ones in the same order: as if
// the one that leaves had never come. None becomes due later by that.
void RateLimiter::GiveUpPlace(Waiter& waiter, TimePoint now) {
  if (waiter.due <= now) {  // Its turn has come, so others behind it may have gone already.
    schedule_->Cancel(waiter.reservation);
    return;
  }
  const auto place = std::ranges::find(waiters_, &waiter);
  for (auto last = waiters_.end(); last != place;) {
    const bool undone = schedule_->Cancel((*--last)->reservation);
    UNDERSTUDY_CHECK(undone, "a waiting reservation was not the newest");
  }
  for (auto behind = place + 1; behind != waiters_.end(); ++behind) {
    TakePlace(**behind, now);
    (*behind)->changed.NotifyAll();
  }
}

RateLimiter::Permit RateLimiter::Grant(TimePoint now, int cost) {
  ++counts_.granted;
  if (cost == 0) return Permit(*this, {}, Duration::zero());
  return Permit(*this, schedule_->Reserve(now, cost), Duration::zero());
}

std::optional<Error> RateLimiter::FindFault(int cost) const {
  if (cost >= 0 && cost <= cost_max_) [[likely]]
    return std::nullopt;
  return Refusal(ErrorCode::kInvalidArgument,
                 "a request of cost " + std::to_string(cost) +
                     " can never pass the rate limit; it must be 0 to " +
                     std::to_string(cost_max_) + " at once: split it, or enlarge the burst",
                 "rate-limit-cost");
}

std::optional<Error> RateLimiter::FindTooLate(TimePoint now, Duration wait,
                                              Deadline deadline) const {
  const bool waits = wait > Duration::zero();
  const Duration useful = std::max(options_.min_useful, Duration(waits ? 1 : 0));
  const Duration left = deadline.Remaining(SaturatingAdd(now, wait));
  if (left >= useful && wait != RateSchedule::kForEver) [[likely]]
    return std::nullopt;
  if (waits) {
    return Refusal(ErrorCode::kRateLimited, DueIn(wait) + ", too late for the deadline",
                   "rate-limit", wait);
  }
  return Refusal(ErrorCode::kDeadlineExceeded,
                 "the deadline leaves " + FormatDuration(left) + " for a request that needs " +
                     FormatDuration(useful),
                 "rate-limit-useless");
}

std::optional<Error> RateLimiter::FindRefusal(TimePoint now, Duration wait,
                                              Deadline deadline) const {
  if (std::optional<Error> too_late = FindTooLate(now, wait, deadline)) return too_late;
  if (wait == Duration::zero() || static_cast<int>(waiters_.size()) < options_.waiters_max)
    return std::nullopt;
  return Refusal(ErrorCode::kRateLimited, DueIn(wait) + ", and too many callers wait already",
                 "rate-limit-waiters", wait);
}

TimePoint RateLimiter::Latest(TimePoint now) { return latest_ = std::max(latest_, now); }

void RateLimiter::Permit::Refund() {
  if (limiter_ != nullptr) std::exchange(limiter_, nullptr)->Refund(reservation_);
}

void RateLimiter::Refund(const RateSchedule::Reservation& reservation) {
  const MutexLock lock(mutex_);
  if (schedule_->Cancel(reservation)) ++counts_.refunded;
}

RateLimiterSnapshot RateLimiter::Snapshot() const {
  const TimePoint now = clock_.Now();
  const MutexLock lock(mutex_);
  RateLimiterSnapshot snapshot = counts_;
  snapshot.available = schedule_->Available(std::max(latest_, now));
  snapshot.waiting = static_cast<int>(waiters_.size());
  return snapshot;
}

// NO_THREAD_SAFETY_ANALYSIS: it cannot follow a set of mutexes that LockedAll holds.
Result<RateLimiter::Attempt> RateLimiter::TryAcquireAll(
    std::span<RateLimiter* const> limiters, int cost, Deadline deadline) NO_THREAD_SAFETY_ANALYSIS {
  Attempt attempt;
  attempt.permits.reserve(limiters.size());
  const LockedAll locked(limiters);
  Duration longest = Duration::zero();
  for (RateLimiter* limiter : limiters) {
    const TimePoint now = limiter->Latest(limiter->clock_.Now());
    const Duration wait = limiter->WaitFor(now, cost);
    if (wait <= longest) continue;
    longest = wait;
    attempt.slowest = limiter;
  }
  for (RateLimiter* limiter : limiters) {
    std::optional<Error> refusal = limiter->FindTooLate(limiter->latest_, longest, deadline);
    if (!refusal) continue;
    ++limiter->counts_.refused;
    return *std::move(refusal);
  }
  if (attempt.slowest != nullptr) return attempt;
  for (RateLimiter* limiter : limiters) {
    attempt.permits.push_back(limiter->Grant(limiter->latest_, cost));
  }
  return attempt;
}

}  // namespace understudy
