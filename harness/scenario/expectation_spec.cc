#include "harness/scenario/expectation_spec.h"

#include <array>

namespace understudy::harness {

std::string_view KindName(const ExpectationKind& kind) {
  constexpr std::array<std::string_view, 7> kNames = {"sequence",   "count", "always",   "never",
                                                      "eventually", "gap",   "sometimes"};
  return kNames[kind.index()];
}

const std::vector<EventType>& EventTypes() {
  static const std::vector<EventType> types = {
      {"http.request",
       {"vendor", "route", "method", "path", "operation", "attempt", "breaker_state", "exchange",
        "idempotency_key", "near"},
       true,
       false},
      {"http.response", {"vendor", "route", "status", "exchange"}, false, false},
      {"breaker", {"name", "from", "to", "reason"}, false, false},
      {"retry", {"operation", "attempt", "delay", "reason", "hint"}, false, false},
      {"token.refresh", {"key", "phase", "reason"}, true, false},
      {"rate_limit",
       {"vendor", "limit", "route", "remaining", "operation", "decision", "wait"},
       false,
       true},
      {"call.start", {"operation", "method", "path"}, true, false},
      {"call.end",
       {"operation", "ok", "status", "error", "class", "reason", "attempts", "duration",
        "fallback"},
       false,
       false},
      {"fallback", {"operation", "reason", "served"}, false, false},
      {"failover", {"operation", "chain", "from", "to", "reason"}, false, false},
      {"bulkhead", {"operation", "decision", "reason"}, false, false},
      {"hedge", {"operation", "decision", "number"}, false, false},
      {"cache", {"operation", "background", "result"}, false, false},
      {"deadline", {"operation", "phase"}, false, false},
      {"webhook.delivery", {"webhook", "event_id", "type", "copy", "attempt"}, true, false},
      {"webhook.ack",
       {"webhook", "event_id", "status", "ok", "duplicate", "copy", "attempt"},
       false,
       false},
      {"audit.record",
       {"kind", "operation", "attempt", "sends", "status", "outcome", "error", "reason",
        "fallback"},
       false,
       false},
      {"audit.sink", {"ok", "reason"}, false, false},
      {"audit.dropped", {"reason", "count"}, false, false},
      {"health.check", {"name", "outcome", "code", "duration"}, false, false},
      {"health.changed", {"name", "from", "to", "code", "critical"}, false, false},
      {"health.ready", {"ready", "status"}, false, false},
      {"effect", {"kind", "key"}, false, true},
      {"crash", {"target", "between"}, false, false},
      {"restart", {"target"}, false, false},
      {"fault",
       {"fault", "vendor", "route", "exchange", "webhook", "event_id", "reason", "rule"},
       false,
       true},
  };
  return types;
}

}  // namespace understudy::harness
