// A client of an API like Stripe's: forms as bodies, idempotency keys, retries, a circuit breaker
// and a rate limit.
//
//   example_stripe_client        calls a fake vendor in this process
//   example_stripe_client URL    calls what listens there
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>

#include "docs/examples/fake_vendor.h"
#include "middleware/auth/static_auth.h"
#include "middleware/client/client_builder.h"
#include "middleware/client/response_problem.h"
#include "middleware/platform/curl_transport.h"
#include "middleware/platform/system_runtime.h"

using namespace understudy;  // NOLINT: a small program
using namespace std::chrono_literals;
using harness::FieldMatch;

namespace {

// Every policy that a vendor of this kind needs, from its profile (forms, the idempotency header)
// and by hand.
Result<std::unique_ptr<Client>> MakeClient(const Runtime& runtime, http::Transport& network,
                                           const std::string& url) {
  ProviderProfile profile = *ProviderProfile::For("stripe");
  profile.headers.emplace_back("Stripe-Version", "2025-03-31.basil");  // Pin what you tested.
  UNDERSTUDY_ASSIGN_OR_RETURN(auto auth, BearerAuth::Create(Secret("sk_test_example")));
  return ClientBuilder(runtime, network, profile.name)
      .Profile(profile)
      .BaseUrl(url)
      .TotalDeadline(10s)
      .Retry({.attempts_max = 3, .backoff = {.base = 10ms}})
      .Breaker({.failures = 3, .open_for = 30s})
      .RateLimit({.permits = 25, .per = 1s, .burst = 5})
      .Auth(std::move(auth))
      .AttemptTimeout(3s)
      .Build();
}

// What became of a call, and what it cost.
void Show(const std::string& what, const Result<http::Response>& answer, const CallReport& report) {
  std::string outcome;
  if (!answer) {
    outcome = answer.error().ToString();
  } else if (const auto problem = ResponseProblem::From(*answer)) {
    outcome = problem->ToString();
  } else {
    outcome = std::to_string(answer->status) + " " + answer->body;
  }
  std::printf("%s: %s (%d sent)\n", what.c_str(), outcome.c_str(), report.sends);
}

// The key is the order's: whoever repeats this, also after a crash, charges once.
Result<void> Charge(Client& stripe, const http::Url& base, const std::string& order) {
  UNDERSTUDY_ASSIGN_OR_RETURN(const http::Request request,
                              RequestBuilder(http::Method::Post(), "/v1/charges")
                                  .FormField({"amount"}, 1999)
                                  .FormField({"currency"}, "usd")
                                  .FormField({"metadata", "order"}, order)
                                  .Build(base));
  CallReport report;
  const auto answer = stripe.Call(
      request, {.operation = "charges.create", .idempotency_key = "charge-" + order}, report);
  Show("charge for " + order, answer, report);
  return {};
}

Result<void> ReadBalance(Client& stripe) {
  UNDERSTUDY_ASSIGN_OR_RETURN(const http::Request request,
                              stripe.NewRequest(http::Method::Get(), "/v1/balance"));
  CallReport report;
  const auto answer = stripe.Call(request, {.operation = "balance.get"}, report);
  Show("balance", answer, report);
  return {};
}

Result<void> Run(const Runtime& runtime, const std::string& url) {
  CurlTransport network(runtime.clock);
  UNDERSTUDY_ASSIGN_OR_RETURN(const auto stripe, MakeClient(runtime, network, url));
  UNDERSTUDY_ASSIGN_OR_RETURN(const http::Url base, http::Url::Parse(url));
  std::printf("%s\n", stripe->Describe().c_str());
  UNDERSTUDY_RETURN_IF_ERROR(Charge(*stripe, base, "order-7"));
  UNDERSTUDY_RETURN_IF_ERROR(Charge(*stripe, base, "order-8"));
  UNDERSTUDY_RETURN_IF_ERROR(ReadBalance(*stripe));
  return ReadBalance(*stripe);
}

// ---- the fake vendor ----------------------------------------------------------------------------

harness::RequestMatch ChargeOf(const std::string& order) {
  return {.method = "POST",
          .path = "/v1/charges",
          .headers = {FieldMatch::Equals("Content-Type", "application/x-www-form-urlencoded"),
                      FieldMatch::Equals("Idempotency-Key", "charge-" + order),
                      FieldMatch::Equals("Authorization", "Bearer sk_test_example"),
                      FieldMatch::Equals("Stripe-Version", "2025-03-31.basil")}};
}

// Overloaded at the first charge, strict with the second card, and then ill.
harness::VendorSpec Stripe() {
  harness::VendorSpec spec{.name = "stripe"};
  spec.routes.push_back({.id = "good card",
                         .match = ChargeOf("order-7"),
                         .responses = {{.status = 503}, {.body = R"({"id": "ch_1"})"}}});
  spec.routes.push_back(
      {.id = "bad card",
       .match = ChargeOf("order-8"),
       .responses = {
           {.status = 402,
            .body =
                R"({"error": {"code": "card_declined", "message": "Your card was declined."}})"}}});
  spec.routes.push_back({.id = "balance",
                         .match = {.method = "GET", .path = "/v1/balance"},
                         .responses = {{.times = 3, .status = 500}}});
  return spec;
}

Result<void> RunWithFake(const Runtime& runtime) {
  UNDERSTUDY_ASSIGN_OR_RETURN(const FakeVendor vendor, FakeVendor::Start(runtime, Stripe()));
  UNDERSTUDY_RETURN_IF_ERROR(Run(runtime, vendor.url()));
  if (!vendor.Complaints().empty()) return InvalidArgument(vendor.Complaints());
  std::puts("the vendor got what it expected");
  return {};
}

}  // namespace

int main(int argc, char** argv) {
  SystemRuntime system;
  const Result<void> done = argc > 1 ? Run(system.view(), argv[1]) : RunWithFake(system.view());
  if (done) return EXIT_SUCCESS;
  std::fprintf(stderr, "%s\n", done.error().ToString().c_str());
  return EXIT_FAILURE;
}
