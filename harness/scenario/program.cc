#include "harness/scenario/program.h"

namespace understudy::harness {

Result<http::Response> Program::Call(std::string_view operation, const std::string&,
                                     const std::stop_token&) {
  return InvalidArgument("the program has no operation \"" + std::string(operation) + "\"");
}

std::vector<std::string> ProgramRegistry::names() const {
  std::vector<std::string> names;
  for (const auto& [name, info] : programs_) names.push_back(name);
  return names;
}

}  // namespace understudy::harness
