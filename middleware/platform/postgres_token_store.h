// PostgresTokenStore: OAuth tokens and refresh leases in PostgreSQL, for processes on several
// machines that share grants.
//
//   UNDERSTUDY_ASSIGN_OR_RETURN(
//       auto store, PostgresTokenStore::Open("host=/run/postgresql dbname=app",
//                                            {.schema = "integration"}));
//
// The tokens are stored as they are; put EncryptedTokenStore around it where the database, or a
// backup of it, is read by others. Leases are judged by the clocks of their owners: keep the
// machines' clocks closer together than TokenManagerOptions::lease_margin.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "middleware/platform/system_clock.h"
#include "middleware/store/token_store.h"

namespace understudy {

namespace internal {
class PostgresPool;
}  // namespace internal

struct PostgresTokenStoreOptions {
  std::string schema = {};          // Where the tables are; made if absent. Empty: the search_path.
  std::size_t connections_max = 2;  // At least 1.
  Duration connect_timeout = std::chrono::seconds(5);
  Duration statement_timeout = std::chrono::seconds(5);  // Also for waiting for a connection.
};

// Thread-safe. Calls block for the server, within the timeouts. A call that returns success has
// been committed, with synchronous_commit on.
//
// Errors: kStorage with SQLSTATE, never a token and never the connection string; reasons
// "conflict", "gone" (no connection, or it was lost: the call may have happened; the next one
// connects again), "busy", "full", "denied", "read-only", "corrupt" and "schema" (written by a
// newer program). kInvalidArgument from AcquireRefreshLease.
class PostgresTokenStore final : public TokenStore {
 public:
  // Connects and brings the tables up to date. `conninfo`: a URI or key=value pairs.
  static Result<std::unique_ptr<PostgresTokenStore>> Open(
      const std::string& conninfo, const PostgresTokenStoreOptions& options = {});
  ~PostgresTokenStore() override;
  PostgresTokenStore(const PostgresTokenStore&) = delete;
  PostgresTokenStore& operator=(const PostgresTokenStore&) = delete;

  Result<std::optional<TokenSet>> Load(std::string_view key) override;
  Result<std::uint64_t> Save(std::string_view key, const TokenSet& tokens,
                             std::uint64_t expected_version) override;
  Result<std::vector<std::string>> Keys(std::string_view after, std::size_t limit) override;
  Result<LeaseAnswer> AcquireRefreshLease(std::string_view key, std::string_view owner,
                                          SystemTime now, Duration ttl) override;
  Result<void> ReleaseRefreshLease(const RefreshLease& lease) override;

 private:
  PostgresTokenStore();

  SystemClock clock_;  // To wait for a connection, which is real I/O and takes real time.
  std::unique_ptr<internal::PostgresPool> pool_;
};

}  // namespace understudy
