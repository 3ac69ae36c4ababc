#include "middleware/health/health_monitor.h"

#include <algorithm>
#include <cmath>

#include "middleware/base/problems.h"
#include "middleware/base/text.h"
#include "middleware/health/health_code.h"
#include "middleware/runtime/stop.h"

namespace understudy {
namespace {

constexpr Duration kIntervalMax = std::chrono::hours(24 * 366);

// User code: whatever it throws ends here, and is a failure.
Result<ProbeOutcome> CallProbe(const HealthProbe& probe, const ProbeContext& context) {
  try {
    return probe(context);
  } catch (...) {
    return ProbeOutcome::Unhealthy("exception");
  }
}

bool IsInconclusive(const Result<ProbeOutcome>& result) {
  if (result) return false;
  const Error& error = result.error();
  return error.origin == Origin::kLocal &&
         (error.code == ErrorCode::kRateLimited || error.code == ErrorCode::kOverloaded);
}

// The words of an error stay in the process: the code is all that a report gets.
ProbeOutcome OutcomeOf(const Result<ProbeOutcome>& result) {
  if (!result) return ProbeOutcome::Unhealthy(std::string(ToString(result.error().code)));
  if (result->status == HealthStatus::kUnknown) return ProbeOutcome::Unhealthy("no-outcome");
  return *result;
}

std::string_view OutcomeName(HealthStatus status) {
  if (status == HealthStatus::kHealthy) return "healthy";
  return status == HealthStatus::kDegraded ? "degraded" : "failed";
}

// A share of its own for each name from one draw, so that probes registered together drift apart.
double LuckOf(std::uint64_t draw, std::string_view name) {
  std::uint64_t mixed = draw;
  for (const char c : name) {
    mixed = (mixed ^ static_cast<unsigned char>(c)) * 0x9E3779B97F4A7C15U;
    mixed ^= mixed >> 29U;
  }
  return std::ldexp(static_cast<double>(mixed >> 11U), -53);
}

Duration Jittered(Duration interval, double jitter, double luck) {
  return Duration(static_cast<Duration::rep>(static_cast<double>(interval.count()) *
                                             (1 + jitter * (2 * luck - 1))));
}

// Between two results of a probe that keeps its times.
Duration LongestGap(const HealthDependency& dependency) {
  return Jittered(dependency.interval, dependency.jitter, 1.0) + dependency.timeout;
}

// The table of the header. `probe` is the state of a probe whose last result is not older than the
// reading.
struct Standing {
  HealthStatus status = HealthStatus::kUnknown;
  std::string_view code = {};
  HealthSource source = HealthSource::kNone;
};

Standing Fuse(const PassiveReading& reading, const HealthState& state, HealthStatus probe) {
  const Standing by_traffic{reading.status, reading.code, HealthSource::kPassive};
  if (!reading.confirmable) return by_traffic;
  const bool younger = state.last_at() && (!reading.at || *state.last_at() >= *reading.at);
  if (!younger) return by_traffic;
  const bool probe_failed = probe == HealthStatus::kUnhealthy;
  // A last failure that hysteresis forgave confirms nothing.
  const bool probe_usable = state.failures() == 0 &&
                            (probe == HealthStatus::kHealthy || probe == HealthStatus::kDegraded);
  switch (reading.status) {
    case HealthStatus::kHealthy:
      if (probe_failed) return {HealthStatus::kDegraded, state.code(), HealthSource::kProbe};
      break;
    case HealthStatus::kDegraded:
      if (probe_failed) return {HealthStatus::kUnhealthy, state.code(), HealthSource::kProbe};
      break;
    case HealthStatus::kUnhealthy:
      if (probe_usable) return {HealthStatus::kDegraded, "recovering", HealthSource::kProbe};
      break;
    case HealthStatus::kUnknown:
      break;
  }
  return by_traffic;
}

}  // namespace

std::string_view ToString(HealthSource source) {
  switch (source) {
    case HealthSource::kNone:
      return "none";
    case HealthSource::kProbe:
      return "probe";
    case HealthSource::kPassive:
      return "passive";
  }
  return "none";
}

std::vector<std::string> FindProblems(const HealthDependency& dependency) {
  std::vector<std::string> problems;
  const auto refuse = [&](std::string_view option, const std::string& value,
                          std::string_view must) {
    problems.push_back(std::string(option) + " is " + value + "; it must be " + std::string(must));
  };
  const auto refuse_duration = [&](std::string_view option, Duration value, std::string_view must) {
    refuse(option, FormatDuration(value), must);
  };
  const auto check_count = [&](std::string_view option, int value, int high) {
    RequireRange(problems, option, value, 1, high);
  };
  if (!IsHealthName(dependency.name)) {
    problems.emplace_back("name must be 1 to 64 letters, digits, '.', '_' or '-'");
  }
  if (!dependency.probe && !dependency.passive) {
    problems.emplace_back("there is neither a probe nor a passive source");
  }
  if (!dependency.probe && dependency.critical && !dependency.ready_when_unknown) {
    problems.emplace_back(
        "a critical dependency without a probe would never be ready, hence never get traffic; give "
        "it a probe, or set ready_when_unknown");
  }
  const HysteresisOptions& hysteresis = dependency.hysteresis;
  check_count("failures_to_fail", hysteresis.failures_to_fail, 100);
  check_count("successes_to_recover", hysteresis.successes_to_recover, 100);
  check_count("abandoned_max", dependency.abandoned_max, 8);
  if (dependency.timeout <= Duration::zero()) {
    refuse_duration("timeout", dependency.timeout, "above zero");
  }
  if (dependency.interval < dependency.timeout || dependency.interval > kIntervalMax) {
    refuse_duration("interval", dependency.interval, "the timeout to 366d");
  }
  const bool jitter_ok = dependency.jitter >= 0.0 && dependency.jitter <= 0.5;  // Not so for NaN.
  if (!jitter_ok) refuse("jitter", std::to_string(dependency.jitter), "0 to 0.5");
  if (hysteresis.stale_after <= Duration::zero()) {
    refuse_duration("stale_after", hysteresis.stale_after, "above zero");
  } else if (dependency.probe && problems.empty() &&
             hysteresis.stale_after <= LongestGap(dependency)) {
    refuse_duration("stale_after", hysteresis.stale_after,
                    "longer than an interval with its jitter and the timeout, " +
                        FormatDuration(LongestGap(dependency)) +
                        ", else a probe that works would be unknown between its checks");
  }
  if (dependency.slow_after && *dependency.slow_after <= Duration::zero()) {
    refuse_duration("slow_after", *dependency.slow_after, "above zero");
  }
  return problems;
}

Result<std::unique_ptr<HealthMonitor>> HealthMonitor::Create(Runtime runtime,
                                                             HealthMonitorOptions options) {
  std::vector<std::string> problems;
  RequireRange<std::size_t>(problems, "dependencies_max", options.dependencies_max, 1, 1024);
  RequireRange<std::size_t>(problems, "running_max", options.running_max, 1, 64);
  if (options.heartbeat < std::chrono::milliseconds(1)) {
    problems.push_back("heartbeat is " + FormatDuration(options.heartbeat) +
                       "; it must be at least 1ms");
  }
  UNDERSTUDY_RETURN_IF_ERROR(ToResult("health monitor", problems));
  return std::unique_ptr<HealthMonitor>(new HealthMonitor(runtime, options));
}

HealthMonitor::HealthMonitor(Runtime runtime, HealthMonitorOptions options)
    : runtime_(runtime),
      options_(options),
      beat_(runtime.clock.Now()),
      probes_(runtime.clock, runtime.executor) {}

HealthMonitor::~HealthMonitor() {
  static_cast<void>(Stop(Duration::zero()));
  loop_.Join();
}  // `probes_` joins the probes.

Result<void> HealthMonitor::Register(HealthDependency dependency) {
  const std::vector<std::string> problems = FindProblems(dependency);
  const std::string subject = "health dependency " + dependency.name;
  UNDERSTUDY_RETURN_IF_ERROR(ToResult(subject, problems));
  auto entry = std::make_shared<Entry>(std::move(dependency));
  entry->due = runtime_.clock.Now();
  const MutexLock lock(mutex_);
  if (entries_.size() >= options_.dependencies_max) {
    return InvalidArgument(subject + ": there are dependencies_max (" +
                           std::to_string(options_.dependencies_max) + ") already");
  }
  const std::string& name = entry->dependency.name;
  if (!entries_.emplace(name, entry).second) {
    return InvalidArgument(subject + ": the name is in use");
  }
  Wake();
  return {};
}

Result<void> HealthMonitor::Unregister(std::string_view name) {
  std::shared_ptr<Entry> entry;  // Its probe may own much; ends without the lock.
  std::shared_ptr<Flight> flight;
  {
    const MutexLock lock(mutex_);
    const auto found = entries_.find(name);
    if (found == entries_.end()) {
      return Error{.code = ErrorCode::kNotFound,
                   .message = "there is no health dependency of the name " +
                              std::string(name.substr(0, kHealthNameBytesMax))};
    }
    entry = found->second;
    entry->removed = true;
    flight = std::exchange(entry->flight, nullptr);
    if (flight) {
      flight->given_up = true;
      ++entry->abandoned;
      --running_;
    }
    entries_.erase(found);
    Wake();
  }
  if (flight) understudy::RequestStop(flight->stop);
  return {};
}

void HealthMonitor::Start() {
  {
    const MutexLock lock(mutex_);
    if (started_ || stopping_) return;
    started_ = true;
  }
  loop_ = runtime_.executor.Spawn("health", [this](const std::stop_token&) { Loop(); });
}

HealthReport HealthMonitor::Report() {
  RunPass(/*starting=*/false);
  const TimePoint now = runtime_.clock.Now();
  const SystemTime at = runtime_.clock.SystemNow();
  const MutexLock lock(mutex_);
  return Compile(now, at);
}

HealthReport HealthMonitor::CheckNow(Deadline deadline) {
  std::vector<std::pair<std::shared_ptr<Entry>, std::uint64_t>> awaited;
  {
    const MutexLock lock(mutex_);
    for (const auto& [name, entry] : entries_) {
      if (!entry->dependency.probe) continue;
      entry->forced = !entry->flight;
      awaited.emplace_back(entry, entry->attended);
    }
  }
  const auto done = [&]() REQUIRES(mutex_) {
    return std::all_of(awaited.begin(), awaited.end(), [](const auto& one) {
      return one.first->removed || one.first->attended != one.second;
    });
  };
  for (;;) {
    const Pass pass = RunPass(/*starting=*/true);
    const MutexLock lock(mutex_);
    if (stopping_ || done() || deadline.Passed(runtime_.clock.Now())) break;
    runtime_.clock.AwaitUntil(mutex_, changed_, std::min(pass.wake, deadline.point()),
                              [&]() REQUIRES(mutex_) { return changes_ != pass.changes; });
  }
  return Report();
}

Duration HealthMonitor::SinceBeat() const {
  const TimePoint now = runtime_.clock.Now();
  const MutexLock lock(mutex_);
  return std::max(now - beat_, Duration::zero());
}

Result<void> HealthMonitor::Stop(Duration grace) {
  const TimePoint deadline = SaturatingAdd(runtime_.clock.Now(), grace);
  std::vector<std::shared_ptr<Flight>> flights;
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
    for (const auto& [name, entry] : entries_) {
      if (!entry->flight) continue;
      // Its result would be about the stop, not about the dependency.
      entry->flight->given_up = true;
      ++entry->abandoned;
      --running_;
      flights.push_back(std::exchange(entry->flight, nullptr));
    }
    Wake();
  }
  for (const auto& flight : flights) understudy::RequestStop(flight->stop);
  // First what is booked, because a probe is before its task has been spawned.
  std::size_t booked = 0;
  {
    const MutexLock lock(mutex_);
    runtime_.clock.AwaitUntil(mutex_, changed_, deadline,
                              [&]() REQUIRES(mutex_) { return tasks_ == 0; });
    booked = tasks_;
  }
  if (booked == 0 && probes_.AwaitIdle(deadline)) return {};
  return Error{.code = ErrorCode::kTimeout,
               .message = std::to_string(std::max<std::size_t>(booked, probes_.running())) +
                          " health probes did not stop within " + FormatDuration(grace) +
                          "; make them look at their stop token",
               .reason = "probes-running"};
}

