// PassiveHealth: learns how dependencies stand from the calls that are made anyway, and from their
// circuit breakers, without sending anything.
//
// A probe costs the vendor's quota, sees one endpoint, and says nothing while it waits for its next
// turn; real traffic is free, broad and now. So traffic speaks first, and probes fill its silences
// (health_monitor.h).
//
//   UNDERSTUDY_ASSIGN_OR_RETURN(
//       auto passive, PassiveHealth::Create(clock, {{.name = "stripe",
//                                                    .breakers = {"stripe"},
//                                                    .operations = {"charges.*", "refunds.*"}}}));
//   FanOutSink events({&metrics, passive.get()});           // It is an EventSink.
//   monitor.Register({.name = "stripe", .probe = ..., .passive = passive->Source("stripe")});
//
// What a dependency's reading is; the first row that applies decides:
//
//   a breaker is forced open or isolated         unhealthy  breaker-forced   (no probe overrules
//   it) nobody called and no breaker moved
//     for quiet_after                            unknown    quiet
//   a breaker is in a state not known here       unknown    breaker-unknown
//   a breaker is open                            unhealthy  breaker-open
//   a breaker is half-open                       degraded   breaker-half-open
//   no conclusive call within the window         unknown    quiet
//   fewer than calls_min, and too many failed    unknown    little-evidence
//   unhealthy_rate of them, or more, failed      unhealthy  failing
//   degraded_rate of them, or more, failed       degraded   failing
//   otherwise                                    healthy    ok
//
// What it hears: "breaker" and "breaker.mode" by their name; "call.end", "retry" and "cache" by
// their operation. The outcome classes of a call (resilience/outcome.h):
//
//   success       ok redirect client-error in-progress unsupported, unless a fallback made it up
//   failure       server-error gateway unavailable timeout-remote timeout-local connect ambiguous
//                 protocol security; every answer that a fallback made up after something was sent
//   inconclusive  all others: throttled, auth, deadline, cancelled, local refusals, ... and calls
//                 for which nothing was sent, such as cache hits
//
// A retry is one failure more if its reason is a status from 500, 408 or 425, a timeout or a broken
// connection; a stale answer from the cache instead of an error is one too.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "middleware/base/call_window.h"
#include "middleware/base/mutex.h"
#include "middleware/base/result.h"
#include "middleware/health/passive_reading.h"
#include "middleware/runtime/clock.h"
#include "middleware/runtime/event.h"

namespace understudy {

struct PassiveDependency {
  std::string name = {};  // Unique; IsHealthName.
  // Names of circuit breakers and of operations: exact, or with one "*" at the end that stands for
  // anything. At least one of the two lists has an element; each at most 32.
  std::vector<std::string> breakers = {};
  std::vector<std::string> operations = {};
  Duration window = std::chrono::minutes(1);  // 1 s to 1 day; in ten steps.
  int calls_min = 10;                         // 1 to 1,000,000.
  double degraded_rate = 0.25;                // Above 0, to 1.
  std::optional<double> unhealthy_rate = {};  // degraded_rate to 1; unset: never by rate alone.
  Duration quiet_after = std::chrono::minutes(2);  // Above zero.
};

// One sentence each, naming the option.
std::vector<std::string> FindProblems(const PassiveDependency& dependency);

// Thread-safe. An event takes a short lock only if it is one of those above.
class PassiveHealth final : public EventSink {
 public:
  static constexpr std::size_t kDependenciesMax = 256;
  // Breakers of one dependency that are not closed at a time; beyond that none is told apart, and
  // the dependency is at best degraded ("breaker-many") from then on.
  static constexpr std::size_t kBreakersMax = 256;

  // kInvalidArgument with everything that is wrong. `clock` is borrowed.
  static Result<std::unique_ptr<PassiveHealth>> Create(Clock& clock,
                                                       std::vector<PassiveDependency> dependencies);

  using EventSink::Publish;
  void Publish(std::string_view name, std::span<const Field> fields) noexcept override
      EXCLUDES(mutex_);

  // kUnknown, "not-configured", for a name that it was not created with.
  PassiveReading Read(std::string_view name) const EXCLUDES(mutex_);
  // Read as a function, valid as long as this object. Aborts for a name that it was not created
  // with.
  PassiveSource Source(std::string_view name) const;

 private:
  enum class BreakerAs { kClosed, kHalfOpen, kOpen, kForced, kUnknown };
  enum class Sample { kSuccess, kFailure, kInconclusive };

  // Mutable parts under mutex_.
  struct Entry {
    PassiveDependency dependency;
    std::map<std::string, BreakerAs, std::less<>> breakers = {};  // Those that are not closed.
    bool breakers_lost = false;
    CallWindow calls;
    std::optional<TimePoint> evidence_at = {};  // Of the last conclusive sample or transition.
    std::optional<TimePoint> heard_at = {};     // Of the last event of any kind.
  };

  PassiveHealth(Clock& clock, std::vector<PassiveDependency> dependencies);

  void HearBreaker(std::string_view breaker, BreakerAs as) EXCLUDES(mutex_);
  void HearCall(std::string_view operation, Sample sample) EXCLUDES(mutex_);
  static Sample SampleOfCall(std::span<const Field> fields);
  static Sample SampleOfRetry(std::string_view reason);
  static void Add(Entry& entry, Sample sample, TimePoint now);
  static PassiveReading ReadEntry(const Entry& entry, TimePoint now);
  static std::optional<PassiveReading> ReadBreakers(const Entry& entry, bool quiet);
  static PassiveReading ReadCalls(const Entry& entry, TimePoint now);

  Clock& clock_;
  mutable Mutex mutex_;
  // The keys never change.
  std::map<std::string, Entry, std::less<>> entries_ GUARDED_BY(mutex_);
};

}  // namespace understudy
