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
//   auto charges = (*client)->Get("/v1/charges?limit=3", {.operation = "charges.list"});
//   if (!charges) ...            // no answer: charges.error() says what to do
//   else if (!charges->ok()) ... // the vendor said no
//   auto refund = (*client)->Call(RequestBuilder(http::Method::Post(), "/v1/charges/{id}/refund")
//                                     .Path("id", charge_id)
//                                     .FormField({"metadata", "order"}, order_id),
//                                 {.operation = "charges.refund", .idempotency_key = order_id});
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "middleware/client/body_codec.h"
#include "middleware/client/call_context.h"
#include "middleware/client/interceptor.h"
#include "middleware/client/request_builder.h"
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
  // Ends the outer layers before the inner ones, which they may still use.
  ~Client();
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
  // 400, or a served fallback), status or error, class (OutcomeClass), reason, attempts (requests
  // sent), duration, fallback.
  Result<http::Response> Call(http::Request request, CallOptions options = {});
  // The same, and explains itself in `report`.
  Result<http::Response> Call(http::Request request, CallOptions options, CallReport& report);

  // The same for a request in its parts. kInvalidArgument with everything that is wrong with it, or
  // if there is no base URL.
  Result<http::Response> Call(const RequestBuilder& request, CallOptions options = {});

  // Short forms for a reference as NewRequest takes it; `fields` is written as this vendor reads
  // bodies (ProviderProfile::body_codec; JSON without a profile). The errors of Call.
  Result<http::Response> Get(std::string_view reference, CallOptions options = {});
  Result<http::Response> Delete(std::string_view reference, CallOptions options = {});
  Result<http::Response> Post(std::string_view reference, const nlohmann::json& fields,
                              CallOptions options = {});
  Result<http::Response> Put(std::string_view reference, const nlohmann::json& fields,
                             CallOptions options = {});
  Result<http::Response> Patch(std::string_view reference, const nlohmann::json& fields,
                               CallOptions options = {});

  // A request for `reference` ("/v1/orders?id=1"), resolved against the base URL. kInvalidArgument
  // if there is none, or if the reference is malformed or leads to another origin.
  Result<http::Request> NewRequest(http::Method method, std::string_view reference) const;

  // The layers in order, outermost first, with their settings; no secrets. For people and logs.
  std::string Describe() const;

  const std::string& provider() const { return provider_; }

 private:
  friend class ClientBuilder;

  // What a vendor's profile decides for every call.
  struct Defaults {
    BodyCodec body_codec = BodyCodec::kJson;
    std::optional<std::size_t> response_bytes_max = {};
  };

  Client(std::string provider, std::optional<http::Url> base_url, const Defaults& defaults,
         std::vector<std::unique_ptr<Interceptor>> layers, http::Transport& transport,
         const Runtime& runtime)
      : provider_(std::move(provider)),
        base_url_(std::move(base_url)),
        defaults_(defaults),
        layers_(std::move(layers)),
        transport_(transport),
        runtime_(runtime) {}

  Result<http::Response> CallWith(http::Method method, std::string_view reference,
                                  const nlohmann::json* fields, CallOptions options);

  Result<void> CheckOrigin(const http::Url& url) const;
  void PublishEnd(const Result<http::Response>& result, const CallContext& context,
                  Duration duration);

  const std::string provider_;
  const std::optional<http::Url> base_url_;
  const Defaults defaults_;
  std::vector<std::unique_ptr<Interceptor>> layers_;  // Not changed but by the destructor.
  http::Transport& transport_;
  const Runtime runtime_;
};

}  // namespace understudy
