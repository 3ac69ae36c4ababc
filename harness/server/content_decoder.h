// DecodeContent: undoes the Content-Encoding of a request body (RFC 9110 section 8.4).
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "harness/server/request_parser.h"

namespace understudy::harness {

// Understands gzip and x-gzip (RFC 1952, several members too), deflate (RFC 1950, and the bare RFC
// 1951 that some clients send), br (RFC 7932) and identity, in any letter case; at most three, the
// one applied last undone first. `fields` are the values of the header, as they came.
//
// Never holds more than `bytes_max` decoded bytes (and two buffers) per coding, so that a small
// body cannot become a huge one. Refuses with 413 what would be larger, with 415 another coding or
// more than three, and with 400 a body that is not what the header says, is cut short or goes on
// after its end.
std::variant<std::string, Refusal> DecodeContent(const std::vector<std::string_view>& fields,
                                                 std::string body, std::size_t bytes_max);

}  // namespace understudy::harness
