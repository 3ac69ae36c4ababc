// Fault: what goes wrong with one exchange, in the vocabulary of the scenario format.
#pragma once

#include <optional>
#include <string_view>

namespace understudy::harness {

enum class FaultKind {
  kReset,         // RST instead of an answer, after the request was read.
  kResetMidBody,  // RST after the headers and half of the body.
  kHang,          // The request is read and never answered.
  kTruncate,  // Clean close after the headers and half of the body; Content-Length promises all of
              // it.
  kBadGzip,   // Content-Encoding: gzip over bytes that are not gzip.
  kSlowDrip,  // The body arrives in small pieces with pauses.
  kRefuse,    // The connection is refused: not one byte is sent.
  kDnsFail,   // The name does not resolve: not one byte is sent.
};

std::string_view ToString(FaultKind kind);                       // "reset-mid-body", ...
std::optional<FaultKind> ParseFaultKind(std::string_view text);  // The inverse.

// True for faults that happen before a connection exists. The client's side of the network decides
// them (PlannedHandler::OnConnect), because the vendor never sees the request.
constexpr bool IsConnectFault(FaultKind kind) {
  return kind == FaultKind::kRefuse || kind == FaultKind::kDnsFail;
}

}  // namespace understudy::harness
