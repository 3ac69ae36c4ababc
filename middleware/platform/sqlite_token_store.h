// SqliteTokenStore: OAuth tokens and refresh leases in one SQLite file; the embedded default.
//
//   UNDERSTUDY_ASSIGN_OR_RETURN(auto store, SqliteTokenStore::Open("/var/lib/app/tokens.db"));
//
// Several threads, store objects and processes on one machine may use the same file; that is how
// they share one refresh. Not for network file systems (sqlite.org/wal.html). A call that returns
// success has been synced to the disk (write-ahead log, synchronous=FULL).
//
// The tokens are stored as they are; put EncryptedTokenStore around it where the file, or a backup
// of it, is read by others. A file that this class creates is readable by its owner only.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "middleware/base/mutex.h"
#include "middleware/store/token_store.h"

namespace understudy {

struct SqliteTokenStoreOptions {
  // How long a call may wait for another connection's write before it fails with kStorage "busy".
  Duration busy_timeout = std::chrono::seconds(5);
};

// Thread-safe. Calls block for disk I/O and up to busy_timeout.
//
// Errors: kStorage with SQLite's message, never a token; reasons "conflict", "busy", "full",
// "corrupt" and "schema" (the file was written by a newer program). kInvalidArgument from
// AcquireRefreshLease.
class SqliteTokenStore final : public TokenStore {
 public:
  // Opens or creates the file; ":memory:" makes a private store that ends with the object.
  static Result<std::unique_ptr<SqliteTokenStore>> Open(
      const std::string& path, const SqliteTokenStoreOptions& options = {});
  ~SqliteTokenStore() override;
  SqliteTokenStore(const SqliteTokenStore&) = delete;
  SqliteTokenStore& operator=(const SqliteTokenStore&) = delete;

  Result<std::optional<TokenSet>> Load(std::string_view key) override;
  Result<std::uint64_t> Save(std::string_view key, const TokenSet& tokens,
                             std::uint64_t expected_version) override;
  Result<std::vector<std::string>> Keys(std::string_view after, std::size_t limit) override;
  Result<LeaseAnswer> AcquireRefreshLease(std::string_view key, std::string_view owner,
                                          SystemTime now, Duration ttl) override;
  Result<void> ReleaseRefreshLease(const RefreshLease& lease) override;

 private:
  class Database;

  explicit SqliteTokenStore(std::unique_ptr<Database> database);

  Mutex mutex_;                               // Held during SQLite calls.
  const std::unique_ptr<Database> database_;  // Used with mutex_ held.
};

}  // namespace understudy
