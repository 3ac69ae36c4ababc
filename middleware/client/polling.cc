#include "middleware/client/polling.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "middleware/base/text.h"
#include "middleware/http/retry_after.h"

namespace understudy {
namespace {

constexpr int kAccepted = 202;
constexpr int kSeeOther = 303;

bool WentWrong(const Result<http::Response>& answer) {
  if (!answer) return true;
  const int status = answer->status;
  return status == 408 || status == 425 || status == 429 || status >= 500;
}

// Repeating cannot help.
bool IsFinal(const Error& error) {
  return error.code == ErrorCode::kInvalidArgument || error.code == ErrorCode::kCancelled ||
         error.code == ErrorCode::kTls || error.code == ErrorCode::kAuth;
}

Error DeadlineOver(std::string message) {
  return Error{.code = ErrorCode::kDeadlineExceeded,
               .message = std::move(message),
               .delivery = Delivery::kAnswered,
               .reason = "poll-deadline"};
}

class Poller {
 public:
  Poller(Client& client, const Runtime& runtime, PollOptions options)
      : client_(client),
        runtime_(runtime),
        options_(std::move(options)),
        pause_(options_.interval),
        deadline_(Deadline::After(runtime.clock.Now(), options_.within)
                      .Tightened(options_.call.deadline)) {
    options_.call.deadline = deadline_;
  }

  // One look; nullopt if it went wrong and may be repeated.
  Result<std::optional<http::Response>> Look(std::string_view reference) {
    if (options_.call.stop.stop_requested()) return Stopped();
    if (deadline_.Passed(runtime_.clock.Now())) return DeadlineOver("the time for polling is over");
    if (polls_ >= options_.polls_max) {
      return Error{.code = ErrorCode::kTimeout,
                   .message = "the operation is pending after " + std::to_string(polls_) +
                              " polls; raise polls_max or the interval",
                   .delivery = Delivery::kAnswered,
                   .reason = "poll-count"};
    }
    ++polls_;
    UNDERSTUDY_ASSIGN_OR_RETURN(http::Request request,
                                client_.NewRequest(http::Method::Get(), reference));
    auto answer = client_.Call(std::move(request), options_.call);
    hint_ = HintOf(answer);
    if (!WentWrong(answer)) {
      failures_ = 0;
      return std::optional<http::Response>(*std::move(answer));
    }
    if (!answer && IsFinal(answer.error())) return answer.error();
    if (++failures_ > options_.failures_max) return LastFailure(answer);
    return std::optional<http::Response>();
  }

  // Waits until the next look is due.
  Result<void> Pause() {
    const double luck = runtime_.random.UnitInterval("poll/jitter");
    const auto jitter = Duration(
        static_cast<Duration::rep>(static_cast<double>(pause_.count()) * options_.jitter * luck));
    const Duration wait = std::max(pause_ + jitter, hint_.value_or(Duration::zero()));
    pause_ = std::min(pause_ + pause_ / 2, options_.interval_max);
    const TimePoint wake = SaturatingAdd(runtime_.clock.Now(), wait);
    if (deadline_.Passed(wake)) {
      return DeadlineOver("the operation is pending, and the next poll, in " +
                          FormatDuration(wait) + ", would be after the deadline");
    }
    if (!runtime_.clock.SleepUntil(wake, options_.call.stop)) return Stopped();
    return {};
  }

  void Heed(const http::Response& answer) { hint_ = HintOf(answer); }
  int polls() const { return polls_; }

 private:
  std::optional<Duration> HintOf(const Result<http::Response>& answer) const {
    if (!answer) return answer.error().retry_after;
    return ParseRetryAfter(answer->headers, runtime_.clock.SystemNow());
  }

  static Error Stopped() {
    return Error{.code = ErrorCode::kCancelled,
                 .message = "polling was stopped",
                 .delivery = Delivery::kAnswered,
                 .reason = "poll-stopped"};
  }

