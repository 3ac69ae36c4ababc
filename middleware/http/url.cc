#include "middleware/http/url.h"

#include <algorithm>
#include <vector>

#include "middleware/base/text.h"
#include "middleware/http/form.h"

namespace understudy::http {
namespace {

constexpr std::uint16_t kHttpPort = 80;
constexpr std::uint16_t kHttpsPort = 443;

std::uint16_t DefaultPort(std::string_view scheme) {
  return scheme == "https" ? kHttpsPort : kHttpPort;
}

Error BadUrl(std::string_view text, std::string_view why) {
  return InvalidArgument("URL \"" + std::string(text.substr(0, 200)) + "\": " + std::string(why));
}

bool HasForbiddenCharacter(std::string_view text) {
  return std::any_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte <= 0x20 || byte == 0x7f || c == '\\' || c == '"' || c == '<' || c == '>';
  });
}

// RFC 3986 5.2.4.
std::string RemoveDotSegments(std::string_view path) {
  std::vector<std::string_view> kept;
  const auto segments = Split(path.substr(1), '/');
  for (std::size_t i = 0; i < segments.size(); ++i) {
    const bool last = i + 1 == segments.size();
    if (segments[i] == "." || segments[i] == "..") {
      if (segments[i] == ".." && !kept.empty()) kept.pop_back();
      if (last) kept.emplace_back("");
    } else {
      kept.push_back(segments[i]);
    }
  }
  std::string result;
  for (const std::string_view segment : kept) result.append("/").append(segment);
  return result.empty() ? "/" : result;
}

struct Authority {
  std::string host;
  std::uint16_t port = 0;
};

Result<Authority> ParseAuthority(std::string_view text, std::string_view authority,
                                 std::string_view scheme) {
  if (authority.find('@') != std::string_view::npos) {
    return BadUrl("(hidden)", "user information is not allowed; use an auth strategy");
  }
  const std::size_t bracket = authority.rfind(']');
  const std::size_t colon = authority.find(':', bracket == std::string_view::npos ? 0 : bracket);
  Authority parsed{.host = AsciiLower(authority.substr(0, colon)), .port = DefaultPort(scheme)};
  if (parsed.host.empty()) return BadUrl(text, "the host is missing");
  if (parsed.host.front() == '[' && parsed.host.back() != ']')
    return BadUrl(text, "the IPv6 address is not closed");
  if (colon != std::string_view::npos && colon + 1 < authority.size()) {
    const auto port = ParseUnsigned(authority.substr(colon + 1));
    if (!port || *port == 0 || *port > 65535) return BadUrl(text, "the port must be in 1..65535");
    parsed.port = static_cast<std::uint16_t>(*port);
  }
  return parsed;
}

}  // namespace

Result<Url> Url::Parse(std::string_view text) {
  if (HasForbiddenCharacter(text)) {
    return BadUrl("(hidden)", "spaces, quotes and control characters must be percent-encoded");
  }
  const std::size_t scheme_end = text.find("://");
  if (scheme_end == std::string_view::npos)
    return BadUrl(text, "expected http://host/path or https://host/path");
  Url url;
  url.scheme_ = AsciiLower(text.substr(0, scheme_end));
  if (url.scheme_ != "http" && url.scheme_ != "https")
    return BadUrl(text, "only http and https are supported");
  std::string_view rest = text.substr(scheme_end + 3);
  rest = rest.substr(0, rest.find('#'));
  const std::size_t authority_end = std::min(rest.find_first_of("/?"), rest.size());
  UNDERSTUDY_ASSIGN_OR_RETURN(Authority authority,
                              ParseAuthority(text, rest.substr(0, authority_end), url.scheme_));
  url.host_ = std::move(authority.host);
  url.port_ = authority.port;
  const std::string_view target = rest.substr(authority_end);
  const std::size_t question = target.find('?');
  const std::string_view path = target.substr(0, question);
  url.path_ = path.empty() ? "/" : std::string(path);
  url.has_query_ = question != std::string_view::npos;
  if (url.has_query_) url.query_ = target.substr(question + 1);
  return url;
}

Result<Url> Url::Resolve(std::string_view reference) const {
  if (host_.empty()) return InvalidArgument("cannot resolve against an empty URL");
  if (reference.find("://") != std::string_view::npos &&
      reference.find("://") < std::min(reference.find_first_of("/?#"), reference.size()) + 1) {
    return Parse(reference);
  }
  if (reference.starts_with("//")) return Parse(scheme_ + ":" + std::string(reference));
  if (HasForbiddenCharacter(reference))
    return BadUrl("(hidden)", "the reference must be percent-encoded");
  reference = reference.substr(0, reference.find('#'));
  Url resolved = *this;
  const std::size_t question = reference.find('?');
  const std::string_view path = reference.substr(0, question);
  if (path.empty()) {
    if (question == std::string_view::npos) return resolved;
  } else if (path.front() == '/') {
    resolved.path_ = RemoveDotSegments(path);
  } else {
    resolved.path_ = RemoveDotSegments(path_.substr(0, path_.rfind('/') + 1).append(path));
  }
  resolved.has_query_ = question != std::string_view::npos;
  resolved.query_ =
      resolved.has_query_ ? std::string(reference.substr(question + 1)) : std::string();
  return resolved;
}

bool Url::IsLoopback() const {
  if (host_ == "localhost" || host_.ends_with(".localhost") || host_ == "[::1]") return true;
  const auto parts = Split(host_, '.');
  return parts.size() == 4 && parts[0] == "127" &&
         std::all_of(parts.begin(), parts.end(), [](std::string_view part) {
           const auto number = ParseUnsigned(part);
           return number && *number <= 255;
         });
}

bool Url::HasOriginOf(const Url& other) const {
  return port_ == other.port_ && scheme_ == other.scheme_ && host_ == other.host_;
}

void Url::AppendOriginTo(std::string& text) const {
  text.append(scheme_).append("://").append(host_);
  if (port_ != DefaultPort(scheme_)) text.append(":").append(std::to_string(port_));
}

std::string Url::origin() const {
  std::string text;
  AppendOriginTo(text);
  return text;
}

std::string Url::target() const {
  std::string text = path_;
  if (has_query_) text.append("?").append(query_);
  return text;
}

void Url::AppendTo(std::string& text) const {
  constexpr std::size_t kSignsMax = 16;  // "://", ":65535", "?"
  text.reserve(text.size() + scheme_.size() + host_.size() + path_.size() + query_.size() +
               kSignsMax);
  AppendOriginTo(text);
  text.append(path_);
  if (has_query_) text.append("?").append(query_);
}

std::string Url::ToString() const {
  std::string text;
  AppendTo(text);
  return text;
}

void Url::AddQuery(std::string_view name, std::string_view value) {
  if (!query_.empty()) query_.push_back('&');
  query_.append(PercentEncode(name)).append("=").append(PercentEncode(value));
  has_query_ = true;
}

}  // namespace understudy::http
