#include "harness/plan/seeded_random.h"

#include "harness/plan/lane.h"

namespace understudy::harness {

std::uint64_t SeededRandom::Next(std::string_view site) {
  const std::uint64_t key = HashText(site, HashText("\n", HashText(CurrentLane().name)));
  std::uint64_t visit = 0;
  {
    const MutexLock lock(mutex_);
    const auto counter = visits_.find(key);
    if (counter != visits_.end()) {
      visit = counter->second++;
    } else if (visits_.size() < kCountersMax) {
      visits_.emplace(key, 1);
    } else {
      visit = further_visits_++;
    }
  }
  return Mix64(Mix64(seed_ ^ key) + visit);
}

}  // namespace understudy::harness
