#include "middleware/client/background_tasks.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace understudy {
namespace {

constexpr std::size_t kPausedMax = 1024;

}  // namespace

std::string_view ToString(TaskStart start) {
  switch (start) {
    case TaskStart::kStarted:
      return "started";
    case TaskStart::kRunning:
      return "running";
    case TaskStart::kPaused:
      return "paused";
    case TaskStart::kFull:
      return "full";
  }
  return "unknown";
}

BackgroundTasks::BackgroundTasks(std::string name, std::size_t running_max, const Runtime& runtime)
    : name_(std::move(name)), running_max_(running_max), runtime_(runtime), paused_(kPausedMax) {}

BackgroundTasks::~BackgroundTasks() {
  std::vector<Running> tasks;
  {
    const MutexLock lock(mutex_);
    tasks.swap(tasks_);
  }
  // All at once, so that the waits for their ends overlap.
  for (const Running& running : tasks) running.job->task.RequestStop();
}  // `tasks` joins them.

TaskStart BackgroundTasks::TryStart(const std::string& key, Body body) {
  const TimePoint now = runtime_.clock.Now();
  Running started;
  std::vector<Running> finished;  // Joined at the end, without the lock.
  {
    const MutexLock lock(mutex_);
    finished = TakeFinished();
    if (paused_.Holds(key, now)) return TaskStart::kPaused;
    const bool same = std::any_of(tasks_.begin(), tasks_.end(),
                                  [&](const Running& running) { return running.job->key == key; });
    if (same) return TaskStart::kRunning;
    if (tasks_.size() >= running_max_) return TaskStart::kFull;
    started = {std::make_shared<Job>(), std::make_shared<State>()};
    started.job->key = key;
    tasks_.push_back(started);
  }
  Task task =
      runtime_.executor.Spawn(name_, [this, key, state = started.state, body = std::move(body)](
                                         std::stop_token stop) { Run(key, state, body, stop); });
  const MutexLock lock(mutex_);
  started.job->task = std::move(task);
  return TaskStart::kStarted;
}

void BackgroundTasks::Run(const std::string& key, const std::shared_ptr<State>& state,
                          const Body& body, const std::stop_token& stop) {
  // Also if a simulation unwinds the task: the key must not count as running for ever.
  struct AtEnd {
    ~AtEnd() { tasks.Finish(key, state, pause); }
    BackgroundTasks& tasks;
    const std::string& key;
    State& state;
    Duration pause;
  } at_end{*this, key, *state, Duration::zero()};
  at_end.pause = body(stop);
}

void BackgroundTasks::Finish(const std::string& key, State& state, Duration pause) {
  const TimePoint now = runtime_.clock.Now();
  const MutexLock lock(mutex_);
  state.done = true;
  if (pause > Duration::zero()) paused_.Add(key, SaturatingAdd(now, pause), now);
}

std::vector<BackgroundTasks::Running> BackgroundTasks::TakeFinished() {
  const auto first = std::stable_partition(
      tasks_.begin(), tasks_.end(), [](const Running& running) { return !running.state->done; });
  std::vector<Running> finished(std::make_move_iterator(first),
                                std::make_move_iterator(tasks_.end()));
  tasks_.erase(first, tasks_.end());
  return finished;
}

}  // namespace understudy
