// Polling: asks a vendor how an operation stands until it is done, has failed, or nobody wants to
// know any more.
//
//   UNDERSTUDY_ASSIGN_OR_RETURN(const auto accepted, client.Post("/v1/reports", order));
//   PollOptions options;
//   options.within = 10min;
//   auto end = PollOperation(client, runtime, accepted, options);
//   if (!end) return end.error();
//   if (end->state == PollState::kDone) Use(end->response);
//
// The convention of PollOperation is that of RFC 9110: 202 (section 15.3.3) with a Location to
// monitor, Retry-After (10.2.3) between looks, 303 (15.4.4) to the result. For other conventions
// ("status":"processing" in a 200) give Poll a judge.
//
// Pauses start with `interval` and grow by a half to `interval_max`, each up to `jitter` longer;
// what the vendor asks for is never cut short, and ends the polling at once if it does not fit
// before the deadline. Nothing is polled without a bound in time and in number.
#pragma once

#include <functional>
#include <string_view>

#include "middleware/base/problems.h"
#include "middleware/base/result.h"
#include "middleware/client/call_context.h"
#include "middleware/client/client.h"
#include "middleware/http/response.h"
#include "middleware/runtime/runtime.h"

namespace understudy {

enum class PollState {
  kPending,  // Look again.
  kDone,
  kFailed,  // The vendor says that the operation will not succeed.
};

// What an answer means. An Error ends the polling and is returned. Called on the polling thread.
using PollJudge = std::function<Result<PollState>(const http::Response&)>;

struct PollOptions {
  Duration within = std::chrono::minutes(5);    // In total; above zero.
  Duration interval = std::chrono::seconds(2);  // Above zero, to interval_max.
  Duration interval_max = std::chrono::seconds(30);
  double jitter = 0.1;  // Part of the pause; 0 to 1.
  int polls_max = 200;  // Looks in total; 1 to 100,000.
  // Looks in a row that may go wrong: no answer, 408, 425, 429 and 5xx; 0 to 100.
  int failures_max = 5;
  // Of each look; its deadline and stop also bound the whole.
  CallOptions call = {};
};

Problems FindProblems(const PollOptions& options);

struct PollEnd {
  PollState state = PollState::kPending;  // kDone or kFailed.
  http::Response response = {};           // The last answer.
  int polls = 0;
};

// Looks at `reference` (as Client::Get takes it) at once, and again while `judge` says kPending.
// Blocks until the end.
//
// Errors: kInvalidArgument (options, reference); kDeadlineExceeded, "poll-deadline", when the time
// is over or the next pause would end after it; kTimeout, "poll-count", after polls_max looks;
// kCancelled by the stop; after more than failures_max failures in a row, the error of the last, or
// kProtocol, "poll-failures", if it was an answer; the judge's own.
Result<PollEnd> Poll(Client& client, const Runtime& runtime, std::string_view reference,
                     const PollJudge& judge, PollOptions options);

// Follows the operation that `accepted`, a 202, has started: waits as it asks, then looks at its
// Location until an answer is not a 202. 2xx is kDone; a 303 is followed once, to the result on the
// same origin; 4xx is kFailed. A Location in a later 202 takes the place of the first.
//
// kDone at once if `accepted` is another 2xx. kProtocol, "no-location", for a 202 without one;
// kInvalidArgument for a Location on another origin than the client's: nothing is sent there. Else
// as Poll.
Result<PollEnd> PollOperation(Client& client, const Runtime& runtime,
                              const http::Response& accepted, PollOptions options);

}  // namespace understudy
