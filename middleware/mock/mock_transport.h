// MockTransport: a vendor in a few lines, under the full stack.
//
// It takes the place of the network and of nothing else: auth, retry, breaker, limits and deadlines
// of the Client above it run as they do in production, and see what it answers.
//
//   MockTransport mock(runtime.clock);
//   mock.When("GET", "/v1/charges/{id}").Respond(200, R"({"id": "ch_1", "amount": 5000})");
//   mock.When("POST", "/v1/charges").Respond(503).ThenRespond(201, R"({"id": "ch_2"})");
//
//   auto client = ClientBuilder(runtime, mock, "stripe").BaseUrl("https://api.stripe.com")
//                     .Retry({.attempts_max = 3}).Build();
//   ...                                            // a GET, and a POST that needed two attempts
//   EXPECT_EQ(mock.request_count(), 3u);
//   EXPECT_EQ(mock.Requests("POST", "/v1/charges").at(1).attempt, 2);
//   EXPECT_TRUE(mock.VerifyAllUsed());
//
// Of several routes that fit, the one added last answers, so a test can override what its fixture
// set up. Paths are those that arrive (with the path of the base URL), segment by segment: literal,
// or {name} for one segment of any content. There is no regular expression, and no "." that means
// anything: see MockRoute::Where.
//
// A request that fits no route is a mistake of the test, not an answer of the vendor. Its Send
// fails with kInvalidArgument, "no-mock", local and not sent: nothing retries it, no breaker counts
// it, no fallback hides it. The message names the nearest routes and what differs:
//
//   no mock for POST /v1/charge; 2 routes are set up, the nearest: (1) POST /v1/charges: path
//   segment 2: expected "charges", got "charge"
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "middleware/base/mutex.h"
#include "middleware/http/transport.h"
#include "middleware/mock/mock_request.h"
#include "middleware/mock/mock_route.h"
#include "middleware/runtime/clock.h"

namespace understudy {

// Thread-safe. Send keeps the contract of http::Transport: it blocks for the latency of the route,
// through the Clock, until the deadline or the stop at the latest; an answer due at the deadline is
// too late. It must not be called with a Mutex held.
//
// Errors of Send beside those that the routes play: kDeadlineExceeded and kCancelled as a network
// would report them; kProtocol "too-large" for a body above response_bytes_max; kInvalidArgument
// with reason "no-mock" (no route, or a route that is used up or has no response), "mock-setup" (a
// route has a mistake, or its computed answer or condition threw), or "mock-hang" (the answer never
// comes, and neither deadline nor stop could end the wait; fails at once instead).
//
// Redirects are answered as they are, whatever redirects_max says. The body of an answer to HEAD is
// left away.
class MockTransport final : public http::Transport {
 public:
  // Remembered; older requests are forgotten first, the counts are not.
  static constexpr std::size_t kRequestsKept = 1000;
  static constexpr std::size_t kBodyBytesKept = std::size_t{8} * 1024 * 1024;
  static constexpr std::size_t kUnmatchedKept = 20;

  // The clock must outlive the transport.
  explicit MockTransport(Clock& clock) : clock_(clock) {}
  MockTransport(const MockTransport&) = delete;
  MockTransport& operator=(const MockTransport&) = delete;

  // A new route for `method` ("GET") and `path` ("/v1/orders/{id}"), before all older ones. Give it
  // at least one response. The reference is valid until Reset or the end of the transport.
  MockRoute& When(std::string_view method, std::string_view path) EXCLUDES(mutex_);

  Result<http::Response> Send(const http::Request& request,
                              const http::SendOptions& options) override EXCLUDES(mutex_);

  // All requests so far, matched or not. A Send that had no time left or was stopped before it
  // began is none, as nothing would have been sent.
  std::uint64_t request_count() const EXCLUDES(mutex_);
  // Copies, oldest first.
  std::vector<MockRequest> requests() const EXCLUDES(mutex_);
  // Those of that method and path template; aborts on what When would call a mistake.
  std::vector<MockRequest> Requests(std::string_view method, std::string_view path) const
      EXCLUDES(mutex_);
  std::optional<MockRequest> last_request() const EXCLUDES(mutex_);

  // Success if every request had a mock and no route has a mistake; otherwise one kInvalidArgument,
  // "no-mock", with all of it (the first kUnmatchedKept requests in full).
  Result<void> Verify() const EXCLUDES(mutex_);
  // The same, and every route was used: each of its responses given, Exactly(n) reached.
  Result<void> VerifyAllUsed() const EXCLUDES(mutex_);

  // Forgets routes, requests and counts. No reference to a route may be used afterwards.
  void Reset() EXCLUDES(mutex_);

  // The routes in the order in which they are tried, one a line, without secrets.
  std::string Describe() const EXCLUDES(mutex_);

 private:
  using Routes = std::vector<std::shared_ptr<MockRoute>>;
  struct Found {
    std::shared_ptr<MockRoute> route;  // nullptr: none fits, and `nearest` says why.
    std::string nearest = {};
  };

  // Newest first.
  Routes SnapshotRoutes() const EXCLUDES(mutex_);
  static std::vector<std::string> FindProblems(const Routes& routes);
  MockRequest NewRequest(const http::Request& request, const http::SendOptions& options)
      EXCLUDES(mutex_);
  std::shared_ptr<const MockRequest> Remember(MockRequest seen) EXCLUDES(mutex_);
  // Fills in what the route captured.
  static Result<Found> FindRoute(const Routes& routes, MockRequest& seen);
  Error NoMock(const MockRequest& seen, const std::string& why) EXCLUDES(mutex_);
  Result<void> Wait(const MockRoute::Claimed& claimed, const http::SendOptions& options);
  static Result<http::Response> Play(const MockRoute::Action& action, const MockRequest& seen);
  std::vector<std::string> FindFindings(const Routes& routes) const EXCLUDES(mutex_);

  Clock& clock_;
  mutable Mutex mutex_;
  Routes routes_ GUARDED_BY(mutex_);  // Oldest first.
  std::deque<std::shared_ptr<const MockRequest>> kept_ GUARDED_BY(mutex_);
  std::size_t kept_bytes_ GUARDED_BY(mutex_) = 0;
  std::uint64_t request_count_ GUARDED_BY(mutex_) = 0;
  std::vector<std::string> unmatched_ GUARDED_BY(mutex_);  // At most kUnmatchedKept.
  std::uint64_t unmatched_count_ GUARDED_BY(mutex_) = 0;
};

}  // namespace understudy
