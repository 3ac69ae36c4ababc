// A client that acts for a user who has logged in before: it holds a refresh token, keeps a valid
// access token by it, and replaces one that the vendor refuses, once, whatever the number of calls.
//
//   example_oauth_client                              with a fake vendor in this process
//   example_oauth_client URL CLIENT_ID REFRESH_TOKEN  with the vendor there, as a public client
#include <atomic>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <variant>
#include <vector>

#include "docs/examples/fake_vendor.h"
#include "middleware/auth/oauth_auth.h"
#include "middleware/auth/oauth_token_source.h"
#include "middleware/auth/token_manager.h"
#include "middleware/client/client_builder.h"
#include "middleware/platform/curl_transport.h"
#include "middleware/platform/system_runtime.h"
#include "middleware/store/in_memory_token_store.h"

using namespace understudy;  // NOLINT: a small program
using namespace std::chrono_literals;

namespace {

constexpr char kGrant[] = "acme/tenant-1";

// Counts the refreshes that succeeded.
class Refreshes final : public EventSink {
 public:
  void Publish(std::string_view name, std::span<const Field> fields) noexcept override {
    if (name != "token.refresh") return;
    for (const Field& field : fields) {
      const auto* text = std::get_if<std::string_view>(&field.value);
      if (field.key == "phase" && text != nullptr && *text == "succeeded") ++count_;
    }
  }
  int count() const { return count_; }

 private:
  std::atomic<int> count_ = 0;
};

// Several threads read invoices at once; prints what it took. The error of a call that was not
// served.
Result<void> ReadInvoices(Client& acme, std::size_t readers, const Refreshes& refreshes) {
  const int refreshes_before = refreshes.count();
  std::vector<Result<http::Response>> answers(readers, http::Response{});
  {
    std::vector<std::jthread> threads;
    for (Result<http::Response>& answer : answers) {
      threads.emplace_back(
          [&acme, &answer] { answer = acme.Get("/v1/invoices", {.operation = "invoices.list"}); });
    }
  }
  for (const Result<http::Response>& answer : answers) {
    if (!answer) return answer.error();
    if (!answer->ok()) return InvalidArgument("refused with " + std::to_string(answer->status));
  }
  std::printf("%d call(s) served, with %d refresh(es)\n", static_cast<int>(readers),
              refreshes.count() - refreshes_before);
  return {};
}

struct Login {
  std::string url = {};
  std::string client_id = {};
  Secret client_secret = {};
  TokenSet tokens = {};
};

Result<void> Run(const Runtime& runtime, const Refreshes& refreshes, Login login) {
  CurlTransport network(runtime.clock);
  InMemoryTokenStore store;  // In production: one that survives a restart.
  OAuthTokenSourceOptions options;
  options.token_url = login.url + "/oauth/token";
  options.allow_http_loopback = true;  // Plain http only to this machine.
  options.client_id = login.client_id;
  options.client_secret = login.client_secret;
  UNDERSTUDY_ASSIGN_OR_RETURN(const auto source,
                              OAuthTokenSource::Create(runtime.clock, network, std::move(options)));
  TokenManager manager(runtime, *source, store, {.key = kGrant});
  UNDERSTUDY_RETURN_IF_ERROR(manager.SetTokens(login.tokens));

  UNDERSTUDY_ASSIGN_OR_RETURN(const auto acme, ClientBuilder(runtime, network, "acme")
                                                   .BaseUrl(login.url)
                                                   .TotalDeadline(10s)
                                                   .Retry({.attempts_max = 2})
                                                   .Auth(std::make_shared<OAuthAuth>(manager))
                                                   .Build());
  UNDERSTUDY_RETURN_IF_ERROR(ReadInvoices(*acme, 1, refreshes));
  UNDERSTUDY_RETURN_IF_ERROR(ReadInvoices(*acme, 8, refreshes));

  UNDERSTUDY_ASSIGN_OR_RETURN(const auto stored, store.Load(kGrant));
  const bool rotated = stored && !stored->refresh_token.Equals(login.tokens.refresh_token.Reveal());
  std::printf("the store holds %s refresh token\n", rotated ? "the rotated" : "the first");
  return {};
}

// ---- the fake vendor ----------------------------------------------------------------------------

// Its refresh tokens work once. The access token of the login has expired there, which the client
// cannot know: its clock is wrong, or an administrator has cut the session short.
harness::VendorSpec Acme() {
  harness::VendorSpec spec{.name = "acme"};
  spec.oauth = {.path = "/oauth/token",
                .initial = harness::OAuthSpec::Initial::kExpired,
                .rotate_refresh_token = true,
                .client_id = "app-1",
                .client_secret = "example"};
  spec.routes.push_back({.id = "invoices",
                         .match = {.method = "GET", .path = "/v1/invoices"},
                         .requires_token = true,
                         .responses = {{.body = "[]"}},
                         .when_exhausted = harness::WhenExhausted::kRepeatLast});
  return spec;
}

Result<void> RunWithFake(const Runtime& runtime, const Refreshes& refreshes) {
  UNDERSTUDY_ASSIGN_OR_RETURN(FakeVendor vendor, FakeVendor::Start(runtime, Acme()));
  const harness::InitialTokens held = *vendor.model().initial_tokens();
  const SystemTime now = runtime.clock.SystemNow();
  UNDERSTUDY_RETURN_IF_ERROR(Run(runtime, refreshes,
                                 {.url = vendor.url(),
                                  .client_id = "app-1",
                                  .client_secret = Secret("example"),
                                  .tokens = {.access_token = Secret(held.access_token),
                                             .refresh_token = Secret(held.refresh_token),
                                             .issued_at = now - 10min,
                                             .expires_at = now + 50min}}));
  if (!vendor.Complaints().empty()) return InvalidArgument(vendor.Complaints());
  std::puts("the vendor got what it expected");
  return {};
}

// Only the refresh token is known: an access token that has expired is replaced before the first
// call.
Login FromArguments(char** argv, SystemTime now) {
  return {.url = argv[1],
          .client_id = argv[2],
          .tokens = {.access_token = Secret("none"),
                     .refresh_token = Secret(argv[3]),
                     .issued_at = now - 1h,
                     .expires_at = now}};
}

}  // namespace

int main(int argc, char** argv) {
  Refreshes refreshes;
  SystemRuntime system({.events = &refreshes});
  const Runtime runtime = system.view();
  const Result<void> done =
      argc > 3 ? Run(runtime, refreshes, FromArguments(argv, runtime.clock.SystemNow()))
               : RunWithFake(runtime, refreshes);
  if (done) return EXIT_SUCCESS;
  std::fprintf(stderr, "%s\n", done.error().ToString().c_str());
  return EXIT_FAILURE;
}
