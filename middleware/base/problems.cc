#include "middleware/base/problems.h"

#include "middleware/base/text.h"

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

void RequirePositive(Problems& problems, std::string_view name, Duration value) {
  if (value > Duration::zero()) return;
  problems.push_back(std::string(name) + " is " + FormatDuration(value) + "; it must be positive");
}

}  // namespace understudy