  Error LastFailure(const Result<http::Response>& answer) const {
    if (!answer) return answer.error();
    return Error{.code = ErrorCode::kProtocol,
                 .message = std::to_string(failures_) + " polls in a row failed, the last with " +
                            std::to_string(answer->status),
                 .delivery = Delivery::kAnswered,
                 .origin = Origin::kRemote,
                 .retry_after = hint_,
                 .reason = "poll-failures"};
  }

  Client& client_;
  const Runtime& runtime_;
  PollOptions options_;
  Duration pause_;
  const Deadline deadline_;
  std::optional<Duration> hint_;
  int polls_ = 0;
  int failures_ = 0;
};

Result<std::string> LocationOf(const http::Response& response) {
  const auto locations = response.headers.GetAll("Location");
  if (locations.size() == 1 && !locations[0].empty()) return std::string(locations[0]);
  return Error{.code = ErrorCode::kProtocol,
               .message = "a " + std::to_string(response.status) + " without one Location",
               .delivery = Delivery::kAnswered,
               .origin = Origin::kRemote,
               .reason = "no-location"};
}

PollState StateOf(const http::Response& response) {
  return response.ok() ? PollState::kDone : PollState::kFailed;
}

}  // namespace

Problems FindProblems(const PollOptions& options) {
  Problems problems;
  RequirePositive(problems, "within", options.within);
  RequirePositive(problems, "interval", options.interval);
  if (options.interval_max < options.interval || options.interval_max > std::chrono::hours(24)) {
    problems.push_back("interval_max is " + FormatDuration(options.interval_max) +
                       "; it must be interval to 1d");
  }
  RequireRange(problems, "jitter", options.jitter, 0.0, 1.0);
  RequireRange(problems, "polls_max", options.polls_max, 1, 100'000);
  RequireRange(problems, "failures_max", options.failures_max, 0, 100);
  return problems;
}

Result<PollEnd> Poll(Client& client, const Runtime& runtime, std::string_view reference,
                     const PollJudge& judge, PollOptions options) {
  UNDERSTUDY_RETURN_IF_ERROR(ToResult("poll options", FindProblems(options)));
  if (!judge) return InvalidArgument("polling needs a judge of the answers");
  Poller poller(client, runtime, std::move(options));
  for (;;) {
    UNDERSTUDY_ASSIGN_OR_RETURN(std::optional<http::Response> answer, poller.Look(reference));
    if (answer) {
      UNDERSTUDY_ASSIGN_OR_RETURN(const PollState state, judge(*answer));
      if (state != PollState::kPending) return PollEnd{state, *std::move(answer), poller.polls()};
    }
    UNDERSTUDY_RETURN_IF_ERROR(poller.Pause());
  }
}

Result<PollEnd> PollOperation(Client& client, const Runtime& runtime,
                              const http::Response& accepted, PollOptions options) {
  UNDERSTUDY_RETURN_IF_ERROR(ToResult("poll options", FindProblems(options)));
  if (accepted.status != kAccepted) return PollEnd{StateOf(accepted), accepted, 0};
  UNDERSTUDY_ASSIGN_OR_RETURN(std::string location, LocationOf(accepted));
  Poller poller(client, runtime, std::move(options));
  poller.Heed(accepted);
  bool at_result = false;
  bool pausing = true;
  for (;;) {
    if (pausing) UNDERSTUDY_RETURN_IF_ERROR(poller.Pause());
    pausing = true;
    UNDERSTUDY_ASSIGN_OR_RETURN(std::optional<http::Response> answer, poller.Look(location));
    if (!answer) continue;
    if (answer->status == kSeeOther && !at_result) {
      UNDERSTUDY_ASSIGN_OR_RETURN(location, LocationOf(*answer));
      at_result = true;
      pausing = false;
    } else if (answer->status == kAccepted) {
      if (answer->headers.Has("Location")) {
        UNDERSTUDY_ASSIGN_OR_RETURN(location, LocationOf(*answer));
      }
    } else {
      return PollEnd{StateOf(*answer), *std::move(answer), poller.polls()};
    }
  }
}

}  // namespace understudy
