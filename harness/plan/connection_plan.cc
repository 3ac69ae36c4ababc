#include "harness/plan/connection_plan.h"

#include <array>
#include <utility>

namespace understudy::harness {
namespace {

constexpr std::array<std::pair<ConnectionFault, std::string_view>, 11> kNames = {{
    {ConnectionFault::kReset, "reset"},
    {ConnectionFault::kClose, "close"},
    {ConnectionFault::kSilence, "silence"},
    {ConnectionFault::kTlsExpired, "tls-expired"},
    {ConnectionFault::kTlsNotYetValid, "tls-not-yet-valid"},
    {ConnectionFault::kTlsWrongHost, "tls-wrong-host"},
    {ConnectionFault::kTlsUnknownCa, "tls-unknown-ca"},
    {ConnectionFault::kTlsAlert, "tls-alert"},
    {ConnectionFault::kTlsStall, "tls-stall"},
    {ConnectionFault::kTlsReset, "tls-reset"},
    {ConnectionFault::kTlsNoCloseNotify, "tls-no-close-notify"},
}};

}  // namespace

std::string_view ToString(ConnectionFault fault) {
  for (const auto& [value, name] : kNames) {
    if (value == fault) return name;
  }
  return "unknown";
}

std::optional<ConnectionFault> ParseConnectionFault(std::string_view text) {
  for (const auto& [value, name] : kNames) {
    if (name == text) return value;
  }
  return std::nullopt;
}

}  // namespace understudy::harness
