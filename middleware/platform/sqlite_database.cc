#include "middleware/platform/sqlite_database.h"

#include <algorithm>
#include <chrono>
#include <limits>
#include <utility>

namespace understudy::internal {
namespace {

using std::chrono::milliseconds;

std::string ReasonOf(int code) {
  switch (code & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return "busy";
    case SQLITE_FULL:
      return "full";
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return "corrupt";
    default:
      return "";
  }
}

Error SqliteError(sqlite3* connection, int code) {
  std::string message("sqlite: ");
  message.append(connection != nullptr ? sqlite3_errmsg(connection) : sqlite3_errstr(code));
  message.append(" (").append(std::to_string(code)).append(")");
  return Error{
      .code = ErrorCode::kStorage, .message = std::move(message), .reason = ReasonOf(code)};
}

// SQLite takes a null pointer for NULL; an empty view is an empty value.
const char* DataOf(std::string_view value) { return value.data() == nullptr ? "" : value.data(); }

int ToMilliseconds(Duration duration) {
  const auto rounded = std::chrono::ceil<milliseconds>(duration).count();
  return static_cast<int>(
      std::clamp<milliseconds::rep>(rounded, 0, std::numeric_limits<int>::max()));
}

}  // namespace

SqliteQuery::~SqliteQuery() {
  sqlite3_reset(statement_);
  sqlite3_clear_bindings(statement_);
}

SqliteQuery& SqliteQuery::Text(std::string_view value) {
  bind_status_ |= sqlite3_bind_text64(statement_, ++parameters_, DataOf(value), value.size(),
                                      nullptr, SQLITE_UTF8);
  return *this;
}

SqliteQuery& SqliteQuery::Blob(std::string_view value) {
  bind_status_ |=
      sqlite3_bind_blob64(statement_, ++parameters_, DataOf(value), value.size(), nullptr);
  return *this;
}

SqliteQuery& SqliteQuery::Integer(std::int64_t value) {
  bind_status_ |= sqlite3_bind_int64(statement_, ++parameters_, value);
  return *this;
}

SqliteQuery& SqliteQuery::Null() {
  bind_status_ |= sqlite3_bind_null(statement_, ++parameters_);
  return *this;
}

Result<bool> SqliteQuery::Step() {
  if (bind_status_ != SQLITE_OK) return SqliteError(connection_, bind_status_);
  const int code = sqlite3_step(statement_);
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  return SqliteError(connection_, code);
}

Result<void> SqliteQuery::Run() {
  for (;;) {
    UNDERSTUDY_ASSIGN_OR_RETURN(const bool row, Step());
    if (!row) return {};
  }
}

std::string SqliteQuery::BytesAt(int column) const {
  // The order matters: the size is that of the form last asked for
  // (sqlite.org/c3ref/column_blob.html).
  const void* const data = sqlite3_column_blob(statement_, column);
  const int size = sqlite3_column_bytes(statement_, column);
  if (data == nullptr) return {};
  return std::string(static_cast<const char*>(data), static_cast<std::size_t>(size));
}

Result<SqliteDatabase> SqliteDatabase::Connect(const std::string& path,
                                               const SqliteOptions& options) {
  constexpr int kFlags =
      SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
  sqlite3* connection = nullptr;
  const int code = sqlite3_open_v2(path.c_str(), &connection, kFlags, nullptr);
  SqliteDatabase database(connection);  // Also owns a connection that failed to open.
  if (code != SQLITE_OK) {
    Error error = SqliteError(connection, code);
    error.message.append(", opening ").append(path);
    return error;
  }
  UNDERSTUDY_RETURN_IF_ERROR(database.Configure(options));
  return database;
}

Result<SqliteDatabase> SqliteDatabase::Open(const std::string& path, const SqliteOptions& options,
                                            std::span<const char* const> migrations) {
  UNDERSTUDY_ASSIGN_OR_RETURN(SqliteDatabase database, Connect(path, options));
  UNDERSTUDY_RETURN_IF_ERROR(database.Migrate(migrations));
  return database;
}

Result<SqliteDatabase> SqliteDatabase::OpenBeside(const std::string& path,
                                                  const SqliteOptions& options) {
  return Connect(path, options);
}

Result<void> SqliteDatabase::Execute(const std::string& sql) {
  const int code = sqlite3_exec(connection_.get(), sql.c_str(), nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) return SqliteError(connection_.get(), code);
  return {};
}

Result<SqliteDatabase::Statement> SqliteDatabase::Compile(const char* sql) {
  sqlite3_stmt* compiled = nullptr;
  const int code =
      sqlite3_prepare_v3(connection_.get(), sql, -1, SQLITE_PREPARE_PERSISTENT, &compiled, nullptr);
  if (code != SQLITE_OK) return SqliteError(connection_.get(), code);
  return Statement(compiled);
}

Result<void> SqliteDatabase::Prepare(std::span<const char* const> statements) {
  for (const char* const sql : statements) {
    UNDERSTUDY_ASSIGN_OR_RETURN(Statement compiled, Compile(sql));
    statements_.push_back(std::move(compiled));
  }
  return {};
}

Result<void> SqliteDatabase::Configure(const SqliteOptions& options) {
  sqlite3_busy_timeout(connection_.get(), ToMilliseconds(options.busy_timeout));
  synchronous_ = options.synchronous;
  current_ = Synchronous::kFull;  // SQLite's default.
  UNDERSTUDY_RETURN_IF_ERROR(WaitForDisk(synchronous_));
  UNDERSTUDY_RETURN_IF_ERROR(SwitchToWal(options.busy_timeout));
  if (options.pages_max > 0) {
    UNDERSTUDY_RETURN_IF_ERROR(
        Execute("PRAGMA max_page_count = " + std::to_string(options.pages_max)));
  }
  if (options.checkpoint_pages > 0) {
    sqlite3_wal_autocheckpoint(connection_.get(), options.checkpoint_pages);
  } else {
    // Takes the place of SQLite's own hook, which checkpoints.
    sqlite3_wal_hook(
        connection_.get(),
        [](void* counter, sqlite3*, const char*, int pages) {
          static_cast<std::atomic<int>*>(counter)->store(pages, std::memory_order_relaxed);
          return SQLITE_OK;
        },
        log_pages_.get());
  }
  return Execute("PRAGMA trusted_schema = OFF");
}

// SQLite does not wait for a busy file here as it does elsewhere, so that two processes that open a
// new file at the same moment would fail.
Result<void> SqliteDatabase::SwitchToWal(Duration patience) {
  constexpr int kPauseMs = 5;
  const int tries_max = std::max(1, ToMilliseconds(patience) / kPauseMs);
  for (int tries = 1;; ++tries) {
    Result<void> switched = Execute("PRAGMA journal_mode = WAL");
    if (switched || switched.error().reason != "busy" || tries == tries_max) return switched;
    sqlite3_sleep(kPauseMs);
  }
}

Result<void> SqliteDatabase::Migrate(std::span<const char* const> migrations) {
  return InTransaction([&]() -> Result<void> {
    std::int64_t version = 0;
    {
      UNDERSTUDY_ASSIGN_OR_RETURN(const Statement statement, Compile("PRAGMA user_version"));
      SqliteQuery query(connection_.get(), statement.get());
      UNDERSTUDY_RETURN_IF_ERROR(query.Step());
      version = query.IntegerAt(0);
    }
    const auto newest = static_cast<std::int64_t>(migrations.size());
    if (version < 0 || version > newest) {
      return Error{.code = ErrorCode::kStorage,
                   .message = "the file has schema version " + std::to_string(version) +
                              ", this program knows " + std::to_string(newest) + ": update it",
                   .reason = "schema"};
    }
    if (version == newest) return {};
    for (const char* const sql : migrations.subspan(static_cast<std::size_t>(version))) {
      UNDERSTUDY_RETURN_IF_ERROR(Execute(sql));
    }
    return Execute("PRAGMA user_version = " + std::to_string(newest));
  });
}

Result<void> SqliteDatabase::InTransaction(FunctionRef<Result<void>()> work) {
  UNDERSTUDY_RETURN_IF_ERROR(WaitForDisk(synchronous_));
  return RunTransaction(work);
}

Result<void> SqliteDatabase::RunTransaction(FunctionRef<Result<void>()> work) {
  // IMMEDIATE: waits for the write lock now, instead of failing in the middle when another
  // connection has written.
  UNDERSTUDY_RETURN_IF_ERROR(Execute("BEGIN IMMEDIATE"));
  Result<void> done = work();
  if (done) done = Execute("COMMIT");
  // Some errors have rolled back on their own (sqlite.org/lang_transaction.html).
  if (!done && sqlite3_get_autocommit(connection_.get()) == 0) {
    static_cast<void>(Execute("ROLLBACK"));
  }
  return done;
}

Result<void> SqliteDatabase::InUnsyncedTransaction(FunctionRef<Result<void>()> work) {
  // Left so: each transaction says itself what its commit waits for.
  UNDERSTUDY_RETURN_IF_ERROR(WaitForDisk(Synchronous::kNormal));
  return RunTransaction(work);
}

Result<void> SqliteDatabase::WaitForDisk(Synchronous wanted) {
  if (wanted == current_) return {};
  UNDERSTUDY_RETURN_IF_ERROR(Execute(wanted == Synchronous::kFull ? "PRAGMA synchronous = FULL"
                                                                  : "PRAGMA synchronous = NORMAL"));
  current_ = wanted;
  return {};
}

Result<bool> SqliteDatabase::Checkpoint() {
  int pages = 0;
  int moved = 0;
  const int code = sqlite3_wal_checkpoint_v2(connection_.get(), nullptr, SQLITE_CHECKPOINT_PASSIVE,
                                             &pages, &moved);
  if (code != SQLITE_OK) return SqliteError(connection_.get(), code);
  const bool all = pages == moved;
  if (all) log_pages_->store(0, std::memory_order_relaxed);
  return all;
}

}  // namespace understudy::internal
