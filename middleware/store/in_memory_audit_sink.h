// InMemoryAuditSink: an audit trail in this process's memory, for tests and simulation.
//
//   InMemoryAuditSink trail({.entries_max = 1'000});
//   ...
//   EXPECT_EQ(trail.Find({.call_id = id})->size(), 3u);
#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "middleware/base/mutex.h"
#include "middleware/store/audit_sink.h"

namespace understudy {

struct InMemoryAuditSinkOptions {
  // One more fails with kStorage, reason "full", until Retain makes room.
  std::size_t entries_max = 100'000;
  // Called before each Append and Flush ("append", "flush"), without a lock; an error that it
  // returns is the result of the call, which then does nothing. For tests of failing and slow
  // sinks.
  std::function<Result<void>(std::string_view op)> before = {};
};

// Thread-safe. Never blocks, but for what `before` does. Keeps the contract of AuditSink, but for
// surviving the process.
class InMemoryAuditSink final : public AuditSink {
 public:
  explicit InMemoryAuditSink(InMemoryAuditSinkOptions options = {});

  Result<void> Append(std::span<const AuditEntry> batch) override EXCLUDES(mutex_);
  Result<void> Flush() override;
  Result<std::vector<AuditEntry>> Find(const AuditQuery& query) override EXCLUDES(mutex_);
  Result<std::optional<AuditEntry>> Last() override EXCLUDES(mutex_);
  Result<std::size_t> Retain(SystemTime now, SystemTime before) override EXCLUDES(mutex_);

  // All texts in their order, for tests.
  std::vector<std::string> Lines() const EXCLUDES(mutex_);

 private:
  const InMemoryAuditSinkOptions options_;
  mutable Mutex mutex_;
  std::deque<AuditEntry> entries_ GUARDED_BY(mutex_);
  std::set<std::string, std::less<>> ids_ GUARDED_BY(mutex_);
};

}  // namespace understudy
