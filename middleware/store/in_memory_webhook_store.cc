#include "middleware/store/in_memory_webhook_store.h"

#include <algorithm>

namespace understudy {
namespace {

Error StorageError(std::string message, std::string reason) {
  return Error{
      .code = ErrorCode::kStorage, .message = std::move(message), .reason = std::move(reason)};
}

Error LeaseLost() {
  return StorageError("the lease on the event is over and somebody else has it; drop this result",
                      "lease-lost");
}

// Saturates: a lease that long never ends.
SystemTime AddSaturating(SystemTime time, Duration duration) {
  if (duration > Duration::zero() && time > SystemTime::max() - duration) return SystemTime::max();
  return time + duration;
}

}  // namespace

// Buffers writes and remembers what it has read, for the check at commit.
class InMemoryWebhookStore::Transaction final : public WebhookTransaction {
 public:
  explicit Transaction(InMemoryWebhookStore& store) : store_(store) {}

  Result<std::optional<std::string>> Get(std::string_view key) override {
    if (const auto own = writes_.find(key); own != writes_.end()) return std::optional(own->second);
    const MutexLock lock(store_.mutex_);
    const auto found = store_.effects_.find(key);
    const bool there = found != store_.effects_.end();
    reads_.emplace(key, there ? found->second.version : 0);
    if (!there) return std::optional<std::string>();
    return std::optional(found->second.value);
  }

  Result<void> Put(std::string_view key, std::string_view value) override {
    writes_.insert_or_assign(std::string(key), std::string(value));
    return {};
  }

  // Key and version of the first read of each.
  const std::map<std::string, std::uint64_t, std::less<>>& reads() const { return reads_; }
  const std::map<std::string, std::string, std::less<>>& writes() const { return writes_; }

