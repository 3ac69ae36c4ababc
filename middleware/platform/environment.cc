#include "middleware/platform/environment.h"

#include <cstdlib>

namespace understudy {

std::optional<std::string> GetEnvironment(const std::string& name) {
  const char* const value =
      std::getenv(name.c_str());  // NOLINT(concurrency-mt-unsafe): only read here.
  if (value == nullptr) return std::nullopt;
  return std::string(value);
}

}  // namespace understudy
