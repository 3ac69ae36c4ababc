// Fault: what goes wrong with one exchange, in the vocabulary of the scenario format.
//
// A kind says what happens; a FaultDetail says where in the answer, how it is framed and how it
// ends. Without a detail each kind means what stands beside it.
//
//   ResponsePlan plan{.response = answer, .fault = FaultKind::kReset};
//   plan.fault_detail.at = AnswerPoint::BodyByte(100);    // RST after 100 bytes of the body
//
// What libcurl sees of each is in docs/faults.md.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "middleware/base/result.h"
#include "middleware/base/time.h"

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
  kClose,     // FIN instead of an answer, after the request was read.
  kMalformedChunk,  // A chunked answer with a chunk whose size is no number; then FIN.
  kGarbage,         // Bytes that are no HTTP instead of an answer; then FIN.
  kBandwidth,       // The body arrives at so many bytes per second.
  kEarlyResponse,   // The answer comes when the head has arrived, while the body is still coming.
  kStaleKeepAlive,  // A complete answer with keep-alive; the next request meets an RST.
};

std::string_view ToString(FaultKind kind);                       // "reset-mid-body", ...
std::optional<FaultKind> ParseFaultKind(std::string_view text);  // The inverse.

// True for faults that happen before a connection exists. The client's side of the network decides
// them (PlannedHandler::OnConnect), because the vendor never sees the request.
constexpr bool IsConnectFault(FaultKind kind) {
  return kind == FaultKind::kRefuse || kind == FaultKind::kDnsFail;
}

// How much of an answer is sent before a kReset, kClose or kHang.
//
// A point beyond the body is just before its end, so that a fault always shows: with a
// Content-Length the last byte is missing, chunked the last chunk. Where there is no body (HEAD,
// 204, 304) a point in the body is the middle of the head; where the body is empty, a
// Content-Length promises one byte. A point beyond the head is its end.
struct AnswerPoint {
  enum class In {
    kDefault,       // What the kind says.
    kBefore,        // Nothing.
    kStatusLine,    // Half of the status line.
    kHeaders,       // The status line and half of the header fields.
    kHeadByte,      // `bytes` of status line and header fields, their empty line included.
    kBodyByte,      // The head and `bytes` of the body; chunked: of its data.
    kBodyFraction,  // The head and `fraction` of the body, rounded down to a byte.
    kChunk,         // Chunked: `bytes` of the data of the `chunk`-th chunk, counted from 1.
    kEnd,           // Everything.
  };

  In in = In::kDefault;
  std::uint64_t bytes = 0;
  double fraction = 0.5;
  std::uint64_t chunk = 1;

  static constexpr AnswerPoint Of(In in) { return {.in = in}; }
  static constexpr AnswerPoint HeadByte(std::uint64_t n) {
    return {.in = In::kHeadByte, .bytes = n};
  }
  static constexpr AnswerPoint BodyByte(std::uint64_t n) {
    return {.in = In::kBodyByte, .bytes = n};
  }
  static constexpr AnswerPoint Fraction(double f) {
    return {.in = In::kBodyFraction, .fraction = f};
  }
  static constexpr AnswerPoint InChunk(std::uint64_t chunk, std::uint64_t n) {
    return {.in = In::kChunk, .bytes = n, .chunk = chunk};
  }
};

// How a slow body arrives: `piece_bytes` every `pause`, the first at once.
struct Drip {
  std::size_t piece_bytes = 16;
  Duration pause = std::chrono::milliseconds(100);
};

struct FaultDetail {
  enum class Framing { kLength, kChunked };
  // What becomes of the connection.
  enum class Then {
    kDefault,  // kEarlyResponse: kClose. kStaleKeepAlive: kReset.
    kClose,    // FIN.
    kReset,    // RST.
    kKeep,     // kEarlyResponse only: the rest of the body is read, and the next request served.
  };

  AnswerPoint at = {};                 // kReset, kClose, kHang.
  Framing framing = Framing::kLength;  // kReset, kResetMidBody, kClose, kTruncate, kHang.
  std::size_t chunk_bytes = 16;        // Of data per chunk; the last one may be smaller.
  std::uint64_t bad_chunk = 2;         // kMalformedChunk: which one, from 1; or the last + 1.
  std::size_t garbage_bytes = 64;      // kGarbage.
  std::uint64_t bytes_per_second = 0;  // kBandwidth.
  Then then = Then::kDefault;
  Drip drip = {};  // kSlowDrip.
};

inline constexpr std::size_t kGarbageBytesMax = std::size_t{1024} * 1024;
inline constexpr std::uint64_t kBytesPerSecondMax = 1'000'000'000;

// kInvalidArgument, saying which, for a detail that its kind cannot carry out: no bandwidth (or
// more than kBytesPerSecondMax), empty
// pieces or chunks, a negative pause, a fraction outside 0..1, a chunk where nothing is chunked,
// more than kGarbageBytesMax bytes of garbage.
Result<void> CheckFault(FaultKind kind, const FaultDetail& detail);

}  // namespace understudy::harness
