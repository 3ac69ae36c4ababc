#include "middleware/platform/sqlite_webhook_store.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <utility>

#include "middleware/base/check.h"
#include "middleware/platform/sqlite_database.h"

namespace understudy {
namespace {

using internal::SqliteDatabase;
using internal::SqliteOptions;
using internal::SqliteQuery;
using Inserted = WebhookStore::Inserted;

// Times are nanoseconds since 1970 (UTC). `due_at` is when the event becomes claimable: a pending
// one's not_before, a processing one's end of lease, NULL for the others. `seq` is the order of
// insertion.
constexpr std::array<const char*, 1> kMigrations = {R"sql(
CREATE TABLE webhook_events (
  seq         INTEGER PRIMARY KEY,
  provider    TEXT    NOT NULL,
  account     TEXT    NOT NULL,
  event_id    TEXT    NOT NULL,
  type        TEXT    NOT NULL,
  payload     BLOB    NOT NULL,
  received_at INTEGER NOT NULL,
  status      INTEGER NOT NULL,  -- 0 pending, 1 processing, 2 completed, 3 dead, 4 unhandled
  attempts    INTEGER NOT NULL DEFAULT 0,
  fence       INTEGER NOT NULL DEFAULT 0,
  due_at      INTEGER,
  last_error  TEXT    NOT NULL DEFAULT '',
  UNIQUE (provider, account, event_id)
);
CREATE INDEX webhook_events_due ON webhook_events (due_at, seq) WHERE due_at IS NOT NULL;
CREATE INDEX webhook_events_status ON webhook_events (status, seq);
CREATE TABLE webhook_effects (
  key     TEXT    PRIMARY KEY,
  value   BLOB    NOT NULL,
  version INTEGER NOT NULL  -- grows with every write
) WITHOUT ROWID;
)sql"};

enum StatementIndex : std::size_t {
  kInsert,
  kStatusOf,
  kClaim,
  kClaimNext,
  kIsLeased,
  kComplete,
  kGiveBack,
  kRevive,
  kReviveUnhandled,
  kFind,
  kList,
  kNextDue,
  kGetEffect,
  kPutEffect,
};

constexpr std::array<const char*, 14> kStatements = {
    // kInsert
    "INSERT INTO webhook_events "
    "(provider, account, event_id, type, payload, received_at, status, due_at) "
    "VALUES (?1, ?2, ?3, ?4, ?5, ?6, 0, ?6) ON CONFLICT (provider, account, event_id) DO NOTHING",
    // kStatusOf
    "SELECT status FROM webhook_events WHERE provider = ? AND account = ? AND event_id = ?",
    // kClaim
    "UPDATE webhook_events SET status = 1, attempts = attempts + 1, fence = fence + 1, due_at = ?1 "
    "WHERE provider = ?2 AND account = ?3 AND event_id = ?4 AND due_at <= ?5 "
    "RETURNING provider, account, event_id, type, payload, received_at, attempts, fence, due_at",
    // kClaimNext
    "UPDATE webhook_events SET status = 1, attempts = attempts + 1, fence = fence + 1, due_at = ?1 "
    "WHERE seq = (SELECT seq FROM webhook_events WHERE due_at <= ?2 ORDER BY due_at, seq LIMIT 1) "
    "RETURNING provider, account, event_id, type, payload, received_at, attempts, fence, due_at",
    // kIsLeased
    "SELECT 1 FROM webhook_events "
    "WHERE provider = ? AND account = ? AND event_id = ? AND status = 1 AND fence = ?",
    // kComplete
    "UPDATE webhook_events SET status = 2, due_at = NULL, last_error = '' "
    "WHERE provider = ? AND account = ? AND event_id = ? AND status = 1 AND fence = ?",
    // kGiveBack
    "UPDATE webhook_events SET status = ?, due_at = ?, attempts = attempts - ?, "
    "last_error = coalesce(?, last_error) "
    "WHERE provider = ? AND account = ? AND event_id = ? AND status = 1 AND fence = ?",
    // kRevive
    "UPDATE webhook_events SET status = 0, attempts = 0, due_at = ? "
    "WHERE provider = ? AND account = ? AND event_id = ? AND status IN (3, 4)",
    // kReviveUnhandled
    "UPDATE webhook_events SET status = 0, attempts = 0, due_at = ?1 WHERE seq IN (SELECT seq FROM "
    "webhook_events WHERE status = 4 AND (?2 IS NULL OR type = ?2) ORDER BY seq LIMIT ?3)",
    // kFind
    "SELECT provider, account, event_id, type, payload, received_at, status, attempts, due_at, "
    "last_error FROM webhook_events WHERE provider = ? AND account = ? AND event_id = ?",
    // kList
    "SELECT provider, account, event_id, type, payload, received_at, status, attempts, due_at, "
    "last_error FROM webhook_events WHERE status = ? ORDER BY seq LIMIT ?",
    // kNextDue
    "SELECT min(due_at) FROM webhook_events WHERE due_at IS NOT NULL",
    // kGetEffect
    "SELECT value, version FROM webhook_effects WHERE key = ?",
    // kPutEffect
    "INSERT INTO webhook_effects (key, value, version) VALUES (?, ?, 1) "
    "ON CONFLICT (key) DO UPDATE SET value = excluded.value, version = version + 1",
};
static_assert(kStatements.size() == kPutEffect + 1, "one text for each index");

// Moving the log's pages to the file takes some syncs, during which commits are slower: seldom
// enough not to be seen in one of a hundred commits, and at most 32 MiB.
constexpr int kCheckpointPages = 8192;

Error LeaseLost() {
  return Error{
      .code = ErrorCode::kStorage,
      .message = "the lease on the event is over and somebody else has it; drop this result",
      .reason = "lease-lost"};
}

Error Conflict() {
  return Error{.code = ErrorCode::kStorage,
               .message = "another transaction changed a value that the handler has read",
               .reason = "conflict"};
}

// Saturates: a lease that long never ends.
SystemTime EndOfLease(SystemTime now, Duration lease) {
  if (lease > Duration::zero() && now > SystemTime::max() - lease) return SystemTime::max();
  return now + lease;
}

// The numbers are stored: they must not change.
std::int64_t ToColumn(WebhookStatus status) {
  switch (status) {
    case WebhookStatus::kPending:
      return 0;
    case WebhookStatus::kProcessing:
      return 1;
    case WebhookStatus::kCompleted:
      return 2;
    case WebhookStatus::kDead:
      return 3;
    case WebhookStatus::kUnhandled:
      return 4;
  }
  return 4;
}

WebhookStatus ToStatus(std::int64_t column) {
  constexpr std::array<WebhookStatus, 5> kInOrder = {
      WebhookStatus::kPending, WebhookStatus::kProcessing, WebhookStatus::kCompleted,
      WebhookStatus::kDead, WebhookStatus::kUnhandled};
  // An unknown number, from a damaged file, is shown to the operator rather than processed.
  if (column < 0 || column >= std::int64_t{kInOrder.size()}) return WebhookStatus::kUnhandled;
  return kInOrder[static_cast<std::size_t>(column)];
}

std::int64_t ToLimit(std::size_t limit) {
  constexpr auto kLimitMax = static_cast<std::size_t>(std::numeric_limits<std::int64_t>::max());
  return static_cast<std::int64_t>(std::min(limit, kLimitMax));
}

void BindKey(SqliteQuery& query, const WebhookKey& key) {
  query.Text(key.provider).Text(key.account).Text(key.event_id);
}

void BindLease(SqliteQuery& query, const WebhookLease& lease) {
  BindKey(query, lease.event.key);
  query.Integer(lease.fence);
}

// Columns 0 to 5 of the statements that return events.
WebhookEvent EventAt(const SqliteQuery& query) {
  return WebhookEvent{{query.BytesAt(0), query.BytesAt(1), query.BytesAt(2)},
                      query.BytesAt(3),
                      query.BytesAt(4),
                      query.TimeAt(5)};
}

WebhookRecord RecordAt(const SqliteQuery& query) {
  WebhookRecord record{.event = EventAt(query),
                       .status = ToStatus(query.IntegerAt(6)),
                       .attempts = static_cast<int>(query.IntegerAt(7)),
                       .last_error = query.BytesAt(9)};
  if (record.status == WebhookStatus::kPending) record.not_before = query.TimeAt(8);
  if (record.status == WebhookStatus::kProcessing) record.lease_until = query.TimeAt(8);
  return record;
}

}  // namespace

// The statements, as functions; the store adds locking and the rules of leases.
class SqliteWebhookStore::Database {
 public:
  struct Effect {
    std::string value = {};
    std::int64_t version = 0;  // 0: there is none.
  };

