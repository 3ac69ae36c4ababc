// MetricsWriter: collects samples and writes them in the Prometheus text exposition format 0.0.4.
//
//   MetricsWriter writer;
//   writer.Gauge("app_queue_length", "Jobs that wait.", {{"queue", "mail"}}, 17);
//   std::string text;
//   writer.AppendTo(text);
//
//   # HELP app_queue_length Jobs that wait.
//   # TYPE app_queue_length gauge
//   app_queue_length{queue="mail"} 17
//
// https://prometheus.io/docs/instrumenting/exposition_formats/
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "middleware/base/time.h"

namespace understudy {

// Borrowed; valid during the call it is given to.
struct MetricLabel {
  std::string_view name;
  std::string_view value;
};
using MetricLabels = std::span<const MetricLabel>;

// A distribution of durations, written in seconds.
struct HistogramValue {
  std::vector<Duration> bounds = {};       // Upper bounds, ascending; +Inf is implied.
  std::vector<std::uint64_t> counts = {};  // Per bucket, not cumulative; bounds.size() + 1.
  std::uint64_t sum_seconds = 0;           // The sum of all observations ...
  std::uint64_t sum_nanoseconds = 0;       // ... and its rest, below 10^9.
};

// What a label value becomes: valid UTF-8 of at most kLabelValueBytesMax bytes without control
// characters (a line feed excepted, which the format can escape), "unknown" if it is empty. What
// must go becomes '?'.
inline constexpr std::size_t kLabelValueBytesMax = 128;
std::string CleanLabelValue(std::string_view value);
// Is `value` what CleanLabelValue makes of it? Without an allocation for printable ASCII.
bool IsCleanLabelValue(std::string_view value);

// Not thread-safe; one scrape builds, fills and drops one. Samples may come in any order: families
// are written once each, by name, and their series by labels, so equal samples give equal text.
//
// Of two samples with the same name and labels the later one stays. A sample that would make the
// whole page unreadable is refused and counted instead: a malformed name, a family that has another
// type already, a repeated or reserved label, a family beyond the bounds, a histogram whose counts
// do not fit its bounds.
class MetricsWriter {
 public:
  static constexpr std::string_view kContentType = "text/plain; version=0.0.4; charset=utf-8";
  static constexpr std::size_t kFamiliesMax = 512;
  static constexpr std::size_t kSeriesMaxDefault = 1000;

  explicit MetricsWriter(std::size_t series_max = kSeriesMaxDefault) : series_max_(series_max) {}

  // `name` by the conventions of Prometheus: a prefix, the base unit, "_total" for a counter.
  void Counter(std::string_view name, std::string_view help, MetricLabels labels,
               std::uint64_t value);
  void Gauge(std::string_view name, std::string_view help, MetricLabels labels, double value);
  void Histogram(std::string_view name, std::string_view help, MetricLabels labels,
                 const HistogramValue& value);

  void Counter(std::string_view name, std::string_view help,
               std::initializer_list<MetricLabel> labels, std::uint64_t value) {
    Counter(name, help, MetricLabels(labels.begin(), labels.size()), value);
  }
  void Gauge(std::string_view name, std::string_view help,
             std::initializer_list<MetricLabel> labels, double value) {
    Gauge(name, help, MetricLabels(labels.begin(), labels.size()), value);
  }
  void Histogram(std::string_view name, std::string_view help,
                 std::initializer_list<MetricLabel> labels, const HistogramValue& value) {
    Histogram(name, help, MetricLabels(labels.begin(), labels.size()), value);
  }

  // Samples that were refused.
  std::uint64_t refused() const { return refused_; }

  void AppendTo(std::string& out) const;

 private:
  enum class Type { kCounter, kGauge, kHistogram };
  struct Family {
    std::string help;
    Type type = Type::kCounter;
    std::map<std::string, std::string, std::less<>> series;  // Lines by label text.
  };

  static std::string_view Name(Type type);
  // Where the lines of the sample go; nullptr, and counted, if it is refused.
  std::string* LinesOf(Type type, std::string_view name, std::string_view help, MetricLabels labels,
                       const std::string& label_text);
  Family* FamilyOf(Type type, std::string_view name, std::string_view help);
  bool ClashesWithHistogram(Type type, std::string_view name) const;

  const std::size_t series_max_;
  std::map<std::string, Family, std::less<>> families_;
  std::uint64_t refused_ = 0;
};

}  // namespace understudy
