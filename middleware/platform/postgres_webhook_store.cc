#include "middleware/platform/postgres_webhook_store.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <set>
#include <utility>

#include "middleware/platform/postgres_database.h"
#include "middleware/platform/postgres_pool.h"

namespace understudy {
namespace {

using internal::PostgresDatabase;
using internal::PostgresPool;
using internal::PostgresQuery;
using Inserted = WebhookStore::Inserted;

// Names and keys are bytea, not text: a sender's bytes must neither be refused (NUL, not UTF-8) nor
// compared by a collation. Times are nanoseconds since 1970 (UTC). `due_at` is when the event
// becomes claimable: a pending one's not_before, a processing one's end of lease, NULL for the
// others. `seq` is the order of insertion.
constexpr std::array<const char*, 1> kMigrations = {R"sql(
CREATE TABLE webhook_events (
  seq         bigint   GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  provider    bytea    NOT NULL,
  account     bytea    NOT NULL,
  event_id    bytea    NOT NULL,
  type        bytea    NOT NULL,
  payload     bytea    NOT NULL,
  received_at bigint   NOT NULL,
  status      smallint NOT NULL,  -- 0 pending, 1 processing, 2 completed, 3 dead, 4 unhandled
  attempts    bigint   NOT NULL DEFAULT 0,
  fence       bigint   NOT NULL DEFAULT 0,
  due_at      bigint,
  last_error  bytea    NOT NULL DEFAULT '',
  UNIQUE (provider, account, event_id)
);
CREATE INDEX webhook_events_due ON webhook_events (due_at, seq) WHERE due_at IS NOT NULL;
CREATE INDEX webhook_events_status ON webhook_events (status, seq);
CREATE TABLE webhook_effects (
  key     bytea  PRIMARY KEY,
  value   bytea  NOT NULL,
  version bigint NOT NULL  -- grows with every write
);
CREATE VIEW webhook_events_readable AS SELECT
  seq, encode(provider, 'escape') AS provider, encode(account, 'escape') AS account,
  encode(event_id, 'escape') AS event_id, encode(type, 'escape') AS type,
  to_timestamp(received_at / 1e9) AS received_at,
  (ARRAY['pending', 'processing', 'completed', 'dead', 'unhandled'])[status + 1] AS status,
  attempts, to_timestamp(due_at / 1e9) AS due_at, encode(last_error, 'escape') AS last_error,
  octet_length(payload) AS payload_bytes
FROM webhook_events;
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
  kLockKeys,
  kCheckReads,
  kPutEffects,
};

constexpr std::array<const char*, 16> kStatements = {
    // kInsert
    "INSERT INTO webhook_events "
    "(provider, account, event_id, type, payload, received_at, status, due_at) "
    "SELECT p, a, e, t, b, r, 0, r FROM unnest($1::bytea[], $2::bytea[], $3::bytea[], "
    "$4::bytea[], $5::bytea[], $6::bigint[]) AS u (p, a, e, t, b, r) "
    "ON CONFLICT (provider, account, event_id) DO NOTHING RETURNING provider, account, event_id",
    // kStatusOf
    "SELECT n, status FROM unnest($1::bytea[], $2::bytea[], $3::bytea[]) WITH ORDINALITY "
    "AS u (provider, account, event_id, n) "
    "JOIN webhook_events USING (provider, account, event_id)",
    // kClaim
    "UPDATE webhook_events SET status = 1, attempts = attempts + 1, fence = fence + 1, "
    "due_at = $1 WHERE provider = $2 AND account = $3 AND event_id = $4 AND due_at <= $5 "
    "RETURNING provider, account, event_id, type, payload, received_at, attempts, fence, due_at",
    // kClaimNext
    "WITH next AS MATERIALIZED (SELECT seq FROM webhook_events WHERE due_at <= $2 "
    "ORDER BY due_at, seq LIMIT 1 FOR UPDATE SKIP LOCKED) "
    "UPDATE webhook_events e SET status = 1, attempts = attempts + 1, fence = fence + 1, "
    "due_at = $1 FROM next WHERE e.seq = next.seq "
    "RETURNING provider, account, event_id, type, payload, received_at, attempts, fence, due_at",
    // kIsLeased
    "SELECT 1 FROM webhook_events "
    "WHERE provider = $1 AND account = $2 AND event_id = $3 AND status = 1 AND fence = $4",
    // kComplete
    "UPDATE webhook_events SET status = 2, due_at = NULL, last_error = '' "
    "WHERE provider = $1 AND account = $2 AND event_id = $3 AND status = 1 AND fence = $4",
    // kGiveBack
    "UPDATE webhook_events SET status = $1, due_at = $2::bigint, attempts = attempts - $3, "
    "last_error = coalesce($4::bytea, last_error) "
    "WHERE provider = $5 AND account = $6 AND event_id = $7 AND status = 1 AND fence = $8",
    // kRevive
    "UPDATE webhook_events SET status = 0, attempts = 0, due_at = $1 "
    "WHERE provider = $2 AND account = $3 AND event_id = $4 AND status IN (3, 4)",
    // kReviveUnhandled
    "UPDATE webhook_events SET status = 0, attempts = 0, due_at = $1 WHERE seq IN (SELECT seq FROM "
    "webhook_events WHERE status = 4 AND ($2::bytea IS NULL OR type = $2::bytea) ORDER BY seq "
    "LIMIT $3 FOR UPDATE SKIP LOCKED)",
    // kFind
    "SELECT provider, account, event_id, type, payload, received_at, status, attempts, due_at, "
    "last_error FROM webhook_events WHERE provider = $1 AND account = $2 AND event_id = $3",
    // kList
    "SELECT provider, account, event_id, type, payload, received_at, status, attempts, due_at, "
    "last_error FROM webhook_events WHERE status = $1 ORDER BY seq LIMIT $2",
    // kNextDue
    "SELECT min(due_at) FROM webhook_events WHERE due_at IS NOT NULL",
    // kGetEffect
    "SELECT value, version FROM webhook_effects WHERE key = $1",
    // kLockKeys: in the order of the array, so that two transactions never wait for each other.
    "SELECT pg_advisory_xact_lock('webhook_effects'::regclass::oid::int, g::int) "
    "FROM unnest($1::bigint[]) AS g",
    // kCheckReads
    "SELECT 1 FROM unnest($1::bytea[], $2::bigint[]) AS r (key, version) "
    "LEFT JOIN webhook_effects e ON e.key = r.key "
    "WHERE coalesce(e.version, 0) <> r.version LIMIT 1",
    // kPutEffects
    "INSERT INTO webhook_effects (key, value, version) "
    "SELECT k, v, 1 FROM unnest($1::bytea[], $2::bytea[]) AS w (k, v) "
    "ON CONFLICT (key) DO UPDATE SET value = excluded.value, "
    "version = webhook_effects.version + 1",
};
static_assert(kStatements.size() == kPutEffects + 1, "one text for each index");

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

// The numbers are stored: they must not change. In the order of the enumeration.
constexpr std::array<WebhookStatus, 5> kStatuses = {
    WebhookStatus::kPending, WebhookStatus::kProcessing, WebhookStatus::kCompleted,
    WebhookStatus::kDead, WebhookStatus::kUnhandled};

std::int64_t ToColumn(WebhookStatus status) {
  return std::find(kStatuses.begin(), kStatuses.end(), status) - kStatuses.begin();
}

WebhookStatus ToStatus(std::int64_t column) {
  // An unknown number, from a newer program, is shown to the operator rather than processed.
  if (column < 0 || column >= std::int64_t{kStatuses.size()}) return WebhookStatus::kUnhandled;
  return kStatuses[static_cast<std::size_t>(column)];
}

std::int64_t ToLimit(std::size_t limit) {
  constexpr auto kLimitMax = static_cast<std::size_t>(std::numeric_limits<std::int64_t>::max());
  return static_cast<std::int64_t>(std::min(limit, kLimitMax));
}

void BindKey(PostgresQuery& query, const WebhookKey& key) {
  query.Blob(key.provider).Blob(key.account).Blob(key.event_id);
}

void BindLease(PostgresQuery& query, const WebhookLease& lease) {
  BindKey(query, lease.event.key);
  query.Integer(lease.fence);
}

// Columns 0 to 5 of the statements that return events.
WebhookEvent EventAt(const PostgresQuery& query) {
  return WebhookEvent{{query.BytesAt(0), query.BytesAt(1), query.BytesAt(2)},
                      query.BytesAt(3),
                      query.BytesAt(4),
                      query.TimeAt(5)};
}

WebhookRecord RecordAt(const PostgresQuery& query) {
  WebhookRecord record{.event = EventAt(query),
                       .status = ToStatus(query.IntegerAt(6)),
                       .attempts = static_cast<int>(query.IntegerAt(7)),
                       .last_error = query.BytesAt(9)};
  if (record.status == WebhookStatus::kPending) record.not_before = query.TimeAt(8);
  if (record.status == WebhookStatus::kProcessing) record.lease_until = query.TimeAt(8);
  return record;
}

// Which of kLockGroups locks guards a key: FNV-1a, the same in every program that shares the
// database. Few groups, because the server bounds the locks of a transaction.
constexpr std::uint64_t kLockGroups = 256;
std::int64_t LockGroupOf(std::string_view key) {
  std::uint64_t hash = 14'695'981'039'346'656'037U;
  for (const char c : key) hash = (hash ^ static_cast<unsigned char>(c)) * 1'099'511'628'211U;
  return static_cast<std::int64_t>((hash ^ (hash >> 32U)) % kLockGroups);
}

// Whether it is the server's state that an error speaks of, rather than the one event.
bool IsOfServer(const Error& error) {
  constexpr std::array<std::string_view, 6> kReasons = {"gone",   "busy",      "full",
                                                        "denied", "read-only", "corrupt"};
  return std::find(kReasons.begin(), kReasons.end(), error.reason) != kReasons.end();
}

}  // namespace

// An Insert that waits for the next shared commit.
struct PostgresWebhookStore::Job {
  const WebhookEvent* event = nullptr;
  Result<Inserted> result = Inserted{};
};

// Buffers the writes of a handler's work and remembers what it has read, for the check at commit.
class PostgresWebhookStore::Transaction final : public WebhookTransaction {
 public:
  explicit Transaction(PostgresPool& pool) : pool_(pool) {}

