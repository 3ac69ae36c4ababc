#include "harness/sim/schedule.h"

#include <algorithm>
#include <utility>

#include "harness/plan/seeded_random.h"

namespace understudy::harness {
namespace {

constexpr std::uint64_t kTopHalf = 1ULL << 63U;
constexpr std::uint64_t kStepsUnknown = 500;  // Used until a run has been measured.
constexpr std::uint64_t kLockPreemptionOdds = 4;

}  // namespace

Schedule::Schedule(Scheduler scheduler, std::uint64_t seed, int preemptions_max,
                   StepCounts expected)
    : scheduler_(scheduler), expected_(std::move(expected)), state_(Mix64(seed)) {
  if (scheduler_ != Scheduler::kPct) return;
  std::uint64_t total = 0;
  for (const auto& [name, steps] : expected_) total += steps;
  if (total == 0) total = kStepsUnknown;
  for (int i = 0; i < preemptions_max; ++i) change_points_.push_back(1 + Draw() % total);
  std::sort(change_points_.begin(), change_points_.end());
}

std::uint64_t Schedule::Draw() {
  state_ += 0x9e3779b97f4a7c15ULL;
  return Mix64(state_);
}

std::size_t Schedule::Choose(const std::vector<Candidate>& candidates) {
  ++step_;
  if (candidates.size() == 1 && scheduler_ != Scheduler::kPct) return 0;
  switch (scheduler_) {
    case Scheduler::kRoundRobin:
      return 0;
    case Scheduler::kRandom:
      return Draw() % candidates.size();
    case Scheduler::kPct:
      return ChoosePct(candidates);
    case Scheduler::kUrw:
      return ChooseUrw(candidates);
  }
  return 0;
}

std::size_t Schedule::ChoosePct(const std::vector<Candidate>& candidates) {
  const auto priority = [&](const Candidate& candidate) -> std::uint64_t& {
    const auto [entry, inserted] = priorities_.try_emplace(candidate.id, 0);
    if (inserted) entry->second = kTopHalf | Draw();
    return entry->second;
  };
  for (const Candidate& candidate : candidates) priority(candidate);
  const auto best = [&] {
    return std::max_element(
        candidates.begin(), candidates.end(),
        [&](const auto& a, const auto& b) { return priority(a) < priority(b); });
  };
  auto chosen = best();
  if (!change_points_.empty() && step_ >= change_points_.front()) {
    change_points_.erase(change_points_.begin());
    priority(*chosen) = lowest_--;
    chosen = best();
  }
  return static_cast<std::size_t>(chosen - candidates.begin());
}

std::size_t Schedule::ChooseUrw(const std::vector<Candidate>& candidates) {
  std::vector<std::uint64_t> left;
  std::uint64_t total = 0;
  for (const Candidate& candidate : candidates) {
    const auto known = expected_.find(candidate.name);
    const std::uint64_t expected = known == expected_.end() ? kStepsUnknown : known->second;
    left.push_back(expected > candidate.steps ? expected - candidate.steps : 1);
    total += left.back();
  }
  std::uint64_t point = Draw() % total;
  for (std::size_t i = 0; i < left.size(); ++i) {
    if (point < left[i]) return i;
    point -= left[i];
  }
  return 0;
}

bool Schedule::PreemptBeforeLock() { return exploring() && Draw() % kLockPreemptionOdds == 0; }

}  // namespace understudy::harness
