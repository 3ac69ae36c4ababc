#include "middleware/runtime/periodic_scheduler.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "middleware/base/problems.h"
#include "middleware/base/text.h"
#include "middleware/runtime/stop.h"

namespace understudy {
namespace {

constexpr std::size_t kNameBytesMax = 64;
constexpr Duration kIntervalMin = std::chrono::milliseconds(1);
constexpr Duration kIntervalMax = std::chrono::hours(24 * 366);
// No vendor's hint or doubling delays a job for longer.
constexpr Duration kPauseMax = std::chrono::hours(24);
constexpr int kDoublingsMax = 40;

bool IsNameChar(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
         c == '_' || c == '-';
}

bool IsName(std::string_view name) {
  return !name.empty() && name.size() <= kNameBytesMax &&
         std::all_of(name.begin(), name.end(), IsNameChar);
}

Duration Share(Duration duration, double share) {
  return Duration(
      static_cast<Duration::rep>(std::floor(static_cast<double>(duration.count()) * share)));
}

// Half of the ceiling, and up to as much again.
Duration RetryPause(const JobOptions& options, int failures, double luck) {
  Duration ceiling = *options.retry_base;
  const Duration cap = std::min(options.retry_cap, kPauseMax);
  for (int i = 1; i < std::min(failures, kDoublingsMax) && ceiling < cap; ++i) ceiling *= 2;
  ceiling = std::min(ceiling, cap);
  return ceiling / 2 + Share(ceiling - ceiling / 2, luck);
}

// User code: whatever it throws ends here.
Result<JobDone> CallBody(const JobBody& body, const JobContext& context) {
  try {
    return body(context);
  } catch (...) {
    return Error{.code = ErrorCode::kInternal,
                 .message = "the job threw an exception",
                 .reason = "exception"};
  }
}

}  // namespace

std::vector<std::string> FindProblems(const JobOptions& options) {
  std::vector<std::string> problems;
  const auto refuse = [&](std::string_view option, Duration value, std::string_view must) {
    problems.push_back(std::string(option) + " is " + FormatDuration(value) + "; it must be " +
                       std::string(must));
  };
  if (!IsName(options.name)) {
    problems.emplace_back("name must be 1 to 64 letters, digits, '.', '_' or '-'");
  }
  if (options.interval < kIntervalMin || options.interval > kIntervalMax) {
    refuse("interval", options.interval, "1ms to 366d");
  }
  if (options.initial_delay &&
      (*options.initial_delay < Duration::zero() || *options.initial_delay > kIntervalMax)) {
    refuse("initial_delay", *options.initial_delay, "0ms to 366d");
  }
  if (!(options.jitter >= 0.0 && options.jitter < 1.0)) {  // So for NaN.
    problems.push_back("jitter is " + std::to_string(options.jitter) + "; it must be 0 to below 1");
  }
  if (options.timeout <= Duration::zero()) refuse("timeout", options.timeout, "above zero");
  if (options.retry_base &&
      (*options.retry_base < kIntervalMin || *options.retry_base > options.retry_cap)) {
    refuse("retry_base", *options.retry_base, "1ms to retry_cap");
  }
  return problems;
}

Result<std::unique_ptr<PeriodicScheduler>> PeriodicScheduler::Create(
    Runtime runtime, PeriodicSchedulerOptions options) {
  if (options.jobs_max < 1 || options.jobs_max > 1024) {
    return InvalidArgument("periodic scheduler: jobs_max is " + std::to_string(options.jobs_max) +
                           "; it must be 1 to 1024");
  }
  if (options.heartbeat < kIntervalMin) {
    return InvalidArgument("periodic scheduler: heartbeat is " + FormatDuration(options.heartbeat) +
                           "; it must be at least 1ms");
  }
  return std::unique_ptr<PeriodicScheduler>(new PeriodicScheduler(runtime, options));
}

PeriodicScheduler::PeriodicScheduler(Runtime runtime, PeriodicSchedulerOptions options)
    : runtime_(runtime),
      options_(options),
      beat_(runtime.clock.Now()),
      runs_(runtime.clock, runtime.executor) {
  loop_ = runtime_.executor.Spawn("scheduler", [this](const std::stop_token&) { Loop(); });
}

PeriodicScheduler::~PeriodicScheduler() {
  static_cast<void>(Stop(Duration::zero()));
  loop_.Join();
}  // `runs_` joins the runs.

Result<void> PeriodicScheduler::Add(JobOptions options, JobBody body) {
  std::vector<std::string> problems = FindProblems(options);
  if (!body) problems.emplace_back("the job has no body");
  UNDERSTUDY_RETURN_IF_ERROR(ToResult("periodic job " + options.name, problems));
  const TimePoint now = runtime_.clock.Now();
  const double luck = runtime_.random.UnitInterval("schedule/jitter");
  const MutexLock lock(mutex_);
  if (stopping_) return InvalidArgument("periodic job " + options.name + ": added after Stop");
  if (jobs_.contains(options.name)) {
    return InvalidArgument("periodic job " + options.name +
                           ": the name is in use; take another, or wait for the end of its run");
  }
  if (jobs_.size() >= options_.jobs_max) {
    return InvalidArgument("periodic job " + options.name + ": there are jobs_max (" +
                           std::to_string(options_.jobs_max) + ") jobs already");
  }
  auto job = std::make_shared<Job>(Job{std::move(options), std::move(body)});
  job->stats.name = job->options.name;
  job->grid = SaturatingAdd(now, job->options.initial_delay.value_or(job->options.interval));
  // What shall start at once shall not wait for its jitter.
  const bool at_once = job->options.initial_delay == Duration::zero();
  job->due =
      at_once ? now
              : SaturatingAdd(job->grid, Share(job->options.interval, job->options.jitter * luck));
  jobs_.emplace(job->options.name, std::move(job));
  Wake();
  return {};
}

Result<void> PeriodicScheduler::Remove(std::string_view name) {
  std::stop_source stop{std::nostopstate};
  {
    const MutexLock lock(mutex_);
    UNDERSTUDY_ASSIGN_OR_RETURN(const std::shared_ptr<Job> job, Find(name));
    job->removed = true;
    stop = job->stop;
    if (!job->stats.running) jobs_.erase(job->options.name);
  }
  // Callbacks of the job run here.
  if (stop.stop_possible()) understudy::RequestStop(stop);
  return {};
}

Result<void> PeriodicScheduler::Pause(std::string_view name) {
  const MutexLock lock(mutex_);
  UNDERSTUDY_ASSIGN_OR_RETURN(const std::shared_ptr<Job> job, Find(name));
  job->stats.paused = true;
  job->pending = false;
  return {};
}

Result<void> PeriodicScheduler::Resume(std::string_view name) {
  const TimePoint now = runtime_.clock.Now();
  const double luck = runtime_.random.UnitInterval("schedule/jitter");
  const MutexLock lock(mutex_);
  UNDERSTUDY_ASSIGN_OR_RETURN(const std::shared_ptr<Job> job, Find(name));
  if (!job->stats.paused) return {};
  job->stats.paused = false;
  job->grid = SaturatingAdd(now, job->options.interval);
  job->due = SaturatingAdd(job->grid, Share(job->options.interval, job->options.jitter * luck));
  Wake();
  return {};
}

Result<void> PeriodicScheduler::RunNow(std::string_view name) {
  const MutexLock lock(mutex_);
  UNDERSTUDY_ASSIGN_OR_RETURN(const std::shared_ptr<Job> job, Find(name));
  job->pending = true;
  Wake();
  return {};
}

std::vector<JobStats> PeriodicScheduler::Snapshot() const {
  const TimePoint now = runtime_.clock.Now();
  std::vector<JobStats> all;
  const MutexLock lock(mutex_);
  for (const auto& [name, job] : jobs_) {
    if (job->removed) continue;
    JobStats& stats = all.emplace_back(job->stats);
    if (!stats.paused) stats.next_in = std::max(job->due - now, Duration::zero());
  }
  return all;
}

Duration PeriodicScheduler::SinceBeat() const {
  const TimePoint now = runtime_.clock.Now();
  const MutexLock lock(mutex_);
  return std::max(now - beat_, Duration::zero());
}

Result<void> PeriodicScheduler::Stop(Duration grace) {
  const TimePoint deadline = SaturatingAdd(runtime_.clock.Now(), grace);
  std::vector<std::stop_source> stops;
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
    for (const auto& [name, job] : jobs_) {
      if (job->stats.running) stops.push_back(job->stop);
    }
    Wake();
  }
  for (std::stop_source& stop : stops) understudy::RequestStop(stop);
  std::string names;
  {
    // First what is booked, because a run is before its task has been spawned.
    const MutexLock lock(mutex_);
    runtime_.clock.AwaitUntil(mutex_, changed_, deadline,
                              [&]() REQUIRES(mutex_) { return RunningNames().empty(); });
    names = RunningNames();
  }
  if (names.empty() && runs_.AwaitIdle(deadline)) return {};
  return Error{.code = ErrorCode::kTimeout,
               .message = "these jobs did not stop within " + FormatDuration(grace) + ": " + names +
                          "; make them look at their stop token",
               .reason = "jobs-running"};
}

