// Client: calls one vendor's HTTP API through the policies that ClientBuilder put in order.
//
//   auto client = ClientBuilder(runtime, transport, "stripe")
//                     .BaseUrl("https://api.stripe.com")
//                     .TotalDeadline(10s)
//                     .Retry({.attempts_max = 3})
//                     .Breaker({})
//                     .AttemptTimeout(3s)
//                     .Build();
//   if (!client) return client.error();
//   auto request = (*client)->NewRequest(http::Method::Get(), "/v1/charges?limit=3");
//   auto response = (*client)->Call(*std::move(request), {.operation = "charges.list"});
//   if (!response) ...            // no answer: response.error() says what to do
//   else if (!response->ok()) ... // the vendor said no
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "middleware/client/call_context.h"
#include "middleware/client/interceptor.h"
#include "middleware/http/request.h"
#include "middleware/http/response.h"
#include "middleware/runtime/runtime.h"

namespace understudy {

// What happened during one call, and why.
struct CallReport {
  std::vector<Decision> decisions = {};  // In the order of time.
  TimePoint started_at = {};
  Duration duration{0};
  int sends = 0;          // Requests handed to the transport.
  bool fallback = false;  // The answer was made up by the fallback layer.

  // One line per decision: "+20ms retry: 503, retry in 100ms".
  std::string ToString() const;
};

// Thread-safe: calls run concurrently on their callers' threads; the client has no threads of its
// own. Must outlive its calls. The runtime's parts and the transport must outlive it.
class Client {
 public:
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // Sends `request` and returns the vendor's answer of any status, or an Error. Blocks until then:
  // at most for the total deadline, and not after a stop.
  //
  // Errors: kInvalidArgument (no URL, another origin than the base URL's, a bad idempotency key),
  // kDeadlineExceeded, kTimeout, kCancelled, kConnection, kTls, kProtocol, kCircuitOpen,
  // kRateLimited, kOverloaded, kAuth; `delivery` says whether the vendor may have executed the
  // call. What they mean for the caller: base/error.h.
  //
  // Publishes "call.start": operation, method, path; and "call.end": operation, ok (status below
  // 400, or a served fallback), status or error, reason, attempts (requests sent), duration,
  // fallback.
  Result<http::Response> Call(http::Request request, CallOptions options = {});
  // The same, and explains itself in `report`.
  Result<http::Response> Call(http::Request request, CallOptions options, CallReport& report);

  // A request for `reference` ("/v1/orders?id=1"), resolved against the base URL. kInvalidArgument
  // if there is none, or if the reference is malformed or leads to another origin.
  Result<http::Request> NewRequest(http::Method method, std::string_view reference) const;

  // The layers in order, outermost first, with their settings; no secrets. For people and logs.
  std::string Describe() const;

  const std::string& provider() const { return provider_; }

 private:
  friend class ClientBuilder;

  Client(std::string provider, std::optional<http::Url> base_url,
         std::vector<std::unique_ptr<Interceptor>> layers, http::Transport& transport,
         const Runtime& runtime)
      : provider_(std::move(provider)),
        base_url_(std::move(base_url)),
        layers_(std::move(layers)),
        transport_(transport),
        runtime_(runtime) {}

  Result<void> CheckOrigin(const http::Url& url) const;
  void PublishEnd(const Result<http::Response>& result, const CallContext& context,
                  Duration duration);

  const std::string provider_;
  const std::optional<http::Url> base_url_;
  const std::vector<std::unique_ptr<Interceptor>> layers_;
  http::Transport& transport_;
  const Runtime runtime_;
};

}  // namespace understudy
