#include "middleware/resilience/circuit_breaker.h"

#include <algorithm>
#include <cmath>

#include "middleware/base/text.h"

namespace understudy {
namespace {

constexpr int kCountMax = 1000;

void CheckCount(Problems& problems, std::string_view name, int value, int low) {
  if (value >= low && value <= kCountMax) return;
  problems.push_back(std::string(name) + " is " + std::to_string(value) + "; it must be " +
                     std::to_string(low) + " to " + std::to_string(kCountMax));
}

void CheckPositive(Problems& problems, std::string_view name, Duration value) {
  if (value > Duration::zero()) return;
  problems.push_back(std::string(name) + " is " + FormatDuration(value) + "; it must be positive");
}

// Written so that NaN is refused too.
void CheckRange(Problems& problems, std::string_view name, double value, double low, double high) {
  if (value >= low && value <= high) return;
  problems.push_back(std::string(name) + " is " + std::to_string(value) + "; it must be " +
                     std::to_string(low) + " to " + std::to_string(high));
}

// `duration` times `factor`, at most `cap`; total over any factor.
Duration ScaledAtMost(Duration duration, double factor, Duration cap) {
  const double scaled = static_cast<double>(duration.count()) * factor;
  if (!(scaled < static_cast<double>(cap.count()))) return cap;
  return Duration(std::llround(scaled));
}

}  // namespace

Problems FindProblems(const CircuitBreakerOptions& options) {
  Problems problems;
  CheckCount(problems, "failures", options.failures, 1);
  CheckPositive(problems, "window", options.window);
  CheckPositive(problems, "open_for", options.open_for);
  CheckRange(problems, "open_growth", options.open_growth, 1.0, 100.0);
  CheckPositive(problems, "open_for_max", options.open_for_max);
  CheckRange(problems, "open_jitter", options.open_jitter, 0.0, 1.0);
  CheckCount(problems, "half_open_calls", options.half_open_calls, 1);
  CheckCount(problems, "half_open_successes", options.half_open_successes, 0);
  CheckPositive(problems, "half_open_max", options.half_open_max);
  return problems;
}

std::string_view ToString(BreakerState state) {
  switch (state) {
    case BreakerState::kClosed:
      return "closed";
    case BreakerState::kOpen:
      return "open";
    case BreakerState::kHalfOpen:
      return "half-open";
  }
  return "closed";
}

Result<std::unique_ptr<CircuitBreaker>> CircuitBreaker::Create(std::string name,
                                                               const CircuitBreakerOptions& options,
                                                               const Runtime& runtime) {
  UNDERSTUDY_RETURN_IF_ERROR(ToResult("circuit breaker " + name, FindProblems(options)));
  // Not make_unique: the constructor is private.
  return std::unique_ptr<CircuitBreaker>(new CircuitBreaker(std::move(name), options, runtime));
}

CircuitBreaker::CircuitBreaker(std::string name, const CircuitBreakerOptions& options,
                               const Runtime& runtime)
    : name_(std::move(name)),
      options_(options),
      clock_(runtime.clock),
      random_(runtime.random),
      events_(runtime.events) {}

CircuitBreakerSnapshot CircuitBreaker::Snapshot() const {
  const TimePoint now = clock_.Now();
  const MutexLock lock(mutex_);
  CircuitBreakerSnapshot snapshot = counts_;
  snapshot.state = state_;
  snapshot.streak = static_cast<int>(streak_.size());
  snapshot.transitions = generation_;
  if (state_ == BreakerState::kOpen) {
    snapshot.open_remaining = std::max(Duration::zero(), open_until_ - now);
  }
  return snapshot;
}

Result<CircuitBreaker::Permit> CircuitBreaker::TryAcquireSlow() {
  const TimePoint now = clock_.Now();
  std::optional<Result<Permit>> permit;
  bool moved = false;
  {
    const MutexLock lock(mutex_);
    const std::uint64_t before = generation_;
    permit.emplace(Admit(now));
    // Who made a transition publishes it before it goes on, so that nobody sees a probe before the
    // half-open state.
    moved = generation_ != before;
  }
  if (moved) PublishTransitions();
  return std::move(*permit);
}

Result<CircuitBreaker::Permit> CircuitBreaker::Admit(TimePoint now) {
  if (state_ == BreakerState::kOpen) {
    if (now < open_until_) return RejectOpen(now);
    Transit(BreakerState::kHalfOpen, "open period over");
  }
  if (state_ == BreakerState::kHalfOpen) return AdmitProbe(now);
  return Permit(*this, generation_, BreakerState::kClosed);
}

Result<CircuitBreaker::Permit> CircuitBreaker::AdmitProbe(TimePoint now) {
  // More probes than successes are missing would tell nothing new.
  const int slots = std::min(options_.half_open_calls, SuccessesNeeded() - probes_succeeded_);
  if (probes_out_ < slots) {
    ++probes_out_;
    last_probe_at_ = now;
    return Permit(*this, generation_, BreakerState::kHalfOpen);
  }
  if (now - last_probe_at_ >= options_.half_open_max) {
    ++reopened_;
    Open(now, "no answer to the probe in " + FormatDuration(options_.half_open_max));
    return RejectOpen(now);
  }
  ++counts_.rejected_half_open;
  return Error{ErrorCode::kCircuitOpen,
               "circuit breaker " + name_ + " is half-open and its probe has not reported yet",
               Delivery::kNotSent,
               Origin::kLocal,
               {},
               "breaker-half-open"};
}

Error CircuitBreaker::RejectOpen(TimePoint now) {
  ++counts_.rejected_open;
  const Duration remaining = open_until_ - now;
  return Error{
      ErrorCode::kCircuitOpen,
      "circuit breaker " + name_ + " is open; the next probe is in " + FormatDuration(remaining),
      Delivery::kNotSent,
      Origin::kLocal,
      remaining,
      "breaker-open"};
}

void CircuitBreaker::RecordSlow(std::uint64_t generation, BreakerOutcome outcome,
                                std::optional<Duration> retry_after) {
  const TimePoint now = clock_.Now();
  const bool failed = outcome == BreakerOutcome::kFailure;
  const std::optional<SystemTime> failed_at =
      failed ? std::optional(clock_.SystemNow()) : std::nullopt;
  const double jitter = failed ? DrawJitter() : 0.0;
  bool moved = false;
  {
    const MutexLock lock(mutex_);
    if (generation != generation_) {
      ++counts_.late;
      return;
    }
    const std::uint64_t before = generation_;
    if (state_ == BreakerState::kHalfOpen) --probes_out_;
    if (failed) {
      counts_.last_failure_at = failed_at;
      jitter_ = jitter;
      RecordFailure(now, retry_after);
    } else if (outcome == BreakerOutcome::kSuccess) {
      RecordSuccess();
    } else {
      ++counts_.neutral;
    }
    moved = generation_ != before;
  }
  if (moved) PublishTransitions();
}

void CircuitBreaker::RecordSuccess() {
  if (state_ == BreakerState::kHalfOpen) {
    if (++probes_succeeded_ >= SuccessesNeeded()) {
      reopened_ = 0;
      Transit(BreakerState::kClosed, "probes succeeded");
    }
    return;
  }
  streak_.clear();
  hint_until_.reset();
  StoreWord();
}

void CircuitBreaker::RecordFailure(TimePoint now, std::optional<Duration> retry_after) {
  ++counts_.failures;
  if (retry_after) {
    const TimePoint until = SaturatingAdd(now, std::min(*retry_after, options_.open_for_max));
    hint_until_ = std::max(hint_until_.value_or(until), until);
  }
  if (state_ == BreakerState::kHalfOpen) {
    ++reopened_;
    Open(now, "probe failed");
    return;
  }
  AddToStreak(now);
  if (static_cast<int>(streak_.size()) >= options_.failures) {
    Open(now, std::to_string(options_.failures) + " failures in a row");
  }
}

void CircuitBreaker::AddToStreak(TimePoint now) {
  while (!streak_.empty() && now - streak_.front() > options_.window) streak_.pop_front();
  streak_.push_back(now);
  StoreWord();
}

void CircuitBreaker::Open(TimePoint now, std::string_view reason) {
  ++counts_.opened;
  open_until_ = SaturatingAdd(now, OpenPeriod());
  if (hint_until_) open_until_ = std::max(open_until_, *hint_until_);
  Transit(BreakerState::kOpen, reason);
}

Duration CircuitBreaker::OpenPeriod() const {
  const Duration cap = std::max(options_.open_for, options_.open_for_max);
  const Duration period =
      ScaledAtMost(options_.open_for, std::pow(options_.open_growth, reopened_), cap);
  return period + ScaledAtMost(period, options_.open_jitter * jitter_, period);
}

void CircuitBreaker::Transit(BreakerState to, std::string_view reason) {
  unpublished_.push_back({state_, to, std::string(reason)});
  state_ = to;
  ++generation_;
  streak_.clear();
  hint_until_.reset();
  probes_out_ = 0;
  probes_succeeded_ = 0;
  StoreWord();
}

void CircuitBreaker::StoreWord() {
  std::uint64_t word = generation_ << kGenerationShift | static_cast<std::uint64_t>(state_);
  if (!streak_.empty()) word |= kStreakBit;
  word_.store(word, std::memory_order_release);
}

void CircuitBreaker::PublishTransitions() {
  // One thread at a time publishes, and takes over what others add meanwhile: that keeps the order
  // without holding the lock. Ends: a transition needs a call, and each round publishes one.
  for (;;) {
    std::optional<Transition> next;
    {
      const MutexLock lock(mutex_);
      if (publishing_ || unpublished_.empty()) return;
      publishing_ = true;
      next = std::move(unpublished_.front());
      unpublished_.pop_front();
    }
    events_.Publish("breaker", {{"name", std::string_view(name_)},
                                {"from", ToString(next->from)},
                                {"to", ToString(next->to)},
                                {"reason", std::string_view(next->reason)}});
    const MutexLock lock(mutex_);
    publishing_ = false;
  }
}

double CircuitBreaker::DrawJitter() {
  return options_.open_jitter > 0.0 ? random_.UnitInterval("breaker/open") : 0.0;
}

int CircuitBreaker::SuccessesNeeded() const {
  return options_.half_open_successes > 0 ? options_.half_open_successes : options_.half_open_calls;
}

}  // namespace understudy