std::string PeriodicScheduler::RunningNames() const {
  std::string names;
  for (const auto& [name, job] : jobs_) {
    if (job->stats.running) names.append(names.empty() ? "" : ", ").append(name);
  }
  return names;
}

void PeriodicScheduler::Loop() {
  for (;;) {
    const double luck = runtime_.random.UnitInterval("schedule/jitter");
    std::optional<Step> step = AwaitStep(luck);
    if (!step) return;
    runs_.Reap();
    if (step->overdue) {
      runtime_.events.Publish("job.overdue", {{"job", step->overdue->options.name},
                                              {"timeout", step->overdue->options.timeout}});
      understudy::RequestStop(step->stop);
    }
    if (step->start) {
      runs_.Spawn(step->start->options.name,
                  [this, job = step->start, context = step->context] { Run(job, context); });
    }
  }
}

std::optional<PeriodicScheduler::Step> PeriodicScheduler::AwaitStep(double luck) {
  const MutexLock lock(mutex_);
  for (;;) {
    if (stopping_) return std::nullopt;
    const TimePoint now = runtime_.clock.Now();
    beat_ = now;
    if (auto step = FindStep(now, luck)) return step;
    dirty_ = false;
    runtime_.clock.AwaitUntil(mutex_, changed_, NextWake(now),
                              [&]() REQUIRES(mutex_) { return dirty_; });
  }
}

