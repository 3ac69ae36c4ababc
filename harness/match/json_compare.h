// JsonCompare: how a JSON value differs from an expected one. Inner working of RequestMatcher.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "harness/match/match_result.h"

namespace understudy::harness {

// One comparison; not thread-safe.
class JsonCompare {
 public:
  // Values compared. What takes longer counts as different; so do values nested deeper than
  // kDepthMax.
  static constexpr std::size_t kWorkMax = 1'000'000;
  static constexpr std::size_t kDepthMax = 512;
  // Elements of arrays that are compared in any order.
  static constexpr std::size_t kUnorderedMax = 1'000;

  struct Options {
    bool ignore_members = false;  // Objects may have more members; arrays must be equal.
    bool ignore_order = false;
    bool ignore_extra = false;  // Objects may have more members and arrays more elements.
  };

  // `quick`: only missed() is wanted.
  JsonCompare(Options options, bool quick) : options_(options), quick_(quick) {}

  void Run(const nlohmann::json& expected, const nlohmann::json& actual);

  // The share of the expected leaves that differ; more than 0 if anything does.
  double missed() const;
  // One line per difference, at most kMismatchesMax; empty if `quick`.
  std::vector<Mismatch> TakeDifferences() { return std::move(differences_); }

 private:
  bool done() const { return quick_ && misses_ > 0; }
  void Compare(const nlohmann::json& expected, const nlohmann::json& actual,
               const std::string& pointer, std::size_t depth);
  void CompareObjects(const nlohmann::json& expected, const nlohmann::json& actual,
                      const std::string& pointer, std::size_t depth);
  void CompareArrays(const nlohmann::json& expected, const nlohmann::json& actual,
                     const std::string& pointer, std::size_t depth);
  bool SequenceFits(const nlohmann::json& expected, const nlohmann::json& actual,
                    std::size_t depth);
  bool AnyOrderFits(const nlohmann::json& expected, const nlohmann::json& actual,
                    std::size_t depth);
  bool Fits(const nlohmann::json& expected, const nlohmann::json& actual, std::size_t depth);
  bool ElementsFit(const nlohmann::json& expected, const nlohmann::json& actual, std::size_t depth);
  void Miss(const std::string& pointer, std::string expected, std::string actual);
  std::string Below(const std::string& pointer, const std::string& key) const;

  const Options options_;
  const bool quick_;
  std::size_t work_ = 0;
  std::size_t leaves_ = 0;
  std::size_t misses_ = 0;
  std::vector<Mismatch> differences_;
};

}  // namespace understudy::harness
