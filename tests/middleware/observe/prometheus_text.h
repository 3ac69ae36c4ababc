// PrometheusPage: reads a page in the Prometheus text exposition format 0.0.4 as strictly as its
// grammar is, and remembers what is wrong with it.
//
//   const PrometheusPage page(text);
//   EXPECT_THAT(page.problems(), IsEmpty());
//   EXPECT_EQ(page.Value(R"(calls_total{operation="a"})"), 3.0);
#pragma once

#include <cctype>
#include <cmath>
#include <cstddef>
#include <cstdlib>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace understudy::test {

class PrometheusPage {
 public:
  struct Sample {
    std::string name = {};
    std::map<std::string, std::string> labels = {};  // Values without their escapes.
    double value = 0;
  };

  explicit PrometheusPage(const std::string& text) {
    std::size_t begin = 0;
    while (begin < text.size()) {
      const std::size_t end = text.find('\n', begin);
      if (end == std::string::npos) {
        Complain("the last line has no end", text.substr(begin));
        break;
      }
      ReadLine(text.substr(begin, end - begin));
      begin = end + 1;
    }
    CheckHistograms();
  }

  const std::vector<std::string>& problems() const { return problems_; }
  const std::vector<Sample>& samples() const { return samples_; }

  // By the text of the series as it stands on the page; NaN if it is not there.
  double Value(const std::string& series) const {
    const auto found = values_.find(series);
    return found == values_.end() ? std::numeric_limits<double>::quiet_NaN() : found->second;
  }
  bool Has(const std::string& series) const { return values_.contains(series); }
  std::size_t SeriesOf(const std::string& name) const {
    std::size_t count = 0;
    for (const Sample& sample : samples_) count += sample.name == name ? 1U : 0U;
    return count;
  }
  double SumOf(const std::string& name) const {
    double sum = 0;
    for (const Sample& sample : samples_) sum += sample.name == name ? sample.value : 0;
    return sum;
  }
  std::string TypeOf(const std::string& family) const {
    const auto found = types_.find(family);
    return found == types_.end() ? "" : found->second;
  }

 private:
  void Complain(const std::string& what, const std::string& line) {
    problems_.push_back(what + ": " + line);
  }

  static bool IsNameChar(char c, bool first) {
    const auto byte = static_cast<unsigned char>(c);
    return byte < 0x80 &&
           (std::isalpha(byte) || c == '_' || c == ':' || (!first && std::isdigit(byte)));
  }
  static std::size_t NameLength(std::string_view text) {
    std::size_t length = 0;
    while (length < text.size() && IsNameChar(text[length], length == 0)) ++length;
    return length;
  }

