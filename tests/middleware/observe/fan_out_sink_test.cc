#include "middleware/observe/fan_out_sink.h"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/recording_event_sink.h"

namespace understudy {
namespace {

using ::testing::ElementsAre;

class NotingSink final : public EventSink {
 public:
  NotingSink(std::string name, std::vector<std::string>& notes)
      : name_(std::move(name)), notes_(notes) {}
  using EventSink::Publish;
  void Publish(std::string_view event, std::span<const Field>) noexcept override {
    notes_.push_back(name_ + ":" + std::string(event));
  }

 private:
  const std::string name_;
  std::vector<std::string>& notes_;
};

TEST(FanOutSinkTest, EverySinkHearsEachEventInTheOrderOfTheList) {
  std::vector<std::string> notes;
  NotingSink one("one", notes);
  NotingSink two("two", notes);
  FanOutSink events({&two, &one});
  events.Publish("retry", {});
  events.Publish("breaker", {});
  EXPECT_THAT(notes, ElementsAre("two:retry", "one:retry", "two:breaker", "one:breaker"));
}

TEST(FanOutSinkTest, TheFieldsArriveAsTheyAre) {
  test::RecordingEventSink sink;
  FanOutSink events({&sink});
  events.Publish("retry", {{"operation", "op"}, {"attempt", 2}, {"hint", false}});
  EXPECT_THAT(sink.Lines("retry"), ElementsAre("retry attempt=2 hint=false operation=op"));
}

TEST(FanOutSinkTest, NoSinksIgnoreEverything) {
  FanOutSink events({});
  events.Publish("retry", {});
}

TEST(FanOutSinkDeathTest, RefusesANullSink) { EXPECT_DEATH(FanOutSink({nullptr}), "null sink"); }

}  // namespace
}  // namespace understudy
