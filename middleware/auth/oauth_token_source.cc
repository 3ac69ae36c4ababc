#include "middleware/auth/oauth_token_source.h"

#include <array>
#include <string_view>
#include <utility>

namespace understudy {

Result<std::unique_ptr<OAuthTokenSource>> OAuthTokenSource::Create(
    Clock& clock, http::Transport& transport, OAuthTokenSourceOptions options) {
  UNDERSTUDY_ASSIGN_OR_RETURN(
      OAuthEndpoint endpoint,
      OAuthEndpoint::Create(clock, transport,
                            {.url = options.token_url,
                             .allow_http_loopback = options.allow_http_loopback,
                             .client_id = options.client_id,
                             .client_secret = options.client_secret,
                             .client_auth = options.client_auth,
                             .body = options.body,
                             .response_bytes_max = options.response_bytes_max},
                            "token URL"));
  return std::unique_ptr<OAuthTokenSource>(
      new OAuthTokenSource(std::move(options), std::move(endpoint)));
}

Result<TokenSet> OAuthTokenSource::Fetch(const Secret& refresh_token, Deadline deadline,
                                         const std::stop_token& stop) {
  http::FormPairs form;
  if (options_.grant == OAuthGrant::kRefreshToken) {
    if (refresh_token.empty()) {
      return Error{.code = ErrorCode::kAuth,
                   .message = "there is no refresh token; log in and store the tokens first",
                   .reason = "no-refresh-token"};
    }
    form.emplace_back("grant_type", "refresh_token");
    form.emplace_back("refresh_token", refresh_token.Reveal());
  } else {
    form.emplace_back("grant_type", "client_credentials");
  }
  if (!options_.scope.empty()) form.emplace_back("scope", options_.scope);
  form.insert(form.end(), options_.extra_params.begin(), options_.extra_params.end());
  UNDERSTUDY_ASSIGN_OR_RETURN(const OAuthEndpoint::Answer answer,
                              endpoint_.Post(std::move(form), "oauth.token", deadline, stop));
  const std::array<std::string_view, 2> secrets = {refresh_token.Reveal(),
                                                   options_.client_secret.Reveal()};
  return ParseTokenAnswer(answer.response, answer.sent_at, endpoint_.Now(), secrets);
}

}  // namespace understudy
