// Two vendors for one purpose: the second is asked when the first cannot serve, and when neither
// can, the last known answer has to do.
//
//   example_two_providers                    with two fake vendors in this process
//   example_two_providers FIRST SECOND       with what listens at these two URLs
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>

#include "docs/examples/fake_vendor.h"
#include "middleware/client/client_builder.h"
#include "middleware/client/provider_chain.h"
#include "middleware/platform/curl_transport.h"
#include "middleware/platform/system_runtime.h"

using namespace understudy;  // NOLINT: a small program
using namespace std::chrono_literals;

namespace {

// The exchange rate of the day, whoever says it.
class Rates {
 public:
  static Result<std::unique_ptr<Rates>> Create(const Runtime& runtime, http::Transport& network,
                                               const std::string& first,
                                               const std::string& second) {
    auto rates = std::unique_ptr<Rates>(new Rates(runtime));
    UNDERSTUDY_ASSIGN_OR_RETURN(rates->first_, MakeClient(runtime, network, "first", first));
    UNDERSTUDY_ASSIGN_OR_RETURN(rates->second_, MakeClient(runtime, network, "second", second));
    return rates;
  }

  // Prints who answered. Each vendor is asked in its own terms.
  void Look() {
    const auto answer =
        chain_.Call({{first_.get(),
                      [](const Client& c) { return c.NewRequest(http::Method::Get(), "/eurusd"); }},
                     {second_.get(),
                      [](const Client& c) {
                        return c.NewRequest(http::Method::Get(), "/v2/rate?pair=EURUSD");
                      }}},
                    {.operation = "rate"});
    int sent = 0;
    if (answer && answer->response.ok()) {
      for (const CallReport& report : answer->reports) sent += report.sends;
      last_known_ = answer->response.body;
      std::printf("%s, from %s (%d sent)\n", last_known_.c_str(), answer->provider.c_str(), sent);
    } else {
      const std::string why =
          answer ? std::to_string(answer->response.status) : answer.error().reason;
      std::printf("%s, the last known one: nobody answers (%s)\n", last_known_.c_str(),
                  why.c_str());
    }
  }

 private:
  explicit Rates(const Runtime& runtime) : chain_("rates", {.total = 5s}, runtime) {}

  // Each vendor has its own breaker: that the first is ill says nothing of the second.
  static Result<std::unique_ptr<Client>> MakeClient(const Runtime& runtime,
                                                    http::Transport& network, const char* name,
                                                    const std::string& url) {
    return ClientBuilder(runtime, network, name)
        .BaseUrl(url)
        .Retry({.attempts_max = 2, .backoff = {.base = 10ms}})
        .Breaker({.failures = 2, .open_for = 30s})
        .AttemptTimeout(2s)
        .Build();
  }

  std::unique_ptr<Client> first_;
  std::unique_ptr<Client> second_;
  ProviderChain chain_;
  std::string last_known_ = "unknown";
};

Result<void> Run(const Runtime& runtime, const std::string& first, const std::string& second) {
  CurlTransport network(runtime.clock);
  UNDERSTUDY_ASSIGN_OR_RETURN(const auto rates, Rates::Create(runtime, network, first, second));
  for (int i = 0; i < 4; ++i) rates->Look();
  return {};
}

// ---- the fake vendors ---------------------------------------------------------------------------

harness::VendorSpec First() {
  harness::VendorSpec spec{.name = "first"};
  spec.routes.push_back({.id = "rate",
                         .match = {.method = "GET", .path = "/eurusd"},
                         .responses = {{.body = "1.16"}, {.times = 2, .status = 503}}});
  return spec;
}

harness::VendorSpec Second() {
  harness::VendorSpec spec{.name = "second"};
  spec.routes.push_back(
      {.id = "rate",
       .match = {.method = "GET", .path = "/v2/rate"},
       .responses = {{.body = "1.17"}, {.body = "1.18"}, {.times = 2, .status = 503}}});
  return spec;
}

// The first is well, then ill; when its breaker is open, it is not even asked; then both are ill.
Result<void> RunWithFakes(const Runtime& runtime) {
  UNDERSTUDY_ASSIGN_OR_RETURN(const FakeVendor first, FakeVendor::Start(runtime, First()));
  UNDERSTUDY_ASSIGN_OR_RETURN(const FakeVendor second, FakeVendor::Start(runtime, Second()));
  UNDERSTUDY_RETURN_IF_ERROR(Run(runtime, first.url(), second.url()));
  const std::string complaints = first.Complaints() + second.Complaints();
  if (!complaints.empty()) return InvalidArgument(complaints);
  std::puts("the vendors got what they expected");
  return {};
}

}  // namespace

int main(int argc, char** argv) {
  SystemRuntime system;
  const Result<void> done =
      argc > 2 ? Run(system.view(), argv[1], argv[2]) : RunWithFakes(system.view());
  if (done) return EXIT_SUCCESS;
  std::fprintf(stderr, "%s\n", done.error().ToString().c_str());
  return EXIT_FAILURE;
}
