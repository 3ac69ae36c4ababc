#include "middleware/base/call_window.h"

#include <algorithm>

#include "middleware/base/check.h"

namespace understudy {

WindowCounts& WindowCounts::operator+=(const WindowCounts& other) {
  successes += other.successes;
  failures += other.failures;
  slow += other.slow;
  neutral += other.neutral;
  logical_calls += other.logical_calls;
  return *this;
}

WindowCounts& WindowCounts::operator-=(const WindowCounts& other) {
  successes -= other.successes;
  failures -= other.failures;
  slow -= other.slow;
  neutral -= other.neutral;
  logical_calls -= other.logical_calls;
  return *this;
}

CallWindow::CallWindow(const Options& options)
    : options_(options), bucket_length_(BucketLengthOf(options)) {
  UNDERSTUDY_CHECK(options.calls > 0 && options.buckets > 0 && options.length > Duration::zero(),
                   "a window needs positive numbers");
  if (options_.kind == Kind::kTime) buckets_.resize(static_cast<std::size_t>(options_.buckets));
  if (options_.kind == Kind::kCount) ring_.reserve(static_cast<std::size_t>(options_.calls));
}

Duration CallWindow::BucketLengthOf(const Options& options) {
  return std::max(options.length / std::max(options.buckets, 1), Duration(1));
}

WindowCounts CallWindow::CountsOf(const Sample& sample) {
  WindowCounts counts;
  if (sample.neutral) {
    counts.neutral = 1;
    return counts;
  }
  (sample.failed ? counts.failures : counts.successes) = 1;
  counts.slow = sample.slow ? 1 : 0;
  counts.logical_calls = sample.repeated ? 0 : 1;
  return counts;
}

void CallWindow::Add(TimePoint now, const Sample& sample) {
  switch (options_.kind) {
    case Kind::kStreak:
      AddToStreak(now, sample);
      return;
    case Kind::kCount:
      if (!sample.neutral) AddToRing(sample);
      return;
    case Kind::kTime:
      AddToBucket(BucketOf(now), CountsOf(sample));
      return;
    case Kind::kFixed:
      total_ += CountsOf(sample);
      return;
  }
}

void CallWindow::AddSuccesses(std::int64_t bucket, std::int64_t count) {
  if (count <= 0) return;
  switch (options_.kind) {
    case Kind::kStreak:
      streak_.clear();
      return;
    case Kind::kCount:
      // More than a lap leaves nothing else in the ring.
      for (std::int64_t i = std::min<std::int64_t>(count, options_.calls); i > 0; --i)
        AddToRing({});
      return;
    case Kind::kTime:
    case Kind::kFixed: {
      WindowCounts counts;
      counts.successes = count;
      counts.logical_calls = count;
      if (options_.kind == Kind::kFixed) {
        total_ += counts;
      } else {
        AddToBucket(bucket, counts);
      }
      return;
    }
  }
}

void CallWindow::AddToStreak(TimePoint now, const Sample& sample) {
  if (sample.neutral) return;
  if (!sample.failed) {
    streak_.clear();
    return;
  }
  while (!streak_.empty() && now - streak_.front().at > options_.length) streak_.pop_front();
  if (static_cast<int>(streak_.size()) >= options_.calls) streak_.pop_front();
  streak_.push_back({now, sample.slow, sample.repeated});
}

void CallWindow::AddToRing(const Sample& sample) {
  if (static_cast<int>(ring_.size()) < options_.calls) {
    ring_.push_back(sample);
  } else {
    total_ -= CountsOf(ring_[next_]);
    ring_[next_] = sample;
  }
  next_ = (next_ + 1) % static_cast<std::size_t>(options_.calls);
  total_ += CountsOf(sample);
}

void CallWindow::AddToBucket(std::int64_t number, const WindowCounts& counts) {
  // A thread that looked at the clock before it got the lock must not bring back an old part.
  newest_ = std::max(newest_, number);
  const auto size = static_cast<std::int64_t>(buckets_.size());
  if (number <= newest_ - size) return;
  Bucket& bucket = buckets_[static_cast<std::size_t>(((number % size) + size) % size)];
  if (bucket.number != number) bucket = {number, {}};
  bucket.counts += counts;
}

void CallWindow::Clear() {
  total_ = {};
  streak_.clear();
  ring_.clear();
  next_ = 0;
  for (Bucket& bucket : buckets_) bucket.counts = {};
}

WindowCounts CallWindow::StreakCounts(TimePoint now) const {
  WindowCounts counts;
  for (const Failure& failure : streak_) {
    if (now - failure.at > options_.length) continue;
    ++counts.failures;
    counts.slow += failure.slow ? 1 : 0;
    counts.logical_calls += failure.repeated ? 0 : 1;
  }
  return counts;
}

WindowCounts CallWindow::Counts(TimePoint now) const {
  if (options_.kind == Kind::kStreak) return StreakCounts(now);
  if (options_.kind != Kind::kTime) return total_;
  WindowCounts sum;
  const std::int64_t current = std::max(BucketOf(now), newest_);
  const auto size = static_cast<std::int64_t>(buckets_.size());
  for (const Bucket& bucket : buckets_) {
    if (bucket.number > current - size && bucket.number <= current) sum += bucket.counts;
  }
  return sum;
}

}  // namespace understudy
