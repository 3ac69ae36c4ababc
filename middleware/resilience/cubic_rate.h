// CubicRate: how many requests per second a vendor takes, found by growing until it throttles (the
// client rate limiter of the AWS SDKs' adaptive retry mode: "Retry behavior", AWS SDKs and Tools
// Reference Guide).
//
//   CubicRate rate({}, clock.Now());
//   for (Duration wait; (wait = rate.TryAcquire(clock.Now())) > 0ns;) Sleep(wait);
//   const Outcome outcome = Send();
//   rate.Record(clock.Now(), outcome.throttled);
//
// Nothing is limited before the vendor throttles for the first time. From then on a token bucket
// paces the requests. Each answer sets its rate: `beta` of what was sent after a throttle, else the
// cubic curve that rises quickly back to the rate that was too much, stays near it for a while, and
// then looks for more (RFC 9438 section 4.2); but at most twice what is really sent.
#pragma once

#include <cstdint>

#include "middleware/base/problems.h"
#include "middleware/base/time.h"

namespace understudy {

struct CubicRateOptions {
  double beta = 0.7;            // What a throttle leaves of the rate; 0.01 to 0.99.
  double scale = 0.4;           // How steep the curve is; 0.001 to 1000.
  double smoothing = 0.8;       // Weight of the newest half second in the measured rate; 0.01 to 1.
  double rate_min = 0.5;        // Requests per second that are always allowed; 0.001 to a million.
  double initial_tokens = 0.0;  // In the bucket when it first limits; 0 to 1.

  bool operator==(const CubicRateOptions&) const = default;
};

Problems FindProblems(const CubicRateOptions& options);

// The curve: a function of the time since the last throttle.
struct CubicCurve {
  double rate_max = 0.0;     // Requests per second when the vendor throttled.
  TimePoint throttled_at{};  // When it did.
  double beta = 0.7;
  double scale = 0.4;

  // beta * rate_max at throttled_at; no less than that later.
  double RateAt(TimePoint now) const;
};

// Not thread-safe; constant memory. `now` is the monotonic clock; an earlier one than before counts
// as no time passed.
class CubicRate {
 public:
  // `options` without problems; aborts otherwise. Times count from `start`.
  CubicRate(const CubicRateOptions& options, TimePoint start);

  // Takes `cost` tokens and returns zero: send. Otherwise takes nothing and returns how long to
  // wait before asking again, at least 1 ns: every waiter is told the same, and asks again. What is
  // missing by less than 1 ns of refill, which is rounding, counts as there. A cost above what the
  // bucket can hold, one second of its rate and at least 1, takes a full bucket. A negative cost
  // aborts.
  [[nodiscard]] Duration TryAcquire(TimePoint now, double cost = 1.0);

  // A request was answered.
  void Record(TimePoint now, bool throttled);

  bool limits() const { return limits_; }             // Has the vendor throttled yet?
  double rate() const { return rate_; }               // Tokens per second; 0 at first.
  double measured_rate() const { return measured_; }  // Answers per second, smoothed.
  double tokens(TimePoint now) const;                 // In the bucket; never negative.

 private:
  void Refill(TimePoint now);
  void Measure(TimePoint now);
  double Throttle(TimePoint now);
  void SetRate(TimePoint now, double rate);

  const CubicRateOptions options_;
  const TimePoint start_;
  CubicCurve curve_;
  bool limits_ = false;
  double rate_ = 0.0;
  double capacity_ = 1.0;
  double tokens_;
  TimePoint refilled_at_;
  double measured_ = 0.0;
  std::int64_t answers_ = 0;      // Since measured_half_.
  std::int64_t half_second_ = 0;  // The last half second since the start that was measured.
};

}  // namespace understudy
