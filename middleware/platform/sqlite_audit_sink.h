// SqliteAuditSink: an audit trail in one SQLite file, with indexes for the call id and the time.
//
//   UNDERSTUDY_ASSIGN_OR_RETURN(auto sink, SqliteAuditSink::Open("/var/lib/app/audit.db"));
//
// Several processes on one machine may append to the same file, but not with a hash chain, which
// has one writer. Not for network file systems (sqlite.org/wal.html).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "middleware/base/mutex.h"
#include "middleware/store/audit_sink.h"

namespace understudy {

struct SqliteAuditSinkOptions {
  // true: an Append that has returned survives a loss of power. false: a crash of the process only,
  // until SQLite's next checkpoint.
  bool power_loss = true;
  // How long a call waits for another connection's write before it fails with "busy".
  Duration busy_timeout = std::chrono::seconds(1);
  // The file does not grow beyond it, plus its write-ahead log: "full". 1 MiB to 1 TiB; 0: no
  // bound.
  std::uint64_t file_bytes_max = 0;
};

// Thread-safe; calls wait for each other, for the disk and up to busy_timeout.
//
// Errors: kStorage with SQLite's message, never a text; reasons "busy", "full", "corrupt", "schema"
// (the file was written by a newer program). A failed Append has left nothing.
class SqliteAuditSink final : public AuditSink {
 public:
  // Opens or creates the file; ":memory:" makes a private one that ends with the object.
  static Result<std::unique_ptr<SqliteAuditSink>> Open(const std::string& path,
                                                       const SqliteAuditSinkOptions& options = {});
  ~SqliteAuditSink() override;
  SqliteAuditSink(const SqliteAuditSink&) = delete;
  SqliteAuditSink& operator=(const SqliteAuditSink&) = delete;

  Result<void> Append(std::span<const AuditEntry> batch) override EXCLUDES(mutex_);
  // Nothing to do: an Append has committed.
  Result<void> Flush() override { return {}; }
  Result<std::vector<AuditEntry>> Find(const AuditQuery& query) override EXCLUDES(mutex_);
  Result<std::optional<AuditEntry>> Last() override EXCLUDES(mutex_);
  // In transactions of a thousand entries, between which others can write.
  Result<std::size_t> Retain(SystemTime now, SystemTime before) override EXCLUDES(mutex_);

 private:
  class Database;

  explicit SqliteAuditSink(std::unique_ptr<Database> database);

  Mutex mutex_;
  const std::unique_ptr<Database> database_;  // Used with mutex_ held.
};

}  // namespace understudy
