#include "middleware/observe/metrics_sink.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <string>
#include <utility>
#include <variant>

#include "middleware/base/check.h"
#include "middleware/base/text.h"
#include "middleware/observe/breaker_level.h"
#include "middleware/observe/metric_cells.h"
#include "middleware/observe/series_table.h"

namespace understudy {
namespace {

using std::chrono::milliseconds;

const Field* Find(std::span<const Field> fields, std::string_view key) {
  for (const Field& field : fields) {
    if (field.key == key) return &field;
  }
  return nullptr;
}

// Empty, which becomes "unknown", for a field that is missing or not a text or a truth value.
std::string_view Label(std::span<const Field> fields, std::string_view key) {
  const Field* const field = Find(fields, key);
  if (field == nullptr) return {};
  if (const auto* const text = std::get_if<std::string_view>(&field->value)) return *text;
  if (const auto* const flag = std::get_if<bool>(&field->value)) return *flag ? "true" : "false";
  return {};
}

// A hostile vendor can invent statuses, so only their classes become labels.
std::string_view StatusClass(std::int64_t status) {
  constexpr std::array<std::string_view, 6> kClasses = {"unknown", "1xx", "2xx",
                                                        "3xx",     "4xx", "5xx"};
  return status >= 100 && status < 600 ? kClasses[static_cast<std::size_t>(status / 100)]
                                       : kClasses[0];
}

// The fields of "call.end", gathered in one pass: this is the event of every call.
struct EndOfCall {
  explicit EndOfCall(std::span<const Field> fields) {
    for (const Field& field : fields) Read(field);
  }

  void Read(const Field& field) {
    if (const auto* const text = std::get_if<std::string_view>(&field.value)) {
      if (field.key == "operation") operation = *text;
      if (field.key == "error") error = *text;
    } else if (const auto* const flag = std::get_if<bool>(&field.value)) {
      if (field.key == "ok") ok = *flag;
      if (field.key == "fallback") fallback = *flag;
    } else if (const auto* const number = std::get_if<std::int64_t>(&field.value)) {
      if (field.key == "status") status = *number;
      if (field.key == "attempts") attempts = std::max<std::int64_t>(*number, 0);
    } else if (field.key == "duration") {
      duration = std::get<Duration>(field.value);
    }
  }

  std::string_view Outcome() const {
    if (fallback) return "fallback";
    if (ok) return "ok";
    return error.empty() ? StatusClass(status) : error;
  }

  std::string_view operation = {};
  std::string_view error = {};
  bool ok = false;
  bool fallback = false;
  std::int64_t status = 0;
  std::int64_t attempts = 0;
  Duration duration{0};
};

// What is known of one operation, found once per event.
struct OperationCell {
  ShardedCounter started = {};
  ShardedCounter attempts = {};
  DurationHistogram duration = {};
};

using LevelCell = std::atomic<int>;

template <std::size_t kLabels>
struct Description {
  std::string_view name;
  std::string_view help;
  std::array<std::string_view, kLabels> labels;
  std::array<bool, kLabels> closed;  // See SeriesTable.
};

template <std::size_t kLabels>
std::array<MetricLabel, kLabels> Labels(const std::array<std::string_view, kLabels>& names,
                                        const std::array<std::string_view, kLabels>& values) {
  std::array<MetricLabel, kLabels> labels;
  for (std::size_t i = 0; i < kLabels; ++i) labels[i] = {names[i], values[i]};
  return labels;
}

// A family of counters whose labels are fields of one event.
template <std::size_t kLabels>
class EventCounter {
 public:
  EventCounter(const Description<kLabels>& description, std::size_t series_max)
      : description_(description), table_(series_max, description.closed) {}

  // The names of the labels are those of the fields.
  void Count(std::span<const Field> fields) {
    std::array<std::string_view, kLabels> values;
    for (std::size_t i = 0; i < kLabels; ++i) values[i] = Label(fields, description_.labels[i]);
    Count(values);
  }
  void Count(const std::array<std::string_view, kLabels>& values) { table_.At(values).Add(1); }

