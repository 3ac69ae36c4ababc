// History: everything that happened in a run, as one ordered list of typed events.
//
// Expectations read it, reports are drawn from it, and simulated and real runs are compared by it.
// It is written as JSON lines with stable key order and no floating-point numbers, so two histories
// can be compared with `diff`.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "middleware/base/mutex.h"
#include "middleware/runtime/clock.h"
#include "middleware/runtime/event.h"

namespace understudy::harness {

struct HistoryEvent {
  using Value = std::variant<std::string, std::int64_t, bool, Duration>;

  std::uint64_t n = 0;  // 1, 2, 3, ... in the order of happening
  Duration at = {};     // since the start of the run, on the world's clock
  std::string lane = {};
  std::string name = {};  // "http.request", "breaker", ...
  std::vector<std::pair<std::string, Value>> fields = {};

  const Value* Find(std::string_view field) const;
  // The field's text, or "" if it is absent or not a text.
  std::string_view Text(std::string_view field) const;
};

// A field as JSON: durations as text with a unit ("20ms").
nlohmann::json ToJson(const HistoryEvent::Value& value);
std::string ToText(const HistoryEvent::Value& value);

// One line of the JSON-lines form, without the newline.
std::string ToJsonLine(const HistoryEvent& event);
std::string ToJsonLines(const std::vector<HistoryEvent>& events);

// Thread-safe. Events are stamped with the clock, the lane and the step of the publishing thread,
// unless their fields name a lane or step of their own.
class History final : public EventSink {
 public:
  // `clock` must outlive the history. At most `events_max` events are kept; `truncated` tells.
  explicit History(Clock& clock, std::size_t events_max = 1'000'000);

  using EventSink::Publish;
  void Publish(std::string_view name, std::span<const Field> fields) noexcept override;

  // Called after each event, on the thread that published it, outside the lock. Add observers
  // before the run.
  using Observer = std::function<void(const HistoryEvent&)>;
  void AddObserver(Observer observer);

  // Blocks until an event for which `predicate` holds has happened (also in the past), or the
  // deadline passes.
  bool WaitFor(const std::function<bool(const HistoryEvent&)>& predicate, TimePoint deadline);

  std::vector<HistoryEvent> events() const;
  std::uint64_t size() const;
  bool truncated() const;

 private:
  Clock& clock_;
  const TimePoint start_;
  const std::size_t events_max_;
  std::vector<Observer> observers_;
  // Not a Mutex: to the simulator, recording is no point at which others may run. What a component
  // publishes right after a change is recorded before anybody can act on the change.
  mutable std::mutex events_mutex_;
  std::vector<HistoryEvent> events_;
  bool truncated_ = false;
  std::atomic<int> waiters_{0};
  Mutex wait_mutex_;
  CondVar grown_{"an event"};
};

}  // namespace understudy::harness
