// RateWindow: counts requests against one limit of a fake vendor, in the world's clock.
//
//   RateWindow window = *RateWindow::Create({.id = "per-minute", .max = 60, .window = 1min});
//   const RateDecision decision = window.Ask(clock.Now(), clock.SystemNow());
//   if (decision.admitted) window.Take(clock.Now(), clock.SystemNow());
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>

#include "harness/vendor/vendor_spec.h"
#include "middleware/base/result.h"

namespace understudy::harness {

struct RateDecision {
  bool admitted = false;
  std::int64_t remaining = 0;  // Points that would be admitted at this moment; never negative.
  // Until the points that were asked for will be; zero if admitted. Of more points than max, which
  // never will be, and where it cannot be told: the end of the window, or its length.
  Duration retry_after = {};
  // Until nothing is taken any more: the end of the fixed window, the moment when the youngest
  // request leaves the sliding one, when the bucket is full (or empty). Of concurrent exchanges
  // nobody can tell: how long a refused caller is told to wait.
  Duration reset_after = {};
};

// Exact, in whole nanoseconds. A request that is refused does not count. A request takes one or
// more points. Not thread-safe.
class RateWindow {
 public:
  // A sliding window remembers each admitted request; this bounds its memory.
  static constexpr std::int64_t kSlidingMax = 1'000'000;
  // What a caller is told to wait for a permit when the spec's window is zero.
  static constexpr Duration kPermitWait = std::chrono::seconds(1);

  // kInvalidArgument for a negative max, a window of no length (kConcurrency: of a negative one),
  // an alignment for another kind than fixed or shorter than the window, and a sliding max above
  // kSlidingMax.
  static Result<RateWindow> Create(const LimitSpec& spec);

  // What a request at this moment would get. Counts nothing.
  RateDecision Ask(TimePoint now, SystemTime wall, std::int64_t points = 1);
  // Counts a request that Ask admitted at the same moment.
  void Take(TimePoint now, SystemTime wall, std::int64_t points = 1);
  // kConcurrency: gives back what one Take took.
  void Release(std::int64_t points = 1);
  // Of the spec; of kConcurrency with none, kPermitWait.
  Duration window() const { return window_; }
  // kConcurrency: points that are held.
  std::int64_t held() const { return taken_; }

 private:
  // A token is worth `window` credits and each nanosecond brings `max` of them, so that no fraction
  // is ever lost. 128 bits: a day times a large max does not fit in 64.
  __extension__ using Credits = __int128;

  explicit RateWindow(const LimitSpec& spec);
  void StartFixed(TimePoint now, SystemTime wall);
  Duration FixedLeft(TimePoint now, SystemTime wall) const;
  void Forget(TimePoint now);
  void Refill(TimePoint now);
  RateDecision AskFixed(TimePoint now, SystemTime wall, std::int64_t points);
  RateDecision AskSliding(TimePoint now, std::int64_t points);
  RateDecision AskBucket(TimePoint now, std::int64_t points);

  struct Admitted {
    TimePoint at = {};
    std::int64_t points = 0;
  };

  std::int64_t max_ = 0;
  Duration window_ = {};
  LimitSpec::Kind kind_ = LimitSpec::Kind::kFixed;
  LimitSpec::Align align_ = LimitSpec::Align::kFirstRequest;

  std::int64_t taken_ = 0;  // kFixed, kSliding: in the current window. kConcurrency: held.
  std::optional<TimePoint> window_start_ = {};   // kFixed from the first request.
  std::optional<SystemTime> period_start_ = {};  // kFixed at UTC.
  std::deque<Admitted> admitted_ = {};           // kSliding, oldest first.
  Credits credits_ = 0;                          // The buckets: what still fits.
  std::optional<TimePoint> refilled_at_ = {};    // The buckets.
};

}  // namespace understudy::harness
