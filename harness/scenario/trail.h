// Trail: the audit sink of a scenario: it keeps nothing, and publishes each record as an event.
//
//   "audit.record"  kind ("call.start", "call", "attempt", "gap"), operation, attempt, sends,
//   status,
//                   outcome, error, reason, fallback; what a record has not is left out
#pragma once

#include <optional>

#include "middleware/audit/audit_log.h"
#include "middleware/runtime/runtime.h"
#include "middleware/store/audit_sink.h"

namespace understudy::harness {

// Thread-safe. Refuses everything (kStorage, "full") while it is between `fails_from` and
// `fails_until` old; an unset `fails_until` is for ever.
class Trail final : public AuditSink {
 public:
  // The runtime's parts are borrowed.
  Trail(const Runtime& runtime, std::optional<Duration> fails_from,
        std::optional<Duration> fails_until)
      : runtime_(runtime),
        made_at_(runtime.clock.Now()),
        fails_from_(fails_from),
        fails_until_(fails_until) {}

  Result<void> Append(std::span<const AuditEntry> batch) override;
  Result<void> Flush() override { return {}; }
  // Nothing is kept.
  Result<std::vector<AuditEntry>> Find(const AuditQuery& query) override;
  Result<std::optional<AuditEntry>> Last() override { return std::optional<AuditEntry>(); }
  Result<std::size_t> Retain(SystemTime, SystemTime) override { return std::size_t{0}; }

 private:
  bool Fails() const;

  const Runtime runtime_;
  const TimePoint made_at_;
  const std::optional<Duration> fails_from_;
  const std::optional<Duration> fails_until_;
};

}  // namespace understudy::harness
