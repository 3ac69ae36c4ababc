// HealthMonitor: knows how the dependencies of this process stand, by probes and by what their
// traffic shows, and never makes anybody wait to hear it.
//
//   UNDERSTUDY_ASSIGN_OR_RETURN(auto health, HealthMonitor::Create(runtime, {}));
//   UNDERSTUDY_RETURN_IF_ERROR(health->Register({.name = "stripe",
//                                                .critical = true,
//                                                .probe = stripe_probe,
//                                                .passive = passive.Source("stripe")}));
//   health->Start();
//   ...
//   const HealthReport report = health->Report();   // Cached, with ages; at once.
//   if (!report.ready) ...
//
// A dependency has a probe, a passive source, or both. With both, traffic speaks first: while it
// shows the dependency healthy the probe does not run, which saves the vendor's quota. Otherwise:
//
//   traffic says   probe says (if it is younger)   the dependency is
//   healthy        unhealthy                       degraded
//   healthy        anything else, or nothing       healthy
//   degraded       unhealthy                       unhealthy
//   degraded       anything else, or nothing       degraded
//   unhealthy      healthy or degraded             degraded ("recovering"): ready again, so that
//                                                  calls come and the breaker can close
//   unhealthy      anything else, or nothing       unhealthy
//   unknown        ...                             what the probe says
//
// A probe that has not returned at its deadline has failed ("timeout") and is told to stop; the
// monitor does not wait for it. While `abandoned_max` of a dependency's probes are given up on and
// have not returned, no further one is started, and each check fails ("hung").
//
// Reports hold codes, never texts.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "middleware/base/mutex.h"
#include "middleware/base/result.h"
#include "middleware/health/health_probe.h"
#include "middleware/health/health_state.h"
#include "middleware/health/health_status.h"
#include "middleware/health/passive_reading.h"
#include "middleware/runtime/deadline.h"
#include "middleware/runtime/runtime.h"
#include "middleware/runtime/task_group.h"

namespace understudy {

struct HealthDependency {
  std::string name = {};   // Unique; IsHealthName.
  bool critical = false;   // Without it this process cannot do its work.
  HealthProbe probe = {};  // At least one of the two.
  PassiveSource passive = {};
  Duration timeout = std::chrono::seconds(5);    // Of a probe; above zero.
  Duration interval = std::chrono::seconds(30);  // Between starts; the timeout to 366 days.
  double jitter = 0.1;  // The interval is up to this part shorter or longer; 0 to 0.5.
  // Its stale_after is longer than an interval with its jitter and the timeout.
  HysteresisOptions hysteresis = {};
  // A probe that takes longer is degraded ("slow"); unset: no bound but the timeout.
  std::optional<Duration> slow_after = {};
  int abandoned_max = 1;  // 1 to 8.
  // Ready although nobody knows: only for what may be found broken by the first request. A critical
  // dependency with only a passive source needs it: it would never get the traffic that shows it
  // healthy.
  bool ready_when_unknown = false;
};

// One sentence each, naming the option.
std::vector<std::string> FindProblems(const HealthDependency& dependency);

// Where the status comes from.
enum class HealthSource { kNone, kProbe, kPassive };

std::string_view ToString(HealthSource source);  // "none", "probe", "passive"

// How one dependency stands.
struct DependencyHealth {
  std::string name = {};
  bool critical = false;
  HealthStatus status = HealthStatus::kUnknown;
  // "ok", "slow", "timeout", "hung", "exception", "no-outcome", "never-checked", "stale",
  // "recovering", an ErrorCode's name, or one of the probe or the passive source.
  std::string code = {};
  HealthSource source = HealthSource::kNone;
  std::optional<Duration> age = {};      // Of the youngest evidence; unset: there is none.
  std::optional<Duration> latency = {};  // Of the last probe that returned in time.
  int consecutive_failures = 0;          // Of probes.
  int abandoned = 0;                     // Probes that were given up on and have not returned.
  std::uint64_t checks = 0;              // Results of probes so far.
};

struct HealthReport {
  HealthStatus status = HealthStatus::kUnknown;
  bool ready = false;
  SystemTime at = {};
  std::vector<DependencyHealth> dependencies = {};  // In the order of names.
};

struct HealthMonitorOptions {
  std::size_t dependencies_max = 64;  // 1 to 1024.
  std::size_t running_max = 8;        // Probes at once, given-up ones apart; 1 to 64.
  // How often the monitor's own task looks around at least: the delay of "health.changed" for what
  // only traffic shows. At least 1 ms.
  Duration heartbeat = std::chrono::seconds(5);
};

// Thread-safe. Waits only through the Clock. The parts of the runtime are borrowed.
//
// Publishes, in order and with no lock held: "health.check" {name, outcome, code, duration} per
// result of a probe, outcome "healthy", "degraded", "failed" or "inconclusive"; "health.changed"
// {name, from, to, code, critical} when a dependency's status changes; "health.ready" {ready,
// status} when readiness does.
class HealthMonitor {
 public:
  // kInvalidArgument for options outside their ranges.
  static Result<std::unique_ptr<HealthMonitor>> Create(Runtime runtime,
                                                       HealthMonitorOptions options);
  // Stops, and joins every probe: blocks for as long as one ignores its stop token. No call may be
  // running.
  ~HealthMonitor();
  HealthMonitor(const HealthMonitor&) = delete;
  HealthMonitor& operator=(const HealthMonitor&) = delete;