void HealthMonitor::Loop() {
  for (;;) {
    const Pass pass = RunPass(/*starting=*/true);
    probes_.Reap();
    const MutexLock lock(mutex_);
    if (stopping_) return;
    runtime_.clock.AwaitUntil(mutex_, changed_, pass.wake,
                              [&]() REQUIRES(mutex_) { return changes_ != pass.changes; });
    beat_ = runtime_.clock.Now();
  }
}

HealthMonitor::Pass HealthMonitor::RunPass(bool starting) {
  ReadPassives();
  const std::uint64_t draw = starting ? runtime_.random.Next("health/jitter") : 0;
  Pass pass;
  {
    const MutexLock lock(mutex_);
    const TimePoint now = runtime_.clock.Now();
    pass.wake = SaturatingAdd(now, options_.heartbeat);
    // First all ends, because they make place for starts.
    for (const auto& [name, entry] : entries_) GiveUpIfLate(*entry, now, pass);
    for (const auto& [name, entry] : entries_) {
      if (starting && !stopping_) StartIfDue(entry, now, LuckOf(draw, name), pass);
    }
    for (const auto& [name, entry] : entries_) pass.wake = std::min(pass.wake, WakeOf(*entry, now));
    NoteChanges(now);
    pass.changes = changes_;
  }
  for (std::stop_source& stop : pass.stops) understudy::RequestStop(stop);
  for (const auto& start : pass.starts) {
    probes_.Spawn("health probe",
                  [this, entry = start.first, flight = start.second] { RunProbe(entry, flight); });
  }
  PublishNotices();
  return pass;
}

