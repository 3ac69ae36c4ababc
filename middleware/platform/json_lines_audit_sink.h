// JsonLinesAuditSink: an audit trail in a file, one JSON object a line, with rotation.
//
//   UNDERSTUDY_ASSIGN_OR_RETURN(auto sink, JsonLinesAuditSink::Open("/var/log/app/audit.jsonl"));
//
// The file is appended to. When it has reached file_bytes_max it is renamed to
// "audit.jsonl.20261124T140440123456789Z" (the newest time in it) and a new one begins; Retain
// removes such files. `understudy audit verify FILE...` checks the hash chain, if the log makes
// one.
//
// What is lost in a crash: of an unfinished Append the last line may be half written. It was
// acknowledged to nobody, and Open removes it. What has been appended survives a crash of the
// process, and one of the machine as AuditSync says.
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

// When written lines are made to survive a loss of power (fsync).
enum class AuditSync {
  kEachBatch,  // Before each Append returns.
  kOnFlush,    // When somebody waits for it: must-audit calls, AuditLog::Flush, the end of the log.
  kBySystem,   // The system decides, usually within 30 s. Flush promises nothing.
};

struct JsonLinesAuditSinkOptions {
  AuditSync sync = AuditSync::kOnFlush;
  std::uint64_t file_bytes_max = std::uint64_t{64} * 1024 * 1024;  // 4 KiB to 1 TiB.
  // Rotated files to keep; the oldest goes when there is one more. 1 to 10,000.
  std::size_t files_max = 1000;
};

// Thread-safe; calls wait for each other and for the disk. One object and one process per file: a
// lock on the file keeps others out (flock; "busy").
//
// Errors: kStorage, reasons "full" (no space, quota), "busy" (another process has the file), "gone"
// (no such folder), "io". After a failed Append the file ends where it ended before. An id that is
// there already is appended again: a batch that failed left nothing.
class JsonLinesAuditSink final : public AuditSink {
 public:
  // Opens the file for the owner and group (0640, less the umask), or creates it. Reads it once.
  static Result<std::unique_ptr<JsonLinesAuditSink>> Open(
      const std::string& path, const JsonLinesAuditSinkOptions& options = {});
  ~JsonLinesAuditSink() override;
  JsonLinesAuditSink(const JsonLinesAuditSink&) = delete;
  JsonLinesAuditSink& operator=(const JsonLinesAuditSink&) = delete;

  Result<void> Append(std::span<const AuditEntry> batch) override EXCLUDES(mutex_);
  Result<void> Flush() override EXCLUDES(mutex_);
  // Reads all files, the oldest first, until it has found enough. Lines that are no entries are
  // passed over: the verifier is for finding them.
  Result<std::vector<AuditEntry>> Find(const AuditQuery& query) override EXCLUDES(mutex_);
  Result<std::optional<AuditEntry>> Last() override EXCLUDES(mutex_);
  // Removes rotated files whose newest entry is older than `before`.
  Result<std::size_t> Retain(SystemTime now, SystemTime before) override EXCLUDES(mutex_);

  // Bytes of a half-written last line that Open removed.
  std::uint64_t torn_bytes() const { return torn_bytes_; }
  // The rotated files, the oldest first, then the current one.
  Result<std::vector<std::string>> Files() const;

 private:
  JsonLinesAuditSink(std::string path, const JsonLinesAuditSinkOptions& options)
      : path_(std::move(path)), options_(options) {}

  Result<void> OpenFile() REQUIRES(mutex_);
  // Finds the last entry, the newest time and the end of the last whole line.
  Result<void> ScanFile() REQUIRES(mutex_);
  // Cuts off what follows the last whole line, if something does.
  Result<void> CutEnd() REQUIRES(mutex_);
  Result<void> Write(const std::string& bytes) REQUIRES(mutex_);
  Result<void> Sync() REQUIRES(mutex_);
  Result<void> Rotate() REQUIRES(mutex_);
  Result<void> RemoveSurplus() REQUIRES(mutex_);
  Result<std::vector<std::string>> Rotated() const;

  const std::string path_;
  const JsonLinesAuditSinkOptions options_;
  Mutex mutex_;
  int file_ GUARDED_BY(mutex_) = -1;
  std::uint64_t size_ GUARDED_BY(mutex_) = 0;  // Of whole lines; what follows is to be cut off.
  bool dirty_end_ GUARDED_BY(mutex_) = false;
  bool moved_ GUARDED_BY(mutex_) = false;  // By a rotation that could not be finished.
  std::optional<SystemTime> newest_ GUARDED_BY(mutex_);
  std::optional<AuditEntry> last_ GUARDED_BY(mutex_);
  std::uint64_t torn_bytes_ = 0;  // Set by Open alone.
};

}  // namespace understudy
