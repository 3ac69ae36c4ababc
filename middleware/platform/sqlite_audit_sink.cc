#include "middleware/platform/sqlite_audit_sink.h"

#include <array>
#include <string>
#include <utility>

#include "middleware/platform/sqlite_database.h"

namespace understudy {
namespace {

using internal::SqliteDatabase;
using internal::SqliteOptions;
using internal::SqliteQuery;

// Times are nanoseconds since 1970 (UTC); `seq` is the order of the trail.
constexpr std::array<const char*, 1> kMigrations = {R"sql(
CREATE TABLE audit_entries (
  seq     INTEGER PRIMARY KEY AUTOINCREMENT,
  id      TEXT    NOT NULL UNIQUE,
  call_id TEXT    NOT NULL,
  at      INTEGER NOT NULL,
  text    TEXT    NOT NULL
);
CREATE INDEX audit_entries_call ON audit_entries (call_id, seq) WHERE call_id <> '';
CREATE INDEX audit_entries_at ON audit_entries (at);
)sql"};

enum StatementIndex : std::size_t {
  kInsert,
  kFindByCall,
  kFindByTime,
  kLast,
  kRemove,
};

constexpr std::array<const char*, 5> kStatements = {
    // kInsert
    "INSERT INTO audit_entries (id, call_id, at, text) VALUES (?, ?, ?, ?) "
    "ON CONFLICT (id) DO NOTHING",
    // kFindByCall
    "SELECT id, call_id, at, text FROM audit_entries "
    "WHERE call_id = ?1 AND call_id <> '' AND at >= ?2 AND at < ?3 ORDER BY seq LIMIT ?4",
    // kFindByTime
    "SELECT id, call_id, at, text FROM audit_entries "
    "WHERE at >= ?1 AND at < ?2 ORDER BY seq LIMIT ?3",
    // kLast
    "SELECT id, call_id, at, text FROM audit_entries ORDER BY seq DESC LIMIT 1",
    // kRemove
    "DELETE FROM audit_entries WHERE seq IN (SELECT seq FROM audit_entries WHERE at < ?1 "
    "AND seq < (SELECT max(seq) FROM audit_entries) ORDER BY at LIMIT ?2)",
};
static_assert(kStatements.size() == kRemove + 1, "one text for each index");

AuditEntry EntryAt(const SqliteQuery& query) {
  return {query.BytesAt(0), query.BytesAt(1), query.TimeAt(2), query.BytesAt(3)};
}

}  // namespace

class SqliteAuditSink::Database {
 public:
  explicit Database(SqliteDatabase sqlite) : sqlite_(std::move(sqlite)) {}

  Result<void> Append(std::span<const AuditEntry> batch) {
    return sqlite_.InTransaction([&]() -> Result<void> {
      for (const AuditEntry& entry : batch) {
        SqliteQuery query = sqlite_.Query(kInsert);
        query.Text(entry.id).Text(entry.call_id).Time(entry.at).Text(entry.text);
        UNDERSTUDY_RETURN_IF_ERROR(query.Run());
      }
      return {};
    });
  }

  Result<std::vector<AuditEntry>> Find(const AuditQuery& query) {
    SqliteQuery rows = sqlite_.Query(query.call_id.empty() ? kFindByTime : kFindByCall);
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

  Result<std::optional<AuditEntry>> Last() {
    SqliteQuery query = sqlite_.Query(kLast);
    UNDERSTUDY_ASSIGN_OR_RETURN(const bool row, query.Step());
    return row ? std::optional(EntryAt(query)) : std::nullopt;
  }

  Result<std::size_t> Remove(SystemTime before, std::size_t limit) {
    SqliteQuery query = sqlite_.Query(kRemove);
    query.Time(before).Integer(static_cast<std::int64_t>(limit));
    UNDERSTUDY_RETURN_IF_ERROR(query.Run());
    return static_cast<std::size_t>(sqlite_.changes());
  }

 private:
  SqliteDatabase sqlite_;
};

Result<std::unique_ptr<SqliteAuditSink>> SqliteAuditSink::Open(
    const std::string& path, const SqliteAuditSinkOptions& options) {
  constexpr std::uint64_t kPageBytes = 4096;
  constexpr std::uint64_t kBytesMin = std::uint64_t{1} << 20U;
  constexpr std::uint64_t kBytesMax = std::uint64_t{1} << 40U;
  if (options.file_bytes_max != 0 &&
      (options.file_bytes_max < kBytesMin || options.file_bytes_max > kBytesMax)) {
    return InvalidArgument("file_bytes_max is " + std::to_string(options.file_bytes_max) +
                           "; it must be 0, or " + std::to_string(kBytesMin) + " to " +
                           std::to_string(kBytesMax));
  }
  const SqliteOptions sqlite_options{
      .synchronous = options.power_loss ? SqliteOptions::Synchronous::kFull
                                        : SqliteOptions::Synchronous::kNormal,
      .busy_timeout = options.busy_timeout,
      .pages_max = static_cast<std::int64_t>(options.file_bytes_max / kPageBytes)};
  UNDERSTUDY_ASSIGN_OR_RETURN(SqliteDatabase sqlite,
                              SqliteDatabase::Open(path, sqlite_options, kMigrations));
  UNDERSTUDY_RETURN_IF_ERROR(sqlite.Prepare(kStatements));
  auto database = std::make_unique<Database>(std::move(sqlite));
  // Not make_unique: the constructor is private.
  return std::unique_ptr<SqliteAuditSink>(new SqliteAuditSink(std::move(database)));
}

SqliteAuditSink::SqliteAuditSink(std::unique_ptr<Database> database)
    : database_(std::move(database)) {}

SqliteAuditSink::~SqliteAuditSink() = default;

Result<void> SqliteAuditSink::Append(std::span<const AuditEntry> batch) {
  UNDERSTUDY_RETURN_IF_ERROR(CheckAuditBatch(batch));
  const MutexLock lock(mutex_);
  return database_->Append(batch);
}

Result<std::vector<AuditEntry>> SqliteAuditSink::Find(const AuditQuery& query) {
  UNDERSTUDY_RETURN_IF_ERROR(CheckAuditQuery(query));
  const MutexLock lock(mutex_);
  return database_->Find(query);
}

Result<std::optional<AuditEntry>> SqliteAuditSink::Last() {
  const MutexLock lock(mutex_);
  return database_->Last();
}

Result<std::size_t> SqliteAuditSink::Retain(SystemTime, SystemTime before) {
  constexpr std::size_t kChunk = 1000;
  constexpr std::size_t kChunksMax = 10'000;  // The rest goes with the next call.
  std::size_t removed = 0;
  for (std::size_t i = 0; i < kChunksMax; ++i) {
    const MutexLock lock(mutex_);
    UNDERSTUDY_ASSIGN_OR_RETURN(const std::size_t count, database_->Remove(before, kChunk));
    removed += count;
    if (count < kChunk) break;
  }
  return removed;
}

}  // namespace understudy