void HealthMonitor::ReadPassives() {
  std::uint64_t number = 0;
  std::vector<std::pair<std::shared_ptr<Entry>, PassiveReading>> readings;
  {
    const MutexLock lock(mutex_);
    number = ++passes_;
    for (const auto& [name, entry] : entries_) {
      if (entry->dependency.passive) readings.emplace_back(entry, PassiveReading());
    }
  }
  for (auto& [entry, reading] : readings) reading = entry->dependency.passive();
  const MutexLock lock(mutex_);
  for (auto& [entry, reading] : readings) {
    // Another thread may have read later and been here before.
    if (entry->reading_pass > number) continue;
    entry->reading_pass = number;
    entry->reading = std::move(reading);
    entry->reading.code = CleanHealthCode(entry->reading.code);
  }
}

void HealthMonitor::GiveUpIfLate(Entry& entry, TimePoint now, Pass& pass) {
  if (!entry.flight || !entry.flight->deadline.Passed(now)) return;
  const std::shared_ptr<Flight> flight = std::exchange(entry.flight, nullptr);
  flight->given_up = true;
  ++entry.abandoned;
  --running_;
  pass.stops.push_back(flight->stop);
  Book(entry, ProbeOutcome::Unhealthy("timeout"), now, now - flight->started_at);
}

