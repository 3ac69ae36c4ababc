// MetricsSink: turns the events of the middleware into metrics in the Prometheus text form.
//
//   MetricsSink metrics;
//   const Runtime runtime{clock, executor, random, logger, metrics};
//   ...
//   metrics.AddCollector(CollectBreakers(breakers));      // observe/collectors.h
//   // In the application's handler of GET /metrics:
//   std::string page;
//   metrics.WriteText(page);
//   Respond(200, MetricsSink::kContentType, page);
//
// The families, each with the prefix understudy_; durations are in seconds:
//
//   calls_total{operation,outcome}        "call.end"; outcome: ok, fallback, 4xx, 5xx, or the code
//                                         of the error ("timeout", "circuit-open", ...)
//   call_duration_seconds{operation}      "call.end"; a histogram, over all attempts and waits
//   calls_in_flight{operation}            "call.start" less "call.end"; a gauge
//   attempts_total{operation}             "call.end"; requests handed to the transport
//   retries_total{operation,reason}       "retry"
//   breaker_state{name}                   "breaker", "breaker.mode"; a gauge: 0 closed,
//                                         1 half-open, 2 open, 3 unknown (breaker_level.h)
//   breaker_transitions_total{name,from,to}   "breaker"
//   breaker_modes_total{name,mode}        "breaker.mode"; what operators decided
//   breaker_shadow_total{name}            "breaker.shadow"; would have opened (metrics only)
//   rate_limit_total{decision}            "rate_limit"; calls that were not admitted at once
//   rate_limit_wait_seconds               "rate_limit"; a histogram of the waits that were waited
//   bulkhead_total{decision}              "bulkhead"; likewise
//   bulkhead_wait_seconds                 "bulkhead"; likewise
//   deadline_total{phase}                 "deadline"
//   fallback_total{reason,served}         "fallback"
//   failover_total{chain,from,to}         "failover"; to: "none" if nobody was left to ask
//   token_refresh_total{phase}            "token.refresh"
//   cache_total{result}                   "cache"
//   hedge_total{result}                   "hedge"; its decision
//   webhook_received_total{provider,outcome,duplicate}   "webhook.received"
//   webhook_processed_total{provider,outcome}            "webhook.processed"
//   unknown_events_total{event}           every event that is not named above
//   series_dropped_total{family}          updates that went to "other", see series_max
//   samples_refused_total                 samples of collectors that could not be written
//
// A text field that an event does not have is the label value "unknown".
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "middleware/base/mutex.h"
#include "middleware/base/problems.h"
#include "middleware/observe/metrics_writer.h"
#include "middleware/runtime/event.h"

namespace understudy {

struct MetricsSinkOptions {
  // Series per family, at most: a caller that puts an id into the operation's name must not fill
  // the memory of this process and of Prometheus. The last eighth is kept for overflow; what
  // exceeds the rest is counted with the label value "other", and in series_dropped_total. A
  // counter takes about 0.7 KiB per series, what is kept per operation 4 KiB.
  std::size_t series_max = MetricsWriter::kSeriesMaxDefault;  // 16 to 100,000
  // Upper bounds of the buckets; ascending, above zero, 1 to 32 of them.
  std::vector<Duration> call_buckets = DefaultCallBuckets();
  std::vector<Duration> wait_buckets = DefaultWaitBuckets();

  static std::vector<Duration> DefaultCallBuckets();  // 5 ms to 60 s
  static std::vector<Duration> DefaultWaitBuckets();  // 1 ms to 30 s
};

Problems FindProblems(const MetricsSinkOptions& options);

// Thread-safe. Publish never waits: an event of existing series takes a few lookups without a lock
// and one uncontended addition each, below 100 ns; a new series takes a lock for its insertion.
class MetricsSink final : public EventSink {
 public:
  static constexpr std::string_view kContentType = MetricsWriter::kContentType;
  static constexpr std::size_t kCollectorsMax = 256;

  // `options` without problems; aborts otherwise.
  explicit MetricsSink(MetricsSinkOptions options = {});
  ~MetricsSink() override;
  MetricsSink(const MetricsSink&) = delete;
  MetricsSink& operator=(const MetricsSink&) = delete;

  using EventSink::Publish;
  void Publish(std::string_view name, std::span<const Field> fields) noexcept override;

  // Called in every WriteText, after the families above; a sample with the name and labels of one
  // of them replaces it. For what is a state and not an event: open breakers, places in use. What
  // `collector` refers to must outlive this sink, and it must be safe to call from any thread, not
  // throw, and not block. Aborts on an empty function, and above kCollectorsMax: collectors are
  // added when a program starts, not per call.
  void AddCollector(std::function<void(MetricsWriter&)> collector) EXCLUDES(mutex_);

  // Appends the page. Takes microseconds per series, on the caller's thread; publishers do not wait
  // for it. The order is by family, then by labels.
  void WriteText(std::string& out) const EXCLUDES(mutex_);

 private:
  using Collector = std::function<void(MetricsWriter&)>;
  struct Families;

  std::vector<std::shared_ptr<const Collector>> Collectors() const EXCLUDES(mutex_);

  const MetricsSinkOptions options_;
  const std::unique_ptr<Families> families_;
  mutable Mutex mutex_;
  std::vector<std::shared_ptr<const Collector>> collectors_ GUARDED_BY(mutex_);
};

}  // namespace understudy
