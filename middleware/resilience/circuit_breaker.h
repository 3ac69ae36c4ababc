// CircuitBreaker: stops calling a vendor that does not work, and finds out with few probes when it
// does again.
//
//   const auto breaker = CircuitBreaker::Create("stripe", options, runtime).value();
//   Result<CircuitBreaker::Permit> permit = breaker->TryAcquire();
//   if (!permit) return permit.error();  // kCircuitOpen: nothing was sent
//   permit->Record(Works(Send()) ? BreakerOutcome::kSuccess : BreakerOutcome::kFailure);
//
// States and transitions, all of them:
//
//   closed      every call is admitted (for `ramp_up` after closing, a growing share of them)
//     -> open       when one of the trip conditions holds, see CircuitBreakerOptions
//   open        every call is refused
//     -> half-open  at the first admission, or Tick, after the open period
//   half-open   at most `half_open_calls` probes at a time, and no more than are needed to decide
//     -> closed     after enough successes
//     -> open       after enough failures; for longer if open_growth or open_steps say so
//     -> open       at an admission that finds a probe out and no result for `half_open_max`, or
//                   at a Tick that finds none whether probes are out or not; as of the moment when
//                   that time was over. (Or closed: half_open_max_closes.)
//
// Force moves it by hand, SetMode switches it off, to metrics only, or forces it open, and Isolate
// keeps it shut for as long as somebody holds the handle.
//
// A transition starts a new generation. A result that belongs to an older one only counts as late:
// a call admitted while closed can neither close nor re-open a half-open breaker.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "middleware/base/call_window.h"
#include "middleware/base/mutex.h"
#include "middleware/base/problems.h"
#include "middleware/base/result.h"
#include "middleware/base/time.h"
#include "middleware/resilience/outcome.h"
#include "middleware/runtime/runtime.h"

namespace understudy {

// What a closed breaker judges by.
enum class BreakerWindow : std::uint8_t {
  kStreak,  // Failures in a row.
  kCount,   // The last `window_calls` results.
  kTime,    // The results of the last `window`, which slides in `window_buckets` steps.
  kFixed,   // The results since the current period of `window` began. A result of a call that was
            // admitted in an earlier period is late.
};

struct CircuitBreakerOptions {
  // ---- when it opens: as soon as one of the conditions that are set holds

  BreakerWindow window_kind = BreakerWindow::kStreak;
  // kStreak: this many failures in a row, none older than `window`.
  int failures = 5;
  Duration window = std::chrono::seconds(60);  // kStreak, kTime, kFixed.
  int window_calls = 100;                      // kCount.
  int window_buckets = 10;                     // kTime.
  // The other kinds: this many failures, whatever the rate; 0: no such condition.
  int window_failures = 0;
  // The other kinds, once calls_min results are in: this share of failures or more, in (0, 1]; 0:
  // no such condition.
  double failure_rate = 0.5;
  // Likewise of results that took longer than slow_call, whether they succeeded or not.
  double slow_rate = 0.0;
  Duration slow_call{0};
  int calls_min = 10;  // Of kCount at most window_calls.
  // Not before the results of this many different logical calls are in: one call that fails again
  // and again in its own retry loop is no proof. (Every kind.)
  int logical_calls_min = 1;
  // Look at the rates only after a failure. Otherwise the success that makes the window big enough
  // can open it as well.
  bool trips_on_failure_only = false;

  // ---- how long it stays open

  // open_for, times open_growth for each re-opening since it was last closed, at most open_for_max
  // (which never shortens open_for); or, if open_steps is not empty, its next period, the last of
  // them again and again. Plus a random share of up to open_jitter of that, so that a fleet does
  // not probe in lock-step. A vendor's Retry-After (see Permit::Record) can lengthen it up to
  // open_for_max.
  Duration open_for = std::chrono::seconds(30);
  double open_growth = 1.0;
  Duration open_for_max = std::chrono::minutes(5);
  double open_jitter = 0.0;
  std::vector<Duration> open_steps = {};  // At most 64.

  // ---- how it comes back

