// Schedule: which of the runnable actors goes next. A function of the seed and of what happened
// before.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace understudy::harness {

// How a seed explores interleavings.
enum class Scheduler {
  kRoundRobin,  // First come, first served, for every seed: the benign run.
  kRandom,      // Uniform among the runnable at each step.
  kPct,         // Random priorities with a few priority changes (Burckhardt et al., ASPLOS 2010).
  kUrw,         // Weighted by the work each actor has left, which samples interleavings more evenly
                // (ASPLOS 2025).
};

// The steps each actor took in an earlier run of the same scenario, by name: what kUrw and kPct
// estimate from.
using StepCounts = std::map<std::string, std::uint64_t, std::less<>>;

// One run's decisions. Not thread-safe: only the running actor asks.
class Schedule {
 public:
  Schedule(Scheduler scheduler, std::uint64_t seed, int preemptions_max, StepCounts expected);

  struct Candidate {
    int id = 0;
    std::string_view name = {};
    std::uint64_t steps = 0;  // taken so far
  };
  // The index of the candidate to run. Candidates are in the order in which they became runnable;
  // index 0 is benign.
  std::size_t Choose(const std::vector<Candidate>& candidates);

  // Should the running actor be interrupted before it takes a lock?
  bool PreemptBeforeLock();

  bool exploring() const { return scheduler_ != Scheduler::kRoundRobin; }

 private:
  std::uint64_t Draw();
  std::size_t ChoosePct(const std::vector<Candidate>& candidates);
  std::size_t ChooseUrw(const std::vector<Candidate>& candidates);

  const Scheduler scheduler_;
  const StepCounts expected_;
  std::uint64_t state_;
  std::uint64_t step_ = 0;
  std::vector<std::uint64_t>
      change_points_;  // kPct: steps at which the running actor's priority drops
  std::map<int, std::uint64_t> priorities_;       // kPct: by actor id; higher runs first
  std::uint64_t lowest_ = 0x7fffffffffffffffULL;  // kPct: dropped priorities count down from here
};

}  // namespace understudy::harness
