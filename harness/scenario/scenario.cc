#include "harness/scenario/scenario.h"

#include <array>

namespace understudy::harness {

std::string_view ToString(AgreeOn what) {
  constexpr std::array<std::string_view, 5> kNames = {"outcomes", "transitions", "counts",
                                                      "lane-order", "effects"};
  return kNames[static_cast<std::size_t>(what)];
}

std::string_view ToString(SchedulerKind scheduler) {
  constexpr std::array<std::string_view, 5> kNames = {"random", "pct", "urw", "round-robin",
                                                      "exhaustive"};
  return kNames[static_cast<std::size_t>(scheduler)];
}

std::string_view ToString(ExploreFault fault) {
  constexpr std::array<std::string_view, 8> kNames = {
      "crash", "duplicate-delivery", "reorder-delivery", "drop-ack", "latency",
      "reset", "clock-jump",         "dns-fail"};
  return kNames[static_cast<std::size_t>(fault)];
}

std::string_view VerbName(const StepAction& action) {
  constexpr std::array<std::string_view, 7> kNames = {"call",  "advance", "wait",    "deliver",
                                                      "crash", "set",     "parallel"};
  return kNames[action.index()];
}

}  // namespace understudy::harness