  // kInvalidArgument with everything that is wrong with it, for a name in use, and after
  // dependencies_max. The dependency is unknown until its first result; its first check is due at
  // once.
  Result<void> Register(HealthDependency dependency) EXCLUDES(mutex_);
  // kNotFound. A probe that runs is told to stop, and its result is dropped.
  Result<void> Unregister(std::string_view name) EXCLUDES(mutex_);

  // Starts the task that checks at intervals. Once; without it only CheckNow checks.
  void Start() EXCLUDES(mutex_);

  // What is known now. Never blocks, and starts nothing.
  HealthReport Report() EXCLUDES(mutex_);

  // Checks every dependency that has a probe and whose traffic does not show it healthy, joining
  // the checks that run already, and blocks until all have a result, at most until `deadline`;
  // timeouts bound it too. Then as Report.
  HealthReport CheckNow(Deadline deadline) EXCLUDES(mutex_);

  // Time since the monitor's task last looked around, for liveness checks; since construction
  // before Start.
  Duration SinceBeat() const EXCLUDES(mutex_);

  // Starts nothing any more, tells probes to stop, and waits for their ends, at most for `grace`.
  // kTimeout if some still run. Reports go on, and go stale.
  Result<void> Stop(Duration grace) EXCLUDES(mutex_);

 private:
  // One run of a probe. Mutable parts under mutex_.
  struct Flight {
    TimePoint started_at = {};
    Deadline deadline = {};
    std::stop_source stop = {};
    bool given_up = false;  // Its result counts no more.
  };
  // Mutable parts under mutex_.
  struct Entry {
    explicit Entry(HealthDependency of) : dependency(std::move(of)), state(dependency.hysteresis) {}

    const HealthDependency dependency;
    HealthState state;
    PassiveReading reading = {};
    std::uint64_t reading_pass = 0;  // Of which pass the reading is.
    std::optional<Duration> latency = {};
    std::uint64_t checks = 0;
    std::uint64_t attended = 0;  // Checks, and decisions that none is needed.
    TimePoint due = {};
    bool forced = false;  // By CheckNow.
    std::shared_ptr<Flight> flight = {};
    int abandoned = 0;
    bool removed = false;
    HealthStatus published = HealthStatus::kUnknown;
  };
  using Entries = std::map<std::string, std::shared_ptr<Entry>, std::less<>>;

  // What an event says; a queue of them keeps their order.
  struct Notice {
    enum class Kind { kCheck, kChanged, kReady } kind = Kind::kCheck;
    std::string name = {};
    std::string_view from = {};  // Or the outcome of a check. Literals, as the next.
    std::string_view to = {};
    std::string code = {};
    bool flag = false;  // critical, or ready
    Duration duration{0};
  };

  // What a look at all entries leads to, done without the lock.
  struct Pass {
    std::vector<std::pair<std::shared_ptr<Entry>, std::shared_ptr<Flight>>> starts = {};
    std::vector<std::stop_source> stops = {};
    TimePoint wake = kNever;
    std::uint64_t changes = 0;  // As changes_ at the time of the pass.
  };

  HealthMonitor(Runtime runtime, HealthMonitorOptions options);

  void Loop() EXCLUDES(mutex_);
  // Looks at all entries: gives up on what is late, starts what is due if `starting`, publishes.
  Pass RunPass(bool starting) EXCLUDES(mutex_);
  void ReadPassives() EXCLUDES(mutex_);
  void GiveUpIfLate(Entry& entry, TimePoint now, Pass& pass) REQUIRES(mutex_);
  void StartIfDue(const std::shared_ptr<Entry>& entry, TimePoint now, double luck, Pass& pass)
      REQUIRES(mutex_);
  TimePoint WakeOf(const Entry& entry, TimePoint now) const REQUIRES(mutex_);

  void RunProbe(const std::shared_ptr<Entry>& entry, const std::shared_ptr<Flight>& flight)
      EXCLUDES(mutex_);
  void Finish(Entry& entry, Flight& flight, const Result<ProbeOutcome>& result, TimePoint now)
      REQUIRES(mutex_);
  void Book(Entry& entry, ProbeOutcome outcome, TimePoint now, Duration duration) REQUIRES(mutex_);
  void NoteChanges(TimePoint now) REQUIRES(mutex_);
  void PublishNotices() EXCLUDES(mutex_);
  void PublishNotice(const Notice& notice);

  DependencyHealth Describe(const Entry& entry, TimePoint now) const REQUIRES(mutex_);
  HealthReport Compile(TimePoint now, SystemTime at) const REQUIRES(mutex_);
  void Wake() REQUIRES(mutex_);

  const Runtime runtime_;
  const HealthMonitorOptions options_;
  mutable Mutex mutex_;
  CondVar changed_{"the next health check"};
  Entries entries_ GUARDED_BY(mutex_);
  TimePoint beat_ GUARDED_BY(mutex_);
  std::uint64_t passes_ GUARDED_BY(mutex_) = 0;
  std::uint64_t changes_ GUARDED_BY(mutex_) = 0;  // Grows whenever somebody should look again.
  std::size_t running_ GUARDED_BY(mutex_) = 0;    // Flights that count.
  std::size_t tasks_ GUARDED_BY(mutex_) = 0;      // Flights that have not returned.
  bool started_ GUARDED_BY(mutex_) = false;
  bool stopping_ GUARDED_BY(mutex_) = false;
  bool published_ready_ GUARDED_BY(mutex_) = false;
  // Bounded by what is going on: a notice needs the end of a probe or a look at the entries, and
  // whoever adds some publishes until there are none.
  std::deque<Notice> notices_ GUARDED_BY(mutex_);
  bool publishing_ GUARDED_BY(mutex_) = false;
  TaskGroup probes_;
  Task loop_;
};

}  // namespace understudy
