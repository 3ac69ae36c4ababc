// Bulkhead: at most so many calls to one vendor at a time, so that a slow vendor cannot occupy
// every thread.
//
//   Bulkhead bulkhead({.concurrent_max = 8, .queue_max = 16}, clock);
//   Result<Bulkhead::Permit> permit = bulkhead.Acquire(deadline, stop);
//   if (!permit) return permit.error();
//   Send();                                   // the permit's end frees the place
//
// With `adaptive` the number of places follows what the vendor can take:
//
//   Bulkhead bulkhead({.adaptive = AdaptiveLimitOptions{.initial = 8, .max = 32}}, clock);
//   ...
//   permit->Record(round_trip, outcome.sample);
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <stop_token>
#include <utility>

#include "middleware/base/mutex.h"
#include "middleware/base/problems.h"
#include "middleware/base/result.h"
#include "middleware/resilience/concurrency_limit.h"
#include "middleware/resilience/outcome.h"
#include "middleware/runtime/clock.h"
#include "middleware/runtime/deadline.h"

namespace understudy {

struct BulkheadOptions {
  int concurrent_max = 32;  // Calls at the same time.
  int queue_max = 64;       // Callers that wait for a place; 0: none waits.
  // Nobody waits longer; the caller's deadline bounds the wait as well.
  std::optional<Duration> wait_max = {};
  // The number of places moves with what calls Record; its max is at most concurrent_max.
  std::optional<AdaptiveLimitOptions> adaptive = {};

  bool operator==(const BulkheadOptions&) const = default;
};

Problems FindProblems(const BulkheadOptions& options);

// What a bulkhead looks like at one moment.
struct BulkheadSnapshot {
  int limit = 0;    // Places; in_use is above it for a while after it was lowered.
  int in_use = 0;   // Calls that hold one.
  int waiting = 0;  // Callers in the queue.
  // Callers that got no place: the queue was full, or they waited too long for it. Not those that
  // stopped.
  std::int64_t refused = 0;

  bool operator==(const BulkheadSnapshot&) const = default;
};

// Thread-safe. First come, first served: a freed place goes to the longest waiting caller, never to
// a newcomer. A limit that is lowered ends no call: places disappear as calls end. One that is
// raised goes to the waiters at once, in their order. Must outlive its permits; the clock must
// outlive it.
class Bulkhead {
 public:
  // A place; move-only, given back when it ends. Used by one thread at a time.
  class Permit {
   public:
    Permit(Permit&& other) noexcept
        : bulkhead_(std::exchange(other.bulkhead_, nullptr)),
          in_flight_(other.in_flight_),
          waited_(other.waited_) {}
    Permit& operator=(Permit&& other) noexcept {
      if (this != &other) {
        Release();
        bulkhead_ = std::exchange(other.bulkhead_, nullptr);
        in_flight_ = other.in_flight_;
        waited_ = other.waited_;
      }
      return *this;
    }
    ~Permit() { Release(); }

    // Tells an adaptive limit how the call went: once, before the permit ends; without `adaptive`
    // nothing happens. `round_trip` is the time in the vendor's hands. A permit that just ends is
    // ignored.
    void Record(Duration round_trip, ConcurrencySample sample);

    // Did Acquire not find a free place at once?
    bool waited() const { return waited_; }

   private:
    friend class Bulkhead;
    Permit(Bulkhead& bulkhead, int in_flight, bool waited)
        : bulkhead_(&bulkhead), in_flight_(in_flight), waited_(waited) {}
    void Release();

    Bulkhead* bulkhead_;
    int in_flight_;  // Calls that ran when it was granted, itself included.
    bool waited_;
  };

  // `options` without problems; aborts otherwise.
  Bulkhead(const BulkheadOptions& options, Clock& clock);
  Bulkhead(const Bulkhead&) = delete;
  Bulkhead& operator=(const Bulkhead&) = delete;

  // Blocks through the clock while all places are taken. Errors, all not-sent and local:
  // kOverloaded, at once if the queue is full ("bulkhead-full") or after wait_max
  // ("bulkhead-wait"); kDeadlineExceeded; kCancelled.
  Result<Permit> Acquire(Deadline deadline, const std::stop_token& stop = {}) EXCLUDES(mutex_);

  BulkheadSnapshot Snapshot() const EXCLUDES(mutex_);
  int in_use() const EXCLUDES(mutex_) { return Snapshot().in_use; }
  int waiting() const EXCLUDES(mutex_) { return Snapshot().waiting; }

 private:
  // A caller in the queue. Lives on its stack; whoever grants it a place removes it from the queue.
  struct Waiter {
    CondVar granted_or_stopped{"a place in the bulkhead"};
    int in_flight = 0;  // Of the permit that it is granted; 0: none yet.
  };

  Result<Permit> Wait(Deadline deadline, const std::stop_token& stop) EXCLUDES(mutex_);
  bool HasPlace() const REQUIRES(mutex_) { return in_use_ < limit_->limit(); }
  Permit TakePlace(bool waited) REQUIRES(mutex_) { return Permit(*this, ++in_use_, waited); }
  void GrantPlaces() REQUIRES(mutex_);
  void ReleasePlace() EXCLUDES(mutex_);
  void Learn(Duration round_trip, int in_flight, bool dropped) EXCLUDES(mutex_);

  const BulkheadOptions options_;
  Clock& clock_;
  mutable Mutex mutex_;
  const std::unique_ptr<ConcurrencyLimit> limit_ GUARDED_BY(mutex_);
  int in_use_ GUARDED_BY(mutex_) = 0;
  std::int64_t refused_ GUARDED_BY(mutex_) = 0;
  std::deque<Waiter*> queue_ GUARDED_BY(mutex_);  // Longest waiting first.
};

}  // namespace understudy
