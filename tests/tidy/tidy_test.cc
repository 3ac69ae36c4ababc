// The rules of the house that no compiler checks: who may include whom, and what may be used where.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace understudy {
namespace {

namespace fs = std::filesystem;
using ::testing::IsEmpty;

struct SourceFile {
  std::string path;       // relative to the repository
  std::string component;  // "middleware/http"
  std::string text;
  bool header = false;
};

std::string ComponentOf(const std::string& path) {
  const std::size_t first = path.find('/');
  const std::size_t second = path.find('/', first + 1);
  return path.substr(0, second);
}

std::vector<SourceFile> LoadSources(const std::vector<std::string>& roots) {
  std::vector<SourceFile> files;
  const fs::path repository = UNDERSTUDY_SOURCE_DIR;
  for (const std::string& root : roots) {
    for (const auto& entry : fs::recursive_directory_iterator(repository / root)) {
      const std::string extension = entry.path().extension();
      if (extension != ".h" && extension != ".cc") continue;
      std::ostringstream text;
      text << std::ifstream(entry.path()).rdbuf();
      const std::string path = fs::relative(entry.path(), repository);
      files.push_back({path, ComponentOf(path), text.str(), extension == ".h"});
    }
  }
  return files;
}

std::vector<std::string> IncludesOf(const SourceFile& file) {
  static const std::regex kInclude(R"re((?:^|\n)\s*#\s*include\s*[<"]([^>"]+)[>"])re");
  std::vector<std::string> includes;
  for (auto it = std::sregex_iterator(file.text.begin(), file.text.end(), kInclude);
       it != std::sregex_iterator(); ++it) {
    includes.push_back((*it)[1]);
  }
  return includes;
}

// Comments and string literals may name what the code may not use.
std::string CodeOf(const SourceFile& file) {
  static const std::regex kNoise(R"re(//[^\n]*|"(?:[^"\\\n]|\\.)*")re");
  return std::regex_replace(file.text, kNoise, "");
}

// Which components each component may include, itself excepted. The architecture's table
// (docs/adr/0005).
const std::map<std::string, std::set<std::string>>& AllowedIncludes() {
  static const std::set<std::string> kFoundation = {"middleware/base", "middleware/runtime",
                                                    "middleware/http"};
  static const std::set<std::string> kWithStore = {"middleware/base", "middleware/runtime",
                                                   "middleware/http", "middleware/store"};
  static const std::set<std::string> kMiddleware = {
      "middleware/base",       "middleware/runtime", "middleware/http",    "middleware/store",
      "middleware/resilience", "middleware/auth",    "middleware/webhook", "middleware/client"};
  const auto with = [](std::set<std::string> base, std::initializer_list<std::string> more) {
    base.insert(more.begin(), more.end());
    return base;
  };
  static const std::map<std::string, std::set<std::string>> kTable = {
      {"middleware/base", {}},
      {"middleware/runtime", {"middleware/base"}},
      {"middleware/http", {"middleware/base", "middleware/runtime"}},
      {"middleware/store", kFoundation},
      {"middleware/resilience", kWithStore},
      {"middleware/auth", kWithStore},
      {"middleware/webhook", kWithStore},
      {"middleware/adapter", kWithStore},
      {"middleware/audit", kWithStore},
      {"middleware/health", kWithStore},
      {"middleware/client", with(kWithStore, {"middleware/resilience", "middleware/auth",
                                              "middleware/webhook", "middleware/audit"})},
      {"middleware/mock", with(kFoundation, {"middleware/client"})},
      {"middleware/observe",
       with(kFoundation, {"middleware/resilience", "middleware/client", "middleware/health"})},
      {"middleware/platform", kWithStore},
      {"harness/plan", kFoundation},
      {"harness/match", kFoundation},
      {"harness/sim", with(kFoundation, {"harness/plan"})},
      {"harness/wire", with(kFoundation, {"harness/plan"})},
      {"harness/vendor", with(kFoundation, {"middleware/audit", "harness/plan", "harness/match"})},
      {"harness/gmock", with(kFoundation, {"harness/match", "harness/vendor"})},
      {"harness/server", with(kFoundation, {"harness/plan"})},
      {"harness/admin", with(kFoundation, {"harness/plan", "harness/match", "harness/vendor",
                                           "harness/server", "harness/scenario"})},
      {"harness/scenario",
       with(kMiddleware, {"middleware/platform", "middleware/adapter", "middleware/audit",
                          "middleware/health", "harness/plan", "harness/match", "harness/sim",
                          "harness/wire", "harness/vendor", "harness/server"})},
      {"harness/serve",
       with(kFoundation, {"middleware/platform", "harness/plan", "harness/match", "harness/vendor",
                          "harness/server", "harness/scenario"})},
  };
  return kTable;
}

TEST(TidyTest, ComponentsIncludeOnlyWhatTheTableAllows) {
  std::vector<std::string> violations;
  for (const SourceFile& file : LoadSources({"middleware", "harness"})) {
    const auto allowed = AllowedIncludes().find(file.component);
    if (allowed == AllowedIncludes().end()) {
      violations.push_back(file.path + ": component " + file.component + " is not in the table");
      continue;
    }
    for (const std::string& include : IncludesOf(file)) {
      if (!include.starts_with("middleware/") && !include.starts_with("harness/") &&
          !include.starts_with("tools/")) {
        continue;
      }
      const std::string component = ComponentOf(include);
      if (component != file.component && !allowed->second.contains(component)) {
        violations.push_back(file.path + " includes " + include);
      }
    }
  }
  EXPECT_THAT(violations, IsEmpty());
}

TEST(TidyTest, ForeignHeadersStayWhereTheyBelong) {
  struct Rule {
    std::string header;
    std::set<std::string> components;
  };
  const std::vector<Rule> rules = {
      {"curl/", {"middleware/platform"}},
      {"openssl/", {"middleware/platform", "harness/server"}},
      {"sqlite3.h", {"middleware/platform"}},
      {"libpq-fe.h", {"middleware/platform"}},
      {"httplib.h", {"harness/server"}},
      {"zlib.h", {"harness/server"}},
      {"brotli/", {"harness/server"}},
      {"re2/", {"harness/match", "harness/vendor", "harness/scenario"}}};
  std::vector<std::string> violations;
  for (const SourceFile& file : LoadSources({"middleware", "harness"})) {
    for (const std::string& include : IncludesOf(file)) {
      for (const Rule& rule : rules) {
        if (include.starts_with(rule.header) && !rule.components.contains(file.component)) {
          violations.push_back(file.path + " includes " + include);
        }
      }
    }
  }
  EXPECT_THAT(violations, IsEmpty());
}

TEST(TidyTest, HeadersUseTheForwardDeclarationsOfTheJsonLibrary) {
  std::vector<std::string> violations;
  for (const SourceFile& file : LoadSources({"middleware", "harness"})) {
    if (!file.header) continue;
    for (const std::string& include : IncludesOf(file)) {
      if (include == "nlohmann/json.hpp") violations.push_back(file.path);
    }
  }
  EXPECT_THAT(violations, IsEmpty());
}

TEST(TidyTest, OnlyPlatformCodeTouchesClocksSleepEnvironmentAndStreams) {
  const std::vector<std::regex> banned = {
      std::regex(R"(sleep_for|sleep_until|\busleep\b|\bnanosleep\b)"),
      std::regex(R"((system_clock|steady_clock|high_resolution_clock)::now)"),
      std::regex(R"(\bgetenv\b)"), std::regex(R"(\brandom_device\b|\bs?rand\s*\()"),
      std::regex(R"(std::(cout|cerr|clog)\b|\bprintf\s*\()")};
  const std::set<std::string> outside = {"middleware/platform", "harness/server"};
  std::vector<std::string> violations;
  for (const SourceFile& file : LoadSources({"middleware", "harness"})) {
    if (outside.contains(file.component) || file.path == "middleware/base/check.cc") continue;
    const std::string code = CodeOf(file);
    for (const std::regex& pattern : banned) {
      std::smatch match;
      if (std::regex_search(code, match, pattern))
        violations.push_back(file.path + ": " + match.str());
    }
  }
  EXPECT_THAT(violations, IsEmpty());
}

TEST(TidyTest, TestsDoNotSleepToWaitForSomething) {
  std::vector<std::string> violations;
  for (const SourceFile& file : LoadSources({"tests"})) {
    if (file.path == "tests/tidy/tidy_test.cc") continue;
    std::smatch match;
    const std::string code = CodeOf(file);
    if (std::regex_search(code, match,
                          std::regex(R"(\busleep\b|\bnanosleep\b|sleep_for|sleep_until)"))) {
      violations.push_back(file.path + ": " + match.str());
    }
  }
  EXPECT_THAT(violations, IsEmpty());
}

TEST(TidyTest, EveryHeaderIsGuardedAndExplainsItself) {
  std::vector<std::string> violations;
  for (const SourceFile& file : LoadSources({"middleware", "harness"})) {
    if (!file.header) continue;
    if (file.text.find("#pragma once") == std::string::npos)
      violations.push_back(file.path + ": no #pragma once");
    if (!file.text.starts_with("// "))
      violations.push_back(file.path + ": no comment that says what it is for");
  }
  EXPECT_THAT(violations, IsEmpty());
}

TEST(TidyTest, EverySourceFileIsBuilt) {
  // A source that no CMakeLists.txt names would silently not be compiled, and a test would never
  // run.
  std::vector<std::string> violations;
  for (const SourceFile& file : LoadSources({"middleware", "harness", "tools", "tests"})) {
    if (file.header) continue;
    const fs::path path = fs::path(UNDERSTUDY_SOURCE_DIR) / file.path;
    std::ostringstream lists;
    for (fs::path folder = path.parent_path(); folder != fs::path(UNDERSTUDY_SOURCE_DIR);
         folder = folder.parent_path()) {
      if (fs::exists(folder / "CMakeLists.txt"))
        lists << std::ifstream(folder / "CMakeLists.txt").rdbuf();
    }
    if (lists.str().find(path.filename().string()) == std::string::npos)
      violations.push_back(file.path);
  }
  EXPECT_THAT(violations, IsEmpty());
}

TEST(TidyTest, NothingIsLeftForLater) {
  // XXX alone is the code of ISO 4217 for no currency.
  std::vector<std::string> violations;
  for (const SourceFile& file : LoadSources({"middleware", "harness", "tools", "tests"})) {
    if (file.path == "tests/tidy/tidy_test.cc") continue;
    std::smatch match;
    if (std::regex_search(file.text, match, std::regex(R"(\b(TODO|FIXME|HACK)\b|\bXXX[:(])"))) {
      violations.push_back(file.path + ": " + match.str());
    }
  }
  EXPECT_THAT(violations, IsEmpty());
}

}  // namespace
}  // namespace understudy
