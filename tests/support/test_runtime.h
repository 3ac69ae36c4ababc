// TestRuntime: a Runtime of fakes, for tests that need all of it.
//
//   TestRuntime world;
//   Client client = Build(world.runtime(), ...);
//   world.clock.Advance(30s);
//   EXPECT_EQ(world.events.Count("retry"), 2u);
#pragma once

#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>

#include "middleware/runtime/runtime.h"
#include "tests/support/fake_clock.h"
#include "tests/support/fixed_random.h"
#include "tests/support/recording_event_sink.h"

namespace understudy::test {

// Runs each body on a thread of its own.
class ThreadPerTaskExecutor final : public Executor {
 public:
  Task Spawn(std::string, std::function<void(std::stop_token)> body) override {
    return Task(std::make_unique<Handle>(std::move(body)));
  }

 private:
  class Handle final : public Task::Control {
   public:
    explicit Handle(std::function<void(std::stop_token)> body) : thread_(std::move(body)) {}
    void RequestStop() override { thread_.request_stop(); }
    void Join() override {
      if (thread_.joinable()) thread_.join();
    }

   private:
    std::jthread thread_;
  };
};

struct TestRuntime {
  explicit TestRuntime(FakeClock::Waits waits = FakeClock::Waits::kAdvance) : clock(waits) {}

  Runtime runtime() { return {clock, executor, random, logger, events}; }

  FakeClock clock;
  ThreadPerTaskExecutor executor = {};
  FixedRandom random = FixedRandom(0.5);
  NullLogger logger = {};
  RecordingEventSink events = {};
};

}  // namespace understudy::test
