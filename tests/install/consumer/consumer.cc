// A program of somebody else's: a client with a transport of its own, a webhook's signature, a
// circuit breaker, and one object of each library that the package brings along (libcurl, SQLite,
// OpenSSL, libpq).
#include <cstdio>
#include <cstdlib>

#include "middleware/client/client_builder.h"
#include "middleware/platform/curl_transport.h"
#include "middleware/platform/openssl_crypto.h"
#include "middleware/platform/postgres_webhook_store.h"
#include "middleware/platform/sqlite_webhook_store.h"
#include "middleware/platform/system_runtime.h"
#include "middleware/resilience/circuit_breaker.h"
#include "middleware/webhook/signature.h"

using namespace understudy;  // NOLINT: a small program
using namespace std::chrono_literals;

namespace {

// Ill the first time, well afterwards.
class Vendor final : public http::Transport {
 public:
  Result<http::Response> Send(const http::Request&, const http::SendOptions&) override {
    return ++requests_ == 1 ? http::Response{503, {}, ""} : http::Response{200, {}, "[7]"};
  }

 private:
  int requests_ = 0;
};

Result<void> CallVendor(SystemRuntime& system) {
  Vendor vendor;
  UNDERSTUDY_ASSIGN_OR_RETURN(const auto client, ClientBuilder(system.view(), vendor, "acme")
                                                     .BaseUrl("https://api.acme.example")
                                                     .TotalDeadline(5s)
                                                     .Retry({.backoff = {.base = 1ms}})
                                                     .Breaker({.failures = 5})
                                                     .Build());
  UNDERSTUDY_ASSIGN_OR_RETURN(const http::Response answer, client->Get("/v1/orders"));
  std::printf("client: %d %s\n", answer.status, answer.body.c_str());
  return {};
}

Result<void> VerifyWebhook(SystemRuntime& system) {
  const OpensslCrypto crypto;
  const Secret secret("whsec_1");
  const SignatureScheme scheme = *FindScheme("stripe");
  const SystemTime now = system.clock().SystemNow();
  UNDERSTUDY_ASSIGN_OR_RETURN(const http::Headers headers,
                              Sign(crypto, scheme, secret, "", now, R"({"id":"evt_1"})"));
  UNDERSTUDY_ASSIGN_OR_RETURN(const SignatureVerifier verifier,
                              SignatureVerifier::Create(crypto, scheme, {secret}));
  const bool genuine = verifier.Verify(headers, R"({"id":"evt_1"})", now).has_value();
  const bool forged = verifier.Verify(headers, R"({"id":"evt_2"})", now).has_value();
  std::printf("webhook: genuine %s, forged %s\n", genuine ? "accepted" : "refused",
              forged ? "accepted" : "refused");
  return {};
}

Result<void> TripBreaker(SystemRuntime& system) {
  UNDERSTUDY_ASSIGN_OR_RETURN(const auto breaker,
                              CircuitBreaker::Create("acme", {.failures = 1}, system.view()));
  UNDERSTUDY_ASSIGN_OR_RETURN(CircuitBreaker::Permit permit, breaker->TryAcquire());
  permit.Record(BreakerOutcome::kFailure);
  const auto refused = breaker->TryAcquire();
  std::printf("breaker: %s\n", refused ? "closed" : refused.error().reason.c_str());
  return {};
}

Result<void> OpenStore(SystemRuntime& system) {
  const CurlTransport network(system.clock());
  UNDERSTUDY_ASSIGN_OR_RETURN(const auto store, SqliteWebhookStore::Open(":memory:"));
  UNDERSTUDY_ASSIGN_OR_RETURN(const auto inserted,
                              store->Insert({.key = {"acme", "", "evt_1"}, .payload = "{}"}));
  std::printf("store: %s\n",
              inserted.outcome == InsertOutcome::kInserted ? "inserted" : "was there");
  return {};
}

// Links libpq; no server is asked.
Result<void> MissServer(SystemRuntime&) {
  const auto store = PostgresWebhookStore::Open("host=/no/such/folder dbname=none");
  std::printf("server: %s\n", store ? "found" : store.error().reason.c_str());
  return {};
}

}  // namespace

int main() {
  SystemRuntime system;
  for (auto* part : {CallVendor, VerifyWebhook, TripBreaker, OpenStore, MissServer}) {
    const Result<void> done = part(system);
    if (done) continue;
    std::fprintf(stderr, "%s\n", done.error().ToString().c_str());
    return EXIT_FAILURE;
  }
  return EXIT_SUCCESS;
}
