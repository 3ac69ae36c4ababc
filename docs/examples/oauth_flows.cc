// The examples of docs/oauth.md: one function per flow, against a vendor that is a script. The
// guide shows what stands between the markers.
//
// Nothing here touches a network: `vendor` is a transport in the place of it.
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "middleware/auth/authorization_flow.h"
#include "middleware/auth/oauth_auth.h"
#include "middleware/auth/oauth_revoker.h"
#include "middleware/auth/oauth_token_source.h"
#include "middleware/auth/token_manager.h"
#include "middleware/base/text.h"
#include "middleware/platform/openssl_aead.h"
#include "middleware/platform/openssl_crypto.h"
#include "middleware/platform/sqlite_token_store.h"
#include "middleware/platform/system_random.h"
#include "middleware/platform/system_runtime.h"
#include "middleware/store/encrypted_token_store.h"
#include "middleware/store/in_memory_token_store.h"

namespace {

using namespace understudy;  // NOLINT: as the reader of the guide would write it.
using namespace std::chrono_literals;

// Ends the program unless it is as the guide says.
void Expect(bool holds, std::string_view what) {
  if (holds) return;
  std::fprintf(stderr, "not as the guide says: %.*s\n", static_cast<int>(what.size()), what.data());
  std::fflush(stderr);
  std::_Exit(1);
}

// In the place of the network: gives out "at-1", "at-2", ... and remembers the paths it was asked.
class Vendor final : public http::Transport {
 public:
  Result<http::Response> Send(const http::Request& request, const http::SendOptions&) override {
    paths.emplace_back(request.url.path());
    http::Response response;
    if (request.url.path() != "/token") return response;
    const std::string number = std::to_string(++tokens_);
    response.body = R"({"token_type":"Bearer","expires_in":3600,"access_token":"at-)" + number +
                    R"(","refresh_token":"rt-)" + number + "\"}";
    return response;
  }

  std::vector<std::string> paths;

 private:
  int tokens_ = 0;
};

// ---- client credentials

// [begin client-credentials]
Result<std::string> CallAsTheProgram(const Runtime& runtime, http::Transport& network) {
  OAuthTokenSourceOptions options;
  options.token_url = "https://as.acme.example/token";
  options.client_id = "app";
  options.client_secret = Secret("from your secret manager");
  options.grant = OAuthGrant::kClientCredentials;
  options.scope = "orders.read";
  options.extra_params = {{"audience", "https://api.acme.example"}};
  UNDERSTUDY_ASSIGN_OR_RETURN(const auto source,
                              OAuthTokenSource::Create(runtime.clock, network, options));
  InMemoryTokenStore store;  // Nothing to lose: a new token can always be had.
  TokenManager manager(runtime, *source, store, {.key = "acme"});
  OAuthAuth auth(manager);  // What ClientBuilder::Auth takes.
  http::Request request;
  UNDERSTUDY_RETURN_IF_ERROR(auth.Apply(request, Deadline::Never(), {}));
  return std::string(request.headers.Get("Authorization").value_or(""));
}
// [end client-credentials]

// ---- log in

// [begin log-in-options]
AuthorizationFlowOptions LogInAtAcme() {
  AuthorizationFlowOptions options;
  options.name = "acme";
  options.authorization_url = "https://as.acme.example/authorize";
  options.token_url = "https://as.acme.example/token";
  options.client_id = "app";
  options.client_secret = Secret("from your secret manager");
  options.redirect_uri = "https://app.example/oauth/acme";  // Exactly as registered at the vendor.
  options.scope = "orders.read orders.write";
  options.issuer = "https://as.acme.example";
  return options;
}
// [end log-in-options]

// What a browser would bring back: the state that it was sent with, and a code.
std::string Return(const AuthorizationStart& start) {
  const http::FormPairs sent = http::ParseForm(http::Url::Parse(start.url).value().query());
  return "code=c0de&state=" + std::string(http::FormValue(sent, "state").value()) +
         "&iss=https%3A%2F%2Fas.acme.example";
}

