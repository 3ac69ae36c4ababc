// PostgresDatabase, PostgresQuery: one connection to a PostgreSQL server with prepared statements,
// migrations and errors as values. An internal part of the PostgreSQL stores.
//
//   UNDERSTUDY_ASSIGN_OR_RETURN(auto database, PostgresDatabase::Open(conninfo, {}));
//   UNDERSTUDY_RETURN_IF_ERROR(database.Migrate("tokens", kMigrations));
//   database.SetStatements(kStatements);
//   PostgresQuery query = database.Query(kFindRow);
//   query.Text(key);
//   UNDERSTUDY_ASSIGN_OR_RETURN(const bool found, query.Step());
//   if (found) return query.IntegerAt(0);
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <libpq-fe.h>

#include "middleware/base/function_ref.h"
#include "middleware/base/result.h"
#include "middleware/base/time.h"

namespace understudy::internal {

class PostgresDatabase;

// One execution of a statement ($1, $2, ...): bind the parameters in order, then step. The first
// step runs the statement and takes over its whole result: give a query that may find many rows a
// LIMIT. Bound views must stay valid until then. Parameters and results travel in binary form, so
// that any byte is exact (but PostgreSQL refuses a text with a NUL or that is not UTF-8: use Blob).
//
// A parameter's type is the one it is bound with at the statement's first execution on a
// connection; bound as Null then, the server infers it.
class PostgresQuery {
 public:
  static constexpr std::size_t kParametersMax = 24;

  PostgresQuery(PostgresDatabase& database, std::size_t statement)
      : database_(&database), statement_(statement) {}
  PostgresQuery(const PostgresQuery&) = delete;
  PostgresQuery& operator=(const PostgresQuery&) = delete;

  PostgresQuery& Text(std::string_view value);  // text
  PostgresQuery& Blob(std::string_view value);  // bytea
  PostgresQuery& Integer(std::int64_t value);   // bigint
  PostgresQuery& Time(SystemTime value) {       // bigint, nanoseconds since 1970 UTC
    return Integer(value.time_since_epoch().count());
  }
  PostgresQuery& Null();
  // One array parameter, e.g. for unnest($1::bytea[]). The values are copied.
  PostgresQuery& Blobs(std::span<const std::string_view> values);  // bytea[]
  PostgresQuery& Integers(std::span<const std::int64_t> values);   // bigint[]

  // True if there is a row to read, false at the end.
  Result<bool> Step();
  // Steps to the end.
  Result<void> Run();
  // Rows that an INSERT, UPDATE or DELETE has changed; after a step.
  std::int64_t changes() const;

  std::string BytesAt(int column) const;     // text or bytea; empty for NULL.
  std::int64_t IntegerAt(int column) const;  // smallint, integer, bigint, boolean; 0 for NULL.
  SystemTime TimeAt(int column) const { return SystemTime(Duration(IntegerAt(column))); }
  bool IsNullAt(int column) const;

 private:
  friend class PostgresDatabase;
  struct Clear {
    void operator()(PGresult* result) const { PQclear(result); }
  };

  PostgresQuery& Bind(Oid type, const char* data, std::size_t size);
  PostgresQuery& BindArray(Oid element, std::vector<char> encoded);

