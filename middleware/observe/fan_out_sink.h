// FanOutSink: gives every event to several sinks.
//
//   MetricsSink metrics;
//   LogSink log(logger, clock);
//   FanOutSink events({&metrics, &log});
//   const Runtime runtime{clock, executor, random, logger, events};
#pragma once

#include <cstddef>
#include <initializer_list>
#include <span>
#include <string_view>
#include <vector>

#include "middleware/runtime/event.h"

namespace understudy {

// Thread-safe, because its sinks are and the list never changes. They hear each event one after the
// other, in the order of the list, on the publisher's thread; they must outlive this one.
class FanOutSink final : public EventSink {
 public:
  static constexpr std::size_t kSinksMax = 16;

  // None may be null, and at most kSinksMax; aborts otherwise. The empty list ignores everything.
  explicit FanOutSink(std::initializer_list<EventSink*> sinks);
  FanOutSink(const FanOutSink&) = delete;
  FanOutSink& operator=(const FanOutSink&) = delete;

  using EventSink::Publish;
  void Publish(std::string_view name, std::span<const Field> fields) noexcept override;

 private:
  const std::vector<EventSink*> sinks_;
};

}  // namespace understudy