  Result<std::optional<std::string>> Get(std::string_view key) override {
    if (const auto own = writes_.find(key); own != writes_.end()) return std::optional(own->second);
    UNDERSTUDY_ASSIGN_OR_RETURN(const PostgresPool::Loan database, pool_.Borrow());
    PostgresQuery query = database->Query(kGetEffect);
    query.Blob(key);
    UNDERSTUDY_ASSIGN_OR_RETURN(const bool found, query.Step());
    reads_.emplace(key, found ? query.IntegerAt(1) : 0);
    return found ? std::optional(query.BytesAt(0)) : std::nullopt;
  }

  Result<void> Put(std::string_view key, std::string_view value) override {
    writes_.insert_or_assign(std::string(key), std::string(value));
    return {};
  }

  bool empty() const { return reads_.empty() && writes_.empty(); }

  // Within a transaction of the database: waits for others over the same keys, then checks that
  // nothing that was read has changed.
  Result<void> LockAndCheck(PostgresDatabase& database) const {
    std::set<std::int64_t> groups;
    for (const auto& [key, version] : reads_) groups.insert(LockGroupOf(key));
    for (const auto& [key, value] : writes_) groups.insert(LockGroupOf(key));
    PostgresQuery lock = database.Query(kLockKeys);
    const std::vector<std::int64_t> in_order(groups.begin(), groups.end());
    UNDERSTUDY_RETURN_IF_ERROR(lock.Integers(in_order).Run());
    if (reads_.empty()) return {};
    std::vector<std::string_view> keys;
    std::vector<std::int64_t> versions;
    for (const auto& [key, version] : reads_) {
      keys.push_back(key);
      versions.push_back(version);
    }
    PostgresQuery check = database.Query(kCheckReads);
    UNDERSTUDY_ASSIGN_OR_RETURN(const bool changed, check.Blobs(keys).Integers(versions).Step());
    if (changed) return Conflict();
    return {};
  }

