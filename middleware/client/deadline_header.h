// The deadline of a call, told to the next hop: as a duration, because two machines do not share a
// clock.
//
//   builder.AddAttemptInterceptor(std::make_unique<DeadlineHeaderInterceptor>(
//       DeadlineHeaderOptions{.reserve = 50ms}, runtime));       // X-Request-Timeout-Ms: 1450
//
//   // In the server of the next hop, at once when the request has arrived:
//   UNDERSTUDY_ASSIGN_OR_RETURN(const std::optional<Deadline> callers,
//                               ParseDeadlineHeader(request.headers, clock.Now()));
//   const Deadline deadline = Deadline::After(clock.Now(), 5s).Tightened(callers.value_or({}));
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "middleware/base/problems.h"
#include "middleware/base/result.h"
#include "middleware/client/interceptor.h"
#include "middleware/http/headers.h"
#include "middleware/runtime/deadline.h"
#include "middleware/runtime/runtime.h"

namespace understudy {

enum class DeadlineHeaderForm {
  kMilliseconds,  // "1450": decimal digits.
  // "1450m": at most eight digits and one of H M S m u n, milliseconds being m ("Timeout" in gRPC
  // over HTTP/2).
  kGrpcTimeout,
};

struct DeadlineHeaderOptions {
  std::string name = "X-Request-Timeout-Ms";  // "grpc-timeout" for kGrpcTimeout.
  DeadlineHeaderForm form = DeadlineHeaderForm::kMilliseconds;
  // Kept back from what is told or heard: the way there and back, and the work with the answer.
  Duration reserve{0};
  // Nothing longer is told or believed; a receiver may keep milliseconds in 32 bits.
  Duration longest = std::chrono::hours(24);
};

// Names a header that is no token, a reserve below zero or not below `longest`, and a `longest`
// outside 1 ms to 365 days.
Problems FindProblems(const DeadlineHeaderOptions& options);

// `remaining` in that form, rounded down, so that the next hop never believes in more time than
// there is. nullopt for less than one unit (1 ms; 1 ns): zero would mean "no timeout" to some.
std::optional<std::string> FormatDeadlineHeader(Duration remaining, DeadlineHeaderForm form);

// What the caller allows, counted from `now`, at most `longest` and less the reserve: read it when
// the request arrives, because time in a queue is not known to the header. nullopt without a
// header. A deadline that has passed already ("0", or less than the reserve) is a Deadline like any
// other.
//
// Errors: kProtocol [answered: no; remote], reason "deadline-header", for anything but the exact
// form (a sign, a space inside, a fraction, another unit, more than ten digits, eight in gRPC's
// form), and for several fields of the name, which contradict each other. The application decides
// what that means: refuse the request, or go on with its own deadline. The value is not in the
// message.
Result<std::optional<Deadline>> ParseDeadlineHeader(const http::Headers& headers, TimePoint now,
                                                    const DeadlineHeaderOptions& options = {});

// An attempt interceptor: tells the vendor, or the service between, how long this attempt waits
// for an answer. Computed anew for each attempt, from the smaller of the attempt's timeout and what
// is left of the total; replaces a field of that name. A call without any deadline is sent as it
// is.
//
// With less than one unit left after the reserve nothing is sent: kDeadlineExceeded [not-sent,
// local], reason "deadline-header", which is never repeated and says nothing about the vendor.
// Explains that refusal in the call report. Thread-safe: stateless.
class DeadlineHeaderInterceptor final : public Interceptor {
 public:
  // `options` without problems; aborts otherwise.
  DeadlineHeaderInterceptor(DeadlineHeaderOptions options, const Runtime& runtime);

  Result<http::Response> Intercept(http::Request& request, CallContext& context,
                                   Next next) override;
  bool MayWait() const override { return false; }
  std::string Describe() const override;

 private:
  const DeadlineHeaderOptions options_;
  const Runtime runtime_;
};

}  // namespace understudy