  explicit Database(SqliteDatabase sqlite) : sqlite_(std::move(sqlite)) {}

  Result<void> InTransaction(FunctionRef<Result<void>()> work) {
    return sqlite_.InTransaction(work);
  }
  Result<void> InUnsyncedTransaction(FunctionRef<Result<void>()> work) {
    return sqlite_.InUnsyncedTransaction(work);
  }
  Result<bool> Checkpoint() { return sqlite_.Checkpoint(); }
  int log_pages() const { return sqlite_.log_pages(); }

  Result<Inserted> Insert(const WebhookEvent& event) {
    {
      SqliteQuery query = sqlite_.Query(kInsert);
      BindKey(query, event.key);
      query.Text(event.type).Blob(event.payload).Time(event.received_at);
      UNDERSTUDY_RETURN_IF_ERROR(query.Run());
    }
    if (sqlite_.changes() > 0) return Inserted{};
    SqliteQuery query = sqlite_.Query(kStatusOf);
    BindKey(query, event.key);
    UNDERSTUDY_RETURN_IF_ERROR(query.Step());
    return Inserted{InsertOutcome::kDuplicate, ToStatus(query.IntegerAt(0))};
  }

  // `key` is null for the event that has been due for longest.
  Result<std::optional<WebhookLease>> Claim(const WebhookKey* key, SystemTime now, Duration lease) {
    std::optional<WebhookLease> claimed;
    UNDERSTUDY_RETURN_IF_ERROR(sqlite_.InUnsyncedTransaction([&]() -> Result<void> {
      UNDERSTUDY_ASSIGN_OR_RETURN(claimed, UpdateClaimed(key, now, lease));
      return {};
    }));
    return claimed;
  }

