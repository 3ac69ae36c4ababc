#include "middleware/store/in_memory_audit_sink.h"

#include <iterator>
#include <utility>

namespace understudy {

InMemoryAuditSink::InMemoryAuditSink(InMemoryAuditSinkOptions options)
    : options_(std::move(options)) {}

Result<void> InMemoryAuditSink::Append(std::span<const AuditEntry> batch) {
  if (options_.before) UNDERSTUDY_RETURN_IF_ERROR(options_.before("append"));
  UNDERSTUDY_RETURN_IF_ERROR(CheckAuditBatch(batch));
  const MutexLock lock(mutex_);
  std::vector<const AuditEntry*> added;
  for (const AuditEntry& entry : batch) {
    if (ids_.insert(entry.id).second) added.push_back(&entry);
  }
  if (entries_.size() + added.size() > options_.entries_max) {
    for (const AuditEntry* const entry : added) ids_.erase(entry->id);
    return Error{.code = ErrorCode::kStorage,
                 .message = "the audit trail in memory is full; remove old entries (Retain)",
                 .reason = "full"};
  }
  for (const AuditEntry* const entry : added) entries_.push_back(*entry);
  return {};
}

Result<void> InMemoryAuditSink::Flush() {
  return options_.before ? options_.before("flush") : Result<void>();
}

Result<std::vector<AuditEntry>> InMemoryAuditSink::Find(const AuditQuery& query) {
  UNDERSTUDY_RETURN_IF_ERROR(CheckAuditQuery(query));
  const MutexLock lock(mutex_);
  std::vector<AuditEntry> found;
  for (const AuditEntry& entry : entries_) {
    if (found.size() == query.limit) break;
    if (Matches(query, entry)) found.push_back(entry);
  }
  return found;
}

Result<std::optional<AuditEntry>> InMemoryAuditSink::Last() {
  const MutexLock lock(mutex_);
  return entries_.empty() ? std::optional<AuditEntry>() : std::optional(entries_.back());
}

Result<std::size_t> InMemoryAuditSink::Retain(SystemTime, SystemTime before) {
  const MutexLock lock(mutex_);
  std::deque<AuditEntry> kept;
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    const bool newest = i + 1 == entries_.size();
    if (entries_[i].at >= before || newest) {
      kept.push_back(std::move(entries_[i]));
    } else {
      ids_.erase(entries_[i].id);
    }
  }
  const std::size_t removed = entries_.size() - kept.size();
  entries_ = std::move(kept);
  return removed;
}

std::vector<std::string> InMemoryAuditSink::Lines() const {
  const MutexLock lock(mutex_);
  std::vector<std::string> lines;
  for (const AuditEntry& entry : entries_) lines.push_back(entry.text);
  return lines;
}

}  // namespace understudy