  void WriteTo(MetricsWriter& writer) const {
    table_.ForEach([&](const auto& values, const ShardedCounter& cell) {
      const auto labels = Labels(description_.labels, values);
      writer.Counter(description_.name, description_.help, labels, cell.value());
    });
  }

  std::string_view name() const { return description_.name; }
  std::uint64_t dropped() const { return table_.dropped(); }

 private:
  const Description<kLabels> description_;
  SeriesTable<ShardedCounter, kLabels> table_;
};

constexpr std::array<std::string_view, 1> kOperationLabel = {"operation"};
constexpr std::string_view kDuration = "understudy_call_duration_seconds";
constexpr std::string_view kBreakerState = "understudy_breaker_state";

MetricsSinkOptions Checked(MetricsSinkOptions options) {
  UNDERSTUDY_CHECK(FindProblems(options).empty(), "invalid metrics options");
  return options;
}

void AddBucketProblems(std::string_view option, const std::vector<Duration>& bounds,
                       Problems& problems) {
  const std::string name(option);
  if (bounds.empty() || bounds.size() > DurationHistogram::kBoundsMax) {
    problems.push_back(name + " has " + std::to_string(bounds.size()) +
                       " bounds; it must have 1 to " +
                       std::to_string(DurationHistogram::kBoundsMax));
  }
  for (std::size_t i = 0; i < bounds.size(); ++i) {
    const Duration least = i == 0 ? Duration::zero() : bounds[i - 1];
    if (bounds[i] > least) continue;
    problems.push_back(name + " holds " + FormatDuration(bounds[i]) + " after " +
                       FormatDuration(least) + "; bounds must be above zero and ascend");
    return;
  }
}

}  // namespace

std::vector<Duration> MetricsSinkOptions::DefaultCallBuckets() {
  std::vector<Duration> bounds;
  for (const int ms : {5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10'000, 30'000, 60'000}) {
    bounds.emplace_back(milliseconds(ms));
  }
  return bounds;
}

std::vector<Duration> MetricsSinkOptions::DefaultWaitBuckets() {
  std::vector<Duration> bounds;
  for (const int ms : {1, 5, 10, 50, 100, 500, 1000, 5000, 10'000, 30'000}) {
    bounds.emplace_back(milliseconds(ms));
  }
  return bounds;
}

Problems FindProblems(const MetricsSinkOptions& options) {
  Problems problems;
  if (options.series_max < 16 || options.series_max > 100'000) {
    problems.push_back("series_max is " + std::to_string(options.series_max) +
                       "; it must be 16 to 100000");
  }
  AddBucketProblems("call_buckets", options.call_buckets, problems);
  AddBucketProblems("wait_buckets", options.wait_buckets, problems);
  return problems;
}

struct MetricsSink::Families {
  explicit Families(const MetricsSinkOptions& options)
      : series_max(options.series_max),
        call_bounds(options.call_buckets),
        wait_bounds(options.wait_buckets) {}

  void Dispatch(std::string_view name, std::span<const Field> fields);
  void StartCall(std::span<const Field> fields);
  void EndCall(std::span<const Field> fields);
  void CountHedge(std::span<const Field> fields);
  void CountFailover(std::span<const Field> fields);
  void SetBreaker(std::span<const Field> fields);
  void SetBreakerMode(std::span<const Field> fields);
  void CountAdmission(std::span<const Field> fields, EventCounter<1>& decisions,
                      DurationHistogram& waits);
  void WriteTo(MetricsWriter& writer) const;
  void WriteOperations(MetricsWriter& writer) const;
  void WriteDropped(MetricsWriter& writer) const;
  // Calls `f` with each EventCounter.
  template <typename Self, typename F>
  static void ForEachCounter(Self& self, F&& f);

  const std::size_t series_max;
  const std::vector<Duration> call_bounds;
  const std::vector<Duration> wait_bounds;

  SeriesTable<OperationCell, 1> operations{series_max, {false}};
  SeriesTable<LevelCell, 1> breaker_levels{series_max, {false}};
  DurationHistogram rate_limit_waits = {};
  DurationHistogram bulkhead_waits = {};

  EventCounter<2> calls{{"understudy_calls_total",
                         "Logical calls that ended, by what the caller got.",
                         {"operation", "outcome"},
                         {false, true}},
                        series_max};
  EventCounter<2> retries{{"understudy_retries_total",
                           "Repetitions of attempts, by why the last attempt failed.",
                           {"operation", "reason"},
                           {false, false}},
                          series_max};
  EventCounter<3> transitions{{"understudy_breaker_transitions_total",
                               "Transitions of circuit breakers.",
                               {"name", "from", "to"},
                               {false, true, true}},
                              series_max};
  EventCounter<2> breaker_modes{{"understudy_breaker_modes_total",
                                 "Changes of the modes of circuit breakers.",
                                 {"name", "mode"},
                                 {false, true}},
                                series_max};
  EventCounter<1> breaker_shadows{
      {"understudy_breaker_shadow_total",
       "Times that a circuit breaker in metrics-only mode would have opened.",
       {"name"},
       {false}},
      series_max};
  EventCounter<1> rate_limits{{"understudy_rate_limit_total",
                               "Attempts that the rate limiter did not admit at once.",
                               {"decision"},
                               {true}},
                              series_max};
  EventCounter<1> bulkheads{{"understudy_bulkhead_total",
                             "Attempts that the bulkhead did not admit at once.",
                             {"decision"},
                             {true}},
                            series_max};
  EventCounter<1> deadlines{{"understudy_deadline_total",
                             "Calls that their deadline ended, by where it was noticed.",
                             {"phase"},
                             {true}},
                            series_max};
  EventCounter<2> fallbacks{{"understudy_fallback_total",
                             "Calls that failed and asked for a substitute.",
                             {"reason", "served"},
                             {false, true}},
                            series_max};
  EventCounter<3> failovers{{"understudy_failover_total",
                             "Steps of calls from one provider to the next.",
                             {"chain", "from", "to"},
                             {false, false, false}},
                            series_max};
  EventCounter<1> token_refreshes{
      {"understudy_token_refresh_total", "Steps of token refreshes.", {"phase"}, {true}},
      series_max};
  EventCounter<1> cache{
      {"understudy_cache_total", "Lookups in the response cache.", {"result"}, {true}}, series_max};
  EventCounter<1> hedges{{"understudy_hedge_total", "Hedged attempts.", {"result"}, {true}},
                         series_max};
  EventCounter<3> webhooks_received{{"understudy_webhook_received_total",
                                     "Webhook deliveries, by what became of them.",
                                     {"provider", "outcome", "duplicate"},
                                     {false, true, true}},
                                    series_max};
  EventCounter<2> webhooks_processed{{"understudy_webhook_processed_total",
                                      "Runs of webhook handlers, by how they ended.",
                                      {"provider", "outcome"},
                                      {false, true}},
                                     series_max};
  EventCounter<3> health_changes{{"understudy_health_changes_total",
                                  "Changes of the status of dependencies.",
                                  {"name", "from", "to"},
                                  {false, true, true}},
                                 series_max};
  EventCounter<2> health_checks{{"understudy_health_checks_total",
                                 "Results of health probes.",
                                 {"name", "outcome"},
                                 {false, true}},
                                series_max};
  EventCounter<1> health_ready{{"understudy_health_ready_changes_total",
                                "Times that this process became ready, or not ready.",
                                {"ready"},
                                {true}},
                               series_max};
  EventCounter<2> jobs{{"understudy_job_runs_total",
                        "Runs of periodic jobs, by how they ended.",
                        {"job", "outcome"},
                        {false, true}},
                       series_max};
  EventCounter<1> jobs_overdue{{"understudy_job_overdue_total",
                                "Runs of periodic jobs that passed their deadline.",
                                {"job"},
                                {false}},
                               series_max};
  EventCounter<1> unknown{{"understudy_unknown_events_total",
                           "Events that no other family counts.",
                           {"event"},
                           {false}},
                          series_max};
};

template <typename Self, typename F>
void MetricsSink::Families::ForEachCounter(Self& self, F&& f) {
  f(self.calls);
  f(self.retries);
  f(self.transitions);
  f(self.breaker_modes);
  f(self.breaker_shadows);
  f(self.rate_limits);
  f(self.bulkheads);
  f(self.deadlines);
  f(self.fallbacks);
  f(self.failovers);
  f(self.token_refreshes);
  f(self.cache);
  f(self.hedges);
  f(self.webhooks_received);
  f(self.webhooks_processed);
  f(self.health_changes);
  f(self.health_checks);
  f(self.health_ready);
  f(self.jobs);
  f(self.jobs_overdue);
  f(self.unknown);
}

void MetricsSink::Families::Dispatch(std::string_view name, std::span<const Field> fields) {
  // The two events of every call first.
  if (name == "call.start") return StartCall(fields);
  if (name == "call.end") return EndCall(fields);
  if (name == "cache") return cache.Count(fields);
  if (name == "retry") return retries.Count(fields);
  if (name == "breaker") return SetBreaker(fields);
  if (name == "breaker.mode") return SetBreakerMode(fields);
  if (name == "breaker.shadow") return breaker_shadows.Count(fields);
  if (name == "rate_limit") return CountAdmission(fields, rate_limits, rate_limit_waits);
  if (name == "bulkhead") return CountAdmission(fields, bulkheads, bulkhead_waits);
  if (name == "deadline") return deadlines.Count(fields);
  if (name == "fallback") return fallbacks.Count(fields);
  if (name == "failover") return CountFailover(fields);
  if (name == "hedge") return CountHedge(fields);
  if (name == "token.refresh") return token_refreshes.Count(fields);
  if (name == "webhook.received") return webhooks_received.Count(fields);
  if (name == "webhook.processed") return webhooks_processed.Count(fields);
  if (name == "health.changed") return health_changes.Count(fields);
  if (name == "health.check") return health_checks.Count(fields);
  if (name == "health.ready") return health_ready.Count(fields);
  if (name == "job.run") return jobs.Count(fields);
  if (name == "job.overdue") return jobs_overdue.Count(fields);
  unknown.Count({name});
}

void MetricsSink::Families::StartCall(std::span<const Field> fields) {
  operations.At({Label(fields, "operation")}).started.Add(1);
}

void MetricsSink::Families::EndCall(std::span<const Field> fields) {
  const EndOfCall end(fields);
  calls.Count({end.operation, end.Outcome()});
  OperationCell& cell = operations.At({end.operation});
  cell.attempts.Add(static_cast<std::uint64_t>(end.attempts));
  cell.duration.Observe(call_bounds, end.duration);
}

void MetricsSink::Families::CountHedge(std::span<const Field> fields) {
  const std::string_view decision = Label(fields, "decision");
  hedges.Count({decision.empty() ? Label(fields, "result") : decision});
}

void MetricsSink::Families::CountFailover(std::span<const Field> fields) {
  const std::string_view to = Label(fields, "to");
  failovers.Count({Label(fields, "chain"), Label(fields, "from"), to.empty() ? "none" : to});
}

void MetricsSink::Families::SetBreaker(std::span<const Field> fields) {
  transitions.Count(fields);
  // A breaker publishes its transitions in order, so the last one stands.
  breaker_levels.At({Label(fields, "name")})
      .store(BreakerLevel(Label(fields, "to"), "normal", false), std::memory_order_relaxed);
}

void MetricsSink::Families::SetBreakerMode(std::span<const Field> fields) {
  const std::string_view name = Label(fields, "name");
  const std::string_view mode = Label(fields, "mode");
  const bool isolated = Label(fields, "isolated") == "true";
  breaker_modes.Count({name, isolated ? "isolated" : mode});
  // A new mode starts afresh, which is closed.
  breaker_levels.At({name}).store(BreakerLevel("closed", mode, isolated),
                                  std::memory_order_relaxed);
}

void MetricsSink::Families::CountAdmission(std::span<const Field> fields,
                                           EventCounter<1>& decisions, DurationHistogram& waits) {
  const std::string_view decision = Label(fields, "decision");
  decisions.Count({decision});
  // Others ("refused", "throttled") carry a wait that is advice for later.
  if (!decision.ends_with("waited")) return;
  const Field* const field = Find(fields, "wait");
  const auto* const wait = field == nullptr ? nullptr : std::get_if<Duration>(&field->value);
  if (wait != nullptr) waits.Observe(wait_bounds, *wait);
}

void MetricsSink::Families::WriteTo(MetricsWriter& writer) const {
  ForEachCounter(*this, [&](const auto& counter) { counter.WriteTo(writer); });
  WriteOperations(writer);
  breaker_levels.ForEach([&](const auto& values, const LevelCell& level) {
    writer.Gauge(kBreakerState, kBreakerStateHelp, {{"name", values[0]}},
                 level.load(std::memory_order_relaxed));
  });
  writer.Histogram("understudy_rate_limit_wait_seconds", "Waits for a permit of the rate limiter.",
                   {}, rate_limit_waits.value(wait_bounds));
  writer.Histogram("understudy_bulkhead_wait_seconds", "Waits for a place in the bulkhead.", {},
                   bulkhead_waits.value(wait_bounds));
  WriteDropped(writer);
}

void MetricsSink::Families::WriteOperations(MetricsWriter& writer) const {
  operations.ForEach([&](const auto& values, const OperationCell& cell) {
    const auto labels = Labels(kOperationLabel, values);
    // Ended before started, so that a call between the two reads does not count as minus one.
    const HistogramValue ended = cell.duration.value(call_bounds);
    std::uint64_t ended_count = 0;
    for (const std::uint64_t count : ended.counts) ended_count += count;
    const std::uint64_t started = cell.started.value();
    writer.Gauge("understudy_calls_in_flight", "Logical calls that have started and not ended.",
                 labels, static_cast<double>(static_cast<std::int64_t>(started - ended_count)));
    writer.Counter("understudy_attempts_total", "Requests handed to the transport.", labels,
                   cell.attempts.value());
    writer.Histogram(kDuration, "Time of logical calls, over all attempts and waits.", labels,
                     ended);
  });
}

void MetricsSink::Families::WriteDropped(MetricsWriter& writer) const {
  const auto write = [&](std::string_view family, std::uint64_t dropped) {
    writer.Counter("understudy_series_dropped_total",
                   "Updates that were counted as \"other\" because the family is full.",
                   {{"family", family}}, dropped);
  };
  ForEachCounter(*this, [&](const auto& counter) { write(counter.name(), counter.dropped()); });
  write(kDuration, operations.dropped());
  write(kBreakerState, breaker_levels.dropped());
}

MetricsSink::MetricsSink(MetricsSinkOptions options)
    : options_(Checked(std::move(options))), families_(std::make_unique<Families>(options_)) {}

MetricsSink::~MetricsSink() = default;

void MetricsSink::Publish(std::string_view name, std::span<const Field> fields) noexcept {
  families_->Dispatch(name, fields);
}

void MetricsSink::AddCollector(std::function<void(MetricsWriter&)> collector) {
  UNDERSTUDY_CHECK(collector != nullptr, "an empty collector");
  auto shared = std::make_shared<const Collector>(std::move(collector));
  const MutexLock lock(mutex_);
  UNDERSTUDY_CHECK(collectors_.size() < kCollectorsMax,
                   "too many collectors; add them once, when the program starts");
  collectors_.push_back(std::move(shared));
}

std::vector<std::shared_ptr<const MetricsSink::Collector>> MetricsSink::Collectors() const {
  const MutexLock lock(mutex_);
  return collectors_;
}

void MetricsSink::WriteText(std::string& out) const {
  MetricsWriter writer(options_.series_max);
  families_->WriteTo(writer);
  for (const auto& collector : Collectors()) (*collector)(writer);
  writer.Counter("understudy_samples_refused_total",
                 "Samples of collectors in this page that could not be written.", {},
                 writer.refused());
  writer.AppendTo(out);
}

}  // namespace understudy