  Result<std::optional<WebhookLease>> UpdateClaimed(const WebhookKey* key, SystemTime now,
                                                    Duration lease) {
    SqliteQuery query = sqlite_.Query(key != nullptr ? kClaim : kClaimNext);
    query.Time(EndOfLease(now, lease));
    if (key != nullptr) BindKey(query, *key);
    query.Time(now);
    UNDERSTUDY_ASSIGN_OR_RETURN(const bool claimed, query.Step());
    std::optional<WebhookLease> result;
    if (!claimed) return result;
    result = WebhookLease{EventAt(query), static_cast<int>(query.IntegerAt(6)), query.IntegerAt(7),
                          query.TimeAt(8)};
    UNDERSTUDY_RETURN_IF_ERROR(query.Run());
    return result;
  }

  Result<void> CheckLease(const WebhookLease& lease) {
    SqliteQuery query = sqlite_.Query(kIsLeased);
    BindLease(query, lease);
    UNDERSTUDY_ASSIGN_OR_RETURN(const bool leased, query.Step());
    if (!leased) return LeaseLost();
    return {};
  }

  Result<void> MarkCompleted(const WebhookLease& lease) {
    SqliteQuery query = sqlite_.Query(kComplete);
    BindLease(query, lease);
    UNDERSTUDY_RETURN_IF_ERROR(query.Run());
    if (sqlite_.changes() == 0) return LeaseLost();
    return {};
  }

  Result<void> GiveBack(const WebhookLease& lease, WebhookStatus status,
                        std::optional<SystemTime> due_at, int uncounted_attempts,
                        std::optional<std::string_view> error) {
    SqliteQuery query = sqlite_.Query(kGiveBack);
    query.Integer(ToColumn(status));
    due_at ? query.Time(*due_at) : query.Null();
    query.Integer(uncounted_attempts);
    error ? query.Text(*error) : query.Null();
    BindLease(query, lease);
    UNDERSTUDY_RETURN_IF_ERROR(query.Run());
    if (sqlite_.changes() == 0) return LeaseLost();
    return {};
  }

  Result<void> Revive(const WebhookKey& key, SystemTime now) {
    SqliteQuery query = sqlite_.Query(kRevive);
    query.Time(now);
    BindKey(query, key);
    UNDERSTUDY_RETURN_IF_ERROR(query.Run());
    if (sqlite_.changes() > 0) return {};
    return Error{.code = ErrorCode::kNotFound,
                 .message = "no dead or unhandled webhook event has this key"};
  }

