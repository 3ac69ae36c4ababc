#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sqlite3.h>

#include "middleware/platform/json_lines_audit_sink.h"
#include "middleware/platform/sqlite_audit_sink.h"
#include "middleware/store/in_memory_audit_sink.h"
#include "tests/support/audit_sink_contract.h"
#include "tests/support/temporary_folder.h"

namespace understudy {
namespace {

namespace fs = std::filesystem;
using std::chrono::hours;
using test::kAuditDay;
using test::MakeAuditEntry;
using test::TemporaryFolder;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

struct MemoryFactory {
  static constexpr bool kKnowsIds = true;
  static constexpr bool kSurvives = false;
  bool Available() const { return true; }
  Result<std::shared_ptr<AuditSink>> Open() {
    return std::shared_ptr<AuditSink>(std::make_shared<InMemoryAuditSink>());
  }
  void EndFile(AuditSink&, SystemTime) {}
};

struct SqliteFactory {
  static constexpr bool kKnowsIds = true;
  static constexpr bool kSurvives = true;
  bool Available() const { return true; }
  Result<std::shared_ptr<AuditSink>> Open() {
    UNDERSTUDY_ASSIGN_OR_RETURN(auto sink, SqliteAuditSink::Open(folder.File("a.db")));
    return std::shared_ptr<AuditSink>(std::move(sink));
  }
  void EndFile(AuditSink&, SystemTime) {}
  TemporaryFolder folder = {};
};

struct JsonLinesFactory {
  static constexpr bool kKnowsIds = false;
  static constexpr bool kSurvives = true;
  bool Available() const { return true; }
  Result<std::shared_ptr<AuditSink>> Open() {
    UNDERSTUDY_ASSIGN_OR_RETURN(
        auto sink, JsonLinesAuditSink::Open(folder.File("a.jsonl"), {.file_bytes_max = 4096}));
    return std::shared_ptr<AuditSink>(std::move(sink));
  }
  // Fills the file, so that it is rotated.
  void EndFile(AuditSink& sink, SystemTime at) {
    const std::string more = ",\"filler\":\"" + std::string(4000, 'x') + "\"";
    static int number = 0;
    const auto appended = sink.Append(std::vector<AuditEntry>{
        MakeAuditEntry("f" + std::to_string(++number), at, "filler", more)});
    EXPECT_TRUE(appended);
  }
  TemporaryFolder folder = {};
};

}  // namespace

namespace test {
INSTANTIATE_TYPED_TEST_SUITE_P(InMemory, AuditSinkContract, MemoryFactory);
INSTANTIATE_TYPED_TEST_SUITE_P(Sqlite, AuditSinkContract, SqliteFactory);
INSTANTIATE_TYPED_TEST_SUITE_P(JsonLines, AuditSinkContract, JsonLinesFactory);
}  // namespace test

namespace {

class JsonLinesAuditSinkTest : public ::testing::Test {
 protected:
  std::unique_ptr<JsonLinesAuditSink> Open(const JsonLinesAuditSinkOptions& options = {}) {
    auto opened = JsonLinesAuditSink::Open(path_, options);
    EXPECT_TRUE(opened) << opened.error().message;
    return opened ? *std::move(opened) : nullptr;
  }
  std::string Text(const std::string& path) const {
    std::ostringstream text;
    text << std::ifstream(path).rdbuf();
    return text.str();
  }
  std::vector<std::string> Ids(AuditSink& sink) const {
    std::vector<std::string> ids;
    const auto found = sink.Find({.limit = 10'000});
    for (const AuditEntry& entry : found.value()) ids.push_back(entry.id);
    return ids;
  }

  TemporaryFolder folder_;
  const std::string path_ = folder_.File("audit.jsonl");
};

TEST_F(JsonLinesAuditSinkTest, TheFileIsForOwnerAndGroup) {
  const auto sink = Open();
  EXPECT_EQ(fs::status(path_).permissions() & fs::perms::others_all, fs::perms::none);
}

TEST_F(JsonLinesAuditSinkTest, AU5_AHalfWrittenLineOfACrashIsRemoved) {
  ASSERT_TRUE(Open()->Append(std::vector<AuditEntry>{MakeAuditEntry("a", kAuditDay)}));
  const std::string whole = Text(path_);
  std::ofstream(path_, std::ios::app) << whole.substr(0, whole.size() / 2);
  const auto sink = Open();
  EXPECT_EQ(sink->torn_bytes(), whole.size() / 2);
  EXPECT_EQ((*sink->Last())->id, "a");
  ASSERT_TRUE(sink->Append(std::vector<AuditEntry>{MakeAuditEntry("b", kAuditDay)}));
  EXPECT_THAT(Ids(*sink), ElementsAre("a", "b"));
  EXPECT_TRUE(Text(path_).starts_with(whole));
}

TEST_F(JsonLinesAuditSinkTest, AU5_AHalfWrittenLineIsNotRotatedAway) {
  const std::string more = ",\"filler\":\"" + std::string(3000, 'x') + "\"";
  const AuditEntry first = MakeAuditEntry("a", kAuditDay, "c", more);
  ASSERT_TRUE(Open()->Append(std::vector<AuditEntry>{first}));
  const std::string whole = Text(path_);
  std::ofstream(path_, std::ios::app) << whole.substr(0, whole.size() / 2);
  const auto sink = Open({.file_bytes_max = 4096});
  EXPECT_EQ(Text(path_), whole) << "cut off when it is found";
  ASSERT_TRUE(sink->Append(std::vector<AuditEntry>{MakeAuditEntry("b", kAuditDay, "c", more)}));
  const auto files = sink->Files();
  ASSERT_TRUE(files);
  ASSERT_EQ(files->size(), 2u);
  EXPECT_EQ(Text(files->front()), whole);
  EXPECT_THAT(Ids(*sink), ElementsAre("a", "b"));
}

TEST_F(JsonLinesAuditSinkTest, LinesOfOthersArePassedOver) {
  std::ofstream(path_) << "something else\n\n\xff\xfe\n" << std::string(3'000'000, 'x') << "\n";
  const auto sink = Open();
  ASSERT_TRUE(sink->Append(std::vector<AuditEntry>{MakeAuditEntry("a", kAuditDay)}));
  EXPECT_THAT(Ids(*sink), ElementsAre("a"));
}

TEST_F(JsonLinesAuditSinkTest, AFileThatIsFullIsRotatedAndTheOldestGoes) {
  const auto sink = Open({.file_bytes_max = 4096, .files_max = 2});
  const std::string more = ",\"filler\":\"" + std::string(3000, 'x') + "\"";
  for (int i = 0; i < 6; ++i) {
    ASSERT_TRUE(sink->Append(std::vector<AuditEntry>{
        MakeAuditEntry("e" + std::to_string(i), kAuditDay + hours(i), "c", more)}));
  }
  EXPECT_THAT(Ids(*sink), ElementsAre("e3", "e4", "e5"));
  const auto files = sink->Files();
  ASSERT_TRUE(files);
  EXPECT_THAT(*files, ElementsAre(path_ + ".20261124T030000000000000Z",
                                  path_ + ".20261124T040000000000000Z", path_));
}

TEST_F(JsonLinesAuditSinkTest, FilesKeepTheirOrderWhenTheClockIsSetBack) {
  const auto sink = Open({.file_bytes_max = 4096});
  const std::string more = ",\"filler\":\"" + std::string(3000, 'x') + "\"";
  for (int i = 0; i < 4; ++i) {
    ASSERT_TRUE(sink->Append(std::vector<AuditEntry>{
        MakeAuditEntry("e" + std::to_string(i), kAuditDay - hours(i), "c", more)}));
  }
  EXPECT_THAT(Ids(*sink), ElementsAre("e0", "e1", "e2", "e3"));
}

TEST_F(JsonLinesAuditSinkTest, ASecondWriterIsKeptOut) {
  const auto first = Open();
  const auto second = JsonLinesAuditSink::Open(path_);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().reason, "busy");
}

TEST_F(JsonLinesAuditSinkTest, AU5_AFullDiskLeavesNoHalfBatch) {
  const auto sink = Open();
  ASSERT_TRUE(sink->Append(std::vector<AuditEntry>{MakeAuditEntry("a", kAuditDay)}));
  // A limit of the process stands in for a full disk: the same short write and error.
  std::signal(SIGXFSZ, SIG_IGN);
  rlimit before = {};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  rlimit tight = before;
  tight.rlim_cur = 10'000;
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &tight), 0);
  const std::string more = ",\"filler\":\"" + std::string(6000, 'x') + "\"";
  const std::vector<AuditEntry> batch = {MakeAuditEntry("b", kAuditDay, "c", more),
                                         MakeAuditEntry("c", kAuditDay, "c", more)};
  const auto full = sink->Append(batch);
  EXPECT_EQ(setrlimit(RLIMIT_FSIZE, &before), 0);
  std::signal(SIGXFSZ, SIG_DFL);
  ASSERT_FALSE(full);
  EXPECT_EQ(full.error().code, ErrorCode::kStorage);
  EXPECT_EQ(full.error().reason, "full");
  EXPECT_THAT(Ids(*sink), ElementsAre("a"));
  ASSERT_TRUE(sink->Append(batch));
  EXPECT_THAT(Ids(*sink), ElementsAre("a", "b", "c"));
}

TEST_F(JsonLinesAuditSinkTest, EachPolicyOfSyncingAppends) {
  for (const AuditSync sync : {AuditSync::kEachBatch, AuditSync::kOnFlush, AuditSync::kBySystem}) {
    const auto sink = Open({.sync = sync});
    ASSERT_TRUE(sink->Append(std::vector<AuditEntry>{MakeAuditEntry("a", kAuditDay)}));
    EXPECT_TRUE(sink->Flush());
  }
}

TEST_F(JsonLinesAuditSinkTest, AMissingFolderIsAnError) {
  const auto opened = JsonLinesAuditSink::Open(folder_.File("no/such/audit.jsonl"));
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().reason, "gone");
  EXPECT_FALSE(JsonLinesAuditSink::Open(path_, {.file_bytes_max = 1}));
  EXPECT_FALSE(JsonLinesAuditSink::Open(path_, {.files_max = 0}));
}

