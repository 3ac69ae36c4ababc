// MockRequest: one request as a MockTransport saw it.
//
//   mock.When("GET", "/v1/orders/{id}").RespondWith([](const MockRequest& seen) {
//     return JsonResponse(200, R"({"id":")" + seen.PathParameter("id") + R"("})");
//   });
//   EXPECT_EQ(mock.last_request()->request.headers.Get("Idempotency-Key"), "k1");
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "middleware/http/request.h"
#include "middleware/http/response.h"
#include "middleware/runtime/deadline.h"

namespace understudy {

// A plain value: what a test does to its copy changes nothing in the mock. `request` holds what the
// client sent, credentials included, so that a test can look at them; Describe() hides them.
struct MockRequest {
  std::uint64_t number = 0;  // 1 for the first request of the transport.
  http::Request request = {};
  // What the {parameters} of the route's path stand for, percent-decoded, in the path's order.
  std::vector<std::pair<std::string, std::string>> path_parameters = {};
  std::string route = {};  // "GET /v1/orders/{id}": the route that answers; empty if none does.
  TimePoint at = {};
  // What the layers above asked of the transport, see http::SendOptions.
  Deadline deadline = {};
  bool replayable = false;
  std::string operation = {};
  int attempt = 1;
  std::string breaker_state = {};

  // Empty if the route has no parameter of that name (a parameter never stands for nothing).
  std::string PathParameter(std::string_view name) const;

  // One line for people: method, path, query, header fields, size of the body; what looks like a
  // secret is hidden.
  std::string Describe() const;
};

// An answer with a JSON body: the text as given, and Content-Type: application/json. The text is
// not checked; MockRoute::Respond checks.
http::Response JsonResponse(int status, std::string json);

}  // namespace understudy
