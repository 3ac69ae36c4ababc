// A test's own vendor, as docs/fake-vendor.md shows it.
#include <cstdio>
#include <string>

#include "harness/serve/fake_vendor.h"
#include "middleware/platform/curl_transport.h"
#include "middleware/platform/system_clock.h"

using understudy::harness::FakeVendor;
using understudy::harness::ResponseSpec;
using understudy::harness::RouteRequest;

namespace {

// The code under test would be here.
void Call(understudy::http::Transport& transport, const char* method, const std::string& url) {
  auto parsed = understudy::http::Url::Parse(url);
  if (!parsed) return;
  const auto answer =
      transport.Send({understudy::http::Method(method), *std::move(parsed), {}, {}}, {});
  if (answer) std::printf("%d %s\n", answer->status, answer->body.c_str());
}

}  // namespace

int main() {
  // [begin start]
  auto vendor = FakeVendor::Start({.name = "acme"});
  if (!vendor) {
    std::printf("%s\n", vendor.error().message.c_str());
    return 1;
  }
  // [end start]
  // [begin routes]
  vendor->On("GET /v1/orders/{id}").Reply(200, R"({"id": "{{request.path.id}}"})");
  vendor->On("POST /v1/orders").Reply(503).Times(1).Reply(201, R"({"id": "{{counter 'order'}}"})");
  vendor->On("GET /v1/job").Id("done").WhenState("job", "Done").Reply(200, R"("done")");
  vendor->On("GET /v1/job").Id("pending").Reply(202, R"("pending")");
  vendor->On("POST /v1/finish").SetState("job", "Done").Reply(204);
  vendor->On("GET /v1/square/{x}").Compute([](const RouteRequest& request) {
    const int x = std::stoi(request.captures[0].second);
    return ResponseSpec{.body = std::to_string(x * x)};
  });

  // [end routes]

  understudy::SystemClock clock;
  understudy::CurlTransport transport(clock);
  Call(transport, "GET", vendor->url() + "/v1/orders/o7");
  Call(transport, "POST", vendor->url() + "/v1/orders");
  Call(transport, "POST", vendor->url() + "/v1/orders");
  Call(transport, "GET", vendor->url() + "/v1/job");
  Call(transport, "POST", vendor->url() + "/v1/finish");
  Call(transport, "GET", vendor->url() + "/v1/job");
  Call(transport, "GET", vendor->url() + "/v1/square/12");
  Call(transport, "GET", vendor->url() + "/v1/ordres/o7");
  // [begin complaints]
  std::printf("complaints: %s", vendor->ComplaintText().c_str());
  // [end complaints]
  return 0;
}
