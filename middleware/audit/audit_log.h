// AuditLog: takes records of calls off their threads and keeps them in a sink: asynchronously with
// a bounded queue, or before a call is sent (must-audit).
//
//   UNDERSTUDY_ASSIGN_OR_RETURN(auto sink, JsonLinesAuditSink::Open("/var/log/app/audit.jsonl"));
//   UNDERSTUDY_ASSIGN_OR_RETURN(
//       auto audit, AuditLog::Create({}, std::move(sink), crypto, runtime));
//   auto client = ClientBuilder(runtime, transport, "stripe").Audit(*audit, {})...Build();
//   ...
//   const AuditStats stats = audit->stats();   // Is something lost? Export it.
//
// What a failing sink means: its batch is tried again with growing pauses; meanwhile records wait
// in the queue, and when that is full, new ones are dropped and counted. A "gap" record with the
// counts is stored as soon as the sink works again, so the trail itself says where it is not
// complete. Calls go on, but for must-audit ones, which are refused.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "middleware/audit/audit_capture.h"
#include "middleware/audit/audit_renderer.h"
#include "middleware/audit/hash_chain.h"
#include "middleware/audit/redaction.h"
#include "middleware/base/mutex.h"
#include "middleware/base/result.h"
#include "middleware/base/secret.h"
#include "middleware/runtime/crypto.h"
#include "middleware/runtime/deadline.h"
#include "middleware/runtime/executor.h"
#include "middleware/runtime/runtime.h"
#include "middleware/store/audit_sink.h"

namespace understudy {

struct AuditLogOptions {
  RedactionOptions redaction = {};
  // What may wait for the sink, in records (1 to 1,000,000) and in bytes (64 KiB to 1 GiB).
  std::size_t records_max = 10'000;
  std::size_t bytes_max = std::size_t{16} * 1024 * 1024;
  std::size_t batch_max = 256;                      // Records in one Append; 1 to 10,000.
  Duration linger = std::chrono::milliseconds(10);  // How long records wait to share an Append.
  // How long a must-audit call waits for its record to be durable before it is refused.
  Duration must_audit_wait = std::chrono::seconds(1);
  Duration shutdown_max =
      std::chrono::seconds(5);  // How long the destructor tries to store the rest.
  Duration retry_first = std::chrono::milliseconds(100);  // After a failed Append; it doubles.
  Duration retry_max = std::chrono::seconds(10);
  // Body digests are HMAC-SHA-256 with it; empty: SHA-256.
  Secret digest_key = {};
  // Tie the records by a hash chain (hash_chain.h), keyed unless the key is empty. The sink must be
  // this log's alone.
  bool chain = false;
  Secret chain_key = {};
};

// Why a record is not in the trail.
enum class AuditDrop {
  kQueueFull,  // records_max or bytes_max: the sink is too slow, or fails.
  kRefused,    // The sink takes no such record.
  kShutdown,   // The log ended before the sink worked.
  kInternal,   // No memory.
};

std::string_view ToString(AuditDrop drop);  // "queue-full", "refused", "shutdown", "internal"

struct AuditStats {
  std::uint64_t accepted = 0;     // Records taken into the queue.
  std::uint64_t stored = 0;       // Of those, appended to the sink.
  std::uint64_t dropped[4] = {};  // Indexed by AuditDrop.
  std::uint64_t sink_failures = 0;
  std::size_t queued = 0;  // Waiting now.
  std::size_t queued_bytes = 0;
  bool failing = false;   // The last Append or Flush failed.
  ChainPoint chain = {};  // Of the newest stored record: the anchor. Empty without a chain.

  std::uint64_t lost(AuditDrop drop) const { return dropped[static_cast<std::size_t>(drop)]; }
};

// Thread-safe. Has one task on the executor. Must outlive the clients that use it; `crypto` and the
// runtime's parts must outlive it.
//
// Publishes, from its task: "audit.sink": ok, reason, when the sink starts or ceases to fail; and
// "audit.dropped": reason, count, before the next batch after a loss, and once for each record.
class AuditLog {
 public:
  // Room in the queue for the record of how a must-audit call ends. Movable; gives it back.
  class Reservation {
   public:
    Reservation() noexcept {}  // Not defaulted: clang 14 refuses that as a default argument.
    Reservation(Reservation&& other) noexcept : log_(std::exchange(other.log_, nullptr)) {}
    Reservation& operator=(Reservation&& other) noexcept;
    ~Reservation() { Release(); }

   private:
    friend class AuditLog;
    explicit Reservation(AuditLog& log) : log_(&log) {}
    void Release();

    AuditLog* log_ = nullptr;
  };

  // kInvalidArgument with every problem of the options. With a chain the sink's newest record is
  // read to go on from it, which may block: the sink's errors, or kUnverified if that record has no
  // place in a chain (begin a new trail, or do without a chain).
  static Result<std::unique_ptr<AuditLog>> Create(AuditLogOptions options,
                                                  std::shared_ptr<AuditSink> sink,
                                                  const Crypto& crypto, const Runtime& runtime);
  // Stores what waits, for at most shutdown_max and the Append that runs then; drops and counts the
  // rest. No other call may be running.
  ~AuditLog();
  AuditLog(const AuditLog&) = delete;
  AuditLog& operator=(const AuditLog&) = delete;

  // A number for a capture; unique in this log, from 1.
  std::uint64_t NextNumber() { return next_number_.fetch_add(1, std::memory_order_relaxed); }
  const Redactor& redactor() const { return redactor_; }
  // As it stands in the trail, e.g. to find a call by; of the number of the call's own record.
  std::string CallId(std::uint64_t number) const { return renderer_.IdOf(number); }

