#include "middleware/resilience/bulkhead.h"

#include <algorithm>
#include <string>

#include "middleware/base/check.h"
#include "middleware/base/text.h"

namespace understudy {
namespace {

constexpr int kPlacesMax = 100'000;

Error Refuse(ErrorCode code, std::string message, std::string reason) {
  return Error{code, std::move(message), Delivery::kNotSent, Origin::kLocal, {}, std::move(reason)};
}

}  // namespace

Problems FindProblems(const BulkheadOptions& options) {
  Problems problems;
  if (options.concurrent_max < 1 || options.concurrent_max > kPlacesMax) {
    problems.push_back("bulkhead.concurrent_max is " + std::to_string(options.concurrent_max) +
                       "; it must be 1 to " + std::to_string(kPlacesMax));
  }
  if (options.queue_max < 0 || options.queue_max > kPlacesMax) {
    problems.push_back("bulkhead.queue_max is " + std::to_string(options.queue_max) +
                       "; it must be 0 to " + std::to_string(kPlacesMax));
  }
  if (options.wait_max && *options.wait_max < Duration::zero()) {
    problems.push_back("bulkhead.wait_max is " + FormatDuration(*options.wait_max) +
                       "; it must not be negative");
  }
  return problems;
}

Bulkhead::Bulkhead(const BulkheadOptions& options, Clock& clock)
    : options_(options), clock_(clock) {
  UNDERSTUDY_CHECK(FindProblems(options).empty(), "invalid bulkhead options");
}

void Bulkhead::Permit::Release() {
  if (bulkhead_ != nullptr) std::exchange(bulkhead_, nullptr)->ReleasePlace();
}

Result<Bulkhead::Permit> Bulkhead::Acquire(Deadline deadline, const std::stop_token& stop) {
  if (stop.stop_requested())
    return Refuse(ErrorCode::kCancelled, "stopped before the bulkhead", {});
  {
    const MutexLock lock(mutex_);
    // A place is only free while nobody waits: a freed one is handed to the first waiter.
    if (in_use_ < options_.concurrent_max) {
      ++in_use_;
      return Permit(*this);
    }
  }
  return Wait(deadline, stop);
}

Result<Bulkhead::Permit> Bulkhead::Wait(Deadline deadline, const std::stop_token& stop) {
  Waiter self;
  // Takes the mutex, so that a request between the predicate and the wait is not lost.
  const std::stop_callback wake(stop, [&] {
    const MutexLock lock(mutex_);
    self.granted_or_stopped.NotifyAll();
  });
  const TimePoint now = clock_.Now();
  const Deadline give_up =
      options_.wait_max ? deadline.Tightened(Deadline::After(now, *options_.wait_max)) : deadline;

  const MutexLock lock(mutex_);
  if (in_use_ < options_.concurrent_max) {  // Freed since Acquire looked.
    ++in_use_;
    return Permit(*this);
  }
  if (static_cast<int>(queue_.size()) >= options_.queue_max) {
    return Refuse(ErrorCode::kOverloaded,
                  "all " + std::to_string(options_.concurrent_max) +
                      " places of the bulkhead are taken and " + std::to_string(queue_.size()) +
                      " callers wait already",
                  "bulkhead-full");
  }
  queue_.push_back(&self);
  clock_.AwaitUntil(mutex_, self.granted_or_stopped, give_up.point(),
                    [&] { return self.granted || stop.stop_requested(); });
  if (self.granted) return Permit(*this);
  queue_.erase(std::find(queue_.begin(), queue_.end(), &self));
  if (stop.stop_requested())
    return Refuse(ErrorCode::kCancelled, "stopped in the bulkhead's queue", {});
  if (give_up < deadline) {
    return Refuse(
        ErrorCode::kOverloaded,
        "no place in the bulkhead became free within " + FormatDuration(*options_.wait_max),
        "bulkhead-wait");
  }
  return Refuse(ErrorCode::kDeadlineExceeded, "the deadline passed in the bulkhead's queue",
                "bulkhead");
}

void Bulkhead::ReleasePlace() {
  const MutexLock lock(mutex_);
  if (queue_.empty()) {
    --in_use_;
    return;
  }
  Waiter& next = *queue_.front();
  queue_.pop_front();
  next.granted = true;
  next.granted_or_stopped.NotifyAll();
}

int Bulkhead::in_use() const {
  const MutexLock lock(mutex_);
  return in_use_;
}

int Bulkhead::waiting() const {
  const MutexLock lock(mutex_);
  return static_cast<int>(queue_.size());
}

}  // namespace understudy
