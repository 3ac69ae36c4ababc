#include "middleware/platform/postgres_database.h"

#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <limits>
#include <optional>
#include <utility>

#include "middleware/base/check.h"

namespace understudy::internal {
namespace {

using std::chrono::milliseconds;

// Type numbers are part of the protocol (catalog/pg_type.dat).
constexpr Oid kBytea = 17;
constexpr Oid kBigint = 20;
constexpr Oid kText = 25;
constexpr Oid kByteaArray = 1001;
constexpr Oid kBigintArray = 1016;

// Seen by every program that migrates a schema of this library in the same database.
constexpr const char* kMigrationLock = "SELECT pg_advisory_xact_lock(7310868735422755909)";

Error StorageError(std::string message, std::string_view reason) {
  return Error{
      .code = ErrorCode::kStorage, .message = std::move(message), .reason = std::string(reason)};
}

TimePoint Now() { return std::chrono::steady_clock::now(); }

// postgresql.org/docs/15/errcodes-appendix.html
std::string_view ReasonOf(std::string_view state) {
  struct Row {
    std::string_view prefix;
    std::string_view reason;
  };
  constexpr std::array<Row, 19> kRows = {{{"08", "gone"},
                                          {"57P0", "gone"},
                                          {"57014", "busy"},
                                          {"55P03", "busy"},
                                          {"53300", "busy"},
                                          {"40001", "serialization"},
                                          {"40P01", "serialization"},
                                          {"53100", "full"},
                                          {"53200", "full"},
                                          {"54", "too-large"},
                                          {"23505", "exists"},
                                          {"23", "constraint"},
                                          {"28", "denied"},
                                          {"42501", "denied"},
                                          {"3D", "denied"},
                                          {"25006", "read-only"},
                                          {"XX001", "corrupt"},
                                          {"XX002", "corrupt"},
                                          {"58", "full"}}};
  for (const Row& row : kRows) {
    if (state.starts_with(row.prefix)) return row.reason;
  }
  return {};
}

// The server's primary message quotes values in some classes of errors (data exceptions,
// constraints, what a trigger raises): told only for those that speak of the server, the session or
// the statement's text.
bool MessageHoldsNoValue(std::string_view state) {
  constexpr std::array<std::string_view, 11> kClasses = {"08", "25", "28", "3D", "40", "42",
                                                         "53", "55", "57", "58", "XX"};
  return std::any_of(kClasses.begin(), kClasses.end(),
                     [&](std::string_view prefix) { return state.starts_with(prefix); });
}

std::string OneLine(std::string_view text) {
  constexpr std::size_t kMax = 300;
  std::string line(text.substr(0, kMax));
  std::replace_if(
      line.begin(), line.end(), [](char c) { return c >= 0 && c < ' '; }, ' ');
  while (!line.empty() && line.back() == ' ') line.pop_back();
  return line;
}

Error ErrorOf(const PGresult* result) {
  const char* const field = PQresultErrorField(result, PG_DIAG_SQLSTATE);
  const std::string_view state = field != nullptr ? field : "";
  std::string message("postgres: ");
  const char* const text = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
  message.append(text != nullptr && MessageHoldsNoValue(state) ? OneLine(text)
                                                               : "the statement failed");
  message.append(" (SQLSTATE ").append(state).append(")");
  return StorageError(std::move(message), ReasonOf(state));
}

// The SQLSTATE of an error while connecting, which libpq tells in its text only: with
// PQERRORS_VERBOSE the first line is "[where it connected: ]SEVERITY:  STATE: message"
// (postgresql.org/docs/15/libpq-control.html; src/interfaces/libpq/fe-protocol3.c,
// pqBuildErrorMessage3). Severities are translated, two spaces are not. Empty if there is none: the
// server was not reached.
std::string_view StateOfConnectError(std::string_view text) {
  constexpr std::size_t kStateSize = 5;
  constexpr std::string_view kBefore = ":  ";
  text = text.substr(0, text.find('\n'));
  const std::size_t begin = text.find(kBefore);
  if (begin == std::string_view::npos) return {};
  text.remove_prefix(begin + kBefore.size());
  const std::string_view state = text.substr(0, kStateSize);
  const bool is_state = text.substr(state.size()).starts_with(':') &&
                        std::all_of(state.begin(), state.end(), [](char c) {
                          return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z');
                        });
  return is_state ? state : std::string_view();
}

std::string Milliseconds(Duration duration) {
  const auto rounded = std::chrono::ceil<milliseconds>(duration).count();
  return std::to_string(std::clamp<milliseconds::rep>(rounded, 1, 2'000'000'000));
}

enum class Readiness { kReady, kTimeout };

// Waits for the socket's I/O; the wait ends with the deadline.
Readiness AwaitSocket(int socket, bool write, TimePoint deadline) {
  for (;;) {
    const auto left = std::chrono::ceil<milliseconds>(deadline - Now());
    if (left <= milliseconds::zero()) return Readiness::kTimeout;
    const auto events = static_cast<short>(write ? POLLIN | POLLOUT : POLLIN);
    pollfd entry{.fd = socket, .events = events, .revents = 0};
    const int timeout = static_cast<int>(std::min<milliseconds::rep>(left.count(), 60'000));
    const int ready = poll(&entry, 1, timeout);
    if (ready > 0 || (ready < 0 && errno != EINTR)) return Readiness::kReady;
  }
}

template <typename T>
void PutBigEndian(char* target, T value) {
  for (std::size_t i = 0; i < sizeof(T); ++i) {
    const auto shift = 8 * (sizeof(T) - 1 - i);
    target[i] = static_cast<char>(
        static_cast<unsigned char>((static_cast<std::uint64_t>(value) >> shift) & 0xffU));
  }
}

template <typename T>
void AppendBigEndian(std::vector<char>& target, T value) {
  const std::size_t size = target.size();
  target.resize(size + sizeof(T));
  PutBigEndian(target.data() + size, value);
}

// The head of a one-dimensional array in binary form (src/backend/utils/adt/arrayfuncs.c,
// array_recv): dimensions, has-nulls, element type, length, lower bound.
std::vector<char> ArrayHead(Oid element, std::size_t length) {
  std::vector<char> encoded;
  AppendBigEndian(encoded, std::int32_t{1});
  AppendBigEndian(encoded, std::int32_t{0});
  AppendBigEndian(encoded, static_cast<std::int32_t>(element));
  AppendBigEndian(encoded, static_cast<std::int32_t>(length));
  AppendBigEndian(encoded, std::int32_t{1});
  return encoded;
}

constexpr auto kSizeMax = static_cast<std::size_t>(std::numeric_limits<int>::max());

}  // namespace

PostgresQuery& PostgresQuery::Bind(Oid type, const char* data, std::size_t size) {
  if (parameters_ == kParametersMax) {
    too_many_ = true;
    return *this;
  }
  if (size > kSizeMax) {
    too_long_ = true;
    size = 0;
  }
  types_[parameters_] = type;
  values_[parameters_] = data;
  lengths_[parameters_] = static_cast<int>(size);
  ++parameters_;
  return *this;
}

PostgresQuery& PostgresQuery::Text(std::string_view value) {
  return Bind(kText, value.data() == nullptr ? "" : value.data(), value.size());
}

PostgresQuery& PostgresQuery::Blob(std::string_view value) {
  return Bind(kBytea, value.data() == nullptr ? "" : value.data(), value.size());
}

PostgresQuery& PostgresQuery::Integer(std::int64_t value) {
  if (parameters_ == kParametersMax) return Bind(kBigint, nullptr, 0);
  std::array<char, 8>& bytes = integers_[parameters_];
  PutBigEndian(bytes.data(), value);
  return Bind(kBigint, bytes.data(), bytes.size());
}

PostgresQuery& PostgresQuery::Null() { return Bind(0, nullptr, 0); }

PostgresQuery& PostgresQuery::BindArray(Oid type, std::vector<char> encoded) {
  arrays_.push_back(std::make_unique<std::vector<char>>(std::move(encoded)));
  return Bind(type, arrays_.back()->data(), arrays_.back()->size());
}

PostgresQuery& PostgresQuery::Blobs(std::span<const std::string_view> values) {
  std::vector<char> encoded = ArrayHead(kBytea, values.size());
  for (const std::string_view value : values) {
    AppendBigEndian(encoded, static_cast<std::int32_t>(value.size()));
    encoded.insert(encoded.end(), value.begin(), value.end());
  }
  return BindArray(kByteaArray, std::move(encoded));
}

PostgresQuery& PostgresQuery::Integers(std::span<const std::int64_t> values) {
  std::vector<char> encoded = ArrayHead(kBigint, values.size());
  for (const std::int64_t value : values) {
    AppendBigEndian(encoded, std::int32_t{8});
    AppendBigEndian(encoded, value);
  }
  return BindArray(kBigintArray, std::move(encoded));
}

Result<bool> PostgresQuery::Step() {
  if (result_ == nullptr) {
    UNDERSTUDY_ASSIGN_OR_RETURN(result_, database_->RunPrepared(*this));
  }
  if (row_ < PQntuples(result_.get())) ++row_;
  return row_ < PQntuples(result_.get());
}

Result<void> PostgresQuery::Run() {
  UNDERSTUDY_RETURN_IF_ERROR(Step());
  row_ = PQntuples(result_.get());
  return {};
}

std::int64_t PostgresQuery::changes() const {
  if (result_ == nullptr) return 0;
  const std::string_view text = PQcmdTuples(result_.get());
  std::int64_t count = 0;
  for (const char c : text) count = count * 10 + (c - '0');
  return count;
}

std::string PostgresQuery::BytesAt(int column) const {
  UNDERSTUDY_CHECK(result_ != nullptr, "a column is read before Step");
  const char* const data = PQgetvalue(result_.get(), row_, column);
  if (data == nullptr) return {};
  return std::string(data, static_cast<std::size_t>(PQgetlength(result_.get(), row_, column)));
}

std::int64_t PostgresQuery::IntegerAt(int column) const {
  UNDERSTUDY_CHECK(result_ != nullptr, "a column is read before Step");
  const char* const data = PQgetvalue(result_.get(), row_, column);
  const int size = PQgetlength(result_.get(), row_, column);
  if (data == nullptr || size <= 0 || size > 8) return 0;
  // Sign-extends from the first byte; a boolean is one byte, 0 or 1.
  std::uint64_t bits = static_cast<signed char>(data[0]) < 0 ? ~std::uint64_t{0} : 0;
  for (int i = 0; i < size; ++i) bits = (bits << 8U) | static_cast<unsigned char>(data[i]);
  return static_cast<std::int64_t>(bits);
}

bool PostgresQuery::IsNullAt(int column) const {
  UNDERSTUDY_CHECK(result_ != nullptr, "a column is read before Step");
  return PQgetisnull(result_.get(), row_, column) != 0;
}

Result<PostgresDatabase> PostgresDatabase::Open(std::string conninfo, PostgresOptions options) {
  if (options.connect_timeout <= Duration::zero() ||
      options.statement_timeout <= Duration::zero() ||
      options.migration_timeout <= Duration::zero()) {
    return InvalidArgument("the timeouts of a PostgreSQL connection must be longer than zero");
  }
  PostgresDatabase database(std::move(conninfo), std::move(options));
  UNDERSTUDY_RETURN_IF_ERROR(database.Connect());
  return database;
}

Error PostgresDatabase::Lost(std::string_view what) {
  // libpq's message names host and port, the server's last words or the system's error; no values.
  std::string message("postgres: ");
  message.append(what);
  if (connection_ != nullptr)
    message.append(": ").append(OneLine(PQerrorMessage(connection_.get())));
  connection_.reset();
  return StorageError(std::move(message), "gone");
}

Result<void> PostgresDatabase::Connect() {
  connection_.reset();
  prepared_.assign(statements_.size(), false);
  // What libpq says about a string it cannot read may quote the password in it.
  char* problem = nullptr;
  PQconninfoOption* const parsed = PQconninfoParse(conninfo_.c_str(), &problem);
  PQfreemem(problem);
  if (parsed == nullptr) {
    return InvalidArgument(
        "the PostgreSQL connection string is neither a postgresql:// URI nor key=value pairs");
  }
  PQconninfoFree(parsed);
  const std::string patience =
      Milliseconds(SaturatingAdd(options_.statement_timeout, kAnswerGrace));
  // What stands before the string is a default, what stands after it overrides.
  const std::array<const char*, 5> names = {"fallback_application_name", "tcp_user_timeout",
                                            "dbname", "client_encoding", nullptr};
  const std::array<const char*, 5> values = {"understudy", patience.c_str(), conninfo_.c_str(),
                                             "UTF8", nullptr};
  const TimePoint deadline = SaturatingAdd(Now(), options_.connect_timeout);
  connection_.reset(PQconnectStartParams(names.data(), values.data(), /*expand_dbname=*/1));
  if (connection_ == nullptr) return StorageError("postgres: out of memory", "gone");
  // Else the SQLSTATE of a refusal would be nowhere.
  const PGVerbosity verbosity = PQsetErrorVerbosity(connection_.get(), PQERRORS_VERBOSE);
  UNDERSTUDY_RETURN_IF_ERROR(AwaitConnected(deadline));
  PQsetErrorVerbosity(connection_.get(), verbosity);
  return StartSession(deadline);
}

Result<void> PostgresDatabase::AwaitConnected(TimePoint deadline) {
  // libpq wants to write first (postgresql.org/docs/15, PQconnectStartParams).
  PostgresPollingStatusType wants = PGRES_POLLING_WRITING;
  if (PQstatus(connection_.get()) == CONNECTION_BAD) wants = PGRES_POLLING_FAILED;
  while (wants == PGRES_POLLING_WRITING || wants == PGRES_POLLING_READING) {
    const bool write = wants == PGRES_POLLING_WRITING;
    const int socket = PQsocket(connection_.get());
    if (AwaitSocket(socket, write, deadline) == Readiness::kTimeout) {
      connection_.reset();
      return StorageError("postgres: no connection within connect_timeout", "gone");
    }
    wants = PQconnectPoll(connection_.get());
  }
  if (wants == PGRES_POLLING_OK) return {};
  const std::string_view reason = ReasonOf(StateOfConnectError(PQerrorMessage(connection_.get())));
  Error error = Lost("cannot connect");
  if (!reason.empty()) error.reason = reason;
  return error;
}

Result<void> PostgresDatabase::StartSession(TimePoint deadline) {
  PQsetnonblocking(connection_.get(), 1);
  // Notices would go to stderr.
  PQsetNoticeReceiver(
      connection_.get(), [](void*, const PGresult*) {}, nullptr);
  const std::string timeout = Milliseconds(options_.statement_timeout);
  std::string sql =
      "SET statement_timeout = " + timeout + "; SET lock_timeout = " + timeout +
      "; SET idle_in_transaction_session_timeout = " + Milliseconds(options_.migration_timeout) +
      "; SELECT set_config('synchronous_commit', 'on', false) "
      "WHERE current_setting('synchronous_commit') = 'off'";
  if (!options_.schema.empty()) {
    char* const quoted =
        PQescapeIdentifier(connection_.get(), options_.schema.data(), options_.schema.size());
    if (quoted == nullptr) return Lost("the schema's name cannot be used");
    sql.append("; SET search_path = ").append(quoted);
    PQfreemem(quoted);
  }
  const auto started = Await(PQsendQuery(connection_.get(), sql.c_str()), deadline);
  if (!started) {
    connection_.reset();  // A session without its timeouts must not be used.
    return started.error();
  }
  return {};
}

Result<void> PostgresDatabase::EnsureConnected() {
  if (connection_ != nullptr) {
    // An idle connection has nothing to say but that it ends, or that a setting has changed.
    const int socket = PQsocket(connection_.get());
    pollfd entry{.fd = socket, .events = POLLIN, .revents = 0};
    if (poll(&entry, 1, 0) == 0) return {};
    // Not read to be sure: the farewell of a server can come some time before the end of the
    // stream.
    connection_.reset();
  }
  if (in_transaction_) {
    return StorageError("postgres: the connection was lost within the transaction", "gone");
  }
  return Connect();
}

Result<void> PostgresDatabase::AwaitAnswer(TimePoint deadline) {
  for (;;) {
    const int unsent = PQflush(connection_.get());
    if (unsent < 0) return Lost("the connection was lost");
    if (unsent == 0 && PQisBusy(connection_.get()) == 0) return {};
    const bool write = unsent > 0;
    if (AwaitSocket(PQsocket(connection_.get()), write, deadline) == Readiness::kTimeout) {
      connection_.reset();
      return StorageError("postgres: the server has not answered; what was sent may still happen",
                          "gone");
    }
    if (PQconsumeInput(connection_.get()) == 0) return Lost("the connection was lost");
  }
}

Result<PostgresDatabase::PgResult> PostgresDatabase::Await(int sent) {
  return Await(sent, SaturatingAdd(Now(), SaturatingAdd(timeout_, kAnswerGrace)));
}

Result<PostgresDatabase::PgResult> PostgresDatabase::Await(int sent, TimePoint deadline) {
  if (sent == 0) return Lost("nothing could be sent");
  PgResult last;
  std::optional<Error> failed;
  for (;;) {
    UNDERSTUDY_RETURN_IF_ERROR(AwaitAnswer(deadline));
    PgResult result(PQgetResult(connection_.get()));
    if (result == nullptr) break;
    const ExecStatusType status = PQresultStatus(result.get());
    const bool good = status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK;
    if (!good && PQstatus(connection_.get()) != CONNECTION_OK) {
      const Error error = ErrorOf(result.get());
      Error lost = Lost("the connection was lost");
      if (error.reason == "gone") lost.message = error.message;
      return lost;
    }
    if (!good && !failed) failed = ErrorOf(result.get());
    last = std::move(result);
  }
  if (failed) {
    // The server ends the session after these.
    if (failed->reason == "gone") connection_.reset();
    return *std::move(failed);
  }
  if (last == nullptr) return StorageError("postgres: there is no statement", "");
  return last;
}

Result<PostgresDatabase::PgResult> PostgresDatabase::RunText(const std::string& sql) {
  return Await(PQsendQuery(connection_.get(), sql.c_str()));
}

Result<void> PostgresDatabase::Execute(const std::string& sql) {
  UNDERSTUDY_RETURN_IF_ERROR(EnsureConnected());
  UNDERSTUDY_RETURN_IF_ERROR(RunText(sql));
  return {};
}

void PostgresDatabase::SetStatements(std::span<const char* const> statements) {
  statements_.assign(statements.begin(), statements.end());
  prepared_.assign(statements_.size(), false);
}

Result<void> PostgresDatabase::PrepareStatement(const PostgresQuery& query) {
  const std::string name = "s" + std::to_string(query.statement_);
  const auto prepared =
      Await(PQsendPrepare(connection_.get(), name.c_str(), statements_[query.statement_],
                          static_cast<int>(query.parameters_), query.types_.data()));
  if (!prepared) return prepared.error();
  prepared_[query.statement_] = true;
  return {};
}

Result<PostgresDatabase::PgResult> PostgresDatabase::RunPrepared(PostgresQuery& query) {
  UNDERSTUDY_CHECK(query.statement_ < statements_.size(), "there is no statement of this index");
  UNDERSTUDY_CHECK(!query.too_many_, "a statement has more than kParametersMax parameters");
  if (query.too_long_) return InvalidArgument("a value for PostgreSQL is longer than 2 GiB");
  UNDERSTUDY_RETURN_IF_ERROR(EnsureConnected());
  if (!prepared_[query.statement_]) UNDERSTUDY_RETURN_IF_ERROR(PrepareStatement(query));
  constexpr auto kAllBinary = [] {
    std::array<int, PostgresQuery::kParametersMax> formats = {};
    formats.fill(1);
    return formats;
  }();
  const std::string name = "s" + std::to_string(query.statement_);
  return Await(PQsendQueryPrepared(connection_.get(), name.c_str(),
                                   static_cast<int>(query.parameters_), query.values_.data(),
                                   query.lengths_.data(), kAllBinary.data(), /*resultFormat=*/1));
}

Result<void> PostgresDatabase::Commit() {
  UNDERSTUDY_RETURN_IF_ERROR(EnsureConnected());
  UNDERSTUDY_ASSIGN_OR_RETURN(const PgResult result, RunText("COMMIT"));
  // A transaction in which a statement has failed is rolled back, which is not an error to the
  // server.
  if (std::string_view(PQcmdStatus(result.get())) == "COMMIT") return {};
  return StorageError("postgres: the transaction was rolled back, a statement in it had failed",
                      "");
}

Result<void> PostgresDatabase::InTransaction(FunctionRef<Result<void>()> work, bool serializable) {
  UNDERSTUDY_CHECK(!in_transaction_, "a transaction of PostgresDatabase is nested");
  UNDERSTUDY_RETURN_IF_ERROR(
      Execute(serializable ? "BEGIN ISOLATION LEVEL SERIALIZABLE" : "BEGIN"));
  in_transaction_ = true;
  Result<void> done = work();
  if (done) done = Commit();
  const bool open =
      connection_ != nullptr && PQtransactionStatus(connection_.get()) != PQTRANS_IDLE;
  if (!done && open && !Execute("ROLLBACK")) connection_.reset();
  in_transaction_ = false;
  return done;
}

Result<std::int64_t> PostgresDatabase::VersionOf(std::string_view component) {
  UNDERSTUDY_ASSIGN_OR_RETURN(const PgResult table,
                              RunText("SELECT to_regclass('understudy_migrations') IS NOT NULL"));
  if (std::string_view(PQgetvalue(table.get(), 0, 0)) != "t") return std::int64_t{0};
  UNDERSTUDY_ASSIGN_OR_RETURN(
      const PgResult found,
      RunText("SELECT coalesce((SELECT version FROM understudy_migrations WHERE component = '" +
              std::string(component) + "'), 0)"));
  return std::int64_t{std::atoll(PQgetvalue(found.get(), 0, 0))};
}

Result<void> PostgresDatabase::Migrate(std::string_view component,
                                       std::span<const char* const> migrations) {
  const bool plain =
      !component.empty() && std::all_of(component.begin(), component.end(),
                                        [](char c) { return (c >= 'a' && c <= 'z') || c == '_'; });
  UNDERSTUDY_CHECK(plain, "a component that migrates is named with letters a-z and _");
  UNDERSTUDY_RETURN_IF_ERROR(EnsureConnected());
  UNDERSTUDY_ASSIGN_OR_RETURN(const std::int64_t version, VersionOf(component));
  if (version == static_cast<std::int64_t>(migrations.size())) return {};
  timeout_ = options_.migration_timeout;
  const auto migrated = InTransaction([&] { return RunMigrations(component, migrations); });
  timeout_ = options_.statement_timeout;
  return migrated;
}

Result<void> PostgresDatabase::RunMigrations(std::string_view component,
                                             std::span<const char* const> migrations) {
  const std::string timeout = Milliseconds(options_.migration_timeout);
  UNDERSTUDY_RETURN_IF_ERROR(Execute("SET LOCAL statement_timeout = " + timeout +
                                     "; SET LOCAL lock_timeout = " + timeout));
  UNDERSTUDY_RETURN_IF_ERROR(Execute(kMigrationLock));
  if (!options_.schema.empty()) {
    UNDERSTUDY_RETURN_IF_ERROR(
        Execute("DO $$ BEGIN IF current_schema() IS NULL THEN EXECUTE 'CREATE SCHEMA ' || "
                "current_setting('search_path'); END IF; END $$"));
  }
  // Again, now that nobody else migrates.
  UNDERSTUDY_ASSIGN_OR_RETURN(const std::int64_t version, VersionOf(component));
  const auto newest = static_cast<std::int64_t>(migrations.size());
  if (version < 0 || version > newest) {
    return StorageError("the database has schema version " + std::to_string(version) + " of \"" +
                            std::string(component) + "\", this program knows " +
                            std::to_string(newest) + ": update it",
                        "schema");
  }
  if (version == newest) return {};
  UNDERSTUDY_RETURN_IF_ERROR(
      Execute("CREATE TABLE IF NOT EXISTS understudy_migrations "
              "(component text PRIMARY KEY, version bigint NOT NULL)"));
  for (const char* const sql : migrations.subspan(static_cast<std::size_t>(version))) {
    UNDERSTUDY_RETURN_IF_ERROR(Execute(sql));
  }
  return Execute("INSERT INTO understudy_migrations VALUES ('" + std::string(component) + "', " +
                 std::to_string(newest) +
                 ") ON CONFLICT (component) DO UPDATE SET version = excluded.version");
}

}  // namespace understudy::internal