void HealthMonitor::StartIfDue(const std::shared_ptr<Entry>& entry, TimePoint now, double luck,
                               Pass& pass) {
  const HealthDependency& dependency = entry->dependency;
  if (!dependency.probe || entry->flight || (now < entry->due && !entry->forced)) return;
  const bool spared = dependency.passive && entry->reading.status == HealthStatus::kHealthy;
  const bool hung = !spared && entry->abandoned >= dependency.abandoned_max;
  if (!spared && !hung && running_ >= options_.running_max) return;  // Stays due.
  entry->due = SaturatingAdd(now, Jittered(dependency.interval, dependency.jitter, luck));
  entry->forced = false;
  if (spared) {
    ++entry->attended;
    Wake();  // Somebody may wait in CheckNow.
    return;
  }
  if (hung) {
    Book(*entry, ProbeOutcome::Unhealthy("hung"), now, Duration::zero());
    return;
  }
  entry->flight = std::make_shared<Flight>();
  entry->flight->started_at = now;
  entry->flight->deadline = Deadline::After(now, dependency.timeout);
  ++running_;
  ++tasks_;
  pass.starts.emplace_back(entry, entry->flight);
}

TimePoint HealthMonitor::WakeOf(const Entry& entry, TimePoint now) const {
  TimePoint wake = kNever;
  if (entry.flight) {
    wake = entry.flight->deadline.point();
  } else if (entry.dependency.probe && entry.due > now) {
    wake = entry.due;  // One that is overdue waits for a place, whose release wakes.
  }
  if (!entry.state.StaleAt(now)) wake = std::min(wake, entry.state.StaleFrom());
  return wake;
}

