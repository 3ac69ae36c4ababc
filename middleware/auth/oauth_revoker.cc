#include "middleware/auth/oauth_revoker.h"

#include <array>

namespace understudy {

Result<Revoked> ParseRevocationAnswer(const http::Response& response, SystemTime now,
                                      std::span<const std::string_view> secrets) {
  if (response.ok() && !HoldsOAuthError(response)) return Revoked::kConfirmed;
  Error refusal = OAuthRefusal(response, now, secrets);
  if (refusal.code != ErrorCode::kAuth) return refusal;
  if (refusal.reason == "unsupported_token_type") return Revoked::kUnsupported;
  if (refusal.reason == "invalid_token") return Revoked::kConfirmed;
  return refusal;
}

Result<std::unique_ptr<OAuthRevoker>> OAuthRevoker::Create(Clock& clock, http::Transport& transport,
                                                           const OAuthRevokerOptions& options) {
  UNDERSTUDY_ASSIGN_OR_RETURN(
      OAuthEndpoint endpoint,
      OAuthEndpoint::Create(clock, transport,
                            {.url = options.revocation_url,
                             .allow_http_loopback = options.allow_http_loopback,
                             .client_id = options.client_id,
                             .client_secret = options.client_secret,
                             .client_auth = options.client_auth,
                             .body = options.body,
                             .response_bytes_max = options.response_bytes_max},
                            "revocation URL"));
  return std::unique_ptr<OAuthRevoker>(new OAuthRevoker(std::move(endpoint), options.send_hint));
}

Result<Revoked> OAuthRevoker::Revoke(const Secret& token, TokenKind kind, Deadline deadline,
                                     const std::stop_token& stop) {
  if (token.empty()) return InvalidArgument("there is no token to revoke");
  http::FormPairs params = {{"token", std::string(token.Reveal())}};
  if (send_hint_) {
    params.emplace_back("token_type_hint",
                        kind == TokenKind::kRefresh ? "refresh_token" : "access_token");
  }
  UNDERSTUDY_ASSIGN_OR_RETURN(const OAuthEndpoint::Answer answer,
                              endpoint_.Post(std::move(params), "oauth.revoke", deadline, stop));
  const std::array<std::string_view, 2> secrets = {token.Reveal(),
                                                   endpoint_.client_secret().Reveal()};
  return ParseRevocationAnswer(answer.response, endpoint_.Now(), secrets);
}

}  // namespace understudy