Result<void> LogIn(const Runtime& runtime, http::Transport& network, TokenManager& manager) {
  const std::string session_id = "value of the session cookie";
  // [begin log-in]
  const OpensslCrypto crypto;
  InMemoryPendingAuthorizations pending;  // One web process; several share a store of theirs.
  UNDERSTUDY_ASSIGN_OR_RETURN(
      const auto flow, AuthorizationFlow::Create(runtime.clock, runtime.random, crypto, network,
                                                 pending, LogInAtAcme()));

  // When the user clicks "connect": redirect the browser to start.url.
  UNDERSTUDY_ASSIGN_OR_RETURN(const AuthorizationStart start, flow->Begin(session_id, "tenant 7"));

  // When the browser comes back to the redirect URI, with the query of that request:
  const std::string query = Return(start);
  const Deadline deadline = Deadline::After(runtime.clock.Now(), 10s);
  UNDERSTUDY_ASSIGN_OR_RETURN(AuthorizationGrant grant,
                              flow->Finish(session_id, query, deadline, {}));
  UNDERSTUDY_RETURN_IF_ERROR(manager.SetTokens(std::move(grant.tokens)));
  // [end log-in]
  Expect(grant.context == "tenant 7", "the context comes back");
  const auto again = flow->Finish(session_id, query, deadline, {});
  Expect(!again && again.error().reason == "state", "a state works once");
  return {};
}

// ---- keeping tokens

// [begin key-ring]
Result<KeyRing> Keys(const Secret& current, const Secret& old) {
  UNDERSTUDY_ASSIGN_OR_RETURN(Secret key_2026, ParseAeadKey(current));  // Hexadecimal or base64.
  UNDERSTUDY_ASSIGN_OR_RETURN(Secret key_2025, ParseAeadKey(old));
  return KeyRing::Create({{"2026-07", std::move(key_2026)}, {"2025-07", std::move(key_2025)}},
                         "2026-07");
}
// [end key-ring]

// [begin revoke]
Result<void> Disconnect(const Runtime& runtime, http::Transport& network, TokenManager& manager) {
  OAuthRevokerOptions options;
  options.revocation_url = "https://as.acme.example/revoke";
  options.client_id = "app";
  options.client_secret = Secret("from your secret manager");
  UNDERSTUDY_ASSIGN_OR_RETURN(const auto revoker,
                              OAuthRevoker::Create(runtime.clock, network, options));
  const Deadline deadline = Deadline::After(runtime.clock.Now(), 10s);
  UNDERSTUDY_ASSIGN_OR_RETURN(const Revocation revocation, manager.Revoke(*revoker, deadline, {}));
  Expect(revocation.refresh_token == Revoked::kConfirmed, "the vendor has confirmed");
  return {};
}
// [end revoke]

Result<void> Connect(const Runtime& runtime, Vendor& vendor, const std::string& path) {
  const Secret current(std::string(64, 'a'));
  const Secret old(std::string(64, 'b'));
  Vendor& network = vendor;
  // [begin stored]
  UNDERSTUDY_ASSIGN_OR_RETURN(const auto rows, SqliteTokenStore::Open(path));
  UNDERSTUDY_ASSIGN_OR_RETURN(KeyRing keys, Keys(current, old));
  const OpensslAead aead;
  EncryptedTokenStore store(*rows, aead, std::move(keys));

  OAuthTokenSourceOptions options;
  options.token_url = "https://as.acme.example/token";
  options.client_id = "app";
  options.client_secret = Secret("from your secret manager");
  UNDERSTUDY_ASSIGN_OR_RETURN(const auto source,
                              OAuthTokenSource::Create(runtime.clock, network, options));
  TokenManager manager(runtime, *source, store, {.key = "acme/tenant-7", .skew_jitter = 0.5});
  // [end stored]
  UNDERSTUDY_RETURN_IF_ERROR(LogIn(runtime, network, manager));
  UNDERSTUDY_ASSIGN_OR_RETURN(const TokenSnapshot token, manager.GetToken(Deadline::Never(), {}));
  Expect(token->access_token.Reveal() == "at-2", "the log-in's token is used");
  // [begin rewrap]
  UNDERSTUDY_ASSIGN_OR_RETURN(const RewrapReport report, store.RewrapAll({}));
  Expect(report.failed == 0, "every record is under the current key");
  // [end rewrap]
  UNDERSTUDY_RETURN_IF_ERROR(Disconnect(runtime, network, manager));
  const auto none = manager.GetToken(Deadline::Never(), {});
  Expect(!none && none.error().reason == "revoked", "revoked tokens are not used");
  return {};
}

}  // namespace

int main() {
  SystemRuntime system;
  Vendor vendor;
  const auto header = CallAsTheProgram(system.view(), vendor);
  Expect(header && *header == "Bearer at-1", "client credentials give a token");
  const auto connected = Connect(system.view(), vendor, ":memory:");
  if (!connected) std::fprintf(stderr, "%s\n", connected.error().ToString().c_str());
  Expect(connected.has_value(), "everything works");
  Expect(vendor.paths == std::vector<std::string>{"/token", "/token", "/revoke", "/revoke"},
         "one token each, and both tokens are revoked");
  std::puts("as the guide says");
  return 0;
}
