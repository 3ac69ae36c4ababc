#include "middleware/runtime/task_group.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace understudy {

void TaskGroup::Spawn(std::string name, std::function<void()> body) {
  const Entry started{std::make_shared<Member>(), std::make_shared<State>()};
  std::vector<Entry> done;  // Joined at the end, without the lock.
  {
    const MutexLock lock(mutex_);
    done = TakeDone();
    entries_.push_back(started);
    ++running_;
  }
  Task task =
      executor_.Spawn(std::move(name), [this, state = started.state, work = std::move(body)](
                                           const std::stop_token&) { Run(*state, work); });
  const MutexLock lock(mutex_);
  started.member->task = std::move(task);
}

void TaskGroup::Run(State& state, const std::function<void()>& body) {
  // Also if a simulation unwinds the task.
  struct AtEnd {
    ~AtEnd() {
      const MutexLock lock(group.mutex_);
      state.done = true;
      --group.running_;
      group.ended_.NotifyAll();
    }
    TaskGroup& group;
    State& state;
  } at_end{*this, state};
  body();
}

void TaskGroup::Reap() {
  std::vector<Entry> done;
  const MutexLock lock(mutex_);
  done = TakeDone();
}  // `done` outlives the lock, and joins.

std::vector<TaskGroup::Entry> TaskGroup::TakeDone() {
  const auto first = std::stable_partition(entries_.begin(), entries_.end(),
                                           [](const Entry& entry) { return !entry.state->done; });
  std::vector<Entry> done(std::make_move_iterator(first), std::make_move_iterator(entries_.end()));
  entries_.erase(first, entries_.end());
  return done;
}

std::size_t TaskGroup::running() const {
  const MutexLock lock(mutex_);
  return running_;
}

bool TaskGroup::AwaitIdle(TimePoint deadline) {
  const MutexLock lock(mutex_);
  return clock_.AwaitUntil(mutex_, ended_, deadline,
                           [&]() REQUIRES(mutex_) { return running_ == 0; });
}

}  // namespace understudy
