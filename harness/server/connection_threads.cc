#include "harness/server/connection_threads.h"

#include <system_error>
#include <utility>

namespace understudy::harness {

struct ConnectionThreads::Worker {
  std::condition_variable wake;
  std::function<void()> job;
  bool ending = false;
  std::thread thread;
};

ConnectionThreads::ConnectionThreads(std::size_t threads_max) : threads_max_(threads_max) {}

ConnectionThreads::~ConnectionThreads() {
  {
    const std::lock_guard lock(mutex_);
    for (const auto& worker : workers_) {
      worker->ending = true;
      worker->wake.notify_one();
    }
  }
  for (const auto& worker : workers_) worker->thread.join();
}

bool ConnectionThreads::TryRun(const std::function<void()>& job) {
  const std::lock_guard lock(mutex_);
  if (idle_.empty()) return workers_.size() < threads_max_ && StartWorker(job);
  Worker* const worker = idle_.back();
  idle_.pop_back();
  worker->job = job;
  worker->wake.notify_one();
  return true;
}

bool ConnectionThreads::StartWorker(const std::function<void()>& job) {
  auto worker = std::make_unique<Worker>();
  worker->job = job;
  try {
    worker->thread = std::thread([this, &own = *worker] { Loop(own); });
  } catch (const std::system_error&) {
    return false;  // The system's limit of threads.
  }
  workers_.push_back(std::move(worker));
  return true;
}

bool ConnectionThreads::AwaitIdle(std::chrono::milliseconds limit) {
  std::unique_lock lock(mutex_);
  return all_idle_.wait_for(lock, limit, [this] { return idle_.size() == workers_.size(); });
}

void ConnectionThreads::Loop(Worker& worker) {
  std::unique_lock lock(mutex_);
  for (;;) {
    worker.wake.wait(lock, [&] { return worker.job != nullptr || worker.ending; });
    if (worker.job == nullptr) return;
    const std::function<void()> job = std::exchange(worker.job, nullptr);
    lock.unlock();
    job();
    lock.lock();
    idle_.push_back(&worker);
    if (idle_.size() == workers_.size()) all_idle_.notify_all();
  }
}

}  // namespace understudy::harness
