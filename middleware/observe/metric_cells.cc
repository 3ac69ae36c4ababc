#include "middleware/observe/metric_cells.h"

#include <bit>

namespace understudy {

namespace {

// The lowest number that no other living thread holds, while there is one among the first 64. Only
// where a thread adds depends on it, never what is read.
class ThreadNumber {
 public:
  ThreadNumber() {
    std::uint64_t taken = taken_.load(std::memory_order_relaxed);
    do {
      number_ = static_cast<unsigned>(std::countr_one(taken));
      if (number_ == 64) return;  // Shares a shard, and gives no number back.
    } while (!taken_.compare_exchange_weak(taken, taken | Bit(), std::memory_order_relaxed));
  }
  ~ThreadNumber() {
    if (number_ < 64) taken_.fetch_and(~Bit(), std::memory_order_relaxed);
  }
  ThreadNumber(const ThreadNumber&) = delete;
  ThreadNumber& operator=(const ThreadNumber&) = delete;

  std::size_t value() const { return number_; }

 private:
  std::uint64_t Bit() const { return std::uint64_t{1} << number_; }

  static inline std::atomic<std::uint64_t> taken_{0};
  unsigned number_ = 0;
};

std::size_t TakeShard() {
  static thread_local const ThreadNumber number;
  return number.value() % kMetricShards;
}

}  // namespace

std::size_t MetricShardOfThisThread() noexcept {
  // Apart from the number, because an event may still be published while the thread ends and its
  // number is gone.
  static thread_local std::size_t shard = kMetricShards;
  if (shard == kMetricShards) [[unlikely]]
    shard = TakeShard();
  return shard;
}

HistogramValue DurationHistogram::value(std::span<const Duration> bounds) const {
  constexpr std::uint64_t kSecond = 1'000'000'000;
  HistogramValue sum;
  sum.bounds.assign(bounds.begin(), bounds.end());
  sum.counts.assign(bounds.size() + 1, 0);
  for (const Shard& shard : shards_) {
    for (std::size_t i = 0; i < sum.counts.size(); ++i) {
      sum.counts[i] += shard.counts[i].load(std::memory_order_relaxed);
    }
    const std::uint64_t nanoseconds = shard.nanoseconds.load(std::memory_order_relaxed);
    sum.sum_seconds += nanoseconds / kSecond;
    sum.sum_nanoseconds += nanoseconds % kSecond;
  }
  sum.sum_seconds += sum.sum_nanoseconds / kSecond;
  sum.sum_nanoseconds %= kSecond;
  return sum;
}

}  // namespace understudy
