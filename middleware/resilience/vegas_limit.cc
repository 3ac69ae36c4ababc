#include "middleware/resilience/vegas_limit.h"

#include <algorithm>
#include <cmath>

#include "middleware/base/check.h"

namespace understudy {
namespace {

// The quickest round trip is measured anew after this many times the limit.
constexpr double kProbeEvery = 30.0;

// How far a step goes, and how short a queue does not count, at this limit.
double Magnitude(int limit) { return std::max(1.0, std::floor(std::log10(limit))); }

}  // namespace

VegasLimit::VegasLimit(const AdaptiveLimitOptions& options)
    : options_(options), estimate_(options.initial) {
  UNDERSTUDY_CHECK(FindProblems(options).empty(), "invalid adaptive limit options");
}

int VegasLimit::Update(Duration round_trip, int in_flight, bool dropped) {
  if (dropped) return MoveTo(Lowered());
  if (round_trip <= Duration::zero() || MeasureQuickest(round_trip)) return limit();
  // A client that does not use its limit would drift upwards for ever.
  if (2.0 * in_flight < estimate_) return limit();
  return MoveTo(Next(round_trip));
}

// True if this round trip is the new quickest one, and says nothing about a queue.
bool VegasLimit::MeasureQuickest(Duration round_trip) {
  ++measurements_;
  const bool anew = static_cast<double>(measurements_) >= kProbeEvery * estimate_;
  if (anew) measurements_ = 0;
  const bool quickest = anew || quickest_ == Duration::zero() || round_trip < quickest_;
  if (quickest) quickest_ = round_trip;
  return quickest;
}

double VegasLimit::Lowered() const {
  return options_.decrease ? estimate_ * *options_.decrease : estimate_ - Magnitude(limit());
}

double VegasLimit::Next(Duration round_trip) const {
  const double spent_queueing =
      1 - static_cast<double>(quickest_.count()) / static_cast<double>(round_trip.count());
  const double queue = std::ceil(estimate_ * spent_queueing);
  if (queue <= Magnitude(limit())) return estimate_ + options_.beta;
  if (queue < options_.alpha) return estimate_ + Magnitude(limit());
  if (queue > options_.beta) return Lowered();
  return estimate_;
}

int VegasLimit::MoveTo(double limit) {
  const double within =
      std::clamp(limit, static_cast<double>(options_.min), static_cast<double>(options_.max));
  // Exact without smoothing: a rounding error below a whole number would cost a place.
  estimate_ = (1 - options_.smoothing) * estimate_ + options_.smoothing * within;
  return this->limit();
}

}  // namespace understudy