  // Probes at the same time.
  int half_open_calls = 1;
  // Successes that close it; 0: as many as half_open_calls. Failures that open it again.
  int half_open_successes = 0;
  int half_open_failures = 1;
  // Instead of those two: decide by rates, once half_open_calls results are in (all permitted ones,
  // as no more are needed). 0: no such condition. Slow is what slow_call says.
  double half_open_failure_rate = 0.0;
  double half_open_slow_rate = 0.0;
  // Half-open without any result for this long ends, see above. Longer than the attempt timeout of
  // the calls.
  Duration half_open_max = std::chrono::seconds(60);
  // It ends closed instead of open: for vendors where an outage is the lesser evil.
  bool half_open_max_closes = false;
  // After closing, admit a share of the calls that grows evenly from ramp_up_from to all of them:
  // a vendor that has just come back must not meet the whole herd. Zero: all at once.
  Duration ramp_up{0};
  double ramp_up_from = 0.1;

  // For a vendor with little traffic whose attempts end after `attempt_timeout`: half of at least
  // 10 results of at least 3 calls in a minute, or four fifths of them slow; open for 5 s, doubling
  // up to 5 minutes, with jitter; two of three probes, one at a time; ten seconds to ramp up.
  static CircuitBreakerOptions Recommended(Duration attempt_timeout);

  bool operator==(const CircuitBreakerOptions&) const = default;
};

// Everything that is wrong with `options`; empty if they are usable.
Problems FindProblems(const CircuitBreakerOptions& options);

// "5 failures in a row within 1m" and the like, for Describe().
std::string DescribeTrip(const CircuitBreakerOptions& options);

enum class BreakerState : std::uint8_t { kClosed, kOpen, kHalfOpen };

std::string_view ToString(BreakerState state);  // "closed", "open", "half-open"; literals

// What an operator decided. Every change starts afresh: closed, with nothing remembered.
enum class BreakerMode : std::uint8_t {
  kNormal,
  kForcedOpen,   // Refuses every call, until the mode changes.
  kDisabled,     // Admits every call and records nothing.
  kMetricsOnly,  // Admits every call, records it, and only reports that it would have opened.
};

std::string_view ToString(BreakerMode mode);  // "normal", "forced-open", ...; literals

// What a caller knows about the end of a call, besides its outcome.
struct BreakerReport {
  // The vendor's hint with a failure: if the breaker opens, it stays open at least that long
  // (bounded by open_for_max).
  std::optional<Duration> retry_after = {};
  Duration duration{0};  // Of the attempt; needed only if slow_call is set.
  // Now, by the breaker's clock, for a caller that has just read it; kNever: the breaker reads it.
  TimePoint ended = kNever;
  bool repeated = false;  // Another attempt of the same logical call has been recorded before.
};

// A consistent copy of everything observable.
struct CircuitBreakerSnapshot {
  BreakerState state = BreakerState::kClosed;
  BreakerMode mode = BreakerMode::kNormal;
  int isolations = 0;                           // Handles of Isolate that are held.
  std::optional<Duration> open_remaining = {};  // Until a probe is admitted, while open.

  // The evidence: of a closed or half-open breaker what it judges by now, of an open one what
  // opened it.
  WindowCounts window = {};
  // Since the last transition (kFixed: or since the period began).
  WindowCounts period = {};
  std::int64_t period_rejected = 0;
  std::int64_t successes_in_row = 0;  // In the period; neutral results do not end a row.
  std::int64_t failures_in_row = 0;

