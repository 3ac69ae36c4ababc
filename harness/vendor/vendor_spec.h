// VendorSpec: what a fake vendor is, as plain data. A scenario file's `vendor` section without the
// file.
//
//   VendorSpec spec{.name = "acme"};
//   spec.routes.push_back({.id = "orders",
//                          .match = {.method = "GET", .path = "/v1/orders/{id}"},
//                          .responses = {{.times = 5, .status = 503},
//                                        {.status = 200, .body = R"({"id":"o1"})"}}});
//
// Bodies are the exact bytes to send (JSON already serialised). VendorModel::Create and
// WebhookEmitter check what is written here.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "harness/match/request_matcher.h"
#include "harness/plan/fault.h"
#include "middleware/base/time.h"

namespace understudy::harness {

// Drawn uniformly from [low, high] for each use; equal for a fixed one.
struct LatencySpec {
  Duration low = {};
  Duration high = {};

  static LatencySpec Fixed(Duration latency) { return {latency, latency}; }
};

struct ResponseSpec {
  std::optional<std::int64_t> times = {};  // How often in a row; absent means once. 0 skips it.
  std::optional<int> status = {};          // Absent: 200; in `on_exceed`: 429.
  std::vector<std::pair<std::string, std::string>> headers = {};
  std::optional<std::string> body = {};
  std::string content_type = "application/json";  // Of a body, unless `headers` has its own.
  std::optional<LatencySpec> latency = {};        // Instead of the route's.
  std::optional<FaultKind> fault = {};
};

// What a route does when its responses are used up.
enum class WhenExhausted {
  kFailScenario,  // Answers 500 and complains: one request more than planned is news.
  kRepeatLast,
  kCycle,
};

struct RouteSpec {
  std::string id = {};
  RequestMatch match = {};
  std::optional<LatencySpec> latency = {};
  bool requires_token = false;  // A valid Bearer token of the vendor's `oauth`, else 401.
  std::vector<ResponseSpec> responses = {};
  WhenExhausted when_exhausted = WhenExhausted::kFailScenario;
};

struct OAuthSpec {
  enum class Initial { kNone, kValid, kExpired };

  std::string path = {};  // Of the token endpoint, e.g. "/oauth/token".
  Duration ttl = std::chrono::hours(1);
  Initial initial = Initial::kNone;  // The tokens that the client already holds at the start.
  bool rotate_refresh_token = false;
  std::optional<LatencySpec> latency = {};
  // With an id, clients must authenticate (RFC 6749 section 2.3.1), Basic or in the body.
  std::optional<std::string> client_id = {};
  std::string client_secret = {};
};

struct LimitSpec {
  enum class Kind {
    kFixed,        // Windows one after the other, each with its own count.
    kSliding,      // Never more than `max` in any stretch of `window`.
    kTokenBucket,  // `max` tokens at the start, refilled evenly at `max` per `window`.
  };
  enum class Align {
    kFirstRequest,  // A window starts with the first request after the last window's end.
    kUtcDay,        // Windows start at 00:00 UTC; `window` is at most a day.
    kUtcHour,       // Windows start at the full hour; `window` is at most an hour.
  };

  std::string id = {};
  std::int64_t max = 0;
  Duration window = {};
  Kind kind = Kind::kFixed;
  Align align = Align::kFirstRequest;  // For kFixed only.
  // Absent: 429 with Retry-After. Given: exactly this, without a Retry-After of its own accord.
  std::optional<ResponseSpec> on_exceed = {};
};

struct WebhookSpec {
  enum class Order {
    kFifo,  // An event waits until the one before it is acknowledged or abandoned.
    kAny,
  };

  std::string id = {};
  std::string to = {};      // The receiver's name; a resolver turns it into a URL.
  std::string scheme = {};  // How deliveries are signed; empty for not at all.
  std::string secret = {};
  Duration ack_timeout = std::chrono::seconds(10);
  std::vector<Duration> retry = {};  // Waits after the 1st, 2nd, ... failed attempt.
  Order order = Order::kAny;
};

struct VendorSpec {
  std::string name = "vendor";
  std::vector<RouteSpec> routes = {};  // The first that matches answers.
  std::optional<OAuthSpec> oauth = {};
  std::vector<LimitSpec> limits = {};  // Each counts the requests to all routes, not to `oauth`.
  std::vector<WebhookSpec> webhooks = {};  // For WebhookEmitters; the model itself sends nothing.
};

}  // namespace understudy::harness