  PostgresDatabase* database_;
  std::size_t statement_;
  std::size_t parameters_ = 0;
  bool too_many_ = false;
  bool too_long_ = false;
  std::array<Oid, kParametersMax> types_ = {};
  std::array<const char*, kParametersMax> values_ = {};
  std::array<int, kParametersMax> lengths_ = {};
  std::array<std::array<char, 8>, kParametersMax> integers_ = {};  // Network byte order.
  std::vector<std::unique_ptr<std::vector<char>>> arrays_ = {};
  std::unique_ptr<PGresult, Clear> result_ = {};
  int row_ = -1;
};

struct PostgresOptions {
  // For connecting, the start-up of the session included. Resolving a host name may take longer:
  // give an address, or bound the resolver.
  Duration connect_timeout = std::chrono::seconds(5);
  // The server ends a statement, or its wait for a lock, after this; at least 1 ms. If not even its
  // answer comes within kAnswerGrace more, the connection is given up.
  Duration statement_timeout = std::chrono::seconds(5);
  // Instead of statement_timeout while a schema is migrated.
  Duration migration_timeout = std::chrono::minutes(5);
  // Where the tables are; made by Migrate if it does not exist. Empty: the role's search_path.
  std::string schema = {};
};

// Errors are kStorage, with SQLSTATE, and never hold a bound value, nor the connection string.
// Reasons:
//   "gone"          no connection, or it was lost: a statement or commit under way may have
//                   happened. The next statement connects again.
//   "busy"          a lock or the server was not free within statement_timeout, or it has no
//                   connection left
//   "serialization" another transaction was in the way (40001, 40P01): run it again
//   "full"          the server's disk or memory is
//   "too-large"     a value or key exceeds a limit of the server (54xxx), e.g. 2,700 bytes in an
//                   index
//   "exists"        a unique constraint is violated; "constraint": another one
//   "denied"        the role may not, or the login was refused
//   "read-only"     the server is a standby
//   "corrupt"       its files are damaged
//   "schema"        written by a newer program
//                   otherwise empty
//
// A connection that was lost is made anew by the next statement outside of a transaction, once,
// within connect_timeout; one that the server has closed while it was idle is noticed before a
// statement is sent. Sets session state: behind PgBouncer, use its session pooling.
//
// Not thread-safe: the owner guards it, or borrows it from a PostgresPool.
class PostgresDatabase {
 public:
  static constexpr Duration kAnswerGrace = std::chrono::seconds(2);

  // Connects. `conninfo`: a URI or key=value pairs (postgresql.org/docs/15, 34.1.1); it may hold a
  // password, which appears in no error. A session that has synchronous_commit = off is set to on:
  // what was answered as stored must be.
  static Result<PostgresDatabase> Open(std::string conninfo, PostgresOptions options);

  // Brings the schema of `component` (a name of this library's, e.g. "webhook") from its version in
  // the table understudy_migrations to `migrations.size()` by running the missing ones in one
  // transaction, under an advisory lock, so that several processes may start at once. Without
  // missing ones nothing but SELECT is needed, so that the role need not own the tables. "schema"
  // if the version is newer than this program.
  Result<void> Migrate(std::string_view component, std::span<const char* const> migrations);

  // The statements that Query addresses by their index; prepared at their first use on each
  // connection. The texts must be literals.
  void SetStatements(std::span<const char* const> statements);
  PostgresQuery Query(std::size_t index) { return PostgresQuery(*this, index); }

  // Runs `work` between BEGIN and COMMIT, or ROLLBACK if it or the commit fails. READ COMMITTED
  // unless `serializable`. Not nested.
  Result<void> InTransaction(FunctionRef<Result<void>()> work, bool serializable = false);

  // Runs SQL without parameters, several statements if separated by ";", which then are one
  // transaction of their own.
  Result<void> Execute(const std::string& sql);

  // False after a connection was lost and before the next statement.
  bool connected() const { return connection_ != nullptr; }

 private:
  friend class PostgresQuery;
  using PgResult = std::unique_ptr<PGresult, PostgresQuery::Clear>;

  struct Finish {
    void operator()(PGconn* connection) const { PQfinish(connection); }
  };

  PostgresDatabase(std::string conninfo, PostgresOptions options)
      : conninfo_(std::move(conninfo)), options_(std::move(options)) {}

  Result<void> Connect();
  Result<void> AwaitConnected(TimePoint deadline);
  Result<void> StartSession(TimePoint deadline);
  // Connects if there is no living connection. In a transaction a lost one stays lost.
  Result<void> EnsureConnected();
  Result<PgResult> RunPrepared(PostgresQuery& query);
  Result<void> PrepareStatement(const PostgresQuery& query);
  // Waits for what was sent; the last result, or the first error. Without a deadline: for as long
  // as a statement may take.
  Result<PgResult> Await(int sent);
  Result<PgResult> Await(int sent, TimePoint deadline);
  Result<void> AwaitAnswer(TimePoint deadline);
  Result<PgResult> RunText(const std::string& sql);
  Result<void> Commit();
  Result<std::int64_t> VersionOf(std::string_view component);
  Result<void> RunMigrations(std::string_view component, std::span<const char* const> migrations);
  Error Lost(std::string_view what);

  std::string conninfo_;
  PostgresOptions options_;
  Duration timeout_ = options_.statement_timeout;  // Of the statement that runs.
  std::vector<const char*> statements_ = {};
  std::vector<bool> prepared_ = {};  // On this connection.
  bool in_transaction_ = false;
  std::unique_ptr<PGconn, Finish> connection_ = {};
};

}  // namespace understudy::internal
