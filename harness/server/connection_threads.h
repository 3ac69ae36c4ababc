// ConnectionThreads: one thread per connection, started when it is needed and reused afterwards.
//
// A queue in front of a fixed pool would let a connection wait behind one that is parked in a
// planned latency or hang.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace understudy::harness {

// Thread-safe. The destructor waits until the running jobs have ended.
class ConnectionThreads {
 public:
  explicit ConnectionThreads(std::size_t threads_max);
  ~ConnectionThreads();
  ConnectionThreads(const ConnectionThreads&) = delete;
  ConnectionThreads& operator=(const ConnectionThreads&) = delete;

  // Runs `job` on an idle or a new thread. False, and nothing happens, if `threads_max` jobs are
  // running or the system has no more threads.
  bool TryRun(const std::function<void()>& job);

  // Blocks until no job is running; false if that takes longer than `limit` (real time).
  bool AwaitIdle(std::chrono::milliseconds limit);

 private:
  struct Worker;

  bool StartWorker(const std::function<void()>& job);
  void Loop(Worker& worker);

  // Not the project's Mutex: these waits are between real threads and must not be seen by a Clock.
  std::mutex mutex_;
  std::condition_variable all_idle_;
  const std::size_t threads_max_;
  std::vector<std::unique_ptr<Worker>> workers_;  // guarded by mutex_
  std::vector<Worker*> idle_;  // guarded by mutex_; the last one ran most recently
};

}  // namespace understudy::harness
