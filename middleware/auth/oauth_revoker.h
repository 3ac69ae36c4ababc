// OAuthRevoker: the client side of a revocation endpoint (RFC 7009), and of Intuit's variant.
//
//   OAuthRevokerOptions options{.revocation_url = "https://auth.example.com/oauth/revoke",
//                               .client_id = "app-1", .client_secret = Secret(...)};
//   UNDERSTUDY_ASSIGN_OR_RETURN(auto revoker, OAuthRevoker::Create(clock, transport, options));
//   UNDERSTUDY_ASSIGN_OR_RETURN(const Revocation done, manager.Revoke(*revoker, deadline, stop));
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>

#include "middleware/auth/oauth_endpoint.h"
#include "middleware/auth/token_revoker.h"

namespace understudy {

struct OAuthRevokerOptions {
  std::string revocation_url = {};  // As OAuthTokenSourceOptions::token_url.
  bool allow_http_loopback = false;
  std::string client_id = {};
  Secret client_secret = {};
  OAuthClientAuth client_auth = OAuthClientAuth::kBasic;
  // kJson for Intuit: {"token": "..."} with Basic.
  OAuthBody body = OAuthBody::kForm;
  bool send_hint = true;  // token_type_hint; vendors may ignore it (RFC 7009 section 2.1).
  std::size_t response_bytes_max = std::size_t{64} * 1024;
};

// What the answer of a revocation endpoint means. Any 2xx without an "error" member is kConfirmed:
// RFC 7009 section 2.2 answers 200 also for a token that nobody knows. So is the error
// "invalid_token", with which some servers say the same. "unsupported_token_type" is kUnsupported.
// Everything else is an error as OAuthRefusal gives. Total over any bytes.
Result<Revoked> ParseRevocationAnswer(const http::Response& response, SystemTime now,
                                      std::span<const std::string_view> secrets);

// Thread-safe. Revoke blocks in the transport; it sends one request, never follows redirects and
// puts no token into an error.
class OAuthRevoker final : public TokenRevoker {
 public:
  // kInvalidArgument for a malformed or insecure URL, or an empty client id. `clock` and
  // `transport` are borrowed.
  static Result<std::unique_ptr<OAuthRevoker>> Create(Clock& clock, http::Transport& transport,
                                                      const OAuthRevokerOptions& options);

  Result<Revoked> Revoke(const Secret& token, TokenKind kind, Deadline deadline,
                         const std::stop_token& stop) override;

 private:
  OAuthRevoker(OAuthEndpoint endpoint, bool send_hint)
      : endpoint_(std::move(endpoint)), send_hint_(send_hint) {}

  const OAuthEndpoint endpoint_;
  const bool send_hint_;
};

}  // namespace understudy
