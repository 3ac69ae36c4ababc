// ConcurrencyLimit: how many calls a vendor can take at the same time, learned from how it answers.
//
//   const std::unique_ptr<ConcurrencyLimit> limit = CreateConcurrencyLimit(options);
//   const int places = limit->Update(round_trip, in_flight, /*dropped=*/false);
//
// Bulkhead owns one and hands it the measurements of the calls that it admitted. The rules are
// those of Netflix's concurrency-limits, but for what each header says.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "middleware/base/problems.h"
#include "middleware/base/time.h"

namespace understudy {

// Not thread-safe. Pure arithmetic: no clock, nothing blocks.
class ConcurrencyLimit {
 public:
  virtual ~ConcurrencyLimit() = default;

  // Learns from a call that ended and returns the new limit. `round_trip` is what the vendor took,
  // without any wait of ours. `in_flight` counts the calls that ran when this one began, itself
  // included. `dropped`: the vendor, or the way to it, refused for overload or did not answer in
  // time.
  virtual int Update(Duration round_trip, int in_flight, bool dropped) = 0;

  // At least 1.
  virtual int limit() const = 0;
};

enum class AdaptiveLimitKind : std::uint8_t {
  kAimd,   // One more as long as it goes well, a share less after a drop. AimdLimit.
  kVegas,  // By how much longer answers take than at their quickest. VegasLimit.
};

std::string_view ToString(AdaptiveLimitKind kind);  // "aimd", "vegas"

struct AdaptiveLimitOptions {
  AdaptiveLimitKind kind = AdaptiveLimitKind::kAimd;
  int initial = 8;
  int min = 1;  // The limit stays within min and max.
  int max = 32;

  // kAimd: what is left of the limit after a drop; above 0 and below 1.
  double backoff = 0.9;
  // kAimd: a round trip longer than this counts as a drop; unset: none does.
  std::optional<Duration> slow_after = {};

  // kVegas: fewer calls than alpha queue at the vendor, by the estimate: raise the limit; more than
  // beta: lower it.
  int alpha = 3;
  int beta = 6;
  // kVegas: the share of the way to the new limit that one measurement moves it; above 0, at
  // most 1.
  double smoothing = 1.0;
  // kVegas: what is left of the limit when it is lowered, above 0 and below 1; unset: less by its
  // decimal logarithm, at least by 1.
  std::optional<double> decrease = {};

  bool operator==(const AdaptiveLimitOptions&) const = default;
};

Problems FindProblems(const AdaptiveLimitOptions& options);

// `options` without problems; aborts otherwise.
std::unique_ptr<ConcurrencyLimit> CreateConcurrencyLimit(const AdaptiveLimitOptions& options);

}  // namespace understudy
