#include "middleware/resilience/bulkhead.h"

#include <algorithm>
#include <string>

#include "middleware/base/check.h"
#include "middleware/base/text.h"
#include "middleware/resilience/fixed_limit.h"

namespace understudy {
namespace {

constexpr int kPlacesMax = 100'000;

Error Refuse(ErrorCode code, std::string message, std::string reason) {
  return Error{code, std::move(message), Delivery::kNotSent, Origin::kLocal, {}, std::move(reason)};
}

std::unique_ptr<ConcurrencyLimit> LimitOf(const BulkheadOptions& options) {
  UNDERSTUDY_CHECK(FindProblems(options).empty(), "invalid bulkhead options");
  if (options.adaptive) return CreateConcurrencyLimit(*options.adaptive);
  return std::make_unique<FixedLimit>(options.concurrent_max);
}

}  // namespace

Problems FindProblems(const BulkheadOptions& options) {
  Problems problems;
  RequireRange(problems, "bulkhead.concurrent_max", options.concurrent_max, 1, kPlacesMax);
  RequireRange(problems, "bulkhead.queue_max", options.queue_max, 0, kPlacesMax);
  if (options.wait_max && *options.wait_max < Duration::zero()) {
    problems.push_back("bulkhead.wait_max is " + FormatDuration(*options.wait_max) +
                       "; it must not be negative");
  }
  if (!options.adaptive) return problems;
  for (const std::string& problem : FindProblems(*options.adaptive)) {
    problems.push_back("bulkhead." + problem);
  }
  if (options.adaptive->max > options.concurrent_max) {
    problems.push_back("bulkhead.adaptive.max is " + std::to_string(options.adaptive->max) +
                       "; it must be at most bulkhead.concurrent_max, " +
                       std::to_string(options.concurrent_max));
  }
  return problems;
}

Bulkhead::Bulkhead(const BulkheadOptions& options, Clock& clock)
    : options_(options), clock_(clock), limit_(LimitOf(options)) {}

void Bulkhead::Permit::Record(Duration round_trip, ConcurrencySample sample) {
  UNDERSTUDY_CHECK(bulkhead_ != nullptr, "a permit that was moved away records");
  if (!bulkhead_->options_.adaptive || sample == ConcurrencySample::kIgnore) return;
  bulkhead_->Learn(round_trip, in_flight_, sample == ConcurrencySample::kDrop);
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
    if (HasPlace()) return TakePlace(/*waited=*/false);
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
  if (HasPlace()) return TakePlace(/*waited=*/true);  // Freed since Acquire looked.
  if (static_cast<int>(queue_.size()) >= options_.queue_max) {
    ++refused_;
    return Refuse(ErrorCode::kOverloaded,
                  "all " + std::to_string(limit_->limit()) +
                      " places of the bulkhead are taken and " + std::to_string(queue_.size()) +
                      " callers wait already",
                  "bulkhead-full");
  }
  queue_.push_back(&self);
  clock_.AwaitUntil(mutex_, self.granted_or_stopped, give_up.point(),
                    [&] { return self.in_flight > 0 || stop.stop_requested(); });
  if (self.in_flight > 0) return Permit(*this, self.in_flight, /*waited=*/true);
  queue_.erase(std::find(queue_.begin(), queue_.end(), &self));
  if (stop.stop_requested())
    return Refuse(ErrorCode::kCancelled, "stopped in the bulkhead's queue", {});
  ++refused_;
  if (give_up < deadline) {
    return Refuse(
        ErrorCode::kOverloaded,
        "no place in the bulkhead became free within " + FormatDuration(*options_.wait_max),
        "bulkhead-wait");
  }
  return Refuse(ErrorCode::kDeadlineExceeded, "the deadline passed in the bulkhead's queue",
                "bulkhead");
}

void Bulkhead::GrantPlaces() {
  while (!queue_.empty() && HasPlace()) {
    Waiter& next = *queue_.front();
    queue_.pop_front();
    next.in_flight = ++in_use_;
    next.granted_or_stopped.NotifyAll();
  }
}

void Bulkhead::ReleasePlace() {
  const MutexLock lock(mutex_);
  --in_use_;
  GrantPlaces();
}

void Bulkhead::Learn(Duration round_trip, int in_flight, bool dropped) {
  const MutexLock lock(mutex_);
  limit_->Update(round_trip, in_flight, dropped);
  GrantPlaces();
}

BulkheadSnapshot Bulkhead::Snapshot() const {
  const MutexLock lock(mutex_);
  return {limit_->limit(), in_use_, static_cast<int>(queue_.size()), refused_};
}

}  // namespace understudy
