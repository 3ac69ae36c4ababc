// PeriodicScheduler: runs named jobs again and again: token refresh, audit retention, polling a
// vendor that has no webhooks.
//
//   UNDERSTUDY_ASSIGN_OR_RETURN(auto scheduler, PeriodicScheduler::Create(runtime, {}));
//   UNDERSTUDY_RETURN_IF_ERROR(scheduler->Add(
//       {.name = "audit.retention", .interval = 1h, .timeout = 5min},
//       [&](const JobContext& context) -> Result<JobDone> {
//         UNDERSTUDY_RETURN_IF_ERROR(audit.Retain(90 * 24h));
//         return JobDone{};
//       }));
//   UNDERSTUDY_RETURN_IF_ERROR(scheduler->Add(
//       {.name = "token.refresh", .interval = 1h, .retry_base = 5s},
//       [&](const JobContext& context) -> Result<JobDone> {
//         UNDERSTUDY_ASSIGN_OR_RETURN(const auto token,
//                                     tokens.GetToken(context.deadline, context.stop));
//         return JobDone{.next_in = TimeToRefresh(token)};
//       }));
//   ...
//   const auto stopped = scheduler->Stop(10s);
//
// When a job runs. Its ticks lie on a grid, `interval` apart, so that the time that runs take adds
// up to no drift; each tick is late by a random part of `jitter` * interval, so that a fleet does
// not call a vendor in one second. A job never runs twice at once: a tick that finds it running is
// skipped, or remembered once (Overlap). Ticks that nobody looked at, since the process was
// suspended, are skipped too.
//
// After a failure a job with a `retry_base` runs again after a growing pause instead of at its next
// tick, and the grid starts anew there. A run has a deadline and a stop token, which is requested
// when the deadline passes; a run that ignores it stays the only run of its job, is shown as
// overdue, and counts as timed out whatever it returns.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "middleware/base/mutex.h"
#include "middleware/base/result.h"
#include "middleware/runtime/deadline.h"
#include "middleware/runtime/runtime.h"
#include "middleware/runtime/task_group.h"

namespace understudy {

// What one run gets. `stop` is requested at the deadline, by Remove and by Stop.
struct JobContext {
  Deadline deadline = {};
  std::stop_token stop = {};
  std::uint64_t run = 1;  // Counts the runs of the job, this one included.
};

// What a run that succeeded says.
struct JobDone {
  // Run again this long after now, once, instead of at the next tick; the grid starts anew there.
  // Below a millisecond counts as one.
  std::optional<Duration> next_in = {};
};

// Returns soon after its stop is requested. An Error is a failed run, and its `retry_after` is
// respected; an exception is one too.
using JobBody = std::function<Result<JobDone>(const JobContext&)>;

// What becomes of a tick that finds the job running.
enum class Overlap {
  kSkip,
  kQueueOne,  // Run once more as soon as the run has ended, however many ticks passed.
};

struct JobOptions {
  // Unique; 1 to 64 of a-z A-Z 0-9 . _ -
  std::string name = {};
  Duration interval = std::chrono::minutes(1);  // 1 ms to 366 days.
  // Until the first tick; unset: one interval. Zero: at once.
  std::optional<Duration> initial_delay = {};
  double jitter = 0.1;                          // Part of the interval; 0 to below 1.
  Duration timeout = std::chrono::seconds(30);  // Of one run; above zero.
  Overlap overlap = Overlap::kSkip;
  // The pause after the first failure in a row; it doubles with each, up to the cap, and half of it
  // is random. Unset: a failed job waits for its next tick.
  std::optional<Duration> retry_base = {};
  Duration retry_cap = std::chrono::minutes(5);
};

// One sentence each, naming the option.
std::vector<std::string> FindProblems(const JobOptions& options);

// How a job stands. Counters since it was added.
struct JobStats {
  std::string name = {};
  bool paused = false;
  bool running = false;
  bool overdue = false;    // Runs although its deadline has passed.
  std::uint64_t runs = 0;  // Started.
  std::uint64_t succeeded = 0;
  std::uint64_t failed = 0;     // Timed out ones included, cancelled ones not.
  std::uint64_t timed_out = 0;  // Counted when the deadline passes.
  std::uint64_t cancelled = 0;  // Ended by Remove or Stop.
  std::uint64_t skipped = 0;    // Ticks without a run.
  int consecutive_failures = 0;
  std::optional<Duration> last_duration = {};
  std::string last_outcome = {};         // "ok", "timeout", "cancelled" or an ErrorCode's name.
  std::optional<Duration> next_in = {};  // Until the next tick; unset while paused.
};

struct PeriodicSchedulerOptions {
  std::size_t jobs_max = 64;                      // 1 to 1024; each may occupy one task.
  Duration heartbeat = std::chrono::seconds(10);  // See SinceBeat; at least 1 ms.
};

// Thread-safe. Starts one task at construction, and one for each run; waits only through the Clock.
// The parts of the runtime are borrowed.
//
// Publishes "job.run" {job, outcome, duration} at the end of each run, and "job.overdue" {job,
// timeout} when one passes its deadline; outcome as JobStats::last_outcome.
class PeriodicScheduler {
 public:
  // kInvalidArgument for options outside their ranges.
  static Result<std::unique_ptr<PeriodicScheduler>> Create(Runtime runtime,
                                                           PeriodicSchedulerOptions options);
  // Stops, and joins every run: blocks for as long as one ignores its stop token. No call may be
  // running.
  ~PeriodicScheduler();
  PeriodicScheduler(const PeriodicScheduler&) = delete;
  PeriodicScheduler& operator=(const PeriodicScheduler&) = delete;

