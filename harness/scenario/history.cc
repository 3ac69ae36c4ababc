#include "harness/scenario/history.h"

#include <nlohmann/json.hpp>

#include "harness/plan/lane.h"
#include "middleware/base/text.h"

namespace understudy::harness {
namespace {

HistoryEvent::Value Own(const Field::Value& value) {
  return std::visit(
      [](const auto& v) -> HistoryEvent::Value {
        if constexpr (std::is_same_v<std::decay_t<decltype(v)>, std::string_view>) {
          return std::string(v);
        } else {
          return v;
        }
      },
      value);
}

}  // namespace

const HistoryEvent::Value* HistoryEvent::Find(std::string_view field) const {
  for (const auto& [key, value] : fields) {
    if (key == field) return &value;
  }
  return nullptr;
}

std::string_view HistoryEvent::Text(std::string_view field) const {
  const Value* const value = Find(field);
  const std::string* const text = value == nullptr ? nullptr : std::get_if<std::string>(value);
  return text == nullptr ? std::string_view() : std::string_view(*text);
}

nlohmann::json ToJson(const HistoryEvent::Value& value) {
  return std::visit(
      [](const auto& v) -> nlohmann::json {
        if constexpr (std::is_same_v<std::decay_t<decltype(v)>, Duration>) {
          return FormatDuration(v);
        } else {
          return v;
        }
      },
      value);
}

std::string ToText(const HistoryEvent::Value& value) {
  if (const auto* const text = std::get_if<std::string>(&value)) return *text;
  if (const auto* const duration = std::get_if<Duration>(&value)) return FormatDuration(*duration);
  if (const auto* const flag = std::get_if<bool>(&value)) return *flag ? "true" : "false";
  return std::to_string(std::get<std::int64_t>(value));
}

std::string ToJsonLine(const HistoryEvent& event) {
  nlohmann::ordered_json line;
  line["i"] = event.n;
  line["t"] = event.at.count();
  line["lane"] = event.lane;
  line["event"] = event.name;
  for (const auto& [key, value] : event.fields) line[key] = ToJson(value);
  return line.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

std::string ToJsonLines(const std::vector<HistoryEvent>& events) {
  std::string text;
  for (const HistoryEvent& event : events) text.append(ToJsonLine(event)).append("\n");
  return text;
}

History::History(Clock& clock, std::size_t events_max)
    : clock_(clock), start_(clock.Now()), events_max_(events_max) {}

void History::AddObserver(Observer observer) { observers_.push_back(std::move(observer)); }

void History::Publish(std::string_view name, std::span<const Field> fields) noexcept {
  HistoryEvent event{.lane = CurrentLane().name, .name = std::string(name)};
  bool has_step = false;
  for (const Field& field : fields) {
    if (field.key == "lane") {
      if (const auto* const lane = std::get_if<std::string_view>(&field.value)) event.lane = *lane;
      continue;
    }
    has_step = has_step || field.key == "step";
    event.fields.emplace_back(field.key, Own(field.value));
  }
  if (!has_step && !CurrentLane().step.empty())
    event.fields.emplace_back("step", CurrentLane().step);
  {
    const std::lock_guard lock(events_mutex_);
    if (events_.size() >= events_max_) {
      truncated_ = true;
      return;
    }
    event.at = clock_.Now() - start_;
    event.n = events_.size() + 1;
    events_.push_back(event);
  }
  if (waiters_.load() > 0) {
    const MutexLock lock(wait_mutex_);
    grown_.NotifyAll();
  }
  for (const Observer& observer : observers_) observer(event);
}

bool History::WaitFor(const std::function<bool(const HistoryEvent&)>& predicate,
                      TimePoint deadline) {
  std::size_t seen = 0;
  ++waiters_;  // Before looking, so that whoever publishes afterwards tells us.
  bool found = false;
  {
    const MutexLock lock(wait_mutex_);
    found = clock_.AwaitUntil(wait_mutex_, grown_, deadline, [&] {
      const std::lock_guard events_lock(events_mutex_);
      while (seen < events_.size()) {
        if (predicate(events_[seen++])) return true;
      }
      return false;
    });
  }
  --waiters_;
  return found;
}

std::vector<HistoryEvent> History::events() const {
  const std::lock_guard lock(events_mutex_);
  return events_;
}

std::uint64_t History::size() const {
  const std::lock_guard lock(events_mutex_);
  return events_.size();
}

bool History::truncated() const {
  const std::lock_guard lock(events_mutex_);
  return truncated_;
}

}  // namespace understudy::harness
