// A client that survives its vendor: one total deadline, retries, a circuit breaker.
#include <cstdio>

#include "middleware/client/client_builder.h"
#include "middleware/platform/curl_transport.h"
#include "middleware/platform/system_runtime.h"

using namespace std::chrono_literals;

int main(int argc, char** argv) {
  understudy::SystemRuntime runtime;
  understudy::CurlTransport transport(runtime.view().clock, {});
  auto client = understudy::ClientBuilder(runtime.view(), transport, "acme")
                    .BaseUrl(argc > 1 ? argv[1] : "http://127.0.0.1:9")
                    .TotalDeadline(2s)
                    .Retry({.attempts_max = 3})
                    .Breaker({.failures = 5, .open_for = 30s})
                    .Build();
  auto request = (*client)->NewRequest(understudy::http::Method::Get(), "/v1/orders");
  auto reply = (*client)->Call(*request, {.operation = "orders.list"});
  std::puts(reply ? reply->body.c_str() : reply.error().ToString().c_str());
}
