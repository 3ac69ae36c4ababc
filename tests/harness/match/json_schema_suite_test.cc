// The published test suite of JSON Schema, where the shared data holds it: every required test of
// the drafts that the validator knows.
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "harness/match/json_schema.h"

namespace understudy::harness {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr const char* kSuite = UNDERSTUDY_SHARED_DIR "/data/json-schema-suite";
constexpr const char* kRemoteBase = "http://localhost:1234/";  // Where the suite puts them.

std::string ReadAll(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::vector<std::pair<std::string, std::string>> Remotes() {
  std::vector<std::pair<std::string, std::string>> documents;
  const fs::path folder = fs::path(kSuite) / "remotes";
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.path().extension() != ".json") continue;
    documents.emplace_back(kRemoteBase + entry.path().lexically_relative(folder).generic_string(),
                           ReadAll(entry.path()));
  }
  return documents;
}

struct DraftCase {
  const char* name;
  const char* folder;
  JsonSchema::Draft draft;
};

class JsonSchemaSuiteTest : public ::testing::TestWithParam<DraftCase> {
 protected:
  void RunGroup(const std::string& file, const json& group, const JsonSchema::Options& options) {
    const auto schema = JsonSchema::CompileValue(group.at("schema"), options);
    for (const json& test : group.at("tests")) {
      const std::string name = file + ": " + group.at("description").get<std::string>() + ": " +
                               test.at("description").get<std::string>();
      ++total_;
      if (!schema) {
        failures_.push_back(name + ": " + schema.error().message);
        continue;
      }
      const bool valid = test.at("valid").get<bool>();
      const bool agree = schema->IsValid(test.at("data")) == valid &&
                         schema->Validate(test.at("data")).empty() == valid;
      if (!agree) failures_.push_back(name);
    }
  }

  int total_ = 0;
  std::vector<std::string> failures_;
};

TEST_P(JsonSchemaSuiteTest, PassesEveryRequiredTest) {
  const fs::path folder = fs::path(kSuite) / "tests" / GetParam().folder;
  if (!fs::exists(folder)) GTEST_SKIP() << "the JSON Schema suite is not at " << folder;
  JsonSchema::Options options{.draft = GetParam().draft, .documents = Remotes()};
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.path().extension() != ".json") continue;
    for (const json& group : json::parse(ReadAll(entry.path()))) {
      RunGroup(entry.path().filename().string(), group, options);
    }
  }
  std::cout << GetParam().name << ": " << total_ - static_cast<int>(failures_.size()) << " of "
            << total_ << " tests pass\n";
  EXPECT_GT(total_, 500);
  EXPECT_THAT(failures_, ::testing::IsEmpty());
}

INSTANTIATE_TEST_SUITE_P(Drafts, JsonSchemaSuiteTest,
                         ::testing::Values(DraftCase{"Draft4", "draft4", JsonSchema::Draft::k4},
                                           DraftCase{"Draft7", "draft7", JsonSchema::Draft::k7},
                                           DraftCase{"Draft2020x12", "draft2020-12",
                                                     JsonSchema::Draft::k2020_12}),
                         [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace understudy::harness
