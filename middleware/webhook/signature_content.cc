#include "middleware/webhook/signature_content.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "middleware/base/secret.h"
#include "middleware/base/text.h"
#include "middleware/http/form.h"

namespace understudy {
namespace {

constexpr std::size_t kParametersMax = 10'000;
constexpr std::string_view kBodyHashParameter = "bodySHA256";

void AddOnce(std::vector<std::string>& texts, std::string text) {
  if (std::find(texts.begin(), texts.end(), text) == texts.end()) texts.push_back(std::move(text));
}

// ---- the URL ------------------------------------------------------------------------------------

struct UrlPieces {
  std::string_view scheme;     // "https", or whatever stands there
  std::string_view authority;  // without the port
  std::string_view port;       // without the colon; may be empty
  std::string_view path;
  std::string_view query;     // with "?"; may be empty
  std::string_view fragment;  // with "#"; may be empty
};

// By the delimiters alone: what was signed is text, also where it is no URL by the rules.
std::optional<UrlPieces> SplitUrl(std::string_view url) {
  UrlPieces pieces;
  const std::size_t scheme_end = url.find("://");
  if (scheme_end == std::string_view::npos) return std::nullopt;
  pieces.scheme = url.substr(0, scheme_end);
  url.remove_prefix(scheme_end + 3);
  if (const std::size_t hash = url.find('#'); hash != std::string_view::npos) {
    pieces.fragment = url.substr(hash);
    url = url.substr(0, hash);
  }
  if (const std::size_t question = url.find('?'); question != std::string_view::npos) {
    pieces.query = url.substr(question);
    url = url.substr(0, question);
  }
  const std::size_t slash = std::min(url.find('/'), url.size());
  pieces.path = url.substr(slash);
  pieces.authority = url.substr(0, slash);
  // Behind the user information and an IPv6 address.
  const std::size_t host = pieces.authority.find_last_of("@]");
  const std::size_t colon =
      pieces.authority.find(':', host == std::string_view::npos ? 0 : host + 1);
  if (colon != std::string_view::npos) {
    pieces.port = pieces.authority.substr(colon + 1);
    pieces.authority = pieces.authority.substr(0, colon);
  }
  return pieces;
}

// The query as the WHATWG URL standard writes it (special-query percent-encode set).
std::string WhatwgQuery(std::string_view query) {
  std::string encoded;
  for (const char c : query) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain = byte > 0x20 && byte < 0x7f && c != '"' && c != '<' && c != '>' && c != '\'';
    encoded.append(plain ? std::string(1, c) : http::PercentEncode(std::string_view(&c, 1)));
  }
  return encoded;
}

std::vector<std::string> TwilioSpellings(std::string_view url) {
  const auto pieces = SplitUrl(url);
  if (!pieces) return {std::string(url)};
  std::string port(pieces->port);
  if (port.empty() && pieces->scheme == "https") port = "443";
  if (port.empty() && pieces->scheme == "http") port = "80";
  std::vector<std::string> spellings;
  const auto add = [&](bool with_port, const std::string& query, bool with_fragment) {
    std::string text(pieces->scheme);
    text.append("://").append(pieces->authority);
    if (with_port && !port.empty()) text.append(":").append(port);
    std::string rest = query;
    if (with_fragment) rest.append(pieces->fragment);
    AddOnce(spellings, text + std::string(pieces->path) + rest);
    if (pieces->path.empty()) AddOnce(spellings, text + "/" + rest);
  };
  const std::string query(pieces->query);
  for (const bool with_fragment : {false, true}) {
    for (const bool with_port : {false, true}) {
      add(with_port, query, with_fragment);
      add(with_port, WhatwgQuery(query), with_fragment);
    }
  }
  return spellings;
}

std::string HubSpotDecoded(std::string_view url) {
  constexpr std::string_view kDecoded = ":/?@!$'()*,;";
  std::string decoded;
  for (std::size_t i = 0; i < url.size(); ++i) {
    if (url[i] == '%') {
      const auto byte = HexDecode(url.substr(i + 1, 2));
      if (byte && byte->size() == 1 && kDecoded.find(byte->front()) != std::string_view::npos) {
        decoded.append(*byte);
        i += 2;
        continue;
      }
    }
    decoded.push_back(url[i]);
  }
  return decoded;
}

// ---- Twilio's parameters ------------------------------------------------------------------------

bool IsForm(std::string_view content_type) {
  const std::string_view type = TrimOws(content_type.substr(0, content_type.find(';')));
  return type.empty() || EqualsIgnoreAsciiCase(type, "application/x-www-form-urlencoded");
}

// Does the query say what the body's hash is, and is that right? Of several, none counts.
bool HashedByUrl(const Crypto& crypto, std::string_view url, std::string_view body) {
  const auto pieces = SplitUrl(url);
  if (!pieces || pieces->query.empty()) return false;
  std::optional<std::string_view> claimed;
  for (const std::string_view pair : Split(pieces->query.substr(1), '&')) {
    if (pair.substr(0, pair.find('=')) != kBodyHashParameter) continue;
    if (claimed || pair.size() == kBodyHashParameter.size()) return false;
    claimed = pair.substr(kBodyHashParameter.size() + 1);
  }
  if (!claimed) return false;
  const auto hash = HexDecode(*claimed);
  return hash && ConstantTimeEquals(*hash, crypto.Sha256(body));
}

std::optional<std::string> JoinedParameters(std::string_view body) {
  if (static_cast<std::size_t>(std::count(body.begin(), body.end(), '&')) >= kParametersMax) {
    return std::nullopt;
  }
  http::FormPairs pairs = http::ParseForm(body);
  std::sort(pairs.begin(), pairs.end());
  pairs.erase(std::unique(pairs.begin(), pairs.end()), pairs.end());
  std::string joined;
  for (const auto& [name, value] : pairs) joined.append(name).append(value);
  return joined;
}

std::vector<std::string> ParameterTexts(const Crypto& crypto, const SignatureParts& parts) {
  std::vector<std::string> texts;
  if (parts.body.empty() || HashedByUrl(crypto, parts.url, parts.body)) texts.emplace_back();
  if (!parts.body.empty() && IsForm(parts.content_type)) {
    if (auto joined = JoinedParameters(parts.body)) AddOnce(texts, *std::move(joined));
  }
  return texts;
}

// ---- the pattern --------------------------------------------------------------------------------

using Value = std::pair<std::string_view, std::string_view>;

// Values are not expanded again.
std::string Expand(std::string_view pattern, const std::vector<Value>& values) {
  std::size_t size = pattern.size();
  for (const Value& value : values) size += value.second.size();
  std::string text;
  text.reserve(size);
  while (!pattern.empty()) {
    const auto found = std::find_if(values.begin(), values.end(), [&](const Value& value) {
      return pattern.starts_with(value.first);
    });
    if (found != values.end()) {
      text.append(found->second);
      pattern.remove_prefix(found->first.size());
    } else {
      text.push_back(pattern.front());
      pattern.remove_prefix(1);
    }
  }
  return text;
}

}  // namespace

