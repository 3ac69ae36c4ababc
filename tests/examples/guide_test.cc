// Holds each guide to its example (docs/middleware.md to docs/examples/call_path.cc, ...): what a
// guide shows is what a test runs.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace understudy {
namespace {

using ::testing::IsEmpty;
using Lines = std::vector<std::string>;

Lines ReadLines(const std::string& path) {
  std::ifstream file(std::string(UNDERSTUDY_SOURCE_DIR "/") + path);
  EXPECT_TRUE(file.is_open()) << path;
  Lines lines;
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  return lines;
}

// As one text, without the indentation that all lines have in common.
std::string Dedented(const Lines& lines) {
  std::size_t common = std::string::npos;
  for (const std::string& line : lines) common = std::min(common, line.find_first_not_of(' '));
  std::string text;
  for (const std::string& line : lines) {
    text += line.substr(std::min(common == std::string::npos ? 0 : common, line.size())) + "\n";
  }
  return text;
}

struct Parts {
  std::map<std::string, std::string> by_name = {};
  Lines problems = {};
};

// What stands between "// [begin NAME]" and "// [end NAME]".
Parts MarkedParts(const Lines& source) {
  static const std::regex kMarker(R"(\s*// \[(begin|end) ([a-z-]+)\])");
  Parts parts;
  std::string open;
  Lines body;
  for (const std::string& line : source) {
    std::smatch marker;
    if (!std::regex_match(line, marker, kMarker)) {
      if (!open.empty()) body.push_back(line);
      continue;
    }
    const std::string name = marker[2];
    const bool begins = marker[1] == "begin";
    if (begins != open.empty() || (!begins && name != open)) {
      parts.problems.push_back("marker out of place: " + line);
    }
    if (!begins && !parts.by_name.emplace(name, Dedented(body)).second) {
      parts.problems.push_back("marked twice: " + name);
    }
    open = begins ? name : "";
    body.clear();
  }
  if (!open.empty()) parts.problems.push_back("never ends: " + open);
  return parts;
}

// The ```cpp blocks of the guide by the name in the comment above them.
Parts ShownParts(const Lines& guide) {
  static const std::regex kComment(R"(<!-- example: ([a-z-]+) -->)");
  Parts parts;
  for (std::size_t i = 0; i < guide.size(); ++i) {
    if (guide[i] != "```cpp") continue;
    std::smatch comment;
    const bool named = i > 0 && std::regex_match(guide[i - 1], comment, kComment);
    const std::string name = named ? comment[1].str() : std::string();
    Lines body;
    for (++i; i < guide.size() && guide[i] != "```"; ++i) body.push_back(guide[i]);
    if (i == guide.size()) parts.problems.push_back("block never ends: " + name);
    if (!named) {
      parts.problems.push_back("block without <!-- example: NAME --> above it: " + Dedented(body));
    } else if (!parts.by_name.emplace(name, Dedented(body)).second) {
      parts.problems.push_back("shown twice: " + name);
    }
  }
  return parts;
}

struct Pair {
  const char* name;
  const char* guide;
  const char* example;
};

class GuidesTest : public ::testing::TestWithParam<Pair> {
 protected:
  static Parts Source() { return MarkedParts(ReadLines(GetParam().example)); }
  static Parts Guide() { return ShownParts(ReadLines(GetParam().guide)); }
};

INSTANTIATE_TEST_SUITE_P(
    Docs, GuidesTest,
    ::testing::Values(Pair{"Middleware", "docs/middleware.md", "docs/examples/call_path.cc"},
                      Pair{"OAuth", "docs/oauth.md", "docs/examples/oauth_flows.cc"},
                      Pair{"FakeVendor", "docs/fake-vendor.md",
                           "docs/examples/vendor_on_the_fly.cc"},
                      Pair{"Webhooks", "docs/webhooks.md", "docs/examples/webhook_parts.cc"},
                      Pair{"Adapters", "docs/adapters.md", "docs/examples/adapter_parts.cc"},
                      Pair{"Audit", "docs/audit.md", "docs/examples/audit_parts.cc"},
                      Pair{"Health", "docs/health.md", "docs/examples/health_parts.cc"},
                      Pair{"Stores", "docs/stores.md", "docs/examples/store_parts.cc"}),
    [](const auto& test) { return test.param.name; });

TEST_P(GuidesTest, EveryMarkerOfTheExampleIsInItsPlace) {
  EXPECT_THAT(Source().problems, IsEmpty());
}

TEST_P(GuidesTest, EveryBlockOfCodeNamesItsExample) { EXPECT_THAT(Guide().problems, IsEmpty()); }

TEST_P(GuidesTest, EveryBlockOfCodeIsWhatTheExampleRuns) {
  const Parts source = Source();
  const Parts guide = Guide();
  EXPECT_FALSE(guide.by_name.empty());
  for (const auto& [name, code] : guide.by_name) {
    const auto marked = source.by_name.find(name);
    if (marked == source.by_name.end()) {
      ADD_FAILURE() << "the guide shows " << name << ", which " << GetParam().example << " has not";
    } else {
      EXPECT_EQ(code, marked->second) << "copy " << name << " to the guide";
    }
  }
}

TEST_P(GuidesTest, EveryMarkedPartOfTheExampleIsShown) {
  const Parts guide = Guide();
  Lines missing;
  for (const auto& [name, code] : Source().by_name) {
    if (!guide.by_name.contains(name)) missing.push_back(name);
  }
  EXPECT_THAT(missing, IsEmpty());
}

TEST_P(GuidesTest, EveryFileThatTheGuideNamesExists) {
  static const std::regex kPath(
      R"((?:middleware|harness|tests|tools|scenarios|docs)/[\w/.-]+\.\w+)");
  static const std::regex kLink(R"(\[[^\]]+\]\(([^)#: ]+)\))");
  const std::filesystem::path root = UNDERSTUDY_SOURCE_DIR;
  std::set<std::string> missing;
  for (const std::string& line : ReadLines(GetParam().guide)) {
    for (std::sregex_iterator it(line.begin(), line.end(), kPath), end; it != end; ++it) {
      if (!std::filesystem::exists(root / it->str())) missing.insert(it->str());
    }
    for (std::sregex_iterator it(line.begin(), line.end(), kLink), end; it != end; ++it) {
      if (!std::filesystem::exists(root / "docs" / (*it)[1].str())) missing.insert((*it)[1]);
    }
  }
  EXPECT_THAT(missing, IsEmpty());
}

// ---- what holds the guide can fail --------------------------------------------------------------

TEST(GuideTest, CommonIndentationDoesNotMatterButRelativeDoes) {
  EXPECT_EQ(Dedented({"  if (a)", "", "    b();"}), "if (a)\n\n  b();\n");
  EXPECT_NE(Dedented({"  if (a)", "    b();"}), Dedented({"if (a)", "b();"}));
}

TEST(GuideTest, AMarkerThatDoesNotEndOrComesTwiceIsFound) {
  EXPECT_EQ(MarkedParts({"// [begin a]", "x", "// [end b]"}).problems.size(), 1U);
  EXPECT_EQ(MarkedParts({"// [begin a]", "x"}).problems.size(), 1U);
  EXPECT_EQ(
      MarkedParts({"// [begin a]", "// [end a]", "// [begin a]", "// [end a]"}).problems.size(),
      1U);
}

TEST(GuideTest, ABlockWithoutANameOrAnEndIsFound) {
  EXPECT_EQ(ShownParts({"```cpp", "x", "```"}).problems.size(), 1U);
  EXPECT_EQ(ShownParts({"<!-- example: a -->", "```cpp", "x"}).problems.size(), 1U);
  EXPECT_THAT(ShownParts({"<!-- example: a -->", "```cpp", "x", "```"}).problems, IsEmpty());
}

}  // namespace
}  // namespace understudy
