// EventSink: the one place where components say what they did, in machine-readable form.
//
// Metrics, audit and the harness's history all listen here (ADR 0004). An event has a dotted name
// from the list below and a few typed fields; publishing costs one virtual call, and NullEventSink
// ignores it.
//
//   events.Publish("retry", {{"attempt", 2}, {"delay", 200ms}, {"reason", "503"}});
//
// Names in use: call.start call.end retry breaker breaker.mode breaker.shadow deadline fallback
// failover hedge cache rate_limit bulkhead token.refresh webhook.* effect audit.sink audit.dropped
// health.check health.changed health.ready job.run job.overdue.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <span>
#include <string_view>
#include <variant>

#include "middleware/base/time.h"

namespace understudy {

// A field of an event. Borrowed: valid only during Publish.
struct Field {
  using Value = std::variant<std::string_view, std::int64_t, bool, Duration>;

  Field(std::string_view k, std::string_view v) : key(k), value(v) {}
  Field(std::string_view k, const char* v) : key(k), value(std::string_view(v)) {}
  Field(std::string_view k, bool v) : key(k), value(v) {}
  Field(std::string_view k, Duration v) : key(k), value(v) {}
  Field(std::string_view k, int v) : key(k), value(std::int64_t{v}) {}
  Field(std::string_view k, std::int64_t v) : key(k), value(v) {}

  std::string_view key;
  Value value;
};

// Thread-safe. Publish must not throw, must not block, and must not call back into the publishing
// component. It is never called with a Mutex of the middleware held.
class EventSink {
 public:
  virtual ~EventSink() = default;
  virtual void Publish(std::string_view name, std::span<const Field> fields) noexcept = 0;

  void Publish(std::string_view name, std::initializer_list<Field> fields) noexcept {
    Publish(name, std::span<const Field>(fields.begin(), fields.size()));
  }
};

// Ignores everything.
class NullEventSink final : public EventSink {
 public:
  using EventSink::Publish;
  void Publish(std::string_view, std::span<const Field>) noexcept override {}
};

}  // namespace understudy