  void ReadLine(const std::string& line) {
    for (const char c : line) {
      if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) return Complain("a control", line);
    }
    if (line.starts_with("# HELP ")) return ReadHelp(line);
    if (line.starts_with("# TYPE ")) return ReadType(line);
    ReadSample(line);
  }

  void ReadHelp(const std::string& line) {
    const std::string_view rest = std::string_view(line).substr(7);
    const std::string name(rest.substr(0, NameLength(rest)));
    if (name.empty() || rest.size() <= name.size() || rest[name.size()] != ' ')
      return Complain("a HELP without a name", line);
    for (std::size_t i = 0; i < rest.size(); ++i) {
      if (rest[i] != '\\') continue;
      if (i + 1 == rest.size() || (rest[i + 1] != '\\' && rest[i + 1] != 'n'))
        return Complain("a bad escape in a HELP", line);
      ++i;
    }
    if (!helps_.insert(name).second) Complain("a second HELP", line);
    family_ = name;
  }

  void ReadType(const std::string& line) {
    const std::string rest = line.substr(7);
    const std::string name = rest.substr(0, NameLength(rest));
    const std::string type = rest.size() > name.size() ? rest.substr(name.size() + 1) : "";
    if (type != "counter" && type != "gauge" && type != "histogram")
      return Complain("an unknown TYPE", line);
    if (name != family_) Complain("a TYPE apart from its HELP", line);
    if (!types_.emplace(name, type).second) Complain("a second TYPE", line);
  }

  void ReadSample(const std::string& line) {
    Sample sample;
    std::size_t at = NameLength(line);
    sample.name = line.substr(0, at);
    if (sample.name.empty()) return Complain("no name", line);
    if (at < line.size() && line[at] == '{' && !ReadLabels(line, at, sample)) return;
    const std::string series = line.substr(0, at);
    if (at >= line.size() || line[at] != ' ') return Complain("no space before the value", line);
    const std::optional<double> value = ReadNumber(line.substr(at + 1));
    if (!value) return Complain("no number", line);
    sample.value = *value;
    if (!BelongsToFamily(sample.name)) Complain("outside its family", line);
    if (TypeOf(family_) == "counter" && !(sample.value >= 0)) Complain("a negative counter", line);
    if (!identities_.insert({sample.name, sample.labels}).second) Complain("a repeat", line);
    values_[series] = sample.value;
    samples_.push_back(std::move(sample));
  }

  bool BelongsToFamily(const std::string& name) const {
    if (TypeOf(family_) != "histogram") return name == family_ && types_.contains(family_);
    return name == family_ + "_bucket" || name == family_ + "_sum" || name == family_ + "_count";
  }

  bool ReadLabels(const std::string& line, std::size_t& at, Sample& sample) {
    ++at;  // {
    while (at < line.size() && line[at] != '}') {
      const std::size_t length = NameLength(std::string_view(line).substr(at));
      const std::string name = line.substr(at, length);
      at += length;
      if (name.empty() || name.find(':') != std::string::npos || line.substr(at, 2) != "=\"") {
        Complain("a bad label", line);
        return false;
      }
      at += 2;
      std::string value;
      for (; at < line.size() && line[at] != '"'; ++at) {
        if (line[at] != '\\') {
          value.push_back(line[at]);
          continue;
        }
        ++at;
        if (at == line.size() || std::string_view("\\\"n").find(line[at]) == std::string::npos) {
          Complain("a bad escape", line);
          return false;
        }
        value.push_back(line[at] == 'n' ? '\n' : line[at]);
      }
      if (at == line.size() || !sample.labels.emplace(name, value).second) {
        Complain("an open or repeated label", line);
        return false;
      }
      ++at;  // "
      if (at < line.size() && line[at] == ',') ++at;
    }
    if (at == line.size()) {
      Complain("open labels", line);
      return false;
    }
    ++at;  // }
    return true;
  }

  static std::optional<double> ReadNumber(const std::string& text) {
    if (text == "+Inf") return std::numeric_limits<double>::infinity();
    if (text == "-Inf") return -std::numeric_limits<double>::infinity();
    if (text == "NaN") return std::numeric_limits<double>::quiet_NaN();
    if (text.empty() || text.find_first_not_of("0123456789.+-e") != std::string::npos)
      return std::nullopt;
    char* end = nullptr;
    const double value = std::strtod(text.c_str(), &end);
    if (*end != '\0') return std::nullopt;
    return value;
  }

  // Buckets ascend and accumulate, the last is +Inf and equals the count.
  void CheckHistograms() {
    std::map<std::pair<std::string, std::map<std::string, std::string>>, std::pair<double, double>>
        last;  // Bound and count.
    for (const Sample& sample : samples_) {
      if (!sample.name.ends_with("_bucket")) continue;
      std::map<std::string, std::string> labels = sample.labels;
      const std::optional<double> bound = ReadNumber(labels["le"]);
      labels.erase("le");
      const std::string family = sample.name.substr(0, sample.name.size() - 7);
      if (!bound) Complain("a bucket without a bound", sample.name);
      const auto [entry, first] =
          last.try_emplace({family, labels}, bound.value_or(0), sample.value);
      if (first) continue;
      if (!(entry->second.first < bound.value_or(0))) Complain("bounds descend", sample.name);
      if (entry->second.second > sample.value) Complain("counts descend", sample.name);
      entry->second = {bound.value_or(0), sample.value};
    }
    for (const auto& [key, bucket] : last) {
      if (!std::isinf(bucket.first)) Complain("no +Inf bucket", key.first);
      bool counted = false;
      for (const Sample& sample : samples_) {
        if (sample.name != key.first + "_count" || sample.labels != key.second) continue;
        counted = sample.value == bucket.second;
      }
      if (!counted) Complain("the count is not the +Inf bucket", key.first);
    }
  }

  std::vector<std::string> problems_ = {};
  std::vector<Sample> samples_ = {};
  std::map<std::string, double> values_ = {};
  std::set<std::pair<std::string, std::map<std::string, std::string>>> identities_ = {};
  std::set<std::string> helps_ = {};
  std::map<std::string, std::string> types_ = {};
  std::string family_ = {};
};

}  // namespace understudy::test
