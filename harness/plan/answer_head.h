// The head of an answer: what was planned, in the planned order, plus only what framing needs.
//
// Pure functions; both hosts compute with them where an answer is cut.
#pragma once

#include <cstddef>
#include <string>

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
  bool chunked = false;        // Transfer-Encoding: chunked instead of Content-Length.
};

// The status line and the header fields, with the empty line. Names, order and repeats are as
// planned; no Date, Server or Keep-Alive is added. The host owns the framing:
//   Content-Length     there unless chunked, with the real length, at the planned place or else at
//   the end. 204 never has it; for
//                      HEAD and 304 a planned one is kept as it is (it speaks of a body that is not
//                      sent), and a 304 gets none.
//   Transfer-Encoding  as planned here, whatever the response says.
//   Connection         "close" if the connection ends, replacing what was planned.
std::string EncodeHead(const http::Response& response, const Framing& framing);

}  // namespace understudy::harness
