#include "middleware/audit/redaction.h"

#include <algorithm>
#include <array>
#include <utility>

#include "middleware/audit/body_redaction.h"
#include "middleware/audit/secret_text.h"
#include "middleware/base/problems.h"
#include "middleware/base/text.h"
#include "middleware/http/form.h"
#include "middleware/http/trace_context.h"

namespace understudy {
namespace {

constexpr std::size_t kPreviewMax = 65'536;
constexpr std::size_t kNameBytesMax = 64;

constexpr std::array<std::string_view, 44> kHeadersShown = {"accept",
                                                            "accept-encoding",
                                                            "accept-language",
                                                            "age",
                                                            "allow",
                                                            "cache-control",
                                                            "cf-ray",
                                                            "content-encoding",
                                                            "content-language",
                                                            "content-length",
                                                            "content-location",
                                                            "content-type",
                                                            "date",
                                                            "etag",
                                                            "expires",
                                                            "idempotency-key",
                                                            "idempotent-replayed",
                                                            "if-match",
                                                            "if-modified-since",
                                                            "if-none-match",
                                                            "if-unmodified-since",
                                                            "last-modified",
                                                            "location",
                                                            "ratelimit",
                                                            "ratelimit-limit",
                                                            "ratelimit-policy",
                                                            "ratelimit-remaining",
                                                            "ratelimit-reset",
                                                            "request-id",
                                                            "retry-after",
                                                            "server",
                                                            "stripe-should-retry",
                                                            "stripe-version",
                                                            "traceparent",
                                                            "user-agent",
                                                            "vary",
                                                            "via",
                                                            "x-correlation-id",
                                                            "x-github-request-id",
                                                            "x-ratelimit-limit",
                                                            "x-ratelimit-remaining",
                                                            "x-ratelimit-reset",
                                                            "x-request-id",
                                                            "x-should-retry"};

// Identifiers are long and look like keys, but are what one searches for.
constexpr std::array<std::string_view, 9> kIdentifierHeaders = {
    "cf-ray",        "etag",       "idempotency-key",  "if-match",
    "if-none-match", "request-id", "x-correlation-id", "x-github-request-id",
    "x-request-id"};

constexpr std::array<std::string_view, 14> kQueryKeysShown = {
    "api-version", "api_version", "direction", "limit",   "offset", "order",   "page",
    "page_size",   "pagesize",    "per_page",  "perpage", "sort",   "sort_by", "version"};

constexpr std::array<std::string_view, 3> kSecretPaths = {"/services/", "/bot", "/api/webhooks/"};

template <std::size_t kSize>
bool Contains(const std::array<std::string_view, kSize>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

std::string Normalised(std::string_view name) {
  std::string plain;
  for (const char c : AsciiLower(name)) {
    if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z')) plain.push_back(c);
  }
  return plain;
}

std::string DecodedOr(std::string_view text) {
  return http::PercentDecode(text).value_or(std::string(text));
}

void FindNameProblems(std::vector<std::string>& problems, std::string_view list,
                      const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    if (!name.empty() && !IsSecretName(name)) continue;
    problems.push_back(std::string(list) + " has \"" + CleanLine(name, kNameBytesMax) +
                       "\", which is empty or names a credential; it is never shown");
  }
}

bool IsNameCharacter(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
         c == '-' || c == '.';
}

// Where a credential's name ends with ':' or '=', quotes and brackets between them allowed; npos if
// nowhere. What follows it is not for a log.
std::size_t AfterSecretName(std::string_view text) {
  for (std::size_t at = text.find_first_of(":="); at != std::string_view::npos;
       at = text.find_first_of(":=", at + 1)) {
    std::size_t end = at;
    while (end > 0 && (text[end - 1] == '"' || text[end - 1] == '\'' || text[end - 1] == ']' ||
                       text[end - 1] == '\\' || text[end - 1] == ' ')) {
      --end;
    }
    std::size_t begin = end;
    while (begin > 0 && IsNameCharacter(text[begin - 1])) --begin;
    if (begin < end && IsSecretName(text.substr(begin, end - begin))) return at + 1;
  }
  return std::string_view::npos;
}

bool IsScheme(std::string_view word) {
  const std::string lower = AsciiLower(word);
  return lower == "bearer" || lower == "basic" || lower == "digest" || lower == "negotiate";
}

}  // namespace

Redactor::Redactor(RedactionOptions options) : options_(std::move(options)) {
  for (const std::string_view name : kHeadersShown) headers_.emplace(name);
  for (const std::string& name : options_.headers_shown) headers_.insert(AsciiLower(name));
  for (const std::string& name : headers_) header_filter_.set(FilterOf(name));
  for (const std::string_view name : kQueryKeysShown) query_keys_.emplace(name);
  for (const std::string& name : options_.query_keys_shown) query_keys_.insert(AsciiLower(name));
  for (const std::string& name : options_.secret_keys) secret_keys_.push_back(Normalised(name));
  for (const std::string& pointer : options_.secret_pointers) {
    std::vector<std::string> tokens;
    const std::string_view text = pointer;
    for (const std::string_view token : Split(text.substr(text.empty() ? 0 : 1), '/')) {
      tokens.push_back(UnescapePointerToken(token));
    }
    if (pointer.empty()) tokens.clear();
    pointers_.push_back(std::move(tokens));
  }
  options_.secret_path_prefixes.insert(options_.secret_path_prefixes.end(), kSecretPaths.begin(),
                                       kSecretPaths.end());
}

Result<Redactor> Redactor::Create(RedactionOptions options) {
  std::vector<std::string> problems;
  FindNameProblems(problems, "headers_shown", options.headers_shown);
  FindNameProblems(problems, "query_keys_shown", options.query_keys_shown);
  for (const std::string& key : options.secret_keys) {
    if (Normalised(key).empty()) problems.push_back("secret_keys has a name without a letter");
  }
  for (const std::string& pointer : options.secret_pointers) {
    if (!pointer.empty() && pointer.front() != '/')
      problems.push_back("secret_pointers has one that does not start with '/' (RFC 6901)");
  }
  for (const std::string& prefix : options.secret_path_prefixes) {
    if (!prefix.starts_with('/'))
      problems.push_back("secret_path_prefixes has one that does not start with '/'");
  }
  if (options.preview_bytes_max > kPreviewMax) {
    problems.push_back("preview_bytes_max is " + std::to_string(options.preview_bytes_max) +
                       "; it must be at most " + std::to_string(kPreviewMax));
  }
  UNDERSTUDY_RETURN_IF_ERROR(ToResult("redaction options", problems));
  return Redactor(std::move(options));
}

bool Redactor::ShowsHeader(std::string_view name) const {
  return headers_.contains(AsciiLower(name));
}

std::string Redactor::HeaderValue(std::string_view name, std::string_view value) const {
  const std::string lower = AsciiLower(name);
  if (!headers_.contains(lower) || value.size() > kHeaderBytesMax) return std::string(kRedacted);
  if (lower == "location" || lower == "content-location") return Url(value);
  if (lower == "traceparent") {
    return http::TraceContext::Parse(value) ? std::string(value) : std::string(kRedacted);
  }
  const bool identifier = Contains(kIdentifierHeaders, lower);
  if (identifier ? HoldsKnownSecret(value) : LooksSecret(value)) return std::string(kRedacted);
  if (identifier) return CleanLine(value, 200);
  return Message(value);
}

std::string Redactor::Path(std::string_view path) const {
  const std::string decoded = DecodedOr(path);
  for (const std::string& prefix : options_.secret_path_prefixes) {
    if (decoded.starts_with(prefix) && decoded.size() > prefix.size())
      return prefix + std::string(kRedacted);
  }
  std::string shown;
  bool first = true;
  for (const std::string_view segment : Split(path, '/')) {
    // Parameters of a segment (RFC 3986 section 3.3) are as unknown as a query.
    const std::size_t parameters = segment.find(';');
    const std::string plain = DecodedOr(segment.substr(0, parameters));
    const bool secret = LooksSecret(plain) || AfterSecretName(plain) != std::string::npos ||
                        plain.find('@') != std::string::npos;
    if (!std::exchange(first, false)) shown += '/';
    shown +=
        secret ? std::string(kRedacted) : CleanLine(segment.substr(0, parameters), segment.size());
    if (parameters != std::string_view::npos) shown.append(";").append(kRedacted);
  }
  return shown;
}

std::string Redactor::Query(std::string_view query) const {
  constexpr std::size_t kPairsMax = 50;
  std::string shown;
  std::size_t pairs = 0;
  for (const std::string_view piece : Split(query, '&')) {
    if (piece.empty()) continue;
    if (!shown.empty()) shown += '&';
    if (++pairs > kPairsMax) return shown + "...";
    const std::size_t equals = piece.find('=');
    const std::string key = DecodedOr(piece.substr(0, equals));
    const bool named = equals != std::string_view::npos && key.size() <= kNameBytesMax;
    if (!named || LooksSecret(key)) {  // A key alone may be the secret itself.
      shown += kRedacted;
      if (equals != std::string_view::npos) shown.append("=").append(kRedacted);
      continue;
    }
    const std::string value = DecodedOr(piece.substr(equals + 1));
    const bool open = query_keys_.contains(AsciiLower(key)) && value.size() <= kNameBytesMax &&
                      !LooksSecret(value);
    shown.append(CleanLine(http::PercentEncode(key), kNameBytesMax * 3)).append("=");
    shown += open ? http::PercentEncode(CleanLine(value, kNameBytesMax)) : std::string(kRedacted);
  }
  return shown;
}

std::string Redactor::Url(std::string_view url) const {
  if (url.size() > kUrlBytesMax) return std::string(kRedacted);
  url = url.substr(0, url.find('#'));
  std::string shown;
  const std::size_t scheme = url.find("://");
  const bool absolute = scheme != std::string_view::npos && scheme < url.find_first_of("/?") + 1;
  if (absolute) {
    shown = CleanLine(url.substr(0, scheme), kNameBytesMax) + "://";
    url.remove_prefix(scheme + 3);
    std::string_view authority = url.substr(0, url.find_first_of("/?\\"));
    url.remove_prefix(authority.size());
    const std::size_t at = authority.rfind('@');
    if (at != std::string_view::npos) authority.remove_prefix(at + 1);
    if (LooksSecret(authority)) authority = kRedacted;
    shown += CleanLine(authority, 255);
  } else if (!url.starts_with('/') && !url.starts_with('?')) {
    // mailto:, data:, javascript: and relative references with user information alike.
    if (url.find_first_of(":@") != std::string_view::npos) return std::string(kRedacted);
  } else if (url.starts_with("//")) {
    std::string_view authority = url.substr(2, url.find_first_of("/?\\", 2) - 2);
    url.remove_prefix(authority.size() + 2);
    const std::size_t at = authority.rfind('@');
    if (at != std::string_view::npos) authority.remove_prefix(at + 1);
    shown = "//" + (LooksSecret(authority) ? std::string(kRedacted) : CleanLine(authority, 255));
  }
  const std::size_t question = url.find('?');
  const std::string_view path = url.substr(0, question);
  if (!path.empty()) shown += Path(path);
  if (question != std::string_view::npos) shown.append("?").append(Query(url.substr(question + 1)));
  return shown;
}

std::string Redactor::Message(std::string_view text) const {
  std::string shown;
  bool hide_next = false;
  bool cut = false;
  if (text.size() > kHeaderBytesMax * 4) {
    // The word at the cut may be the beginning of a secret.
    text = text.substr(0, kHeaderBytesMax * 4);
    text = text.substr(
        0, text.find_last_of(" \t\n") == std::string_view::npos ? 0 : text.find_last_of(" \t\n"));
  }
  std::string spaced(text);
  std::replace_if(
      spaced.begin(), spaced.end(), [](char c) { return c == '\t' || c == '\r' || c == '\n'; },
      ' ');
  std::size_t unchecked = 0;  // In `shown`, after the last URL.
  for (const std::string_view word : Split(spaced, ' ')) {
    if (!shown.empty()) shown += ' ';
    if (shown.size() > kMessageBytesMax) break;
    if (hide_next && !word.empty()) {
      shown += kRedacted;
      hide_next = false;
      continue;
    }
    const std::size_t scheme = word.find("://");
    if (scheme != std::string_view::npos) {
      std::size_t begin = scheme;
      while (begin > 0 && IsNameCharacter(word[begin - 1])) --begin;
      const std::size_t end =
          std::min(word.find_first_of("\"'<>()[]{},\t\r\n", scheme + 3), word.size());
      const std::string_view before = word.substr(0, begin);
      const std::string_view after = word.substr(end);
      // More than punctuation around it: too unlike a URL in a sentence.
      const bool plain = AfterSecretName(before) == std::string_view::npos && after.size() <= 2 &&
                         !LooksSecret(before);
      if (plain) {
        shown.append(before).append(Url(word.substr(begin, end - begin))).append(after);
      } else {
        shown += kRedacted;
      }
      unchecked = shown.size();
      continue;
    }
    if (IsScheme(word)) hide_next = true;
    // The word before counts as well: `token : abc`.
    const std::size_t before = shown.size();
    shown.append(word);
    const std::size_t secret = AfterSecretName(std::string_view(shown).substr(unchecked));
    if (secret != std::string_view::npos) {
      shown.resize(unchecked + secret);
      cut = true;
      break;
    }
    if (LooksSecret(word)) {
      shown.resize(before);
      shown += kRedacted;
    }
  }
  // A number that spaces divide is not seen word by word.
  if (HoldsKnownSecret(shown)) return std::string(kRedacted);
  if (cut) shown.append(kRedacted);
  return CleanLine(shown, kMessageBytesMax);
}

bool Redactor::HidesKey(std::string_view name) const {
  if (IsSecretName(name)) return true;
  if (secret_keys_.empty()) return false;
  return std::find(secret_keys_.begin(), secret_keys_.end(), Normalised(name)) !=
         secret_keys_.end();
}

bool Redactor::HidesPath(const std::vector<std::string>& path) const {
  return std::any_of(pointers_.begin(), pointers_.end(), [&](const auto& pointer) {
    return std::equal(pointer.begin(), pointer.end(), path.begin(), path.end(),
                      [](const std::string& pattern, const std::string& token) {
                        return pattern == "*" || pattern == token;
                      });
  });
}

std::string Redactor::Value(std::string_view value, int nesting) const {
  const std::string_view trimmed = TrimOws(value);
  if (trimmed.starts_with('{') || trimmed.starts_with('[')) {
    if (nesting > 0) return std::string(kRedacted);
    BodyPreview nested = RedactJson(*this, trimmed, true, nesting + 1);
    if (!nested.hidden.empty() || nested.truncated) return std::string(kRedacted);
    return std::move(nested.text);
  }
  if (trimmed.find("://") != std::string_view::npos && trimmed.find(' ') == std::string_view::npos)
    return LooksSecret(trimmed.substr(0, trimmed.find("://"))) ? std::string(kRedacted)
                                                               : Url(trimmed);
  if (LooksSecret(value)) return std::string(kRedacted);
  return Message(value);
}

BodyPreview Redactor::Body(std::string_view content_type, std::string_view bytes,
                           bool complete) const {
  if (bytes.empty() || options_.preview_bytes_max == 0) return {};
  const std::string type = AsciiLower(TrimOws(content_type.substr(0, content_type.find(';'))));
  const bool json = type == "application/json" || type == "text/json" ||
                    (type.starts_with("application/") && type.ends_with("+json"));
  if (json) return RedactJson(*this, bytes, complete, 0);
  if (type == "application/x-www-form-urlencoded") return RedactForm(*this, bytes, complete);
  return {.hidden = "type"};
}

}  // namespace understudy
