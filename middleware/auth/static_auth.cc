#include "middleware/auth/static_auth.h"

#include <utility>

#include "middleware/auth/credential_text.h"
#include "middleware/base/text.h"
#include "middleware/http/form.h"

namespace understudy {
namespace {

// The URL without the parameters called `name`, so that a second Apply replaces the first.
Result<http::Url> WithoutQuery(const http::Url& url, std::string_view name) {
  std::string text = url.origin() + std::string(url.path());
  char separator = '?';
  if (!url.query().empty()) {
    for (const std::string_view pair : Split(url.query(), '&')) {
      const auto decoded = http::PercentDecode(pair.substr(0, pair.find('=')));
      if (decoded && *decoded == name) continue;
      text.push_back(separator);
      text.append(pair);
      separator = '&';
    }
  }
  return http::Url::Parse(text);
}

}  // namespace

Result<std::unique_ptr<BearerAuth>> BearerAuth::Create(const Secret& token) {
  if (!IsVisibleAscii(token.Reveal())) {
    return InvalidArgument("a bearer token must be visible ASCII without spaces, and not empty");
  }
  return std::unique_ptr<BearerAuth>(
      new BearerAuth(Secret("Bearer " + std::string(token.Reveal()))));
}

Result<void> BearerAuth::Apply(http::Request& request, Deadline, const std::stop_token&) {
  return request.headers.Set("Authorization", header_.Reveal());
}

bool BearerAuth::HandleUnauthorized(const http::Request&, const http::Response&, Deadline,
                                    const std::stop_token&) {
  return false;
}

Result<std::unique_ptr<BasicAuth>> BasicAuth::Create(std::string_view user,
                                                     const Secret& password) {
  if (user.find(':') != std::string_view::npos) {
    return InvalidArgument("a user of basic authentication must not hold ':' (RFC 7617 section 2)");
  }
  if (HasControlCharacter(user) || HasControlCharacter(password.Reveal())) {
    return InvalidArgument("user and password must not hold control characters");
  }
  const Secret pair(std::string(user).append(":").append(password.Reveal()));
  return std::unique_ptr<BasicAuth>(new BasicAuth(Secret("Basic " + Base64Encode(pair.Reveal()))));
}

Result<void> BasicAuth::Apply(http::Request& request, Deadline, const std::stop_token&) {
  return request.headers.Set("Authorization", header_.Reveal());
}

bool BasicAuth::HandleUnauthorized(const http::Request&, const http::Response&, Deadline,
                                   const std::stop_token&) {
  return false;
}

Result<std::unique_ptr<ApiKeyAuth>> ApiKeyAuth::InHeader(std::string_view header, Secret key) {
  if (key.empty() || HasControlCharacter(key.Reveal())) {
    return InvalidArgument("an API key must not be empty nor hold control characters");
  }
  http::Headers probe;
  UNDERSTUDY_RETURN_IF_ERROR(probe.Set(header, "x"));
  return std::unique_ptr<ApiKeyAuth>(new ApiKeyAuth(Place::kHeader, header, std::move(key)));
}

Result<std::unique_ptr<ApiKeyAuth>> ApiKeyAuth::InQuery(std::string_view parameter, Secret key) {
  if (key.empty() || HasControlCharacter(key.Reveal())) {
    return InvalidArgument("an API key must not be empty nor hold control characters");
  }
  if (parameter.empty()) return InvalidArgument("the query parameter of an API key needs a name");
  return std::unique_ptr<ApiKeyAuth>(new ApiKeyAuth(Place::kQuery, parameter, std::move(key)));
}

Result<void> ApiKeyAuth::Apply(http::Request& request, Deadline, const std::stop_token&) {
  if (place_ == Place::kHeader) return request.headers.Set(name_, key_.Reveal());
  UNDERSTUDY_ASSIGN_OR_RETURN(http::Url url, WithoutQuery(request.url, name_));
  url.AddQuery(name_, key_.Reveal());
  request.url = std::move(url);
  return {};
}

bool ApiKeyAuth::HandleUnauthorized(const http::Request&, const http::Response&, Deadline,
                                    const std::stop_token&) {
  return false;
}

std::string ApiKeyAuth::Describe() const {
  return (place_ == Place::kHeader ? "API key in header " : "API key in query parameter ") + name_;
}

}  // namespace understudy
