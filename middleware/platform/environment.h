// The process environment: for configuration at start-up, by programs. The library itself reads
// none.
#pragma once

#include <optional>
#include <string>

namespace understudy {

// The value of an environment variable; nullopt if it is not set (an empty value is a value). Safe
// from several threads as long as nobody changes the environment, which this project never does.
std::optional<std::string> GetEnvironment(const std::string& name);

}  // namespace understudy
