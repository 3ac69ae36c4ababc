// GroupCommit: lets the calls that wait for a store's commit share one. An internal part of the
// stores.
//
//   GroupCommit<Job> group({.jobs_max = 512});
//   Job job{...};
//   group.Run(job, [&](std::span<Job* const> jobs) { CommitTogether(jobs); });  // fills each's
//   result return job.result;
//
// The first caller commits its own job at once. Those that come meanwhile wait; when it is done,
// one of them commits for all of them, and so on: the slower the disk, the more share one sync.
#pragma once

#include <cstddef>
#include <deque>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "middleware/base/check.h"
#include "middleware/base/function_ref.h"
#include "middleware/base/mutex.h"
#include "middleware/platform/system_clock.h"

namespace understudy::internal {

struct GroupCommitOptions {
  std::size_t jobs_max = 1024;                            // In one commit.
  std::size_t bytes_max = std::size_t{32} * 1024 * 1024;  // Likewise; one job may exceed it.
};

// Thread-safe. As many jobs wait as threads call. `commit` runs on a caller's thread, without a
// Mutex, never twice at once; it must not throw, and must fill in every job that it gets.
template <typename Job>
class GroupCommit {
 public:
  using Commit = FunctionRef<void(std::span<Job* const>)>;

  explicit GroupCommit(GroupCommitOptions options = {}) : options_(options) {}

  // Returns when `job` has been part of a commit. Blocks for at most two commits and those of the
  // batches in front of it. `bytes` is about how much the job writes.
  void Run(Job& job, std::size_t bytes, Commit commit) EXCLUDES(mutex_) {
    UNDERSTUDY_CHECK(HeldMutexCount() == 0, "a thread must not commit while it holds a Mutex");
    const auto mine = std::make_shared<Waiting>();
    mine->job = &job;
    mine->bytes = bytes;
    if (!Enqueue(mine) && !mine->AwaitTurn(clock_)) return;
    const std::vector<std::shared_ptr<Waiting>> batch = TakeBatch();
    std::vector<Job*> jobs;
    for (const auto& waiting : batch) jobs.push_back(waiting->job);
    commit(jobs);
    Finish(batch);
  }

 private:
  // Each has a lock of its own: a hundred threads that are woken at once must not queue for one.
  // Shared, because its thread may return while it is being woken.
  struct Waiting {
    Job* job = nullptr;  // Its result is written before `done` is set.
    std::size_t bytes = 0;
    Mutex mutex;
    CondVar woken{"a store's commit"};
    bool done GUARDED_BY(mutex) = false;
    bool leads GUARDED_BY(mutex) = false;  // Its thread commits next.

    // False if the job is done.
    bool AwaitTurn(Clock& clock) EXCLUDES(mutex) {
      const MutexLock lock(mutex);
      clock.AwaitUntil(mutex, woken, kNever, [&]() REQUIRES(mutex) { return done || leads; });
      return !done;
    }
    void SetDone() EXCLUDES(mutex) {
      {
        const MutexLock lock(mutex);
        done = true;
      }
      woken.NotifyAll();
    }
    void SetLeads() EXCLUDES(mutex) {
      {
        const MutexLock lock(mutex);
        leads = true;
      }
      woken.NotifyAll();
    }
  };

  // True if nobody commits now: the caller does.
  bool Enqueue(const std::shared_ptr<Waiting>& mine) EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    queue_.push_back(mine);
    return !std::exchange(committing_, true);
  }

  std::vector<std::shared_ptr<Waiting>> TakeBatch() EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    std::vector<std::shared_ptr<Waiting>> batch;
    std::size_t bytes = 0;
    while (!queue_.empty() && batch.size() < options_.jobs_max) {
      bytes += queue_.front()->bytes;
      if (!batch.empty() && bytes > options_.bytes_max) break;
      batch.push_back(std::move(queue_.front()));
      queue_.pop_front();
    }
    return batch;
  }

  void Finish(const std::vector<std::shared_ptr<Waiting>>& batch) EXCLUDES(mutex_) {
    std::shared_ptr<Waiting> next;
    {
      const MutexLock lock(mutex_);
      committing_ = !queue_.empty();
      if (committing_) next = queue_.front();
    }
    // First the one that keeps the disk busy.
    if (next != nullptr) next->SetLeads();
    for (const auto& waiting : batch) waiting->SetDone();
  }

  const GroupCommitOptions options_;
  SystemClock clock_;  // To wait for a commit, which is real I/O and takes real time.
  Mutex mutex_;
  std::deque<std::shared_ptr<Waiting>> queue_ GUARDED_BY(mutex_);
  bool committing_ GUARDED_BY(mutex_) = false;
};

}  // namespace understudy::internal
