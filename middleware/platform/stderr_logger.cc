#include "middleware/platform/stderr_logger.h"

#include <unistd.h>

#include <algorithm>
#include <string>

namespace understudy {
namespace {

bool IsControl(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte < 0x20 || byte == 0x7f;
}

}  // namespace

void StderrLogger::Log(LogLevel level, std::string_view component, std::string_view message) {
  if (level < level_min_) return;
  std::string line(ToString(level));
  line.append(" ").append(component).append(": ").append(message);
  std::replace_if(line.begin(), line.end(), IsControl, '?');
  line.push_back('\n');
  if (write(STDERR_FILENO, line.data(), line.size()) < 0) return;  // There is nowhere to report it.
}

}  // namespace understudy
