// Expect: ends an example that is not as its guide says.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <string_view>

// Prints `what` and ends the program with 1 unless `holds`.
inline void Expect(bool holds, std::string_view what) {
  if (holds) return;
  std::fprintf(stderr, "not as the guide says: %.*s\n", static_cast<int>(what.size()), what.data());
  std::fflush(stderr);
  std::_Exit(1);
}