  // Since the breaker was made.
  std::uint64_t generation = 0;
  std::uint64_t transitions = 0;
  std::uint64_t opened = 0;
  std::uint64_t successes = 0;
  std::uint64_t failures = 0;
  std::uint64_t slow = 0;
  std::uint64_t neutral = 0;  // Neutral, cancelled, locally refused, and dropped permits.
  std::uint64_t late = 0;     // Results of an older generation.
  std::uint64_t rejected_open = 0;
  std::uint64_t rejected_half_open = 0;
  std::uint64_t rejected_ramp_up = 0;
  std::uint64_t rejected_forced = 0;               // Isolated or forced open.
  std::uint64_t would_have_opened = 0;             // In metrics-only mode.
  std::optional<SystemTime> last_failure_at = {};  // Wall clock, for people.
};

// Thread-safe. Nothing blocks. While closed and healthy, TryAcquire and Record together read one
// atomic and write one that other threads rarely write, so calls do not slow each other down; kTime
// also reads the clock.
//
// Events, published in the order of the changes, with no lock held, by the thread that caused the
// change or by one that is publishing already: "breaker": name, from, to, reason; "breaker.mode":
// name, mode, isolated; "breaker.shadow": name, reason (metrics only).
//
// The clock, random source and event sink of `runtime` must outlive the breaker; the breaker must
// outlive its permits and isolations.
class CircuitBreaker {
 public:
  // The right to make one call. Move-only. Dropping it without Record is neutral: a slot cannot
  // leak.
  class Permit {
   public:
    Permit(Permit&& other) noexcept
        : breaker_(std::exchange(other.breaker_, nullptr)),
          generation_(other.generation_),
          state_(other.state_) {}
    Permit& operator=(Permit&& other) noexcept {
      if (this != &other) {
        Record(BreakerOutcome::kNeutral);
        breaker_ = std::exchange(other.breaker_, nullptr);
        generation_ = other.generation_;
        state_ = other.state_;
      }
      return *this;
    }
    ~Permit() { Record(BreakerOutcome::kNeutral); }

    // Reports the end of the call and gives the permit back; only the first report counts.
    void Record(BreakerOutcome outcome, const BreakerReport& report = {}) {
      if (breaker_ == nullptr) return;
      std::exchange(breaker_, nullptr)->RecordOutcome(generation_, outcome, report);
    }

    // The state that admitted it: kClosed or kHalfOpen.
    BreakerState state() const { return state_; }
    // Which of the breaker's generations it belongs to; see CircuitBreakerSnapshot.
    std::uint64_t generation() const { return generation_; }

   private:
    friend class CircuitBreaker;
    Permit(CircuitBreaker& breaker, std::uint64_t generation, BreakerState state)
        : breaker_(&breaker), generation_(generation), state_(state) {}

    CircuitBreaker* breaker_;
    std::uint64_t generation_;
    BreakerState state_;
  };

  // While one is held, the breaker refuses every call. Move-only.
  class Isolation {
   public:
    Isolation(Isolation&& other) noexcept : breaker_(std::exchange(other.breaker_, nullptr)) {}
    Isolation& operator=(Isolation&& other) noexcept {
      if (this != &other) {
        Release();
        breaker_ = std::exchange(other.breaker_, nullptr);
      }
      return *this;
    }
    ~Isolation() { Release(); }
    void Release() {
      if (breaker_ != nullptr) std::exchange(breaker_, nullptr)->EndIsolation();
    }

   private:
    friend class CircuitBreaker;
    explicit Isolation(CircuitBreaker& breaker) : breaker_(&breaker) {}
    CircuitBreaker* breaker_;
  };

  // kInvalidArgument naming every problem of `options`. `name` labels events and messages, e.g. the
  // vendor.
  static Result<std::unique_ptr<CircuitBreaker>> Create(std::string name,
                                                        const CircuitBreakerOptions& options,
                                                        const Runtime& runtime);

  CircuitBreaker(const CircuitBreaker&) = delete;
  CircuitBreaker& operator=(const CircuitBreaker&) = delete;

  // A permit, or kCircuitOpen [not-sent, local] with a reason:
  //   "breaker-open"       and the time to the next probe in retry_after;
  //   "breaker-half-open"  without one: when a probe will report is not known;
  //   "breaker-ramp-up"    without one: another try may be admitted at once;
  //   "breaker-isolated"   without one: an operator decides.
  Result<Permit> TryAcquire() {
    const std::uint64_t word = word_.load(std::memory_order_acquire);
    if ((word & (kStateMask | kSpecialBit)) == 0) [[likely]] {
      return Permit(*this, word >> kGenerationShift, BreakerState::kClosed);
    }
    return TryAcquireSlow();
  }

  // Makes the transitions that are due by time alone, for those who want to see them before the
  // next call: a dashboard, a health probe that wants to be the probe.
  void Tick() EXCLUDES(mutex_);

