// JSON answers, read strictly: any bytes from a vendor end in a value or in a typed error.
//
//   UNDERSTUDY_ASSIGN_OR_RETURN(const http::Response response, client.Call(request));
//   if (!response.ok()) return ... ResponseProblem::From(response) ...
//   UNDERSTUDY_ASSIGN_OR_RETURN(const nlohmann::json charge, ParseJson(response));
#pragma once

#include <cstddef>
#include <string_view>

#include <nlohmann/json_fwd.hpp>

#include "middleware/base/problems.h"
#include "middleware/base/result.h"
#include "middleware/http/response.h"

namespace understudy {

struct JsonLimits {
  std::size_t bytes_max = std::size_t{16} * 1024 * 1024;  // 1 to 1 GiB.
  int depth_max = 64;  // Lists and objects in each other; 1 to 1000.
  // Of all kinds together; one takes up to 200 bytes of memory, whatever it takes in the text.
  std::size_t values_max = 1'000'000;  // 1 to 100,000,000.
  // Read bodies that are not labelled as JSON, too.
  bool any_content_type = false;
};

Problems FindProblems(const JsonLimits& limits);

// The body as RFC 8259 JSON. A UTF-8 byte order mark is skipped.
//
// kProtocol [answered, remote] with the status, the offset of the offending byte (from 0), never a
// piece of the body, and as `reason`:
//   "content-type"   none, several, or another than application/json and .../...+json (RFC 6839),
//                    e.g. a proxy's error page; not checked with any_content_type
//   "json-empty"     no body, e.g. with a 204
//   "json-size"      more than bytes_max bytes or values_max values
//   "json-syntax"    not JSON: also text after the value, NUL bytes, broken UTF-8, other encodings
//   "json-depth"     deeper than depth_max
//   "json-duplicate" a member name occurs twice in one object; readers disagree on which counts
//                    (RFC 8259 section 4)
//   "json-number"    too large for a double, or a whole number that 64 bits cannot hold: it would
//   be
//                    rounded silently
// kInvalidArgument for limits with problems. Pure, thread-safe; takes time in proportion to the
// body, and does not recurse.
Result<nlohmann::json> ParseJson(const http::Response& response, const JsonLimits& limits = {});

// The same for text without a response around it: no content type, no status.
Result<nlohmann::json> ParseJsonText(std::string_view text, const JsonLimits& limits = {});

// Is this media type JSON: application/json or a +json suffix, parameters ignored?
bool IsJsonContentType(std::string_view content_type);

}  // namespace understudy
