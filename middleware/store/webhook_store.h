// WebhookStore: what must survive a restart so that each webhook event takes effect exactly once.
//
// States of an event:
//
//   Insert ─► kPending ─Claim─► kProcessing ─Complete─► kCompleted
//                ▲                   │ ├─Fail(retry_at)─► kPending      (handler failed or is not
//                ready) │                   │ ├─Fail(nullopt)──► kDead         (attempts used up;
//                kept, can be replayed) │                   │ └─Park───────────► kUnhandled    (no
//                handler; kept, replayable when one appears) └── lease expired ──┘ Revive: kDead |
//                kUnhandled ─► kPending
//
// A claim is a lease with a fencing token: after the lease has expired and somebody else has
// claimed the event, every call with the old lease fails, so a worker that was merely slow cannot
// commit. A duplicate is a return value of Insert, never a state.
//
// Thread-safe. Calls may block for the store's I/O, never for long: implementations bound it and
// return kStorage. Times are wall-clock times given by the caller; stores read no clock.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "middleware/base/function_ref.h"
#include "middleware/base/result.h"
#include "middleware/base/time.h"

namespace understudy {

enum class WebhookStatus { kPending, kProcessing, kCompleted, kDead, kUnhandled };

std::string_view ToString(WebhookStatus status);

// Identity of an event: unique per provider and account. All three are non-empty but `account`,
// which may be.
struct WebhookKey {
  std::string provider = {};
  std::string account = {};
  std::string event_id = {};

  auto operator<=>(const WebhookKey&) const = default;  // NOLINT(modernize-use-nullptr)
};

struct WebhookEvent {
  WebhookKey key = {};
  std::string type = {};     // Vendor's event type, e.g. "order.paid"; may be empty.
  std::string payload = {};  // Exact bytes as received.
  SystemTime received_at = {};
};

struct WebhookRecord {
  WebhookEvent event = {};
  WebhookStatus status = WebhookStatus::kPending;
  int attempts = 0;             // Claims so far.
  SystemTime not_before = {};   // Pending: not claimable earlier.
  SystemTime lease_until = {};  // Processing only.
  std::string last_error = {};  // Sanitised by the processor; no payload, no secrets.
};

// The right to process an event until `until`.
struct WebhookLease {
  WebhookEvent event = {};
  int attempt = 1;         // This is the n-th claim.
  std::int64_t fence = 0;  // Grows with every claim of the event.
  SystemTime until = {};
};

// Durable effects of a handler, written in the same transaction as the event's completion: keys and
// values in a namespace of the store. Reads see committed values and this transaction's own writes.
class WebhookTransaction {
 public:
  virtual ~WebhookTransaction() = default;
  virtual Result<std::optional<std::string>> Get(std::string_view key) = 0;
  virtual Result<void> Put(std::string_view key, std::string_view value) = 0;
};

enum class InsertOutcome { kInserted, kDuplicate };

class WebhookStore {
 public:
  virtual ~WebhookStore() = default;

  // Stores the event unless one with its key exists. Durable when it returns kInserted. For a
  // duplicate the existing record is left as it is. kInvalidArgument for an empty provider or event
  // id: they would swallow other events.
  struct Inserted {
    InsertOutcome outcome = InsertOutcome::kInserted;
    WebhookStatus status = WebhookStatus::kPending;  // The stored event's state now.
  };
  virtual Result<Inserted> Insert(const WebhookEvent& event) = 0;

  // Claims this event if it is pending and due, or processing with an expired lease. nullopt if it
  // is neither.
  virtual Result<std::optional<WebhookLease>> Claim(const WebhookKey& key, SystemTime now,
                                                    Duration lease) = 0;

  // Claims the event that has been due for longest (kPending and due, or lease expired), if there
  // is one.
  virtual Result<std::optional<WebhookLease>> ClaimNext(SystemTime now, Duration lease) = 0;

  // Runs `work` in a transaction and, if it succeeds, marks the event completed in that same
  // transaction. The lease is checked first and again at commit: kStorage with reason "lease-lost"
  // and no effect if somebody else has claimed the event since. If `work` fails, nothing is written
  // and its error is returned; the event stays claimed (call Fail).
  virtual Result<void> Complete(const WebhookLease& lease,
                                FunctionRef<Result<void>(WebhookTransaction&)> work) = 0;

  // Gives the event back: claimable again at `retry_at`, or dead without one. Same lease rule.
  virtual Result<void> Fail(const WebhookLease& lease, std::optional<SystemTime> retry_at,
                            std::string_view error) = 0;

  // Gives the event back as Fail does, but the claim does not count as an attempt: the handler is
  // not ready, nothing failed. A store that cannot uncount a claim may leave this default. Same
  // lease rule.
  virtual Result<void> Release(const WebhookLease& lease, SystemTime retry_at,
                               std::string_view why) {
    return Fail(lease, retry_at, why);
  }

  // Keeps the event as kUnhandled. Same lease rule.
  virtual Result<void> Park(const WebhookLease& lease) = 0;

  // Makes a dead or unhandled event pending and due again, attempts counted from 0. kNotFound for
  // others.
  virtual Result<void> Revive(const WebhookKey& key, SystemTime now) = 0;

  // Revives at most `limit` unhandled events of that type, of every type for nullopt, oldest first;
  // returns how many.
  virtual Result<std::size_t> ReviveUnhandled(std::optional<std::string_view> type, SystemTime now,
                                              std::size_t limit) = 0;

  virtual Result<std::optional<WebhookRecord>> Find(const WebhookKey& key) = 0;
  // At most `limit` records of that state, oldest first.
  virtual Result<std::vector<WebhookRecord>> List(WebhookStatus status, std::size_t limit) = 0;

  // A committed value written by a handler's transaction.
  virtual Result<std::optional<std::string>> GetEffect(std::string_view key) = 0;

  // Earliest time at which ClaimNext could return something, if any; lets a worker sleep.
  virtual Result<std::optional<SystemTime>> NextDue() = 0;
};

}  // namespace understudy
