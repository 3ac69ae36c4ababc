#include "middleware/auth/authorization_flow.h"

#include <algorithm>
#include <array>

#include "middleware/auth/pkce.h"
#include "middleware/base/problems.h"

namespace understudy {
namespace {

constexpr std::size_t kContextBytesMax = std::size_t{4} * 1024;
constexpr Duration kLifetimeMax = std::chrono::hours(24);
constexpr std::size_t kIdBytes = 16;
constexpr std::size_t kIdCharacters = 22;
constexpr std::size_t kStateBytes = 32;

// What the flow says itself; RFC 6749, 7636, 8707.
constexpr std::array<std::string_view, 14> kReserved = {"response_type",
                                                        "client_id",
                                                        "client_secret",
                                                        "redirect_uri",
                                                        "scope",
                                                        "state",
                                                        "code",
                                                        "code_verifier",
                                                        "grant_type",
                                                        "code_challenge",
                                                        "code_challenge_method",
                                                        "response_mode",
                                                        "audience",
                                                        "resource"};

Error Unverified(std::string message, std::string reason) {
  return Error{.code = ErrorCode::kUnverified,
               .message = std::move(message) + "; begin the log-in again",
               .origin = Origin::kRemote,
               .reason = std::move(reason)};
}

// RFC 6749 section 4.1.2.1.
Error FromCallback(const AuthorizationCallback& callback) {
  const bool transient =
      callback.error == "server_error" || callback.error == "temporarily_unavailable";
  std::string message = "the authorization server answered: " + callback.error;
  if (!callback.error_description.empty()) message += " (" + callback.error_description + ")";
  return Error{.code = transient ? ErrorCode::kConnection : ErrorCode::kAuth,
               .message = std::move(message),
               .delivery = Delivery::kAnswered,
               .origin = Origin::kRemote,
               .reason = callback.error};
}

void CheckParams(const http::FormPairs& params, std::string_view what,
                 std::vector<std::string>& problems) {
  for (const auto& entry : params) {
    if (std::find(kReserved.begin(), kReserved.end(), entry.first) == kReserved.end()) continue;
    problems.push_back(std::string(what) + " must not hold \"" + entry.first +
                       "\": the flow sets it");
  }
}

std::vector<std::string> FindOptionProblems(const AuthorizationFlowOptions& options) {
  std::vector<std::string> problems;
  if (options.name.empty()) problems.emplace_back("name must not be empty");
  const auto redirect = http::Url::Parse(options.redirect_uri);
  const bool secure = redirect && (redirect->scheme() == "https" || redirect->IsLoopback());
  if (!secure || options.redirect_uri.find('#') != std::string::npos) {
    problems.emplace_back(
        "redirect_uri must be an https URL, or http to a loopback address, without a fragment");
  }
  CheckParams(options.authorization_params, "authorization_params", problems);
  CheckParams(options.token_params, "token_params", problems);
  if (options.require_issuer && options.issuer.empty()) {
    problems.emplace_back("require_issuer needs the issuer to compare with");
  }
  if (options.lifetime <= Duration::zero() || options.lifetime > kLifetimeMax) {
    problems.emplace_back("lifetime must be more than 0 and at most a day");
  }
  return problems;
}

}  // namespace

Result<std::unique_ptr<AuthorizationFlow>> AuthorizationFlow::Create(
    Clock& clock, Random& random, const Crypto& crypto, http::Transport& transport,
    PendingAuthorizationStore& pending, AuthorizationFlowOptions options) {
  std::vector<std::string> problems = FindOptionProblems(options);
  auto authorization_url =
      ParseOAuthUrl(options.authorization_url, options.allow_http_loopback, "authorization URL");
  if (!authorization_url) problems.push_back(authorization_url.error().message);
  auto endpoint = OAuthEndpoint::Create(clock, transport,
                                        {.url = options.token_url,
                                         .allow_http_loopback = options.allow_http_loopback,
                                         .client_id = options.client_id,
                                         .client_secret = options.client_secret,
                                         .client_auth = options.client_auth,
                                         .body = options.body,
                                         .response_bytes_max = options.response_bytes_max},
                                        "token URL");
  if (!endpoint) problems.push_back(endpoint.error().message);
  UNDERSTUDY_RETURN_IF_ERROR(ToResult("authorization flow", problems));
  return std::unique_ptr<AuthorizationFlow>(
      new AuthorizationFlow({clock, random, crypto, pending}, std::move(options),
                            *std::move(authorization_url), *std::move(endpoint)));
}

Result<AuthorizationStart> AuthorizationFlow::Begin(std::string_view session, std::string context) {
  if (session.empty()) return InvalidArgument("a log-in must be bound to the user's session");
  if (context.size() > kContextBytesMax) {
    return InvalidArgument("the context of a log-in must not be larger than 4 KiB");
  }
  const SystemTime now = parts_.clock.SystemNow();
  PendingAuthorization pending;
  pending.id = RandomBase64Url(parts_.random, "oauth/state", kIdBytes);
  pending.state = Secret(pending.id + RandomBase64Url(parts_.random, "oauth/state", kStateBytes));
  pending.verifier = NewPkceVerifier(parts_.random);
  pending.session_hash = parts_.crypto.Sha256(session);
  pending.flow = options_.name;
  pending.context = std::move(context);
  pending.expires_at = now + options_.lifetime;
  AuthorizationStart start{AuthorizationUrl(pending), pending.expires_at};
  UNDERSTUDY_RETURN_IF_ERROR(parts_.pending.Put(std::move(pending), now));
  return start;
}

std::string AuthorizationFlow::AuthorizationUrl(const PendingAuthorization& pending) const {
  http::Url url = authorization_url_;
  url.AddQuery("response_type", "code");
  url.AddQuery("client_id", options_.client_id);
  url.AddQuery("redirect_uri", options_.redirect_uri);
  if (!options_.scope.empty()) url.AddQuery("scope", options_.scope);
  url.AddQuery("state", pending.state.Reveal());
  url.AddQuery("code_challenge", PkceChallenge(parts_.crypto, pending.verifier));
  url.AddQuery("code_challenge_method", "S256");
  if (!options_.audience.empty()) url.AddQuery("audience", options_.audience);
  for (const std::string& resource : options_.resources) url.AddQuery("resource", resource);
  for (const auto& [name, value] : options_.authorization_params) url.AddQuery(name, value);
  return url.ToString();
}

Result<AuthorizationGrant> AuthorizationFlow::Finish(std::string_view session,
                                                     std::string_view callback_query,
                                                     Deadline deadline,
                                                     const std::stop_token& stop) {
  UNDERSTUDY_ASSIGN_OR_RETURN(AuthorizationCallback callback,
                              ParseAuthorizationCallback(callback_query));
  UNDERSTUDY_ASSIGN_OR_RETURN(PendingAuthorization pending, TakePending(session, callback));
  UNDERSTUDY_RETURN_IF_ERROR(CheckIssuer(callback));
  if (!callback.error.empty()) return FromCallback(callback);
  UNDERSTUDY_ASSIGN_OR_RETURN(TokenSet tokens,
                              Exchange(callback.code, pending.verifier, deadline, stop));
  // RFC 6749 section 5.1: no scope means the one that was asked for.
  if (tokens.scope.empty()) tokens.scope = options_.scope;
  return AuthorizationGrant{std::move(tokens), std::move(pending.context),
                            std::move(callback.others)};
}

Result<PendingAuthorization> AuthorizationFlow::TakePending(std::string_view session,
                                                            const AuthorizationCallback& callback) {
  const Error unknown = Unverified(
      "the answer belongs to no log-in that was begun here, or to one that has ended", "state");
  const std::string_view state = callback.state.Reveal();
  if (state.size() <= kIdCharacters) return unknown;
  UNDERSTUDY_ASSIGN_OR_RETURN(auto pending, parts_.pending.Take(state.substr(0, kIdCharacters)));
  if (!pending || !pending->state.Equals(state)) return unknown;
  if (pending->flow != options_.name) {
    return Unverified("the answer belongs to a log-in at another vendor", "flow");
  }
  if (!ConstantTimeEquals(pending->session_hash, parts_.crypto.Sha256(session))) {
    return Unverified("the answer belongs to another user's session", "session");
  }
  if (parts_.clock.SystemNow() >= pending->expires_at) {
    return Unverified("the log-in took too long", "expired");
  }
  return *std::move(pending);
}

Result<void> AuthorizationFlow::CheckIssuer(const AuthorizationCallback& callback) const {
  if (options_.issuer.empty()) return {};
  if (!callback.issuer && !options_.require_issuer) return {};
  // RFC 9207 section 2.4: simple string comparison.
  if (callback.issuer && *callback.issuer == options_.issuer) return {};
  return Unverified("the answer is not from the authorization server that was asked", "issuer");
}

Result<TokenSet> AuthorizationFlow::Exchange(const Secret& code, const Secret& verifier,
                                             Deadline deadline, const std::stop_token& stop) const {
  http::FormPairs form = {{"grant_type", "authorization_code"},
                          {"code", std::string(code.Reveal())},
                          {"redirect_uri", options_.redirect_uri},
                          {"code_verifier", std::string(verifier.Reveal())}};
  for (const std::string& resource : options_.resources) form.emplace_back("resource", resource);
  form.insert(form.end(), options_.token_params.begin(), options_.token_params.end());
  UNDERSTUDY_ASSIGN_OR_RETURN(const OAuthEndpoint::Answer answer,
                              token_endpoint_.Post(std::move(form), "oauth.code", deadline, stop));
  const std::array<std::string_view, 3> secrets = {code.Reveal(), verifier.Reveal(),
                                                   options_.client_secret.Reveal()};
  return ParseTokenAnswer(answer.response, answer.sent_at, token_endpoint_.Now(), secrets);
}

}  // namespace understudy
