#include "middleware/webhook/signature.h"

#include <cstdint>
#include <limits>
#include <utility>

#include <nlohmann/json.hpp>

#include "middleware/base/iso_time.h"
#include "middleware/base/text.h"
#include "middleware/webhook/handshake.h"
#include "middleware/webhook/signature_content.h"
#include "middleware/webhook/strict_json.h"

namespace understudy {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::size_t kSecretsMax = 16;
constexpr std::size_t kSignaturesMax = 64;
constexpr std::size_t kPublicKeySignaturesMax = 8;  // Each costs a hundred times as much.
constexpr std::size_t kEd25519KeyBytes = 32;
constexpr std::size_t kTimestampTextMax = 64;
constexpr std::size_t kCertificateUrlMax = 2048;
// The last whole second that a SystemTime can hold.
constexpr std::uint64_t kSecondsMax =
    static_cast<std::uint64_t>(std::numeric_limits<Duration::rep>::max() / 1'000'000'000);
constexpr std::uint64_t kMillisecondsFrom = 100'000'000'000;

Error Unverified(std::string message, std::string reason) {
  return Error{.code = ErrorCode::kUnverified,
               .message = "webhook signature: " + std::move(message),
               .origin = Origin::kRemote,
               .reason = std::move(reason)};
}

Error Incomplete(std::string message, std::string reason) {
  Error error = InvalidArgument(std::move(message));
  error.reason = std::move(reason);
  return error;
}

bool IsPublicKey(SignatureAlgorithm algorithm) {
  return algorithm == SignatureAlgorithm::kEd25519 || algorithm == SignatureAlgorithm::kRsaSha256;
}

// ---- headers ------------------------------------------------------------------------------------

Result<std::string_view> SingleHeader(const http::Headers& headers, std::string_view name) {
  const auto values = headers.GetAll(name);
  if (values.empty())
    return Unverified("header " + std::string(name) + " is missing", "missing-header");
  if (values.size() > 1)
    return Unverified("header " + std::string(name) + " is repeated", "malformed");
  return values[0];
}

Result<void> CheckCompanions(const SignatureScheme& scheme, const SignedRequest& request) {
  for (const RequiredHeader& required : scheme.required_headers) {
    UNDERSTUDY_ASSIGN_OR_RETURN(const auto value, SingleHeader(request.headers, required.name));
    if (value.empty()) {
      return Unverified("header " + required.name + " is empty", "missing-header");
    }
  }
  if (!scheme.version_header.empty()) {
    for (const std::string_view value : request.headers.GetAll(scheme.version_header)) {
      if (EqualsIgnoreAsciiCase(value, scheme.version)) continue;
      return Unverified(
          "header " + scheme.version_header + " names another version than " + scheme.version,
          "malformed");
    }
  }
  if (scheme.empty_body_refused && request.body.empty()) {
    return Unverified("the body is empty", "malformed");
  }
  return {};
}

std::optional<std::string> Decode(SignatureEncoding encoding, std::string_view text) {
  return encoding == SignatureEncoding::kHex ? HexDecode(text) : Base64Decode(text);
}

std::string Encode(SignatureEncoding encoding, std::string_view bytes) {
  return encoding == SignatureEncoding::kHex ? HexEncode(bytes) : Base64Encode(bytes);
}

struct SignatureTexts {
  std::vector<std::string_view> signatures = {};
  std::optional<std::string_view> timestamp = {};  // Where the header holds it.
};

Result<SignatureTexts> SplitSignatures(const SignatureScheme& scheme, std::string_view header) {
  SignatureTexts texts;
  if (scheme.layout == SignatureLayout::kPrefixed) {
    if (!header.starts_with(scheme.tag)) return Unverified("the prefix is wrong", "malformed");
    texts.signatures.push_back(header.substr(scheme.tag.size()));
    return texts;
  }
  const bool pairs = scheme.layout == SignatureLayout::kPairs;
  for (const std::string_view element : Split(header, pairs ? ',' : ' ')) {
    const std::string_view trimmed = TrimOws(element);
    const std::size_t separator = trimmed.find(pairs ? '=' : ',');
    if (separator == std::string_view::npos) continue;
    const std::string_view key = trimmed.substr(0, separator);
    const std::string_view value = trimmed.substr(separator + 1);
    if (pairs && key == "t") {
      if (texts.timestamp) return Unverified("the timestamp is repeated", "malformed");
      texts.timestamp = value;
    } else if (key == scheme.tag) {
      texts.signatures.push_back(value);
    }
  }
  if (texts.signatures.empty()) {
    return Unverified("there is no " + scheme.tag + " signature", "malformed");
  }
  const std::size_t most = IsPublicKey(scheme.algorithm) ? kPublicKeySignaturesMax : kSignaturesMax;
  if (texts.signatures.size() > most) return Unverified("too many signatures", "malformed");
  return texts;
}

// ---- timestamps ---------------------------------------------------------------------------------

Error BadTimestamp(TimestampUnit unit) {
  return Unverified(std::string("the timestamp is not a number of ") +
                        (unit == TimestampUnit::kMilliseconds ? "milliseconds" : "seconds") +
                        " since 1970",
                    "malformed");
}

bool InMilliseconds(TimestampUnit unit, std::uint64_t number) {
  return unit == TimestampUnit::kMilliseconds ||
         (unit == TimestampUnit::kSecondsOrMilliseconds && number >= kMillisecondsFrom);
}

struct Timestamp {
  milliseconds since_epoch = {};
  bool in_milliseconds = false;
};

// nullopt for a text that is not judged.
Result<std::optional<Timestamp>> ReadTimestamp(TimestampUnit unit, std::string_view text) {
  if (unit == TimestampUnit::kText) {
    if (!text.empty() && text.size() <= kTimestampTextMax) return std::optional<Timestamp>();
    return Unverified("the timestamp is empty or too long", "malformed");
  }
  const auto number = ParseUnsigned(text);
  if (!number) return BadTimestamp(unit);
  Timestamp timestamp{.since_epoch = {}, .in_milliseconds = InMilliseconds(unit, *number)};
  const std::uint64_t most = timestamp.in_milliseconds ? kSecondsMax * 1000 : kSecondsMax;
  if (*number > most) return BadTimestamp(unit);
  const auto count = static_cast<std::int64_t>(*number);
  timestamp.since_epoch = timestamp.in_milliseconds ? milliseconds(count) : seconds(count);
  return std::optional(timestamp);
}

// Only called for a body whose signature is right.
Result<std::optional<Timestamp>> TimestampInBody(const SignatureScheme& scheme,
                                                 std::string_view body) {
  const auto parsed = ParseStrictJson(body);
  if (!parsed) return Unverified("the signed body is not JSON, so it has no time", "malformed");
  const nlohmann::json* const node = FindJsonPointer(*parsed, scheme.timestamp_pointer);
  if (node == nullptr || !node->is_number_unsigned()) return BadTimestamp(scheme.timestamp_unit);
  return ReadTimestamp(scheme.timestamp_unit, std::to_string(node->get<std::uint64_t>()));
}

// In the vendor's unit: the difference of two arbitrary times overflows in nanoseconds, and a whole
// second must not be too old because of the part of a second that the clock shows on top.
Result<void> CheckAge(const SignatureScheme& scheme, const Timestamp& timestamp, SystemTime now) {
  const milliseconds local =
      timestamp.in_milliseconds ? std::chrono::floor<milliseconds>(now).time_since_epoch()
                                : milliseconds(std::chrono::floor<seconds>(now).time_since_epoch());
  const milliseconds age = local - timestamp.since_epoch;
  if (age > std::chrono::floor<milliseconds>(scheme.tolerance_past)) {
    return Unverified("the timestamp is too old", "too-old");
  }
  if (-age > std::chrono::floor<milliseconds>(scheme.tolerance_future)) {
    return Unverified("the timestamp is in the future; check the clocks", "in-future");
  }
  return {};
}

std::string TimestampText(const SignatureScheme& scheme, SystemTime timestamp) {
  if (scheme.timestamp_unit == TimestampUnit::kText) return FormatIsoInstant(timestamp, 0);
  if (scheme.timestamp_unit == TimestampUnit::kMilliseconds) {
    return std::to_string(std::chrono::floor<milliseconds>(timestamp).time_since_epoch().count());
  }
  return std::to_string(std::chrono::floor<seconds>(timestamp).time_since_epoch().count());
}

// ---- keys ---------------------------------------------------------------------------------------

Result<Secret> CheckedEd25519(const Crypto& crypto, Secret key) {
  const std::string_view bytes = key.Reveal();
  if (bytes.size() == kEd25519KeyBytes) return key;
  if (bytes.size() == 2 * kEd25519KeyBytes) {
    UNDERSTUDY_ASSIGN_OR_RETURN(const std::string derived,
                                crypto.Ed25519PublicKey(bytes.substr(0, kEd25519KeyBytes)));
    if (ConstantTimeEquals(derived, bytes.substr(kEd25519KeyBytes))) return key;
  }
  return InvalidArgument(
      "an Ed25519 webhook key must be a public key of 32 bytes, or a seed and its public key of "
      "64");
}

Result<Secret> DecodeKey(const Crypto& crypto, const SignatureScheme& scheme,
                         const Secret& secret) {
  if (secret.empty()) {
    return InvalidArgument("a webhook secret is empty: anybody could sign with it");
  }
  Secret key = secret;
  if (scheme.secret_form != SecretForm::kText) {
    std::string_view text = secret.Reveal();
    for (const std::string& prefix : scheme.secret_prefixes) {
      if (!text.starts_with(prefix)) continue;
      text.remove_prefix(prefix.size());
      break;
    }
    const bool hex = scheme.secret_form == SecretForm::kHex;
    auto bytes = hex ? HexDecode(text) : Base64Decode(text);
    if (!bytes || bytes->empty()) {
      return InvalidArgument("a webhook secret of scheme " + scheme.name + " must be " +
                             (hex ? "hexadecimal" : "base64, with or without its prefix"));
    }
    key = Secret(std::move(*bytes));
  }
  if (scheme.algorithm == SignatureAlgorithm::kEd25519) {
    return CheckedEd25519(crypto, std::move(key));
  }
  return key;
}

Result<std::vector<Secret>> DecodeKeys(const Crypto& crypto, const SignatureScheme& scheme,
                                       std::span<const Secret> secrets) {
  if (secrets.empty()) return InvalidArgument("webhook verification needs at least one secret");
  if (secrets.size() > kSecretsMax) return InvalidArgument("more than 16 webhook secrets");
  std::vector<Secret> keys;
  keys.reserve(secrets.size());
  for (const Secret& secret : secrets) {
    UNDERSTUDY_ASSIGN_OR_RETURN(Secret key, DecodeKey(crypto, scheme, secret));
    keys.push_back(std::move(key));
  }
  return keys;
}

Result<void> CheckOptions(const SignatureScheme& scheme, const SignatureVerifierOptions& options) {
  if (scheme.tolerance_past < Duration::zero() || scheme.tolerance_future < Duration::zero()) {
    return InvalidArgument("the tolerance of a webhook timestamp is negative");
  }
  if (scheme.algorithm != SignatureAlgorithm::kRsaSha256) return {};
  if (options.certificates == nullptr) {
    return InvalidArgument("scheme " + scheme.name + " needs a certificate resolver");
  }
  if (options.certificate_roots.empty() == !options.certificates_pinned) {
    return InvalidArgument("scheme " + scheme.name +
                           " needs either certificate_roots to check certificates against, or "
                           "certificates_pinned if somebody checked them before");
  }
  return {};
}

// What a receiver expects, for all but the public-key algorithms.
std::string ExpectedSignature(const Crypto& crypto, SignatureAlgorithm algorithm,
                              std::string_view key, std::string_view content) {
  switch (algorithm) {
    case SignatureAlgorithm::kHmacSha1:
      return crypto.HmacSha1(key, content);
    case SignatureAlgorithm::kHmacSha512:
      return crypto.HmacSha512(key, content);
    case SignatureAlgorithm::kSha256:
      return crypto.Sha256(content);
    case SignatureAlgorithm::kHmacSha256:
    case SignatureAlgorithm::kEd25519:
    case SignatureAlgorithm::kRsaSha256:
      break;
  }
  return crypto.HmacSha256(key, content);
}

struct Judge {
  const Crypto& crypto;
  SignatureAlgorithm algorithm;
  std::string_view key;
  std::string_view certificate;
};

// Is one of `candidates` the signature of `content`? Looks at all of them.
Result<bool> Matches(const Judge& judge, std::string_view content,
                     const std::vector<std::string>& candidates) {
  const std::string expected =
      IsPublicKey(judge.algorithm)
          ? std::string()
          : ExpectedSignature(judge.crypto, judge.algorithm, judge.key, content);
  bool any = false;
  for (const std::string& candidate : candidates) {
    Result<bool> same = false;
    if (judge.algorithm == SignatureAlgorithm::kRsaSha256) {
      same = judge.crypto.VerifyRsaSha256(judge.certificate, content, candidate);
      if (!same) return Unverified(same.error().message, "certificate-untrusted");
    } else if (judge.algorithm == SignatureAlgorithm::kEd25519) {
      const std::string_view public_key = judge.key.substr(judge.key.size() - kEd25519KeyBytes);
      same = judge.crypto.VerifyEd25519(public_key, content, candidate);
    } else {
      same = ConstantTimeEquals(candidate, expected);
    }
    UNDERSTUDY_RETURN_IF_ERROR(same);
    any = any || *same;
  }
  return any;
}

// ---- signing ------------------------------------------------------------------------------------

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

Result<std::string> SignatureBytes(const Crypto& crypto, const SignatureScheme& scheme,
                                   std::string_view key, const SigningInput& input,
                                   std::string_view content) {
  if (scheme.algorithm == SignatureAlgorithm::kRsaSha256) {
    return crypto.SignRsaSha256(input.private_key.Reveal(), content);
  }
  if (scheme.algorithm != SignatureAlgorithm::kEd25519) {
    return ExpectedSignature(crypto, scheme.algorithm, key, content);
  }
  if (key.size() != 2 * kEd25519KeyBytes) {
    return InvalidArgument("a public key cannot sign: give seed and public key, 64 bytes");
  }
  return crypto.SignEd25519(key.substr(0, kEd25519KeyBytes), content);
}

Result<void> CheckSigningInput(const SignatureScheme& scheme, const SigningInput& input) {
  if (scheme.has_id() && input.id.empty()) {
    return InvalidArgument("this scheme signs the id: give one");
  }
  if (scheme.needs_url() && input.url.empty()) {
    return InvalidArgument("scheme " + scheme.name + " signs the URL: give one");
  }
  if (scheme.has_timestamp() && input.timestamp < SystemTime()) {
    return InvalidArgument("a webhook timestamp cannot be before 1970");
  }
  if (scheme.algorithm == SignatureAlgorithm::kRsaSha256 && input.certificate_url.empty()) {
    return InvalidArgument("scheme " + scheme.name + " names its certificate: give its URL");
  }
  return {};
}

Result<void> SetUnlessEmpty(http::Headers& headers, const std::string& name,
                            std::string_view value) {
  if (name.empty() || value.empty()) return {};
  return headers.Set(name, value);
}

// Everything that accompanies the signature.
Result<http::Headers> CompanionHeaders(const SignatureScheme& scheme, const SigningInput& input,
                                       std::string_view timestamp) {
  http::Headers headers = input.headers;
  for (const RequiredHeader& required : scheme.required_headers) {
    if (headers.Has(required.name)) continue;
    UNDERSTUDY_RETURN_IF_ERROR(headers.Set(required.name, required.sample));
  }
  UNDERSTUDY_RETURN_IF_ERROR(SetUnlessEmpty(headers, scheme.version_header, scheme.version));
  UNDERSTUDY_RETURN_IF_ERROR(SetUnlessEmpty(
      headers, scheme.has_id() ? scheme.id_header : scheme.event_id.header, input.id));
  if (scheme.has_timestamp()) {
    UNDERSTUDY_RETURN_IF_ERROR(SetUnlessEmpty(headers, scheme.timestamp_header, timestamp));
  }
  UNDERSTUDY_RETURN_IF_ERROR(
      SetUnlessEmpty(headers, scheme.certificate_url_header, input.certificate_url));
  return headers;
}

}  // namespace

// ---- verifying ----------------------------------------------------------------------------------

struct SignatureVerifier::Claims {
  std::vector<std::string> signatures = {};  // Decoded; undecodable ones are left out.
  std::string timestamp_text = {};           // As it is signed.
  std::optional<Timestamp> timestamp = {};
  std::string id = {};
};

Result<SignatureVerifier> SignatureVerifier::Create(const Crypto& crypto, SignatureScheme scheme,
                                                    const std::vector<Secret>& secrets,
                                                    SignatureVerifierOptions options) {
  UNDERSTUDY_RETURN_IF_ERROR(CheckScheme(scheme));
  UNDERSTUDY_ASSIGN_OR_RETURN(auto keys, DecodeKeys(crypto, scheme, secrets));
  scheme.tolerance_past = options.tolerance_past.value_or(scheme.tolerance_past);
  scheme.tolerance_future = options.tolerance_future.value_or(scheme.tolerance_future);
  UNDERSTUDY_RETURN_IF_ERROR(CheckOptions(scheme, options));
  std::shared_ptr<const CertificateRoots> roots;
  if (scheme.algorithm == SignatureAlgorithm::kRsaSha256 && !options.certificates_pinned) {
    UNDERSTUDY_ASSIGN_OR_RETURN(roots, crypto.ReadRoots(options.certificate_roots));
    options.certificate_roots.clear();
  }
  return SignatureVerifier(crypto, std::move(scheme), std::move(keys), std::move(options),
                           std::move(roots));
}

std::optional<http::Response> SignatureVerifier::AnswerHandshake(const http::Headers& headers,
                                                                 std::string_view body) const {
  return ::understudy::AnswerHandshake(*crypto_, scheme_.handshake, keys_.front(), headers, body);
}

std::optional<http::Response> SignatureVerifier::AnswerParsedHandshake(
    const nlohmann::json& body) const {
  return ::understudy::AnswerParsedHandshake(*crypto_, scheme_.handshake, keys_.front(), body);
}

Result<Verified> SignatureVerifier::Verify(const http::Headers& headers, std::string_view body,
                                           SystemTime now) const {
  return Verify(SignedRequest{.method = {}, .url = {}, .headers = headers, .body = body}, now);
}

Result<Verified> SignatureVerifier::Verify(const SignedRequest& request, SystemTime now) const {
  if (scheme_.needs_url() && request.url.empty()) {
    return Incomplete("scheme " + scheme_.name + " signs the URL: verify with a SignedRequest",
                      "needs-url");
  }
  if (scheme_.needs_method() && request.method.empty()) {
    return Incomplete("scheme " + scheme_.name + " signs the method: verify with a SignedRequest",
                      "needs-method");
  }
  UNDERSTUDY_ASSIGN_OR_RETURN(Claims claims, ReadClaims(request));
  const bool certified = scheme_.algorithm == SignatureAlgorithm::kRsaSha256;
  std::string certificate;
  if (certified) {
    UNDERSTUDY_ASSIGN_OR_RETURN(certificate, FindCertificate(request.headers));
  }
  UNDERSTUDY_ASSIGN_OR_RETURN(const bool matches, AnyMatches(claims, request, certificate));
  if (!matches) {
    return Unverified("no signature matches; check the secret, and that nothing changes the body",
                      "no-match");
  }
  // After the signature, which costs a stranger's request less than a path to a root does.
  if (certified) UNDERSTUDY_RETURN_IF_ERROR(CheckTrust(certificate, now));
  if (!scheme_.timestamp_pointer.empty()) {
    UNDERSTUDY_ASSIGN_OR_RETURN(claims.timestamp, TimestampInBody(scheme_, request.body));
  }
  Verified verified;
  verified.id = std::move(claims.id);
  if (!claims.timestamp) return verified;
  UNDERSTUDY_RETURN_IF_ERROR(CheckAge(scheme_, *claims.timestamp, now));
  verified.timestamp = SystemTime(claims.timestamp->since_epoch);
  return verified;
}

Result<SignatureVerifier::Claims> SignatureVerifier::ReadClaims(
    const SignedRequest& request) const {
  Claims claims;
  UNDERSTUDY_ASSIGN_OR_RETURN(const auto header,
                              SingleHeader(request.headers, scheme_.signature_header));
  UNDERSTUDY_ASSIGN_OR_RETURN(const SignatureTexts texts, SplitSignatures(scheme_, header));
  UNDERSTUDY_RETURN_IF_ERROR(CheckCompanions(scheme_, request));
  for (const std::string_view text : texts.signatures) {
    if (auto bytes = Decode(scheme_.encoding, text)) claims.signatures.push_back(std::move(*bytes));
  }
  if (scheme_.has_timestamp()) {
    claims.timestamp_text = texts.timestamp.value_or("");
    if (!scheme_.timestamp_header.empty()) {
      UNDERSTUDY_ASSIGN_OR_RETURN(claims.timestamp_text,
                                  SingleHeader(request.headers, scheme_.timestamp_header));
    }
    UNDERSTUDY_ASSIGN_OR_RETURN(claims.timestamp,
                                ReadTimestamp(scheme_.timestamp_unit, claims.timestamp_text));
  }
  if (scheme_.has_id()) {
    UNDERSTUDY_ASSIGN_OR_RETURN(const auto id, SingleHeader(request.headers, scheme_.id_header));
    if (id.empty()) return Unverified("the id is empty", "malformed");
    claims.id = id;
  }
  return claims;
}

Result<bool> SignatureVerifier::AnyMatches(const Claims& claims, const SignedRequest& request,
                                           std::string_view certificate) const {
  SignatureParts parts{.method = request.method,
                       .url = request.url,
                       .content_type = request.headers.Get("Content-Type").value_or(""),
                       .timestamp = claims.timestamp_text,
                       .id = claims.id,
                       .secret = {},
                       .body = request.body};
  std::vector<std::string> contents;
  bool any = false;
  for (const Secret& key : keys_) {
    if (contents.empty() || scheme_.Signs("{secret}")) {
      parts.secret = key.Reveal();
      contents = SignatureContents(*crypto_, scheme_, parts);
    }
    if (contents.empty()) {
      return Unverified("the body is neither a form nor covered by bodySHA256", "malformed");
    }
    for (const std::string& content : contents) {
      UNDERSTUDY_ASSIGN_OR_RETURN(const bool same, Matches({.crypto = *crypto_,
                                                            .algorithm = scheme_.algorithm,
                                                            .key = key.Reveal(),
                                                            .certificate = certificate},
                                                           content, claims.signatures));
      // No early exit: the time must not tell which one matched.
      any = any || same;
    }
  }
  return any;
}

Result<std::string> SignatureVerifier::FindCertificate(const http::Headers& headers) const {
  UNDERSTUDY_ASSIGN_OR_RETURN(const auto text,
                              SingleHeader(headers, scheme_.certificate_url_header));
  const auto url = http::Url::Parse(text);
  if (text.size() > kCertificateUrlMax || !url ||
      !IsAllowedCertificateUrl(*url, scheme_.certificate_hosts)) {
    return Unverified("the certificate's URL is not one of the vendor's", "certificate-host");
  }
  auto certificate = options_.certificates->Resolve(*url);
  if (!certificate) {
    return Unverified("the certificate is not available: " + certificate.error().message,
                      "certificate-unavailable");
  }
  return certificate;
}

Result<void> SignatureVerifier::CheckTrust(std::string_view certificate, SystemTime now) const {
  if (options_.certificates_pinned) return {};
  const auto checked = roots_->Check(certificate, scheme_.certificate_name, now);
  if (!checked) return Unverified(checked.error().message, "certificate-untrusted");
  return {};
}

// ---- signing ------------------------------------------------------------------------------------

Result<http::Headers> Sign(const Crypto& crypto, const SignatureScheme& scheme,
                           std::span<const Secret> secrets, const SigningInput& input) {
  UNDERSTUDY_RETURN_IF_ERROR(CheckScheme(scheme));
  UNDERSTUDY_ASSIGN_OR_RETURN(const auto keys, DecodeKeys(crypto, scheme, secrets));
  UNDERSTUDY_RETURN_IF_ERROR(CheckSigningInput(scheme, input));
  const std::string timestamp = TimestampText(scheme, input.timestamp);
  UNDERSTUDY_ASSIGN_OR_RETURN(http::Headers headers, CompanionHeaders(scheme, input, timestamp));
  SignatureParts parts{.method = input.method,
                       .url = input.url,
                       .content_type = headers.Get("Content-Type").value_or(""),
                       .timestamp = timestamp,
                       .id = input.id,
                       .secret = {},
                       .body = input.body};
  std::vector<std::string> signatures;
  signatures.reserve(keys.size());
  for (const Secret& key : keys) {
    parts.secret = key.Reveal();
    const auto contents = SignatureContents(crypto, scheme, parts);
    if (contents.empty()) {
      return InvalidArgument("scheme " + scheme.name +
                             " covers forms only; for another body put bodySHA256=<its SHA-256 in "
                             "hex> into the query of the URL");
    }
    UNDERSTUDY_ASSIGN_OR_RETURN(
        const std::string bytes,
        SignatureBytes(crypto, scheme, key.Reveal(), input, contents.front()));
    signatures.push_back(Encode(scheme.encoding, bytes));
  }
  UNDERSTUDY_RETURN_IF_ERROR(
      headers.Set(scheme.signature_header, SignatureHeader(scheme, timestamp, signatures)));
  return headers;
}

Result<http::Headers> Sign(const Crypto& crypto, const SignatureScheme& scheme,
                           std::span<const Secret> secrets, std::string_view id,
                           SystemTime timestamp, std::string_view body) {
  SigningInput input;
  input.id = id;
  input.timestamp = timestamp;
  input.body = body;
  return Sign(crypto, scheme, secrets, input);
}

Result<http::Headers> Sign(const Crypto& crypto, const SignatureScheme& scheme,
                           const Secret& secret, std::string_view id, SystemTime timestamp,
                           std::string_view body) {
  return Sign(crypto, scheme, std::span<const Secret>(&secret, 1), id, timestamp, body);
}

}  // namespace understudy
