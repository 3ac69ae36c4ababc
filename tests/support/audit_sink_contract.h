// What every AuditSink must do, as a typed test suite: a factory gives a fresh sink, and a second
// object over the same trail where it outlives the first.
//
//   struct SqliteFactory { ... };
//   INSTANTIATE_TYPED_TEST_SUITE_P(Sqlite, AuditSinkContract, SqliteFactory);
#pragma once

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "middleware/store/audit_sink.h"

namespace understudy::test {

inline AuditEntry MakeAuditEntry(const std::string& id, SystemTime at,
                                 const std::string& call_id = "call",
                                 const std::string& more = ",\"kind\":\"call\"") {
  return {id, call_id, at, AuditLineHead(at, id, call_id) + more + "}"};
}

// 2026-11-24T00:00:00Z
inline constexpr SystemTime kAuditDay = SystemTime(std::chrono::hours(24 * 20781));

template <typename Factory>
class AuditSinkContract : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!factory_.Available()) GTEST_SKIP() << "the sink's server is not installed";
    Reopen();
  }
  void Reopen() {
    sink_.reset();
    auto opened = factory_.Open();
    ASSERT_TRUE(opened) << opened.error().message;
    sink_ = *std::move(opened);
  }
  std::vector<std::string> Ids(const AuditQuery& query = {}) {
    std::vector<std::string> ids;
    const auto found = sink_->Find(query);
    EXPECT_TRUE(found) << found.error().message;
    if (found) {
      for (const AuditEntry& entry : *found) ids.push_back(entry.id);
    }
    return ids;
  }
  void Append(std::vector<AuditEntry> batch) {
    const auto appended = sink_->Append(batch);
    ASSERT_TRUE(appended) << appended.error().message;
  }

  Factory factory_ = {};
  std::shared_ptr<AuditSink> sink_;
};

TYPED_TEST_SUITE_P(AuditSinkContract);

TYPED_TEST_P(AuditSinkContract, EntriesComeBackAsTheyWereInTheirOrder) {
  using ::testing::ElementsAre;
  const AuditEntry first =
      MakeAuditEntry("b", kAuditDay + Duration(7), "c1", ",\"x\":\"\xe2\x82\xac \\\"\"");
  const AuditEntry second = MakeAuditEntry("a", kAuditDay, "");
  this->Append({first, second});
  this->Append({MakeAuditEntry("c", kAuditDay)});
  const auto found = this->sink_->Find({});
  ASSERT_TRUE(found);
  ASSERT_EQ(found->size(), 3u);
  EXPECT_EQ((*found)[0], first);
  EXPECT_EQ((*found)[1], second);
  EXPECT_THAT(this->Ids(), ElementsAre("b", "a", "c"));
  ASSERT_TRUE(this->sink_->Flush());
}

TYPED_TEST_P(AuditSinkContract, FindByCallIdAndTimeIsBounded) {
  using std::chrono::seconds;
  using ::testing::ElementsAre;
  for (int i = 0; i < 6; ++i) {
    this->Append({MakeAuditEntry("e" + std::to_string(i), kAuditDay + seconds(i),
                                 i % 2 == 0 ? "even" : "odd")});
  }
  EXPECT_THAT(this->Ids({.call_id = "odd"}), ElementsAre("e1", "e3", "e5"));
  EXPECT_THAT(this->Ids({.call_id = "nobody"}), ElementsAre());
  EXPECT_THAT(this->Ids({.from = kAuditDay + seconds(2), .before = kAuditDay + seconds(4)}),
              ElementsAre("e2", "e3"));
  EXPECT_THAT(this->Ids({.call_id = "even", .from = kAuditDay + seconds(1)}),
              ElementsAre("e2", "e4"));
  EXPECT_THAT(this->Ids({.limit = 2}), ElementsAre("e0", "e1"));
  EXPECT_FALSE(this->sink_->Find({.limit = 0}));
  EXPECT_FALSE(this->sink_->Find({.limit = AuditQuery::kLimitMax + 1}));
}

TYPED_TEST_P(AuditSinkContract, ABatchIsAppendedAsAWholeOrNotAtAll) {
  using ::testing::ElementsAre;
  AuditEntry bad = MakeAuditEntry("bad", kAuditDay);
  bad.text += "\n";
  const auto refused =
      this->sink_->Append(std::vector<AuditEntry>{MakeAuditEntry("ok", kAuditDay), bad});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(this->Ids(), ElementsAre());
  EXPECT_TRUE(this->sink_->Append({}));
}

