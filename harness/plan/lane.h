// Lane: who is acting on this thread, and for which step of a scenario. Stamped on every event of
// the history.
#pragma once

#include <string>
#include <string_view>

namespace understudy::harness {

struct Lane {
  std::string name = {};  // e.g. "probe/3", "vendor", "acme/evt_2#1"; unique per actor of a run
  std::string step = {};  // the scenario step being executed; may be empty
};

// The calling thread's lane; empty outside any.
const Lane& CurrentLane();

// What an actor that `parent` spawns as `name` is called: work of a step belongs to the lane that
// began it ("probe/3/hedge 1"), other work stands for itself.
std::string ChildLaneName(const Lane& parent, std::string_view name);

// Makes the calling thread act as `lane` until the end of the scope, then restores what it was.
class LaneScope {
 public:
  explicit LaneScope(Lane lane);
  ~LaneScope();
  LaneScope(const LaneScope&) = delete;
  LaneScope& operator=(const LaneScope&) = delete;

 private:
  Lane previous_;
};

}  // namespace understudy::harness
