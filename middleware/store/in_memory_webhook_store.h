// InMemoryWebhookStore: a WebhookStore in this process's memory, for tests, simulation and programs
// that may forget.
//
//   InMemoryWebhookStore store({.events_max = 10'000});
//
// It keeps the whole contract of WebhookStore but survival of the process. Under simulation it
// outlives a simulated crash of the receiver, and `on_commit` marks the points at which such a
// crash can happen.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "middleware/base/mutex.h"
#include "middleware/store/webhook_store.h"

namespace understudy {

struct InMemoryWebhookStoreOptions {
  // Insert of one more fails with kStorage, reason "full". Completed events count: forgetting one
  // would let its duplicate take effect.
  std::size_t events_max = 1'000'000;
  // Distinct effect keys; a Complete that needs more fails with kStorage, reason "full", and has no
  // effect.
  std::size_t effects_max = 1'000'000;
  // Called after each change has become visible, without a lock, on the changing thread. `op` is
  // "insert", "claim", "complete", "fail", "release", "park" or "revive". May call the store. Must
  // not throw.
  std::function<void(std::string_view op)> on_commit = {};
};

// Thread-safe. Never blocks: Complete runs `work` without a lock, so that it may wait. Transactions
// are optimistic: if a value that `work` has read was changed by another transaction meanwhile,
// Complete fails with kStorage, reason "conflict", nothing is written, the event stays claimed, and
// the caller may call Complete again.
class InMemoryWebhookStore final : public WebhookStore {
 public:
  explicit InMemoryWebhookStore(InMemoryWebhookStoreOptions options = {});

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

  struct Row {
    WebhookRecord record = {};
    std::int64_t fence = 0;
    std::uint64_t sequence = 0;  // Order of insertion.
  };
  struct Effect {
    std::string value = {};
    std::uint64_t version = 0;  // Grows with every write; 0 is "not there".
  };
  using Rows = std::map<WebhookKey, Row>;

  // When ClaimNext may take the row; nullopt if never.
  static std::optional<SystemTime> DueAt(const WebhookRecord& record);

  WebhookLease ClaimRow(Row& row, SystemTime now, Duration lease) REQUIRES(mutex_);
  // Changes status and times of a row through `change`, keeping the index of due rows.
  void Update(Row& row, FunctionRef<void(WebhookRecord&)> change) REQUIRES(mutex_);
  Row* FindLeased(const WebhookLease& lease) REQUIRES(mutex_);
  Result<void> GiveBack(const WebhookLease& lease, FunctionRef<void(WebhookRecord&)> change,
                        std::string_view op) EXCLUDES(mutex_);
  Result<void> Commit(const WebhookLease& lease, const Transaction& transaction) EXCLUDES(mutex_);
  void Announce(std::string_view op) const;

  const InMemoryWebhookStoreOptions options_;
  mutable Mutex mutex_;
  Rows rows_ GUARDED_BY(mutex_);
  std::set<std::pair<SystemTime, std::uint64_t>> due_ GUARDED_BY(mutex_);
  std::map<std::uint64_t, Row*> by_sequence_
      GUARDED_BY(mutex_);  // Nodes of rows_ never move or go.
  std::map<std::string, Effect, std::less<>> effects_ GUARDED_BY(mutex_);
  std::uint64_t sequence_ GUARDED_BY(mutex_) = 0;
};

}  // namespace understudy
