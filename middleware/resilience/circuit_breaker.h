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
//   closed      every call is admitted
//     -> open       after `failures` failures in a row, none older than `window`
//   open        every call is refused
//     -> half-open  at the first admission after the open period
//   half-open   at most `half_open_calls` probes at a time, and no more than successes are missing
//     -> closed     after `half_open_successes` successes
//     -> open       after one failure, for longer if open_growth says so
//     -> open       at an admission that finds every probe out and none admitted since
//                   `half_open_max`; likewise
//
// A transition starts a new generation. A result that belongs to an older one only counts as late:
// a call admitted while closed can neither close nor re-open a half-open breaker.
#pragma once

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

#include "middleware/base/mutex.h"
#include "middleware/base/result.h"
#include "middleware/resilience/outcome.h"
#include "middleware/resilience/problems.h"
#include "middleware/runtime/runtime.h"

namespace understudy {

struct CircuitBreakerOptions {
  // Failures in a row that open the breaker, and the age above which a failure no longer counts to
  // them.
  int failures = 5;
  Duration window = std::chrono::seconds(60);
  // How long it stays open: open_for, times open_growth for each re-opening since it was last
  // closed, at most open_for_max (which never shortens open_for), plus a random share of up to
  // open_jitter of that, so that a fleet does not probe in lock-step. A vendor's Retry-After (see
  // Permit::Record) can lengthen it up to open_for_max.
  Duration open_for = std::chrono::seconds(30);
  double open_growth = 1.0;
  Duration open_for_max = std::chrono::minutes(5);
  double open_jitter = 0.0;
  // Probes at the same time, and successes that close it; 0 means as many as half_open_calls.
  int half_open_calls = 1;
  int half_open_successes = 0;
  // A probe that has not reported by then is given up. Longer than the attempt timeout of the
  // calls.
  Duration half_open_max = std::chrono::seconds(60);

  bool operator==(const CircuitBreakerOptions&) const = default;
};

// Everything that is wrong with `options`; empty if they are usable.
Problems FindProblems(const CircuitBreakerOptions& options);

enum class BreakerState : std::uint8_t { kClosed, kOpen, kHalfOpen };

std::string_view ToString(BreakerState state);  // "closed", "open", "half-open"; literals

// A consistent copy of everything observable. Successes are not counted: the path of a healthy call
// writes nothing.
struct CircuitBreakerSnapshot {
  BreakerState state = BreakerState::kClosed;
  int streak = 0;                               // Failures in a row, while closed.
  std::optional<Duration> open_remaining = {};  // Until a probe is admitted, while open.
  std::uint64_t transitions = 0;
  std::uint64_t opened = 0;
  std::uint64_t failures = 0;
  std::uint64_t neutral = 0;  // Neutral, cancelled, locally refused, and dropped permits.
  std::uint64_t late = 0;     // Results of an older generation.
  std::uint64_t rejected_open = 0;
  std::uint64_t rejected_half_open = 0;
  std::optional<SystemTime> last_failure_at = {};  // Wall clock, for people.
};

// Thread-safe. Nothing blocks. While closed and healthy, TryAcquire and Record together read two
// atomics and write nothing, so calls do not slow each other down. Events ("breaker": name, from,
// to, reason) are published in the order of the transitions, with no lock held, by the thread that
// caused the transition or by one that is publishing already.
//
// The clock, random source and event sink of `runtime` must outlive the breaker; the breaker must
// outlive its permits.
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
    // `retry_after` is the vendor's hint with a failure: if the breaker opens, it stays open at
    // least that long (bounded by open_for_max).
    void Record(BreakerOutcome outcome, std::optional<Duration> retry_after = {}) {
      if (breaker_ == nullptr) return;
      std::exchange(breaker_, nullptr)->RecordOutcome(generation_, outcome, retry_after);
    }

    // The state that admitted it: kClosed or kHalfOpen.
    BreakerState state() const { return state_; }

   private:
    friend class CircuitBreaker;
    Permit(CircuitBreaker& breaker, std::uint64_t generation, BreakerState state)
        : breaker_(&breaker), generation_(generation), state_(state) {}