  // kInvalidArgument with everything that is wrong with the options, for an empty body, for a name
  // in use (a removed job uses its name until its run has ended), after jobs_max jobs, and after
  // Stop.
  Result<void> Add(JobOptions options, JobBody body) EXCLUDES(mutex_);

  // The following: kNotFound for an unknown name.
  //
  // Forgets the job; a run is told to stop and may still take its time.
  Result<void> Remove(std::string_view name) EXCLUDES(mutex_);
  // No tick starts a run; a run that has started goes on.
  Result<void> Pause(std::string_view name) EXCLUDES(mutex_);
  // The next tick is one interval from now.
  Result<void> Resume(std::string_view name) EXCLUDES(mutex_);
  // Runs the job at once, or once more after the present run; also a paused one.
  Result<void> RunNow(std::string_view name) EXCLUDES(mutex_);

  // In the order of names.
  std::vector<JobStats> Snapshot() const EXCLUDES(mutex_);

  // Time since the scheduler's own task last looked around: at most the heartbeat, and a little,
  // while it lives. For liveness checks.
  Duration SinceBeat() const EXCLUDES(mutex_);

  // Starts nothing any more, tells all runs to stop, and waits for their ends, at most for `grace`.
  // kTimeout, naming the jobs, if some still run; they are joined by the destructor. Can be called
  // again.
  Result<void> Stop(Duration grace) EXCLUDES(mutex_);

 private:
  // Mutable parts under mutex_.
  struct Job {
    JobOptions options;
    JobBody body;
    JobStats stats = {};
    TimePoint grid = {};        // The next tick, without jitter.
    TimePoint due = {};         // With it.
    bool pending = false;       // Run as soon as possible.
    bool removed = false;       // Only waits for the end of its run.
    TimePoint started_at = {};  // Of the present run, as the next two.
    Deadline deadline = {};
    std::stop_source stop = std::stop_source(std::nostopstate);
  };
  using Jobs = std::map<std::string, std::shared_ptr<Job>, std::less<>>;

  // What the scheduler's task does next, without the lock.
  struct Step {
    std::shared_ptr<Job> start = {};
    std::shared_ptr<Job> overdue = {};
    JobContext context = {};                                     // For `start`.
    std::stop_source stop = std::stop_source(std::nostopstate);  // Of `overdue`.
  };

  PeriodicScheduler(Runtime runtime, PeriodicSchedulerOptions options);

  void Loop() EXCLUDES(mutex_);
  // What is to be done now; blocks until there is something. nullopt once stopped.
  std::optional<Step> AwaitStep(double luck) EXCLUDES(mutex_);
  std::optional<Step> FindStep(TimePoint now, double luck) REQUIRES(mutex_);
  // Takes a tick that has come; true if the job shall run.
  bool TakeTick(Job& job, TimePoint now, double luck) REQUIRES(mutex_);
  Step StartRun(const std::shared_ptr<Job>& job, TimePoint now) REQUIRES(mutex_);
  TimePoint NextWake(TimePoint now) const REQUIRES(mutex_);

  void Run(const std::shared_ptr<Job>& job, const JobContext& context) EXCLUDES(mutex_);
  // Books the end of a run and returns its outcome.
  std::string Finish(Job& job, const Result<JobDone>& done, TimePoint now, double luck)
      EXCLUDES(mutex_);
  void Reschedule(Job& job, const Result<JobDone>& done, bool failed, TimePoint now, double luck)
      REQUIRES(mutex_);

  Result<std::shared_ptr<Job>> Find(std::string_view name) const REQUIRES(mutex_);
  std::string RunningNames() const REQUIRES(mutex_);
  void Wake() REQUIRES(mutex_);

  const Runtime runtime_;
  const PeriodicSchedulerOptions options_;
  mutable Mutex mutex_;
  CondVar changed_{"the next tick of a periodic job"};
  Jobs jobs_ GUARDED_BY(mutex_);
  TimePoint beat_ GUARDED_BY(mutex_);
  bool dirty_ GUARDED_BY(mutex_) = false;  // Look again.
  bool stopping_ GUARDED_BY(mutex_) = false;
  TaskGroup runs_;
  Task loop_;
};

}  // namespace understudy
