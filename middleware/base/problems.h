// Problems: everything that is wrong with a configuration, so that a user fixes it in one go.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "middleware/base/result.h"
#include "middleware/base/time.h"

namespace understudy {

// One sentence each, naming the option, its value and what is allowed: "failures is 0; it must be 1
// to 1000".
using Problems = std::vector<std::string>;

// Success without problems, else one kInvalidArgument: "circuit breaker options: a; b".
Result<void> ToResult(std::string_view subject, const Problems& problems);

// Adds "NAME is VALUE; it must be LOW to HIGH" unless `value` is a number of that range.
template <typename Number>
void RequireRange(Problems& problems, std::string_view name, Number value, Number low,
                  Number high) {
  if (value >= low && value <= high) return;  // Not so for NaN.
  problems.push_back(std::string(name) + " is " + std::to_string(value) + "; it must be " +
                     std::to_string(low) + " to " + std::to_string(high));
}

// Adds "NAME is VALUE; it must be positive" unless it is.
void RequirePositive(Problems& problems, std::string_view name, Duration value);

}  // namespace understudy