TYPED_TEST_P(AuditSinkContract, ABatchOfUnknownFateCanBeAppendedAgain) {
  if (!TypeParam::kKnowsIds) GTEST_SKIP() << "its batches have no unknown fate";
  using ::testing::ElementsAre;
  this->Append({MakeAuditEntry("a", kAuditDay)});
  this->Append({MakeAuditEntry("a", kAuditDay), MakeAuditEntry("b", kAuditDay)});
  EXPECT_THAT(this->Ids(), ElementsAre("a", "b"));
}

TYPED_TEST_P(AuditSinkContract, TheLastEntryIsTheOneAppendedLast) {
  ASSERT_TRUE(this->sink_->Last());
  EXPECT_FALSE(this->sink_->Last()->has_value());
  this->Append({MakeAuditEntry("a", kAuditDay + Duration(5)), MakeAuditEntry("b", kAuditDay)});
  EXPECT_EQ((*this->sink_->Last())->id, "b");
}

TYPED_TEST_P(AuditSinkContract, TheTrailSurvivesItsObject) {
  if (!TypeParam::kSurvives) GTEST_SKIP() << "it is in memory";
  using ::testing::ElementsAre;
  this->Append({MakeAuditEntry("a", kAuditDay), MakeAuditEntry("b", kAuditDay)});
  this->Reopen();
  EXPECT_THAT(this->Ids(), ElementsAre("a", "b"));
  EXPECT_EQ((*this->sink_->Last())->id, "b");
  this->Append({MakeAuditEntry("c", kAuditDay)});
  EXPECT_THAT(this->Ids(), ElementsAre("a", "b", "c"));
}

TYPED_TEST_P(AuditSinkContract, AU7_RetentionRemovesOldEntriesButNeverTheNewest) {
  using std::chrono::hours;
  using ::testing::ElementsAre;
  // A month each, so that sinks of partitions and of files have something whole to remove.
  const SystemTime september = kAuditDay - hours(24 * 65);
  const SystemTime october = kAuditDay - hours(24 * 35);
  this->Append({MakeAuditEntry("s1", september), MakeAuditEntry("s2", september + hours(1))});
  this->factory_.EndFile(*this->sink_, september);
  this->Append({MakeAuditEntry("o1", october)});
  this->factory_.EndFile(*this->sink_, october);
  this->Append({MakeAuditEntry("n1", kAuditDay)});
  EXPECT_EQ(this->sink_->Retain(kAuditDay, september - hours(24 * 31)).value(), 0u);
  const auto removed = this->sink_->Retain(kAuditDay, october - hours(24 * 10));
  ASSERT_TRUE(removed) << removed.error().message;
  EXPECT_GE(*removed, 2u);
  const std::vector<std::string> left = this->Ids({.from = september + hours(2)});
  EXPECT_THAT(this->Ids({.before = september + hours(2)}), ElementsAre());
  EXPECT_THAT(left, ::testing::IsSupersetOf({"o1", "n1"}));
  const SystemTime later = kAuditDay + hours(24 * 100);
  ASSERT_TRUE(this->sink_->Retain(later, later));
  EXPECT_EQ((*this->sink_->Last())->id, "n1");
}

TYPED_TEST_P(AuditSinkContract, SeveralThreadsAppendAtOnce) {
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 10; ++i) {
        const auto appended = this->sink_->Append(std::vector<AuditEntry>{
            MakeAuditEntry("t" + std::to_string(t) + "-" + std::to_string(i), kAuditDay)});
        EXPECT_TRUE(appended);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(this->Ids().size(), 40u);
}

REGISTER_TYPED_TEST_SUITE_P(AuditSinkContract, EntriesComeBackAsTheyWereInTheirOrder,
                            FindByCallIdAndTimeIsBounded, ABatchIsAppendedAsAWholeOrNotAtAll,
                            ABatchOfUnknownFateCanBeAppendedAgain, TheLastEntryIsTheOneAppendedLast,
                            TheTrailSurvivesItsObject,
                            AU7_RetentionRemovesOldEntriesButNeverTheNewest,
                            SeveralThreadsAppendAtOnce);

}  // namespace understudy::test
