// CallWindow: the recent results that a circuit breaker judges a vendor by.
//
//   CallWindow window({.kind = CallWindow::Kind::kTime, .length = 60s, .buckets = 10});
//   window.Add(now, {.failed = true});
//   const WindowCounts counts = window.Counts(now);
//   if (counts.calls() >= 10 && counts.FailureRate() >= 0.5) ...
//
// Kinds:
//   kStreak   failures in a row, none older than `length`; a success forgets them
//   kCount    the last `calls` results
//   kTime     the results of the last `length`, in `buckets` equal parts; the oldest part goes as a
//             whole. Parts begin at multiples of their length on the monotonic clock.
//   kFixed    everything since the last Clear: its owner clears it when a fixed period ends
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <limits>
#include <vector>

#include "middleware/base/time.h"

namespace understudy {

// What a window holds. Neutral results are counted, but are no evidence: calls() leaves them out.
struct WindowCounts {
  std::int64_t successes = 0;
  std::int64_t failures = 0;
  std::int64_t slow = 0;  // Of the successes and failures.
  std::int64_t neutral = 0;
  std::int64_t logical_calls = 0;  // Successes and failures that were the first of their call.

  std::int64_t calls() const { return successes + failures; }
  double FailureRate() const { return Share(failures); }  // 0 to 1; 0 without a call.
  double SlowRate() const { return Share(slow); }

  WindowCounts& operator+=(const WindowCounts& other);
  WindowCounts& operator-=(const WindowCounts& other);
  bool operator==(const WindowCounts&) const = default;

 private:
  double Share(std::int64_t part) const {
    return calls() == 0 ? 0.0 : static_cast<double>(part) / static_cast<double>(calls());
  }
};

// Not synchronised. Memory is bounded by `calls` or `buckets`; nothing is allocated after the first
// lap. Counts is linear in `buckets`, everything else constant.
class CallWindow {
 public:
  enum class Kind : std::uint8_t { kStreak, kCount, kTime, kFixed };

  struct Options {
    Kind kind = Kind::kStreak;
    int calls = 1;       // kStreak: failures remembered; kCount: results kept.
    Duration length{1};  // kStreak and kTime.
    int buckets = 1;     // kTime.
  };

  struct Sample {
    bool failed = false;
    bool neutral = false;
    bool slow = false;
    bool repeated = false;  // Not the first result of its logical call.
  };

  // Every number positive; aborts otherwise.
  explicit CallWindow(const Options& options);

  void Add(TimePoint now, const Sample& sample);
  // `count` successes that were quick and the first of their calls, in the part `bucket`.
  void AddSuccesses(std::int64_t bucket, std::int64_t count);
  void Clear();

  WindowCounts Counts(TimePoint now) const;

  // The number of the part of a kTime window that `now` is in; 0 for the other kinds. Depends on
  // the options alone, so it needs no lock where the window has one.
  std::int64_t BucketOf(TimePoint now) const {
    return BucketOf(now, options_.kind, bucket_length_);
  }
  static std::int64_t BucketOf(TimePoint now, Kind kind, Duration bucket_length) {
    if (kind != Kind::kTime) return 0;
    const Duration::rep count = now.time_since_epoch().count();
    const Duration::rep length = bucket_length.count();
    return count >= 0 ? count / length : -((-count + length - 1) / length);
  }
  static Duration BucketLengthOf(const Options& options);

 private:
  struct Bucket {
    std::int64_t number = 0;
    WindowCounts counts = {};
  };
  struct Failure {
    TimePoint at;
    bool slow = false;
    bool repeated = false;
  };

  static WindowCounts CountsOf(const Sample& sample);
  void AddToStreak(TimePoint now, const Sample& sample);
  void AddToRing(const Sample& sample);
  void AddToBucket(std::int64_t number, const WindowCounts& counts);
  WindowCounts StreakCounts(TimePoint now) const;

  Options options_;
  Duration bucket_length_;
  WindowCounts total_;           // kCount and kFixed.
  std::deque<Failure> streak_;   // kStreak, oldest first.
  std::vector<Sample> ring_;     // kCount.
  std::size_t next_ = 0;         // The place in ring_ of the next result.
  std::vector<Bucket> buckets_;  // kTime, by number modulo their count.
  std::int64_t newest_ = std::numeric_limits<std::int64_t>::min();  // Written last.
};

}  // namespace understudy