class SqliteAuditSinkTest : public ::testing::Test {
 protected:
  TemporaryFolder folder_;
  const std::string path_ = folder_.File("audit.db");
};

TEST_F(SqliteAuditSinkTest, AU5_ALockedFileIsBusyAndLeavesNothing) {
  const auto sink = SqliteAuditSink::Open(path_, {.busy_timeout = std::chrono::milliseconds(1)});
  ASSERT_TRUE(sink);
  sqlite3* other = nullptr;
  ASSERT_EQ(sqlite3_open(path_.c_str(), &other), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(other, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr), SQLITE_OK);
  const std::vector<AuditEntry> batch = {MakeAuditEntry("a", kAuditDay)};
  const auto busy = (*sink)->Append(batch);
  ASSERT_FALSE(busy);
  EXPECT_EQ(busy.error().code, ErrorCode::kStorage);
  EXPECT_EQ(busy.error().reason, "busy");
  sqlite3_close(other);
  EXPECT_TRUE((*sink)->Append(batch));
  EXPECT_EQ((*sink)->Find({})->size(), 1u);
}

TEST_F(SqliteAuditSinkTest, AU5_AFullFileIsFullUntilOldEntriesGo) {
  const auto sink = SqliteAuditSink::Open(path_, {.file_bytes_max = std::uint64_t{1} << 20U});
  ASSERT_TRUE(sink) << sink.error().message;
  const std::string more = ",\"filler\":\"" + std::string(100'000, 'x') + "\"";
  Result<void> appended;
  int count = 0;
  for (; appended && count < 100; ++count) {
    appended = (*sink)->Append(std::vector<AuditEntry>{
        MakeAuditEntry("e" + std::to_string(count), kAuditDay + hours(count), "c", more)});
  }
  ASSERT_FALSE(appended);
  EXPECT_EQ(appended.error().reason, "full");
  EXPECT_THAT(appended.error().message, ::testing::Not(HasSubstr("xxx")));
  EXPECT_EQ((*sink)->Find({})->size(), static_cast<std::size_t>(count - 1));
  ASSERT_TRUE((*sink)->Retain(kAuditDay, kAuditDay + hours(5)));
  EXPECT_TRUE((*sink)->Append(std::vector<AuditEntry>{MakeAuditEntry("again", kAuditDay)}));
  EXPECT_FALSE(SqliteAuditSink::Open(path_, {.file_bytes_max = 5}));
}

TEST_F(SqliteAuditSinkTest, TwoObjectsShareAFile) {
  const auto first = SqliteAuditSink::Open(path_);
  const auto second = SqliteAuditSink::Open(path_);
  ASSERT_TRUE((*first)->Append(std::vector<AuditEntry>{MakeAuditEntry("a", kAuditDay)}));
  ASSERT_TRUE((*second)->Append(std::vector<AuditEntry>{MakeAuditEntry("b", kAuditDay)}));
  EXPECT_EQ((*first)->Find({})->size(), 2u);
}

}  // namespace
}  // namespace understudy
