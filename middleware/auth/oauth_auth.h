// OAuthAuth: an AuthStrategy that puts a TokenManager's access token on each request and replaces
// it after a 401.
//
//   OAuthAuth auth(manager);
//   ... AuthStrategy for the client builder; the client repeats a request once when
//   HandleUnauthorized says so.
#pragma once

#include <stop_token>
#include <string>

#include "middleware/auth/auth_strategy.h"
#include "middleware/auth/token_manager.h"

namespace understudy {

// Thread-safe. Blocks while a token is refreshed, until the deadline or a stop. `manager` is
// borrowed.
class OAuthAuth final : public AuthStrategy {
 public:
  explicit OAuthAuth(TokenManager& manager) : manager_(manager) {}

  // Errors are those of TokenManager::GetToken, with `delivery` kNotSent and `origin` kLocal: the
  // request itself was not sent, and the token endpoint's trouble must not count against the
  // vendor's API.
  Result<void> Apply(http::Request& request, Deadline deadline,
                     const std::stop_token& stop) override;

  // True if there is another token than the one that was refused. False for a request without a
  // bearer token.
  bool HandleUnauthorized(const http::Request& sent, const http::Response& response,
                          Deadline deadline, const std::stop_token& stop) override;

  std::string Describe() const override { return "OAuth bearer token, refreshed"; }

 private:
  TokenManager& manager_;
};

}  // namespace understudy
