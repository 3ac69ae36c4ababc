#include "middleware/webhook/webhook_processor.h"

#include <algorithm>

namespace understudy {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::string_view kNotReadyReason = "not-ready";
// Runs of a handler whose transaction conflicts with another, before the event is deferred.
constexpr int kConflictRunsMax = 5;
// A worker never looks again earlier than this, also if a store says that something is due that it
// does not give out.
constexpr Duration kPollMin = milliseconds(1);
constexpr Duration kPauseAfterStoreError = seconds(1);

WebhookProcessorOptions Sane(WebhookProcessorOptions options) {
  options.lease = std::max(options.lease, Duration(milliseconds(1)));
  options.attempts_max = std::max(options.attempts_max, 1);
  options.backoff_min = std::max(options.backoff_min, Duration::zero());
  options.backoff_max = std::max(options.backoff_max, options.backoff_min);
  options.workers = std::clamp(options.workers, 1, 1024);
  options.poll_max = std::max(options.poll_max, kPollMin);
  return options;
}

// Code and reason; the reason cut down to what an identifier may hold.
std::string Sanitised(const Error& error) {
  std::string text(ToString(error.code));
  if (error.reason.empty()) return text;
  std::string reason = error.reason.substr(0, 64);
  std::replace_if(
      reason.begin(), reason.end(),
      [](char c) {
        const bool allowed = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                             (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
        return !allowed;
      },
      '?');
  return text.append(" (").append(reason).append(")");
}

bool IsNotReady(const Error& error) { return error.reason == kNotReadyReason; }

// Passes on to the store's transaction and remembers the writes.
class RecordingTransaction final : public WebhookTransaction {
 public:
  RecordingTransaction(WebhookTransaction& inner, WebhookEffects& effects)
      : inner_(inner), effects_(effects) {}

  Result<std::optional<std::string>> Get(std::string_view key) override { return inner_.Get(key); }
  Result<void> Put(std::string_view key, std::string_view value) override {
    UNDERSTUDY_RETURN_IF_ERROR(inner_.Put(key, value));
    effects_.emplace_back(key, value);
    return {};
  }

 private:
  WebhookTransaction& inner_;
  WebhookEffects& effects_;
};

// User code: whatever it throws ends here.
Result<void> CallHandler(const WebhookHandler& handler, const WebhookEvent& event,
                         WebhookTransaction& transaction) {
  try {
    return handler(event, transaction);
  } catch (...) {
    return Error{.code = ErrorCode::kInternal,
                 .message = "the webhook handler threw an exception",
                 .reason = "exception"};
  }
}

}  // namespace

Error NotReady(std::string why) {
  return Error{.code = ErrorCode::kOverloaded,
               .message = std::move(why),
               .reason = std::string(kNotReadyReason)};
}

std::string_view ToString(WebhookOutcome outcome) {
  switch (outcome) {
    case WebhookOutcome::kCompleted:
      return "completed";
    case WebhookOutcome::kDuplicate:
      return "duplicate";
    case WebhookOutcome::kDeferred:
      return "deferred";
    case WebhookOutcome::kBusy:
      return "busy";
    case WebhookOutcome::kUnhandled:
      return "unhandled";
    case WebhookOutcome::kDead:
      return "dead";
    case WebhookOutcome::kStorageFailed:
      return "storage-failed";
  }
  return "unknown";
}

WebhookProcessor::WebhookProcessor(Runtime runtime, WebhookStore& store,
                                   WebhookProcessorOptions options)
    : runtime_(runtime), store_(store), options_(Sane(std::move(options))) {}

WebhookProcessor::~WebhookProcessor() { Stop(); }

void WebhookProcessor::RegisterHandler(std::string type, WebhookHandler handler) {
  auto shared = std::make_shared<const WebhookHandler>(std::move(handler));
  {
    const MutexLock lock(mutex_);
    // Swapped, so that the old handler is destroyed without the lock.
    handlers_[type].swap(shared);
  }
  if (options_.replay_on_register_max == 0) return;
  const auto replayed = ReplayUnhandledOf(type, options_.replay_on_register_max);
  if (!replayed) AfterStoreError(replayed.error());
}

WebhookProcessed WebhookProcessor::ProcessNow(const WebhookKey& key) {
  auto claimed = ClaimForDelivery(key);
  if (!claimed) return AfterStoreError(claimed.error());
  if (!*claimed) return Unclaimable(key);
  bool working = false;
  {
    const MutexLock lock(mutex_);
    working = working_;
  }
  return Process(**claimed, working ? Mode::kQueued : Mode::kInline);
}

Result<std::optional<WebhookLease>> WebhookProcessor::ClaimForDelivery(const WebhookKey& key) {
  const SystemTime now = runtime_.clock.SystemNow();
  UNDERSTUDY_ASSIGN_OR_RETURN(auto claimed, store_.Claim(key, now, options_.lease));
  if (claimed) return claimed;
  UNDERSTUDY_ASSIGN_OR_RETURN(const auto record, store_.Find(key));
  const bool revivable = record && record->status == WebhookStatus::kUnhandled &&
                         FindHandler(record->event.type) != nullptr;
  if (!revivable) return claimed;
  const auto revived = store_.Revive(key, now);
  // kNotFound: somebody else was faster, which the claim will tell.
  if (!revived && revived.error().code != ErrorCode::kNotFound) return revived.error();
  return store_.Claim(key, now, options_.lease);
}

WebhookProcessed WebhookProcessor::Unclaimable(const WebhookKey& key) {
  const auto found = store_.Find(key);
  if (!found) return AfterStoreError(found.error());
  if (!*found) return {WebhookOutcome::kStorageFailed, {}};
  const WebhookRecord& record = **found;
  const SystemTime now = runtime_.clock.SystemNow();
  const auto until = [&](SystemTime time) {
    return std::optional(std::max(Duration(time - now), Duration::zero()));
  };
  switch (record.status) {
    case WebhookStatus::kPending:
      return {WebhookOutcome::kDeferred, until(record.not_before)};
    case WebhookStatus::kProcessing:
      return {WebhookOutcome::kBusy, until(record.lease_until)};
    case WebhookStatus::kCompleted:
      return {WebhookOutcome::kDuplicate, {}};
    case WebhookStatus::kDead:
      return {WebhookOutcome::kDead, {}};
    case WebhookStatus::kUnhandled:
      return {WebhookOutcome::kUnhandled, {}};
  }
  return {WebhookOutcome::kStorageFailed, {}};
}

WebhookProcessed WebhookProcessor::Process(const WebhookLease& lease, Mode mode) {
  const auto handler = FindHandler(lease.event.type);
  if (!handler) {
    if (const auto parked = store_.Park(lease); !parked) return AfterStoreError(parked.error());
    PublishProcessed(lease, WebhookOutcome::kUnhandled, {});
    return {WebhookOutcome::kUnhandled, {}};
  }
  if (mode == Mode::kQueued && lease.attempt > options_.attempts_max) {
    // Its handler has never come to an end: it takes the process down with it.
    return GiveBack(lease,
                    Error{.code = ErrorCode::kInternal,
                          .message = "the handler never finished",
                          .reason = "attempts"},
                    mode);
  }
  const Attempt attempt = RunHandler(lease, *handler);
  if (attempt.committed) {
    if (options_.on_completed) options_.on_completed(lease.event, attempt.effects);
    PublishProcessed(lease, WebhookOutcome::kCompleted, {});
    return {WebhookOutcome::kCompleted, {}};
  }
  const Error& error = attempt.committed.error();
  // A conflict leaves the claim in place; nothing was wrong with the event.
  const bool conflict = !attempt.handler_failed && error.reason == "conflict";
  if (attempt.handler_failed || conflict) return GiveBack(lease, error, mode);
  return AfterStoreError(error);
}

WebhookProcessor::Attempt WebhookProcessor::RunHandler(const WebhookLease& lease,
                                                       const WebhookHandler& handler) {
  Attempt attempt;
  for (int run = 1; run <= kConflictRunsMax; ++run) {
    attempt.handler_failed = false;
    attempt.effects.clear();
    attempt.committed = store_.Complete(lease, [&](WebhookTransaction& inner) {
      RecordingTransaction transaction(inner, attempt.effects);
      Result<void> handled = CallHandler(handler, lease.event, transaction);
      attempt.handler_failed = !handled;
      return handled;
    });
    const bool conflict = !attempt.committed && !attempt.handler_failed &&
                          attempt.committed.error().reason == "conflict";
    if (!conflict) break;
  }
  return attempt;
}

WebhookProcessed WebhookProcessor::GiveBack(const WebhookLease& lease, const Error& error,
                                            Mode mode) {
  const SystemTime now = runtime_.clock.SystemNow();
  const std::string text = Sanitised(error);
  Duration pause = Duration::zero();
  bool dead = false;
  Result<void> given;
  if (mode == Mode::kInline && IsNotReady(error)) {
    given = store_.Release(lease, now, text);
  } else {
    dead = lease.attempt >= options_.attempts_max;
    if (mode == Mode::kQueued) pause = Backoff(lease.attempt);
    if (error.retry_after)
      pause = std::max(pause, std::min(*error.retry_after, options_.backoff_max));
    given = store_.Fail(lease, dead ? std::nullopt : std::optional(now + pause), text);
  }
  if (!given) return AfterStoreError(given.error());
  const WebhookOutcome outcome = dead ? WebhookOutcome::kDead : WebhookOutcome::kDeferred;
  PublishProcessed(lease, outcome, text);
  if (dead) {
    runtime_.logger.Log(LogLevel::kError, "webhook",
                        "an event is dead after " + std::to_string(lease.attempt) +
                            " attempts: " + text + "; replay it when the cause is gone");
    return {outcome, {}};
  }
  return {outcome, pause > Duration::zero() ? std::optional(pause) : std::nullopt};
}

WebhookProcessed WebhookProcessor::AfterStoreError(const Error& error) const {
  if (error.reason == "lease-lost") return {WebhookOutcome::kBusy, {}};
  runtime_.logger.Log(LogLevel::kError, "webhook", "the store failed: " + error.ToString());
  return {WebhookOutcome::kStorageFailed, {}};
}

Duration WebhookProcessor::Backoff(int attempt) {
  const Duration::rep factor = Duration::rep{1} << std::clamp(attempt - 1, 0, 30);
  const Duration full = options_.backoff_min > options_.backoff_max / factor
                            ? options_.backoff_max
                            : options_.backoff_min * factor;
  const double part = runtime_.random.UnitInterval("webhook/backoff");
  const std::chrono::duration<double, std::nano> half = full / 2;
  return full / 2 + std::chrono::duration_cast<Duration>(half * part);
}

void WebhookProcessor::PublishProcessed(const WebhookLease& lease, WebhookOutcome outcome,
                                        std::string_view reason) {
  runtime_.events.Publish("webhook.processed", {{"provider", lease.event.key.provider},
                                                {"event_id", lease.event.key.event_id},
                                                {"type", lease.event.type},
                                                {"outcome", ToString(outcome)},
                                                {"attempt", lease.attempt},
                                                {"reason", reason}});
}

std::shared_ptr<const WebhookHandler> WebhookProcessor::FindHandler(const std::string& type) {
  const MutexLock lock(mutex_);
  auto found = handlers_.find(type);
  if (found == handlers_.end()) found = handlers_.find(std::string(kAnyType));
  return found == handlers_.end() ? nullptr : found->second;
}

void WebhookProcessor::Start() {
  if (!workers_.empty()) return;
  {
    const MutexLock lock(mutex_);
    working_ = true;
  }
  for (int i = 0; i < options_.workers; ++i) {
    workers_.push_back(
        runtime_.executor.Spawn("webhook worker " + std::to_string(i + 1),
                                [this](const std::stop_token& stop) { Work(stop); }));
  }
}

void WebhookProcessor::Stop() {
  // All first, so that they end side by side.
  for (Task& worker : workers_) worker.RequestStop();
  workers_.clear();
  const MutexLock lock(mutex_);
  working_ = false;
}

void WebhookProcessor::Notify() {
  {
    const MutexLock lock(mutex_);
    ++notifications_;
  }
  notified_.NotifyAll();
}

void WebhookProcessor::Work(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    // Read before the look into the store, so that a notification after it is not missed.
    const std::uint64_t seen = Notifications();
    const auto claimed = store_.ClaimNext(runtime_.clock.SystemNow(), options_.lease);
    if (!claimed) {
      AfterStoreError(claimed.error());
      runtime_.clock.SleepUntil(SaturatingAdd(runtime_.clock.Now(), kPauseAfterStoreError), stop);
    } else if (*claimed) {
      Process(**claimed, Mode::kQueued);
    } else {
      AwaitWork(seen, stop);
    }
  }
}

