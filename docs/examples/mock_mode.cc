// One program that talks to the vendor, or, with API_MOCK_MODE=1, to a mock of it.
//
// It can mock because it names a MockRegistry. Leave that away, as a program for production does,
// and API_MOCK_MODE=1 makes it refuse to start.
#include <cstdio>

#include "middleware/client/client_factory.h"
#include "middleware/mock/mock_registry.h"
#include "middleware/platform/curl_transport.h"
#include "middleware/platform/environment.h"
#include "middleware/platform/system_runtime.h"

using namespace std::chrono_literals;
using understudy::AnyValue;
using understudy::MockFault;

namespace {

// What the mocked vendor does: the first attempt breaks, the second works.
void SetUpStripe(understudy::MockTransport& stripe) {
  stripe.When("POST", "/v1/charges")
      .WithHeader("Idempotency-Key", AnyValue())
      .WithJson(R"({"amount": 1000})")
      .Fail(MockFault::kReset)
      .ThenRespond(201, R"({"id": "ch_1", "amount": 1000})")
      .After(20ms);
}

int Fail(const understudy::Error& error) {
  std::fprintf(stderr, "%s\n", error.ToString().c_str());
  return 1;
}

}  // namespace

int main() {
  understudy::SystemRuntime system({.log = understudy::LogTo::kStderr});
  understudy::CurlTransport curl(system.clock(), {});
  understudy::MockRegistry mocks(system.clock());
  SetUpStripe(mocks.Mock("stripe"));

  const auto factory = understudy::ClientFactory::Create(
      {.mode_text = understudy::GetEnvironment(understudy::kMockModeVariable),
       .real = &curl,
       .mocks = &mocks},
      system.view());
  if (!factory) return Fail(factory.error());
  auto builder = factory->NewClient("stripe");
  if (!builder) return Fail(builder.error());
  const auto client = builder
                          ->BaseUrl("http://127.0.0.1:9")  // Nobody listens here.
                          .TotalDeadline(2s)
                          .Retry({.attempts_max = 3})
                          .Breaker({.failures = 5})
                          .Build();
  if (!client) return Fail(client.error());

  auto request = (*client)->NewRequest(understudy::http::Method::Post(), "/v1/charges");
  if (!request) return Fail(request.error());
  request->body = R"({"amount": 1000, "currency": "usd"})";
  const auto reply = (*client)->Call(*request, {.idempotency_key = "order-7"});
  if (!reply) return Fail(reply.error());
  std::printf("%d %s\n", reply->status, reply->body.c_str());

  if (factory->mocking()) {
    const understudy::MockTransport& stripe = mocks.Mock("stripe");
    std::printf("requests: %d\n", static_cast<int>(stripe.request_count()));
    std::printf("last: %s\n", stripe.last_request()->Describe().c_str());
    if (const auto verified = mocks.VerifyAllUsed(); !verified) return Fail(verified.error());
    std::puts("every mock was used");
  }
  return 0;
}
