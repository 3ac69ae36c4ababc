#include "middleware/platform/file.h"

#include <filesystem>
#include <string>

#include <gtest/gtest.h>

#include "middleware/platform/system_random.h"

namespace understudy {
namespace {

namespace fs = std::filesystem;

class FileTest : public testing::Test {
 protected:
  FileTest() : folder_(fs::path(testing::TempDir()) / ("us-" + SystemRandom().Uuid("test"))) {
    fs::create_directories(folder_);
  }
  ~FileTest() override { fs::remove_all(folder_); }

  std::string Path(const std::string& name) const { return (folder_ / name).string(); }
  std::size_t FilesInFolder() const {
    return static_cast<std::size_t>(
        std::distance(fs::directory_iterator(folder_), fs::directory_iterator()));
  }

  fs::path folder_;
};

TEST_F(FileTest, ReadsBackExactlyWhatWasWritten) {
  const std::string bytes("a\0\r\n\xff", 5);
  ASSERT_TRUE(WriteFileAtomically(Path("f"), bytes));
  EXPECT_EQ(ReadFile(Path("f"), 5).value(), bytes);
  EXPECT_EQ(FilesInFolder(), 1U) << "no temporary file is left";
}

TEST_F(FileTest, ReadsUpToTheLimitAndNotOneByteMore) {
  ASSERT_TRUE(WriteFileAtomically(Path("f"), std::string(100'000, 'x')));
  EXPECT_EQ(ReadFile(Path("f"), 100'000)->size(), 100'000U);
  EXPECT_EQ(ReadFile(Path("f"), 99'999).error().code, ErrorCode::kInvalidArgument);
}

TEST_F(FileTest, ReplacesAFileAndKeepsItsPermissions) {
  ASSERT_TRUE(WriteFileAtomically(Path("f"), "old"));
  fs::permissions(Path("f"), fs::perms::owner_read | fs::perms::owner_write);
  ASSERT_TRUE(WriteFileAtomically(Path("f"), "new"));
  EXPECT_EQ(ReadFile(Path("f"), 10).value(), "new");
  EXPECT_EQ(fs::status(Path("f")).permissions(), fs::perms::owner_read | fs::perms::owner_write);
}

TEST_F(FileTest, ReportsWhatIsMissing) {
  EXPECT_EQ(ReadFile(Path("no"), 10).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(WriteFileAtomically(Path("no/f"), "x").error().code, ErrorCode::kNotFound);
}

TEST_F(FileTest, RefusesToReadAFolder) {
  EXPECT_EQ(ReadFile(folder_.string(), 10).error().code, ErrorCode::kInvalidArgument);
}

TEST_F(FileTest, LeavesNothingBehindWhenTheTargetCannotBeReplaced) {
  fs::create_directories(Path("target/full"));
  EXPECT_EQ(WriteFileAtomically(Path("target"), "x").error().code, ErrorCode::kStorage);
  EXPECT_EQ(FilesInFolder(), 1U);
}

}  // namespace
}  // namespace understudy
