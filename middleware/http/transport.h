// Transport: the outbound seam. libcurl in production, an in-memory network under simulation, a
// script in unit tests.
#pragma once

#include <cstddef>
#include <stop_token>
#include <string_view>

#include "middleware/base/result.h"
#include "middleware/http/request.h"
#include "middleware/http/response.h"
#include "middleware/runtime/deadline.h"

namespace understudy::http {

// Facts about the attempt, for transports that record, audit or correlate; they do not change what
// is sent. The views are valid during Send.
struct AttemptInfo {
  std::string_view operation = {};      // Low-cardinality name, e.g. "get_order".
  int attempt = 1;                      // 1 for the first of a logical call.
  std::string_view breaker_state = {};  // "closed", "half-open", or empty without a breaker.
};

struct SendOptions {
  // Past it the call fails, whatever phase it is in (DNS, connect, TLS, body).
  Deadline deadline = {};
  // Requesting a stop ends the call promptly with kCancelled.
  std::stop_token stop = {};
  // May the transport repeat the request on its own when a reused connection turns out to be dead
  // before any byte of the answer? Only true for idempotent or keyed requests.
  bool replayable = false;
  // A larger body ends the call with kProtocol.
  std::size_t response_bytes_max = std::size_t{16} * 1024 * 1024;
  // Redirects are answers unless asked for. They are never followed with credentials to another
  // origin, nor from https to http.
  int redirects_max = 0;
  AttemptInfo attempt = {};
};

// Thread-safe; Send blocks its caller until answer, deadline or stop.
//
// Errors: kDeadlineExceeded (deadline), kCancelled (stop), kConnection (DNS, connect, reset;
// `reason` is one of dns, refused, reset, send, truncated), kTls, kProtocol (malformed or too
// large), kInvalidArgument (empty URL, bad method). `delivery` is kNotSent only if provably no byte
// of the request left.
class Transport {
 public:
  virtual ~Transport() = default;
  virtual Result<Response> Send(const Request& request, const SendOptions& options) = 0;
};

}  // namespace understudy::http
