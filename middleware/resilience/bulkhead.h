// Bulkhead: at most so many calls to one vendor at a time, so that a slow vendor cannot occupy
// every thread.
//
//   Bulkhead bulkhead({.concurrent_max = 8, .queue_max = 16}, clock);
//   Result<Bulkhead::Permit> permit = bulkhead.Acquire(deadline, stop);
//   if (!permit) return permit.error();
//   Send();                                   // the permit's end frees the place
#pragma once

#include <deque>
#include <optional>
#include <stop_token>
#include <utility>

#include "middleware/base/mutex.h"
#include "middleware/base/result.h"
#include "middleware/resilience/problems.h"
#include "middleware/runtime/clock.h"
#include "middleware/runtime/deadline.h"

namespace understudy {

struct BulkheadOptions {
  int concurrent_max = 32;  // Calls at the same time.
  int queue_max = 64;       // Callers that wait for a place; 0: none waits.
  // Nobody waits longer; the caller's deadline bounds the wait as well.
  std::optional<Duration> wait_max = {};

  bool operator==(const BulkheadOptions&) const = default;
};

Problems FindProblems(const BulkheadOptions& options);

// Thread-safe. First come, first served: a freed place goes to the longest waiting caller, never to
// a newcomer. Must outlive its permits; the clock must outlive it.
class Bulkhead {
 public:
  // A place; move-only, given back when it ends.
  class Permit {
   public:
    Permit(Permit&& other) noexcept : bulkhead_(std::exchange(other.bulkhead_, nullptr)) {}
    Permit& operator=(Permit&& other) noexcept {
      if (this != &other) {
        Release();
        bulkhead_ = std::exchange(other.bulkhead_, nullptr);
      }
      return *this;
    }
    ~Permit() { Release(); }

   private:
    friend class Bulkhead;
    explicit Permit(Bulkhead& bulkhead) : bulkhead_(&bulkhead) {}
    void Release();

    Bulkhead* bulkhead_;
  };

  // `options` without problems; aborts otherwise.
  Bulkhead(const BulkheadOptions& options, Clock& clock);
  Bulkhead(const Bulkhead&) = delete;
  Bulkhead& operator=(const Bulkhead&) = delete;

  // Blocks through the clock while all places are taken. Errors, all not-sent and local:
  // kOverloaded, at once if the queue is full ("bulkhead-full") or after wait_max
  // ("bulkhead-wait"); kDeadlineExceeded; kCancelled.
  Result<Permit> Acquire(Deadline deadline, const std::stop_token& stop = {}) EXCLUDES(mutex_);

  int in_use() const EXCLUDES(mutex_);
  int waiting() const EXCLUDES(mutex_);

 private:
  // A caller in the queue. Lives on its stack; whoever grants it a place removes it from the queue.
  struct Waiter {
    CondVar granted_or_stopped{"a place in the bulkhead"};
    bool granted = false;
  };

  Result<Permit> Wait(Deadline deadline, const std::stop_token& stop) EXCLUDES(mutex_);
  void ReleasePlace() EXCLUDES(mutex_);

  const BulkheadOptions options_;
  Clock& clock_;
  mutable Mutex mutex_;
  int in_use_ GUARDED_BY(mutex_) = 0;
  std::deque<Waiter*> queue_ GUARDED_BY(mutex_);  // Longest waiting first.
};

}  // namespace understudy
