// BackgroundTasks: a bounded number of short tasks on the Executor, at most one per key, none of
// which outlives its owner.
//
//   BackgroundTasks refreshes("cache refresh", 4, runtime);
//   const bool started = refreshes.TryStart(url, [=, this](const std::stop_token& stop) {
//     return Refresh(url, stop) ? Duration::zero() : Duration(1s);   // pause after a failure
//   });
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "middleware/base/mutex.h"
#include "middleware/client/expiring_keys.h"
#include "middleware/runtime/executor.h"
#include "middleware/runtime/runtime.h"

namespace understudy {

// What became of an attempt to start a task.
enum class TaskStart {
  kStarted,
  kRunning,  // One of this key is running.
  kPaused,   // The pause of this key is not over.
  kFull,     // As many as may are running.
};

std::string_view ToString(TaskStart start);  // "started", "running", ...

// Thread-safe. Never blocks but in the destructor, which requests a stop of all tasks and waits for
// them; no call may be running then. A finished task is joined by the next TryStart.
class BackgroundTasks {
 public:
  // Returns soon after a stop is requested. The result is how long no task of this key shall start
  // again; zero for none. Must not throw (but what ends a simulation).
  using Body = std::function<Duration(const std::stop_token&)>;

  BackgroundTasks(std::string name, std::size_t running_max, const Runtime& runtime);
  ~BackgroundTasks();
  BackgroundTasks(const BackgroundTasks&) = delete;
  BackgroundTasks& operator=(const BackgroundTasks&) = delete;

  TaskStart TryStart(const std::string& key, Body body) EXCLUDES(mutex_);

 private:
  // Owned by the list and by TryStart, never by the task itself, which would join itself.
  struct Job {
    std::string key;
    Task task = {};
  };
  // Shared with the task.
  struct State {
    bool done = false;  // Under mutex_.
  };
  struct Running {
    std::shared_ptr<Job> job;
    std::shared_ptr<State> state;
  };

  void Run(const std::string& key, const std::shared_ptr<State>& state, const Body& body,
           const std::stop_token& stop);
  void Finish(const std::string& key, State& state, Duration pause) EXCLUDES(mutex_);
  std::vector<Running> TakeFinished() REQUIRES(mutex_);

  const std::string name_;
  const std::size_t running_max_;
  const Runtime runtime_;
  Mutex mutex_;
  std::vector<Running> tasks_ GUARDED_BY(mutex_);
  ExpiringKeys paused_ GUARDED_BY(mutex_);
};

}  // namespace understudy
