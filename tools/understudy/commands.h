// The commands of `understudy`, each a function from options to an exit code.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "harness/scenario/cell_runner.h"
#include "tools/understudy/command_line.h"

namespace understudy::tools {

struct RunOptions {
  std::vector<std::string> paths = {};
  harness::RunModes modes = harness::RunModes::kBoth;
  std::uint64_t seed = 0;
  std::optional<std::uint64_t> seeds = {};
  std::optional<Duration> budget = {};
  std::string filter = {};
  std::vector<std::string> tags = {};
  std::string junit = {};
  std::string html = {};
  std::string history = {};
  bool quiet = false;
};
int RunScenarios(const RunOptions& options, Console& console);

int ReplayRun(const std::string& file, const std::string& token, Console& console);

struct ListOptions {
  std::vector<std::string> paths = {};
  std::string filter = {};
  std::vector<std::string> tags = {};
};
int ListScenarios(const ListOptions& options, Console& console);

int LintScenarios(const std::vector<std::string>& paths, Console& console);

struct AuditVerifyOptions {
  std::vector<std::string> files = {};  // In the order in which they were written.
  std::string key_file = {};
  std::string anchor = {};
  std::string start = {};
  bool any_start = false;
};
// Checks the hash chain of an audit trail (JSON lines); 1 if it does not fit.
int VerifyAudit(const AuditVerifyOptions& options, Console& console);

}  // namespace understudy::tools
