#include "harness/vendor/oauth_server.h"

#include <algorithm>
#include <utility>

#include <nlohmann/json.hpp>

#include "harness/vendor/response_sequence.h"
#include "middleware/base/secret.h"
#include "middleware/base/text.h"

namespace understudy::harness {
namespace {

http::Response JsonAnswer(int status, const nlohmann::json& body) {
  // RFC 6749 section 5.1: answers that carry tokens must not be cached.
  return {.status = status,
          .headers = {{"Content-Type", "application/json"},
                      {"Cache-Control", "no-store"},
                      {"Pragma", "no-cache"}},
          .body = body.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace)};
}

http::Response Refuse(std::string_view error, const std::string& description, int status = 400) {
  return JsonAnswer(status, {{"error", error}, {"error_description", description}});
}

bool IsForm(const http::Request& request) {
  const auto type = request.headers.Get("Content-Type");
  return type && EqualsIgnoreAsciiCase(TrimOws(Split(*type, ';').front()),
                                       "application/x-www-form-urlencoded");
}

// RFC 6749 section 3.2: a parameter must not be included more than once.
std::optional<std::string> RepeatedName(const http::FormPairs& form) {
  std::set<std::string_view> seen;
  for (const auto& [name, value] : form) {
    if (!seen.insert(name).second) return name;
  }
  return std::nullopt;
}

struct Credentials {
  std::string id = {};
  std::string secret = {};
};

// Of an Authorization header; nullopt if it is not well-formed Basic. Both parts are form-encoded
// (RFC 6749 section 2.3.1).
std::optional<Credentials> ParseBasic(std::string_view header) {
  constexpr std::string_view kScheme = "Basic ";
  if (!EqualsIgnoreAsciiCase(header.substr(0, kScheme.size()), kScheme)) return std::nullopt;
  const auto decoded = Base64Decode(TrimOws(header.substr(kScheme.size())));
  if (!decoded) return std::nullopt;
  const std::size_t colon = decoded->find(':');
  if (colon == std::string::npos) return std::nullopt;
  const auto part = [](std::string_view text) {
    const http::FormPairs pairs = http::ParseForm(std::string("v=").append(text));
    return pairs.size() == 1 ? pairs.front().second : std::string(text);
  };
  return Credentials{part(std::string_view(*decoded).substr(0, colon)),
                     part(std::string_view(*decoded).substr(colon + 1))};
}

std::string HexOf(std::uint64_t bits) {
  std::string bytes;
  for (int shift = 56; shift >= 0; shift -= 8) bytes.push_back(static_cast<char>(bits >> shift));
  return HexEncode(bytes);
}

}  // namespace

Result<void> CheckOAuth(const OAuthSpec& spec) {
  if (spec.ttl <= Duration::zero()) return InvalidArgument("oauth: ttl must be longer than zero");
  if (spec.latency) UNDERSTUDY_RETURN_IF_ERROR(CheckLatency(*spec.latency));
  if (spec.client_id && spec.client_id->empty()) {
    return InvalidArgument("oauth: the client id is empty; leave it out to accept every client");
  }
  if (!spec.client_id && !spec.client_secret.empty()) {
    return InvalidArgument("oauth: a client secret needs a client id");
  }
  return {};
}

template <typename Value>
void OAuthServer::Table<Value>::Insert(std::string token, Value value) {
  order.push_back(token);
  entries.insert_or_assign(std::move(token), value);
  if (order.size() <= kTokensMax) return;
  entries.erase(order.front());
  order.pop_front();
}

OAuthServer::OAuthServer(OAuthSpec spec, SystemTime now, TokenEntropy entropy)
    : spec_(std::move(spec)) {
  if (spec_.initial == OAuthSpec::Initial::kNone) return;
  const bool expired = spec_.initial == OAuthSpec::Initial::kExpired;
  const SystemTime issued_at = expired ? now - spec_.ttl : now;
  const SystemTime expires_at = issued_at + spec_.ttl;
  const FamilyId family = ++families_;
  initial_ = InitialTokens{.access_token = NewAccessToken(family, expires_at, entropy.access),
                           .refresh_token = NewRefreshToken(family, entropy.refresh),
                           .issued_at = issued_at,
                           .expires_at = expires_at};
}