void HealthMonitor::RunProbe(const std::shared_ptr<Entry>& entry,
                             const std::shared_ptr<Flight>& flight) {
  const auto result =
      CallProbe(entry->dependency.probe, {flight->deadline, flight->stop.get_token()});
  const TimePoint now = runtime_.clock.Now();
  {
    const MutexLock lock(mutex_);
    --tasks_;
    Finish(*entry, *flight, result, now);
    Wake();
  }
  PublishNotices();
}

void HealthMonitor::Finish(Entry& entry, Flight& flight, const Result<ProbeOutcome>& result,
                           TimePoint now) {
  if (flight.given_up) {
    --entry.abandoned;
    return;
  }
  entry.flight = nullptr;
  --running_;
  const Duration took = now - flight.started_at;
  if (flight.deadline.Passed(now)) {
    // Nobody has looked since; too late is too late.
    Book(entry, ProbeOutcome::Unhealthy("timeout"), now, took);
  } else if (IsInconclusive(result)) {
    ++entry.attended;
    notices_.push_back({Notice::Kind::kCheck,
                        entry.dependency.name,
                        "inconclusive",
                        {},
                        std::string(ToString(result.error().code)),
                        false,
                        took});
  } else {
    entry.latency = took;
    ProbeOutcome outcome = OutcomeOf(result);
    const auto& slow_after = entry.dependency.slow_after;
    if (outcome.status == HealthStatus::kHealthy && slow_after && took > *slow_after) {
      outcome = ProbeOutcome::Degraded("slow");
    }
    Book(entry, std::move(outcome), now, took);
  }
  NoteChanges(now);
}

void HealthMonitor::Book(Entry& entry, ProbeOutcome outcome, TimePoint now, Duration duration) {
  ++entry.checks;
  ++entry.attended;
  const std::string_view name = OutcomeName(outcome.status);
  entry.state.Record(std::move(outcome), now);
  notices_.push_back(
      {Notice::Kind::kCheck, entry.dependency.name, name, {}, entry.state.code(), false, duration});
  Wake();
}

