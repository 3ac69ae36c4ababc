// OAuthEndpoint: the one piece of code that speaks to an authorization server's endpoints for
// clients (token: RFC 6749 section 3.2; revocation: RFC 7009), and reads what they answer. An
// internal part of OAuthTokenSource, AuthorizationFlow and OAuthRevoker.
//
//   UNDERSTUDY_ASSIGN_OR_RETURN(const OAuthEndpoint::Answer answer,
//                               endpoint.Post(form, "oauth.token", deadline, stop));
//   return ParseTokenAnswer(answer.response, answer.sent_at, endpoint.Now(), secrets);
#pragma once

#include <cstddef>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>

#include "middleware/base/result.h"
#include "middleware/base/secret.h"
#include "middleware/http/form.h"
#include "middleware/http/request.h"
#include "middleware/http/response.h"
#include "middleware/http/transport.h"
#include "middleware/http/url.h"
#include "middleware/runtime/clock.h"
#include "middleware/runtime/deadline.h"
#include "middleware/store/token_store.h"

namespace understudy {

// How the client proves itself (RFC 6749 section 2.3.1). Servers must support Basic; some vendors
// only take the body.
enum class OAuthClientAuth { kBasic, kPost };

// How parameters are written. The standards say kForm; Intuit's revocation endpoint and some token
// endpoints take JSON (reference vendors 3.1, 3.2).
enum class OAuthBody { kForm, kJson };

// https, or plain http to a loopback address with `allow_http_loopback`; `what` names the URL in
// the message. kInvalidArgument otherwise.
Result<http::Url> ParseOAuthUrl(std::string_view url, bool allow_http_loopback,
                                std::string_view what);

// Printable ASCII of bounded length; everything else becomes '?'. For vendors' words in messages.
std::string SanitisedOAuthText(std::string_view text, std::size_t length_max);

// A token endpoint's answer, of any status, as tokens. `sent_at` is when the request was sent,
// `now` when the answer came (for Retry-After dates). `secrets` are those that were sent: a
// vendor's text that repeats one is left out. Total over any bytes; never puts a body into an
// error. See OAuthTokenSource for what is read and which errors there are.
Result<TokenSet> ParseTokenAnswer(const http::Response& response, SystemTime sent_at,
                                  SystemTime now, std::span<const std::string_view> secrets);

// The error in an answer that is a refusal. kAuth with the vendor's `error` as reason (dead grants
// as "invalid_grant" whatever the vendor calls them); kConnection with `retry_after` for 5xx, 429
// and 408; kProtocol if there is no OAuth error in it.
Error OAuthRefusal(const http::Response& response, SystemTime now,
                   std::span<const std::string_view> secrets);

// A member "error" in an answer with a status of success is a refusal, too, for some vendors.
bool HoldsOAuthError(const http::Response& response);

struct OAuthEndpointOptions {
  std::string url = {};
  bool allow_http_loopback = false;
  std::string client_id = {};
  Secret client_secret = {};  // Empty for a public client: only the id is sent, in the body.
  OAuthClientAuth client_auth = OAuthClientAuth::kBasic;
  OAuthBody body = OAuthBody::kForm;
  std::size_t response_bytes_max = std::size_t{64} * 1024;
};

// Thread-safe. `clock` and `transport` are borrowed.
class OAuthEndpoint {
 public:
  struct Answer {
    http::Response response = {};
    SystemTime sent_at = {};
  };

  // kInvalidArgument for a malformed or insecure URL (`what` names it) or an empty client id.
  static Result<OAuthEndpoint> Create(Clock& clock, http::Transport& transport,
                                      OAuthEndpointOptions options, std::string_view what);

  // POSTs `params` and the client's credentials, once: never repeats, never follows a redirect.
  // Blocks in the transport. The answer has any status. Errors: those of the transport, a passed
  // deadline as kTimeout; kProtocol with reason "too-large".
  Result<Answer> Post(http::FormPairs params, std::string_view operation, Deadline deadline,
                      const std::stop_token& stop) const;

  SystemTime Now() const { return clock_->SystemNow(); }
  const Secret& client_secret() const { return options_.client_secret; }

 private:
  OAuthEndpoint(Clock& clock, http::Transport& transport, OAuthEndpointOptions options,
                http::Url url)
      : clock_(&clock),
        transport_(&transport),
        options_(std::move(options)),
        url_(std::move(url)) {}

  Result<http::Request> BuildRequest(http::FormPairs params) const;

  Clock* clock_;
  http::Transport* transport_;
  OAuthEndpointOptions options_;
  http::Url url_;
};

}  // namespace understudy
