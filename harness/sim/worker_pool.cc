#include "harness/sim/worker_pool.h"

#include <utility>

namespace understudy::harness {

struct WorkerPool::Worker {
  std::condition_variable wake;
  std::function<void()> job;
  bool stopping = false;
  std::thread thread;
};

WorkerPool::WorkerPool() = default;

WorkerPool::~WorkerPool() {
  {
    const std::lock_guard lock(mutex_);
    for (const auto& worker : workers_) {
      worker->stopping = true;
      worker->wake.notify_one();
    }
  }
  for (const auto& worker : workers_) worker->thread.join();
}

void WorkerPool::Run(std::function<void()> job) {
  const std::lock_guard lock(mutex_);
  if (!idle_.empty()) {
    Worker* const worker = idle_.back();
    idle_.pop_back();
    worker->job = std::move(job);
    worker->wake.notify_one();
    return;
  }
  workers_.push_back(std::make_unique<Worker>());
  Worker& worker = *workers_.back();
  worker.job = std::move(job);
  worker.thread = std::thread([this, &worker] { Loop(worker); });
}

void WorkerPool::Loop(Worker& worker) {
  std::unique_lock lock(mutex_);
  for (;;) {
    worker.wake.wait(lock, [&] { return worker.job != nullptr || worker.stopping; });
    if (worker.job == nullptr) return;
    const std::function<void()> job = std::exchange(worker.job, nullptr);
    lock.unlock();
    job();
    lock.lock();
    idle_.push_back(&worker);
  }
}

}  // namespace understudy::harness
