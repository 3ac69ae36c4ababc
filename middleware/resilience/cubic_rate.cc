#include "middleware/resilience/cubic_rate.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "middleware/base/check.h"

namespace understudy {
namespace {

constexpr double kCapacityMin = 1.0;
constexpr Duration kMeasureEvery = std::chrono::milliseconds(500);

double InSeconds(Duration duration) { return std::chrono::duration<double>(duration).count(); }

// Written so that no number at all is a problem.
void CheckRange(Problems& problems, const char* name, double value, double low, double high,
                const char* range) {
  if (value >= low && value <= high) return;
  problems.push_back(std::string("cubic.") + name + " is " + std::to_string(value) +
                     "; it must be " + range);
}

}  // namespace

Problems FindProblems(const CubicRateOptions& options) {
  Problems problems;
  CheckRange(problems, "beta", options.beta, 0.01, 0.99, "0.01 to 0.99");
  CheckRange(problems, "scale", options.scale, 0.001, 1000.0, "0.001 to 1000");
  CheckRange(problems, "smoothing", options.smoothing, 0.01, 1.0, "0.01 to 1");
  CheckRange(problems, "rate_min", options.rate_min, 0.001, 1e6, "0.001 to 1000000");
  CheckRange(problems, "initial_tokens", options.initial_tokens, 0.0, 1.0, "0 to 1");
  return problems;
}

double CubicCurve::RateAt(TimePoint now) const {
  // From the throttle to the point where the curve is back at rate_max.
  const double climb = std::cbrt(rate_max * (1 - beta) / scale);
  const double since = std::max(InSeconds(now - throttled_at), 0.0);
  const double from_plateau = since - climb;
  return scale * from_plateau * from_plateau * from_plateau + rate_max;
}

CubicRate::CubicRate(const CubicRateOptions& options, TimePoint start)
    : options_(options),
      start_(start),
      curve_{.rate_max = 0.0, .throttled_at = start, .beta = options.beta, .scale = options.scale},
      tokens_(options.initial_tokens),
      refilled_at_(start) {
  UNDERSTUDY_CHECK(FindProblems(options).empty(), "invalid cubic rate options");
}

Duration CubicRate::TryAcquire(TimePoint now, double cost) {
  UNDERSTUDY_CHECK(cost >= 0.0, "a request costs zero tokens or more");
  if (!limits_) return Duration::zero();
  Refill(now);
  const double price = std::min(cost, capacity_);
  const double wait = (price - tokens_) / rate_ * 1e9;
  if (wait >= 1.0) return Duration(static_cast<Duration::rep>(std::ceil(wait)));
  tokens_ = std::max(tokens_ - price, 0.0);
  return Duration::zero();
}

void CubicRate::Record(TimePoint now, bool throttled) {
  Measure(now);
  const double rate = throttled ? Throttle(now) : curve_.RateAt(now);
  SetRate(now, std::min(rate, 2 * measured_));
}

double CubicRate::tokens(TimePoint now) const {
  if (!limits_ || now <= refilled_at_) return tokens_;
  return std::min(capacity_, tokens_ + InSeconds(now - refilled_at_) * rate_);
}

void CubicRate::Refill(TimePoint now) {
  tokens_ = tokens(now);
  refilled_at_ = std::max(refilled_at_, now);
}

// Answers per second over the half seconds that are complete.
void CubicRate::Measure(TimePoint now) {
  ++answers_;
  const std::int64_t half_second = (now - start_) / kMeasureEvery;
  if (half_second <= half_second_) return;
  const double seconds = InSeconds(kMeasureEvery) * static_cast<double>(half_second - half_second_);
  const double newest = static_cast<double>(answers_) / seconds;
  measured_ = newest * options_.smoothing + measured_ * (1 - options_.smoothing);
  answers_ = 0;
  half_second_ = half_second;
}

double CubicRate::Throttle(TimePoint now) {
  Refill(now);  // While nothing was limited, nothing was saved up.
  curve_.rate_max = limits_ ? std::min(measured_, rate_) : measured_;
  curve_.throttled_at = now;
  limits_ = true;
  return curve_.rate_max * options_.beta;
}

void CubicRate::SetRate(TimePoint now, double rate) {
  Refill(now);
  rate_ = std::max(rate, options_.rate_min);
  capacity_ = std::max(rate, kCapacityMin);
  tokens_ = std::min(tokens_, capacity_);
}

}  // namespace understudy
