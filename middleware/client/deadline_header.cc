#include "middleware/client/deadline_header.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "middleware/base/check.h"
#include "middleware/base/text.h"

namespace understudy {
namespace {

constexpr std::size_t kMillisecondDigitsMax = 10;  // 115 days: clamped to `longest` anyway.
constexpr std::size_t kGrpcDigitsMax = 8;
constexpr std::int64_t kGrpcValueMax = 99'999'999;

struct GrpcUnit {
  char name;
  std::int64_t nanoseconds;
};
// Finest first, so that formatting loses as little as possible.
constexpr std::array<GrpcUnit, 6> kGrpcUnits = {{{'n', 1},
                                                 {'u', 1'000},
                                                 {'m', 1'000'000},
                                                 {'S', 1'000'000'000},
                                                 {'M', 60'000'000'000},
                                                 {'H', 3'600'000'000'000}}};

std::string FormatGrpc(std::int64_t nanoseconds) {
  std::size_t unit = 0;
  while (nanoseconds / kGrpcUnits[unit].nanoseconds > kGrpcValueMax) ++unit;
  // "1S" rather than "1000000u", but only if nothing is lost.
  const std::int64_t value = nanoseconds / kGrpcUnits[unit].nanoseconds;
  const std::int64_t kept = value * kGrpcUnits[unit].nanoseconds;
  while (unit + 1 < kGrpcUnits.size() && kept % kGrpcUnits[unit + 1].nanoseconds == 0) ++unit;
  return std::to_string(kept / kGrpcUnits[unit].nanoseconds) + kGrpcUnits[unit].name;
}

std::optional<std::int64_t> ParseDigits(std::string_view text, std::size_t digits_max) {
  if (text.size() > digits_max) return std::nullopt;
  const std::optional<std::uint64_t> value = ParseUnsigned(text);
  if (!value) return std::nullopt;
  return static_cast<std::int64_t>(*value);
}

std::optional<Duration> ParseMilliseconds(std::string_view text) {
  const std::optional<std::int64_t> value = ParseDigits(text, kMillisecondDigitsMax);
  if (!value) return std::nullopt;
  return std::chrono::milliseconds(*value);
}

std::optional<Duration> ParseGrpc(std::string_view text) {
  if (text.empty()) return std::nullopt;
  const auto* const unit =
      std::find_if(kGrpcUnits.begin(), kGrpcUnits.end(),
                   [&](const GrpcUnit& candidate) { return candidate.name == text.back(); });
  if (unit == kGrpcUnits.end()) return std::nullopt;
  const std::optional<std::int64_t> value =
      ParseDigits(text.substr(0, text.size() - 1), kGrpcDigitsMax);
  if (!value) return std::nullopt;
  // 99,999,999 hours are more nanoseconds than 64 bits hold.
  if (*value > Duration::max().count() / unit->nanoseconds) return Duration::max();
  return Duration(*value * unit->nanoseconds);
}

Error BadHeader(const std::string& name, std::string_view why) {
  return Error{.code = ErrorCode::kProtocol,
               .message = "the caller's header " + name + " " + std::string(why),
               .origin = Origin::kRemote,
               .reason = "deadline-header"};
}

}  // namespace

Problems FindProblems(const DeadlineHeaderOptions& options) {
  constexpr Duration kLongestMax = std::chrono::hours(24 * 365);
  Problems problems;
  if (!http::Headers().Add(options.name, "1"))
    problems.push_back("deadline_header.name must be a header name");
  if (options.longest < std::chrono::milliseconds(1) || options.longest > kLongestMax) {
    problems.push_back("deadline_header.longest is " + FormatDuration(options.longest) +
                       "; it must be 1ms to " + FormatDuration(kLongestMax));
  }
  if (options.reserve < Duration::zero() || options.reserve >= options.longest) {
    problems.push_back("deadline_header.reserve is " + FormatDuration(options.reserve) +
                       "; it must not be negative, and be less than deadline_header.longest, " +
                       FormatDuration(options.longest));
  }
  return problems;
}

std::optional<std::string> FormatDeadlineHeader(Duration remaining, DeadlineHeaderForm form) {
  if (remaining <= Duration::zero()) return std::nullopt;
  if (form == DeadlineHeaderForm::kGrpcTimeout) return FormatGrpc(remaining.count());
  const auto milliseconds = std::chrono::floor<std::chrono::milliseconds>(remaining);
  if (milliseconds.count() == 0) return std::nullopt;
  return std::to_string(milliseconds.count());
}

Result<std::optional<Deadline>> ParseDeadlineHeader(const http::Headers& headers, TimePoint now,
                                                    const DeadlineHeaderOptions& options) {
  const std::vector<std::string_view> values = headers.GetAll(options.name);
  if (values.empty()) return std::optional<Deadline>();
  if (values.size() > 1) return BadHeader(options.name, "occurs more than once");
  const bool grpc = options.form == DeadlineHeaderForm::kGrpcTimeout;
  const std::optional<Duration> allowed =
      grpc ? ParseGrpc(values[0]) : ParseMilliseconds(values[0]);
  if (!allowed) {
    return BadHeader(options.name, grpc ? "must be 1 to 8 digits and a unit, H, M, S, m, u or n"
                                        : "must be milliseconds, 1 to 10 digits and nothing else");
  }
  const Deadline deadline = Deadline::After(now, std::min(*allowed, options.longest));
  return std::optional<Deadline>(deadline.WithReserve(options.reserve));
}

DeadlineHeaderInterceptor::DeadlineHeaderInterceptor(DeadlineHeaderOptions options,
                                                     const Runtime& runtime)
    : options_(std::move(options)), runtime_(runtime) {
  UNDERSTUDY_CHECK(FindProblems(options_).empty(), "invalid deadline header options");
}

Result<http::Response> DeadlineHeaderInterceptor::Intercept(http::Request& request,
                                                            CallContext& context, Next next) {
  const Deadline deadline = context.deadline();
  if (!deadline.reachable()) return next(request, context);
  const TimePoint now = context.Now(runtime_.clock);
  const Duration remaining = deadline.WithReserve(options_.reserve).Remaining(now);
  const std::optional<std::string> value =
      FormatDeadlineHeader(std::min(remaining, options_.longest), options_.form);
  if (!value) {
    context.Explain(now, "deadline-header", "refused: " + FormatDuration(remaining) + " to give");
    return Error{ErrorCode::kDeadlineExceeded,
                 "the deadline and its reserve of " + FormatDuration(options_.reserve) + " leave " +
                     FormatDuration(remaining) + ", too little to ask anybody for an answer",
                 Delivery::kNotSent,
                 Origin::kLocal,
                 {},
                 "deadline-header"};
  }
  UNDERSTUDY_RETURN_IF_ERROR(request.headers.Set(options_.name, *value));
  return next(request, context);
}

std::string DeadlineHeaderInterceptor::Describe() const {
  return "deadline header: " + options_.name + ", less " + FormatDuration(options_.reserve);
}

}  // namespace understudy
