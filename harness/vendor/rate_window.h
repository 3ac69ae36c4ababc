// RateWindow: counts requests against one limit of a fake vendor, in the world's clock.
//
//   RateWindow window = *RateWindow::Create({.id = "per-minute", .max = 60, .window = 1min});
//   const RateDecision decision = window.Ask(clock.Now(), clock.SystemNow());
//   if (decision.admitted) window.Take(clock.Now(), clock.SystemNow());
#pragma once

#include <cstdint>
#include <deque>
#include <optional>

#include "harness/vendor/vendor_spec.h"
#include "middleware/base/result.h"

namespace understudy::harness {

struct RateDecision {
  bool admitted = false;
  std::int64_t remaining = 0;  // Requests that would be admitted at this moment.
  Duration retry_after = {};   // Until one will be; zero if admitted.
};

// Exact, in whole nanoseconds. A request that is refused does not count. Not thread-safe.
class RateWindow {
 public:
  // A sliding window remembers each admitted request; this bounds its memory.
  static constexpr std::int64_t kSlidingMax = 1'000'000;

  // kInvalidArgument for a negative max, a window of no length, an alignment for another kind than
  // fixed or shorter than the window, and a sliding max above kSlidingMax.
  static Result<RateWindow> Create(const LimitSpec& spec);

  // What a request at this moment would get. Counts nothing.
  RateDecision Ask(TimePoint now, SystemTime wall);
  // Counts a request that Ask admitted at the same moment.
  void Take(TimePoint now, SystemTime wall);

 private:
  // A token is worth `window` credits and each nanosecond brings `max` of them, so that no fraction
  // is ever lost. 128 bits: a day times a large max does not fit in 64.
  __extension__ using Credits = __int128;

  explicit RateWindow(const LimitSpec& spec);
  void StartFixed(TimePoint now, SystemTime wall);
  Duration FixedLeft(TimePoint now, SystemTime wall) const;
  void Forget(TimePoint now);
  void Refill(TimePoint now);

  std::int64_t max_ = 0;
  Duration window_ = {};
  LimitSpec::Kind kind_ = LimitSpec::Kind::kFixed;
  LimitSpec::Align align_ = LimitSpec::Align::kFirstRequest;

  std::int64_t taken_ = 0;                       // kFixed: in the current window.
  std::optional<TimePoint> window_start_ = {};   // kFixed from the first request.
  std::optional<SystemTime> period_start_ = {};  // kFixed at UTC.
  std::deque<TimePoint> admitted_ = {};          // kSliding, oldest first.
  Credits credits_ = 0;                          // kTokenBucket.
  std::optional<TimePoint> refilled_at_ = {};    // kTokenBucket.
};

}  // namespace understudy::harness
