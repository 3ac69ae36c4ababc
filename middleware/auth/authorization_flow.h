// AuthorizationFlow: a log-in at a vendor with the authorization-code grant (RFC 6749 section 4.1),
// PKCE (RFC 7636), a bound single-use state, and the issuer check of RFC 9207, as RFC 9700 asks.
//
//   UNDERSTUDY_ASSIGN_OR_RETURN(const AuthorizationStart start, flow->Begin(session_id, "tenant
//   7"));
//   ... answer the browser with 303 and Location: start.url
//   ... the vendor sends the browser to redirect_uri:
//   UNDERSTUDY_ASSIGN_OR_RETURN(AuthorizationGrant grant,
//                               flow->Finish(session_id, request.url.query(), deadline, stop));
//   UNDERSTUDY_RETURN_IF_ERROR(manager.SetTokens(std::move(grant.tokens)));
#pragma once

#include <cstddef>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "middleware/auth/authorization_callback.h"
#include "middleware/auth/oauth_endpoint.h"
#include "middleware/auth/pending_authorization_store.h"
#include "middleware/runtime/crypto.h"
#include "middleware/runtime/random.h"

namespace understudy {

struct AuthorizationFlowOptions {
  // Tells the flows that share a PendingAuthorizationStore apart, e.g. "quickbooks": an answer of
  // one vendor is refused by the flow of another.
  std::string name = {};
  // Both https; plain http only to a loopback address and with `allow_http_loopback`.
  std::string authorization_url = {};
  std::string token_url = {};
  bool allow_http_loopback = false;
  std::string client_id = {};
  Secret client_secret = {};  // Empty for a public client (PKCE protects it).
  OAuthClientAuth client_auth = OAuthClientAuth::kBasic;
  OAuthBody body = OAuthBody::kForm;
  // Sent byte for byte with both requests; register the same at the vendor. https, or http to a
  // loopback address (RFC 8252 section 7.3).
  std::string redirect_uri = {};
  std::string scope = {};                   // Empty: the vendor's default.
  std::string audience = {};                // Some vendors' name of the API that the token is for.
  std::vector<std::string> resources = {};  // RFC 8707; sent with both requests.
  // E.g. {"access_type", "offline"}, {"prompt", "consent"}; not the parameters of this protocol.
  http::FormPairs authorization_params = {};
  http::FormPairs token_params = {};
  // The vendor's issuer identifier (RFC 8414). An answer that names another one is refused;
  // `require_issuer` also refuses one that names none, for vendors that announce
  // authorization_response_iss_parameter_supported.
  std::string issuer = {};
  bool require_issuer = false;
  Duration lifetime = std::chrono::minutes(10);  // Between Begin and Finish; at most a day.
  std::size_t response_bytes_max = std::size_t{64} * 1024;
};

// Where to send the user. The URL holds the state: give it to this user's browser only.
struct AuthorizationStart {
  std::string url = {};
  SystemTime expires_at = {};
};

struct AuthorizationGrant {
  TokenSet tokens = {};
  std::string context = {};  // What Begin was given.
  // Other parameters of the answer, e.g. realmId. Written by whoever made the browser come: check
  // them against what the tokens give access to.
  http::FormPairs others = {};
};

// Thread-safe.
class AuthorizationFlow {
 public:
  // kInvalidArgument, with all problems at once. All references are borrowed.
  static Result<std::unique_ptr<AuthorizationFlow>> Create(Clock& clock, Random& random,
                                                           const Crypto& crypto,
                                                           http::Transport& transport,
                                                           PendingAuthorizationStore& pending,
                                                           AuthorizationFlowOptions options);

  // Begins a log-in. `session` is what only this user's browser holds (a session cookie's value;
  // any constant for a program with one user): Finish must be given the same, so that nobody can be
  // made to finish a log-in that somebody else began. `context` comes back from Finish. Never
  // blocks, except in the store. kInvalidArgument for an empty session or more than 4 KiB of
  // context; the store's errors.
  Result<AuthorizationStart> Begin(std::string_view session, std::string context = {});

  // Checks the answer and exchanges its code for tokens. Each state works once, whatever comes of
  // it. Sends at most one request, and only after every check; blocks in the transport.
  //
  // Errors: kProtocol with reason "callback" (see ParseAuthorizationCallback). kUnverified: reason
  // "state" (unknown or used), "expired", "session", "flow" or "issuer"; treat it as an attack or
  // begin again. kAuth with the vendor's error as reason: "access_denied" if the user said no;
  // "invalid_grant" if the code is refused. kConnection with reason "server_error" or
  // "temporarily_unavailable": the vendor asks to begin again later. Else those of the token
  // endpoint, see OAuthTokenSource. Codes work once: after any error begin again.
  Result<AuthorizationGrant> Finish(std::string_view session, std::string_view callback_query,
                                    Deadline deadline, const std::stop_token& stop);

 private:
  struct Parts {
    Clock& clock;
    Random& random;
    const Crypto& crypto;
    PendingAuthorizationStore& pending;
  };

  AuthorizationFlow(Parts parts, AuthorizationFlowOptions options, http::Url authorization_url,
                    OAuthEndpoint token_endpoint)
      : parts_(parts),
        options_(std::move(options)),
        authorization_url_(std::move(authorization_url)),
        token_endpoint_(std::move(token_endpoint)) {}

  std::string AuthorizationUrl(const PendingAuthorization& pending) const;
  // Takes the pending authorisation that the callback belongs to.
  Result<PendingAuthorization> TakePending(std::string_view session,
                                           const AuthorizationCallback& callback);
  Result<void> CheckIssuer(const AuthorizationCallback& callback) const;
  Result<TokenSet> Exchange(const Secret& code, const Secret& verifier, Deadline deadline,
                            const std::stop_token& stop) const;

  const Parts parts_;
  const AuthorizationFlowOptions options_;
  const http::Url authorization_url_;
  const OAuthEndpoint token_endpoint_;
};

}  // namespace understudy
