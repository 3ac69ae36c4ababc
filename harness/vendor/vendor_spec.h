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
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "harness/match/request_matcher.h"
#include "harness/plan/fault.h"
#include "harness/vendor/fault_rule.h"
#include "harness/vendor/latency.h"
#include "middleware/base/time.h"
#include "middleware/http/request.h"

namespace understudy::harness {

// States by the name of their machine. A machine is in kInitialState until something sets another;
// machines need no declaration. The names are those of WireMock's scenarios.
inline constexpr std::string_view kInitialState = "Started";
using StateCondition = std::map<std::string, std::vector<std::string>, std::less<>>;  // One of.
using StateChange = std::map<std::string, std::string, std::less<>>;

struct ResponseSpec {
  std::optional<std::int64_t> times = {};  // How often in a row; absent means once. 0 skips it.
  std::optional<int> status = {};          // Absent: 200; in `on_exceed`: 429.
  std::vector<std::pair<std::string, std::string>> headers = {};
  std::optional<std::string> body = {};
  std::string content_type = "application/json";  // Of a body, unless `headers` has its own.
  std::optional<LatencySpec> latency = {};        // Instead of the route's.
  std::optional<FaultKind> fault = {};
  FaultDetail fault_detail = {};  // Where and how the fault strikes.
  // `body` and the values of `headers` are templates (template.h); otherwise {{ is just text.
  bool templated = false;
  // Only while these machines are in one of these states. See RouteSpec::responses.
  StateCondition when_state = {};
  // What the machines are in once this answer was chosen.
  StateChange set_state = {};
};

// A request as computed answers see it. Borrowed for the length of the call.
struct RouteRequest {
  const http::Request& request;  // Without the correlation header and the prefix of isolation.
  // Of the path's template or the named groups of its regular expression, percent-decoded.
  const std::vector<std::pair<std::string, std::string>>& captures;
  std::string_view caller;  // As RouteSpec::per tells them apart; "" without.
  std::string_view test;    // As VendorSpec::isolate_by tells them apart; "" without.
  std::int64_t n = 0;       // The request's number on its route, from 1.
  SystemTime now = {};      // In the world's clock.
};

// Tells callers apart by a part of their requests. A request without that part is the caller "".
struct CallerKey {
  enum class Kind {
    kHeader,
    kToken,  // The bearer token, or whatever else Authorization says.
    kQuery,
    kCookie,
    kCapture,  // Of the route's path.
  };

  Kind kind = Kind::kHeader;
  std::string name = {};  // Of the header, parameter, cookie or capture; not for kToken.

  bool operator==(const CallerKey&) const = default;
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
  // One after the other. If any has a when_state, each request gets the first one of the list whose
  // states hold and whose `times`, if it has any, are not used up; then when_exhausted counts for
  // nothing.
  std::vector<ResponseSpec> responses = {};
  WhenExhausted when_exhausted = WhenExhausted::kFailScenario;

  // Routes of a lower number are tried first; among equals, the one declared first.
  int priority = kPriorityDefault;
  static constexpr int kPriorityDefault = 5;
  // The route matches only while these machines are in one of these states.
  StateCondition when_state = {};
  // After any of the route's answers that does not set the same machine itself.
  StateChange set_state = {};
  // Each caller has its own sequence, states and counters on this route. Absent: as the vendor
  // says.
  std::optional<CallerKey> per = {};
  // Makes the answers instead of `responses`, which must be empty then. Called on the thread that
  // serves the request, without a lock, from many threads at once; must not throw.
  std::function<ResponseSpec(const RouteRequest&)> compute = {};
};

// Tells tests apart that share one vendor: each has its own sequences, states, counters and limits,
// as if it were alone. Tokens are shared. A request that names no test belongs to the test "".
struct IsolationSpec {
  std::string header = {};       // A request header with the test's id, e.g. "X-Test-Id"; or
  std::string path_prefix = {};  // "/t/": "/t/<id>/v1/orders" is "/v1/orders" of the test <id>.
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

// What a limit counts together.
struct LimitScope {
  // Who makes a count of their own. Requests that do not say who they are share one.
  enum class Per {
    kVendor,   // Nobody: one count for all callers.
    kToken,    // The token of "Authorization: Bearer <token>".
    kHeader,   // The value of the header `name`.
    kQuery,    // The first value of the query parameter `name`.
    kAddress,  // The client's IP address, as far as the host knows it.
  };
  static constexpr std::int64_t kCallersDefault = 1'000;
  static constexpr std::int64_t kCallersMax = 100'000;

  std::vector<std::string> routes = {};   // Only requests to these; empty: to all.
  std::vector<std::string> methods = {};  // Only requests of these; empty: of all.
  bool each_route = false;                // Every route has a count of its own.
  Per per = Per::kVendor;
  std::string name = {};  // Of kHeader and kQuery.
  // Counts that are remembered; beyond that the one that was used longest ago is forgotten, and its
  // caller begins anew. Permits that are held are never forgotten. 1..kCallersMax.
  std::int64_t callers = kCallersDefault;
};

// How many points a request takes; the first rule that fits it says so.
struct LimitCost {
  std::vector<std::string> routes = {};   // Empty: any.
  std::vector<std::string> methods = {};  // Empty: any.
  std::int64_t points = 1;                // 0 takes nothing.
};

// A dialect pack of the user's own: how a vendor says its limits (see DialectPack).
struct DialectSpec {
  std::string name = {};  // As limits name it; one of a built-in pack takes its place.
  std::string json = {};  // The pack's document.
};

struct LimitSpec {
  enum class Kind {
    kFixed,        // Windows one after the other, each with its own count.
    kSliding,      // Never more than `max` in any stretch of `window`.
    kTokenBucket,  // `max` tokens at the start, refilled evenly at `max` per `window`.
    // A bucket that holds `max`, from which `max` leak evenly in each `window`; what would overflow
    // is refused. The token bucket seen from its other side, as Shopify describes its own.
    kLeakyBucket,
    // At most `max` exchanges under way at one time; a permit is held from the request until the
    // exchange is completed. `window` is only how long a refused caller is told to wait.
    kConcurrency,
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
  // With a dialect: whatever is given here takes the place of what the dialect says.
  std::optional<ResponseSpec> on_exceed = {};
  // "github", or one of its forms: "github/secondary". Empty: answers say nothing of the limit.
  std::string dialect = {};
  LimitScope scope = {};
  std::vector<LimitCost> costs = {};  // A request that none fits takes one point.
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
  // Further secrets that sign beside `secret`, as during a rotation. The signer sees to them.
  std::vector<std::string> more_secrets = {};
};

struct VendorSpec {
  std::string name = "vendor";
  std::vector<RouteSpec> routes = {};  // The first that matches answers; see RouteSpec::priority.
  std::optional<OAuthSpec> oauth = {};
  std::vector<LimitSpec> limits = {};  // Each counts the requests to all routes, not to `oauth`.
  std::vector<WebhookSpec> webhooks = {};  // For WebhookEmitters; the model itself sends nothing.
  std::optional<CallerKey> per = {};       // Of routes without their own.
  std::optional<IsolationSpec> isolate_by = {};
  std::vector<FaultRule> faults = {};      // What goes wrong, whatever the routes answer.
  std::vector<DialectSpec> dialects = {};  // Beside the built-in ones.
};

}  // namespace understudy::harness
