// Problems: everything that is wrong with a configuration, so that a user fixes it in one go.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "middleware/base/result.h"

namespace understudy {

// One sentence each, naming the option, its value and what is allowed: "failures is 0; it must be 1
// to 1000".
using Problems = std::vector<std::string>;

// Success without problems, else one kInvalidArgument: "circuit breaker options: a; b".
Result<void> ToResult(std::string_view subject, const Problems& problems);

}  // namespace understudy
