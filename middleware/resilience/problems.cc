#include "middleware/resilience/problems.h"

namespace understudy {

Result<void> ToResult(std::string_view subject, const Problems& problems) {
  if (problems.empty()) return {};
  std::string message(subject);
  std::string_view separator = ": ";
  for (const std::string& problem : problems) {
    message.append(separator).append(problem);
    separator = "; ";
  }
  return InvalidArgument(std::move(message));
}

}  // namespace understudy
