// Parts of a vendor file that come alone, e.g. in a request to the admin API.
//
//   UNDERSTUDY_ASSIGN_OR_RETURN(const RequestMatch match,
//                               ReadRequestMatch(R"({"method": "POST", "path": "/v1/orders"})"));
//
// The grammar is that of the files (JSON with comments), without `use`, parameters and `body_file`:
// whoever sends a fragment may not have files read. Pure, thread-safe; bounded as JsonLimits says.
// Errors are kInvalidArgument with line, column, pointer and suggestion of the first problem.
#pragma once

#include <string>
#include <vector>

#include "harness/match/request_match.h"
#include "harness/vendor/vendor_spec.h"
#include "middleware/base/result.h"

namespace understudy::harness {

// What a route's `match` says; RequestMatcher takes it.
Result<RequestMatch> ReadRequestMatch(std::string text);

// What a route's `respond` says: an array of responses.
Result<std::vector<ResponseSpec>> ReadResponses(std::string text);

}  // namespace understudy::harness