  Result<void> Apply(PostgresDatabase& database) const {
    if (writes_.empty()) return {};
    std::vector<std::string_view> keys;
    std::vector<std::string_view> values;
    for (const auto& [key, value] : writes_) {
      keys.push_back(key);
      values.push_back(value);
    }
    PostgresQuery query = database.Query(kPutEffects);
    return query.Blobs(keys).Blobs(values).Run();
  }

 private:
  PostgresPool& pool_;
  std::map<std::string, std::int64_t, std::less<>> reads_;  // The version at the first read.
  std::map<std::string, std::string, std::less<>> writes_;
};

PostgresWebhookStore::PostgresWebhookStore() = default;
PostgresWebhookStore::~PostgresWebhookStore() = default;

Result<std::unique_ptr<PostgresWebhookStore>> PostgresWebhookStore::Open(
    const std::string& conninfo, const PostgresWebhookStoreOptions& options) {
  if (options.connections_max < 2) {
    return InvalidArgument("a PostgreSQL webhook store needs connections_max of 2 or more");
  }
  std::unique_ptr<PostgresWebhookStore> store(new PostgresWebhookStore());
  internal::PostgresPoolOptions pool_options;
  pool_options.database = {.connect_timeout = options.connect_timeout,
                           .statement_timeout = options.statement_timeout,
                           .schema = options.schema};
  pool_options.connections_max = options.connections_max;
  UNDERSTUDY_ASSIGN_OR_RETURN(
      store->pool_, PostgresPool::Open(store->clock_, conninfo, std::move(pool_options), "webhook",
                                       kMigrations, kStatements));
  return store;
}

Result<Inserted> PostgresWebhookStore::Insert(const WebhookEvent& event) {
  if (event.key.provider.empty() || event.key.event_id.empty()) {
    return InvalidArgument("a webhook event needs a provider and an event id");
  }
  Job job{.event = &event};
  group_.Run(job, event.payload.size(), [&](std::span<Job* const> jobs) { InsertTogether(jobs); });
  return std::move(job.result);
}

void PostgresWebhookStore::InsertTogether(std::span<Job* const> jobs) {
  // In one order, so that two processes that insert the same events never wait for each other.
  std::vector<Job*> sorted(jobs.begin(), jobs.end());
  std::stable_sort(sorted.begin(), sorted.end(),
                   [](const Job* a, const Job* b) { return a->event->key < b->event->key; });
  const auto fail = [](std::span<Job* const> failed, const Error& error) {
    for (Job* const job : failed) job->result = error;
  };
  const auto together = TryTogether(sorted);
  if (together) return;
  if (sorted.size() == 1 || IsOfServer(together.error())) return fail(sorted, together.error());
  // One event that cannot be stored must not fail the others.
  for (Job* job : sorted) {
    const std::span<Job* const> alone(&job, 1);
    if (const auto inserted = TryTogether(alone); !inserted) fail(alone, inserted.error());
  }
}

Result<void> PostgresWebhookStore::TryTogether(std::span<Job* const> jobs) {
  std::array<std::vector<std::string_view>, 5> texts;
  std::vector<std::int64_t> times;
  for (const Job* const job : jobs) {
    const WebhookEvent& event = *job->event;
    texts[0].push_back(event.key.provider);
    texts[1].push_back(event.key.account);
    texts[2].push_back(event.key.event_id);
    texts[3].push_back(event.type);
    texts[4].push_back(event.payload);
    times.push_back(event.received_at.time_since_epoch().count());
  }
  UNDERSTUDY_ASSIGN_OR_RETURN(const PostgresPool::Loan database, pool_->Borrow());
  PostgresQuery insert = database->Query(kInsert);
  for (const auto& column : texts) insert.Blobs(column);
  insert.Integers(times);
  std::set<WebhookKey> inserted;
  for (;;) {
    UNDERSTUDY_ASSIGN_OR_RETURN(const bool row, insert.Step());
    if (!row) break;
    inserted.insert({insert.BytesAt(0), insert.BytesAt(1), insert.BytesAt(2)});
  }
  std::vector<Job*> duplicates;
  std::array<std::vector<std::string_view>, 3> keys;
  for (Job* const job : jobs) {
    job->result = Inserted{};
    // Of several with one key in this batch, the first one.
    if (inserted.erase(job->event->key) > 0) continue;
    duplicates.push_back(job);
    keys[0].push_back(job->event->key.provider);
    keys[1].push_back(job->event->key.account);
    keys[2].push_back(job->event->key.event_id);
    job->result = Error{.code = ErrorCode::kStorage,
                        .message = "the event was removed while it was delivered again"};
  }
  if (duplicates.empty()) return {};
  PostgresQuery find = database->Query(kStatusOf);
  for (const auto& column : keys) find.Blobs(column);
  for (;;) {
    UNDERSTUDY_ASSIGN_OR_RETURN(const bool row, find.Step());
    if (!row) return {};
    const auto index = static_cast<std::size_t>(find.IntegerAt(0) - 1);
    duplicates[index]->result = Inserted{InsertOutcome::kDuplicate, ToStatus(find.IntegerAt(1))};
  }
}

Result<std::optional<WebhookLease>> PostgresWebhookStore::Claim(const WebhookKey& key,
                                                                SystemTime now, Duration lease) {
  return Claim(&key, now, lease);
}

Result<std::optional<WebhookLease>> PostgresWebhookStore::ClaimNext(SystemTime now,
                                                                    Duration lease) {
  return Claim(nullptr, now, lease);
}

// `key` is null for the event that has been due for longest.
Result<std::optional<WebhookLease>> PostgresWebhookStore::Claim(const WebhookKey* key,
                                                                SystemTime now, Duration lease) {
  UNDERSTUDY_ASSIGN_OR_RETURN(const PostgresPool::Loan database, pool_->Borrow());
  PostgresQuery query = database->Query(key != nullptr ? kClaim : kClaimNext);
  query.Time(EndOfLease(now, lease));
  if (key != nullptr) BindKey(query, *key);
  query.Time(now);
  UNDERSTUDY_ASSIGN_OR_RETURN(const bool claimed, query.Step());
  if (!claimed) return std::optional<WebhookLease>();
  return std::optional(WebhookLease{EventAt(query), static_cast<int>(query.IntegerAt(6)),
                                    query.IntegerAt(7), query.TimeAt(8)});
}

Result<void> PostgresWebhookStore::CheckLease(const WebhookLease& lease) {
  UNDERSTUDY_ASSIGN_OR_RETURN(const PostgresPool::Loan database, pool_->Borrow());
  PostgresQuery query = database->Query(kIsLeased);
  BindLease(query, lease);
  UNDERSTUDY_ASSIGN_OR_RETURN(const bool leased, query.Step());
  if (!leased) return LeaseLost();
  return {};
}

Result<void> PostgresWebhookStore::Complete(const WebhookLease& lease,
                                            FunctionRef<Result<void>(WebhookTransaction&)> work) {
  UNDERSTUDY_RETURN_IF_ERROR(CheckLease(lease));
  Transaction transaction(*pool_);
  UNDERSTUDY_RETURN_IF_ERROR(work(transaction));
  auto committed = Commit(lease, transaction);
  // Something else than this store has locked its rows: as good as a conflict.
  if (!committed && committed.error().reason == "serialization") return Conflict();
  return committed;
}

Result<void> PostgresWebhookStore::Commit(const WebhookLease& lease,
                                          const Transaction& transaction) {
  UNDERSTUDY_ASSIGN_OR_RETURN(const PostgresPool::Loan database, pool_->Borrow());
  const auto complete = [&]() -> Result<void> {
    PostgresQuery query = database->Query(kComplete);
    BindLease(query, lease);
    UNDERSTUDY_RETURN_IF_ERROR(query.Run());
    if (query.changes() == 0) return LeaseLost();
    return {};
  };
  if (transaction.empty()) return complete();
  return database->InTransaction([&]() -> Result<void> {
    UNDERSTUDY_RETURN_IF_ERROR(transaction.LockAndCheck(*database));
    UNDERSTUDY_RETURN_IF_ERROR(complete());
    return transaction.Apply(*database);
  });
}

Result<void> PostgresWebhookStore::GiveBack(const WebhookLease& lease, WebhookStatus status,
                                            std::optional<SystemTime> due_at,
                                            int uncounted_attempts,
                                            std::optional<std::string_view> error) {
  UNDERSTUDY_ASSIGN_OR_RETURN(const PostgresPool::Loan database, pool_->Borrow());
  PostgresQuery query = database->Query(kGiveBack);
  query.Integer(ToColumn(status));
  due_at ? query.Time(*due_at) : query.Null();
  query.Integer(uncounted_attempts);
  error ? query.Blob(*error) : query.Null();
  BindLease(query, lease);
  UNDERSTUDY_RETURN_IF_ERROR(query.Run());
  if (query.changes() == 0) return LeaseLost();
  return {};
}

Result<void> PostgresWebhookStore::Fail(const WebhookLease& lease,
                                        std::optional<SystemTime> retry_at,
                                        std::string_view error) {
  const WebhookStatus status = retry_at ? WebhookStatus::kPending : WebhookStatus::kDead;
  return GiveBack(lease, status, retry_at, 0, error);
}

Result<void> PostgresWebhookStore::Release(const WebhookLease& lease, SystemTime retry_at,
                                           std::string_view why) {
  return GiveBack(lease, WebhookStatus::kPending, retry_at, 1, why);
}

Result<void> PostgresWebhookStore::Park(const WebhookLease& lease) {
  return GiveBack(lease, WebhookStatus::kUnhandled, std::nullopt, 0, std::nullopt);
}

Result<void> PostgresWebhookStore::Revive(const WebhookKey& key, SystemTime now) {
  UNDERSTUDY_ASSIGN_OR_RETURN(const PostgresPool::Loan database, pool_->Borrow());
  PostgresQuery query = database->Query(kRevive);
  query.Time(now);
  BindKey(query, key);
  UNDERSTUDY_RETURN_IF_ERROR(query.Run());
  if (query.changes() > 0) return {};
  return Error{.code = ErrorCode::kNotFound,
               .message = "no dead or unhandled webhook event has this key"};
}

Result<std::size_t> PostgresWebhookStore::ReviveUnhandled(std::optional<std::string_view> type,
                                                          SystemTime now, std::size_t limit) {
  UNDERSTUDY_ASSIGN_OR_RETURN(const PostgresPool::Loan database, pool_->Borrow());
  PostgresQuery query = database->Query(kReviveUnhandled);
  query.Time(now);
  type ? query.Blob(*type) : query.Null();
  query.Integer(ToLimit(limit));
  UNDERSTUDY_RETURN_IF_ERROR(query.Run());
  return static_cast<std::size_t>(query.changes());
}

Result<std::optional<WebhookRecord>> PostgresWebhookStore::Find(const WebhookKey& key) {
  UNDERSTUDY_ASSIGN_OR_RETURN(const PostgresPool::Loan database, pool_->Borrow());
  PostgresQuery query = database->Query(kFind);
  BindKey(query, key);
  UNDERSTUDY_ASSIGN_OR_RETURN(const bool found, query.Step());
  return found ? std::optional(RecordAt(query)) : std::nullopt;
}

Result<std::vector<WebhookRecord>> PostgresWebhookStore::List(WebhookStatus status,
                                                              std::size_t limit) {
  UNDERSTUDY_ASSIGN_OR_RETURN(const PostgresPool::Loan database, pool_->Borrow());
  PostgresQuery query = database->Query(kList);
  query.Integer(ToColumn(status)).Integer(ToLimit(limit));
  std::vector<WebhookRecord> records;
  for (;;) {
    UNDERSTUDY_ASSIGN_OR_RETURN(const bool row, query.Step());
    if (!row) return records;
    records.push_back(RecordAt(query));
  }
}

Result<std::optional<std::string>> PostgresWebhookStore::GetEffect(std::string_view key) {
  UNDERSTUDY_ASSIGN_OR_RETURN(const PostgresPool::Loan database, pool_->Borrow());
  PostgresQuery query = database->Query(kGetEffect);
  query.Blob(key);
  UNDERSTUDY_ASSIGN_OR_RETURN(const bool found, query.Step());
  return found ? std::optional(query.BytesAt(0)) : std::nullopt;
}

Result<std::optional<SystemTime>> PostgresWebhookStore::NextDue() {
  UNDERSTUDY_ASSIGN_OR_RETURN(const PostgresPool::Loan database, pool_->Borrow());
  PostgresQuery query = database->Query(kNextDue);
  UNDERSTUDY_RETURN_IF_ERROR(query.Step());
  return query.IsNullAt(0) ? std::nullopt : std::optional(query.TimeAt(0));
}

}  // namespace understudy