std::optional<PeriodicScheduler::Step> PeriodicScheduler::FindStep(TimePoint now, double luck) {
  for (const auto& [name, job] : jobs_) {
    if (job->stats.running && !job->stats.overdue && job->deadline.Passed(now)) {
      job->stats.overdue = true;
      ++job->stats.timed_out;
      Step step;
      step.overdue = job;
      step.stop = job->stop;
      return step;
    }
    if (job->removed) continue;
    const bool tick = !job->stats.paused && now >= job->due && TakeTick(*job, now, luck);
    if (!job->stats.running && (tick || job->pending)) return StartRun(job, now);
  }
  return std::nullopt;
}

bool PeriodicScheduler::TakeTick(Job& job, TimePoint now, double luck) {
  const Duration interval = job.options.interval;
  // Ticks between the one that came and the next future one have been slept over.
  const auto missed = (now - job.grid) / interval;
  job.stats.skipped += static_cast<std::uint64_t>(missed);
  job.grid = SaturatingAdd(job.grid, interval * (missed + 1));
  job.due = SaturatingAdd(job.grid, Share(interval, job.options.jitter * luck));
  if (!job.stats.running) return true;
  if (job.options.overlap == Overlap::kQueueOne && !job.pending) {
    job.pending = true;
  } else {
    ++job.stats.skipped;
  }
  return false;
}