  // An empty capture, with memory of an earlier record if there is some: that is most of the cost.
  AuditCapture Begin(AuditKind kind) EXCLUDES(pool_mutex_);
  // Queues the record, or drops and counts it. Never waits, but for the lock of the queue. With a
  // `room` from Require it takes that, and is not dropped for a full queue.
  void Record(AuditCapture capture, Reservation room = {}) EXCLUDES(mutex_);

  // Must-audit: returns when the record is durable, at the latest after must_audit_wait or at
  // `deadline`. kStorage [not-sent, local], reason "audit-unavailable", if it is not or if the sink
  // is failing already: the caller must not go on. The record may then be stored later or not.
  Result<Reservation> Require(AuditCapture capture, Deadline deadline = {}) EXCLUDES(mutex_);

  // Waits until everything recorded before is durable or dropped. kDeadlineExceeded at the
  // deadline. For planned ends and tests.
  Result<void> Flush(Deadline deadline) EXCLUDES(mutex_);

  // Removes what is older than `keep` from the sink; call it now and then (hourly). Blocks for I/O;
  // the sink's errors. Returns how many records went.
  Result<std::size_t> Retain(Duration keep);

  // Counts a record that could not even be captured (kInternal).
  void CountLost() { CountDrop(AuditDrop::kInternal); }

  AuditStats stats() const EXCLUDES(mutex_);

 private:
  struct Pending {
    AuditCapture capture;
    std::uint64_t ticket = 0;  // Order in the queue, from 1.
    bool lost = false;         // Counted as dropped already.
  };
  using Pendings = std::vector<Pending>;

  AuditLog(AuditLogOptions options, std::shared_ptr<AuditSink> sink, Redactor redactor,
           ChainPoint point, const Crypto& crypto, const Runtime& runtime);

  bool HasRoom(std::size_t bytes) const REQUIRES(mutex_);
  // Returns true if the writer must be told.
  bool Push(AuditCapture capture) REQUIRES(mutex_);
  void CountDrop(AuditDrop drop) EXCLUDES(mutex_);
  // Counts a record of the queue that will not be in the trail, once, and tells who waits for it.
  void Lose(Pending& pending, AuditDrop why) REQUIRES(mutex_);

  void Run();
  struct Taken {
    Pendings records = {};  // Empty: somebody waits for a flush, or the end.
    bool end = false;
    // If there are no records: the last ticket that was taken before, and that a flush is for.
    std::uint64_t through = 0;
  };
  // `emptied`: a vector to queue into, for its memory.
  Taken TakeAll(Pendings emptied) EXCLUDES(mutex_);
  Pendings Recycle(Pendings records) EXCLUDES(pool_mutex_);
  // `through`: the last ticket of the batch, or that a flush without records is for.
  void Store(std::span<Pending> batch, std::uint64_t through) EXCLUDES(mutex_);
  std::vector<AuditEntry> Render(std::span<Pending> batch) EXCLUDES(mutex_);
  void AddGap(std::vector<AuditEntry>& entries) EXCLUDES(mutex_);
  // False if the entries are lost.
  bool Append(const std::vector<AuditEntry>& entries) EXCLUDES(mutex_);
  void SetFailing(const Result<void>& result) EXCLUDES(mutex_);
  bool FlushSink() EXCLUDES(mutex_);
  // Past the end that the destructor has set?
  bool IsOver() const EXCLUDES(mutex_);
  bool IsStopping() const EXCLUDES(mutex_);
  // Ends early if the log is to end, and was not when the attempt before it began.
  void Pause(Duration delay, bool was_stopping) EXCLUDES(mutex_);
  struct Fate {
    bool stored = false;
    bool flushed = false;
  };
  void Finish(std::span<Pending> batch, std::uint64_t through, Fate fate) EXCLUDES(mutex_);

  const AuditLogOptions options_;
  const std::shared_ptr<AuditSink> sink_;
  const Redactor redactor_;
  const AuditRenderer renderer_;
  const Runtime runtime_;
  std::atomic<std::uint64_t> next_number_{1};
  HashChain chain_;  // Of the writer alone.
  // Of the writer alone: drops that a stored gap record tells, and that an event has told.
  std::uint64_t reported_[4] = {};
  std::uint64_t announced_[4] = {};

  mutable Mutex mutex_;
  CondVar work_{"audit records"};
  CondVar done_{"an audit record's durability"};
  Pendings queue_ GUARDED_BY(mutex_);
  std::size_t in_flight_ GUARDED_BY(mutex_) = 0;
  std::size_t reserved_ GUARDED_BY(mutex_) = 0;
  std::size_t bytes_ GUARDED_BY(mutex_) = 0;  // Of the queue and in flight.
  std::uint64_t tickets_ GUARDED_BY(mutex_) = 0;
  std::uint64_t flushed_ GUARDED_BY(mutex_) = 0;  // Every ticket up to it is durable or dropped.
  std::uint64_t wanted_ GUARDED_BY(mutex_) = 0;   // Somebody waits for the tickets up to it.
  // Tickets that a Require waits for; true: lost.
  std::map<std::uint64_t, bool> required_ GUARDED_BY(mutex_);
  bool asleep_ GUARDED_BY(mutex_) = false;  // The writer waits to be told of a record.
  bool stopping_ GUARDED_BY(mutex_) = false;
  TimePoint stop_at_ GUARDED_BY(mutex_) = kNever;
  AuditStats stats_ GUARDED_BY(mutex_);

  Mutex pool_mutex_;
  std::vector<std::string> pool_ GUARDED_BY(pool_mutex_);  // Buffers to use again.

  Task writer_;  // Last: it uses all of the above.
};

}  // namespace understudy
