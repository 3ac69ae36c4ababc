// PostgresWebhookStore: webhook events and their effects in a PostgreSQL database, for several
// processes and machines.
//
//   UNDERSTUDY_ASSIGN_OR_RETURN(
//       auto store, PostgresWebhookStore::Open("postgresql://app@db/app", {.schema = "webhooks"}));
//
// Any number of receivers and workers in any number of processes may use the same tables:
// ClaimNext is SELECT ... FOR UPDATE SKIP LOCKED, so that workers do not wait for each other, and
// leases are fenced. All of them must have clocks that agree to much less than a lease.
//
// Tables webhook_events and webhook_effects are made and migrated by Open, under an advisory lock
// (see PostgresDatabase::Migrate). The view webhook_events_readable shows the events as text and
// timestamps, for operators.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "middleware/platform/group_commit.h"
#include "middleware/platform/system_clock.h"
#include "middleware/store/webhook_store.h"

namespace understudy {

namespace internal {
class PostgresPool;
}  // namespace internal

struct PostgresWebhookStoreOptions {
  // Where the tables are; made if it does not exist. Empty: the role's search_path.
  std::string schema = {};
  // At least 2: one for the Inserts, which share commits, the others for workers.
  std::size_t connections_max = 4;
  // For making a connection, for each statement and each wait for a lock, and for a free connection
  // of this store; a call may need several of them. At least 1 ms.
  Duration connect_timeout = std::chrono::seconds(5);
  Duration statement_timeout = std::chrono::seconds(5);
};

// Thread-safe. Calls block for the server, within the timeouts; do not call them with a Mutex held.
//
// Durability: a call that returns success has been committed with synchronous_commit = on (what
// that means with standbys is the server's configuration); a session that has it off is switched.
// Concurrent Inserts share one commit.
//
// The work of Complete runs without a connection or lock, as in SqliteWebhookStore: its writes are
// buffered, and committed with the event's completion in one short transaction that checks the
// lease and every value that the work has read; "conflict" if one of them has changed. Transactions
// over the same keys wait for each other there (advisory locks over 256 groups of keys), so that
// they are serializable.
//
// Errors beside those of WebhookStore: kStorage with the reasons of PostgresDatabase: "gone" (no
// server; a Complete or Insert under way may have happened: it will be found completed, or a
// duplicate), "busy", "full", "denied", "read-only", "too-large" (a key of more than 2,600 bytes),
// "corrupt", "schema". Messages hold no payload and no password. kInvalidArgument for options or a
// connection string that make no sense. After a lost connection the next call makes a new one.
class PostgresWebhookStore final : public WebhookStore {
 public:
  // `conninfo` as PostgresDatabase takes it.
  static Result<std::unique_ptr<PostgresWebhookStore>> Open(
      const std::string& conninfo, const PostgresWebhookStoreOptions& options = {});
  ~PostgresWebhookStore() override;
  PostgresWebhookStore(const PostgresWebhookStore&) = delete;
  PostgresWebhookStore& operator=(const PostgresWebhookStore&) = delete;

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
  class Transaction;
  struct Job;

  PostgresWebhookStore();

  void InsertTogether(std::span<Job* const> jobs);
  Result<void> TryTogether(std::span<Job* const> jobs);
  Result<std::optional<WebhookLease>> Claim(const WebhookKey* key, SystemTime now, Duration lease);
  Result<void> CheckLease(const WebhookLease& lease);
  Result<void> Commit(const WebhookLease& lease, const Transaction& transaction);
  Result<void> GiveBack(const WebhookLease& lease, WebhookStatus status,
                        std::optional<SystemTime> due_at, int uncounted_attempts,
                        std::optional<std::string_view> error);

  SystemClock clock_;  // To wait for a connection, which is real I/O and takes real time.
  std::unique_ptr<internal::PostgresPool> pool_;
  internal::GroupCommit<Job> group_;
};

}  // namespace understudy
