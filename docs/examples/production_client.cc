// What an integration in production has around each call: deadline, retry, breaker, limits,
// bulkhead, credentials; an audit trail without secrets; an adapter that makes the vendor's JSON
// into the application's own model; and health that is learned from the traffic.
//
//   example_production_client        calls a fake vendor in this process
//   example_production_client URL    calls what listens there
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "docs/examples/fake_vendor.h"
#include "middleware/adapter/stripe_invoice_adapter.h"
#include "middleware/audit/audit_log.h"
#include "middleware/auth/static_auth.h"
#include "middleware/client/client_builder.h"
#include "middleware/health/health_handler.h"
#include "middleware/health/health_monitor.h"
#include "middleware/health/passive_health.h"
#include "middleware/platform/curl_transport.h"
#include "middleware/platform/openssl_crypto.h"
#include "middleware/platform/system_runtime.h"
#include "middleware/store/in_memory_audit_sink.h"

using namespace understudy;  // NOLINT: a small program
using namespace std::chrono_literals;

namespace {

constexpr std::string_view kToken = "sk_test_example";

Result<std::unique_ptr<Client>> MakeClient(const Runtime& runtime, http::Transport& network,
                                           AuditLog& audit, const std::string& url) {
  UNDERSTUDY_ASSIGN_OR_RETURN(auto auth, BearerAuth::Create(Secret(std::string(kToken))));
  return ClientBuilder(runtime, network, "stripe")
      .Profile(*ProviderProfile::For("stripe"))
      .BaseUrl(url)
      .TotalDeadline(10s)
      .Retry({.attempts_max = 3, .backoff = {.base = 10ms}})
      .Breaker({.failures = 3, .open_for = 30s})
      .Quota({})
      .RateLimit({.permits = 25, .per = 1s, .burst = 5})
      .Bulkhead({.concurrent_max = 8})
      .Auth(std::move(auth))
      .AttemptTimeout(3s)
      .Audit(audit)
      .Build();
}

// The vendor's JSON does not leave this function.
Result<Invoice> ReadInvoice(Client& stripe, const Runtime& runtime, const std::string& id) {
  UNDERSTUDY_ASSIGN_OR_RETURN(const http::Response response,
                              stripe.Get("/v1/invoices/" + id, {.operation = "invoices.get"}));
  const StripeInvoiceAdapter adapter({});
  if (const auto error = adapter.MapError(response)) return InvalidArgument(error->ToString());
  UNDERSTUDY_ASSIGN_OR_RETURN(const ExactJson json, ExactJson::Parse(response.body));
  return adapter.ToInternal(json, {.now = runtime.clock.SystemNow()});
}

void Show(const std::string& id, const Result<Invoice>& invoice) {
  if (!invoice) {
    std::printf("%s: %s\n", id.c_str(), invoice.error().message.c_str());
    return;
  }
  std::printf("%s: %s, %s\n", id.c_str(), invoice->total.ToString().c_str(),
              std::string(ToString(invoice->status)).c_str());
}

void ShowReadiness(HealthHandler& health) {
  http::Request request;
  request.url = *http::Url::Parse("http://127.0.0.1/readyz");
  std::printf("/readyz: %d\n", health.Handle(request).status);
}

void ShowTrail(const std::vector<std::string>& lines) {
  const auto count = [&](std::string_view part) {
    return std::count_if(lines.begin(), lines.end(), [&](const std::string& line) {
      return line.find(part) != std::string::npos;
    });
  };
  std::printf("audit: %ld calls, %ld attempts, %ld with the token\n",
              static_cast<long>(count(R"("kind":"call")")),
              static_cast<long>(count(R"("kind":"attempt")")), static_cast<long>(count(kToken)));
}

Result<void> Run(const Runtime& base, const std::string& url) {
  UNDERSTUDY_ASSIGN_OR_RETURN(const auto passive,
                              PassiveHealth::Create(base.clock, {{.name = "stripe",
                                                                  .breakers = {"stripe*"},
                                                                  .operations = {"invoices.*"},
                                                                  .calls_min = 1}}));
  const Runtime runtime{base.clock, base.executor, base.random, base.logger, *passive};
  const OpensslCrypto crypto;
  const auto sink = std::make_shared<InMemoryAuditSink>();
  UNDERSTUDY_ASSIGN_OR_RETURN(const auto audit, AuditLog::Create({}, sink, crypto, runtime));
  UNDERSTUDY_ASSIGN_OR_RETURN(const auto monitor, HealthMonitor::Create(runtime, {}));
  UNDERSTUDY_RETURN_IF_ERROR(monitor->Register({.name = "stripe",
                                                .critical = true,
                                                .passive = passive->Source("stripe"),
                                                .ready_when_unknown = true}));
  HealthHandler health(*monitor);
  CurlTransport network(runtime.clock);
  UNDERSTUDY_ASSIGN_OR_RETURN(const auto stripe, MakeClient(runtime, network, *audit, url));

  Show("in_1", ReadInvoice(*stripe, runtime, "in_1"));
  ShowReadiness(health);
  Show("in_2", ReadInvoice(*stripe, runtime, "in_2"));  // The vendor is ill: the breaker opens.
  Show("in_2", ReadInvoice(*stripe, runtime, "in_2"));
  ShowReadiness(health);
  UNDERSTUDY_RETURN_IF_ERROR(audit->Flush(Deadline::After(runtime.clock.Now(), 5s)));
  ShowTrail(sink->Lines());
  return {};
}

// ---- the fake vendor ----------------------------------------------------------------------------

// One invoice, and then an outage.
harness::VendorSpec Stripe() {
  harness::VendorSpec spec{.name = "stripe"};
  spec.routes.push_back(
      {.id = "paid",
       .match = {.method = "GET", .path = "/v1/invoices/in_1"},
       .responses = {{.body = R"({"id": "in_1", "object": "invoice", "currency": "usd",
         "status": "paid", "total": 1999, "amount_due": 1999, "amount_paid": 1999,
         "amount_remaining": 0, "created": 1700000000,
         "lines": {"data": [], "has_more": false}})"}}});
  spec.routes.push_back({.id = "ill",
                         .match = {.method = "GET", .path = "/v1/invoices/in_2"},
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