std::string OAuthServer::NewAccessToken(FamilyId family, SystemTime expires_at,
                                        std::uint64_t bits) {
  std::string token = "at_" + std::to_string(++issued_) + "_" + HexOf(bits);
  access_.Insert(token, {.family = family, .expires_at = expires_at});
  return token;
}

std::string OAuthServer::NewRefreshToken(FamilyId family, std::uint64_t bits) {
  std::string token = "rt_" + std::to_string(issued_) + "_" + HexOf(bits);
  refresh_.Insert(token, {.family = family});
  return token;
}

http::Response OAuthServer::Answer(const http::Request& request, SystemTime now,
                                   TokenEntropy entropy) {
  if (!IsForm(request)) {
    return Refuse("invalid_request", "send application/x-www-form-urlencoded");
  }
  const http::FormPairs form = http::ParseForm(request.body);
  if (const auto repeated = RepeatedName(form)) {
    return Refuse("invalid_request", "the parameter " + *repeated + " is repeated");
  }
  if (auto refusal = RefuseClient(request, form)) return *std::move(refusal);
  const auto grant = http::FormValue(form, "grant_type");
  if (!grant) return Refuse("invalid_request", "grant_type is missing");
  if (*grant == "refresh_token") return AnswerRefresh(form, now, entropy);
  // Section 4.4.3: client credentials can be presented again, so there is no refresh token.
  if (*grant == "client_credentials") return Issue(++families_, false, now, entropy);
  return Refuse("unsupported_grant_type",
                "this endpoint knows refresh_token and client_credentials");
}

std::optional<http::Response> OAuthServer::RefuseClient(const http::Request& request,
                                                        const http::FormPairs& form) const {
  if (!spec_.client_id) return std::nullopt;
  const auto header = request.headers.Get("Authorization");
  const auto posted_secret = http::FormValue(form, "client_secret");
  if (header && posted_secret) {
    return Refuse("invalid_request", "authenticate in the header or in the body, not in both");
  }
  Credentials given{.id = std::string(http::FormValue(form, "client_id").value_or("")),
                    .secret = std::string(posted_secret.value_or(""))};
  if (header) given = ParseBasic(*header).value_or(Credentials{});
  if (given.id == *spec_.client_id && ConstantTimeEquals(given.secret, spec_.client_secret)) {
    return std::nullopt;
  }
  http::Response refusal = Refuse("invalid_client", "unknown client or wrong secret", 401);
  const auto added = refusal.headers.Add("WWW-Authenticate", "Basic realm=\"token\"");
  UNDERSTUDY_CHECK(added.has_value(), "a literal header is valid");
  return refusal;
}

http::Response OAuthServer::AnswerRefresh(const http::FormPairs& form, SystemTime now,
                                          TokenEntropy entropy) {
  const auto token = http::FormValue(form, "refresh_token");
  if (!token) return Refuse("invalid_request", "refresh_token is missing");
  const auto found = refresh_.entries.find(*token);
  if (found == refresh_.entries.end()) {
    return Refuse("invalid_grant", "the refresh token is unknown");
  }
  Refresh& refresh = found->second;
  if (!Alive(refresh.family)) return Refuse("invalid_grant", "the grant was revoked");
  if (refresh.used) {
    revoked_.insert(refresh.family);
    return Refuse("invalid_grant", "the refresh token was used before; the grant is revoked");
  }
  refresh.used = spec_.rotate_refresh_token;
  return Issue(refresh.family, spec_.rotate_refresh_token, now, entropy);
}

http::Response OAuthServer::Issue(FamilyId family, bool with_refresh, SystemTime now,
                                  TokenEntropy entropy) {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(spec_.ttl).count();
  nlohmann::json body = {{"access_token", NewAccessToken(family, now + spec_.ttl, entropy.access)},
                         {"token_type", "Bearer"},
                         {"expires_in", std::max<std::int64_t>(1, seconds)}};
  if (with_refresh) body["refresh_token"] = NewRefreshToken(family, entropy.refresh);
  return JsonAnswer(200, body);
}

bool OAuthServer::Alive(FamilyId family) const {
  return family > revoked_through_ && !revoked_.contains(family);
}

bool OAuthServer::ValidAccessToken(std::string_view token, SystemTime now) const {
  const auto found = access_.entries.find(token);
  return found != access_.entries.end() && Alive(found->second.family) &&
         now < found->second.expires_at;
}

void OAuthServer::RevokeAll() { revoked_through_ = families_; }

}  // namespace understudy::harness
