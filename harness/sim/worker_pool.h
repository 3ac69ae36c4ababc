// WorkerPool: operating-system threads that are reused from one simulation to the next.
//
// Creating a thread costs more than simulating a whole short scenario; an exploration of thousands
// of seeds pays it once.
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace understudy::harness {

// Thread-safe. The destructor waits for running jobs; they must end on their own.
class WorkerPool {
 public:
  WorkerPool();
  ~WorkerPool();
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  // Runs `job` on an idle thread, or on a new one if all are busy.
  void Run(std::function<void()> job);

 private:
  struct Worker;

  void Loop(Worker& worker);

  std::mutex mutex_;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::vector<Worker*> idle_;
};

}  // namespace understudy::harness
