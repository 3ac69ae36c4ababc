// ScriptedTransport: a Transport that answers from a list and remembers what it was asked.
//
//   ScriptedTransport transport(clock);
//   transport.Answer(503, {{"Retry-After", "2"}});
//   transport.Fail({.code = ErrorCode::kConnection, .origin = Origin::kRemote});
//   transport.Answer(200).After(20ms);  // the answer takes 20 ms of the clock's time
//   ...
//   EXPECT_EQ(transport.sent().at(0).request.headers.Get("Idempotency-Key"), "k1");
#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "middleware/http/transport.h"
#include "middleware/runtime/clock.h"

namespace understudy::test {

// What one Send saw.
struct SentRequest {
  http::Request request = {};
  TimePoint at = {};
  Deadline deadline = {};
  bool replayable = false;
  std::string operation = {};
  int attempt = 0;
  std::string breaker_state = {};
};

// Thread-safe. Keeps the Transport contract: a deadline or a stop during the latency ends the Send
// as a real one would. Without a step left, Send fails with kInternal "the script is over", which
// no policy repeats.
class ScriptedTransport final : public http::Transport {
 public:
  using Reply = std::function<Result<http::Response>(const http::Request&)>;

  // Returned by the adders, to set the latency of the step just added.
  class Step {
   public:
    Step(ScriptedTransport& transport, std::size_t index) : transport_(transport), index_(index) {}
    Step& After(Duration latency) {
      const std::lock_guard lock(transport_.mutex_);
      transport_.steps_[index_].latency = latency;
      return *this;
    }
    Step& Times(std::size_t times) {
      const std::lock_guard lock(transport_.mutex_);
      transport_.steps_[index_].times = times;
      return *this;
    }
    // Answers every further request.
    Step& Forever() { return Times(static_cast<std::size_t>(-1)); }

   private:
    ScriptedTransport& transport_;
    std::size_t index_;
  };

  explicit ScriptedTransport(Clock& clock) : clock_(clock) {}

  Step Answer(int status, http::Headers headers = {}, std::string body = {}) {
    http::Response response{status, std::move(headers), std::move(body)};
    return Call([response](const http::Request&) { return response; });
  }
  Step Fail(Error error) {
    return Call([error](const http::Request&) -> Result<http::Response> { return error; });
  }
  Step Call(Reply reply) {
    const std::lock_guard lock(mutex_);
    steps_.push_back({std::move(reply), Duration::zero(), 1});
    return Step(*this, steps_.size() - 1);
  }
  // Never answers: the Send ends with the deadline or the stop.
  Step Hang() { return Answer(599).After(Duration::max()); }

  Result<http::Response> Send(const http::Request& request,
                              const http::SendOptions& options) override {
    const std::optional<Taken> step = Take(request, options);
    if (!step) return Error{ErrorCode::kInternal, "the script is over"};
    if (options.deadline.Passed(clock_.Now())) return TooLate(Delivery::kNotSent);
    const TimePoint answer_at = SaturatingAdd(clock_.Now(), step->latency);
    const TimePoint wake_at = std::min(answer_at, options.deadline.point());
    if (step->latency > Duration::zero() && !clock_.SleepUntil(wake_at, options.stop)) {
      return Error{ErrorCode::kCancelled, "stopped", Delivery::kMaybeSent, Origin::kLocal, {}, {}};
    }
    if (wake_at < answer_at) return TooLate(Delivery::kMaybeSent);
    return step->reply(request);
  }

  std::vector<SentRequest> sent() const {
    const std::lock_guard lock(mutex_);
    return sent_;
  }
  std::size_t sends() const {
    const std::lock_guard lock(mutex_);
    return sent_.size();
  }

 private:
  struct Scripted {
    Reply reply;
    Duration latency{0};
    std::size_t times = 1;
  };
  struct Taken {
    Reply reply;
    Duration latency{0};
  };

  static Error TooLate(Delivery delivery) {
    return Error{
        ErrorCode::kDeadlineExceeded, "no answer in time", delivery, Origin::kLocal, {}, {}};
  }

  std::optional<Taken> Take(const http::Request& request, const http::SendOptions& options) {
    const TimePoint now = clock_.Now();
    const std::lock_guard lock(mutex_);
    sent_.push_back({request, now, options.deadline, options.replayable,
                     std::string(options.attempt.operation), options.attempt.attempt,
                     std::string(options.attempt.breaker_state)});
    while (next_ < steps_.size() && steps_[next_].times == 0) ++next_;
    if (next_ == steps_.size()) return std::nullopt;
    Scripted& step = steps_[next_];
    if (step.times != static_cast<std::size_t>(-1)) --step.times;
    return Taken{step.reply, step.latency};
  }

  Clock& clock_;
  mutable std::mutex mutex_;
  std::deque<Scripted> steps_;
  std::size_t next_ = 0;
  std::vector<SentRequest> sent_;
};

}  // namespace understudy::test
