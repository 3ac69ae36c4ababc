// WebhookProcessor: gives stored webhook events to their handlers, so that each takes effect
// exactly once.
//
//   WebhookProcessor processor(runtime, store);
//   processor.RegisterHandler("order.paid", [](const WebhookEvent& event, WebhookTransaction&
//   transaction) -> Result<void> {
//     UNDERSTUDY_ASSIGN_OR_RETURN(const auto state, transaction.Get(OrderOf(event)));
//     if (!state) return NotReady("order.created has not arrived yet");
//     return transaction.Put(OrderOf(event), "paid");
//   });
//   processor.Start();     // queued mode; without it only ProcessNow works (inline mode)
//
// What a handler writes through its transaction and the event's completion are committed together,
// or neither. What it does elsewhere (an e-mail, a call to an API) may happen again after a crash:
// pass the event id on as idempotency key.
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
#include <utility>
#include <vector>

#include "middleware/base/mutex.h"
#include "middleware/runtime/runtime.h"
#include "middleware/store/webhook_store.h"

namespace understudy {

// Called from many threads at once, for different events. May block through the Clock, for less
// than the lease. An exception counts as a failure. Its effects must go through the transaction
// (see above). It may run again for the same event, after a failure or if its transaction conflicts
// with another.
using WebhookHandler = std::function<Result<void>(const WebhookEvent&, WebhookTransaction&)>;

// What a handler returns when it has to wait for another event: the event is tried again later. In
// inline mode this does not count as a failed attempt. `why` is for the log only.
Error NotReady(std::string why);

enum class WebhookOutcome {
  kCompleted,      // The handler's effects are committed.
  kDuplicate,      // It was completed before; nothing happened.
  kDeferred,       // The handler failed or is not ready; it will be tried again.
  kBusy,           // Somebody else is processing it now.
  kUnhandled,      // No handler for its type; kept, see ReplayUnhandled.
  kDead,           // Its attempts are used up; kept, see DeadEvents and Replay.
  kStorageFailed,  // The store failed; nothing is known to be committed.
};

std::string_view ToString(WebhookOutcome outcome);  // "completed", "duplicate", ...

struct WebhookProcessed {
  WebhookOutcome outcome = WebhookOutcome::kCompleted;
  std::optional<Duration> retry_after =
      {};  // kDeferred, kBusy: not worth asking again earlier, if known.
};

// Keys and values that a handler wrote, in order.
using WebhookEffects = std::vector<std::pair<std::string, std::string>>;

struct WebhookProcessorOptions {
  // For how long a handler may run. After a crash, the event is processed again when the lease has
  // expired.
  Duration lease = std::chrono::seconds(30);
  // An event whose handler has failed so often is dead. At least 1.
  int attempts_max = 10;
  // Pause after the n-th failure: backoff_min * 2^(n-1), at most backoff_max, the upper half of it
  // random.
  Duration backoff_min = std::chrono::seconds(1);
  Duration backoff_max = std::chrono::hours(1);
  int workers = 1;  // Started by Start; at least 1.
  // A worker looks into the store at least this often, for events that another process has
  // inserted.
  Duration poll_max = std::chrono::seconds(30);
  // RegisterHandler makes at most so many unhandled events of its type due again, so that events
  // which came before their handler was written are processed once it is there. 0: only
  // ReplayUnhandled and the event's next delivery do.
  std::size_t replay_on_register_max = 0;
  // Called after an event's effects are committed, before anybody is told, without a lock, on the
  // processing thread. Not called again if the process dies in between. Must not throw.
  std::function<void(const WebhookEvent&, const WebhookEffects&)> on_completed = {};
};

// Thread-safe, but for Start and Stop (one owner). `store` and the parts of `runtime` are borrowed.
//
// Publishes "webhook.processed" {provider, event_id, type, outcome, attempt, reason} for every run
// of a handler. Errors kept in the store and published are code and reason only: a message may hold
// personal data.
class WebhookProcessor {
 public:
  WebhookProcessor(Runtime runtime, WebhookStore& store, WebhookProcessorOptions options = {});
  ~WebhookProcessor();  // Stops.
  WebhookProcessor(const WebhookProcessor&) = delete;
  WebhookProcessor& operator=(const WebhookProcessor&) = delete;

  // Replaces the handler of that type, if there is one. Events of the type that were parked stay
  // parked until ReplayUnhandled or their next delivery, unless replay_on_register_max says
  // otherwise; then this blocks for the store, whose failure is logged and leaves them parked.
  void RegisterHandler(std::string type, WebhookHandler handler);
  // As the type: the handler for every type that has none of its own.
  static constexpr std::string_view kAnyType = "*";

  // Processes a stored event on this thread and returns when its handler has. After a failure the
  // event is due again at once if no worker runs (the vendor's next delivery is the retry), else
  // after the back-off.
  WebhookProcessed ProcessNow(const WebhookKey& key);

  // Starts the workers, which process every due event, also those of an earlier life of the
  // program. Nothing if they run.
  void Start();
  // Stops them and waits for the handlers that are running. Events keep.
  void Stop();
  // An event was inserted: wakes the workers.
  void Notify();

  // At most `limit` dead events, and unhandled ones, oldest first.
  Result<std::vector<WebhookRecord>> DeadEvents(std::size_t limit);
  Result<std::vector<WebhookRecord>> UnhandledEvents(std::size_t limit);
  // Makes a dead or unhandled event due again, with fresh attempts. kNotFound for others.
  Result<void> Replay(const WebhookKey& key);
  // Replays the oldest `limit` dead events; returns how many.
  Result<std::size_t> ReplayDead(std::size_t limit);
  // Replays at most `limit` unhandled events for which there is a handler now; returns how many.
  Result<std::size_t> ReplayUnhandled(std::size_t limit);

 private:
  enum class Mode { kInline, kQueued };

  // What a run of the handler came to.
  struct Attempt {
    Result<void> committed = {};
    bool handler_failed = false;  // Else the store did.
    WebhookEffects effects = {};
  };

  // Of that type; kAnyType: of every type.
  Result<std::size_t> ReplayUnhandledOf(std::string_view type, std::size_t limit);
  std::shared_ptr<const WebhookHandler> FindHandler(const std::string& type);
  // Claims `key`, reviving it first if it was parked and has a handler now. nullopt if it cannot be
  // claimed.
  Result<std::optional<WebhookLease>> ClaimForDelivery(const WebhookKey& key);
  WebhookProcessed Unclaimable(const WebhookKey& key);
  WebhookProcessed Process(const WebhookLease& lease, Mode mode);
  Attempt RunHandler(const WebhookLease& lease, const WebhookHandler& handler);
  WebhookProcessed GiveBack(const WebhookLease& lease, const Error& error, Mode mode);
  WebhookProcessed AfterStoreError(const Error& error) const;
  Duration Backoff(int attempt);
  void PublishProcessed(const WebhookLease& lease, WebhookOutcome outcome, std::string_view reason);

  void Work(const std::stop_token& stop);
  void AwaitWork(std::uint64_t seen, const std::stop_token& stop);
  std::uint64_t Notifications();

  Runtime runtime_;
  WebhookStore& store_;
  const WebhookProcessorOptions options_;
  std::vector<Task> workers_;  // The owner's.

  Mutex mutex_;
  CondVar notified_{"webhook events"};
  std::map<std::string, std::shared_ptr<const WebhookHandler>> handlers_ GUARDED_BY(mutex_);
  std::uint64_t notifications_ GUARDED_BY(mutex_) = 0;
  bool working_ GUARDED_BY(mutex_) = false;
};

}  // namespace understudy
