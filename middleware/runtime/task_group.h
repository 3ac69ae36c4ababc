// TaskGroup: tasks that end by themselves, kept until they have.
//
// A Task joins its body when it is destroyed, so somebody has to own the handle of work that nobody
// waits for: a run of a job, a probe that was given up on. The group does, and joins each once it
// has ended.
//
//   TaskGroup runs(runtime.clock, runtime.executor);
//   runs.Spawn("probe", [this] { Check(); });
//   runs.AwaitIdle(SaturatingAdd(clock.Now(), 5s));
//
// The group bounds nothing: its owner starts no more than a known number at a time.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "middleware/base/mutex.h"
#include "middleware/runtime/clock.h"
#include "middleware/runtime/executor.h"

namespace understudy {

// Thread-safe. `clock` and `executor` are borrowed.
class TaskGroup {
 public:
  TaskGroup(Clock& clock, Executor& executor) : clock_(clock), executor_(executor) {}
  // Joins all: blocks until every body has returned. No call may be running. Whoever wants the
  // bodies to end early tells them, by a stop token of its own.
  ~TaskGroup() = default;
  TaskGroup(const TaskGroup&) = delete;
  TaskGroup& operator=(const TaskGroup&) = delete;

  // Starts `body`, which must not throw (but what ends a simulation). Joins what has ended, which
  // does not block for longer than a thread takes to end.
  void Spawn(std::string name, std::function<void()> body) EXCLUDES(mutex_);

  // Joins what has ended.
  void Reap() EXCLUDES(mutex_);

  // Bodies that have not returned.
  std::size_t running() const EXCLUDES(mutex_);

  // Blocks until no body runs, at most until `deadline`; false if some still do.
  bool AwaitIdle(TimePoint deadline) EXCLUDES(mutex_);

 private:
  // Owned by the list and, while it starts, by Spawn; never by its own body, which would join
  // itself.
  struct Member {
    Task task = {};
  };
  // Shared with the body.
  struct State {
    bool done = false;  // Under mutex_.
  };
  struct Entry {
    std::shared_ptr<Member> member;
    std::shared_ptr<State> state;
  };

  void Run(State& state, const std::function<void()>& body);
  std::vector<Entry> TakeDone() REQUIRES(mutex_);

  Clock& clock_;
  Executor& executor_;
  mutable Mutex mutex_;
  CondVar ended_{"the end of the tasks of a group"};
  std::size_t running_ GUARDED_BY(mutex_) = 0;
  // Last: its tasks use the members above until they are joined.
  std::vector<Entry> entries_ GUARDED_BY(mutex_);
};

}  // namespace understudy