  // Moves to `to` as if the breaker had decided so, and publishes it; nothing if it is there
  // already. `open_for` replaces the first open period. kInvalidArgument for closed to half-open
  // (nothing to probe), and outside kNormal.
  Result<void> Force(BreakerState to, std::optional<Duration> open_for = {}) EXCLUDES(mutex_);

  void SetMode(BreakerMode mode) EXCLUDES(mutex_);
  // Any number of isolations can be held; the last that ends leaves the breaker closed, afresh.
  Isolation Isolate() EXCLUDES(mutex_);

  // Pure: an open breaker whose time is over stays "open" until a call asks for admission.
  BreakerState state() const { return StateOf(word_.load(std::memory_order_acquire)); }
  CircuitBreakerSnapshot Snapshot() const EXCLUDES(mutex_);

  const std::string& name() const { return name_; }
  const CircuitBreakerOptions& options() const { return options_; }

 private:
  // word_: the generation in the upper bits, then
  //   kSpecialBit  admission needs the lock: ramping up, isolated, forced open or disabled
  //   kDoubtBit    a success needs the lock: it may end a streak or change a rate
  // then two bits of state. A success that finds its own generation closed, without doubt, only
  // counts.
  static constexpr unsigned kGenerationShift = 4;
  static constexpr std::uint64_t kSpecialBit = 8;
  static constexpr std::uint64_t kDoubtBit = 4;
  static constexpr std::uint64_t kStateMask = 3;

  // Successes of the present generation that were counted without the lock, as
  // generation (16 bits) | bucket of the window (24 bits) | count (24 bits). Several, so that
  // threads do not share a cache line; drained into window_ whenever the lock is held.
  static constexpr std::size_t kStripes = 16;
  static constexpr std::uint64_t kStripeCountMax = (1U << 24) - 1;
  struct alignas(64) Stripe {
    std::atomic<std::uint64_t> word{0};
  };

  struct Change {
    std::string_view event;
    std::string_view from;
    std::string_view to;
    std::string reason;
  };

  CircuitBreaker(std::string name, const CircuitBreakerOptions& options, const Runtime& runtime);

  static BreakerState StateOf(std::uint64_t word) {
    return static_cast<BreakerState>(word & kStateMask);
  }
  std::uint64_t StripeTag(std::uint64_t generation, std::int64_t bucket) const {
    return (generation & 0xFFFFU) << 48U | (static_cast<std::uint64_t>(bucket) & 0xFFFFFFU) << 24U;
  }

  void RecordOutcome(std::uint64_t generation, BreakerOutcome outcome,
                     const BreakerReport& report) {
    if (outcome == BreakerOutcome::kSuccess && !report.repeated && !IsSlow(report.duration) &&
        word_.load(std::memory_order_relaxed) == generation << kGenerationShift) [[likely]] {
      const bool by_time = window_kind_ == CallWindow::Kind::kTime;
      const TimePoint now = by_time ? EndOf(report) : TimePoint();
      const std::int64_t bucket = CallWindow::BucketOf(now, window_kind_, bucket_length_);
      if (CountSuccess(StripeTag(generation, bucket))) return;
    }
    RecordSlow(generation, outcome, report);
  }
  TimePoint EndOf(const BreakerReport& report) const {
    return report.ended == kNever ? clock_.Now() : report.ended;
  }
  bool IsSlow(Duration duration) const {
    return options_.slow_call > Duration::zero() && duration > options_.slow_call;
  }
  // false if the stripe of this thread holds something else and must be drained first.
  bool CountSuccess(std::uint64_t tag);

  Result<Permit> TryAcquireSlow() EXCLUDES(mutex_);
  void RecordSlow(std::uint64_t generation, BreakerOutcome outcome, const BreakerReport& report)
      EXCLUDES(mutex_);
  void EndIsolation() EXCLUDES(mutex_);

