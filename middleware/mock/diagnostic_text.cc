#include "middleware/mock/diagnostic_text.h"

#include <algorithm>
#include <array>

#include <nlohmann/json.hpp>

#include "middleware/base/text.h"

namespace understudy::internal {
namespace {

using nlohmann::json;

constexpr std::size_t kShownBytesMax = 100;
constexpr std::size_t kJsonBytesMax = std::size_t{16} * 1024 * 1024;
constexpr int kJsonDepthMax = 100;
constexpr std::string_view kHidden = "(hidden)";

std::string Compact(const json& value) {
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

json WithoutSecrets(const json& value) {
  if (value.is_array()) {
    json copy = json::array();
    for (const json& element : value) copy.push_back(WithoutSecrets(element));
    return copy;
  }
  if (!value.is_object()) return value;
  json copy = json::object();
  for (const auto& [name, member] : value.items()) {
    copy[name] = IsSensitiveName(name) ? json(kHidden) : WithoutSecrets(member);
  }
  return copy;
}

// Counts brackets outside strings; right for well-formed JSON, and the parser refuses the rest.
bool NestsTooDeep(std::string_view text) {
  int depth = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') ++i;
      if (c == '"') in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '[' || c == '{') {
      if (++depth > kJsonDepthMax) return true;
    } else if (c == ']' || c == '}') {
      --depth;
    }
  }
  return false;
}

}  // namespace

std::string Shortened(std::string_view text) {
  if (text.size() <= kShownBytesMax) return std::string(text);
  std::size_t end = kShownBytesMax;
  const auto continues = [&](std::size_t at) {
    return (static_cast<unsigned char>(text[at]) & 0xC0U) == 0x80U;
  };
  while (end > kShownBytesMax - 4 && continues(end)) --end;
  return std::string(text.substr(0, end)) + "...";
}

std::string Quoted(std::string_view text) { return Compact(json(Shortened(text))); }

bool IsSensitiveName(std::string_view name) {
  constexpr std::array<std::string_view, 20> kSigns = {
      "authorization", "cookie",  "token",  "secret",     "password", "passwd", "passphrase",
      "api-key",       "api_key", "apikey", "signature",  "private",  "card",   "credential",
      "cvc",           "cvv",     "iban",   "account_nu", "ssn",      "session"};
  const std::string lower = AsciiLower(name);
  return lower == "key" || lower.ends_with("/key") ||
         std::any_of(kSigns.begin(), kSigns.end(),
                     [&](std::string_view sign) { return lower.find(sign) != std::string::npos; });
}

std::string Shown(std::string_view name, std::string_view value) {
  return IsSensitiveName(name) ? std::string(kHidden) : Quoted(value);
}

std::string ShownJson(std::string_view name, const json& value) {
  if (IsSensitiveName(name)) return std::string(kHidden);
  if (value.is_object()) return "an object with " + std::to_string(value.size()) + " members";
  if (value.is_array()) return "an array of " + std::to_string(value.size());
  return Shortened(Compact(value));
}

std::string Redacted(const json& value) { return Shortened(Compact(WithoutSecrets(value))); }

std::optional<json> ParseBoundedJson(std::string_view text) {
  if (text.size() > kJsonBytesMax || NestsTooDeep(text)) return std::nullopt;
  json parsed = json::parse(text, nullptr, false);
  if (parsed.is_discarded()) return std::nullopt;
  return parsed;
}

bool IsBoundedJson(std::string_view text) { return ParseBoundedJson(text).has_value(); }

}  // namespace understudy::internal
