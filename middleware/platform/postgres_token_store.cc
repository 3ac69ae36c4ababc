#include "middleware/platform/postgres_token_store.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <utility>

#include "middleware/platform/postgres_pool.h"

namespace understudy {
namespace {

using internal::PostgresPool;
using internal::PostgresQuery;

constexpr auto kIntegerMax = std::numeric_limits<std::int64_t>::max();

// Texts are bytea: a vendor's scope or a key may hold any bytes, and bytea is ordered by its bytes.
// Times are nanoseconds since 1970 (UTC). A lease that was given back keeps its row, so that the
// fence goes on growing.
constexpr std::array<const char*, 1> kMigrations = {R"sql(
CREATE TABLE oauth_tokens (
  key           bytea   PRIMARY KEY,
  version       bigint  NOT NULL,
  access_token  bytea   NOT NULL,
  refresh_token bytea   NOT NULL,
  issued_at     bigint  NOT NULL,
  expires_at    bigint,           -- NULL: the vendor did not say
  scope         bytea   NOT NULL,
  revoked       bigint  NOT NULL
);
CREATE TABLE oauth_refresh_leases (
  key        bytea  PRIMARY KEY,
  owner      bytea  NOT NULL,
  fence      bigint NOT NULL,
  expires_at bigint NOT NULL
);
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
    "FROM oauth_tokens WHERE key = $1",
    // kInsert
    "INSERT INTO oauth_tokens "
    "(access_token, refresh_token, issued_at, expires_at, scope, revoked, key, version) "
    "VALUES ($1, $2, $3, $4, $5, $6, $7, 1) ON CONFLICT (key) DO NOTHING",
    // kUpdate
    "UPDATE oauth_tokens SET access_token = $1, refresh_token = $2, issued_at = $3, "
    "expires_at = $4, scope = $5, revoked = $6, version = version + 1 "
    "WHERE key = $7 AND version = $8",
    // kKeys
    "SELECT key FROM oauth_tokens WHERE key > $1 ORDER BY key LIMIT $2",
    // kAcquire: the end, whose lease, from when on it is over, from when on it is not believed
    "INSERT INTO oauth_refresh_leases AS held (expires_at, key, owner, fence) "
    "VALUES ($1, $2, $3, 1) "
    "ON CONFLICT (key) DO UPDATE SET owner = excluded.owner, fence = held.fence + 1, "
    "expires_at = excluded.expires_at WHERE held.expires_at <= $4 OR held.expires_at > $5 "
    "RETURNING fence",
    // kHeldUntil
    "SELECT expires_at FROM oauth_refresh_leases WHERE key = $1",
    // kRelease
    "UPDATE oauth_refresh_leases SET expires_at = 0 WHERE key = $1 AND fence = $2",
};
static_assert(kStatements.size() == kRelease + 1, "one text for each index");

Error Conflict() {
  return Error{.code = ErrorCode::kStorage,
               .message = "somebody else has stored newer tokens; load them again",
               .reason = "conflict"};
}

TokenSet TokensAt(const PostgresQuery& query) {
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

PostgresTokenStore::PostgresTokenStore() = default;
PostgresTokenStore::~PostgresTokenStore() = default;

Result<std::unique_ptr<PostgresTokenStore>> PostgresTokenStore::Open(
    const std::string& conninfo, const PostgresTokenStoreOptions& options) {
  std::unique_ptr<PostgresTokenStore> store(new PostgresTokenStore());
  internal::PostgresPoolOptions pool_options;
  pool_options.database = {.connect_timeout = options.connect_timeout,
                           .statement_timeout = options.statement_timeout,
                           .schema = options.schema};
  pool_options.connections_max = options.connections_max;
  UNDERSTUDY_ASSIGN_OR_RETURN(
      store->pool_, PostgresPool::Open(store->clock_, conninfo, std::move(pool_options), "oauth",
                                       kMigrations, kStatements));
  return store;
}

Result<std::optional<TokenSet>> PostgresTokenStore::Load(std::string_view key) {
  UNDERSTUDY_ASSIGN_OR_RETURN(const PostgresPool::Loan database, pool_->Borrow());
  PostgresQuery query = database->Query(kLoad);
  query.Blob(key);
  UNDERSTUDY_ASSIGN_OR_RETURN(const bool found, query.Step());
  return found ? std::optional(TokensAt(query)) : std::nullopt;
}

Result<std::uint64_t> PostgresTokenStore::Save(std::string_view key, const TokenSet& tokens,
                                               std::uint64_t expected_version) {
  if (expected_version > static_cast<std::uint64_t>(kIntegerMax)) return Conflict();
  UNDERSTUDY_ASSIGN_OR_RETURN(const PostgresPool::Loan database, pool_->Borrow());
  PostgresQuery query = database->Query(expected_version == 0 ? kInsert : kUpdate);
  query.Blob(tokens.access_token.Reveal()).Blob(tokens.refresh_token.Reveal());
  query.Time(tokens.issued_at);
  tokens.expires_at ? query.Time(*tokens.expires_at) : query.Null();
  query.Blob(tokens.scope).Integer(tokens.revoked ? 1 : 0).Blob(key);
  if (expected_version != 0) query.Integer(static_cast<std::int64_t>(expected_version));
  UNDERSTUDY_RETURN_IF_ERROR(query.Run());
  if (query.changes() == 0) return Conflict();
  return expected_version + 1;
}

Result<std::vector<std::string>> PostgresTokenStore::Keys(std::string_view after,
                                                          std::size_t limit) {
  UNDERSTUDY_ASSIGN_OR_RETURN(const PostgresPool::Loan database, pool_->Borrow());
  PostgresQuery query = database->Query(kKeys);
  const std::size_t bounded = std::min(limit, static_cast<std::size_t>(kIntegerMax));
  query.Blob(after).Integer(static_cast<std::int64_t>(bounded));
  std::vector<std::string> keys;
  for (;;) {
    UNDERSTUDY_ASSIGN_OR_RETURN(const bool row, query.Step());
    if (!row) return keys;
    keys.push_back(query.BytesAt(0));
  }
}

Result<LeaseAnswer> PostgresTokenStore::AcquireRefreshLease(std::string_view key,
                                                            std::string_view owner, SystemTime now,
                                                            Duration ttl) {
  UNDERSTUDY_RETURN_IF_ERROR(CheckRefreshLease(key, owner, ttl));
  UNDERSTUDY_ASSIGN_OR_RETURN(const PostgresPool::Loan database, pool_->Borrow());
  PostgresQuery acquire = database->Query(kAcquire);
  acquire.Time(now + ttl).Blob(key).Blob(owner).Time(now).Time(now + kRefreshLeaseMax);
  UNDERSTUDY_ASSIGN_OR_RETURN(const bool acquired, acquire.Step());
  if (acquired) {
    const auto fence = static_cast<std::uint64_t>(acquire.IntegerAt(0));
    return LeaseAnswer{.lease =
                           RefreshLease{std::string(key), std::string(owner), fence, now + ttl}};
  }
  PostgresQuery held = database->Query(kHeldUntil);
  held.Blob(key);
  UNDERSTUDY_RETURN_IF_ERROR(held.Step());
  return LeaseAnswer{.held_until = held.TimeAt(0)};
}

Result<void> PostgresTokenStore::ReleaseRefreshLease(const RefreshLease& lease) {
  UNDERSTUDY_ASSIGN_OR_RETURN(const PostgresPool::Loan database, pool_->Borrow());
  PostgresQuery query = database->Query(kRelease);
  query.Blob(lease.key).Integer(static_cast<std::int64_t>(lease.fence));
  return query.Run();
}

}  // namespace understudy
