#include "middleware/auth/oauth_auth.h"

#include <string_view>

namespace understudy {
namespace {

constexpr std::string_view kPrefix = "Bearer ";

}  // namespace

Result<void> OAuthAuth::Apply(http::Request& request, Deadline deadline,
                              const std::stop_token& stop) {
  auto token = manager_.GetToken(deadline, stop);
  if (!token) {
    Error error = std::move(token).error();
    error.delivery = Delivery::kNotSent;
    error.origin = Origin::kLocal;
    return error;
  }
  return request.headers.Set("Authorization",
                             std::string(kPrefix).append((*token)->access_token.Reveal()));
}

bool OAuthAuth::HandleUnauthorized(const http::Request& sent, const http::Response&,
                                   Deadline deadline, const std::stop_token& stop) {
  const auto credentials = sent.headers.Get("Authorization");
  if (!credentials || !credentials->starts_with(kPrefix)) return false;
  return manager_.HandleRejected(credentials->substr(kPrefix.size()), deadline, stop).has_value();
}

}  // namespace understudy
