#include "middleware/platform/postgres_audit_sink.h"

#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "middleware/platform/postgres_database.h"
#include "tests/support/audit_sink_contract.h"
#include "tests/support/postgres_server.h"

namespace understudy {
namespace {

using std::chrono::hours;
using test::kAuditDay;
using test::MakeAuditEntry;
using test::PostgresServer;
using test::SharedPostgresServer;
using ::testing::HasSubstr;
using ::testing::Not;

struct PostgresFactory {
  static constexpr bool kKnowsIds = true;
  static constexpr bool kSurvives = true;
  bool Available() const {
    const auto server = SharedPostgresServer();
    // Not installed is no failure; installed, and does not start, is one.
    EXPECT_TRUE(server || server.error().code == ErrorCode::kNotFound) << server.error().message;
    return server.has_value();
  }
  Result<std::shared_ptr<AuditSink>> Open() {
    PostgresServer& server = **SharedPostgresServer();
    if (schema.empty()) schema = server.NewSchema();
    UNDERSTUDY_ASSIGN_OR_RETURN(auto sink,
                                PostgresAuditSink::Open(server.conninfo(), {.schema = schema}));
    return std::shared_ptr<AuditSink>(std::move(sink));
  }
  void EndFile(AuditSink&, SystemTime) {}
  std::string schema = {};
};

}  // namespace

namespace test {
INSTANTIATE_TYPED_TEST_SUITE_P(Postgres, AuditSinkContract, PostgresFactory);
}  // namespace test

namespace {

class PostgresAuditSinkTest : public ::testing::Test {
 protected:
  void SetUp() override {
    UNDERSTUDY_SKIP_WITHOUT_POSTGRES();
    server_ = *SharedPostgresServer();
    schema_ = server_->NewSchema();
  }
  std::unique_ptr<PostgresAuditSink> Open(PostgresAuditSinkOptions options = {}) {
    options.schema = schema_;
    auto opened = PostgresAuditSink::Open(server_->conninfo(), options);
    EXPECT_TRUE(opened) << opened.error().message;
    return opened ? *std::move(opened) : nullptr;
  }
  std::string Partitions() {
    return server_->Psql(
        "SELECT string_agg(c.relname, ' ' ORDER BY c.relname) FROM pg_inherits i "
        "JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = '" +
        schema_ + ".audit_entries'::regclass");
  }