std::vector<std::string> UrlSpellings(UrlForms forms, std::string_view url) {
  switch (forms) {
    case UrlForms::kTwilio:
      return TwilioSpellings(url);
    case UrlForms::kHubSpot: {
      std::vector<std::string> spellings = {std::string(url)};
      AddOnce(spellings, HubSpotDecoded(url));
      return spellings;
    }
    case UrlForms::kExact:
      break;
  }
  return {std::string(url)};
}

std::vector<std::string> SignatureContents(const Crypto& crypto, const SignatureScheme& scheme,
                                           const SignatureParts& parts) {
  const std::vector<std::string> urls =
      scheme.needs_url() ? UrlSpellings(scheme.url_forms, parts.url) : std::vector<std::string>{{}};
  const std::vector<std::string> parameters =
      scheme.Signs("{params}") ? ParameterTexts(crypto, parts) : std::vector<std::string>{{}};
  const std::string checksum =
      scheme.Signs("{crc32}") ? std::to_string(Crc32(parts.body)) : std::string();
  std::vector<std::string> contents;
  for (const std::string& url : urls) {
    for (const std::string& params : parameters) {
      AddOnce(contents, Expand(scheme.content, {{"{t}", parts.timestamp},
                                                {"{id}", parts.id},
                                                {"{body}", parts.body},
                                                {"{method}", parts.method},
                                                {"{url}", url},
                                                {"{params}", params},
                                                {"{secret}", parts.secret},
                                                {"{crc32}", checksum}}));
    }
  }
  return contents;
}

std::uint32_t Crc32(std::string_view bytes) {
  static constexpr auto kTable = [] {
    std::array<std::uint32_t, 256> table = {};
    for (std::uint32_t i = 0; i < table.size(); ++i) {
      std::uint32_t value = i;
      for (int bit = 0; bit < 8; ++bit) value = value >> 1U ^ (value & 1U ? 0xedb88320U : 0U);
      table[i] = value;
    }
    return table;
  }();
  std::uint32_t crc = 0xffffffffU;
  for (const char c : bytes) crc = crc >> 8U ^ kTable[(crc ^ static_cast<unsigned char>(c)) & 255U];
  return crc ^ 0xffffffffU;
}

}  // namespace understudy
