// RecordingEventSink: keeps every event, with its fields as text, and checks the promises that
// publishers make.
//
//   RecordingEventSink events;
//   ...
//   EXPECT_THAT(events.Lines("breaker"), ElementsAre("breaker from=closed name=stripe to=open"));
//   EXPECT_EQ(events.Named("retry").at(0).fields.at("delay"), "200ms");
#pragma once

#include <cstddef>
#include <map>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "middleware/base/check.h"
#include "middleware/base/mutex.h"
#include "middleware/base/text.h"
#include "middleware/runtime/event.h"

namespace understudy::test {

struct RecordedEvent {
  std::string name = {};
  std::map<std::string, std::string> fields =
      {};  // Durations as "200ms", booleans as "true"/"false".

  // "name key=value key=value", keys in alphabetical order.
  std::string ToString() const {
    std::string line = name;
    for (const auto& [key, value] : fields) line.append(" ").append(key).append("=").append(value);
    return line;
  }
};

// Thread-safe. Aborts if an event is published while a Mutex is held.
class RecordingEventSink final : public EventSink {
 public:
  using EventSink::Publish;

  void Publish(std::string_view name, std::span<const Field> fields) noexcept override {
    UNDERSTUDY_CHECK(HeldMutexCount() == 0, "an event was published with a Mutex held");
    RecordedEvent event{std::string(name), {}};
    for (const Field& field : fields) event.fields[std::string(field.key)] = Text(field.value);
    const std::lock_guard lock(mutex_);
    events_.push_back(std::move(event));
  }

  std::vector<RecordedEvent> All() const {
    const std::lock_guard lock(mutex_);
    return events_;
  }
  std::vector<RecordedEvent> Named(std::string_view name) const {
    std::vector<RecordedEvent> found;
    for (RecordedEvent& event : All()) {
      if (event.name == name) found.push_back(std::move(event));
    }
    return found;
  }
  std::vector<std::string> Lines(std::string_view name) const {
    std::vector<std::string> lines;
    for (const RecordedEvent& event : Named(name)) lines.push_back(event.ToString());
    return lines;
  }
  std::size_t Count(std::string_view name) const { return Named(name).size(); }
  void Clear() {
    const std::lock_guard lock(mutex_);
    events_.clear();
  }

 private:
  static std::string Text(const Field::Value& value) {
    if (const auto* text = std::get_if<std::string_view>(&value)) return std::string(*text);
    if (const auto* number = std::get_if<std::int64_t>(&value)) return std::to_string(*number);
    if (const auto* flag = std::get_if<bool>(&value)) return *flag ? "true" : "false";
    return FormatDuration(std::get<Duration>(value));
  }

  mutable std::mutex mutex_;
  std::vector<RecordedEvent> events_;
};

}  // namespace understudy::test
