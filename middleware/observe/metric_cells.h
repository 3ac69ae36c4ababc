// ShardedCounter and DurationHistogram: what a metric series is made of; many threads write, a
// scrape reads.
//
//   ShardedCounter calls;
//   calls.Add(1);       // one uncontended atomic addition
//   calls.value();      // the sum over the shards
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>

#include "middleware/base/time.h"
#include "middleware/observe/metrics_writer.h"

namespace understudy {

// Up to this many threads that live at the same time have a shard each, so that they do not pull
// one cache line from each other; more share.
inline constexpr std::size_t kMetricShards = 8;
inline constexpr std::size_t kCacheLineBytes = 64;
std::size_t MetricShardOfThisThread() noexcept;

// Thread-safe, wait-free. Wraps at 2^64.
class ShardedCounter {
 public:
  void Add(std::uint64_t amount) noexcept {
    shards_[MetricShardOfThisThread()].value.fetch_add(amount, std::memory_order_relaxed);
  }
  std::uint64_t value() const noexcept {
    std::uint64_t sum = 0;
    for (const Shard& shard : shards_) sum += shard.value.load(std::memory_order_relaxed);
    return sum;
  }

 private:
  struct alignas(kCacheLineBytes) Shard {
    std::atomic<std::uint64_t> value{0};
  };
  std::array<Shard, kMetricShards> shards_ = {};
};

// Thread-safe, wait-free. The bounds are the same for all series of a family, so the family keeps
// them and passes them in; ascending, at most kBoundsMax. A scrape during an observation may see it
// in the sum and not yet in a bucket; the count is the sum of the buckets, so those always agree.
class DurationHistogram {
 public:
  static constexpr std::size_t kBoundsMax = 32;
  // A longer observation counts as this long in the sum, so that no garbage makes it wrap.
  static constexpr Duration kObservationMax = std::chrono::hours(24 * 30);

  void Observe(std::span<const Duration> bounds, Duration observation) noexcept {
    Shard& shard = shards_[MetricShardOfThisThread()];
    const auto bucket = std::lower_bound(bounds.begin(), bounds.end(), observation);
    shard.counts[static_cast<std::size_t>(bucket - bounds.begin())].fetch_add(
        1, std::memory_order_relaxed);
    const Duration counted = std::clamp(observation, Duration::zero(), kObservationMax);
    shard.nanoseconds.fetch_add(static_cast<std::uint64_t>(counted.count()),
                                std::memory_order_relaxed);
  }

  std::uint64_t count() const noexcept {
    std::uint64_t total = 0;
    for (const Shard& shard : shards_) {
      for (const auto& bucket : shard.counts) total += bucket.load(std::memory_order_relaxed);
    }
    return total;
  }
  HistogramValue value(std::span<const Duration> bounds) const;

 private:
  // One more than there are bounds: the last one used is +Inf.
  struct alignas(kCacheLineBytes) Shard {
    std::atomic<std::uint64_t> nanoseconds{0};
    std::array<std::atomic<std::uint64_t>, kBoundsMax + 1> counts = {};
  };
  std::array<Shard, kMetricShards> shards_ = {};
};

}  // namespace understudy
