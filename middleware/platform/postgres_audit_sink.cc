#include "middleware/platform/postgres_audit_sink.h"

#include <array>
#include <chrono>
#include <cstdint>
#include <string_view>
#include <utility>

#include "middleware/base/text.h"
#include "middleware/platform/postgres_database.h"
#include "middleware/platform/postgres_pool.h"

namespace understudy {
namespace {

using internal::PostgresDatabase;
using internal::PostgresPool;
using internal::PostgresQuery;

// Times are nanoseconds since 1970 (UTC); `seq` is the order of the trail. A unique constraint of a
// partitioned table holds the partition's key, and the same entry has the same time.
constexpr std::array<const char*, 1> kMigrations = {R"sql(
CREATE SEQUENCE audit_entries_seq;
CREATE TABLE audit_entries (
  seq     bigint NOT NULL DEFAULT nextval('audit_entries_seq'),
  id      text   NOT NULL,
  call_id text   NOT NULL,
  at      bigint NOT NULL,
  text    text   NOT NULL,
  PRIMARY KEY (at, id)
) PARTITION BY RANGE (at);
CREATE INDEX audit_entries_by_call ON audit_entries (call_id, seq) WHERE call_id <> '';
CREATE INDEX audit_entries_by_seq ON audit_entries (seq);
CREATE VIEW audit_entries_readable AS SELECT
  seq, id, call_id, to_timestamp(at / 1e9) AS at, text::jsonb AS record FROM audit_entries;
)sql"};

enum StatementIndex : std::size_t {
  kInsert,
  kFindByCall,
  kFindByTime,
  kLast,
  kPartitions,
  kCount,
};

constexpr std::array<const char*, 6> kStatements = {
    // kInsert: one statement, so all or none.
    "INSERT INTO audit_entries (id, call_id, at, text) "
    "SELECT convert_from(i, 'UTF8'), convert_from(c, 'UTF8'), a, convert_from(t, 'UTF8') "
    "FROM unnest($1::bytea[], $2::bytea[], $3::bigint[], $4::bytea[]) WITH ORDINALITY "
    "AS u (i, c, a, t, n) ORDER BY n ON CONFLICT (at, id) DO NOTHING",
    // kFindByCall
    "SELECT id, call_id, at, text FROM audit_entries "
    "WHERE call_id = $1 AND call_id <> '' AND at >= $2 AND at < $3 ORDER BY seq LIMIT $4",
    // kFindByTime
    "SELECT id, call_id, at, text FROM audit_entries "
    "WHERE at >= $1 AND at < $2 ORDER BY seq LIMIT $3",
    // kLast
    "SELECT id, call_id, at, text FROM audit_entries ORDER BY seq DESC LIMIT 1",
    // kPartitions
    "SELECT c.relname::text FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid "
    "WHERE i.inhparent = 'audit_entries'::regclass ORDER BY c.relname",
    // kCount: of one partition, and with a bound, as counting takes the time of reading.
    "SELECT count(*) FROM (SELECT 1 FROM audit_entries WHERE at >= $1 AND at < $2 "
    "LIMIT 1000000) AS counted",
};
static_assert(kStatements.size() == kCount + 1, "one text for each index");

constexpr std::string_view kPrefix = "audit_entries_";

std::chrono::year_month MonthFrom(int month) {
  return std::chrono::year(1970) / std::chrono::January + std::chrono::months(month);
}

SystemTime StartOf(int month) {
  return SystemTime(std::chrono::sys_days(MonthFrom(month) / std::chrono::day(1)));
}

int MonthOf(SystemTime time) {
  const std::chrono::year_month_day date(std::chrono::floor<std::chrono::days>(time));
  return (static_cast<int>(date.year()) - 1970) * 12 +
         static_cast<int>(static_cast<unsigned>(date.month())) - 1;
}

std::string PartitionOf(int month) {
  const std::chrono::year_month date = MonthFrom(month);
  const unsigned number = static_cast<unsigned>(date.month());
  return std::string(kPrefix) + std::to_string(static_cast<int>(date.year())) +
         (number < 10 ? "_0" : "_") + std::to_string(number);
}

// Of a partition's name; nullopt for another table that somebody attached.
std::optional<int> MonthOfName(std::string_view name) {
  if (!name.starts_with(kPrefix)) return std::nullopt;
  name.remove_prefix(kPrefix.size());
  const auto year = ParseUnsigned(name.substr(0, 4));
  const auto number = name.size() == 7 ? ParseUnsigned(name.substr(5)) : std::nullopt;
  if (!year || !number || *number < 1 || *number > 12 || *year < 1970) return std::nullopt;
  const int month = static_cast<int>((*year - 1970) * 12 + *number - 1);
  return PartitionOf(month).substr(kPrefix.size()) == name ? std::optional(month) : std::nullopt;
}

AuditEntry EntryAt(const PostgresQuery& query) {
  return {query.BytesAt(0), query.BytesAt(1), query.TimeAt(2), query.BytesAt(3)};
}

Result<void> Insert(PostgresDatabase& database, std::span<const AuditEntry> batch) {
  std::vector<std::string_view> ids, call_ids, texts;
  std::vector<std::int64_t> times;
  for (const AuditEntry& entry : batch) {
    ids.push_back(entry.id);
    call_ids.push_back(entry.call_id);
    times.push_back(entry.at.time_since_epoch().count());
    texts.push_back(entry.text);
  }
  PostgresQuery query = database.Query(kInsert);
  query.Blobs(ids).Blobs(call_ids).Integers(times).Blobs(texts);
  return query.Run();
}

Result<std::size_t> CountRows(PostgresDatabase& database, int month) {
  PostgresQuery query = database.Query(kCount);
  query.Time(StartOf(month)).Time(StartOf(month + 1));
  UNDERSTUDY_RETURN_IF_ERROR(query.Step());
  return static_cast<std::size_t>(query.IntegerAt(0));
}

Result<std::vector<int>> PartitionMonths(PostgresDatabase& database) {
  std::vector<int> months;
  PostgresQuery query = database.Query(kPartitions);
  for (;;) {
    UNDERSTUDY_ASSIGN_OR_RETURN(const bool row, query.Step());
    if (!row) return months;
    if (const auto month = MonthOfName(query.BytesAt(0))) months.push_back(*month);
  }
}

Result<std::optional<AuditEntry>> LastOf(PostgresDatabase& database) {
  PostgresQuery query = database.Query(kLast);
  UNDERSTUDY_ASSIGN_OR_RETURN(const bool row, query.Step());
  return row ? std::optional(EntryAt(query)) : std::nullopt;
}

}  // namespace

Result<std::unique_ptr<PostgresAuditSink>> PostgresAuditSink::Open(
    const std::string& conninfo, const PostgresAuditSinkOptions& options) {
  constexpr int kMonthsMax = 24;
  if (options.months_ahead < 0 || options.months_ahead > kMonthsMax)
    return InvalidArgument("months_ahead is " + std::to_string(options.months_ahead) +
                           "; it must be 0 to " + std::to_string(kMonthsMax));
  // Not make_unique: the constructor is private.
  std::unique_ptr<PostgresAuditSink> sink(new PostgresAuditSink(options));
  UNDERSTUDY_ASSIGN_OR_RETURN(
      sink->pool_, PostgresPool::Open(sink->clock_, conninfo,
                                      {.database = {.connect_timeout = options.connect_timeout,
                                                    .statement_timeout = options.statement_timeout,
                                                    .schema = options.schema},
                                       .connections_max = options.connections_max},
                                      "audit", kMigrations, kStatements));
  {
    UNDERSTUDY_ASSIGN_OR_RETURN(PostgresPool::Loan database, sink->pool_->Borrow());
    UNDERSTUDY_RETURN_IF_ERROR(sink->EnsureAhead(*database, sink->clock_.SystemNow()));
  }
  return sink;
}

PostgresAuditSink::PostgresAuditSink(const PostgresAuditSinkOptions& options) : options_(options) {}

PostgresAuditSink::~PostgresAuditSink() = default;

Result<void> PostgresAuditSink::EnsureMonths(PostgresDatabase& database,
                                             const std::set<int>& months) {
  for (const int month : months) {
    {
      const MutexLock lock(mutex_);
      if (months_.contains(month)) continue;
    }
    // The lock: two processes that make the same table at once would meet in the catalogue. One
    // text is one transaction.
    UNDERSTUDY_RETURN_IF_ERROR(
        database.Execute("SELECT pg_advisory_xact_lock(hashtext('understudy audit partitions')); "
                         "CREATE TABLE IF NOT EXISTS " +
                         PartitionOf(month) + " PARTITION OF audit_entries FOR VALUES FROM (" +
                         std::to_string(StartOf(month).time_since_epoch().count()) + ") TO (" +
                         std::to_string(StartOf(month + 1).time_since_epoch().count()) + ")"));
    const MutexLock lock(mutex_);
    months_.insert(month);
  }
  return {};
}

Result<void> PostgresAuditSink::EnsureAhead(PostgresDatabase& database, SystemTime now) {
  std::set<int> months;
  for (int ahead = 0; ahead <= options_.months_ahead; ++ahead) months.insert(MonthOf(now) + ahead);
  return EnsureMonths(database, months);
}

void PostgresAuditSink::Forget() {
  const MutexLock lock(mutex_);
  months_.clear();
}

Result<void> PostgresAuditSink::Append(std::span<const AuditEntry> batch) {
  UNDERSTUDY_RETURN_IF_ERROR(CheckAuditBatch(batch));
  if (batch.empty()) return {};
  std::set<int> months;
  for (const AuditEntry& entry : batch) months.insert(MonthOf(entry.at));
  UNDERSTUDY_ASSIGN_OR_RETURN(PostgresPool::Loan database, pool_->Borrow());
  UNDERSTUDY_RETURN_IF_ERROR(EnsureMonths(*database, months));
  Result<void> inserted = Insert(*database, batch);
  if (inserted || inserted.error().reason != "constraint") return inserted;
  // Another process has dropped the partition meanwhile.
  Forget();
  UNDERSTUDY_RETURN_IF_ERROR(EnsureMonths(*database, months));
  return Insert(*database, batch);
}

Result<std::vector<AuditEntry>> PostgresAuditSink::Find(const AuditQuery& query) {
  UNDERSTUDY_RETURN_IF_ERROR(CheckAuditQuery(query));
  UNDERSTUDY_ASSIGN_OR_RETURN(PostgresPool::Loan database, pool_->Borrow());
  PostgresQuery rows = database->Query(query.call_id.empty() ? kFindByTime : kFindByCall);
  if (!query.call_id.empty()) rows.Text(query.call_id);
  rows.Time(query.from.value_or(SystemTime(Duration::min())));
  rows.Time(query.before.value_or(SystemTime(Duration::max())));
  rows.Integer(static_cast<std::int64_t>(query.limit));
  std::vector<AuditEntry> found;
  for (;;) {
    UNDERSTUDY_ASSIGN_OR_RETURN(const bool row, rows.Step());
    if (!row) return found;
    found.push_back(EntryAt(rows));
  }
}

Result<std::optional<AuditEntry>> PostgresAuditSink::Last() {
  UNDERSTUDY_ASSIGN_OR_RETURN(PostgresPool::Loan database, pool_->Borrow());
  return LastOf(*database);
}

Result<std::size_t> PostgresAuditSink::Retain(SystemTime now, SystemTime before) {
  UNDERSTUDY_ASSIGN_OR_RETURN(PostgresPool::Loan database, pool_->Borrow());
  Forget();
  UNDERSTUDY_RETURN_IF_ERROR(EnsureAhead(*database, now));
  UNDERSTUDY_ASSIGN_OR_RETURN(const std::optional<AuditEntry> last, LastOf(*database));
  UNDERSTUDY_ASSIGN_OR_RETURN(const std::vector<int> months, PartitionMonths(*database));
  std::size_t removed = 0;
  for (const int month : months) {
    const bool old = StartOf(month + 1) <= before && month < MonthOf(now);
    if (!old || (last && MonthOf(last->at) == month)) continue;
    UNDERSTUDY_ASSIGN_OR_RETURN(const std::size_t rows, CountRows(*database, month));
    UNDERSTUDY_RETURN_IF_ERROR(database->Execute("DROP TABLE IF EXISTS " + PartitionOf(month)));
    removed += rows;
  }
  return removed;
}

}  // namespace understudy
