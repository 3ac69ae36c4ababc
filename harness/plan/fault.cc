#include "harness/plan/fault.h"

#include <array>
#include <string>
#include <utility>

namespace understudy::harness {
namespace {

constexpr std::array<std::pair<FaultKind, std::string_view>, 14> kNames = {{
    {FaultKind::kReset, "reset"},
    {FaultKind::kResetMidBody, "reset-mid-body"},
    {FaultKind::kHang, "hang"},
    {FaultKind::kTruncate, "truncate"},
    {FaultKind::kBadGzip, "bad-gzip"},
    {FaultKind::kSlowDrip, "slow-drip"},
    {FaultKind::kRefuse, "refuse"},
    {FaultKind::kDnsFail, "dns-fail"},
    {FaultKind::kClose, "close"},
    {FaultKind::kMalformedChunk, "malformed-chunk"},
    {FaultKind::kGarbage, "garbage"},
    {FaultKind::kBandwidth, "bandwidth"},
    {FaultKind::kEarlyResponse, "early-response"},
    {FaultKind::kStaleKeepAlive, "stale-keep-alive"},
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

Result<void> CheckFault(FaultKind kind, const FaultDetail& detail) {
  const auto bad = [kind](const std::string& why) {
    return InvalidArgument("fault " + std::string(ToString(kind)) + ": " + why);
  };
  if (kind == FaultKind::kBandwidth &&
      (detail.bytes_per_second == 0 || detail.bytes_per_second > kBytesPerSecondMax)) {
    return bad("bytes_per_second must be in 1.." + std::to_string(kBytesPerSecondMax));
  }
  if (detail.drip.piece_bytes == 0) return bad("piece_bytes must be at least 1");
  if (detail.drip.pause < Duration::zero()) return bad("the pause must not be negative");
  if (detail.chunk_bytes == 0) return bad("chunk_bytes must be at least 1");
  if (detail.bad_chunk == 0 || detail.at.chunk == 0) return bad("chunks are counted from 1");
  if (!(detail.at.fraction >= 0 && detail.at.fraction <= 1)) {
    return bad("a fraction of the body is in 0..1");
  }
  if (detail.at.in == AnswerPoint::In::kChunk && detail.framing != FaultDetail::Framing::kChunked) {
    return bad("a point in a chunk needs chunked framing");
  }
  if (kind == FaultKind::kGarbage &&
      (detail.garbage_bytes == 0 || detail.garbage_bytes > kGarbageBytesMax)) {
    return bad("bytes must be in 1.." + std::to_string(kGarbageBytesMax));
  }
  if (kind == FaultKind::kStaleKeepAlive && detail.then == FaultDetail::Then::kKeep) {
    return bad("a connection that is kept is not stale; use close or reset");
  }
  return {};
}

}  // namespace understudy::harness
