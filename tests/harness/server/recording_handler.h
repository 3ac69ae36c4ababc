// RecordingHandler: plans requests and connections by script, and remembers what came of them.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "harness/plan/response_plan.h"
#include "middleware/base/mutex.h"
#include "middleware/platform/system_clock.h"

namespace understudy::harness {

// Thread-safe; the scripts are set before the server starts.
class RecordingHandler final : public PlannedHandler {
 public:
  struct Exchange {
    std::string ended_by;
    bool completed = false;
    WireFacts wire;
  };

  std::function<ResponsePlan(const http::Request&)> answer = [](const http::Request&) {
    return ResponsePlan{.response = {.body = "hello"}};
  };
  std::function<std::optional<ResponsePlan>(const http::Request&)> on_head =
      [](const http::Request&) { return std::nullopt; };
  std::function<ConnectionPlan(const ConnectionInfo&)> accept = [](const ConnectionInfo&) {
    return ConnectionPlan{};
  };

  ResponsePlan Handle(const http::Request& request) override {
    ResponsePlan plan = answer(request);
    const MutexLock lock(mutex_);
    requests_.push_back(request);
    changed_.NotifyAll();
    return plan;
  }
  std::optional<ResponsePlan> OnHead(const http::Request& head) override { return on_head(head); }
  void Completed(const ResponsePlan&, const ExchangeOutcome& outcome) override {
    const MutexLock lock(mutex_);
    exchanges_.push_back({.ended_by = std::string(outcome.ended_by),
                          .completed = outcome.completed,
                          .wire = outcome.wire});
    changed_.NotifyAll();
  }
  ConnectionPlan OnAccept(const ConnectionInfo& connection) override {
    const ConnectionPlan plan = accept(connection);
    const MutexLock lock(mutex_);
    ++accepted_;
    changed_.NotifyAll();
    return plan;
  }
  void OnConnectionEnd(const ConnectionReport& report) override {
    const MutexLock lock(mutex_);
    reports_.push_back(report);
    changed_.NotifyAll();
  }

  // Block (for a minute at most) until so many have been seen; return what was seen.
  std::vector<http::Request> AwaitRequests(std::size_t count) {
    const MutexLock lock(mutex_);
    Await([&]() REQUIRES(mutex_) { return requests_.size() >= count; });
    return requests_;
  }
  std::vector<Exchange> AwaitExchanges(std::size_t count) {
    const MutexLock lock(mutex_);
    Await([&]() REQUIRES(mutex_) { return exchanges_.size() >= count; });
    return exchanges_;
  }
  std::vector<ConnectionReport> AwaitReports(std::size_t count) {
    const MutexLock lock(mutex_);
    Await([&]() REQUIRES(mutex_) { return reports_.size() >= count; });
    return reports_;
  }
  std::size_t AwaitAccepted(std::size_t count) {
    const MutexLock lock(mutex_);
    Await([&]() REQUIRES(mutex_) { return accepted_ >= count; });
    return accepted_;
  }

 private:
  void Await(FunctionRef<bool()> seen) REQUIRES(mutex_) {
    clock_.AwaitUntil(mutex_, changed_, clock_.Now() + std::chrono::minutes(1), seen);
  }

  Mutex mutex_;
  CondVar changed_{"the handler was called"};
  SystemClock clock_;
  std::vector<http::Request> requests_ GUARDED_BY(mutex_);
  std::vector<Exchange> exchanges_ GUARDED_BY(mutex_);
  std::vector<ConnectionReport> reports_ GUARDED_BY(mutex_);
  std::size_t accepted_ GUARDED_BY(mutex_) = 0;
};

}  // namespace understudy::harness
