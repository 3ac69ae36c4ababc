// SeededRandom: randomness that replays. Each value is a function of (seed, lane, site, n-th
// visit).
//
// One more draw at one site, or one more actor, changes nothing elsewhere, so a seed keeps its
// meaning when code changes, and the same scenario draws the same latencies in memory and on
// sockets.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <unordered_map>

#include "middleware/base/mutex.h"
#include "middleware/runtime/random.h"

namespace understudy::harness {

// Thread-safe. Keeps one counter per (lane, site) that ever drew, by its hash: lanes may come from
// other people's requests, so neither their number nor their length may count.
class SeededRandom final : public Random {
 public:
  // Lanes and sites beyond this many share one counter.
  static constexpr std::size_t kCountersMax = 500'000;

  explicit SeededRandom(std::uint64_t seed) : seed_(seed) {}

  std::uint64_t Next(std::string_view site) override;

 private:
  const std::uint64_t seed_;
  Mutex mutex_;
  std::unordered_map<std::uint64_t, std::uint64_t> visits_ GUARDED_BY(mutex_);
  std::uint64_t further_visits_ GUARDED_BY(mutex_) = 0;
};

// The mixing function: a bijection on 64 bits with good avalanche (the finaliser of SplitMix64).
constexpr std::uint64_t Mix64(std::uint64_t value) {
  value += 0x9e3779b97f4a7c15ULL;
  value = (value ^ (value >> 30U)) * 0xbf58476d1ce4e5b9ULL;
  value = (value ^ (value >> 27U)) * 0x94d049bb133111ebULL;
  return value ^ (value >> 31U);
}

// FNV-1a; stable across platforms, unlike std::hash.
constexpr std::uint64_t HashText(std::string_view text,
                                 std::uint64_t hash = 0xcbf29ce484222325ULL) {
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
  return hash;
}

}  // namespace understudy::harness
