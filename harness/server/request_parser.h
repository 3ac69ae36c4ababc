// The syntax of HTTP/1.1 requests (RFC 9112), strictly: what two parsers could read differently is
// refused, because that is how requests are smuggled (sections 6.3 and 11.2).
//
// Pure functions over bytes; total over any input.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "middleware/http/request.h"

namespace understudy::harness {

struct RequestLimits {
  std::size_t head_bytes_max =
      std::size_t{64} * 1024;  // request line and header fields; also the trailer section
  std::size_t headers_max = 256;
  std::size_t body_bytes_max = std::size_t{16} * 1024 * 1024;
};

// Why a request is answered by the server itself; the connection is closed after it.
struct Refusal {
  int status = 400;
  std::string reason = {};
};

struct RequestHead {
  http::Request request = {};        // The body is still empty.
  std::uint64_t content_length = 0;  // 0 if there is none or the body is chunked.
  bool chunked = false;
  bool keep_alive = true;
  bool expects_continue = false;  // Expect: 100-continue
};

// Finds the end of a head in a growing buffer.
class HeadScanner {
 public:
  enum class Status { kIncomplete, kComplete, kMalformed };

  // `bytes` must start with what was passed before. kMalformed for a line that ends with LF alone.
  Status Scan(std::string_view bytes);
  // After kComplete: the size of the head with its empty line.
  std::size_t size() const { return line_start_; }

 private:
  std::size_t line_start_ = 0;
};

// `head` ends with its empty line. The URL is <scheme>://<Host>/<target>; `authority` stands in for
// an absent Host (HTTP/1.0) or an empty one. Refuses with 400 what is malformed or ambiguous, 413,
// 431, 501 (a transfer coding other than chunked, or CONNECT) and 505.
std::variant<RequestHead, Refusal> ParseRequestHead(std::string_view head,
                                                    const RequestLimits& limits,
                                                    std::string_view authority,
                                                    std::string_view scheme = "http");

// Decodes a chunked body (section 7.1) as it arrives. Extensions and trailer fields are checked for
// size and dropped.
class ChunkedDecoder {
 public:
  explicit ChunkedDecoder(const RequestLimits& limits) : limits_(limits) {}

  enum class Status { kMore, kDone, kRefused };

  // Takes what it can from the front of `input` and appends decoded bytes to `body`.
  Status Decode(std::string& input, std::string& body);
  // After kRefused.
  const Refusal& refusal() const { return refusal_; }

 private:
  enum class State { kSize, kData, kDataEnd, kTrailer };

  // One step of the state machine; nullopt if it could go on with more steps.
  std::optional<Status> Step(std::string_view& input, std::string& body);
  std::optional<Status> TakeSize(std::string_view line, const std::string& body);
  Status Refuse(int status, std::string reason);

  const RequestLimits limits_;
  State state_ = State::kSize;
  std::uint64_t data_left_ = 0;
  std::size_t trailer_bytes_ = 0;
  Refusal refusal_ = {};
};

}  // namespace understudy::harness