  Result<std::size_t> ReviveUnhandled(std::optional<std::string_view> type, SystemTime now,
                                      std::size_t limit) {
    SqliteQuery query = sqlite_.Query(kReviveUnhandled);
    query.Time(now);
    type ? query.Text(*type) : query.Null();
    query.Integer(ToLimit(limit));
    UNDERSTUDY_RETURN_IF_ERROR(query.Run());
    return static_cast<std::size_t>(sqlite_.changes());
  }

  Result<std::optional<WebhookRecord>> Find(const WebhookKey& key) {
    SqliteQuery query = sqlite_.Query(kFind);
    BindKey(query, key);
    UNDERSTUDY_ASSIGN_OR_RETURN(const bool found, query.Step());
    return found ? std::optional(RecordAt(query)) : std::nullopt;
  }

  Result<std::vector<WebhookRecord>> List(WebhookStatus status, std::size_t limit) {
    SqliteQuery query = sqlite_.Query(kList);
    query.Integer(ToColumn(status)).Integer(ToLimit(limit));
    std::vector<WebhookRecord> records;
    for (;;) {
      UNDERSTUDY_ASSIGN_OR_RETURN(const bool row, query.Step());
      if (!row) return records;
      records.push_back(RecordAt(query));
    }
  }

  Result<std::optional<SystemTime>> NextDue() {
    SqliteQuery query = sqlite_.Query(kNextDue);
    UNDERSTUDY_RETURN_IF_ERROR(query.Step());
    return query.IsNullAt(0) ? std::nullopt : std::optional(query.TimeAt(0));
  }

  Result<Effect> GetEffect(std::string_view key) {
    SqliteQuery query = sqlite_.Query(kGetEffect);
    query.Text(key);
    UNDERSTUDY_ASSIGN_OR_RETURN(const bool found, query.Step());
    if (!found) return Effect{};
    return Effect{query.BytesAt(0), query.IntegerAt(1)};
  }

  Result<void> PutEffect(std::string_view key, std::string_view value) {
    SqliteQuery query = sqlite_.Query(kPutEffect);
    query.Text(key).Blob(value);
    return query.Run();
  }

 private:
  SqliteDatabase sqlite_;
};

// Buffers the writes of a handler's work and remembers what it has read, for the check at commit.
class SqliteWebhookStore::Transaction final : public WebhookTransaction {
 public:
  explicit Transaction(SqliteWebhookStore& store) : store_(store) {}

  Result<std::optional<std::string>> Get(std::string_view key) override {
    if (const auto own = writes_.find(key); own != writes_.end()) return std::optional(own->second);
    const MutexLock lock(store_.mutex_);
    UNDERSTUDY_ASSIGN_OR_RETURN(Database::Effect effect, store_.database_->GetEffect(key));
    reads_.emplace(key, effect.version);
    return effect.version == 0 ? std::nullopt : std::optional(std::move(effect.value));
  }

  Result<void> Put(std::string_view key, std::string_view value) override {
    writes_.insert_or_assign(std::string(key), std::string(value));
    return {};
  }

  // Both within a transaction of the database. The check writes nothing.
  Result<void> Check(Database& database) const {
    for (const auto& [key, version] : reads_) {
      UNDERSTUDY_ASSIGN_OR_RETURN(const Database::Effect effect, database.GetEffect(key));
      if (effect.version != version) return Conflict();
    }
    return {};
  }
  Result<void> Apply(Database& database) const {
    for (const auto& [key, value] : writes_) {
      UNDERSTUDY_RETURN_IF_ERROR(database.PutEffect(key, value));
    }
    return {};
  }
  std::size_t bytes() const {
    std::size_t sum = 0;
    for (const auto& [key, value] : writes_) sum += key.size() + value.size();
    return sum;
  }

 private:
  SqliteWebhookStore& store_;
  std::map<std::string, std::int64_t, std::less<>> reads_;  // The version at the first read.
  std::map<std::string, std::string, std::less<>> writes_;
};

// An Insert or a Complete that waits for the next shared commit.
struct SqliteWebhookStore::Job {
  const WebhookEvent* event = nullptr;  // Insert.
  const WebhookLease* lease = nullptr;  // Complete, with its transaction.
  const Transaction* transaction = nullptr;
  // The outcome; for a refusal (a lost lease, a conflict) of this job alone, its error.
  Result<Inserted> result = Inserted{};

