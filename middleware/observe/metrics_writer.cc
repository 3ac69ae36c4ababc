#include "middleware/observe/metrics_writer.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <functional>
#include <limits>

#include "middleware/base/utf8.h"

namespace understudy {
namespace {

constexpr std::size_t kHelpBytesMax = 1024;
constexpr std::array<std::string_view, 3> kHistogramSuffixes = {"_bucket", "_sum", "_count"};

bool IsNameStart(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }

bool IsName(std::string_view name, bool colons) {
  const auto allowed = [&](char c) {
    return IsNameStart(c) || (c >= '0' && c <= '9') || (colons && c == ':');
  };
  return !name.empty() && (name[0] < '0' || name[0] > '9') &&
         std::all_of(name.begin(), name.end(), allowed);
}

// "__" is kept for Prometheus itself, "le" for the buckets of a histogram.
bool AreLabelNames(MetricLabels labels, bool histogram) {
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const std::string_view name = labels[i].name;
    if (!IsName(name, false) || name.starts_with("__")) return false;
    if (histogram && name == "le") return false;
    for (std::size_t j = 0; j < i; ++j) {
      if (labels[j].name == name) return false;
    }
  }
  return true;
}

void AppendEscaped(std::string& out, std::string_view text, bool quotes) {
  for (const char c : text) {
    if (c == '\\') {
      out.append("\\\\");
    } else if (c == '\n') {
      out.append("\\n");
    } else if (c == '"' && quotes) {
      out.append("\\\"");
    } else {
      out.push_back(c);
    }
  }
}

// `a="x",b="y"`, without braces. By name: the order of labels makes no other series.
std::string LabelText(MetricLabels labels) {
  std::vector<MetricLabel> sorted(labels.begin(), labels.end());
  std::sort(sorted.begin(), sorted.end(),
            [](const MetricLabel& a, const MetricLabel& b) { return a.name < b.name; });
  std::string text;
  for (const MetricLabel& label : sorted) {
    if (!text.empty()) text.push_back(',');
    text.append(label.name).append("=\"");
    AppendEscaped(text, CleanLabelValue(label.value), true);
    text.push_back('"');
  }
  return text;
}

// Exact: seconds, and up to nine decimals.
std::string SecondsText(std::uint64_t seconds, std::uint64_t nanoseconds) {
  std::string text = std::to_string(seconds);
  if (nanoseconds == 0) return text;
  std::string fraction = std::to_string(nanoseconds);
  fraction.insert(0, 9 - std::min<std::size_t>(9, fraction.size()), '0');
  fraction.erase(fraction.find_last_not_of('0') + 1);
  return text.append(".").append(fraction);
}

std::string SecondsText(Duration duration) {
  const auto total = static_cast<std::uint64_t>(std::max(duration, Duration::zero()).count());
  return SecondsText(total / 1'000'000'000, total % 1'000'000'000);
}

std::string NumberText(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
  constexpr double kExactMax = 9e15;  // Below, every whole number is printed as one.
  if (std::abs(value) < kExactMax && value == std::trunc(value)) {
    return std::to_string(static_cast<std::int64_t>(value));
  }
  std::array<char, 40> buffer{};
  const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value).ptr;
  return std::string(buffer.data(), end);
}

void AppendLine(std::string& out, std::string_view name, std::string_view suffix,
                std::string_view labels, std::string_view value) {
  out.append(name).append(suffix);
  if (!labels.empty()) out.append("{").append(labels).append("}");
  out.append(" ").append(value).append("\n");
}

bool FitsItsBounds(const HistogramValue& value) {
  return value.counts.size() == value.bounds.size() + 1 && value.sum_nanoseconds < 1'000'000'000 &&
         std::is_sorted(value.bounds.begin(), value.bounds.end(), std::less_equal<>()) &&
         (value.bounds.empty() || value.bounds.front() > Duration::zero());
}

bool IsPrintableAscii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c <= '~'; });
}

// Valid UTF-8 without control characters, line feeds excepted; cut before it exceeds `bytes_max`.
std::string CleanText(std::string_view text, std::size_t bytes_max) {
  std::string clean;
  while (!text.empty()) {
    const CodePoint point = DecodeUtf8(text);
    const bool keep = point.valid && (point.value == '\n' || !IsControl(point.value));
    const std::string_view piece = keep ? text.substr(0, point.bytes) : "?";
    if (clean.size() + piece.size() > bytes_max) break;
    clean.append(piece);
    text.remove_prefix(point.bytes);
  }
  return clean;
}

}  // namespace

