// Checked invariants: a broken one ends the process with a message, in every build type.
//
// Use UNDERSTUDY_CHECK for what only a bug in this program can break. What the outside world can
// break (input, files, peers, configuration) is an Error, see base/error.h.
#pragma once

#include <string_view>

namespace understudy::internal {

// Prints `file:line: check failed: condition: message` to stderr and aborts.
[[noreturn]] void CheckFailed(const char* file, int line, const char* condition,
                              std::string_view message);

}  // namespace understudy::internal

#define UNDERSTUDY_CHECK(condition, message)                                          \
  do {                                                                                \
    if (!(condition)) [[unlikely]] {                                                  \
      ::understudy::internal::CheckFailed(__FILE__, __LINE__, #condition, (message)); \
    }                                                                                 \
  } while (false)