 private:
  InMemoryWebhookStore& store_;
  std::map<std::string, std::uint64_t, std::less<>> reads_;
  std::map<std::string, std::string, std::less<>> writes_;
};

InMemoryWebhookStore::InMemoryWebhookStore(InMemoryWebhookStoreOptions options)
    : options_(std::move(options)) {}

Result<WebhookStore::Inserted> InMemoryWebhookStore::Insert(const WebhookEvent& event) {
  if (event.key.provider.empty() || event.key.event_id.empty()) {
    return InvalidArgument("a webhook event needs a provider and an event id");
  }
  {
    const MutexLock lock(mutex_);
    if (const auto found = rows_.find(event.key); found != rows_.end()) {
      return Inserted{InsertOutcome::kDuplicate, found->second.record.status};
    }
    if (rows_.size() >= options_.events_max) {
      return StorageError("the in-memory webhook store is full; raise events_max", "full");
    }
    Row& row = rows_[event.key];
    row.sequence = ++sequence_;
    row.record.event = event;
    row.record.not_before = event.received_at;
    by_sequence_[row.sequence] = &row;
    due_.emplace(event.received_at, row.sequence);
  }
  Announce("insert");
  return Inserted{InsertOutcome::kInserted, WebhookStatus::kPending};
}

Result<std::optional<WebhookLease>> InMemoryWebhookStore::Claim(const WebhookKey& key,
                                                                SystemTime now, Duration lease) {
  std::optional<WebhookLease> claimed;
  {
    const MutexLock lock(mutex_);
    const auto found = rows_.find(key);
    if (found == rows_.end()) return claimed;
    const auto due = DueAt(found->second.record);
    if (!due || *due > now) return claimed;
    claimed = ClaimRow(found->second, now, lease);
  }
  Announce("claim");
  return claimed;
}

Result<std::optional<WebhookLease>> InMemoryWebhookStore::ClaimNext(SystemTime now,
                                                                    Duration lease) {
  std::optional<WebhookLease> claimed;
  {
    const MutexLock lock(mutex_);
    if (due_.empty() || due_.begin()->first > now) return claimed;
    claimed = ClaimRow(*by_sequence_.at(due_.begin()->second), now, lease);
  }
  Announce("claim");
  return claimed;
}

Result<void> InMemoryWebhookStore::Complete(const WebhookLease& lease,
                                            FunctionRef<Result<void>(WebhookTransaction&)> work) {
  {
    const MutexLock lock(mutex_);
    if (FindLeased(lease) == nullptr) return LeaseLost();
  }
  Transaction transaction(*this);
  UNDERSTUDY_RETURN_IF_ERROR(work(transaction));
  UNDERSTUDY_RETURN_IF_ERROR(Commit(lease, transaction));
  Announce("complete");
  return {};
}

Result<void> InMemoryWebhookStore::Commit(const WebhookLease& lease,
                                          const Transaction& transaction) {
  const MutexLock lock(mutex_);
  Row* row = FindLeased(lease);
  if (row == nullptr) return LeaseLost();
  for (const auto& [key, version] : transaction.reads()) {
    const auto found = effects_.find(key);
    if ((found == effects_.end() ? 0 : found->second.version) != version) {
      return StorageError("another transaction changed a value that the handler has read",
                          "conflict");
    }
  }
  const auto is_new = [&](const auto& write)
                          REQUIRES(mutex_) { return effects_.find(write.first) == effects_.end(); };
  const auto added =
      std::count_if(transaction.writes().begin(), transaction.writes().end(), is_new);
  if (effects_.size() + static_cast<std::size_t>(added) > options_.effects_max) {
    return StorageError("the in-memory webhook store is full; raise effects_max", "full");
  }
  for (const auto& [key, value] : transaction.writes()) {
    Effect& effect = effects_[key];
    effect.value = value;
    ++effect.version;
  }
  Update(*row, [](WebhookRecord& record) {
    record.status = WebhookStatus::kCompleted;
    record.last_error.clear();
  });
  return {};
}

Result<void> InMemoryWebhookStore::Fail(const WebhookLease& lease,
                                        std::optional<SystemTime> retry_at,
                                        std::string_view error) {
  const auto change = [&](WebhookRecord& record) {
    record.status = retry_at ? WebhookStatus::kPending : WebhookStatus::kDead;
    record.not_before = retry_at.value_or(record.not_before);
    record.last_error = error;
  };
  return GiveBack(lease, change, "fail");
}

Result<void> InMemoryWebhookStore::Release(const WebhookLease& lease, SystemTime retry_at,
                                           std::string_view why) {
  const auto change = [&](WebhookRecord& record) {
    record.status = WebhookStatus::kPending;
    record.not_before = retry_at;
    record.last_error = why;
    --record.attempts;
  };
  return GiveBack(lease, change, "release");
}

Result<void> InMemoryWebhookStore::Park(const WebhookLease& lease) {
  const auto change = [](WebhookRecord& record) { record.status = WebhookStatus::kUnhandled; };
  return GiveBack(lease, change, "park");
}

Result<void> InMemoryWebhookStore::Revive(const WebhookKey& key, SystemTime now) {
  {
    const MutexLock lock(mutex_);
    const auto found = rows_.find(key);
    const bool revivable =
        found != rows_.end() && (found->second.record.status == WebhookStatus::kDead ||
                                 found->second.record.status == WebhookStatus::kUnhandled);
    if (!revivable) {
      return Error{.code = ErrorCode::kNotFound,
                   .message = "no dead or unhandled webhook event has this key"};
    }
    Update(found->second, [&](WebhookRecord& record) {
      record.status = WebhookStatus::kPending;
      record.attempts = 0;
      record.not_before = now;
    });
  }
  Announce("revive");
  return {};
}

Result<std::size_t> InMemoryWebhookStore::ReviveUnhandled(std::optional<std::string_view> type,
                                                          SystemTime now, std::size_t limit) {
  std::size_t revived = 0;
  {
    const MutexLock lock(mutex_);
    for (const auto& [sequence, row] : by_sequence_) {
      if (revived >= limit) break;
      const bool chosen = row->record.status == WebhookStatus::kUnhandled &&
                          (!type || row->record.event.type == *type);
      if (!chosen) continue;
      Update(*row, [&](WebhookRecord& record) {
        record.status = WebhookStatus::kPending;
        record.attempts = 0;
        record.not_before = now;
      });
      ++revived;
    }
  }
  if (revived > 0) Announce("revive");
  return revived;
}

Result<std::optional<WebhookRecord>> InMemoryWebhookStore::Find(const WebhookKey& key) {
  const MutexLock lock(mutex_);
  const auto found = rows_.find(key);
  if (found == rows_.end()) return std::optional<WebhookRecord>();
  return std::optional(found->second.record);
}

Result<std::vector<WebhookRecord>> InMemoryWebhookStore::List(WebhookStatus status,
                                                              std::size_t limit) {
  std::vector<WebhookRecord> records;
  const MutexLock lock(mutex_);
  for (const auto& [sequence, row] : by_sequence_) {
    if (records.size() >= limit) break;
    if (row->record.status == status) records.push_back(row->record);
  }
  return records;
}

Result<std::optional<std::string>> InMemoryWebhookStore::GetEffect(std::string_view key) {
  const MutexLock lock(mutex_);
  const auto found = effects_.find(key);
  if (found == effects_.end()) return std::optional<std::string>();
  return std::optional(found->second.value);
}

Result<std::optional<SystemTime>> InMemoryWebhookStore::NextDue() {
  const MutexLock lock(mutex_);
  if (due_.empty()) return std::optional<SystemTime>();
  return std::optional(due_.begin()->first);
}

std::optional<SystemTime> InMemoryWebhookStore::DueAt(const WebhookRecord& record) {
  if (record.status == WebhookStatus::kPending) return record.not_before;
  if (record.status == WebhookStatus::kProcessing) return record.lease_until;
  return std::nullopt;
}

WebhookLease InMemoryWebhookStore::ClaimRow(Row& row, SystemTime now, Duration lease) {
  Update(row, [&](WebhookRecord& record) {
    record.status = WebhookStatus::kProcessing;
    record.lease_until = AddSaturating(now, lease);
    ++record.attempts;
  });
  ++row.fence;
  return WebhookLease{row.record.event, row.record.attempts, row.fence, row.record.lease_until};
}

void InMemoryWebhookStore::Update(Row& row, FunctionRef<void(WebhookRecord&)> change) {
  if (const auto due = DueAt(row.record)) due_.erase({*due, row.sequence});
  change(row.record);
  if (const auto due = DueAt(row.record)) due_.emplace(*due, row.sequence);
}

InMemoryWebhookStore::Row* InMemoryWebhookStore::FindLeased(const WebhookLease& lease) {
  const auto found = rows_.find(lease.event.key);
  if (found == rows_.end()) return nullptr;
  Row& row = found->second;
  const bool held = row.record.status == WebhookStatus::kProcessing && row.fence == lease.fence;
  return held ? &row : nullptr;
}

Result<void> InMemoryWebhookStore::GiveBack(const WebhookLease& lease,
                                            FunctionRef<void(WebhookRecord&)> change,
                                            std::string_view op) {
  {
    const MutexLock lock(mutex_);
    Row* row = FindLeased(lease);
    if (row == nullptr) return LeaseLost();
    Update(*row, change);
  }
  Announce(op);
  return {};
}

void InMemoryWebhookStore::Announce(std::string_view op) const {
  if (options_.on_commit) options_.on_commit(op);
}

}  // namespace understudy
