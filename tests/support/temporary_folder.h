// TemporaryFolder: an empty folder of its own for a test; it ends with the object.
#pragma once

#include <filesystem>
#include <string>

#include <gtest/gtest.h>

#include "middleware/platform/system_random.h"

namespace understudy::test {

class TemporaryFolder {
 public:
  TemporaryFolder()
      : path_(std::filesystem::path(testing::TempDir()) / ("us-" + SystemRandom().Uuid("test"))) {
    std::filesystem::create_directories(path_);
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  std::string File(const std::string& name) const { return (path_ / name).string(); }

 private:
  std::filesystem::path path_;
};

}  // namespace understudy::test