PeriodicScheduler::Step PeriodicScheduler::StartRun(const std::shared_ptr<Job>& job,
                                                    TimePoint now) {
  job->pending = false;
  job->stats.running = true;
  job->stats.overdue = false;
  ++job->stats.runs;
  job->started_at = now;
  job->deadline = Deadline::After(now, job->options.timeout);
  job->stop = std::stop_source();
  Step step;
  step.start = job;
  step.context = {job->deadline, job->stop.get_token(), job->stats.runs};
  return step;
}

TimePoint PeriodicScheduler::NextWake(TimePoint now) const {
  TimePoint wake = SaturatingAdd(now, options_.heartbeat);
  for (const auto& [name, job] : jobs_) {
    if (job->stats.running && !job->stats.overdue) wake = std::min(wake, job->deadline.point());
    if (!job->removed && !job->stats.paused) wake = std::min(wake, job->due);
  }
  return wake;
}

void PeriodicScheduler::Run(const std::shared_ptr<Job>& job, const JobContext& context) {
  const TimePoint started_at = runtime_.clock.Now();
  const Result<JobDone> done = CallBody(job->body, context);
  const TimePoint now = runtime_.clock.Now();
  const double luck = runtime_.random.UnitInterval("schedule/jitter");
  const std::string outcome = Finish(*job, done, now, luck);
  runtime_.events.Publish("job.run", {{"job", job->options.name},
                                      {"outcome", std::string_view(outcome)},
                                      {"duration", now - started_at}});
}

std::string PeriodicScheduler::Finish(Job& job, const Result<JobDone>& done, TimePoint now,
                                      double luck) {
  const MutexLock lock(mutex_);
  JobStats& stats = job.stats;
  // The scheduler's task may not have seen yet that the deadline has passed.
  if (job.deadline.Passed(now) && !stats.overdue) ++stats.timed_out;
  const bool late = job.deadline.Passed(now);
  const bool ended = job.removed || stopping_;
  const bool cancelled = !late && ended && !done;
  const bool failed = !cancelled && (late || !done);
  if (late) {
    stats.last_outcome = "timeout";
  } else {
    stats.last_outcome =
        cancelled ? "cancelled" : std::string(done ? "ok" : ToString(done.error().code));
  }
  (cancelled ? stats.cancelled : failed ? stats.failed : stats.succeeded) += 1;
  stats.consecutive_failures = failed ? stats.consecutive_failures + 1 : 0;
  stats.last_duration = now - job.started_at;
  stats.running = false;
  stats.overdue = false;
  job.stop = std::stop_source(std::nostopstate);
  Reschedule(job, done, failed, now, luck);
  std::string outcome = stats.last_outcome;
  if (job.removed) jobs_.erase(job.options.name);  // `job` is kept alive by the run.
  Wake();
  return outcome;
}

void PeriodicScheduler::Reschedule(Job& job, const Result<JobDone>& done, bool failed,
                                   TimePoint now, double luck) {
  std::optional<Duration> pause;
  if (!failed) {
    if (done && done->next_in) pause = std::clamp(*done->next_in, kIntervalMin, kIntervalMax);
  } else {
    if (job.options.retry_base) {
      pause = RetryPause(job.options, job.stats.consecutive_failures, luck);
    }
    // Never earlier than the vendor asked for.
    const auto hint = done ? std::nullopt : done.error().retry_after;
    const Duration floor = std::min(hint.value_or(Duration::zero()), kPauseMax);
    const Duration planned = pause.value_or(job.due - now);
    if (floor > planned) pause = floor;
    if (hint) job.pending = false;  // A queued tick must not come before the hint.
  }
  if (!pause) return;
  job.grid = job.due = SaturatingAdd(now, *pause);
}

Result<std::shared_ptr<PeriodicScheduler::Job>> PeriodicScheduler::Find(
    std::string_view name) const {
  const auto found = jobs_.find(name);
  if (found == jobs_.end() || found->second->removed) {
    return Error{.code = ErrorCode::kNotFound,
                 .message = "there is no periodic job of the name " +
                            std::string(name.substr(0, kNameBytesMax))};
  }
  return found->second;
}

void PeriodicScheduler::Wake() {
  dirty_ = true;
  changed_.NotifyAll();
}

}  // namespace understudy
