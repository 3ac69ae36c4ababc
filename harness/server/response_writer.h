// The bytes of responses: what was planned, in the planned order, plus only what framing needs.
#pragma once

#include <cstddef>
#include <string>

#include "harness/server/request_parser.h"
#include "middleware/http/method.h"
#include "middleware/http/response.h"

namespace understudy::harness {

// Does a response to `method` with `status` carry no body, whatever its headers say (RFC 9112
// section 6.3)?
bool IsBodiless(const http::Method& method, int status);

struct Framing {
  bool bodiless = false;
  bool close = false;          // The connection ends after this response.
  std::size_t body_bytes = 0;  // What Content-Length announces.
};

// The status line and the header fields, with the empty line. Names, order and repeats are as
// planned; no Date, Server or Keep-Alive is added. The host owns the framing:
//   Content-Length     always there, with the real length, at the planned place or else at the end.
//   204 never has it; for
//                      HEAD and 304 a planned one is kept as it is (it speaks of a body that is not
//                      sent), and a 304 gets none.
//   Transfer-Encoding  dropped: the body is never chunked.
//   Connection         "close" if the connection ends, replacing what was planned.
std::string EncodeHead(const http::Response& response, const Framing& framing);

// The complete answer to a request that never reached the handler.
std::string EncodeRefusal(const Refusal& refusal);

}  // namespace understudy::harness
