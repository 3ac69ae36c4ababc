#include "middleware/webhook/signature.h"

#include <limits>
#include <utility>

#include "middleware/base/text.h"

namespace understudy {
namespace {

using std::chrono::seconds;

constexpr std::size_t kSecretsMax = 16;
constexpr std::size_t kSignaturesMax = 64;
// The last whole second that a SystemTime can hold.
constexpr std::uint64_t kTimestampMax =
    static_cast<std::uint64_t>(std::numeric_limits<Duration::rep>::max() / 1'000'000'000);

Error Unverified(std::string message, std::string reason) {
  return Error{.code = ErrorCode::kUnverified,
               .message = "webhook signature: " + std::move(message),
               .origin = Origin::kRemote,
               .reason = std::move(reason)};
}

// What the headers say, before anything is checked.
struct Claims {
  std::vector<std::string> signatures = {};  // Decoded; undecodable ones are left out.
  std::string timestamp = {};                // The signed text.
  std::int64_t timestamp_seconds = 0;
  std::string id = {};
};

Result<std::string_view> SingleHeader(const http::Headers& headers, std::string_view name) {
  const auto values = headers.GetAll(name);
  if (values.empty())
    return Unverified("header " + std::string(name) + " is missing", "missing-header");
  if (values.size() > 1)
    return Unverified("header " + std::string(name) + " is repeated", "malformed");
  return values[0];
}

std::optional<std::string> Decode(SignatureEncoding encoding, std::string_view text) {
  return encoding == SignatureEncoding::kHex ? HexDecode(text) : Base64Decode(text);
}

std::string Encode(SignatureEncoding encoding, std::string_view bytes) {
  return encoding == SignatureEncoding::kHex ? HexEncode(bytes) : Base64Encode(bytes);
}

// The texts of the signatures in the header, and the timestamp where the header holds it.
Result<std::vector<std::string_view>> SignatureTexts(const SignatureScheme& scheme,
                                                     std::string_view header, Claims& claims) {
  std::vector<std::string_view> texts;
  if (scheme.layout == SignatureLayout::kPrefixed) {
    if (!header.starts_with(scheme.tag)) return Unverified("the prefix is wrong", "malformed");
    texts.push_back(header.substr(scheme.tag.size()));
    return texts;
  }
  const bool pairs = scheme.layout == SignatureLayout::kPairs;
  bool has_timestamp = false;
  for (const std::string_view element : Split(header, pairs ? ',' : ' ')) {
    const std::string_view trimmed = TrimOws(element);
    const std::size_t separator = trimmed.find(pairs ? '=' : ',');
    if (separator == std::string_view::npos) continue;
    const std::string_view key = trimmed.substr(0, separator);
    const std::string_view value = trimmed.substr(separator + 1);
    if (pairs && key == "t") {
      if (has_timestamp) return Unverified("the timestamp is repeated", "malformed");
      has_timestamp = true;
      claims.timestamp = value;
    } else if (key == scheme.tag) {
      texts.push_back(value);
    }
  }
  if (texts.empty()) return Unverified("there is no " + scheme.tag + " signature", "malformed");
  if (texts.size() > kSignaturesMax) return Unverified("too many signatures", "malformed");
  return texts;
}

Result<Claims> ReadClaims(const SignatureScheme& scheme, const http::Headers& headers) {
  Claims claims;
  UNDERSTUDY_ASSIGN_OR_RETURN(const auto header, SingleHeader(headers, scheme.signature_header));
  UNDERSTUDY_ASSIGN_OR_RETURN(const auto texts, SignatureTexts(scheme, header, claims));
  for (const std::string_view text : texts) {
    if (auto bytes = Decode(scheme.encoding, text)) claims.signatures.push_back(std::move(*bytes));
  }
  if (scheme.has_timestamp()) {
    if (!scheme.timestamp_header.empty()) {
      UNDERSTUDY_ASSIGN_OR_RETURN(const auto text, SingleHeader(headers, scheme.timestamp_header));
      claims.timestamp = text;
    }
    const auto number = ParseUnsigned(claims.timestamp);
    if (!number || *number > kTimestampMax) {
      return Unverified("the timestamp is not a number of seconds since 1970", "malformed");
    }
    claims.timestamp_seconds = static_cast<std::int64_t>(*number);
  }
  if (scheme.has_id()) {
    UNDERSTUDY_ASSIGN_OR_RETURN(const auto id, SingleHeader(headers, scheme.id_header));
    if (id.empty()) return Unverified("the id is empty", "malformed");
    claims.id = id;
  }
  return claims;
}

std::string SignedContent(std::string_view pattern, std::string_view timestamp, std::string_view id,
                          std::string_view body) {
  std::string content;
  content.reserve(pattern.size() + timestamp.size() + id.size() + body.size());
  while (!pattern.empty()) {
    const auto take = [&](std::string_view name, std::string_view value) {
      if (!pattern.starts_with(name)) return false;
      content.append(value);
      pattern.remove_prefix(name.size());
      return true;
    };
    if (take("{t}", timestamp) || take("{id}", id) || take("{body}", body)) continue;
    content.push_back(pattern.front());
    pattern.remove_prefix(1);
  }
  return content;
}

std::string Hmac(const Crypto& crypto, SignatureHash hash, std::string_view key,
                 std::string_view content) {
  return hash == SignatureHash::kSha256 ? crypto.HmacSha256(key, content)
                                        : crypto.HmacSha1(key, content);
}

Result<Secret> DecodeKey(const SignatureScheme& scheme, const Secret& secret) {
  if (secret.empty()) {
    return InvalidArgument("a webhook secret is empty: anybody could sign with it");
  }
  if (scheme.secret_form == SecretForm::kText) return secret;
  constexpr std::string_view kPrefix = "whsec_";
  std::string_view text = secret.Reveal();
  if (text.starts_with(kPrefix)) text.remove_prefix(kPrefix.size());
  auto key = Base64Decode(text);
  if (!key || key->empty()) {
    return InvalidArgument("a webhook secret of scheme " + scheme.name +
                           " must be base64, with or without \"whsec_\" before it");
  }
  return Secret(std::move(*key));
}

Result<std::vector<Secret>> DecodeKeys(const SignatureScheme& scheme,
                                       std::span<const Secret> secrets) {
  if (secrets.empty()) return InvalidArgument("webhook verification needs at least one secret");
  if (secrets.size() > kSecretsMax) return InvalidArgument("more than 16 webhook secrets");
  std::vector<Secret> keys;
  keys.reserve(secrets.size());
  for (const Secret& secret : secrets) {
    UNDERSTUDY_ASSIGN_OR_RETURN(Secret key, DecodeKey(scheme, secret));
    keys.push_back(std::move(key));
  }
  return keys;
}

Result<void> CheckScheme(const SignatureScheme& scheme) {
  const bool timestamp_found =
      scheme.layout == SignatureLayout::kPairs || !scheme.timestamp_header.empty();
  const bool complete = !scheme.signature_header.empty() &&
                        scheme.content.find("{body}") != std::string::npos &&
                        (!scheme.has_timestamp() || timestamp_found) &&
                        (!scheme.has_id() || !scheme.id_header.empty()) &&
                        (scheme.layout == SignatureLayout::kPrefixed || !scheme.tag.empty());
  if (complete) return {};
  return InvalidArgument("signature scheme \"" + scheme.name +
                         "\" is incomplete: it needs a header, {body} in its content, and a place "
                         "for everything else that its content names");
}

std::string SignatureHeader(const SignatureScheme& scheme, std::string_view timestamp,
                            const std::vector<std::string>& signatures) {
  if (scheme.layout == SignatureLayout::kPrefixed) return scheme.tag + signatures.front();
  const bool pairs = scheme.layout == SignatureLayout::kPairs;
  std::string header;
  if (pairs && scheme.has_timestamp()) header.append("t=").append(timestamp);
  for (const std::string& signature : signatures) {
    if (!header.empty()) header.push_back(pairs ? ',' : ' ');
    header.append(scheme.tag).append(pairs ? "=" : ",").append(signature);
  }
  return header;
}

}  // namespace

Result<SignatureVerifier> SignatureVerifier::Create(const Crypto& crypto, SignatureScheme scheme,
                                                    const std::vector<Secret>& secrets,
                                                    SignatureVerifierOptions options) {
  UNDERSTUDY_RETURN_IF_ERROR(CheckScheme(scheme));
  UNDERSTUDY_ASSIGN_OR_RETURN(auto keys, DecodeKeys(scheme, secrets));
  scheme.tolerance_past = options.tolerance_past.value_or(scheme.tolerance_past);
  scheme.tolerance_future = options.tolerance_future.value_or(scheme.tolerance_future);
  return SignatureVerifier(crypto, std::move(scheme), std::move(keys));
}

Result<Verified> SignatureVerifier::Verify(const http::Headers& headers, std::string_view body,
                                           SystemTime now) const {
  UNDERSTUDY_ASSIGN_OR_RETURN(Claims claims, ReadClaims(scheme_, headers));
  const std::string content = SignedContent(scheme_.content, claims.timestamp, claims.id, body);
  if (!AnyMatches(claims.signatures, content)) {
    return Unverified("no signature matches; check the secret, and that nothing changes the body",
                      "no-match");
  }
  Verified verified;
  verified.id = std::move(claims.id);
  if (!scheme_.has_timestamp()) return verified;
  // In whole seconds: the difference of two arbitrary times overflows in nanoseconds.
  const seconds age(std::chrono::floor<seconds>(now).time_since_epoch().count() -
                    claims.timestamp_seconds);
  if (age > std::chrono::floor<seconds>(scheme_.tolerance_past)) {
    return Unverified("the timestamp is too old", "too-old");
  }
  if (-age > std::chrono::floor<seconds>(scheme_.tolerance_future)) {
    return Unverified("the timestamp is in the future; check the clocks", "in-future");
  }
  verified.timestamp = SystemTime(seconds(claims.timestamp_seconds));
  return verified;
}

bool SignatureVerifier::AnyMatches(const std::vector<std::string>& candidates,
                                   std::string_view content) const {
  bool matches = false;
  for (const Secret& key : keys_) {
    const std::string expected = Hmac(*crypto_, scheme_.hash, key.Reveal(), content);
    for (const std::string& candidate : candidates) {
      // No early exit: the time must not tell which one matched.
      const bool same = ConstantTimeEquals(candidate, expected);
      matches = matches || same;
    }
  }
  return matches;
}

Result<http::Headers> Sign(const Crypto& crypto, const SignatureScheme& scheme,
                           std::span<const Secret> secrets, std::string_view id,
                           SystemTime timestamp, std::string_view body) {
  UNDERSTUDY_RETURN_IF_ERROR(CheckScheme(scheme));
  UNDERSTUDY_ASSIGN_OR_RETURN(const auto keys, DecodeKeys(scheme, secrets));
  if (scheme.has_id() && id.empty()) return InvalidArgument("this scheme signs the id: give one");
  const std::int64_t unix_seconds =
      std::chrono::floor<seconds>(timestamp).time_since_epoch().count();
  if (scheme.has_timestamp() && unix_seconds < 0) {
    return InvalidArgument("a webhook timestamp cannot be before 1970");
  }
  const std::string time_text = std::to_string(unix_seconds);
  const std::string content = SignedContent(scheme.content, time_text, id, body);
  std::vector<std::string> signatures;
  signatures.reserve(keys.size());
  for (const Secret& key : keys) {
    signatures.push_back(Encode(scheme.encoding, Hmac(crypto, scheme.hash, key.Reveal(), content)));
  }
  http::Headers headers;
  const std::string& id_header = scheme.has_id() ? scheme.id_header : scheme.event_id.header;
  if (!id_header.empty() && !id.empty()) UNDERSTUDY_RETURN_IF_ERROR(headers.Set(id_header, id));
  if (scheme.has_timestamp() && !scheme.timestamp_header.empty()) {
    UNDERSTUDY_RETURN_IF_ERROR(headers.Set(scheme.timestamp_header, time_text));
  }
  UNDERSTUDY_RETURN_IF_ERROR(
      headers.Set(scheme.signature_header, SignatureHeader(scheme, time_text, signatures)));
  return headers;
}

Result<http::Headers> Sign(const Crypto& crypto, const SignatureScheme& scheme,
                           const Secret& secret, std::string_view id, SystemTime timestamp,
                           std::string_view body) {
  return Sign(crypto, scheme, std::span<const Secret>(&secret, 1), id, timestamp, body);
}

}  // namespace understudy