  // Within a transaction. An error here is the database's, and fails the whole transaction.
  Result<void> Run(Database& database) {
    if (event != nullptr) {
      UNDERSTUDY_ASSIGN_OR_RETURN(result, database.Insert(*event));
      return {};
    }
    result = Inserted{};
    auto allowed = database.CheckLease(*lease);
    if (allowed) allowed = transaction->Check(database);
    if (!allowed) {
      result = allowed.error();
      const bool refused =
          result.error().reason == "lease-lost" || result.error().reason == "conflict";
      return refused ? Result<void>() : allowed;
    }
    UNDERSTUDY_RETURN_IF_ERROR(database.MarkCompleted(*lease));
    return transaction->Apply(database);
  }
};

Result<std::unique_ptr<SqliteWebhookStore>> SqliteWebhookStore::Open(
    const std::string& path, const SqliteWebhookStoreOptions& options) {
  constexpr std::int64_t kPageBytes = 4096;
  if (options.file_bytes_max < 0 ||
      (options.file_bytes_max > 0 && options.file_bytes_max < kPageBytes)) {
    return InvalidArgument("file_bytes_max of a webhook store is less than a page (4096 bytes)");
  }
  const bool full = options.durability == SqliteDurability::kPowerLoss;
  const SqliteOptions sqlite_options{
      .synchronous = full ? SqliteOptions::Synchronous::kFull : SqliteOptions::Synchronous::kNormal,
      .busy_timeout = options.busy_timeout,
      .checkpoint_pages = 0,
      .pages_max = options.file_bytes_max / kPageBytes};
  UNDERSTUDY_ASSIGN_OR_RETURN(SqliteDatabase sqlite,
                              SqliteDatabase::Open(path, sqlite_options, kMigrations));
  UNDERSTUDY_RETURN_IF_ERROR(sqlite.Prepare(kStatements));
  UNDERSTUDY_ASSIGN_OR_RETURN(SqliteDatabase beside,
                              SqliteDatabase::OpenBeside(path, sqlite_options));
  return std::unique_ptr<SqliteWebhookStore>(
      new SqliteWebhookStore(std::make_unique<Database>(std::move(sqlite)),
                             std::make_unique<Database>(std::move(beside))));
}

SqliteWebhookStore::SqliteWebhookStore(std::unique_ptr<Database> database,
                                       std::unique_ptr<Database> checkpointer)
    : database_(std::move(database)),
      checkpointer_(std::move(checkpointer)),
      checkpoint_at_pages_(kCheckpointPages) {}

SqliteWebhookStore::~SqliteWebhookStore() = default;

Result<Inserted> SqliteWebhookStore::Insert(const WebhookEvent& event) {
  if (event.key.provider.empty() || event.key.event_id.empty()) {
    return InvalidArgument("a webhook event needs a provider and an event id");
  }
  Job job{.event = &event};
  group_.Run(job, event.payload.size(), [&](std::span<Job* const> jobs) { CommitTogether(jobs); });
  CheckpointIfDue();
  return std::move(job.result);
}

void SqliteWebhookStore::CommitTogether(std::span<Job* const> jobs) {
  const MutexLock lock(mutex_);
  if (TryTogether(jobs) || jobs.size() == 1) return;
  // The file's state (locked, full, damaged) would fail each of them, each after its wait.
  if (!jobs.front()->result.error().reason.empty()) return;
  // One event that cannot be stored must not fail the others.
  for (Job* job : jobs) TryTogether({&job, 1});
}

bool SqliteWebhookStore::TryTogether(std::span<Job* const> jobs) {
  const auto committed = database_->InTransaction([&]() -> Result<void> {
    for (Job* const job : jobs) UNDERSTUDY_RETURN_IF_ERROR(job->Run(*database_));
    return {};
  });
  if (committed) return true;
  for (Job* const job : jobs) job->result = committed.error();
  return false;
}

void SqliteWebhookStore::CheckpointIfDue() {
  if (database_->log_pages() < checkpoint_at_pages_ || checkpointing_.exchange(true)) return;
  // Most of the pages beside the commits of others; the few that come meanwhile without them, so
  // that the log can start anew. An error leaves the pages in the log, where they are as safe.
  Result<bool> done = checkpointer_->Checkpoint();
  if (done) {
    const MutexLock lock(mutex_);
    done = database_->Checkpoint();
  }
  // A reader of another process that is in the way is not asked again at every commit.
  const bool all = done && *done;
  checkpoint_at_pages_ = all ? kCheckpointPages : database_->log_pages() + kCheckpointPages;
  checkpointing_ = false;
}

Result<std::optional<WebhookLease>> SqliteWebhookStore::Claim(const WebhookKey& key, SystemTime now,
                                                              Duration lease) {
  const MutexLock lock(mutex_);
  return database_->Claim(&key, now, lease);
}

Result<std::optional<WebhookLease>> SqliteWebhookStore::ClaimNext(SystemTime now, Duration lease) {
  const MutexLock lock(mutex_);
  return database_->Claim(nullptr, now, lease);
}

Result<void> SqliteWebhookStore::Complete(const WebhookLease& lease,
                                          FunctionRef<Result<void>(WebhookTransaction&)> work) {
  {
    const MutexLock lock(mutex_);
    UNDERSTUDY_RETURN_IF_ERROR(database_->CheckLease(lease));
  }
  Transaction transaction(*this);
  UNDERSTUDY_RETURN_IF_ERROR(work(transaction));
  Job job{.lease = &lease, .transaction = &transaction};
  group_.Run(job, transaction.bytes(), [&](std::span<Job* const> jobs) { CommitTogether(jobs); });
  CheckpointIfDue();
  if (!job.result) return std::move(job.result).error();
  return {};
}

Result<void> SqliteWebhookStore::GiveBack(const WebhookLease& lease, WebhookStatus status,
                                          std::optional<SystemTime> due_at, int uncounted_attempts,
                                          std::optional<std::string_view> error) {
  const MutexLock lock(mutex_);
  return database_->InUnsyncedTransaction(
      [&] { return database_->GiveBack(lease, status, due_at, uncounted_attempts, error); });
}

Result<void> SqliteWebhookStore::Fail(const WebhookLease& lease, std::optional<SystemTime> retry_at,
                                      std::string_view error) {
  const WebhookStatus status = retry_at ? WebhookStatus::kPending : WebhookStatus::kDead;
  return GiveBack(lease, status, retry_at, 0, error);
}

Result<void> SqliteWebhookStore::Release(const WebhookLease& lease, SystemTime retry_at,
                                         std::string_view why) {
  return GiveBack(lease, WebhookStatus::kPending, retry_at, 1, why);
}

Result<void> SqliteWebhookStore::Park(const WebhookLease& lease) {
  return GiveBack(lease, WebhookStatus::kUnhandled, std::nullopt, 0, std::nullopt);
}

Result<void> SqliteWebhookStore::Revive(const WebhookKey& key, SystemTime now) {
  const MutexLock lock(mutex_);
  return database_->InTransaction([&] { return database_->Revive(key, now); });
}

Result<std::size_t> SqliteWebhookStore::ReviveUnhandled(std::optional<std::string_view> type,
                                                        SystemTime now, std::size_t limit) {
  std::size_t revived = 0;
  const MutexLock lock(mutex_);
  UNDERSTUDY_RETURN_IF_ERROR(database_->InTransaction([&]() -> Result<void> {
    UNDERSTUDY_ASSIGN_OR_RETURN(revived, database_->ReviveUnhandled(type, now, limit));
    return {};
  }));
  return revived;
}

Result<std::optional<WebhookRecord>> SqliteWebhookStore::Find(const WebhookKey& key) {
  const MutexLock lock(mutex_);
  return database_->Find(key);
}

Result<std::vector<WebhookRecord>> SqliteWebhookStore::List(WebhookStatus status,
                                                            std::size_t limit) {
  const MutexLock lock(mutex_);
  return database_->List(status, limit);
}

Result<std::optional<std::string>> SqliteWebhookStore::GetEffect(std::string_view key) {
  const MutexLock lock(mutex_);
  UNDERSTUDY_ASSIGN_OR_RETURN(Database::Effect effect, database_->GetEffect(key));
  return effect.version == 0 ? std::nullopt : std::optional(std::move(effect.value));
}

Result<std::optional<SystemTime>> SqliteWebhookStore::NextDue() {
  const MutexLock lock(mutex_);
  return database_->NextDue();
}

}  // namespace understudy
