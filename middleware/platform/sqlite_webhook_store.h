// SqliteWebhookStore: webhook events and their effects in one SQLite file; the embedded default.
//
//   UNDERSTUDY_ASSIGN_OR_RETURN(auto store, SqliteWebhookStore::Open("/var/lib/app/webhooks.db"));
//
// Several threads, store objects and processes on one machine may use the same file: claims are one
// compare-and-swap UPDATE, and leases are fenced. Not for network file systems
// (sqlite.org/wal.html). The file grows with the events kept.
//
// Durability: an Insert, Complete or Revive that returns success has been synced to the disk
// (write-ahead log, synchronous=FULL); concurrent Inserts and Completes share one sync. A claim
// that is given, given back or parked survives a crash of the process, but may be undone by a loss
// of power, as if it had not happened: no worker outlives that.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "middleware/base/mutex.h"
#include "middleware/platform/group_commit.h"
#include "middleware/store/webhook_store.h"

namespace understudy {

// What a successful call survives: kPowerLoss syncs the disk at each commit; kProcessCrash leaves
// that to the operating system, and may lose the last events when the machine loses power.
enum class SqliteDurability { kPowerLoss, kProcessCrash };

struct SqliteWebhookStoreOptions {
  SqliteDurability durability = SqliteDurability::kPowerLoss;
  // How long a call may wait for another connection's write before it fails with kStorage "busy".
  Duration busy_timeout = std::chrono::seconds(5);
  // The file grows to at most so many bytes (whole pages of 4096; the write-ahead log beside it
  // comes on top); then calls that write fail with kStorage "full". 0: no bound but the disk's.
  std::int64_t file_bytes_max = 0;
};

// Thread-safe. Calls block for disk I/O and up to busy_timeout; do not call them with a Mutex held
// (Insert and Complete check it).
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
  Result<std::size_t> ReviveUnhandled(std::optional<std::string_view> type, SystemTime now,
                                      std::size_t limit) override;
  Result<std::optional<WebhookRecord>> Find(const WebhookKey& key) override;
  Result<std::vector<WebhookRecord>> List(WebhookStatus status, std::size_t limit) override;
  Result<std::optional<std::string>> GetEffect(std::string_view key) override;
  Result<std::optional<SystemTime>> NextDue() override;

 private:
  class Database;
  class Transaction;
  struct Job;

  SqliteWebhookStore(std::unique_ptr<Database> database, std::unique_ptr<Database> checkpointer);

  void CommitTogether(std::span<Job* const> jobs);
  // One transaction for all; false if it failed, with the error in each job.
  bool TryTogether(std::span<Job* const> jobs) REQUIRES(mutex_);
  Result<void> GiveBack(const WebhookLease& lease, WebhookStatus status,
                        std::optional<SystemTime> due_at, int uncounted_attempts,
                        std::optional<std::string_view> error);
  // Moves a long write-ahead log to the file, mostly beside the other callers.
  void CheckpointIfDue();

  // Held during SQLite calls, never during a handler's work.
  Mutex mutex_;
  const std::unique_ptr<Database> database_;  // Used with mutex_ held.
  internal::GroupCommit<Job> group_;

  const std::unique_ptr<Database> checkpointer_;  // Used by who has set checkpointing_.
  std::atomic<bool> checkpointing_ = false;
  std::atomic<int> checkpoint_at_pages_;
};

}  // namespace understudy
