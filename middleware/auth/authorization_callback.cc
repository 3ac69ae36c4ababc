#include "middleware/auth/authorization_callback.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <utility>

#include "middleware/auth/oauth_endpoint.h"

namespace understudy {
namespace {

constexpr std::size_t kBytesMax = std::size_t{16} * 1024;
constexpr std::size_t kParametersMax = 64;

enum Known : std::size_t { kState, kCode, kError, kDescription, kIssuer, kKnown };
constexpr std::array<std::string_view, kKnown> kNames = {"state", "code", "error",
                                                         "error_description", "iss"};

Error Malformed(std::string what) {
  return Error{.code = ErrorCode::kProtocol,
               .message = "the answer of the authorization server " + std::move(what),
               .delivery = Delivery::kAnswered,
               .origin = Origin::kRemote,
               .reason = "callback"};
}

// RFC 6749 appendix A: VSCHAR.
bool IsPrintable(std::string_view text) {
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= 0x20 && c <= 0x7e; });
}

}  // namespace

Result<AuthorizationCallback> ParseAuthorizationCallback(std::string_view query) {
  if (query.starts_with('?')) query.remove_prefix(1);
  const auto separators = std::count(query.begin(), query.end(), '&');
  if (query.size() > kBytesMax || separators >= static_cast<std::ptrdiff_t>(kParametersMax)) {
    return Malformed("is too large");
  }
  std::array<std::optional<std::string>, kKnown> known;
  AuthorizationCallback callback;
  for (auto& [name, value] : http::ParseForm(query)) {
    const auto found = std::find(kNames.begin(), kNames.end(), name);
    if (found == kNames.end()) {
      callback.others.emplace_back(std::move(name), std::move(value));
      continue;
    }
    auto& slot = known.at(static_cast<std::size_t>(found - kNames.begin()));
    if (slot) return Malformed("has the parameter \"" + std::string(*found) + "\" twice");
    slot = std::move(value);
  }
  if (!known[kState] || !IsPrintable(*known[kState])) return Malformed("has no valid state");
  if (known[kCode].has_value() == known[kError].has_value()) {
    return Malformed("has to have either a code or an error");
  }
  if (known[kCode] && !IsPrintable(*known[kCode])) return Malformed("has no valid code");
  if (known[kError] && known[kError]->empty()) return Malformed("has an empty error");
  if (known[kIssuer] && !IsPrintable(*known[kIssuer])) return Malformed("has no valid issuer");
  callback.state = Secret(*std::move(known[kState]));
  callback.code = Secret(std::move(known[kCode]).value_or(""));
  callback.error = SanitisedOAuthText(known[kError].value_or(""), 64);
  callback.error_description = SanitisedOAuthText(known[kDescription].value_or(""), 200);
  callback.issuer = std::move(known[kIssuer]);
  return callback;
}

}  // namespace understudy
