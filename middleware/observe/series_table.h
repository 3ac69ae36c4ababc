// SeriesTable: the series of one metric family by their label values, never more than a bound.
//
//   SeriesTable<ShardedCounter, 2> calls(1000, {false, true});
//   calls.At({"charges.create", "ok"}).Add(1);
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "middleware/observe/metric_cells.h"
#include "middleware/observe/metrics_writer.h"

namespace understudy {

// Thread-safe. Finding a series that exists takes no lock and allocates nothing; a new one takes a
// lock for the length of its insertion. Series are never removed, so references to cells stay valid
// as long as the table.
//
// Values are cleaned (CleanLabelValue) before they become a series. Of `series_max` series the last
// eighth is kept for overflow: when the rest is used up, the values of new series become "other",
// except for the labels that are `closed` (whose values are a few literals of this library); when
// the eighth is used up as well, all values become "other". Either is counted in dropped().
template <typename Cell, std::size_t kLabels>
class SeriesTable {
 public:
  using Values = std::array<std::string_view, kLabels>;
  static constexpr std::string_view kOther = "other";

  SeriesTable(std::size_t series_max, std::array<bool, kLabels> closed)
      : series_max_(series_max), closed_(closed) {}
  SeriesTable(const SeriesTable&) = delete;
  SeriesTable& operator=(const SeriesTable&) = delete;

  Cell& At(const Values& values) {
    Entry* const found = Find(HashOf(values), values);
    return found != nullptr ? found->cell : Add(values);
  }

  // Updates that went to a series with "other" instead of their own.
  std::uint64_t dropped() const { return dropped_.value(); }

  // Calls `f(values, cell)` for every series, in no particular order.
  template <typename F>
  void ForEach(F&& f) const {
    for (const std::atomic<Entry*>& bucket : buckets_) {
      for (const Entry* entry = bucket.load(std::memory_order_acquire); entry != nullptr;
           entry = entry->next) {
        f(entry->View(), std::as_const(entry->cell));
      }
    }
  }

 private:
  struct Entry {
    bool Matches(std::uint64_t other_hash, const Values& other) const {
      return hash == other_hash && View() == other;
    }
    Values View() const {
      Values view;
      for (std::size_t i = 0; i < kLabels; ++i) view[i] = values[i];
      return view;
    }

    std::uint64_t hash = 0;
    Entry* next = nullptr;  // In the same bucket; never changes once the entry can be found.
    std::array<std::string, kLabels> values = {};
    Cell cell = {};
  };

  static std::uint64_t HashOf(const Values& values) {
    std::uint64_t hash = 0;
    for (const std::string_view value : values) hash = HashText(hash, value);
    return hash;
  }

  // Inline and without a seed: a few steps for the short texts that labels are. Texts that collide
  // on purpose cost their walk of at most series_max entries and nothing more.
  static std::uint64_t HashText(std::uint64_t hash, std::string_view text) {
    hash = Mix(hash + text.size());
    const char* at = text.data();
    std::size_t left = text.size();
    for (; left > 8; left -= 8, at += 8) hash = Mix(hash ^ Load<std::uint64_t>(at));
    if (left >= 4) {  // The two halves may overlap.
      const std::uint64_t low = Load<std::uint32_t>(at);
      return Mix(hash ^ (Load<std::uint32_t>(at + left - 4) | low << 32U));
    }
    for (; left > 0; --left, ++at)
      hash = (hash << 8U) ^ static_cast<unsigned char>(*at) ^ hash >> 56U;
    return Mix(hash);
  }

  template <typename T>
  static T Load(const char* at) {
    T value;
    std::memcpy(&value, at, sizeof value);
    return value;
  }

  static std::uint64_t Mix(std::uint64_t value) {
    constexpr std::uint64_t kOdd = 0x9e3779b97f4a7c15;
    value *= kOdd;
    return value ^ value >> 32U;
  }

  Entry* Find(std::uint64_t hash, const Values& values) const {
    Entry* entry = buckets_[hash % kBuckets].load(std::memory_order_acquire);
    while (entry != nullptr && !entry->Matches(hash, values)) entry = entry->next;
    return entry;
  }

  // The path of a new series, of values that must be cleaned, and of a full table.
  Cell& Add(const Values& raw) {
    std::array<std::string, kLabels> cleaned;
    Values values = raw;
    for (std::size_t i = 0; i < kLabels; ++i) {
      if (IsCleanLabelValue(raw[i])) continue;
      cleaned[i] = CleanLabelValue(raw[i]);
      values[i] = cleaned[i];
    }
    const std::size_t reserved = series_max_ / 8 + 1;
    if (Entry* const own = FindOrInsert(values, series_max_ - reserved)) return own->cell;
    dropped_.Add(1);
    for (std::size_t i = 0; i < kLabels; ++i) {
      if (!closed_[i]) values[i] = kOther;
    }
    if (Entry* const folded = FindOrInsert(values, series_max_ - 1)) return folded->cell;
    values.fill(kOther);
    return FindOrInsert(values, series_max_)->cell;  // Only this one takes the last place.
  }

  // nullptr if it does not exist and the table holds `size_max` series or more.
  Entry* FindOrInsert(const Values& values, std::size_t size_max) {
    const std::uint64_t hash = HashOf(values);
    if (Entry* const found = Find(hash, values)) return found;
    if (size_.load(std::memory_order_relaxed) >= size_max) return nullptr;
    const std::lock_guard lock(insertion_);
    if (Entry* const found = Find(hash, values)) return found;
    if (entries_.size() >= size_max) return nullptr;
    auto entry = std::make_unique<Entry>();
    entry->hash = hash;
    for (std::size_t i = 0; i < kLabels; ++i) entry->values[i] = values[i];
    std::atomic<Entry*>& bucket = buckets_[hash % kBuckets];
    entry->next = bucket.load(std::memory_order_relaxed);
    bucket.store(entry.get(), std::memory_order_release);
    entries_.push_back(std::move(entry));
    size_.store(entries_.size(), std::memory_order_relaxed);
    return entries_.back().get();
  }

  static constexpr std::size_t kBuckets = 256;

  const std::size_t series_max_;
  const std::array<bool, kLabels> closed_;
  std::array<std::atomic<Entry*>, kBuckets> buckets_ = {};
  std::atomic<std::size_t> size_{0};
  ShardedCounter dropped_ = {};
  // Not a Mutex: publishing an event is no switching point of the simulator (ADR 0005).
  std::mutex insertion_;
  std::vector<std::unique_ptr<Entry>> entries_;  // Under insertion_; owns what the buckets link.
};

}  // namespace understudy
