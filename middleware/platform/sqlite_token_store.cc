#include "middleware/platform/sqlite_token_store.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <utility>

#include "middleware/platform/sqlite_database.h"

namespace understudy {
namespace {

using internal::SqliteDatabase;
using internal::SqliteOptions;
using internal::SqliteQuery;

// Texts are blobs: a vendor's scope or a key may hold any bytes, and blobs are ordered by their
// bytes. Times are nanoseconds since 1970 (UTC). A lease that was given back keeps its row, so that
// the fence goes on growing.
constexpr std::array<const char*, 1> kMigrations = {R"sql(
CREATE TABLE oauth_tokens (
  key           BLOB    PRIMARY KEY,
  version       INTEGER NOT NULL,
  access_token  BLOB    NOT NULL,
  refresh_token BLOB    NOT NULL,
  issued_at     INTEGER NOT NULL,
  expires_at    INTEGER,           -- NULL: the vendor did not say
  scope         BLOB    NOT NULL,
  revoked       INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE oauth_refresh_leases (
  key        BLOB    PRIMARY KEY,
  owner      BLOB    NOT NULL,
  fence      INTEGER NOT NULL,
  expires_at INTEGER NOT NULL
) WITHOUT ROWID;
)sql"};

enum StatementIndex : std::size_t {
  kLoad,
  kInsert,
  kUpdate,
  kKeys,
  kAcquire,
  kHeldUntil,
  kRelease,
};

constexpr std::array<const char*, 7> kStatements = {
    // kLoad
    "SELECT access_token, refresh_token, issued_at, expires_at, scope, revoked, version "
    "FROM oauth_tokens WHERE key = ?",
    // kInsert
    "INSERT INTO oauth_tokens "
    "(access_token, refresh_token, issued_at, expires_at, scope, revoked, key, version) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, 1) ON CONFLICT (key) DO NOTHING",
    // kUpdate
    "UPDATE oauth_tokens SET access_token = ?, refresh_token = ?, issued_at = ?, expires_at = ?, "
    "scope = ?, revoked = ?, version = version + 1 WHERE key = ? AND version = ?",
    // kKeys
    "SELECT key FROM oauth_tokens WHERE key > ? ORDER BY key LIMIT ?",
    // kAcquire: the end, whose lease, from when on it is over, from when on it is not believed
    "INSERT INTO oauth_refresh_leases (expires_at, key, owner, fence) VALUES (?1, ?2, ?3, 1) "
    "ON CONFLICT (key) DO UPDATE SET owner = excluded.owner, fence = fence + 1, "
    "expires_at = excluded.expires_at "
    "WHERE oauth_refresh_leases.expires_at <= ?4 OR oauth_refresh_leases.expires_at > ?5 "
    "RETURNING fence",
    // kHeldUntil
    "SELECT expires_at FROM oauth_refresh_leases WHERE key = ?",
    // kRelease
    "UPDATE oauth_refresh_leases SET expires_at = 0 WHERE key = ? AND fence = ?",
};
static_assert(kStatements.size() == kRelease + 1, "one text for each index");

Error Conflict() {
  return Error{.code = ErrorCode::kStorage,
               .message = "somebody else has stored newer tokens; load them again",
               .reason = "conflict"};
}

// SQLite would let everybody read it. Exclusively, because closing a file that is open elsewhere in
// this process would drop that connection's locks (sqlite.org/howtocorrupt.html). The files beside
// it get the permissions of this one. What goes wrong here goes wrong in SQLite too, which says so.
void CreateForOwnerOnly(const std::string& path) {
  if (path.empty() || path == ":memory:") return;
  const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, S_IRUSR | S_IWUSR);
  if (file >= 0) ::close(file);
}

TokenSet TokensAt(const SqliteQuery& query) {
  TokenSet tokens;
  tokens.access_token = Secret(query.BytesAt(0));
  tokens.refresh_token = Secret(query.BytesAt(1));
  tokens.issued_at = query.TimeAt(2);
  if (!query.IsNullAt(3)) tokens.expires_at = query.TimeAt(3);
  tokens.scope = query.BytesAt(4);
  tokens.revoked = query.IntegerAt(5) != 0;
  tokens.version = static_cast<std::uint64_t>(query.IntegerAt(6));
  return tokens;
}

}  // namespace

// The statements, as functions.
class SqliteTokenStore::Database {
 public:
  explicit Database(SqliteDatabase sqlite) : sqlite_(std::move(sqlite)) {}

  Result<std::optional<TokenSet>> Load(std::string_view key) {
    SqliteQuery query = sqlite_.Query(kLoad);
    query.Blob(key);
    UNDERSTUDY_ASSIGN_OR_RETURN(const bool found, query.Step());
    return found ? std::optional(TokensAt(query)) : std::nullopt;
  }

