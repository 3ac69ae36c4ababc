// MockRoute: which requests a mock answers, and how. Made by MockTransport::When.
//
//   mock.When("POST", "/v1/charges")
//       .WithHeader("Idempotency-Key", AnyValue())
//       .WithJson(R"({"amount": 1000})")          // other members may be there too
//       .Respond(503).Times(2)                    // the first two requests
//       .ThenFail(MockFault::kReset)              // the third
//       .ThenRespond(201, R"({"id": "ch_1"})")    // the fourth and all later ones
//       .After(20ms);                             // which take 20 ms of the clock's time
//
//   mock.When("GET", "/v1/charges/{id}").RespondWith([](const MockRequest& seen) {
//     return JsonResponse(200, R"({"id":")" + seen.PathParameter("id") + R"("})");
//   });
//
// The last response repeats for ever, unless Exactly says after how many requests the route is used
// up. What is wrong with a route (malformed JSON, a second Respond, ...) is told by every Send of
// its transport and by Verify: a mistake in a fixture cannot be overlooked.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "middleware/base/mutex.h"
#include "middleware/base/result.h"
#include "middleware/http/response.h"
#include "middleware/mock/mock_fault.h"
#include "middleware/mock/mock_matcher.h"
#include "middleware/mock/mock_request.h"

namespace understudy {

// Stands for a value that must be there, whatever it is.
struct AnyValue {};

// Thread-safe: a route can be changed while requests come in; each request sees the route as it was
// when the request arrived. Owned by its MockTransport, valid until that ends or is Reset. Nothing
// blocks.
class MockRoute {
 public:
  // Computes an answer. Called on the thread of the Send, with no lock held, when the latency is
  // over. It may throw: that becomes an Error.
  using Reply = std::function<Result<http::Response>(const MockRequest&)>;
  using Condition = std::function<bool(const MockRequest&)>;

  MockRoute(const MockRoute&) = delete;
  MockRoute& operator=(const MockRoute&) = delete;

  // Conditions; all must hold. A name that comes several times fits if one of its values does.
  // Query and form values are compared decoded, header names without case.
  MockRoute& WithQuery(std::string_view name, std::string_view value);
  MockRoute& WithQuery(std::string_view name, AnyValue);
  MockRoute& WithoutQuery(std::string_view name);
  MockRoute& WithHeader(std::string_view name, std::string_view value);
  MockRoute& WithHeader(std::string_view name, AnyValue);
  MockRoute& WithoutHeader(std::string_view name);
  // A field of an application/x-www-form-urlencoded body.
  MockRoute& WithForm(std::string_view name, std::string_view value);
  MockRoute& WithForm(std::string_view name, AnyValue);
  // The body is JSON with at least these object members; arrays and scalars must be equal.
  MockRoute& WithJson(std::string_view json);
  // The body is exactly these bytes.
  MockRoute& WithBody(std::string_view body);
  // For a transport that stands for several hosts: "https://auth.example.com".
  MockRoute& WithOrigin(std::string_view origin);
  // Anything else; `what` says it in diagnostics. Asked last, with the path parameters captured,
  // on the thread of the Send, with no lock held. This is where a regular expression belongs, in
  // a library that cannot hang on one.
  MockRoute& Where(std::string_view what, Condition condition);

  // The first response. `status` is 200 to 599. `json` is sent exactly as given, with Content-Type:
  // application/json, and must be JSON: {}, [], 0, false and "" (with its quotes) are bodies too.
  // Without it the body is empty. For other bodies give an http::Response.
  MockRoute& Respond(int status);
  MockRoute& Respond(int status, std::string_view json);
  MockRoute& Respond(http::Response response);
  MockRoute& RespondWith(Reply reply);
  MockRoute& Fail(MockFault fault);
  MockRoute& Fail(Error error);

  // The response after the previous one has been given as often as Times says.
  MockRoute& ThenRespond(int status);
  MockRoute& ThenRespond(int status, std::string_view json);
  MockRoute& ThenRespond(http::Response response);
  MockRoute& ThenRespondWith(Reply reply);
  MockRoute& ThenFail(MockFault fault);
  MockRoute& ThenFail(Error error);

  // The response just added is given to `times` requests (1 unless set) before the next one's
  // turn.
  MockRoute& Times(int times);
  // The response just added takes that long.
  MockRoute& After(Duration latency);
  // The route answers `calls` requests in all; a further one fails like a request without a mock,
  // it does not fall through to an older route. 0: the request must not come.
  MockRoute& Exactly(int calls);

  // Requests that it answered, or tried to.
  std::uint64_t calls() const EXCLUDES(mutex_);
  // "POST /v1/charges, header Idempotency-Key of any value, 2 requests"; secrets are hidden.
  std::string Describe() const EXCLUDES(mutex_);

 private:
  friend class MockTransport;

  using Action = std::variant<http::Response, Error, MockFault, Reply>;
  struct Step {
    std::shared_ptr<const Action> action;
    Duration latency{0};
    std::uint64_t times = 1;
    std::uint64_t given = 0;
  };
  struct Claimed {
    std::shared_ptr<const Action> action;
    Duration latency{0};
  };

  // A malformed method or path is a problem, and matches nothing.
  MockRoute(std::string_view method, std::string_view path);

  MockRoute& Change(const std::function<Result<void>(internal::MockMatcher&)>& change)
      EXCLUDES(mutex_);
  MockRoute& AddField(internal::MockMatcher::Part part, std::string_view name,
                      internal::MockMatcher::Presence presence, std::string_view value = {});
  MockRoute& AddStep(bool first, Result<Action> action) EXCLUDES(mutex_);
  static Result<Action> Answer(http::Response response);
  static Result<Action> JsonAnswer(int status, std::string_view json);
  static Result<Action> ComputedAnswer(Reply reply);
  void AddProblem(std::string problem) REQUIRES(mutex_);

  // nullptr if the route has a problem of its method or path.
  std::shared_ptr<const internal::MockMatcher> matcher() const EXCLUDES(mutex_);
  // The response to the next request, or why there is none.
  Result<Claimed> Claim() EXCLUDES(mutex_);
  // Mistakes that make the route useless, each with the name of the route.
  std::vector<std::string> FindProblems() const EXCLUDES(mutex_);
  // What was set up and not used, one line; nothing if all was.
  std::optional<std::string> FindUnused() const EXCLUDES(mutex_);

  const std::string name_;
  mutable Mutex mutex_;
  // Replaced as a whole, so that a request can look at it without the lock.
  std::shared_ptr<const internal::MockMatcher> matcher_ GUARDED_BY(mutex_);
  std::vector<Step> steps_ GUARDED_BY(mutex_);
  std::size_t next_ GUARDED_BY(mutex_) = 0;
  std::optional<std::uint64_t> exactly_ GUARDED_BY(mutex_);
  std::uint64_t calls_ GUARDED_BY(mutex_) = 0;
  std::vector<std::string> problems_ GUARDED_BY(mutex_);
};

}  // namespace understudy
