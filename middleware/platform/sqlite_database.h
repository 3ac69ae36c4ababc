// SqliteDatabase, SqliteQuery: one SQLite connection with cached statements and errors as values.
// An internal part of the SQLite stores.
//
//   SqliteQuery query = database.Query(kFindRow);
//   query.Text(key);
//   UNDERSTUDY_ASSIGN_OR_RETURN(const bool found, query.Step());
//   if (found) return query.IntegerAt(0);
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <sqlite3.h>

#include "middleware/base/function_ref.h"
#include "middleware/base/result.h"
#include "middleware/base/time.h"

namespace understudy::internal {

// One execution of a cached statement: bind the parameters in order, then step. Ends with the
// object. Bound views must stay valid until then.
class SqliteQuery {
 public:
  SqliteQuery(sqlite3* connection, sqlite3_stmt* statement)
      : connection_(connection), statement_(statement) {}
  ~SqliteQuery();
  SqliteQuery(const SqliteQuery&) = delete;
  SqliteQuery& operator=(const SqliteQuery&) = delete;

  SqliteQuery& Text(std::string_view value);
  SqliteQuery& Blob(std::string_view value);
  SqliteQuery& Integer(std::int64_t value);
  SqliteQuery& Time(SystemTime value) { return Integer(value.time_since_epoch().count()); }
  SqliteQuery& Null();

  // True if there is a row to read, false at the end.
  Result<bool> Step();
  // Steps to the end, which is where a statement outside of a transaction commits.
  Result<void> Run();

  std::string BytesAt(int column) const;  // Text or blob; empty for NULL.
  std::int64_t IntegerAt(int column) const { return sqlite3_column_int64(statement_, column); }
  SystemTime TimeAt(int column) const { return SystemTime(Duration(IntegerAt(column))); }
  bool IsNullAt(int column) const { return sqlite3_column_type(statement_, column) == SQLITE_NULL; }

 private:
  sqlite3* connection_;
  sqlite3_stmt* statement_;
  int parameters_ = 0;
  int bind_status_ = SQLITE_OK;
};

struct SqliteOptions {
  // What a commit waits for. kFull survives a power failure; kNormal survives a crash of the
  // process only.
  enum class Synchronous { kFull, kNormal };

  Synchronous synchronous = Synchronous::kFull;
  Duration busy_timeout =
      std::chrono::seconds(5);  // How long to wait for another connection's write.
  // A commit that leaves at least so many pages in the write-ahead log moves them to the database
  // file, which takes two syncs and more; 0: the owner calls Checkpoint.
  int checkpoint_pages = 1000;
  // The file grows to at most so many pages (of 4096 bytes); then writes fail with "full". 0: no
  // bound but the disk's.
  std::int64_t pages_max = 0;
};

// Errors are kStorage with SQLite's message and never hold a bound value. Reasons: "busy" (another
// connection writes for longer than busy_timeout), "full", "corrupt", "schema" (written by a newer
// program), otherwise empty.
//
// Not thread-safe: the owner guards it.
class SqliteDatabase {
 public:
  // Opens or creates `path` (":memory:" for a private one) in WAL mode, and brings its schema from
  // PRAGMA user_version to `migrations.size()` by running the missing ones in one transaction.
  static Result<SqliteDatabase> Open(const std::string& path, const SqliteOptions& options,
                                     std::span<const char* const> migrations);

  // Another connection to a file that is open already, to call Checkpoint on; no schema is touched.
  static Result<SqliteDatabase> OpenBeside(const std::string& path, const SqliteOptions& options);

  // Compiles statements, addressed by their index in Query().
  Result<void> Prepare(std::span<const char* const> statements);
  SqliteQuery Query(std::size_t index) {
    return SqliteQuery(connection_.get(), statements_[index].get());
  }

  // Runs `work` between BEGIN IMMEDIATE and COMMIT, or ROLLBACK if it or the commit fails.
  Result<void> InTransaction(FunctionRef<Result<void>()> work);

  // As InTransaction, but the commit does not wait for the disk: after a loss of power, but not
  // after a crash of the process, it may be undone, together with everything after it. The next
  // commit that does wait makes it durable too.
  Result<void> InUnsyncedTransaction(FunctionRef<Result<void>()> work);

  // Moves what the write-ahead log holds to the database file, as far as other connections let it;
  // never waits for them. True if that was everything, so that the log starts anew.
  Result<bool> Checkpoint();
  // Pages in the log after the last commit of this connection. Thread-safe, unlike the rest.
  int log_pages() const { return log_pages_->load(std::memory_order_relaxed); }

  // Rows changed by the last INSERT or UPDATE.
  std::int64_t changes() const { return sqlite3_changes64(connection_.get()); }

 private:
  struct Close {
    void operator()(sqlite3* connection) const { sqlite3_close_v2(connection); }
  };
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
  };
  using Statement = std::unique_ptr<sqlite3_stmt, Finalize>;

  explicit SqliteDatabase(sqlite3* connection) : connection_(connection) {}

  static Result<SqliteDatabase> Connect(const std::string& path, const SqliteOptions& options);

  using Synchronous = SqliteOptions::Synchronous;

  Result<void> Execute(const std::string& sql);
  Result<void> RunTransaction(FunctionRef<Result<void>()> work);
  Result<void> WaitForDisk(Synchronous wanted);
  Result<Statement> Compile(const char* sql);
  Result<void> Configure(const SqliteOptions& options);
  Result<void> SwitchToWal(Duration patience);
  Result<void> Migrate(std::span<const char* const> migrations);

  // At an address that stays: SQLite's hook keeps it. Before the connection, which it outlives.
  std::unique_ptr<std::atomic<int>> log_pages_ = std::make_unique<std::atomic<int>>(0);
  Synchronous synchronous_ = Synchronous::kFull;  // As configured.
  Synchronous current_ = Synchronous::kFull;
  std::unique_ptr<sqlite3, Close> connection_;
  std::vector<Statement> statements_;
};

}  // namespace understudy::internal
