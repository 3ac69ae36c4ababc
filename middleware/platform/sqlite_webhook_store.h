// SqliteWebhookStore: webhook events and their effects in one SQLite file; the embedded default.
//
//   UNDERSTUDY_ASSIGN_OR_RETURN(auto store, SqliteWebhookStore::Open("/var/lib/app/webhooks.db"));
//
// Several threads, store objects and processes on one machine may use the same file: claims are one
// compare-and-swap UPDATE, and leases are fenced. Not for network file systems
// (sqlite.org/wal.html). The file grows with the events kept.
//
// Durability: a call that returns success has been synced to the disk (write-ahead log,
// synchronous=FULL). Concurrent Inserts share one sync.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "middleware/base/mutex.h"
#include "middleware/platform/system_clock.h"
#include "middleware/store/webhook_store.h"

namespace understudy {

// What a successful call survives: kPowerLoss syncs the disk at each commit; kProcessCrash leaves
// that to the operating system, and may lose the last events when the machine loses power.
enum class SqliteDurability { kPowerLoss, kProcessCrash };

struct SqliteWebhookStoreOptions {
  SqliteDurability durability = SqliteDurability::kPowerLoss;
  // How long a call may wait for another connection's write before it fails with kStorage "busy".
  Duration busy_timeout = std::chrono::seconds(5);
};

// Thread-safe. Calls block for disk I/O and up to busy_timeout; do not call them with a Mutex held
// (Insert checks it).
//
// The work of Complete runs with no lock held, here or in the file: its writes are buffered, and
// committed with the event's completion in one short transaction that checks the lease and every
// value the work has read. If one of those has changed meanwhile, nothing is written and the call
// fails with kStorage "conflict"; run it again. The work may therefore block, and may call this
// store.
//
// Errors beside those of WebhookStore: kStorage with SQLite's message, never a payload; reasons
// "busy", "full", "corrupt" and "schema" (the file was written by a newer program).
class SqliteWebhookStore final : public WebhookStore {
 public:
  // Opens or creates the file; ":memory:" makes a private store that ends with the object.
  static Result<std::unique_ptr<SqliteWebhookStore>> Open(
      const std::string& path, const SqliteWebhookStoreOptions& options = {});
  ~SqliteWebhookStore() override;
  SqliteWebhookStore(const SqliteWebhookStore&) = delete;
  SqliteWebhookStore& operator=(const SqliteWebhookStore&) = delete;

  Result<Inserted> Insert(const WebhookEvent& event) override;
  Result<std::optional<WebhookLease>> Claim(const WebhookKey& key, SystemTime now,
                                            Duration lease) override;
  Result<std::optional<WebhookLease>> ClaimNext(SystemTime now, Duration lease) override;
  Result<void> Complete(const WebhookLease& lease,
                        FunctionRef<Result<void>(WebhookTransaction&)> work) override;
  Result<void> Fail(const WebhookLease& lease, std::optional<SystemTime> retry_at,
                    std::string_view error) override;
  Result<void> Release(const WebhookLease& lease, SystemTime retry_at,
                       std::string_view why) override;
  Result<void> Park(const WebhookLease& lease) override;
  Result<void> Revive(const WebhookKey& key, SystemTime now) override;
  Result<std::optional<WebhookRecord>> Find(const WebhookKey& key) override;
  Result<std::vector<WebhookRecord>> List(WebhookStatus status, std::size_t limit) override;
  Result<std::optional<std::string>> GetEffect(std::string_view key) override;
  Result<std::optional<SystemTime>> NextDue() override;

 private:
  class Database;
  class Transaction;
  // An Insert that waits for the next shared commit; lives on its caller's stack.
  // Its result is guarded by queue_mutex_.
  struct WaitingInsert {
    const WebhookEvent* event = nullptr;
    std::optional<Result<Inserted>> result = {};
  };

  explicit SqliteWebhookStore(std::unique_ptr<Database> database);

  // One result for each of the batch, in order.
  std::vector<Result<Inserted>> InsertTogether(const std::vector<WaitingInsert*>& batch)
      REQUIRES(mutex_);

  // Held during SQLite calls, never during a handler's work.
  Mutex mutex_;
  const std::unique_ptr<Database> database_;  // Used with mutex_ held.

  // Inserts share commits: one caller commits for all that wait, the next one for those that came
  // meanwhile.
  SystemClock clock_;  // To wait for a commit, which is real I/O and takes real time.
  Mutex queue_mutex_;
  CondVar committed_{"a webhook store's commit"};
  std::vector<WaitingInsert*> queue_ GUARDED_BY(queue_mutex_);
  bool committing_ GUARDED_BY(queue_mutex_) = false;
};

}  // namespace understudy
