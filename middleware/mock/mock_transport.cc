#include "middleware/mock/mock_transport.h"

#include <algorithm>
#include <exception>
#include <utility>

#include "middleware/base/check.h"
#include "middleware/mock/diagnostic_text.h"

namespace understudy {
namespace {

using internal::MockMatch;
using internal::MockMatcher;
using internal::MockRequestView;

constexpr std::size_t kNearestShown = 3;

Error Mistake(std::string reason, std::string message) {
  Error error = InvalidArgument(std::move(message));
  error.reason = std::move(reason);
  return error;
}

Error TooLate(Delivery delivery) {
  return Error{.code = ErrorCode::kDeadlineExceeded,
               .message = "mock: no answer before the deadline",
               .delivery = delivery};
}

Error Stopped(Delivery delivery) {
  return Error{.code = ErrorCode::kCancelled,
               .message = "mock: the caller asked to stop before the answer",
               .delivery = delivery};
}

Result<void> CheckStart(const http::Request& request, const http::SendOptions& options,
                        TimePoint now) {
  // The deadline first: a stop may have been requested because of it.
  if (options.deadline.Passed(now)) return TooLate(Delivery::kNotSent);
  if (options.stop.stop_requested()) return Stopped(Delivery::kNotSent);
  if (request.url.host().empty()) return InvalidArgument("the request has no URL");
  return {};
}

// User code: whatever it throws ends here.
template <typename F>
auto Guarded(std::string_view what, F&& call) -> Result<decltype(call())> {
  std::string thrown = "an exception";
  try {
    return call();
  } catch (const std::exception& exception) {
    thrown = internal::Quoted(exception.what());
  } catch (...) {  // Told below.
  }
  return Mistake("mock-setup", "mock: " + std::string(what) + " threw " + thrown);
}

std::string Joined(const std::vector<std::string>& texts, std::string_view separator) {
  std::string joined;
  for (const std::string& text : texts) joined.append(joined.empty() ? "" : separator).append(text);
  return joined;
}

struct NearMiss {
  std::string name = {};
  MockMatch match = {};
};

std::string DescribeNearest(std::vector<NearMiss> misses) {
  if (misses.empty()) return "no route is set up; add one with When";
  std::stable_sort(misses.begin(), misses.end(), [](const NearMiss& a, const NearMiss& b) {
    return a.match.distance < b.match.distance;
  });
  std::string text =
      std::to_string(misses.size()) +
      (misses.size() == 1 ? " route is set up:" : " routes are set up, the nearest:");
  for (std::size_t i = 0; i < std::min(misses.size(), kNearestShown); ++i) {
    text.append(i == 0 ? " (" : "; (").append(std::to_string(i + 1)).append(") ");
    text.append(misses[i].name).append(": ").append(Joined(misses[i].match.mismatches, ", "));
  }
  return text;
}

Result<http::Response> Finish(http::Response response, const http::Request& request,
                              const http::SendOptions& options) {
  if (response.status < 200 || response.status > 599) {
    return Mistake("mock-setup", "mock: the computed status " + std::to_string(response.status) +
                                     " is not an answer; it must be 200 to 599");
  }
  if (request.method == http::Method::Head()) response.body.clear();
  if (response.body.size() > options.response_bytes_max) {
    return Error{.code = ErrorCode::kProtocol,
                 .message = "mock: the answer of " + std::to_string(response.body.size()) +
                            " bytes is larger than the limit of " +
                            std::to_string(options.response_bytes_max),
                 .delivery = Delivery::kAnswered,
                 .origin = Origin::kRemote,
                 .reason = "too-large"};
  }
  return response;
}

}  // namespace

MockRoute& MockTransport::When(std::string_view method, std::string_view path) {
  // Not make_shared: the constructor is private.
  const std::shared_ptr<MockRoute> route(new MockRoute(method, path));
  const MutexLock lock(mutex_);
  routes_.push_back(route);
  return *route;
}

Result<http::Response> MockTransport::Send(const http::Request& request,
                                           const http::SendOptions& options) {
  UNDERSTUDY_RETURN_IF_ERROR(CheckStart(request, options, clock_.Now()));
  const Routes routes = SnapshotRoutes();
  MockRequest arrived = NewRequest(request, options);
  Result<Found> found = FindRoute(routes, arrived);
  const std::shared_ptr<const MockRequest> seen = Remember(std::move(arrived));
  if (const std::vector<std::string> problems = FindProblems(routes); !problems.empty()) {
    return Mistake("mock-setup", "mock: " + Joined(problems, "; "));
  }
  if (!found) return std::move(found).error();
  if (!found->route) return NoMock(*seen, found->nearest);
  Result<MockRoute::Claimed> claimed = found->route->Claim();
  if (!claimed) return NoMock(*seen, seen->route + ": " + claimed.error().message);
  UNDERSTUDY_RETURN_IF_ERROR(Wait(*claimed, options));
  UNDERSTUDY_ASSIGN_OR_RETURN(http::Response response, Play(*claimed->action, *seen));
  return Finish(std::move(response), request, options);
}

MockTransport::Routes MockTransport::SnapshotRoutes() const {
  const MutexLock lock(mutex_);
  return Routes(routes_.rbegin(), routes_.rend());
}

std::vector<std::string> MockTransport::FindProblems(const Routes& routes) {
  std::vector<std::string> problems;
  for (const std::shared_ptr<MockRoute>& route : routes) {
    const std::vector<std::string> found = route->FindProblems();
    problems.insert(problems.end(), found.begin(), found.end());
  }
  return problems;
}

MockRequest MockTransport::NewRequest(const http::Request& request,
                                      const http::SendOptions& options) {
  MockRequest seen;
  seen.request = request;
  seen.at = clock_.Now();
  seen.deadline = options.deadline;
  seen.replayable = options.replayable;
  seen.operation = options.attempt.operation;
  seen.attempt = options.attempt.attempt;
  seen.breaker_state = options.attempt.breaker_state;
  const MutexLock lock(mutex_);
  seen.number = ++request_count_;
  return seen;
}

Result<MockTransport::Found> MockTransport::FindRoute(const Routes& routes, MockRequest& seen) {
  const MockRequestView view(seen);
  std::vector<NearMiss> misses;
  for (const std::shared_ptr<MockRoute>& route : routes) {
    const std::shared_ptr<const MockMatcher> matcher = route->matcher();
    if (!matcher) continue;
    UNDERSTUDY_ASSIGN_OR_RETURN(MockMatch match, Guarded("a condition of " + matcher->name(),
                                                         [&] { return matcher->Match(view); }));
    if (match.matched) {
      seen.route = matcher->name();
      seen.path_parameters = std::move(match.path_parameters);
      return Found{route, {}};
    }
    misses.push_back({matcher->name(), std::move(match)});
  }
  return Found{nullptr, DescribeNearest(std::move(misses))};
}

std::shared_ptr<const MockRequest> MockTransport::Remember(MockRequest seen) {
  const auto kept = std::make_shared<const MockRequest>(std::move(seen));
  const MutexLock lock(mutex_);
  kept_.push_back(kept);
  kept_bytes_ += kept->request.body.size();
  // The newest one stays, whatever its size.
  while (kept_.size() > 1 && (kept_.size() > kRequestsKept || kept_bytes_ > kBodyBytesKept)) {
    kept_bytes_ -= kept_.front()->request.body.size();
    kept_.pop_front();
  }
  return kept;
}

Error MockTransport::NoMock(const MockRequest& seen, const std::string& why) {
  const std::string asked =
      std::string(seen.request.method.name()) + " " + internal::Shortened(seen.request.url.path());
  const MutexLock lock(mutex_);
  ++unmatched_count_;
  if (unmatched_.size() < kUnmatchedKept) {
    unmatched_.push_back("request " + std::to_string(seen.number) + ", " + asked + ": " + why);
  }
  return Mistake("no-mock", "no mock for " + asked + "; " + why);
}

Result<void> MockTransport::Wait(const MockRoute::Claimed& claimed,
                                 const http::SendOptions& options) {
  const auto* const fault = std::get_if<MockFault>(claimed.action.get());
  const bool hangs = fault != nullptr && *fault == MockFault::kHang;
  if (!hangs && claimed.latency == Duration::zero()) return {};
  const TimePoint answer_at = hangs ? kNever : SaturatingAdd(clock_.Now(), claimed.latency);
  if (answer_at == kNever && !options.deadline.reachable() && !options.stop.stop_possible()) {
    return Mistake("mock-hang",
                   "mock: the answer never comes, and the call has neither a deadline nor a stop: "
                   "it would block for ever; give the client a TotalDeadline");
  }
  // What a route fails with tells in which phase the wait is: before the request was sent, or
  // after.
  const auto* const error = std::get_if<Error>(claimed.action.get());
  Delivery delivery = Delivery::kMaybeSent;
  if (fault != nullptr) delivery = ErrorOf(*fault).delivery;
  if (error != nullptr) delivery = error->delivery;
  if (delivery == Delivery::kAnswered) delivery = Delivery::kMaybeSent;
  const TimePoint deadline = options.deadline.point();
  const bool in_time = answer_at < deadline;
  const bool woke = clock_.SleepUntil(std::min(answer_at, deadline), options.stop);
  if (woke && in_time) return {};
  if (options.deadline.Passed(clock_.Now())) return TooLate(delivery);
  return Stopped(delivery);
}

Result<http::Response> MockTransport::Play(const MockRoute::Action& action,
                                           const MockRequest& seen) {
  if (const auto* response = std::get_if<http::Response>(&action)) return *response;
  if (const auto* error = std::get_if<Error>(&action)) return *error;
  if (const auto* fault = std::get_if<MockFault>(&action)) return ErrorOf(*fault);
  const auto& reply = std::get<MockRoute::Reply>(action);
  Result<Result<http::Response>> computed =
      Guarded("the computed answer of " + seen.route, [&] { return reply(seen); });
  if (!computed) return std::move(computed).error();
  return *std::move(computed);
}

std::uint64_t MockTransport::request_count() const {
  const MutexLock lock(mutex_);
  return request_count_;
}

std::vector<MockRequest> MockTransport::requests() const {
  std::deque<std::shared_ptr<const MockRequest>> kept;
  {
    const MutexLock lock(mutex_);
    kept = kept_;
  }
  std::vector<MockRequest> copies;
  copies.reserve(kept.size());
  for (const auto& seen : kept) copies.push_back(*seen);
  return copies;
}

std::vector<MockRequest> MockTransport::Requests(std::string_view method,
                                                 std::string_view path) const {
  const Result<MockMatcher> matcher = MockMatcher::Create(method, path);
  UNDERSTUDY_CHECK(matcher.has_value(), matcher.error().message);
  std::vector<MockRequest> found = requests();
  std::erase_if(found, [&](const MockRequest& seen) {
    return !matcher->Match(MockRequestView(seen)).matched;
  });
  return found;
}

std::optional<MockRequest> MockTransport::last_request() const {
  const MutexLock lock(mutex_);
  if (kept_.empty()) return std::nullopt;
  return *kept_.back();
}

std::vector<std::string> MockTransport::FindFindings(const Routes& routes) const {
  std::vector<std::string> findings = FindProblems(routes);
  const MutexLock lock(mutex_);
  if (unmatched_count_ == 0) return findings;
  findings.push_back(std::to_string(unmatched_count_) +
                     (unmatched_count_ == 1 ? " request" : " requests") + " had no mock");
  findings.insert(findings.end(), unmatched_.begin(), unmatched_.end());
  return findings;
}

Result<void> MockTransport::Verify() const {
  const std::vector<std::string> findings = FindFindings(SnapshotRoutes());
  if (findings.empty()) return {};
  return Mistake("no-mock", Joined(findings, " | "));
}

Result<void> MockTransport::VerifyAllUsed() const {
  const Routes routes = SnapshotRoutes();
  std::vector<std::string> findings = FindFindings(routes);
  for (const std::shared_ptr<MockRoute>& route : routes) {
    if (std::optional<std::string> unused = route->FindUnused()) {
      findings.push_back(*std::move(unused));
    }
  }
  if (findings.empty()) return {};
  return Mistake("no-mock", Joined(findings, " | "));
}

void MockTransport::Reset() {
  // Destroyed after the lock: the functions in a route are user code.
  Routes routes;
  const MutexLock lock(mutex_);
  routes.swap(routes_);
  kept_.clear();
  kept_bytes_ = 0;
  request_count_ = 0;
  unmatched_.clear();
  unmatched_count_ = 0;
}

std::string MockTransport::Describe() const {
  std::string text;
  for (const std::shared_ptr<MockRoute>& route : SnapshotRoutes()) {
    text.append(route->Describe()).append("\n");
  }
  return text;
}

}  // namespace understudy
