#include "middleware/health/health_code.h"

#include <algorithm>

namespace understudy {
namespace {

bool IsCodeChar(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
}

}  // namespace

std::string CleanHealthCode(std::string_view code) {
  if (code.empty()) return "none";
  const bool clean =
      code.size() <= kHealthCodeBytesMax && std::all_of(code.begin(), code.end(), IsCodeChar);
  return clean ? std::string(code) : "other";
}

bool IsHealthName(std::string_view name) {
  return !name.empty() && name.size() <= kHealthNameBytesMax &&
         std::all_of(name.begin(), name.end(),
                     [](char c) { return IsCodeChar(c) || (c >= 'A' && c <= 'Z'); });
}

}  // namespace understudy
