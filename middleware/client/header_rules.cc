#include "middleware/client/header_rules.h"

#include <algorithm>
#include <array>
#include <span>

#include "middleware/base/text.h"

namespace understudy {
namespace {

constexpr std::array<std::string_view, 9> kFraming = {
    "Host",       "Content-Length", "Transfer-Encoding",
    "Connection", "Keep-Alive",     "Proxy-Connection",
    "TE",         "Trailer",        "Upgrade"};

constexpr std::array<std::string_view, 8> kCredentials = {
    "Authorization", "Proxy-Authorization", "Cookie",        "X-Api-Key",
    "Api-Key",       "X-Auth-Token",        "Private-Token", "X-Shopify-Access-Token"};

bool IsOneOf(std::string_view name, std::span<const std::string_view> names) {
  return std::any_of(names.begin(), names.end(), [&](std::string_view candidate) {
    return EqualsIgnoreAsciiCase(name, candidate);
  });
}

}  // namespace

std::string_view WhyNotFromCaller(std::string_view name) {
  if (IsOneOf(name, kFraming)) return "is set by the transport";
  return EqualsIgnoreAsciiCase(name, "Content-Type") ? "comes with the body" : "";
}

bool IsCredentialHeader(std::string_view name) { return IsOneOf(name, kCredentials); }

bool IsLoopbackHost(std::string_view host) {
  if (host == "localhost" || host.ends_with(".localhost") || host == "[::1]") return true;
  const auto parts = Split(host, '.');
  return parts.size() == 4 && parts[0] == "127" &&
         std::all_of(parts.begin(), parts.end(), [](std::string_view part) {
           const auto number = ParseUnsigned(part);
           return number && *number <= 255;
         });
}

}  // namespace understudy
