#include "middleware/health/passive_health.h"

#include <algorithm>
#include <utility>

#include "middleware/base/check.h"
#include "middleware/base/problems.h"
#include "middleware/base/text.h"
#include "middleware/health/health_code.h"

namespace understudy {
namespace {

constexpr int kWindowParts = 10;

constexpr std::size_t kPatternsMax = 32;

template <typename T>
T ValueOf(std::span<const Field> fields, std::string_view key, T missing) {
  for (const Field& field : fields) {
    if (field.key != key) continue;
    const T* const value = std::get_if<T>(&field.value);
    return value == nullptr ? missing : *value;
  }
  return missing;
}

std::string_view TextOf(std::span<const Field> fields, std::string_view key) {
  return ValueOf<std::string_view>(fields, key, {});
}

bool IsOneOf(std::string_view text, std::initializer_list<std::string_view> texts) {
  return std::find(texts.begin(), texts.end(), text) != texts.end();
}

bool Matches(std::string_view pattern, std::string_view name) {
  if (!pattern.ends_with('*')) return pattern == name;
  pattern.remove_suffix(1);
  return name.starts_with(pattern);
}

bool MatchesAny(const std::vector<std::string>& patterns, std::string_view name) {
  return std::any_of(patterns.begin(), patterns.end(),
                     [&](const std::string& pattern) { return Matches(pattern, name); });
}

bool IsPattern(std::string_view text) {
  return !text.empty() && text.find('*') >= text.size() - 1;  // None, or the last character.
}

// A thread reads the clock before it gets the lock, so an older time can come later.
void KeepLater(std::optional<TimePoint>& kept, TimePoint time) {
  if (!kept || time > *kept) kept = time;
}

}  // namespace

std::vector<std::string> FindProblems(const PassiveDependency& dependency) {
  std::vector<std::string> problems;
  const auto refuse = [&](std::string_view option, const std::string& value,
                          std::string_view must) {
    problems.push_back(std::string(option) + " is " + value + "; it must be " + std::string(must));
  };
  const auto check_patterns = [&](std::string_view option, const std::vector<std::string>& list) {
    if (list.size() > kPatternsMax) refuse(option, std::to_string(list.size()) + " long", "32");
    if (!std::all_of(list.begin(), list.end(), IsPattern)) {
      problems.push_back(std::string(option) +
                         " has an empty element, or one with a '*' that is not its end");
    }
  };
  if (!IsHealthName(dependency.name)) {
    problems.emplace_back("name must be 1 to 64 letters, digits, '.', '_' or '-'");
  }
  if (dependency.breakers.empty() && dependency.operations.empty()) {
    problems.emplace_back("there are neither breakers nor operations to learn from");
  }
  check_patterns("breakers", dependency.breakers);
  check_patterns("operations", dependency.operations);
  if (dependency.window < std::chrono::seconds(1) || dependency.window > std::chrono::hours(24)) {
    refuse("window", FormatDuration(dependency.window), "1s to 1d");
  }
  if (dependency.calls_min < 1 || dependency.calls_min > 1'000'000) {
    refuse("calls_min", std::to_string(dependency.calls_min), "1 to 1000000");
  }
  const double degraded = dependency.degraded_rate;
  if (!(degraded > 0.0 && degraded <= 1.0)) {  // So for NaN, as below.
    refuse("degraded_rate", std::to_string(degraded), "above 0, to 1");
  }
  if (const auto& rate = dependency.unhealthy_rate; rate && !(*rate >= degraded && *rate <= 1.0)) {
    refuse("unhealthy_rate", std::to_string(*rate), "degraded_rate to 1");
  }
  if (dependency.quiet_after <= Duration::zero()) {
    refuse("quiet_after", FormatDuration(dependency.quiet_after), "above zero");
  }
  return problems;
}

Result<std::unique_ptr<PassiveHealth>> PassiveHealth::Create(
    Clock& clock, std::vector<PassiveDependency> dependencies) {
  Problems problems;
  const auto add = [&](std::string_view name, std::string_view problem) {
    problems.push_back(std::string(name).append(": ").append(problem));
  };
  std::map<std::string, int, std::less<>> names;
  for (const PassiveDependency& dependency : dependencies) {
    for (const std::string& problem : FindProblems(dependency)) add(dependency.name, problem);
    if (++names[dependency.name] == 2) add(dependency.name, "the name is in use twice");
  }
  if (dependencies.size() > kDependenciesMax) add("dependencies", "there are more than 256");
  UNDERSTUDY_RETURN_IF_ERROR(ToResult("passive health", problems));
  return std::unique_ptr<PassiveHealth>(new PassiveHealth(clock, std::move(dependencies)));
}

PassiveHealth::PassiveHealth(Clock& clock, std::vector<PassiveDependency> dependencies)
    : clock_(clock) {
  const MutexLock lock(mutex_);
  for (PassiveDependency& dependency : dependencies) {
    std::string name = dependency.name;
    CallWindow calls(
        {.kind = CallWindow::Kind::kTime, .length = dependency.window, .buckets = kWindowParts});
    entries_.emplace(std::move(name),
                     Entry{.dependency = std::move(dependency), .calls = std::move(calls)});
  }
}

void PassiveHealth::Publish(std::string_view name, std::span<const Field> fields) noexcept {
  if (name == "call.end") {
    HearCall(TextOf(fields, "operation"), SampleOfCall(fields));
  } else if (name == "retry") {
    HearCall(TextOf(fields, "operation"), SampleOfRetry(TextOf(fields, "reason")));
  } else if (name == "cache") {
    if (TextOf(fields, "result") != "stale-if-error") return;
    HearCall(TextOf(fields, "operation"), Sample::kFailure);
  } else if (name == "breaker") {
    const std::string_view to = TextOf(fields, "to");
    HearBreaker(TextOf(fields, "name"), to == "closed"      ? BreakerAs::kClosed
                                        : to == "half-open" ? BreakerAs::kHalfOpen
                                        : to == "open"      ? BreakerAs::kOpen
                                                            : BreakerAs::kUnknown);
  } else if (name == "breaker.mode") {
    // A breaker starts afresh with each mode, which is closed.
    const std::string_view mode = TextOf(fields, "mode");
    const bool forced = ValueOf<bool>(fields, "isolated", false) || mode == "forced-open";
    const bool known = IsOneOf(mode, {"normal", "disabled", "metrics-only"});
    HearBreaker(TextOf(fields, "name"), forced  ? BreakerAs::kForced
                                        : known ? BreakerAs::kClosed
                                                : BreakerAs::kUnknown);
  }
}

PassiveHealth::Sample PassiveHealth::SampleOfCall(std::span<const Field> fields) {
  // Nothing was sent, so nothing is known: a cache hit, a refusal of our own.
  if (ValueOf<std::int64_t>(fields, "attempts", 0) <= 0) return Sample::kInconclusive;
  if (ValueOf<bool>(fields, "fallback", false)) return Sample::kFailure;
  const std::string_view klass = TextOf(fields, "class");
  if (IsOneOf(klass, {"ok", "redirect", "client-error", "in-progress", "unsupported"})) {
    return Sample::kSuccess;
  }
  const bool failed =
      IsOneOf(klass, {"server-error", "gateway", "unavailable", "timeout-remote", "timeout-local",
                      "connect", "ambiguous", "protocol", "security"});
  return failed ? Sample::kFailure : Sample::kInconclusive;
}

PassiveHealth::Sample PassiveHealth::SampleOfRetry(std::string_view reason) {
  const bool failed_status =
      (reason.size() == 3 && reason.front() == '5') || IsOneOf(reason, {"408", "425"});
  return failed_status || reason.starts_with("timeout") || reason.starts_with("connection")
             ? Sample::kFailure
             : Sample::kInconclusive;
}

void PassiveHealth::HearCall(std::string_view operation, Sample sample) {
  const TimePoint now = clock_.Now();
  const MutexLock lock(mutex_);
  for (auto& [name, entry] : entries_) {
    if (MatchesAny(entry.dependency.operations, operation)) Add(entry, sample, now);
  }
}

void PassiveHealth::HearBreaker(std::string_view breaker, BreakerAs as) {
  const TimePoint now = clock_.Now();
  const MutexLock lock(mutex_);
  for (auto& [name, entry] : entries_) {
    if (!MatchesAny(entry.dependency.breakers, breaker)) continue;
    KeepLater(entry.heard_at, now);
    KeepLater(entry.evidence_at, now);
    const auto found = entry.breakers.find(breaker);
    if (as == BreakerAs::kClosed) {
      if (found != entry.breakers.end()) entry.breakers.erase(found);
    } else if (found != entry.breakers.end()) {
      found->second = as;
    } else if (entry.breakers.size() < kBreakersMax) {
      entry.breakers.emplace(breaker, as);
    } else {
      entry.breakers_lost = true;
    }
  }
}

void PassiveHealth::Add(Entry& entry, Sample sample, TimePoint now) {
  KeepLater(entry.heard_at, now);
  if (sample == Sample::kInconclusive) return;
  KeepLater(entry.evidence_at, now);
  entry.calls.Add(now, {.failed = sample == Sample::kFailure});
}

PassiveReading PassiveHealth::Read(std::string_view name) const {
  const TimePoint now = clock_.Now();
  const MutexLock lock(mutex_);
  const auto found = entries_.find(name);
  if (found == entries_.end()) return {HealthStatus::kUnknown, "not-configured", {}, true};
  return ReadEntry(found->second, now);
}

PassiveSource PassiveHealth::Source(std::string_view name) const {
  {
    const MutexLock lock(mutex_);
    UNDERSTUDY_CHECK(entries_.contains(name), "no passive health of the name " + std::string(name));
  }
  return [this, name = std::string(name)] { return Read(name); };
}

PassiveReading PassiveHealth::ReadEntry(const Entry& entry, TimePoint now) {
  // A call that nothing came of is demand, and no evidence: the breaker saw it, and did not move.
  const bool quiet = !entry.heard_at || now - *entry.heard_at >= entry.dependency.quiet_after;
  PassiveReading reading;
  if (auto by_breakers = ReadBreakers(entry, quiet)) {
    reading = *std::move(by_breakers);
  } else {
    reading = ReadCalls(entry, now);
    if (entry.breakers_lost && reading.status == HealthStatus::kHealthy) {
      reading.status = HealthStatus::kDegraded;
      reading.code = "breaker-many";
    }
  }
  reading.at = entry.evidence_at;
  return reading;
}

std::optional<PassiveReading> PassiveHealth::ReadBreakers(const Entry& entry, bool quiet) {
  const auto any = [&](BreakerAs as) {
    return std::any_of(entry.breakers.begin(), entry.breakers.end(),
                       [&](const auto& breaker) { return breaker.second == as; });
  };
  // What an operator has decided does not age.
  if (any(BreakerAs::kForced)) return {{HealthStatus::kUnhealthy, "breaker-forced", {}, false}};
  if (quiet) return {{HealthStatus::kUnknown, "quiet", {}, true}};
  if (any(BreakerAs::kUnknown)) return {{HealthStatus::kUnknown, "breaker-unknown", {}, true}};
  if (any(BreakerAs::kOpen)) return {{HealthStatus::kUnhealthy, "breaker-open", {}, true}};
  if (any(BreakerAs::kHalfOpen)) return {{HealthStatus::kDegraded, "breaker-half-open", {}, true}};
  return std::nullopt;
}

PassiveReading PassiveHealth::ReadCalls(const Entry& entry, TimePoint now) {
  const PassiveDependency& dependency = entry.dependency;
  const WindowCounts counts = entry.calls.Counts(now);
  if (counts.calls() == 0) return {HealthStatus::kUnknown, "quiet", {}, true};
  const double rate = counts.FailureRate();
  if (counts.calls() < dependency.calls_min) {
    if (rate < dependency.degraded_rate) return {HealthStatus::kHealthy, "ok", {}, true};
    return {HealthStatus::kUnknown, "little-evidence", {}, true};
  }
  if (dependency.unhealthy_rate && rate >= *dependency.unhealthy_rate) {
    return {HealthStatus::kUnhealthy, "failing", {}, true};
  }
  if (rate >= dependency.degraded_rate) return {HealthStatus::kDegraded, "failing", {}, true};
  return {HealthStatus::kHealthy, "ok", {}, true};
}

}  // namespace understudy
