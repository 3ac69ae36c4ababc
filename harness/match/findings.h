// Findings: collects what one match of a request finds. Inner working of RequestMatcher.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

#include <nlohmann/json_fwd.hpp>

#include "harness/match/match_result.h"

namespace understudy::harness {

// How much each part says about what the client meant: a request for the right path with a wrong
// parameter is nearer than one for another path.
inline constexpr double kPathWeight = 4;
inline constexpr double kMethodWeight = 2;
inline constexpr double kBodyWeight = 2;
inline constexpr double kFieldWeight = 1;

inline constexpr std::size_t kMismatchesMax = 20;

// Texts for people, cut to a few hundred bytes.
std::string Shortened(std::string text);
std::string Compact(const nlohmann::json& value);
std::string Quoted(std::string_view text);
// A value of the request's body. Structured ones are not printed: their depth is the client's
// choice.
std::string Shown(const nlohmann::json& value);

// Are arrays and objects nested in each other more than `levels` deep? Looks no deeper than that.
bool DeeperThan(const nlohmann::json& value, std::size_t levels);

// Not thread-safe; lives for one match.
class Findings {
 public:
  explicit Findings(MatchDetail detail)
      : quick_(detail == MatchDetail::kQuick), reports_(detail == MatchDetail::kReport) {}

  bool quick() const { return quick_; }
  // Do parts that fit have to be described too?
  bool reports() const { return reports_; }
  bool fits() const { return !missed_any_; }
  // Tells the caller to look no further.
  bool stop() const { return quick_ && missed_any_; }

  // `missed` of a part that counts `weight`: from 0 (it fits) to 1.
  void Weigh(double weight, double missed) {
    total_ += weight;
    missed_ += weight * missed;
  }
  // A mismatch of which a quick match tells no more. Allocates nothing.
  void Miss(RequestPart part) {
    if (!missed_any_) first_ = part;
    missed_any_ = true;
  }
  void Add(Mismatch mismatch) {
    Miss(mismatch.part);
    if (!quick_ && result_.mismatches.size() < kMismatchesMax) {
      result_.mismatches.push_back(std::move(mismatch));
    }
  }
  void Fit(Mismatch fitting) {
    if (reports_ && result_.fitting.size() < kMismatchesMax) {
      result_.fitting.push_back(std::move(fitting));
    }
  }
  void Capture(std::string name, std::string value) {
    result_.captures.emplace_back(std::move(name), std::move(value));
  }
  const std::string* FindCapture(std::string_view name) const {
    for (const auto& [captured, value] : result_.captures) {
      if (captured == name) return &value;
    }
    return nullptr;
  }
  // How much was missed so far, from 0 to 1.
  double distance() const { return total_ <= 0 ? (fits() ? 0.0 : 1.0) : missed_ / total_; }

  MatchResult Finish() &&;

 private:
  const bool quick_;
  const bool reports_;
  bool missed_any_ = false;
  RequestPart first_ = RequestPart::kMethod;
  double total_ = 0;
  double missed_ = 0;
  MatchResult result_ = {};
};

}  // namespace understudy::harness