  Result<Permit> Admit(TimePoint now, double luck) REQUIRES(mutex_);
  Result<Permit> AdmitProbe(TimePoint now) REQUIRES(mutex_);
  Error Reject(std::uint64_t CircuitBreakerSnapshot::*counter, const std::string& why,
               std::string reason, std::optional<Duration> retry_after) REQUIRES(mutex_);
  bool ShutByOperator() const REQUIRES(mutex_);
  // Transitions that are due at `now`.
  void MoveWithTime(TimePoint now, bool ends_idle_half_open) REQUIRES(mutex_);
  bool PeriodIsOver(TimePoint now) const REQUIRES(mutex_);
  void RollPeriod(TimePoint now) REQUIRES(mutex_);

  // Moves counts from one place to another, which nobody can see.
  void DrainStripes(TimePoint now) const REQUIRES(mutex_);
  // Lets this thread count its next successes without the lock.
  void SeedStripe(TimePoint now) const REQUIRES(mutex_);
  void AddResult(TimePoint now, const CallWindow::Sample& sample) REQUIRES(mutex_);
  void TakeHint(TimePoint now, std::optional<Duration> retry_after) REQUIRES(mutex_);
  void JudgeClosed(TimePoint now, bool failed) REQUIRES(mutex_);
  void JudgeHalfOpen(TimePoint now) REQUIRES(mutex_);
  std::optional<std::string> WhyTripped(const WindowCounts& counts, bool failed) const;
  int ProbesNeeded() const;
  int SuccessesNeeded() const;
  bool DecidesByRate() const;

  void Open(TimePoint since, std::string reason) REQUIRES(mutex_);
  void Close(TimePoint now, std::string reason) REQUIRES(mutex_);
  void Transit(BreakerState to, std::string reason) REQUIRES(mutex_);
  void StartGeneration() REQUIRES(mutex_);
  void StartAfresh(TimePoint now) REQUIRES(mutex_);
  void StoreWord() REQUIRES(mutex_);
  Duration OpenPeriod() const REQUIRES(mutex_);
  void PublishChanges() EXCLUDES(mutex_);

  const std::string name_;
  const CircuitBreakerOptions options_;
  const CallWindow::Kind window_kind_;
  const Duration bucket_length_;
  Clock& clock_;
  Random& random_;
  EventSink& events_;

  // On a cache line of its own: every call of every thread reads it.
  alignas(64) std::atomic<std::uint64_t> word_{0};
  mutable std::array<Stripe, kStripes> stripes_;

  alignas(64) mutable Mutex mutex_;
  BreakerState state_ GUARDED_BY(mutex_) = BreakerState::kClosed;
  BreakerMode mode_ GUARDED_BY(mutex_) = BreakerMode::kNormal;
  int isolations_ GUARDED_BY(mutex_) = 0;
  std::uint64_t generation_ GUARDED_BY(mutex_) = 0;
  // mutable: DrainStripes.
  mutable CallWindow window_ GUARDED_BY(mutex_);
  TimePoint period_since_ GUARDED_BY(mutex_);  // kFixed.
  WindowCounts evidence_ GUARDED_BY(mutex_);   // What opened it last.
  mutable WindowCounts period_ GUARDED_BY(mutex_);
  std::int64_t period_rejected_ GUARDED_BY(mutex_) = 0;
  mutable std::int64_t successes_in_row_ GUARDED_BY(mutex_) = 0;
  mutable std::int64_t failures_in_row_ GUARDED_BY(mutex_) = 0;
  std::optional<TimePoint> hint_until_ GUARDED_BY(mutex_);
  TimePoint open_until_ GUARDED_BY(mutex_);
  std::optional<TimePoint> ramp_since_ GUARDED_BY(mutex_);
  int reopened_ GUARDED_BY(mutex_) = 0;
  double jitter_ GUARDED_BY(mutex_) = 0.0;
  int probes_out_ GUARDED_BY(mutex_) = 0;
  TimePoint progress_at_ GUARDED_BY(mutex_);  // Half-open since, or its last result.
  bool in_doubt_ GUARDED_BY(mutex_) = false;  // window_ holds a failure or a slow result.
  bool would_be_open_ GUARDED_BY(mutex_) = false;
  mutable CircuitBreakerSnapshot totals_ GUARDED_BY(mutex_);
  std::deque<Change> unpublished_ GUARDED_BY(mutex_);
  bool publishing_ GUARDED_BY(mutex_) = false;
};

}  // namespace understudy