void HealthMonitor::NoteChanges(TimePoint now) {
  std::vector<HealthPart> parts;
  parts.reserve(entries_.size());
  for (const auto& [name, entry] : entries_) {
    const DependencyHealth health = Describe(*entry, now);
    parts.push_back({health.status, health.critical, entry->dependency.ready_when_unknown});
    if (health.status == entry->published) continue;
    notices_.push_back({Notice::Kind::kChanged, name, ToString(entry->published),
                        ToString(health.status), health.code, health.critical, Duration::zero()});
    entry->published = health.status;
  }
  const HealthVerdict verdict = Aggregate(parts);
  if (verdict.ready == published_ready_) return;
  published_ready_ = verdict.ready;
  notices_.push_back({Notice::Kind::kReady,
                      {},
                      {},
                      ToString(verdict.status),
                      {},
                      verdict.ready,
                      Duration::zero()});
}

void HealthMonitor::PublishNotices() {
  // One thread at a time publishes, and takes over what others add meanwhile: that keeps the order
  // without holding the lock.
  for (;;) {
    Notice next;
    {
      const MutexLock lock(mutex_);
      if (publishing_ || notices_.empty()) return;
      publishing_ = true;
      next = std::move(notices_.front());
      notices_.pop_front();
    }
    PublishNotice(next);
    const MutexLock lock(mutex_);
    publishing_ = false;
  }
}

void HealthMonitor::PublishNotice(const Notice& notice) {
  const std::string_view name = notice.name;
  const std::string_view code = notice.code;
  switch (notice.kind) {
    case Notice::Kind::kCheck:
      runtime_.events.Publish("health.check", {{"name", name},
                                               {"outcome", notice.from},
                                               {"code", code},
                                               {"duration", notice.duration}});
      return;
    case Notice::Kind::kChanged:
      runtime_.events.Publish("health.changed", {{"name", name},
                                                 {"from", notice.from},
                                                 {"to", notice.to},
                                                 {"code", code},
                                                 {"critical", notice.flag}});
      return;
    case Notice::Kind::kReady:
      runtime_.events.Publish("health.ready", {{"ready", notice.flag}, {"status", notice.to}});
      return;
  }
}

DependencyHealth HealthMonitor::Describe(const Entry& entry, TimePoint now) const {
  const HealthState& state = entry.state;
  const HealthStatus probe = state.StatusAt(now);
  const PassiveReading& reading = entry.reading;
  Standing standing;
  if (reading.status != HealthStatus::kUnknown) {
    standing = Fuse(reading, state, probe);
  } else if (state.last_at()) {
    standing = {probe, state.StaleAt(now) ? "stale" : std::string_view(state.code()),
                HealthSource::kProbe};
  } else if (entry.dependency.passive && reading.at) {
    standing = {HealthStatus::kUnknown, reading.code, HealthSource::kPassive};
  } else {
    standing = {HealthStatus::kUnknown, "never-checked", HealthSource::kNone};
  }
  DependencyHealth health;
  health.name = entry.dependency.name;
  health.critical = entry.dependency.critical;
  health.status = standing.status;
  health.code = standing.code;
  health.source = standing.source;
  const auto& at = standing.source == HealthSource::kPassive ? reading.at : state.last_at();
  if (at) health.age = std::max(now - *at, Duration::zero());
  health.latency = entry.latency;
  health.consecutive_failures = state.failures();
  health.abandoned = entry.abandoned;
  health.checks = entry.checks;
  return health;
}

HealthReport HealthMonitor::Compile(TimePoint now, SystemTime at) const {
  HealthReport report;
  report.at = at;
  std::vector<HealthPart> parts;
  for (const auto& [name, entry] : entries_) {
    const DependencyHealth& health = report.dependencies.emplace_back(Describe(*entry, now));
    parts.push_back({health.status, health.critical, entry->dependency.ready_when_unknown});
  }
  const HealthVerdict verdict = Aggregate(parts);
  report.status = verdict.status;
  report.ready = verdict.ready;
  return report;
}

void HealthMonitor::Wake() {
  ++changes_;
  changed_.NotifyAll();
}

}  // namespace understudy