  PostgresServer* server_ = nullptr;
  std::string schema_;
};

TEST_F(PostgresAuditSinkTest, AU7_PartitionsAreMadeByMonthAndAhead) {
  const auto sink = Open();
  const auto removed = sink->Retain(kAuditDay, kAuditDay - hours(24 * 1000));
  ASSERT_TRUE(removed) << removed.error().message;
  EXPECT_THAT(Partitions(), HasSubstr("audit_entries_2026_11 audit_entries_2026_12 "
                                      "audit_entries_2027_01"));
  // The last nanosecond of a month and the first one of the next are in two of them.
  const SystemTime new_year = kAuditDay + hours(24 * 38);
  ASSERT_TRUE(sink->Append(std::vector<AuditEntry>{MakeAuditEntry("old", new_year - Duration(1)),
                                                   MakeAuditEntry("new", new_year)}));
  EXPECT_THAT(server_->Psql("SELECT id FROM " + schema_ + ".audit_entries_2026_12"),
              HasSubstr("old"));
  EXPECT_THAT(server_->Psql("SELECT id FROM " + schema_ + ".audit_entries_2027_01"),
              HasSubstr("new"));
}

TEST_F(PostgresAuditSinkTest, AU7_RetentionDropsWholePartitions) {
  const auto sink = Open();
  const SystemTime july = kAuditDay - hours(24 * 130);
  ASSERT_TRUE(
      sink->Append(std::vector<AuditEntry>{MakeAuditEntry("a", july), MakeAuditEntry("b", july)}));
  ASSERT_TRUE(sink->Append(std::vector<AuditEntry>{MakeAuditEntry("n", kAuditDay)}));
  EXPECT_THAT(Partitions(), HasSubstr("audit_entries_2026_07"));
  EXPECT_EQ(sink->Retain(kAuditDay, kAuditDay - hours(24 * 60)).value(), 2u);
  EXPECT_THAT(Partitions(), Not(HasSubstr("audit_entries_2026_07")));
}

TEST_F(PostgresAuditSinkTest, APartitionThatAnotherProcessHasDroppedIsMadeAgain) {
  const auto first = Open();
  const auto second = Open();
  const SystemTime july = kAuditDay - hours(24 * 130);
  ASSERT_TRUE(first->Append(std::vector<AuditEntry>{MakeAuditEntry("a", july)}));
  ASSERT_TRUE(first->Append(std::vector<AuditEntry>{MakeAuditEntry("n", kAuditDay)}));
  ASSERT_TRUE(second->Retain(kAuditDay, kAuditDay - hours(24 * 60)));
  const auto appended = first->Append(std::vector<AuditEntry>{MakeAuditEntry("late", july)});
  EXPECT_TRUE(appended) << appended.error().message;
}

TEST_F(PostgresAuditSinkTest, TwoSinksThatNeedTheSameMonthAtOnceBothGetIt) {
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      const auto sink = Open();
      for (int month = 0; month < 5; ++month) {
        const auto appended = sink->Append(std::vector<AuditEntry>{
            MakeAuditEntry("t" + std::to_string(t) + "-" + std::to_string(month),
                           kAuditDay - hours(24 * 31 * (month + 10)))});
        EXPECT_TRUE(appended) << appended.error().message;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(Open()->Find({})->size(), 20u);
}

TEST_F(PostgresAuditSinkTest, AU5_AServerThatCrashesIsGoneAndThenWorksAgain) {
  auto own = PostgresServer::Start();
  ASSERT_TRUE(own) << own.error().message;
  const auto opened = PostgresAuditSink::Open((*own)->conninfo(), {.schema = "audit"});
  ASSERT_TRUE(opened) << opened.error().message;
  const std::vector<AuditEntry> batch = {MakeAuditEntry("a", kAuditDay)};
  ASSERT_TRUE((*opened)->Append(batch));
  (*own)->Crash();
  const std::vector<AuditEntry> next = {MakeAuditEntry("b", kAuditDay)};
  const auto gone = (*opened)->Append(next);
  ASSERT_FALSE(gone);
  EXPECT_EQ(gone.error().code, ErrorCode::kStorage);
  EXPECT_EQ(gone.error().reason, "gone");
  ASSERT_TRUE((*own)->Restart());
  const auto again = (*opened)->Append(next);
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ((*opened)->Find({})->size(), 2u);
}

TEST_F(PostgresAuditSinkTest, ALockThatIsHeldIsBusy) {
  const auto sink = Open({.statement_timeout = std::chrono::milliseconds(200)});
  ASSERT_TRUE(sink->Append(std::vector<AuditEntry>{MakeAuditEntry("a", kAuditDay)}));
  auto opened = internal::PostgresDatabase::Open(server_->conninfo(), {.schema = schema_});
  ASSERT_TRUE(opened) << opened.error().message;
  internal::PostgresDatabase other = *std::move(opened);
  const std::vector<AuditEntry> next = {MakeAuditEntry("b", kAuditDay)};
  ASSERT_TRUE(other.InTransaction([&]() -> Result<void> {
    EXPECT_TRUE(other.Execute("LOCK TABLE audit_entries"));
    const auto refused = sink->Append(next);
    EXPECT_EQ(refused ? "stored" : refused.error().reason, "busy");
    return {};
  }));
  EXPECT_TRUE(sink->Append(next)) << "the lock is free again";
}

}  // namespace
}  // namespace understudy
