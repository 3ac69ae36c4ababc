// OAuthClient: the production token manager, wired to a vendor of a scenario. Shared by the stack
// and by programs.
#pragma once

#include <memory>
#include <string>

#include "harness/scenario/program.h"
#include "middleware/auth/oauth_auth.h"
#include "middleware/auth/oauth_token_source.h"
#include "middleware/auth/token_manager.h"

namespace understudy::harness {

struct OAuthClientOptions {
  Duration refresh_skew = std::chrono::seconds(30);
  Duration timeout = std::chrono::seconds(10);
  std::string client_id = "understudy-client";
  std::string client_secret = "understudy-secret";
};

// Thread-safe. Uses the refresh-token grant if an earlier log-in left tokens in the store, else
// client credentials.
class OAuthClient {
 public:
  // kInvalidArgument if the vendor does not exist or has no `oauth`.
  static Result<std::shared_ptr<OAuthClient>> Create(const ProgramEnvironment& environment,
                                                     const std::string& vendor,
                                                     const OAuthClientOptions& options);

  std::shared_ptr<AuthStrategy> strategy() { return strategy_; }
  TokenManager& manager() { return *manager_; }

 private:
  OAuthClient() = default;

  std::unique_ptr<OAuthTokenSource> source_;
  std::unique_ptr<TokenManager> manager_;
  std::shared_ptr<AuthStrategy> strategy_;
};

// The key of a vendor's tokens in the token store.
std::string TokenKey(std::string_view vendor);

}  // namespace understudy::harness
