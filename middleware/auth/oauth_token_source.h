// OAuthTokenSource: the client side of an OAuth 2 token endpoint (RFC 6749 sections 4.4, 5 and 6).
//
//   OAuthTokenSourceOptions options;
//   options.token_url = "https://auth.example.com/oauth/token";
//   options.client_id = "app-1";
//   options.client_secret = Secret(...);
//   UNDERSTUDY_ASSIGN_OR_RETURN(auto source, OAuthTokenSource::Create(clock, transport,
//   std::move(options))); TokenManager manager(runtime, *source, store, {.key = "acme/tenant-1"});
#pragma once

#include <cstddef>
#include <memory>
#include <stop_token>
#include <string>
#include <utility>

#include "middleware/auth/oauth_endpoint.h"
#include "middleware/auth/token_source.h"
#include "middleware/http/form.h"
#include "middleware/http/transport.h"
#include "middleware/runtime/clock.h"

namespace understudy {

enum class OAuthGrant { kRefreshToken, kClientCredentials };

struct OAuthTokenSourceOptions {
  // https. Plain http only to 127.0.0.0/8, [::1] or localhost, and only with `allow_http_loopback`.
  std::string token_url = {};
  bool allow_http_loopback = false;
  std::string client_id = {};
  Secret client_secret = {};  // Empty for a public client: only the id is sent, in the body.
  OAuthGrant grant = OAuthGrant::kRefreshToken;
  OAuthClientAuth client_auth = OAuthClientAuth::kBasic;
  std::string scope = {};  // Sent if not empty. On a refresh it can only narrow the grant.
  http::FormPairs extra_params = {};  // E.g. {"audience", "..."} or {"resource", "..."}.
  OAuthBody body = OAuthBody::kForm;
  std::size_t response_bytes_max = std::size_t{64} * 1024;
};

// Thread-safe. Fetch blocks in the transport. Never follows redirects, never repeats a request, and
// puts no secret, no token and no body into an error: at most the vendor's `error` code and
// `error_description`, sanitised.
//
// The answer is read tolerantly but typed: `expires_in` may be a number or a numeric string
// (fractions are cut), absent or null means that the vendor did not say, a negative one is
// kProtocol; `token_type` must be Bearer, in any case; `access_token` must be visible ASCII (it
// goes into a header). An `error` member counts also in a 200 answer, which is how some vendors
// refuse.
class OAuthTokenSource final : public TokenSource {
 public:
  // kInvalidArgument for a malformed or insecure URL, or an empty client id. `clock` and
  // `transport` are borrowed.
  static Result<std::unique_ptr<OAuthTokenSource>> Create(Clock& clock, http::Transport& transport,
                                                          OAuthTokenSourceOptions options);

  // kAuth with reason "no-refresh-token" if the grant needs one and `refresh_token` is empty;
  // nothing is sent.
  Result<TokenSet> Fetch(const Secret& refresh_token, Deadline deadline,
                         const std::stop_token& stop) override;

 private:
  OAuthTokenSource(OAuthTokenSourceOptions options, OAuthEndpoint endpoint)
      : options_(std::move(options)), endpoint_(std::move(endpoint)) {}

  const OAuthTokenSourceOptions options_;
  const OAuthEndpoint endpoint_;
};

}  // namespace understudy