void WebhookProcessor::AwaitWork(std::uint64_t seen, const std::stop_token& stop) {
  Duration pause = options_.poll_max;
  if (const auto due = store_.NextDue(); due && *due) {
    pause = std::clamp(Duration(**due - runtime_.clock.SystemNow()), kPollMin, options_.poll_max);
  }
  const TimePoint wake_at = SaturatingAdd(runtime_.clock.Now(), pause);
  // Declared before the lock, so that its destructor, which waits for a running callback, runs
  // without it.
  const std::stop_callback wake(stop, [this] {
    const MutexLock lock(mutex_);
    notified_.NotifyAll();
  });
  const MutexLock lock(mutex_);
  runtime_.clock.AwaitUntil(mutex_, notified_, wake_at, [&]() REQUIRES(mutex_) {
    return notifications_ != seen || stop.stop_requested();
  });
}

std::uint64_t WebhookProcessor::Notifications() {
  const MutexLock lock(mutex_);
  return notifications_;
}

Result<std::vector<WebhookRecord>> WebhookProcessor::DeadEvents(std::size_t limit) {
  return store_.List(WebhookStatus::kDead, limit);
}

Result<void> WebhookProcessor::Replay(const WebhookKey& key) {
  UNDERSTUDY_RETURN_IF_ERROR(store_.Revive(key, runtime_.clock.SystemNow()));
  Notify();
  return {};
}

