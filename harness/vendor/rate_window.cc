#include "harness/vendor/rate_window.h"

#include <algorithm>
#include <chrono>
#include <string>

#include "middleware/base/text.h"

namespace understudy::harness {
namespace {

using Align = LimitSpec::Align;
using Kind = LimitSpec::Kind;

Duration UnitOf(Align align) {
  return align == Align::kUtcDay ? Duration(std::chrono::hours(24)) : std::chrono::hours(1);
}

SystemTime UnitStart(Align align, SystemTime wall) {
  if (align == Align::kUtcDay) return std::chrono::floor<std::chrono::days>(wall);
  return std::chrono::floor<std::chrono::hours>(wall);
}

SystemTime PeriodStart(Align align, Duration window, SystemTime wall) {
  const SystemTime unit = UnitStart(align, wall);
  return unit + (wall - unit) / window * window;
}

}  // namespace

Result<RateWindow> RateWindow::Create(const LimitSpec& spec) {
  if (spec.max < 0) return InvalidArgument("max must not be negative");
  if (spec.window <= Duration::zero()) {
    return InvalidArgument("window must be longer than zero, e.g. \"60s\"");
  }
  if (spec.align != Align::kFirstRequest) {
    if (spec.kind != Kind::kFixed) return InvalidArgument("align is only for the kind \"fixed\"");
    if (spec.window > UnitOf(spec.align)) {
      return InvalidArgument("a window of " + FormatDuration(spec.window) +
                             " does not fit in the " + FormatDuration(UnitOf(spec.align)) +
                             " that it is aligned to");
    }
  }
  if (spec.kind == Kind::kSliding && spec.max > kSlidingMax) {
    return InvalidArgument("a sliding limit has at most " + std::to_string(kSlidingMax) +
                           " requests; use \"token-bucket\"");
  }
  return RateWindow(spec);
}

RateWindow::RateWindow(const LimitSpec& spec)
    : max_(spec.max),
      window_(spec.window),
      kind_(spec.kind),
      align_(spec.align),
      credits_(static_cast<Credits>(spec.max) * spec.window.count()) {}

void RateWindow::StartFixed(TimePoint now, SystemTime wall) {
  if (align_ == Align::kFirstRequest) {
    // The next window starts with the request that is counted in it, see Take.
    if (window_start_ && now - *window_start_ >= window_) {
      window_start_.reset();
      taken_ = 0;
    }
    return;
  }
  const SystemTime start = PeriodStart(align_, window_, wall);
  if (period_start_ != start) {
    period_start_ = start;
    taken_ = 0;
  }
}

Duration RateWindow::FixedLeft(TimePoint now, SystemTime wall) const {
  if (align_ == Align::kFirstRequest) {
    return window_start_ ? *window_start_ + window_ - now : window_;
  }
  const SystemTime unit_end = UnitStart(align_, wall) + UnitOf(align_);
  return std::min(PeriodStart(align_, window_, wall) + window_, unit_end) - wall;
}

void RateWindow::Forget(TimePoint now) {
  while (!admitted_.empty() && now - admitted_.front() >= window_) admitted_.pop_front();
}

void RateWindow::Refill(TimePoint now) {
  const Credits full = static_cast<Credits>(max_) * window_.count();
  if (refilled_at_ && now > *refilled_at_) {
    credits_ =
        std::min(full, credits_ + static_cast<Credits>((now - *refilled_at_).count()) * max_);
  }
  refilled_at_ = now;
}

RateDecision RateWindow::Ask(TimePoint now, SystemTime wall) {
  std::int64_t remaining = 0;
  Duration wait = window_;
  switch (kind_) {
    case Kind::kFixed:
      StartFixed(now, wall);
      remaining = max_ - taken_;
      wait = FixedLeft(now, wall);
      break;
    case Kind::kSliding:
      Forget(now);
      remaining = max_ - static_cast<std::int64_t>(admitted_.size());
      if (!admitted_.empty()) wait = admitted_.front() + window_ - now;
      break;
    case Kind::kTokenBucket:
      Refill(now);
      remaining = static_cast<std::int64_t>(credits_ / window_.count());
      if (max_ > 0) wait = Duration((window_.count() - credits_ + max_ - 1) / max_);
      break;
  }
  if (remaining > 0) return {.admitted = true, .remaining = remaining};
  return {.retry_after = wait};
}

void RateWindow::Take(TimePoint now, SystemTime wall) {
  switch (kind_) {
    case Kind::kFixed:
      StartFixed(now, wall);
      if (align_ == Align::kFirstRequest && !window_start_) window_start_ = now;
      ++taken_;
      break;
    case Kind::kSliding:
      Forget(now);
      admitted_.push_back(now);
      break;
    case Kind::kTokenBucket:
      Refill(now);
      credits_ -= window_.count();
      break;
  }
}

}  // namespace understudy::harness
