#include "middleware/resilience/circuit_breaker.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <thread>

#include "middleware/base/text.h"

namespace understudy {
namespace {

constexpr int kCountMax = 1'000'000;
constexpr int kProbesMax = 1000;
constexpr int kBucketsMax = 1000;
constexpr std::size_t kOpenStepsMax = 64;

void CheckTrip(Problems& problems, const CircuitBreakerOptions& options) {
  const bool streak = options.window_kind == BreakerWindow::kStreak;
  RequireRange(problems, "failures", options.failures, 1, kCountMax);
  RequirePositive(problems, "window", options.window);
  RequireRange(problems, "window_calls", options.window_calls, 1, kCountMax);
  RequireRange(problems, "window_buckets", options.window_buckets, 1, kBucketsMax);
  RequireRange(problems, "window_failures", options.window_failures, 0, kCountMax);
  RequireRange(problems, "failure_rate", options.failure_rate, 0.0, 1.0);
  RequireRange(problems, "slow_rate", options.slow_rate, 0.0, 1.0);
  RequireRange(problems, "calls_min", options.calls_min, 1, kCountMax);
  RequireRange(problems, "logical_calls_min", options.logical_calls_min, 1, kCountMax);
  if (options.slow_call < Duration::zero()) {
    problems.push_back("slow_call is " + FormatDuration(options.slow_call) +
                       "; it must not be negative");
  }
  const bool slow_matters = options.slow_rate > 0.0 || options.half_open_slow_rate > 0.0;
  if (slow_matters && options.slow_call == Duration::zero()) {
    problems.push_back("slow_rate needs slow_call, the time from which a call is slow");
  }
  if (streak) {
    if (options.logical_calls_min > options.failures) {
      problems.push_back("logical_calls_min, " + std::to_string(options.logical_calls_min) +
                         ", exceeds failures, " + std::to_string(options.failures) +
                         ": it would never open");
    }
    if (options.slow_rate > 0.0) {
      problems.push_back("slow_rate needs a window of another kind than kStreak");
    }
    return;
  }
  if (options.window_failures == 0 && options.failure_rate == 0.0 && options.slow_rate == 0.0) {
    problems.push_back(
        "it would never open; set window_failures, failure_rate or slow_rate, or SetMode it to "
        "kMetricsOnly");
  }
  if (options.window_kind != BreakerWindow::kCount) return;
  const auto fits = [&](std::string_view name, int value) {
    if (value <= options.window_calls) return;
    problems.push_back(std::string(name) + ", " + std::to_string(value) +
                       ", exceeds window_calls, " + std::to_string(options.window_calls) +
                       ": it would never open");
  };
  fits("window_failures", options.window_failures);
  if (options.failure_rate > 0.0 || options.slow_rate > 0.0) fits("calls_min", options.calls_min);
  fits("logical_calls_min", options.logical_calls_min);
}

// `duration` times `factor`, at most `cap`; total over any factor.
Duration ScaledAtMost(Duration duration, double factor, Duration cap) {
  const double scaled = static_cast<double>(duration.count()) * factor;
  if (!(scaled < static_cast<double>(cap.count()))) return cap;
  return Duration(std::llround(scaled));
}

std::string Percent(double share) {
  return std::to_string(std::llround(share * 1000.0) / 10) + "." +
         std::to_string(std::llround(share * 1000.0) % 10) + "%";
}

CallWindow::Options WindowOptions(const CircuitBreakerOptions& options) {
  CallWindow::Options window;
  window.length = options.window;
  window.buckets = options.window_buckets;
  switch (options.window_kind) {
    case BreakerWindow::kStreak:
      window.kind = CallWindow::Kind::kStreak;
      window.calls = options.failures;
      break;
    case BreakerWindow::kCount:
      window.kind = CallWindow::Kind::kCount;
      window.calls = options.window_calls;
      break;
    case BreakerWindow::kTime:
      window.kind = CallWindow::Kind::kTime;
      break;
    case BreakerWindow::kFixed:
      window.kind = CallWindow::Kind::kFixed;
      break;
  }
  return window;
}

std::size_t StripeOfThisThread() {
  // Threads differ in the middle bits of their ids, which are addresses on the platforms we know.
  const std::size_t id = std::hash<std::thread::id>{}(std::this_thread::get_id());
  return static_cast<std::size_t>((static_cast<std::uint64_t>(id) * 0x9E3779B97F4A7C15U) >> 60U);
}

}  // namespace

Problems FindProblems(const CircuitBreakerOptions& options) {
  Problems problems;
  CheckTrip(problems, options);
  RequirePositive(problems, "open_for", options.open_for);
  RequireRange(problems, "open_growth", options.open_growth, 1.0, 100.0);
  RequirePositive(problems, "open_for_max", options.open_for_max);
  RequireRange(problems, "open_jitter", options.open_jitter, 0.0, 1.0);
  if (options.open_steps.size() > kOpenStepsMax) {
    problems.push_back("open_steps has " + std::to_string(options.open_steps.size()) +
                       " entries; it may have " + std::to_string(kOpenStepsMax));
  }
  for (const Duration step : options.open_steps) RequirePositive(problems, "open_steps", step);
  RequireRange(problems, "half_open_calls", options.half_open_calls, 1, kProbesMax);
  RequireRange(problems, "half_open_successes", options.half_open_successes, 0, kProbesMax);
  RequireRange(problems, "half_open_failures", options.half_open_failures, 1, kProbesMax);
  RequireRange(problems, "half_open_failure_rate", options.half_open_failure_rate, 0.0, 1.0);
  RequireRange(problems, "half_open_slow_rate", options.half_open_slow_rate, 0.0, 1.0);
  RequirePositive(problems, "half_open_max", options.half_open_max);
  if (options.ramp_up < Duration::zero()) {
    problems.push_back("ramp_up is " + FormatDuration(options.ramp_up) +
                       "; it must not be negative");
  }
  RequireRange(problems, "ramp_up_from", options.ramp_up_from, 0.001, 1.0);
  return problems;
}

CircuitBreakerOptions CircuitBreakerOptions::Recommended(Duration attempt_timeout) {
  CircuitBreakerOptions options;
  options.window_kind = BreakerWindow::kTime;
  options.window = std::chrono::seconds(60);
  options.logical_calls_min = 3;
  options.slow_rate = 0.8;
  options.slow_call = std::max(attempt_timeout * 4 / 5, Duration(1));
  options.open_for = std::chrono::seconds(5);
  options.open_growth = 2.0;
  options.open_jitter = 0.2;
  options.half_open_successes = 2;
  options.half_open_failures = 2;
  options.half_open_max = std::max(2 * attempt_timeout, Duration(1));
  options.ramp_up = std::chrono::seconds(10);
  return options;
}

std::string DescribeTrip(const CircuitBreakerOptions& options) {
  if (options.window_kind == BreakerWindow::kStreak) {
    return std::to_string(options.failures) + " failures in a row within " +
           FormatDuration(options.window);
  }
  std::string text;
  const auto add = [&](const std::string& condition) {
    text.append(text.empty() ? "" : " or ").append(condition);
  };
  if (options.window_failures > 0) add(std::to_string(options.window_failures) + " failures");
  if (options.failure_rate > 0.0) add(Percent(options.failure_rate) + " failures");
  if (options.slow_rate > 0.0) {
    add(Percent(options.slow_rate) + " slower than " + FormatDuration(options.slow_call));
  }
  text += options.window_kind == BreakerWindow::kCount
              ? " of the last " + std::to_string(options.window_calls)
              : " within " + FormatDuration(options.window);
  text += ", of at least " + std::to_string(options.calls_min);
  return text;
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

std::string_view ToString(BreakerMode mode) {
  switch (mode) {
    case BreakerMode::kNormal:
      return "normal";
    case BreakerMode::kForcedOpen:
      return "forced-open";
    case BreakerMode::kDisabled:
      return "disabled";
    case BreakerMode::kMetricsOnly:
      return "metrics-only";
  }
  return "normal";
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
      window_kind_(WindowOptions(options).kind),
      bucket_length_(CallWindow::BucketLengthOf(WindowOptions(options))),
      clock_(runtime.clock),
      random_(runtime.random),
      events_(runtime.events),
      window_(WindowOptions(options)),
      period_since_(runtime.clock.Now()) {
  const MutexLock lock(mutex_);
  StoreWord();
}

// ---- looking ------------------------------------------------------------------------------------

CircuitBreakerSnapshot CircuitBreaker::Snapshot() const {
  const TimePoint now = clock_.Now();
  const MutexLock lock(mutex_);
  DrainStripes(now);
  CircuitBreakerSnapshot snapshot = totals_;
  snapshot.state = state_;
  snapshot.mode = mode_;
  snapshot.isolations = isolations_;
  snapshot.generation = generation_;
  if (state_ == BreakerState::kOpen) {
    snapshot.window = evidence_;
    snapshot.open_remaining = std::max(Duration::zero(), open_until_ - now);
  } else {
    snapshot.window = state_ == BreakerState::kClosed ? window_.Counts(now) : period_;
  }
  if (PeriodIsOver(now)) {
    snapshot.window = {};
    return snapshot;
  }
  snapshot.period = period_;
  snapshot.period_rejected = period_rejected_;
  snapshot.successes_in_row = successes_in_row_;
  snapshot.failures_in_row = failures_in_row_;
  return snapshot;
}

bool CircuitBreaker::PeriodIsOver(TimePoint now) const {
  return options_.window_kind == BreakerWindow::kFixed && state_ == BreakerState::kClosed &&
         now - period_since_ >= options_.window;
}

// ---- admission ----------------------------------------------------------------------------------

Result<CircuitBreaker::Permit> CircuitBreaker::TryAcquireSlow() {
  const TimePoint now = clock_.Now();
  const double luck =
      options_.ramp_up > Duration::zero() ? random_.UnitInterval("breaker/ramp-up") : 0.0;
  std::optional<Result<Permit>> permit;
  bool changed = false;
  {
    const MutexLock lock(mutex_);
    const std::uint64_t before = totals_.transitions;
    permit.emplace(Admit(now, luck));
    if (!*permit) ++period_rejected_;
    // Who made a transition publishes it before it goes on, so that nobody sees a probe before the
    // half-open state.
    changed = totals_.transitions != before;
  }
  if (changed) PublishChanges();
  return std::move(*permit);
}

Result<CircuitBreaker::Permit> CircuitBreaker::Admit(TimePoint now, double luck) {
  if (ShutByOperator()) {
    return Reject(&CircuitBreakerSnapshot::rejected_forced, "is isolated by an operator",
                  "breaker-isolated", std::nullopt);
  }
  // Where probes are rare, a late one is as good as an early one; only one that hangs is a reason.
  MoveWithTime(now, /*ends_idle_half_open=*/false);
  if (state_ == BreakerState::kOpen) {
    const Duration remaining = open_until_ - now;
    return Reject(&CircuitBreakerSnapshot::rejected_open,
                  "is open; the next probe is in " +
                      FormatDuration(std::chrono::ceil<std::chrono::milliseconds>(remaining)),
                  "breaker-open", remaining);
  }
  if (state_ == BreakerState::kHalfOpen) return AdmitProbe(now);
  if (ramp_since_) {
    const double done = static_cast<double>((now - *ramp_since_).count()) /
                        static_cast<double>(options_.ramp_up.count());
    if (luck >= options_.ramp_up_from + (1.0 - options_.ramp_up_from) * done) {
      return Reject(&CircuitBreakerSnapshot::rejected_ramp_up,
                    "has just closed and admits a growing share of the calls", "breaker-ramp-up",
                    std::nullopt);
    }
  }
  return Permit(*this, generation_, BreakerState::kClosed);
}

Result<CircuitBreaker::Permit> CircuitBreaker::AdmitProbe(TimePoint now) {
  // More probes than the decision needs would tell nothing new.
  const auto missing = ProbesNeeded() - static_cast<int>(period_.calls());
  if (probes_out_ < std::min(options_.half_open_calls, missing)) {
    if (probes_out_++ == 0) progress_at_ = now;
    return Permit(*this, generation_, BreakerState::kHalfOpen);
  }
  return Reject(&CircuitBreakerSnapshot::rejected_half_open,
                "is half-open and its probe has not reported yet", "breaker-half-open",
                std::nullopt);
}

Error CircuitBreaker::Reject(std::uint64_t CircuitBreakerSnapshot::*counter, const std::string& why,
                             std::string reason, std::optional<Duration> retry_after) {
  ++(totals_.*counter);
  return Error{ErrorCode::kCircuitOpen,
               "circuit breaker " + name_ + " " + why,
               Delivery::kNotSent,
               Origin::kLocal,
               retry_after,
               std::move(reason)};
}

bool CircuitBreaker::ShutByOperator() const {
  return isolations_ > 0 || mode_ == BreakerMode::kForcedOpen;
}

void CircuitBreaker::MoveWithTime(TimePoint now, bool ends_idle_half_open) {
  if (ramp_since_ && now - *ramp_since_ >= options_.ramp_up) {
    ramp_since_.reset();
    StoreWord();
  }
  RollPeriod(now);
  const bool can_end =
      state_ == BreakerState::kHalfOpen && (probes_out_ > 0 || ends_idle_half_open);
  if (can_end && now - progress_at_ >= options_.half_open_max) {
    const TimePoint ended = progress_at_ + options_.half_open_max;
    std::string why = "no answer to the probe in " + FormatDuration(options_.half_open_max);
    if (options_.half_open_max_closes) {
      Close(ended, std::move(why));
    } else {
      ++reopened_;
      Open(ended, std::move(why));
    }
  }
  if (state_ == BreakerState::kOpen && now >= open_until_) {
    Transit(BreakerState::kHalfOpen, "open period over");
    progress_at_ = now;
  }
}

void CircuitBreaker::RollPeriod(TimePoint now) {
  if (!PeriodIsOver(now)) return;
  DrainStripes(now);
  StartGeneration();
  period_since_ = now;
}

// ---- results ------------------------------------------------------------------------------------

bool CircuitBreaker::CountSuccess(std::uint64_t tag) {
  std::atomic<std::uint64_t>& stripe = stripes_[StripeOfThisThread()].word;
  std::uint64_t word = stripe.load(std::memory_order_relaxed);
  for (;;) {  // Ends: each turn, another thread of the same stripe has counted.
    if ((word & ~kStripeCountMax) != tag || (word & kStripeCountMax) == kStripeCountMax) {
      return false;
    }
    if (stripe.compare_exchange_weak(word, word + 1, std::memory_order_relaxed)) return true;
  }
}

void CircuitBreaker::RecordSlow(std::uint64_t generation, BreakerOutcome outcome,
                                const BreakerReport& report) {
  const TimePoint now = EndOf(report);
  const bool failed = outcome == BreakerOutcome::kFailure;
  const std::optional<SystemTime> failed_at =
      failed ? std::optional(clock_.SystemNow()) : std::nullopt;
  const double jitter =
      failed && options_.open_jitter > 0.0 ? random_.UnitInterval("breaker/open") : 0.0;
  bool changed = false;
  {
    const MutexLock lock(mutex_);
    const std::size_t before = unpublished_.size();
    DrainStripes(now);
    RollPeriod(now);
    if (generation != generation_) {
      ++totals_.late;
    } else if (mode_ != BreakerMode::kDisabled) {
      if (failed) {
        totals_.last_failure_at = failed_at;
        jitter_ = jitter;
        TakeHint(now, report.retry_after);
      }
      CallWindow::Sample sample;
      sample.failed = failed;
      sample.neutral = !failed && outcome != BreakerOutcome::kSuccess;
      sample.slow = !sample.neutral && IsSlow(report.duration);
      sample.repeated = report.repeated;
      AddResult(now, sample);
    }
    SeedStripe(now);
    changed = unpublished_.size() != before;
  }
  if (changed) PublishChanges();
}

void CircuitBreaker::AddResult(TimePoint now, const CallWindow::Sample& sample) {
  totals_.slow += sample.slow ? 1U : 0U;
  if (sample.neutral) {
    ++totals_.neutral;
    ++period_.neutral;
  } else if (sample.failed) {
    ++totals_.failures;
    ++period_.failures;
    ++failures_in_row_;
    successes_in_row_ = 0;
  } else {
    ++totals_.successes;
    ++period_.successes;
    ++successes_in_row_;
    failures_in_row_ = 0;
    hint_until_.reset();
  }
  if (!sample.neutral) {
    period_.slow += sample.slow ? 1 : 0;
    period_.logical_calls += sample.repeated ? 0 : 1;
  }
  if (state_ == BreakerState::kHalfOpen) {
    --probes_out_;
    if (!sample.neutral) JudgeHalfOpen(now);
    return;
  }
  window_.Add(now, sample);
  if (!sample.neutral) JudgeClosed(now, sample.failed);
}

void CircuitBreaker::TakeHint(TimePoint now, std::optional<Duration> retry_after) {
  if (!retry_after) return;
  const TimePoint until = SaturatingAdd(now, std::min(*retry_after, options_.open_for_max));
  hint_until_ = std::max(hint_until_.value_or(until), until);
}

void CircuitBreaker::JudgeClosed(TimePoint now, bool failed) {
  const WindowCounts counts = window_.Counts(now);
  in_doubt_ = counts.failures > 0 || counts.slow > 0;
  StoreWord();
  std::optional<std::string> why = WhyTripped(counts, failed);
  if (mode_ == BreakerMode::kMetricsOnly) {
    if (why && !would_be_open_) {
      ++totals_.would_have_opened;
      unpublished_.push_back({"breaker.shadow", {}, {}, *why});
    }
    would_be_open_ = why.has_value();
    return;
  }
  if (!why) return;
  evidence_ = counts;
  Open(now, std::move(*why));
}

std::optional<std::string> CircuitBreaker::WhyTripped(const WindowCounts& counts,
                                                      bool failed) const {
  if (counts.logical_calls < options_.logical_calls_min) return std::nullopt;
  if (options_.window_kind == BreakerWindow::kStreak) {
    if (counts.failures < options_.failures) return std::nullopt;
    return std::to_string(options_.failures) + " failures in a row";
  }
  if (options_.trips_on_failure_only && !failed) return std::nullopt;
  const std::string of_calls = " of " + std::to_string(counts.calls()) + " calls";
  if (options_.window_failures > 0 && counts.failures >= options_.window_failures) {
    return std::to_string(counts.failures) + of_calls + " failed";
  }
  if (counts.calls() < options_.calls_min) return std::nullopt;
  if (options_.failure_rate > 0.0 && counts.FailureRate() >= options_.failure_rate) {
    return "failure rate: " + Percent(counts.FailureRate()) + of_calls;
  }
  if (options_.slow_rate > 0.0 && counts.SlowRate() >= options_.slow_rate) {
    return "slow-call rate: " + Percent(counts.SlowRate()) + of_calls;
  }
  return std::nullopt;
}

void CircuitBreaker::JudgeHalfOpen(TimePoint now) {
  progress_at_ = now;
  std::string failed = options_.half_open_failures == 1 && !DecidesByRate()
                           ? std::string("probe failed")
                           : std::to_string(period_.failures) + " of " +
                                 std::to_string(period_.calls()) + " probes failed";
  bool reopens = false;
  if (DecidesByRate()) {
    if (period_.calls() < ProbesNeeded()) return;
    const auto reached = [](double rate, double limit) { return limit > 0.0 && rate >= limit; };
    if (reached(period_.SlowRate(), options_.half_open_slow_rate)) {
      reopens = true;
      failed += ", " + std::to_string(period_.slow) + " were slow";
    }
    reopens = reopens || reached(period_.FailureRate(), options_.half_open_failure_rate);
  } else if (period_.failures >= options_.half_open_failures) {
    reopens = true;
  } else if (period_.successes < SuccessesNeeded()) {
    return;
  }
  if (reopens) {
    ++reopened_;
    evidence_ = period_;
    Open(now, std::move(failed));
  } else {
    Close(now, "probes succeeded");
  }
}

bool CircuitBreaker::DecidesByRate() const {
  return options_.half_open_failure_rate > 0.0 || options_.half_open_slow_rate > 0.0;
}

int CircuitBreaker::SuccessesNeeded() const {
  return options_.half_open_successes > 0 ? options_.half_open_successes : options_.half_open_calls;
}

int CircuitBreaker::ProbesNeeded() const {
  if (DecidesByRate()) return options_.half_open_calls;
  return SuccessesNeeded() + options_.half_open_failures - 1;
}

// ---- the counts of successes that took no lock --------------------------------------------------

void CircuitBreaker::DrainStripes(TimePoint now) const {
  const std::int64_t current = window_.BucketOf(now);
  for (Stripe& stripe : stripes_) {
    if ((stripe.word.load(std::memory_order_relaxed) & kStripeCountMax) == 0) continue;
    const std::uint64_t word = stripe.word.exchange(0, std::memory_order_relaxed);
    const auto count = static_cast<std::int64_t>(word & kStripeCountMax);
    totals_.successes += static_cast<std::uint64_t>(count);
    // What another thread counted for an earlier generation, after that ended, is no evidence.
    if (word >> 48U != (generation_ & 0xFFFFU)) continue;
    // The tag has the low 24 bits of the bucket's number; it is close to the present one.
    constexpr std::int64_t kSpan = std::int64_t{1} << 24;
    std::int64_t age = (current - static_cast<std::int64_t>(word >> 24U & 0xFFFFFFU)) & (kSpan - 1);
    if (age > kSpan / 2) age -= kSpan;
    window_.AddSuccesses(current - age, count);
    period_.successes += count;
    period_.logical_calls += count;
    successes_in_row_ += count;
    failures_in_row_ = 0;
  }
}

void CircuitBreaker::SeedStripe(TimePoint now) const {
  if (state_ != BreakerState::kClosed || in_doubt_ || ShutByOperator()) return;
  std::atomic<std::uint64_t>& stripe = stripes_[StripeOfThisThread()].word;
  std::uint64_t expected = stripe.load(std::memory_order_relaxed);
  if ((expected & kStripeCountMax) != 0) return;  // Another thread uses it; it was drained above.
  stripe.compare_exchange_strong(expected, StripeTag(generation_, window_.BucketOf(now)),
                                 std::memory_order_relaxed);
}

// ---- transitions --------------------------------------------------------------------------------

void CircuitBreaker::Open(TimePoint since, std::string reason) {
  ++totals_.opened;
  open_until_ = SaturatingAdd(since, OpenPeriod());
  if (hint_until_) open_until_ = std::max(open_until_, *hint_until_);
  Transit(BreakerState::kOpen, std::move(reason));
}

void CircuitBreaker::Close(TimePoint now, std::string reason) {
  reopened_ = 0;
  evidence_ = {};
  Transit(BreakerState::kClosed, std::move(reason));
  period_since_ = now;
  if (options_.ramp_up > Duration::zero()) ramp_since_ = now;
  StoreWord();
}

Duration CircuitBreaker::OpenPeriod() const {
  const std::vector<Duration>& steps = options_.open_steps;
  if (!steps.empty()) {
    const Duration step = steps[std::min(static_cast<std::size_t>(reopened_), steps.size() - 1)];
    return step + ScaledAtMost(step, options_.open_jitter * jitter_, step);
  }
  const Duration cap = std::max(options_.open_for, options_.open_for_max);
  const Duration period =
      ScaledAtMost(options_.open_for, std::pow(options_.open_growth, reopened_), cap);
  return period + ScaledAtMost(period, options_.open_jitter * jitter_, period);
}

void CircuitBreaker::Transit(BreakerState to, std::string reason) {
  unpublished_.push_back({"breaker", ToString(state_), ToString(to), std::move(reason)});
  ++totals_.transitions;
  state_ = to;
  StartGeneration();
}

void CircuitBreaker::StartGeneration() {
  ++generation_;
  window_.Clear();
  period_ = {};
  period_rejected_ = 0;
  successes_in_row_ = 0;
  failures_in_row_ = 0;
  hint_until_.reset();
  ramp_since_.reset();
  probes_out_ = 0;
  in_doubt_ = false;
  would_be_open_ = false;
  StoreWord();
}

void CircuitBreaker::StoreWord() {
  std::uint64_t word = generation_ << kGenerationShift | static_cast<std::uint64_t>(state_);
  // The successes of a fixed period can end it, and then count nothing.
  if (in_doubt_ || options_.window_kind == BreakerWindow::kFixed) word |= kDoubtBit;
  if (ramp_since_ || ShutByOperator()) word |= kSpecialBit;
  // Records nothing, so every success must find out.
  if (mode_ == BreakerMode::kDisabled) word |= kDoubtBit;
  // A fixed period must end at an admission too, or its result would not be late.
  if (options_.window_kind == BreakerWindow::kFixed) word |= kSpecialBit;
  word_.store(word, std::memory_order_release);
}

// ---- by hand ------------------------------------------------------------------------------------

void CircuitBreaker::Tick() {
  const TimePoint now = clock_.Now();
  {
    const MutexLock lock(mutex_);
    if (mode_ != BreakerMode::kNormal || isolations_ > 0) return;
    MoveWithTime(now, /*ends_idle_half_open=*/true);
  }
  PublishChanges();
}

Result<void> CircuitBreaker::Force(BreakerState to, std::optional<Duration> open_for) {
  const TimePoint now = clock_.Now();
  {
    const MutexLock lock(mutex_);
    if (mode_ != BreakerMode::kNormal) {
      return InvalidArgument("circuit breaker " + name_ + " is " + std::string(ToString(mode_)) +
                             "; set the mode to normal before forcing a state");
    }
    if (state_ == BreakerState::kClosed && to == BreakerState::kHalfOpen) {
      return InvalidArgument("circuit breaker " + name_ +
                             " is closed; there is nothing to probe, open it first");
    }
    DrainStripes(now);
    if (to == BreakerState::kOpen) {
      if (state_ != to) {
        evidence_ = {};
        Open(now, "forced");
      }
      if (open_for) open_until_ = SaturatingAdd(now, *open_for);
    } else if (state_ != to) {
      if (to == BreakerState::kClosed) {
        Close(now, "forced");
        ramp_since_.reset();
        StoreWord();
      } else {
        Transit(to, "forced");
        progress_at_ = now;
      }
    }
  }
  PublishChanges();
  return {};
}

void CircuitBreaker::SetMode(BreakerMode mode) {
  const TimePoint now = clock_.Now();
  {
    const MutexLock lock(mutex_);
    if (mode_ == mode) return;
    DrainStripes(now);
    mode_ = mode;
    StartAfresh(now);
  }
  PublishChanges();
}

CircuitBreaker::Isolation CircuitBreaker::Isolate() {
  const TimePoint now = clock_.Now();
  {
    const MutexLock lock(mutex_);
    DrainStripes(now);
    if (++isolations_ == 1) StartAfresh(now);
  }
  PublishChanges();
  return Isolation(*this);
}

void CircuitBreaker::EndIsolation() {
  const TimePoint now = clock_.Now();
  {
    const MutexLock lock(mutex_);
    if (--isolations_ == 0) StartAfresh(now);
  }
  PublishChanges();
}

void CircuitBreaker::StartAfresh(TimePoint now) {
  state_ = BreakerState::kClosed;
  reopened_ = 0;
  evidence_ = {};
  period_since_ = now;
  StartGeneration();
  unpublished_.push_back({"breaker.mode", ToString(mode_), isolations_ > 0 ? "true" : "false", {}});
}

void CircuitBreaker::PublishChanges() {
  // One thread at a time publishes, and takes over what others add meanwhile: that keeps the order
  // without holding the lock. Ends: a change needs a call, and each round publishes one.
  for (;;) {
    std::optional<Change> next;
    {
      const MutexLock lock(mutex_);
      if (publishing_ || unpublished_.empty()) return;
      publishing_ = true;
      next = std::move(unpublished_.front());
      unpublished_.pop_front();
    }
    const std::string_view name = name_;
    const std::string_view reason = next->reason;
    if (next->event == "breaker") {
      events_.Publish("breaker",
                      {{"name", name}, {"from", next->from}, {"to", next->to}, {"reason", reason}});
    } else if (next->event == "breaker.mode") {
      events_.Publish("breaker.mode",
                      {{"name", name}, {"mode", next->from}, {"isolated", next->to == "true"}});
    } else {
      events_.Publish("breaker.shadow", {{"name", name}, {"reason", reason}});
    }
    const MutexLock lock(mutex_);
    publishing_ = false;
  }
}

}  // namespace understudy
