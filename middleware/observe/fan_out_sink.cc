#include "middleware/observe/fan_out_sink.h"

#include "middleware/base/check.h"

namespace understudy {

FanOutSink::FanOutSink(std::initializer_list<EventSink*> sinks) : sinks_(sinks) {
  UNDERSTUDY_CHECK(sinks_.size() <= kSinksMax, "too many sinks");
  for (const EventSink* const sink : sinks_) UNDERSTUDY_CHECK(sink != nullptr, "a null sink");
}

void FanOutSink::Publish(std::string_view name, std::span<const Field> fields) noexcept {
  for (EventSink* const sink : sinks_) sink->Publish(name, fields);
}

}  // namespace understudy
