// Credentials that do not change: bearer token, user and password, API key.
//
//   UNDERSTUDY_ASSIGN_OR_RETURN(auto auth, BearerAuth::Create(Secret(std::getenv("ACME_TOKEN"))));
//   UNDERSTUDY_ASSIGN_OR_RETURN(auto auth, ApiKeyAuth::InHeader("X-Api-Key", std::move(key)));
//
// All are immutable, thread-safe and never block. Create refuses what could break out of a header
// (CR, LF, NUL, other control characters) with kInvalidArgument, without repeating the secret in
// the message. A 401 changes nothing: HandleUnauthorized returns false.
#pragma once

#include <memory>
#include <stop_token>
#include <string>
#include <string_view>

#include "middleware/auth/auth_strategy.h"
#include "middleware/base/secret.h"

namespace understudy {

// "Authorization: Bearer <token>" (RFC 6750 section 2.1). The token is visible ASCII without
// spaces.
class BearerAuth final : public AuthStrategy {
 public:
  static Result<std::unique_ptr<BearerAuth>> Create(const Secret& token);

  Result<void> Apply(http::Request& request, Deadline deadline,
                     const std::stop_token& stop) override;
  bool HandleUnauthorized(const http::Request& sent, const http::Response& response,
                          Deadline deadline, const std::stop_token& stop) override;
  std::string Describe() const override { return "bearer token"; }

 private:
  explicit BearerAuth(Secret header) : header_(std::move(header)) {}

  Secret header_;
};

// "Authorization: Basic <base64(user:password)>" (RFC 7617). The user holds no ":", neither part
// control characters. UTF-8 is sent as it is.
class BasicAuth final : public AuthStrategy {
 public:
  static Result<std::unique_ptr<BasicAuth>> Create(std::string_view user, const Secret& password);

  Result<void> Apply(http::Request& request, Deadline deadline,
                     const std::stop_token& stop) override;
  bool HandleUnauthorized(const http::Request& sent, const http::Response& response,
                          Deadline deadline, const std::stop_token& stop) override;
  std::string Describe() const override { return "basic"; }

 private:
  explicit BasicAuth(Secret header) : header_(std::move(header)) {}

  Secret header_;
};

// A key in a header of the vendor's choice, or in the query. Prefer the header: queries end up in
// access logs.
class ApiKeyAuth final : public AuthStrategy {
 public:
  static Result<std::unique_ptr<ApiKeyAuth>> InHeader(std::string_view header, Secret key);
  // Replaces every parameter of that name.
  static Result<std::unique_ptr<ApiKeyAuth>> InQuery(std::string_view parameter, Secret key);

  Result<void> Apply(http::Request& request, Deadline deadline,
                     const std::stop_token& stop) override;
  bool HandleUnauthorized(const http::Request& sent, const http::Response& response,
                          Deadline deadline, const std::stop_token& stop) override;
  std::string Describe() const override;

 private:
  enum class Place { kHeader, kQuery };

  ApiKeyAuth(Place place, std::string_view name, Secret key)
      : place_(place), name_(name), key_(std::move(key)) {}

  Place place_;
  std::string name_;
  Secret key_;
};

}  // namespace understudy
