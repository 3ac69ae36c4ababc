#include "middleware/audit/audit_log.h"

#include <algorithm>
#include <array>
#include <exception>

#include "middleware/base/problems.h"
#include "middleware/base/text.h"

namespace understudy {
namespace {

constexpr std::string_view kUnavailable = "audit-unavailable";
constexpr std::array kDrops = {AuditDrop::kQueueFull, AuditDrop::kRefused, AuditDrop::kShutdown,
                               AuditDrop::kInternal};
// So many empty looks at the queue until the writer has to be woken: that costs a caller more than
// all the rest of a record.
constexpr int kIdleLooksMax = 100;
constexpr std::size_t kQueueReserved = 1024;  // Records.

void RequireDuration(std::vector<std::string>& problems, std::string_view name, Duration value) {
  if (value > Duration::zero() && value <= std::chrono::hours(24)) return;
  problems.push_back(std::string(name) + " is " + FormatDuration(value) +
                     "; it must be positive and at most 24h");
}

Result<void> CheckOptions(const AuditLogOptions& options) {
  std::vector<std::string> problems;
  RequireRange<std::size_t>(problems, "records_max", options.records_max, 1, 1'000'000);
  RequireRange<std::size_t>(problems, "bytes_max", options.bytes_max, std::size_t{64} * 1024,
                            std::size_t{1024} * 1024 * 1024);
  RequireRange<std::size_t>(problems, "batch_max", options.batch_max, 1, 10'000);
  RequireDuration(problems, "linger", options.linger);
  RequireDuration(problems, "must_audit_wait", options.must_audit_wait);
  RequireDuration(problems, "shutdown_max", options.shutdown_max);
  RequireDuration(problems, "retry_first", options.retry_first);
  RequireDuration(problems, "retry_max", options.retry_max);
  if (options.retry_max < options.retry_first)
    problems.push_back("retry_max is shorter than retry_first");
  if (!options.chain && !options.chain_key.empty())
    problems.push_back("chain_key is given, but chain is off");
  return ToResult("audit log options", problems);
}

Error Unavailable(std::string_view why) {
  return Error{.code = ErrorCode::kStorage,
               .message = "the call must be audited and was not sent: " + std::string(why),
               .reason = std::string(kUnavailable)};
}

}  // namespace

std::string_view ToString(AuditDrop drop) {
  switch (drop) {
    case AuditDrop::kQueueFull:
      return "queue-full";
    case AuditDrop::kRefused:
      return "refused";
    case AuditDrop::kShutdown:
      return "shutdown";
    case AuditDrop::kInternal:
      return "internal";
  }
  return "unknown";
}

AuditLog::Reservation& AuditLog::Reservation::operator=(Reservation&& other) noexcept {
  if (this != &other) {
    Release();
    log_ = std::exchange(other.log_, nullptr);
  }
  return *this;
}

void AuditLog::Reservation::Release() {
  AuditLog* const log = std::exchange(log_, nullptr);
  if (log == nullptr) return;
  const MutexLock lock(log->mutex_);
  --log->reserved_;
}

Result<std::unique_ptr<AuditLog>> AuditLog::Create(AuditLogOptions options,
                                                   std::shared_ptr<AuditSink> sink,
                                                   const Crypto& crypto, const Runtime& runtime) {
  UNDERSTUDY_RETURN_IF_ERROR(CheckOptions(options));
  if (!sink) return InvalidArgument("an audit log needs a sink");
  UNDERSTUDY_ASSIGN_OR_RETURN(Redactor redactor, Redactor::Create(options.redaction));
  ChainPoint point;
  if (options.chain) {
    UNDERSTUDY_ASSIGN_OR_RETURN(const std::optional<AuditEntry> last, sink->Last());
    if (last) {
      UNDERSTUDY_ASSIGN_OR_RETURN(point, ChainPoint::OfLine(last->text));
    }
  }
  // Not make_unique: the constructor is private.
  return std::unique_ptr<AuditLog>(new AuditLog(
      std::move(options), std::move(sink), std::move(redactor), std::move(point), crypto, runtime));
}

AuditLog::AuditLog(AuditLogOptions options, std::shared_ptr<AuditSink> sink, Redactor redactor,
                   ChainPoint point, const Crypto& crypto, const Runtime& runtime)
    : options_(std::move(options)),
      sink_(std::move(sink)),
      redactor_(std::move(redactor)),
      renderer_(redactor_, crypto, runtime.random.Next("audit/instance"), options_.digest_key),
      runtime_(runtime),
      chain_(crypto, options_.chain_key, std::move(point)) {
  {
    const MutexLock lock(mutex_);
    queue_.reserve(std::min(options_.records_max, kQueueReserved));
    if (options_.chain) stats_.chain = chain_.point();
  }
  writer_ = runtime_.executor.Spawn("audit writer", [this](const std::stop_token&) { Run(); });
}

AuditLog::~AuditLog() {
  {
    const TimePoint now = runtime_.clock.Now();
    const MutexLock lock(mutex_);
    stopping_ = true;
    stop_at_ = SaturatingAdd(now, options_.shutdown_max);
  }
  work_.NotifyAll();
  writer_.Join();
  const AuditStats stats = this->stats();
  for (const AuditDrop drop : kDrops) {
    const std::uint64_t untold = stats.lost(drop) - reported_[static_cast<std::size_t>(drop)];
    if (untold == 0) continue;
    runtime_.logger.Log(
        LogLevel::kError, "audit",
        std::to_string(untold) +
            " records were lost and the trail does not say so: " + std::string(ToString(drop)));
  }
}

bool AuditLog::HasRoom(std::size_t bytes) const {
  return !stopping_ && queue_.size() + in_flight_ + reserved_ < options_.records_max &&
         bytes_ + bytes <= options_.bytes_max;
}

bool AuditLog::Push(AuditCapture capture) {
  const std::size_t bytes = capture.bytes();
  queue_.push_back({std::move(capture), tickets_ + 1});
  ++tickets_;
  bytes_ += bytes;
  ++stats_.accepted;
  return std::exchange(asleep_, false) || queue_.size() == options_.batch_max;
}

void AuditLog::CountDrop(AuditDrop drop) {
  const MutexLock lock(mutex_);
  ++stats_.dropped[static_cast<std::size_t>(drop)];
}

void AuditLog::Lose(Pending& pending, AuditDrop why) {
  if (std::exchange(pending.lost, true)) return;
  ++stats_.dropped[static_cast<std::size_t>(why)];
  if (const auto waited = required_.find(pending.ticket); waited != required_.end())
    waited->second = true;
}

// The room is given back at the end.
void AuditLog::Record(AuditCapture capture, Reservation room) {
  // Only what the standard library throws: a call must not fail for want of a record.
  try {
    bool wake = false;
    {
      const MutexLock lock(mutex_);
      if (room.log_ == nullptr && !HasRoom(capture.bytes())) {
        const AuditDrop why = stopping_ ? AuditDrop::kShutdown : AuditDrop::kQueueFull;
        ++stats_.dropped[static_cast<std::size_t>(why)];
        return;
      }
      wake = Push(std::move(capture));
    }
    if (wake) work_.NotifyAll();
  } catch (const std::exception&) {
    CountDrop(AuditDrop::kInternal);
  }
}

Result<AuditLog::Reservation> AuditLog::Require(AuditCapture capture, Deadline deadline) {
  const TimePoint until =
      deadline.Tightened(Deadline::After(runtime_.clock.Now(), options_.must_audit_wait)).point();
  Reservation room;
  std::uint64_t ticket = 0;
  try {
    const MutexLock lock(mutex_);
    if (stats_.failing) return Unavailable("the audit sink is failing");
    // Two: this record, and that of the end.
    if (!HasRoom(capture.bytes()) ||
        queue_.size() + in_flight_ + reserved_ + 2 > options_.records_max) {
      ++stats_.dropped[static_cast<std::size_t>(AuditDrop::kQueueFull)];
      return Unavailable("the audit queue is full");
    }
    static_cast<void>(Push(std::move(capture)));  // Told below, in any case.
    ++reserved_;
    room = Reservation(*this);
    ticket = tickets_;
    required_.emplace(ticket, false);
    wanted_ = std::max(wanted_, ticket);
  } catch (const std::exception&) {
    CountDrop(AuditDrop::kInternal);
    return Unavailable("there is no memory for its record");
  }
  work_.NotifyAll();
  const char* problem = nullptr;
  {
    const MutexLock lock(mutex_);
    runtime_.clock.AwaitUntil(mutex_, done_, until, [&]() REQUIRES(mutex_) {
      return flushed_ >= ticket || stats_.failing;
    });
    const bool lost = required_[ticket];
    required_.erase(ticket);
    if (flushed_ < ticket) {
      problem = stats_.failing ? "the audit sink is failing" : "the audit sink is too slow";
    } else if (lost) {
      problem = "its record was not stored";
    }
  }
  if (problem != nullptr) return Unavailable(problem);
  return room;
}

Result<void> AuditLog::Flush(Deadline deadline) {
  std::uint64_t target = 0;
  {
    const MutexLock lock(mutex_);
    target = tickets_;
    wanted_ = std::max(wanted_, target);
  }
  work_.NotifyAll();
  const MutexLock lock(mutex_);
  const bool flushed = runtime_.clock.AwaitUntil(
      mutex_, done_, deadline.point(), [&]() REQUIRES(mutex_) { return flushed_ >= target; });
  if (flushed) return {};
  return Error{.code = ErrorCode::kDeadlineExceeded,
               .message = std::to_string(target - flushed_) +
                          " audit records are not durable yet; they stay in the queue",
               .reason = stats_.failing ? std::string(kUnavailable) : std::string()};
}

Result<std::size_t> AuditLog::Retain(Duration keep) {
  if (keep <= Duration::zero())
    return InvalidArgument("keep is " + FormatDuration(keep) + "; it must be positive");
  const SystemTime now = runtime_.clock.SystemNow();
  return sink_->Retain(now, now - std::min(keep, now.time_since_epoch()));
}

AuditStats AuditLog::stats() const {
  const MutexLock lock(mutex_);
  AuditStats stats = stats_;
  stats.queued = queue_.size() + in_flight_;
  stats.queued_bytes = bytes_;
  return stats;
}

void AuditLog::Run() {
  Pendings emptied;
  for (;;) {
    Taken taken = TakeAll(std::move(emptied));
    std::span<Pending> rest = taken.records;
    while (!rest.empty()) {
      const std::size_t size = std::min(rest.size(), options_.batch_max);
      Store(rest.first(size), rest[size - 1].ticket);
      rest = rest.subspan(size);
    }
    const bool stored = !taken.records.empty();
    emptied = Recycle(std::move(taken.records));
    if (stored) continue;
    Store({}, taken.through);
    if (taken.end) return;
  }
}

AuditCapture AuditLog::Begin(AuditKind kind) {
  std::string buffer;
  {
    const MutexLock lock(pool_mutex_);
    if (!pool_.empty()) {
      buffer = std::move(pool_.back());
      pool_.pop_back();
    }
  }
  return AuditCapture(kind, std::move(buffer));
}

AuditLog::Pendings AuditLog::Recycle(Pendings records) {
  constexpr std::size_t kBuffersMax = 1024;
  constexpr std::size_t kBufferBytesMax = 4096;
  {
    const MutexLock lock(pool_mutex_);
    for (Pending& pending : records) {
      std::string buffer = std::move(pending.capture).TakeBuffer();
      if (pool_.size() < kBuffersMax && buffer.capacity() <= kBufferBytesMax)
        pool_.push_back(std::move(buffer));
    }
  }
  records.clear();
  return records.capacity() <= kQueueReserved * 4 ? std::move(records) : Pendings();
}

AuditLog::Taken AuditLog::TakeAll(Pendings emptied) {
  emptied.reserve(std::min(options_.records_max, kQueueReserved));
  Taken taken;
  int looks = 0;
  const MutexLock lock(mutex_);
  for (;;) {
    const bool urgent = stopping_ || wanted_ > flushed_;
    if (urgent && queue_.empty()) {
      taken.end = stopping_;
      // In this locked section: a record that comes later is not stored by what follows.
      taken.through = tickets_;
      wanted_ = std::max(wanted_, tickets_);
      return taken;
    }
    if (urgent || queue_.size() >= options_.batch_max) break;
    // Asleep, a record wakes it; else it looks again by itself.
    const bool asleep = queue_.empty() && looks >= kIdleLooksMax;
    asleep_ = asleep;
    const TimePoint look_at =
        asleep ? kNever : SaturatingAdd(runtime_.clock.Now(), options_.linger);
    const bool told = runtime_.clock.AwaitUntil(mutex_, work_, look_at, [&]() REQUIRES(mutex_) {
      return stopping_ || wanted_ > flushed_ || queue_.size() >= options_.batch_max ||
             (asleep && !queue_.empty());
    });
    asleep_ = false;
    if (!queue_.empty() && (asleep || !told)) break;  // They have lingered long enough.
    looks = queue_.empty() ? looks + 1 : 0;
  }
  taken.records.swap(queue_);
  queue_.swap(emptied);
  in_flight_ = taken.records.size();
  return taken;
}

std::vector<AuditEntry> AuditLog::Render(std::span<Pending> batch) {
  // What a place in the chain takes.
  constexpr std::size_t kChainBytes = 256;
  std::vector<AuditEntry> entries;
  AddGap(entries);
  for (Pending& pending : batch) {
    AuditEntry entry;
    try {
      entry = ToEntry(renderer_.Render(pending.capture));
    } catch (const std::exception&) {
      const MutexLock lock(mutex_);
      Lose(pending, AuditDrop::kInternal);
      continue;
    }
    const bool fits = entry.text.size() + kChainBytes <= AuditEntry::kTextBytesMax;
    if (fits && CheckAuditEntry(entry)) {
      entries.push_back(std::move(entry));
      continue;
    }
    const MutexLock lock(mutex_);
    Lose(pending, AuditDrop::kRefused);
  }
  if (options_.chain) {
    for (AuditEntry& entry : entries) entry.text = chain_.Seal(entry.text);
  }
  return entries;
}

void AuditLog::AddGap(std::vector<AuditEntry>& entries) {
  const AuditStats now = stats();
  AuditRecord gap{.kind = AuditKind::kGap, .at = runtime_.clock.SystemNow()};
  for (const AuditDrop drop : kDrops) {
    const auto index = static_cast<std::size_t>(drop);
    const std::uint64_t lost = now.dropped[index];
    // A gap record that is refused is told again; the event was heard.
    const std::uint64_t unheard = lost - std::exchange(announced_[index], lost);
    if (unheard != 0)
      runtime_.events.Publish("audit.dropped", {{"reason", ToString(drop)},
                                                {"count", static_cast<std::int64_t>(unheard)}});
    const std::uint64_t untold = lost - std::exchange(reported_[index], lost);
    if (untold != 0) gap.dropped.emplace(ToString(drop), untold);
  }
  if (gap.dropped.empty()) return;
  gap.id = renderer_.IdOf(NextNumber());
  entries.push_back(ToEntry(gap));
}

void AuditLog::Store(std::span<Pending> batch, std::uint64_t through) {
  const ChainPoint before = chain_.point();
  const std::array<std::uint64_t, 4> told = {reported_[0], reported_[1], reported_[2],
                                             reported_[3]};
  const std::vector<AuditEntry> entries = Render(batch);
  Fate fate{.stored = Append(entries)};
  if (!fate.stored) {  // As if it had never been rendered: its gap is told again.
    chain_.Rewind(before);
    std::copy(told.begin(), told.end(), std::begin(reported_));
  }
  bool flush = false;
  {
    const MutexLock lock(mutex_);
    // What is refused is not waited for, but what was appended before it may be.
    flush = !fate.stored || wanted_ > flushed_;
  }
  fate.flushed = flush && FlushSink();
  if (fate.stored && (fate.flushed || !flush) && !entries.empty()) SetFailing({});
  Finish(batch, through, fate);
}

bool AuditLog::Append(const std::vector<AuditEntry>& entries) {
  if (entries.empty()) return true;
  for (Duration delay = options_.retry_first; !IsOver();
       delay = std::min(delay * 2, options_.retry_max)) {
    const bool was_stopping = IsStopping();
    const Result<void> appended = sink_->Append(entries);
    if (appended) return true;
    SetFailing(appended);
    if (appended.error().code == ErrorCode::kInvalidArgument) return false;  // For ever.
    Pause(delay, was_stopping);
  }
  return false;
}

bool AuditLog::FlushSink() {
  for (Duration delay = options_.retry_first; !IsOver();
       delay = std::min(delay * 2, options_.retry_max)) {
    const bool was_stopping = IsStopping();
    const Result<void> flushed = sink_->Flush();
    SetFailing(flushed);
    if (flushed) return true;
    Pause(delay, was_stopping);
  }
  return false;
}

bool AuditLog::IsOver() const {
  const TimePoint now = runtime_.clock.Now();
  const MutexLock lock(mutex_);
  return stopping_ && now >= stop_at_;
}

void AuditLog::SetFailing(const Result<void>& result) {
  const bool failing = !result.has_value();
  bool changed = false;
  {
    const MutexLock lock(mutex_);
    changed = std::exchange(stats_.failing, failing) != failing;
    if (failing) ++stats_.sink_failures;
  }
  if (failing) done_.NotifyAll();
  if (!changed) return;
  const std::string reason = failing ? result.error().reason : std::string();
  runtime_.events.Publish("audit.sink", {{"ok", !failing}, {"reason", std::string_view(reason)}});
  runtime_.logger.Log(failing ? LogLevel::kError : LogLevel::kInfo, "audit",
                      failing ? "the sink fails, records wait: " + result.error().message
                              : std::string("the sink works again"));
}

bool AuditLog::IsStopping() const {
  const MutexLock lock(mutex_);
  return stopping_;
}

void AuditLog::Pause(Duration delay, bool was_stopping) {
  const TimePoint now = runtime_.clock.Now();
  const MutexLock lock(mutex_);
  const TimePoint wake_at = std::min(SaturatingAdd(now, delay), stop_at_);
  runtime_.clock.AwaitUntil(mutex_, work_, wake_at,
                            [&]() REQUIRES(mutex_) { return stopping_ != was_stopping; });
}

void AuditLog::Finish(std::span<Pending> batch, std::uint64_t through, Fate fate) {
  std::size_t bytes = 0;
  for (const Pending& pending : batch) bytes += pending.capture.bytes();
  const bool over = IsOver();
  {
    const MutexLock lock(mutex_);
    in_flight_ -= batch.size();
    bytes_ -= bytes;
    for (Pending& pending : batch) {
      if (!fate.stored) Lose(pending, stopping_ ? AuditDrop::kShutdown : AuditDrop::kRefused);
      if (!pending.lost) ++stats_.stored;
    }
    if (fate.stored && options_.chain) stats_.chain = chain_.point();
    // At the end of the log, what is lost is not waited for.
    if (fate.flushed || (over && !fate.stored)) flushed_ = std::max(flushed_, through);
  }
  done_.NotifyAll();
}

}  // namespace understudy