    CircuitBreaker* breaker_;
    std::uint64_t generation_;
    BreakerState state_;
  };

  // kInvalidArgument naming every problem of `options`. `name` labels events and messages, e.g. the
  // vendor.
  static Result<std::unique_ptr<CircuitBreaker>> Create(std::string name,
                                                        const CircuitBreakerOptions& options,
                                                        const Runtime& runtime);

  CircuitBreaker(const CircuitBreaker&) = delete;
  CircuitBreaker& operator=(const CircuitBreaker&) = delete;

  // A permit, or kCircuitOpen [not-sent, local] with reason "breaker-open" and the time to the next
  // probe in retry_after, or reason "breaker-half-open" without one: when a probe will report is
  // not known.
  Result<Permit> TryAcquire() {
    const std::uint64_t word = word_.load(std::memory_order_acquire);
    if (StateOf(word) == BreakerState::kClosed) [[likely]] {
      return Permit(*this, word >> kGenerationShift, BreakerState::kClosed);
    }
    return TryAcquireSlow();
  }

  // Pure: an open breaker whose time is over stays "open" until a call asks for admission.
  BreakerState state() const { return StateOf(word_.load(std::memory_order_acquire)); }
  CircuitBreakerSnapshot Snapshot() const EXCLUDES(mutex_);

  const std::string& name() const { return name_; }
  const CircuitBreakerOptions& options() const { return options_; }

 private:
  // word_: generation in the upper bits, then one bit "there is a streak of failures", then two
  // bits of state. A success that finds its own generation closed without a streak changes nothing
  // and needs no lock.
  static constexpr unsigned kGenerationShift = 3;
  static constexpr std::uint64_t kStreakBit = 4;

  struct Transition {
    BreakerState from;
    BreakerState to;
    std::string reason;
  };

  CircuitBreaker(std::string name, const CircuitBreakerOptions& options, const Runtime& runtime);

  static BreakerState StateOf(std::uint64_t word) { return static_cast<BreakerState>(word & 3U); }

  void RecordOutcome(std::uint64_t generation, BreakerOutcome outcome,
                     std::optional<Duration> retry_after) {
    if (outcome == BreakerOutcome::kSuccess &&
        word_.load(std::memory_order_relaxed) == generation << kGenerationShift) [[likely]] {
      return;
    }
    RecordSlow(generation, outcome, retry_after);
  }

  Result<Permit> TryAcquireSlow() EXCLUDES(mutex_);
  void RecordSlow(std::uint64_t generation, BreakerOutcome outcome,
                  std::optional<Duration> retry_after) EXCLUDES(mutex_);

  Result<Permit> Admit(TimePoint now) REQUIRES(mutex_);
  Result<Permit> AdmitProbe(TimePoint now) REQUIRES(mutex_);
  Error RejectOpen(TimePoint now) REQUIRES(mutex_);
  void RecordSuccess() REQUIRES(mutex_);
  void RecordFailure(TimePoint now, std::optional<Duration> retry_after) REQUIRES(mutex_);
  void AddToStreak(TimePoint now) REQUIRES(mutex_);
  void Open(TimePoint now, std::string_view reason) REQUIRES(mutex_);
  void Transit(BreakerState to, std::string_view reason) REQUIRES(mutex_);
  void StoreWord() REQUIRES(mutex_);
  Duration OpenPeriod() const REQUIRES(mutex_);
  void PublishTransitions() EXCLUDES(mutex_);
  // Draws only if the options ask for jitter.
  double DrawJitter();
  int SuccessesNeeded() const;

  const std::string name_;
  const CircuitBreakerOptions options_;
  Clock& clock_;
  Random& random_;
  EventSink& events_;

  // On a cache line of its own: every call of every thread reads it.
  alignas(64) std::atomic<std::uint64_t> word_{0};

  alignas(64) mutable Mutex mutex_;
  BreakerState state_ GUARDED_BY(mutex_) = BreakerState::kClosed;
  std::uint64_t generation_ GUARDED_BY(mutex_) = 0;
  std::deque<TimePoint> streak_ GUARDED_BY(mutex_);  // At most `failures` points.
  std::optional<TimePoint> hint_until_ GUARDED_BY(mutex_);
  TimePoint open_until_ GUARDED_BY(mutex_);
  int reopened_ GUARDED_BY(mutex_) = 0;
  double jitter_ GUARDED_BY(mutex_) = 0.0;
  int probes_out_ GUARDED_BY(mutex_) = 0;
  int probes_succeeded_ GUARDED_BY(mutex_) = 0;
  TimePoint last_probe_at_ GUARDED_BY(mutex_);
  CircuitBreakerSnapshot counts_ GUARDED_BY(mutex_);
  std::deque<Transition> unpublished_ GUARDED_BY(mutex_);
  bool publishing_ GUARDED_BY(mutex_) = false;
};

}  // namespace understudy