  Result<std::uint64_t> Save(std::string_view key, const TokenSet& tokens,
                             std::uint64_t expected_version) {
    if (expected_version > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
      return Conflict();
    }
    SqliteQuery query = sqlite_.Query(expected_version == 0 ? kInsert : kUpdate);
    query.Blob(tokens.access_token.Reveal()).Blob(tokens.refresh_token.Reveal());
    query.Time(tokens.issued_at);
    tokens.expires_at ? query.Time(*tokens.expires_at) : query.Null();
    query.Blob(tokens.scope).Integer(tokens.revoked ? 1 : 0).Blob(key);
    if (expected_version != 0) query.Integer(static_cast<std::int64_t>(expected_version));
    UNDERSTUDY_RETURN_IF_ERROR(query.Run());
    if (sqlite_.changes() == 0) return Conflict();
    return expected_version + 1;
  }

  Result<std::vector<std::string>> Keys(std::string_view after, std::size_t limit) {
    constexpr auto kLimitMax = static_cast<std::size_t>(std::numeric_limits<std::int64_t>::max());
    SqliteQuery query = sqlite_.Query(kKeys);
    query.Blob(after).Integer(static_cast<std::int64_t>(std::min(limit, kLimitMax)));
    std::vector<std::string> keys;
    for (;;) {
      UNDERSTUDY_ASSIGN_OR_RETURN(const bool row, query.Step());
      if (!row) return keys;
      keys.push_back(query.BytesAt(0));
    }
  }

  Result<LeaseAnswer> Acquire(std::string_view key, std::string_view owner, SystemTime now,
                              Duration ttl) {
    {
      SqliteQuery query = sqlite_.Query(kAcquire);
      query.Time(now + ttl).Blob(key).Blob(owner).Time(now).Time(now + kRefreshLeaseMax);
      UNDERSTUDY_ASSIGN_OR_RETURN(const bool acquired, query.Step());
      if (acquired) {
        const RefreshLease lease{std::string(key), std::string(owner),
                                 static_cast<std::uint64_t>(query.IntegerAt(0)), now + ttl};
        UNDERSTUDY_RETURN_IF_ERROR(query.Run());  // Commits.
        return LeaseAnswer{.lease = lease};
      }
    }
    SqliteQuery query = sqlite_.Query(kHeldUntil);
    query.Blob(key);
    UNDERSTUDY_RETURN_IF_ERROR(query.Step());
    return LeaseAnswer{.held_until = query.TimeAt(0)};
  }

  Result<void> Release(const RefreshLease& lease) {
    SqliteQuery query = sqlite_.Query(kRelease);
    query.Blob(lease.key).Integer(static_cast<std::int64_t>(lease.fence));
    return query.Run();
  }

 private:
  SqliteDatabase sqlite_;
};

Result<std::unique_ptr<SqliteTokenStore>> SqliteTokenStore::Open(
    const std::string& path, const SqliteTokenStoreOptions& options) {
  CreateForOwnerOnly(path);
  const SqliteOptions sqlite_options{.synchronous = SqliteOptions::Synchronous::kFull,
                                     .busy_timeout = options.busy_timeout};
  UNDERSTUDY_ASSIGN_OR_RETURN(SqliteDatabase sqlite,
                              SqliteDatabase::Open(path, sqlite_options, kMigrations));
  UNDERSTUDY_RETURN_IF_ERROR(sqlite.Prepare(kStatements));
  return std::unique_ptr<SqliteTokenStore>(
      new SqliteTokenStore(std::make_unique<Database>(std::move(sqlite))));
}

SqliteTokenStore::SqliteTokenStore(std::unique_ptr<Database> database)
    : database_(std::move(database)) {}

SqliteTokenStore::~SqliteTokenStore() = default;

Result<std::optional<TokenSet>> SqliteTokenStore::Load(std::string_view key) {
  const MutexLock lock(mutex_);
  return database_->Load(key);
}

Result<std::uint64_t> SqliteTokenStore::Save(std::string_view key, const TokenSet& tokens,
                                             std::uint64_t expected_version) {
  const MutexLock lock(mutex_);
  return database_->Save(key, tokens, expected_version);
}

Result<std::vector<std::string>> SqliteTokenStore::Keys(std::string_view after, std::size_t limit) {
  const MutexLock lock(mutex_);
  return database_->Keys(after, limit);
}

Result<LeaseAnswer> SqliteTokenStore::AcquireRefreshLease(std::string_view key,
                                                          std::string_view owner, SystemTime now,
                                                          Duration ttl) {
  UNDERSTUDY_RETURN_IF_ERROR(CheckRefreshLease(key, owner, ttl));
  const MutexLock lock(mutex_);
  return database_->Acquire(key, owner, now, ttl);
}

Result<void> SqliteTokenStore::ReleaseRefreshLease(const RefreshLease& lease) {
  const MutexLock lock(mutex_);
  return database_->Release(lease);
}

}  // namespace understudy
