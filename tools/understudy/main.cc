// The program `understudy`. Everything testable is in command_line.cc.
#include <unistd.h>

#include <iostream>
#include <string>
#include <vector>

#include "middleware/platform/environment.h"
#include "tools/understudy/command_line.h"

int main(int argc, char** argv) {
  const bool terminal = isatty(STDOUT_FILENO) != 0;
  const bool no_color = understudy::GetEnvironment("NO_COLOR").value_or("") != "";
  understudy::tools::Console console{
      .out = std::cout, .err = std::cerr, .colour = terminal && !no_color, .progress = terminal};
  return understudy::tools::RunCommandLine(std::vector<std::string>(argv + 1, argv + argc),
                                           console);
}