std::string CleanLabelValue(std::string_view value) {
  return value.empty() ? "unknown" : CleanText(value, kLabelValueBytesMax);
}

bool IsCleanLabelValue(std::string_view value) {
  if (value.empty() || value.size() > kLabelValueBytesMax) return false;
  return IsPrintableAscii(value) || CleanLabelValue(value) == value;
}

std::string_view MetricsWriter::Name(Type type) {
  switch (type) {
    case Type::kCounter:
      return "counter";
    case Type::kGauge:
      return "gauge";
    case Type::kHistogram:
      return "histogram";
  }
  return "untyped";
}

void MetricsWriter::Counter(std::string_view name, std::string_view help, MetricLabels labels,
                            std::uint64_t value) {
  const std::string text = LabelText(labels);
  std::string* const lines = LinesOf(Type::kCounter, name, help, labels, text);
  if (lines != nullptr) AppendLine(*lines, name, "", text, std::to_string(value));
}

void MetricsWriter::Gauge(std::string_view name, std::string_view help, MetricLabels labels,
                          double value) {
  const std::string text = LabelText(labels);
  std::string* const lines = LinesOf(Type::kGauge, name, help, labels, text);
  if (lines != nullptr) AppendLine(*lines, name, "", text, NumberText(value));
}

void MetricsWriter::Histogram(std::string_view name, std::string_view help, MetricLabels labels,
                              const HistogramValue& value) {
  if (!FitsItsBounds(value)) {
    ++refused_;
    return;
  }
  const std::string text = LabelText(labels);
  std::string* const lines = LinesOf(Type::kHistogram, name, help, labels, text);
  if (lines == nullptr) return;
  const std::string prefix = text.empty() ? "" : text + ",";
  std::uint64_t total = 0;
  for (std::size_t i = 0; i < value.counts.size(); ++i) {
    total += value.counts[i];
    const std::string bound = i < value.bounds.size() ? SecondsText(value.bounds[i]) : "+Inf";
    AppendLine(*lines, name, "_bucket", prefix + "le=\"" + bound + "\"", std::to_string(total));
  }
  AppendLine(*lines, name, "_sum", text, SecondsText(value.sum_seconds, value.sum_nanoseconds));
  AppendLine(*lines, name, "_count", text, std::to_string(total));
}

std::string* MetricsWriter::LinesOf(Type type, std::string_view name, std::string_view help,
                                    MetricLabels labels, const std::string& label_text) {
  Family* const family =
      AreLabelNames(labels, type == Type::kHistogram) ? FamilyOf(type, name, help) : nullptr;
  if (family != nullptr) {
    const auto found = family->series.find(label_text);
    if (found != family->series.end()) {
      found->second.clear();
      return &found->second;
    }
    if (family->series.size() < series_max_) return &family->series[label_text];
  }
  ++refused_;
  return nullptr;
}

MetricsWriter::Family* MetricsWriter::FamilyOf(Type type, std::string_view name,
                                               std::string_view help) {
  const auto found = families_.find(name);
  if (found != families_.end()) return found->second.type == type ? &found->second : nullptr;
  if (!IsName(name, true) || families_.size() >= kFamiliesMax) return nullptr;
  if (ClashesWithHistogram(type, name)) return nullptr;
  return &families_.emplace(std::string(name), Family{std::string(help), type, {}}).first->second;
}

// A histogram occupies three more names.
bool MetricsWriter::ClashesWithHistogram(Type type, std::string_view name) const {
  return std::any_of(
      kHistogramSuffixes.begin(), kHistogramSuffixes.end(), [&](std::string_view suffix) {
        if (type == Type::kHistogram && families_.contains(std::string(name).append(suffix))) {
          return true;
        }
        if (!name.ends_with(suffix)) return false;
        const auto base = families_.find(name.substr(0, name.size() - suffix.size()));
        return base != families_.end() && base->second.type == Type::kHistogram;
      });
}

void MetricsWriter::AppendTo(std::string& out) const {
  for (const auto& [name, family] : families_) {
    if (family.series.empty()) continue;
    out.append("# HELP ").append(name).append(" ");
    AppendEscaped(out, CleanText(family.help, kHelpBytesMax), false);
    out.append("\n# TYPE ").append(name).append(" ").append(Name(family.type)).append("\n");
    for (const auto& [labels, lines] : family.series) out.append(lines);
  }
}

}  // namespace understudy
