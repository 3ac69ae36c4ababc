#include "harness/scenario/oauth_client.h"

namespace understudy::harness {

std::string TokenKey(std::string_view vendor) { return "scenario/" + std::string(vendor); }

Result<std::shared_ptr<OAuthClient>> OAuthClient::Create(const ProgramEnvironment& environment,
                                                         const std::string& vendor,
                                                         const OAuthClientOptions& options) {
  const auto address = environment.vendors.find(vendor);
  if (address == environment.vendors.end() || !address->second.spec ||
      !address->second.spec->oauth) {
    return InvalidArgument("the vendor \"" + vendor +
                           "\" has no oauth section, so there is no token to get");
  }
  const OAuthSpec& spec = *address->second.spec->oauth;
  OAuthTokenSourceOptions source;
  source.token_url = address->second.origin + spec.path;
  // The world's hosts are in memory or on loopback; both speak plain http.
  source.allow_http_loopback = true;
  source.client_id = spec.client_id.value_or(options.client_id);
  source.client_secret = Secret(spec.client_id ? spec.client_secret : options.client_secret);
  source.grant =
      address->second.initial_tokens ? OAuthGrant::kRefreshToken : OAuthGrant::kClientCredentials;
  std::shared_ptr<OAuthClient> client(new OAuthClient());
  UNDERSTUDY_ASSIGN_OR_RETURN(
      client->source_,
      OAuthTokenSource::Create(environment.runtime.clock, environment.network, std::move(source)));
  client->manager_ =
      std::make_unique<TokenManager>(environment.runtime, *client->source_, environment.tokens,
                                     TokenManagerOptions{.key = TokenKey(vendor),
                                                         .skew = options.refresh_skew,
                                                         .refresh_timeout = options.timeout});
  client->strategy_ = std::make_shared<OAuthAuth>(*client->manager_);
  return client;
}

}  // namespace understudy::harness
