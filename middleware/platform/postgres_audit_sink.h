// PostgresAuditSink: an audit trail in PostgreSQL, for several processes and machines, in one
// partition for each month.
//
//   UNDERSTUDY_ASSIGN_OR_RETURN(auto sink, PostgresAuditSink::Open("postgresql:///app", {}));
//
// The tables are the library's own: audit_entries, which is partitioned by time, and its partitions
// audit_entries_2026_11 (UTC). A partition is made by the first Append that needs it, and those of
// the months to come by Retain and Open, so that no Append at the turn of a month has to. Retain
// drops whole partitions: old entries go in an instant, and leave no dead rows. The database's
// encoding must be UTF8.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "middleware/base/mutex.h"
#include "middleware/platform/system_clock.h"
#include "middleware/store/audit_sink.h"

namespace understudy {

namespace internal {
class PostgresDatabase;
class PostgresPool;
}  // namespace internal

struct PostgresAuditSinkOptions {
  std::string schema = {};          // Empty: the role's search_path.
  std::size_t connections_max = 2;  // At least 1.
  int months_ahead = 2;             // Partitions to keep ready after the current month; 0 to 24.
  // The server ends a statement after this; at least 1 ms.
  Duration statement_timeout = std::chrono::seconds(5);
  Duration connect_timeout = std::chrono::seconds(5);
};

// Thread-safe; calls wait for the server, at most for a few of the timeouts. Several processes may
// append, but not with a hash chain, which has one writer.
//
// Errors: kStorage with SQLSTATE, never a text; reasons "gone", "busy", "serialization", "full",
// "denied", "read-only", "schema" and others of PostgresDatabase. After "gone" an Append may have
// happened: append the batch again, the ids tell.
class PostgresAuditSink final : public AuditSink {
 public:
  // Connects, migrates, and makes the partitions of this month (by the system's clock) and the next
  // ones. `conninfo`: a URI or key=value pairs; it appears in no error.
  static Result<std::unique_ptr<PostgresAuditSink>> Open(const std::string& conninfo,
                                                         const PostgresAuditSinkOptions& options);
  ~PostgresAuditSink() override;
  PostgresAuditSink(const PostgresAuditSink&) = delete;
  PostgresAuditSink& operator=(const PostgresAuditSink&) = delete;

  Result<void> Append(std::span<const AuditEntry> batch) override EXCLUDES(mutex_);
  // Nothing to do: an Append has committed.
  Result<void> Flush() override { return {}; }
  Result<std::vector<AuditEntry>> Find(const AuditQuery& query) override;
  Result<std::optional<AuditEntry>> Last() override;
  Result<std::size_t> Retain(SystemTime now, SystemTime before) override EXCLUDES(mutex_);

 private:
  explicit PostgresAuditSink(const PostgresAuditSinkOptions& options);

  Result<void> EnsureMonths(internal::PostgresDatabase& database, const std::set<int>& months)
      EXCLUDES(mutex_);
  Result<void> EnsureAhead(internal::PostgresDatabase& database, SystemTime now);
  void Forget() EXCLUDES(mutex_);

  const PostgresAuditSinkOptions options_;
  SystemClock clock_;  // To wait for a connection, which takes real time.
  std::unique_ptr<internal::PostgresPool> pool_;
  Mutex mutex_;
  std::set<int> months_ GUARDED_BY(mutex_);  // Since January 1970; whose partitions are there.
};

}  // namespace understudy
