#include "harness/plan/lane.h"

#include <utility>

namespace understudy::harness {
namespace {

// Per thread by nature: it says who this thread is.
thread_local Lane current_lane;

}  // namespace

const Lane& CurrentLane() { return current_lane; }

std::string ChildLaneName(const Lane& parent, std::string_view name) {
  if (parent.step.empty()) return std::string(name);
  return parent.name + "/" + std::string(name);
}

LaneScope::LaneScope(Lane lane) : previous_(std::exchange(current_lane, std::move(lane))) {}

LaneScope::~LaneScope() { current_lane = std::move(previous_); }

}  // namespace understudy::harness