Result<std::vector<WebhookRecord>> WebhookProcessor::UnhandledEvents(std::size_t limit) {
  return store_.List(WebhookStatus::kUnhandled, limit);
}

Result<std::size_t> WebhookProcessor::ReplayDead(std::size_t limit) {
  UNDERSTUDY_ASSIGN_OR_RETURN(const auto dead, store_.List(WebhookStatus::kDead, limit));
  std::size_t replayed = 0;
  for (const WebhookRecord& record : dead) {
    const auto revived = store_.Revive(record.event.key, runtime_.clock.SystemNow());
    if (revived) ++replayed;
    // kNotFound: somebody else has replayed it.
    if (!revived && revived.error().code != ErrorCode::kNotFound) return revived.error();
  }
  if (replayed > 0) Notify();
  return replayed;
}

Result<std::size_t> WebhookProcessor::ReplayUnhandledOf(std::string_view type, std::size_t limit) {
  const auto filter = type == kAnyType ? std::nullopt : std::optional(type);
  UNDERSTUDY_ASSIGN_OR_RETURN(const std::size_t replayed,
                              store_.ReviveUnhandled(filter, runtime_.clock.SystemNow(), limit));
  if (replayed > 0) Notify();
  return replayed;
}

Result<std::size_t> WebhookProcessor::ReplayUnhandled(std::size_t limit) {
  std::vector<std::string> types;
  {
    const MutexLock lock(mutex_);
    for (const auto& [type, handler] : handlers_) types.push_back(type);
  }
  std::size_t replayed = 0;
  for (const std::string& type : types) {
    if (replayed >= limit) break;
    UNDERSTUDY_ASSIGN_OR_RETURN(const std::size_t more, ReplayUnhandledOf(type, limit - replayed));
    replayed += more;
  }
  return replayed;
}

}  // namespace understudy
