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

}  // namespace understudy
