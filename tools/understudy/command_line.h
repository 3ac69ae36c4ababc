// The command line of `understudy`: parses arguments, runs a command, returns the exit code.
//
// Exit codes: 0 pass, 1 an expectation failed, 2 sim and wire disagree, 3 not deterministic, 4
// inconclusive, 5 deadlock, 64 bad input file or arguments, or something that cannot start.
#pragma once

#include <cstdint>
#include <iosfwd>
#include <string>
#include <string_view>
#include <vector>

namespace understudy::tools {

inline constexpr int kExitUsage = 64;

// Where a command writes. References outlive the call.
struct Console {
  std::ostream& out;
  std::ostream& err;
  bool colour = false;    // the output is a terminal that wants colours
  bool progress = false;  // long work may show where it is
};

// "1 request", "2 requests".
std::string Plural(std::uint64_t count, std::string_view noun);

int RunCommandLine(std::vector<std::string> arguments, Console& console);

}  // namespace understudy::tools
