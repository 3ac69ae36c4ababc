#include "harness/vendor/rate_window.h"

#include <algorithm>
#include <chrono>
#include <string>

#include "middleware/base/check.h"
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
  if (spec.kind == Kind::kConcurrency) {
    if (spec.window < Duration::zero()) return InvalidArgument("window must not be negative");
  } else if (spec.window <= Duration::zero()) {
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
      window_(spec.window > Duration::zero() ? spec.window : kPermitWait),
      kind_(spec.kind),
      align_(spec.align),
      credits_(static_cast<Credits>(spec.max) * window_.count()) {}

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
  while (!admitted_.empty() && now - admitted_.front().at >= window_) {
    taken_ -= admitted_.front().points;
    admitted_.pop_front();
  }
}

void RateWindow::Refill(TimePoint now) {
  const Credits full = static_cast<Credits>(max_) * window_.count();
  if (refilled_at_ && now > *refilled_at_) {
    credits_ =
        std::min(full, credits_ + static_cast<Credits>((now - *refilled_at_).count()) * max_);
  }
  refilled_at_ = now;
}

RateDecision RateWindow::AskFixed(TimePoint now, SystemTime wall, std::int64_t points) {
  StartFixed(now, wall);
  const Duration left = FixedLeft(now, wall);
  RateDecision decision{
      .admitted = points <= max_ - taken_, .remaining = max_ - taken_, .reset_after = left};
  if (!decision.admitted) decision.retry_after = left;
  return decision;
}

RateDecision RateWindow::AskSliding(TimePoint now, std::int64_t points) {
  Forget(now);
  RateDecision decision{.admitted = points <= max_ - taken_, .remaining = max_ - taken_};
  if (!admitted_.empty()) decision.reset_after = admitted_.back().at + window_ - now;
  if (decision.admitted) return decision;
  decision.retry_after = window_;
  std::int64_t free = decision.remaining;
  for (const Admitted& oldest : admitted_) {
    free += oldest.points;
    if (free < points) continue;
    decision.retry_after = oldest.at + window_ - now;
    break;
  }
  return decision;
}

RateDecision RateWindow::AskBucket(TimePoint now, std::int64_t points) {
  Refill(now);
  const Credits full = static_cast<Credits>(max_) * window_.count();
  const Credits price = static_cast<Credits>(points) * window_.count();
  // Rounded up: a nanosecond earlier it would not be enough.
  const auto until = [&](Credits credits) {
    return max_ > 0 ? Duration((credits - credits_ + max_ - 1) / max_) : window_;
  };
  RateDecision decision{.admitted = price <= credits_,
                        .remaining = static_cast<std::int64_t>(credits_ / window_.count()),
                        .reset_after = credits_ < full ? until(full) : Duration::zero()};
  if (!decision.admitted) decision.retry_after = price > full ? window_ : until(price);
  return decision;
}

RateDecision RateWindow::Ask(TimePoint now, SystemTime wall, std::int64_t points) {
  switch (kind_) {
    case Kind::kFixed:
      return AskFixed(now, wall, points);
    case Kind::kSliding:
      return AskSliding(now, points);
    case Kind::kTokenBucket:
    case Kind::kLeakyBucket:
      return AskBucket(now, points);
    case Kind::kConcurrency:
      break;
  }
  RateDecision decision{.admitted = points <= max_ - taken_,
                        .remaining = max_ - taken_,
                        .reset_after = taken_ > 0 ? window_ : Duration::zero()};
  if (!decision.admitted) decision.retry_after = window_;
  return decision;
}

void RateWindow::Take(TimePoint now, SystemTime wall, std::int64_t points) {
  if (points == 0) return;  // What takes nothing starts no window either.
  switch (kind_) {
    case Kind::kFixed:
      StartFixed(now, wall);
      if (align_ == Align::kFirstRequest && !window_start_) window_start_ = now;
      taken_ += points;
      break;
    case Kind::kSliding:
      Forget(now);
      admitted_.push_back({now, points});
      taken_ += points;
      break;
    case Kind::kTokenBucket:
    case Kind::kLeakyBucket:
      Refill(now);
      credits_ -= static_cast<Credits>(points) * window_.count();
      break;
    case Kind::kConcurrency:
      taken_ += points;
      break;
  }
}

void RateWindow::Release(std::int64_t points) {
  UNDERSTUDY_CHECK(kind_ == Kind::kConcurrency && points <= taken_,
                   "a permit is given back that was not taken");
  taken_ -= points;
}

}  // namespace understudy::harness
