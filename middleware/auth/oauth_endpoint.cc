#include "middleware/auth/oauth_endpoint.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>

#include <nlohmann/json.hpp>

#include "middleware/auth/credential_text.h"
#include "middleware/base/text.h"
#include "middleware/http/date.h"
#include "middleware/http/retry_after.h"

namespace understudy {
namespace {

using Json = nlohmann::json;

// Longer promises and longer pauses than these are mistakes of the vendor; they also must not
// overflow.
constexpr std::int64_t kLifetimeMaxSeconds = std::int64_t{10} * 365 * 24 * 3600;
constexpr Duration kRetryAfterMax = std::chrono::hours(24);

// Vendors that refuse a dead refresh token under another name than RFC 6749's (reference
// vendors 3.2).
constexpr std::array<std::string_view, 3> kDeadGrantCodes = {"invalid_grant", "bad_refresh_token",
                                                             "invalid_refresh_token"};

Error ProtocolError(std::string message, std::string reason) {
  return Error{.code = ErrorCode::kProtocol,
               .message = "token endpoint: " + std::move(message),
               .delivery = Delivery::kAnswered,
               .origin = Origin::kRemote,
               .reason = std::move(reason)};
}

std::optional<std::string> StringMember(const Json& object, const char* name) {
  const auto found = object.find(name);
  if (found == object.end() || !found->is_string()) return std::nullopt;
  return found->get<std::string>();
}

// The answer as a JSON object; a null value if it is none.
Json ParseObject(const std::string& body) {
  Json parsed = Json::parse(body, nullptr, /*allow_exceptions=*/false);
  return parsed.is_object() ? parsed : Json();
}

// "3600" or "3600.5"; negative for anything else.
double ParseSecondsText(std::string_view text) {
  const std::size_t dot = text.find('.');
  const auto whole = ParseUnsigned(text.substr(0, dot));
  if (!whole) return -1;
  if (dot != std::string_view::npos && !ParseUnsigned(text.substr(dot + 1))) return -1;
  return static_cast<double>(*whole);
}

// Seconds; nullopt inside if the vendor did not say.
Result<std::optional<std::int64_t>> ParseExpiresIn(const Json& answer) {
  const auto found = answer.find("expires_in");
  if (found == answer.end() || found->is_null()) return std::optional<std::int64_t>();
  double seconds = -1;
  if (found->is_number()) {
    seconds = found->get<double>();
  } else if (found->is_string()) {
    seconds = ParseSecondsText(TrimOws(found->get_ref<const std::string&>()));
  }
  if (!(seconds >= 0)) return ProtocolError("expires_in is not a number of seconds", "expires-in");
  const double bounded = std::min(seconds, static_cast<double>(kLifetimeMaxSeconds));
  return std::optional(static_cast<std::int64_t>(bounded));
}

Result<TokenSet> ParseTokens(const Json& answer, SystemTime sent_at) {
  const auto access = StringMember(answer, "access_token");
  if (!access || !IsVisibleAscii(*access)) {
    return ProtocolError("access_token is missing or not visible ASCII", "access-token");
  }
  const auto type = StringMember(answer, "token_type");
  if (!type || !EqualsIgnoreAsciiCase(*type, "Bearer")) {
    return ProtocolError("token_type is not Bearer", "token-type");
  }
  UNDERSTUDY_ASSIGN_OR_RETURN(const auto expires_in, ParseExpiresIn(answer));
  TokenSet tokens;
  tokens.access_token = Secret(*access);
  tokens.refresh_token = Secret(StringMember(answer, "refresh_token").value_or(""));
  tokens.issued_at = sent_at;
  if (expires_in) tokens.expires_at = sent_at + std::chrono::seconds(*expires_in);
  tokens.scope = StringMember(answer, "scope").value_or("");
  return tokens;
}

bool IsTransientStatus(int status) { return status >= 500 || status == 429 || status == 408; }

// A total deadline of the refresh is a timeout of the vendor: the caller of Fetch has more time.
Error FromTransport(Error error) {
  if (error.code == ErrorCode::kDeadlineExceeded) {
    error.code = ErrorCode::kTimeout;
    error.origin = Origin::kRemote;
  }
  error.message.insert(0, "token endpoint: ");
  return error;
}

std::string JsonBody(const http::FormPairs& params) {
  Json body = Json::object();
  for (const auto& [name, value] : params) {
    // A name may be given several times (RFC 8707: resource); in JSON they are a list.
    Json& member = body[name];
    if (member.is_null()) {
      member = value;
    } else {
      if (!member.is_array()) member = Json::array({member});
      member.push_back(value);
    }
  }
  return body.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace

Result<http::Url> ParseOAuthUrl(std::string_view url, bool allow_http_loopback,
                                std::string_view what) {
  UNDERSTUDY_ASSIGN_OR_RETURN(http::Url parsed, http::Url::Parse(url));
  const bool secure = parsed.scheme() == "https" || (allow_http_loopback && parsed.IsLoopback());
  if (secure) return parsed;
  return InvalidArgument(
      "the " + std::string(what) +
      " must be https: tokens, codes and client secrets go there (plain http is possible to a "
      "loopback address, with allow_http_loopback)");
}

std::string SanitisedOAuthText(std::string_view text, std::size_t length_max) {
  std::string clean(text.substr(0, length_max));
  std::replace_if(
      clean.begin(), clean.end(), [](char c) { return c < 0x20 || c > 0x7e; }, '?');
  return clean;
}

Result<TokenSet> ParseTokenAnswer(const http::Response& response, SystemTime sent_at,
                                  SystemTime now, std::span<const std::string_view> secrets) {
  if (!response.ok()) return OAuthRefusal(response, now, secrets);
  const Json answer = ParseObject(response.body);
  if (answer.is_null()) return ProtocolError("the answer is not a JSON object", "not-json");
  if (answer.contains("error")) return OAuthRefusal(response, now, secrets);
  return ParseTokens(answer, sent_at);
}

Error OAuthRefusal(const http::Response& response, SystemTime now,
                   std::span<const std::string_view> secrets) {
  Error error{.code = ErrorCode::kAuth,
              .message = "the authorization server answered " + std::to_string(response.status),
              .delivery = Delivery::kAnswered,
              .origin = Origin::kRemote,
              .reason = std::to_string(response.status)};
  if (IsTransientStatus(response.status)) {
    error.code = ErrorCode::kConnection;
    error.retry_after = ParseRetryAfter(response.headers, now, kRetryAfterMax);
    return error;
  }
  const Json answer = ParseObject(response.body);
  const auto leaks = [&](const std::string& text) {
    return std::any_of(secrets.begin(), secrets.end(), [&](std::string_view secret) {
      return !secret.empty() && text.find(secret) != std::string::npos;
    });
  };
  const auto code = StringMember(answer, "error");
  if (!code || leaks(*code)) {
    if (response.status != 401 && response.status != 403) error.code = ErrorCode::kProtocol;
    error.message += " without an OAuth error; check the URL";
    return error;
  }
  const bool dead =
      std::find(kDeadGrantCodes.begin(), kDeadGrantCodes.end(), *code) != kDeadGrantCodes.end();
  error.reason = dead ? "invalid_grant" : SanitisedOAuthText(*code, 64);
  error.message += ": " + SanitisedOAuthText(*code, 64);
  const std::string description = StringMember(answer, "error_description").value_or("");
  if (!description.empty() && !leaks(description)) {
    error.message += " (" + SanitisedOAuthText(description, 200) + ")";
  }
  return error;
}

bool HoldsOAuthError(const http::Response& response) {
  return ParseObject(response.body).contains("error");
}

Result<OAuthEndpoint> OAuthEndpoint::Create(Clock& clock, http::Transport& transport,
                                            OAuthEndpointOptions options, std::string_view what) {
  UNDERSTUDY_ASSIGN_OR_RETURN(http::Url url,
                              ParseOAuthUrl(options.url, options.allow_http_loopback, what));
  if (options.client_id.empty()) return InvalidArgument("an OAuth client needs a client_id");
  return OAuthEndpoint(clock, transport, std::move(options), std::move(url));
}

Result<http::Request> OAuthEndpoint::BuildRequest(http::FormPairs params) const {
  http::Request request;
  request.method = http::Method::Post();
  request.url = url_;
  const bool confidential = !options_.client_secret.empty();
  if (confidential && options_.client_auth == OAuthClientAuth::kBasic) {
    // Both parts are form-encoded before base64 (RFC 6749 section 2.3.1), so a ':' in either is
    // safe.
    const Secret pair(http::PercentEncode(options_.client_id) + ":" +
                      http::PercentEncode(options_.client_secret.Reveal()));
    UNDERSTUDY_RETURN_IF_ERROR(
        request.headers.Set("Authorization", "Basic " + Base64Encode(pair.Reveal())));
  } else {
    params.emplace_back("client_id", options_.client_id);
    if (confidential) params.emplace_back("client_secret", options_.client_secret.Reveal());
  }
  const bool json = options_.body == OAuthBody::kJson;
  UNDERSTUDY_RETURN_IF_ERROR(request.headers.Set(
      "Content-Type", json ? "application/json" : "application/x-www-form-urlencoded"));
  UNDERSTUDY_RETURN_IF_ERROR(request.headers.Set("Accept", "application/json"));
  request.body = json ? JsonBody(params) : http::EncodeForm(params);
  return request;
}

Result<OAuthEndpoint::Answer> OAuthEndpoint::Post(http::FormPairs params,
                                                  std::string_view operation, Deadline deadline,
                                                  const std::stop_token& stop) const {
  UNDERSTUDY_ASSIGN_OR_RETURN(const http::Request request, BuildRequest(std::move(params)));
  http::SendOptions send;
  send.deadline = deadline;
  send.stop = stop;
  send.response_bytes_max = options_.response_bytes_max;
  send.attempt.operation = operation;
  const SystemTime sent_at = clock_->SystemNow();
  auto sent = transport_->Send(request, send);
  if (!sent) return FromTransport(std::move(sent).error());
  // The transport bounds what it reads; a replaced transport may not, and the bound is a promise of
  // this class.
  if (sent->body.size() > options_.response_bytes_max) {
    return ProtocolError("the answer is too large", "too-large");
  }
  return Answer{*std::move(sent), sent_at};
}

}  // namespace understudy
