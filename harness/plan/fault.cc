#include "harness/plan/fault.h"

#include <array>
#include <utility>

namespace understudy::harness {
namespace {

constexpr std::array<std::pair<FaultKind, std::string_view>, 8> kNames = {{
    {FaultKind::kReset, "reset"},
    {FaultKind::kResetMidBody, "reset-mid-body"},
    {FaultKind::kHang, "hang"},
    {FaultKind::kTruncate, "truncate"},
    {FaultKind::kBadGzip, "bad-gzip"},
    {FaultKind::kSlowDrip, "slow-drip"},
    {FaultKind::kRefuse, "refuse"},
    {FaultKind::kDnsFail, "dns-fail"},
}};

}  // namespace

std::string_view ToString(FaultKind kind) {
  for (const auto& [value, name] : kNames) {
    if (value == kind) return name;
  }
  return "unknown";
}

std::optional<FaultKind> ParseFaultKind(std::string_view text) {
  for (const auto& [value, name] : kNames) {
    if (name == text) return value;
  }
  return std::nullopt;
}

}  // namespace understudy::harness
