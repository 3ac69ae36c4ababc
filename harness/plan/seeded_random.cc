#include "harness/plan/seeded_random.h"

#include "harness/plan/lane.h"

namespace understudy::harness {

std::uint64_t SeededRandom::Next(std::string_view site) {
  std::string key = CurrentLane().name;
  key.append("\n").append(site);
  std::uint64_t visit = 0;
  {
    const MutexLock lock(mutex_);
    visit = visits_[key]++;
  }
  return Mix64(Mix64(seed_ ^ HashText(key)) + visit);
}

}  // namespace understudy::harness
