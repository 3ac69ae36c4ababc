// Expectations: judges a history by what a scenario expects.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "harness/scenario/expectation_spec.h"
#include "harness/scenario/history.h"

namespace understudy::harness {

enum class Judgement {
  kHolds,
  kViolated,
  kVacuous,     // Its selector matched nothing, so it says nothing; counts as a failure.
  kReached,     // sometimes: seen in this run
  kNotReached,  // sometimes: not seen in this run; judged over all seeds
};

struct ExpectationResult {
  std::string id = {};
  Judgement judgement = Judgement::kHolds;
  std::string message = {};                 // one line: what is wrong
  std::string expected = {};                // one line, may be empty
  std::string actual = {};                  // one line, may be empty
  std::optional<std::uint64_t> event = {};  // the first offending event's number

  bool failed() const {
    return judgement == Judgement::kViolated || judgement == Judgement::kVacuous;
  }
};

// What the runner knows about a finished run beside its events.
struct RunFacts {
  // The number of the last event when the step ended; steps that did not end are absent.
  std::map<std::string, std::uint64_t, std::less<>> step_ends = {};
  Duration tolerance = {};  // added to upper and taken from lower time bounds; for wire runs
};

// Judges one expectation. Pure. Rules: docs/scenario-format.md.
ExpectationResult Judge(const Expectation& expectation, const std::vector<HistoryEvent>& events,
                        const RunFacts& facts);

}  // namespace understudy::harness
