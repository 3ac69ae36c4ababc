// What the client tests share: a world of fakes, a scripted vendor and short names for requests and
// errors.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "middleware/client/client_builder.h"
#include "tests/support/scripted_transport.h"
#include "tests/support/test_runtime.h"

namespace understudy::test {

inline Error ConnectionReset() {
  return {
      ErrorCode::kConnection, "reset by peer", Delivery::kMaybeSent, Origin::kRemote, {}, "reset"};
}
inline Error ConnectionRefused() {
  return {ErrorCode::kConnection, "refused", Delivery::kNotSent, Origin::kRemote, {}, "refused"};
}

// Retry without jitter: the delays are 100 ms, 200 ms, 400 ms, ...
inline RetryOptions PlainRetry(int attempts_max = 3) {
  RetryOptions options;
  options.attempts_max = attempts_max;
  options.backoff.jitter = false;
  return options;
}

struct ClientWorld {
  ClientBuilder Builder() {
    ClientBuilder builder(world.runtime(), vendor, "vendor");
    builder.BaseUrl("https://api.vendor.example");
    return builder;
  }
  // Builds or aborts with the problems.
  void Use(ClientBuilder& builder) { client = builder.Build().value(); }

  Result<http::Response> Send(http::Method method, CallOptions options = {}) {
    if (options.operation.empty()) options.operation = "op";
    http::Request request = client->NewRequest(std::move(method), "/v1/things/1").value();
    return client->Call(std::move(request), std::move(options), report);
  }
  Result<http::Response> Get(CallOptions options = {}) {
    return Send(http::Method::Get(), std::move(options));
  }
  Result<http::Response> Post(CallOptions options = {}) {
    return Send(http::Method::Post(), std::move(options));
  }

  TestRuntime world = TestRuntime();
  ScriptedTransport vendor = ScriptedTransport(world.clock);
  std::unique_ptr<Client> client = {};
  CallReport report = {};
};

}  // namespace understudy::test
