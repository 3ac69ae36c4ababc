#include "middleware/platform/sqlite_webhook_store.h"

#include <atomic>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>
#include <sqlite3.h>

#include "middleware/platform/system_random.h"
#include "tests/contract/webhook_store_contract.h"

namespace understudy {
namespace {

using test::WebhookStoreContractTest;
using test::WebhookStoreFactory;
using namespace std::chrono_literals;

// A folder that ends with the object.
class TemporaryFolder {
 public:
  TemporaryFolder()
      : path_(std::filesystem::path(testing::TempDir()) / ("us-" + SystemRandom().Uuid("test"))) {
    std::filesystem::create_directories(path_);
  }
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  std::string File(const std::string& name) const { return (path_ / name).string(); }

 private:
  std::filesystem::path path_;
};

// Another program's connection to the file.
class ForeignConnection {
 public:
  explicit ForeignConnection(const std::string& path) {
    EXPECT_EQ(sqlite3_open(path.c_str(), &connection_), SQLITE_OK);
  }
  ~ForeignConnection() { sqlite3_close(connection_); }
  ForeignConnection(const ForeignConnection&) = delete;
  ForeignConnection& operator=(const ForeignConnection&) = delete;

  void Execute(const char* sql) {
    EXPECT_EQ(sqlite3_exec(connection_, sql, nullptr, nullptr, nullptr), SQLITE_OK)
        << sqlite3_errmsg(connection_);
  }

 private:
  sqlite3* connection_ = nullptr;
};

constexpr SqliteWebhookStoreOptions kFast = {.durability = SqliteDurability::kProcessCrash};

std::unique_ptr<SqliteWebhookStore> MustOpen(const std::string& path,
                                             const SqliteWebhookStoreOptions& options = kFast) {
  auto store = SqliteWebhookStore::Open(path, options);
  EXPECT_TRUE(store) << store.error().ToString();
  return std::move(store).value();
}

// The contract suite wants a factory without arguments: each store gets a folder that is kept until
// the next one.
WebhookStoreFactory InFiles() {
  auto folder = std::make_shared<std::unique_ptr<TemporaryFolder>>();
  return [folder] {
    *folder = std::make_unique<TemporaryFolder>();
    return MustOpen((*folder)->File("webhooks.db"));
  };
}

INSTANTIATE_TEST_SUITE_P(SqliteInMemory, WebhookStoreContractTest,
                         testing::Values(WebhookStoreFactory([] { return MustOpen(":memory:"); })));
INSTANTIATE_TEST_SUITE_P(SqliteFile, WebhookStoreContractTest, testing::Values(InFiles()));

constexpr SystemTime kNow = SystemTime(1'700'000'000s);
constexpr Duration kLease = 30s;

WebhookEvent Event(const std::string& id) {
  return WebhookEvent{{"acme", "acct", id}, "order.paid", "{}", kNow};
}

constexpr auto kNothing = [](WebhookTransaction&) { return Result<void>(); };

class SqliteWebhookStoreTest : public testing::Test {
 protected:
  TemporaryFolder folder_;
  const std::string path_ = folder_.File("webhooks.db");
};

TEST_F(SqliteWebhookStoreTest, KeepsEventsLeasesAndEffectsOverARestart) {
  WebhookLease lease;
  {
    auto store = MustOpen(path_, {});
    ASSERT_TRUE(store->Insert(Event("done")));
    ASSERT_TRUE(store->Insert(Event("claimed")));
    ASSERT_TRUE(store->Complete(**store->Claim(Event("done").key, kNow, kLease),
                                [](WebhookTransaction& t) { return t.Put("k", "v"); }));
    lease = **store->Claim(Event("claimed").key, kNow, kLease);
  }
  auto store = MustOpen(path_, {});
  EXPECT_EQ(store->Insert(Event("done"))->status, WebhookStatus::kCompleted);
  EXPECT_EQ(*store->GetEffect("k"), "v");
  EXPECT_EQ(**store->NextDue(), kNow + kLease);
  EXPECT_TRUE(store->Complete(lease, kNothing)) << "the lease is still held";
}

TEST_F(SqliteWebhookStoreTest, GivesOneEventToOneOfSeveralConnections) {
  constexpr int kEvents = 60;
  auto writer = MustOpen(path_);
  for (int i = 0; i < kEvents; ++i) ASSERT_TRUE(writer->Insert(Event(std::to_string(i))));
  std::atomic<int> claims = 0;
  std::vector<std::thread> workers;
  for (int i = 0; i < 3; ++i) {
    workers.emplace_back([&] {
      auto store = MustOpen(path_);
      for (;;) {
        const auto lease = store->ClaimNext(kNow, kLease);
        ASSERT_TRUE(lease) << lease.error().ToString();
        if (!*lease) return;
        ++claims;
        ASSERT_TRUE(store->Complete(**lease, kNothing));
      }
    });
  }
  for (std::thread& worker : workers) worker.join();
  EXPECT_EQ(claims, kEvents);
  EXPECT_EQ(writer->List(WebhookStatus::kCompleted, 1000)->size(), std::size_t{kEvents});
}

TEST_F(SqliteWebhookStoreTest, FencesALeaseThatAnotherConnectionTookOver) {
  auto one = MustOpen(path_);
  auto two = MustOpen(path_);
  ASSERT_TRUE(one->Insert(Event("e")));
  const WebhookLease slow = **one->Claim(Event("e").key, kNow, kLease);
  const auto completed = one->Complete(slow, [&](WebhookTransaction& transaction) {
    // While the work runs, its lease expires and somebody else does the job: no lock is held.
    const WebhookLease fast = **two->Claim(Event("e").key, kNow + kLease, kLease);
    EXPECT_TRUE(two->Complete(fast, kNothing));
    return transaction.Put("k", "slow");
  });
  EXPECT_EQ(completed.error().reason, "lease-lost");
  EXPECT_EQ(*one->GetEffect("k"), std::nullopt);
}

TEST_F(SqliteWebhookStoreTest, RefusesToCommitWorkThatReadAnOutdatedValue) {
  auto store = MustOpen(path_);
  ASSERT_TRUE(store->Insert(Event("a")));
  ASSERT_TRUE(store->Insert(Event("b")));
  const WebhookLease a = **store->Claim(Event("a").key, kNow, kLease);
  const WebhookLease b = **store->Claim(Event("b").key, kNow, kLease);
  const auto completed = store->Complete(a, [&](WebhookTransaction& transaction) {
    EXPECT_EQ(*transaction.Get("k"), std::nullopt);
    EXPECT_TRUE(store->Complete(b, [](WebhookTransaction& t) { return t.Put("k", "b"); }));
    return transaction.Put("k", "a");
  });
  EXPECT_EQ(completed.error().reason, "conflict");
  EXPECT_EQ(*store->GetEffect("k"), "b");
  EXPECT_EQ((**store->Find(a.event.key)).status, WebhookStatus::kProcessing);
}

TEST_F(SqliteWebhookStoreTest, OpensANewFileFromSeveralThreadsAtOnce) {
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back(
        [&, i] { EXPECT_TRUE(MustOpen(path_)->Insert(Event(std::to_string(i)))); });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(MustOpen(path_)->List(WebhookStatus::kPending, 10)->size(), 4U);
}

TEST_F(SqliteWebhookStoreTest, TellsEachConcurrentInserterItsOwnOutcome) {
  constexpr int kPerThread = 40;
  auto store = MustOpen(path_);
  std::atomic<int> inserted = 0;
  std::atomic<int> duplicates = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int n = 0; n < kPerThread; ++n) {
        const auto result = store->Insert(Event(std::to_string(n)));
        ASSERT_TRUE(result) << result.error().ToString();
        ++(result->outcome == InsertOutcome::kInserted ? inserted : duplicates);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(inserted, kPerThread);
  EXPECT_EQ(duplicates, 3 * kPerThread);
}

TEST_F(SqliteWebhookStoreTest, FailsWithinABoundWhileAnotherProgramKeepsTheFileLocked) {
  auto store =
      MustOpen(path_, {.durability = SqliteDurability::kProcessCrash, .busy_timeout = 20ms});
  ASSERT_TRUE(store->Insert(Event("before")));
  ForeignConnection foreign(path_);
  foreign.Execute("BEGIN IMMEDIATE");
  const auto refused = store->Insert(Event("e"));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kStorage);
  EXPECT_EQ(refused.error().reason, "busy");
  EXPECT_EQ(store->Claim(Event("before").key, kNow, kLease).error().reason, "busy");
  EXPECT_TRUE(store->Find(Event("before").key)) << "reading goes on";
  foreign.Execute("ROLLBACK");
  EXPECT_TRUE(store->Insert(Event("e")));
}

TEST_F(SqliteWebhookStoreTest, SurvivesEffectsThatCannotBeWritten) {
  auto store = MustOpen(path_);
  ASSERT_TRUE(store->Insert(Event("e")));
  const WebhookLease lease = **store->Claim(Event("e").key, kNow, kLease);
  ForeignConnection(path_).Execute(
      "CREATE TRIGGER no BEFORE INSERT ON webhook_effects BEGIN SELECT raise(ABORT, 'no'); END");
  const auto failed =
      store->Complete(lease, [](WebhookTransaction& t) { return t.Put("k", "secret"); });
  EXPECT_EQ(failed.error().code, ErrorCode::kStorage);
  EXPECT_EQ(failed.error().message.find("secret"), std::string::npos);
  EXPECT_EQ((**store->Find(lease.event.key)).status, WebhookStatus::kProcessing)
      << "completion was rolled back with the effects";
  ForeignConnection(path_).Execute("DROP TRIGGER no");
  EXPECT_TRUE(store->Complete(lease, kNothing));
}

TEST_F(SqliteWebhookStoreTest, OneEventThatCannotBeStoredDoesNotFailTheOthers) {
  auto store = MustOpen(path_);
  ForeignConnection(path_).Execute(
      "CREATE TRIGGER no BEFORE INSERT ON webhook_events WHEN new.event_id = 'bad' "
      "BEGIN SELECT raise(ABORT, 'no'); END");
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&, i] {
      for (int n = 0; n < 25; ++n) {
        EXPECT_TRUE(store->Insert(Event(std::to_string(i) + "/" + std::to_string(n))));
        EXPECT_EQ(store->Insert(Event("bad")).error().code, ErrorCode::kStorage);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(store->List(WebhookStatus::kPending, 1000)->size(), 100U);
}

TEST_F(SqliteWebhookStoreTest, RefusesAFileOfANewerProgram) {
  MustOpen(path_);
  ForeignConnection(path_).Execute("PRAGMA user_version = 99");
  const auto refused = SqliteWebhookStore::Open(path_);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kStorage);
  EXPECT_EQ(refused.error().reason, "schema");
}

TEST_F(SqliteWebhookStoreTest, RefusesAFileThatIsNoDatabase) {
  std::ofstream(path_) << std::string(5000, 'x');
  EXPECT_EQ(SqliteWebhookStore::Open(path_).error().reason, "corrupt");
}

TEST_F(SqliteWebhookStoreTest, ReportsAFolderThatDoesNotExist) {
  const auto refused = SqliteWebhookStore::Open(folder_.File("no/such/folder.db"));
  EXPECT_EQ(refused.error().code, ErrorCode::kStorage);
}

TEST_F(SqliteWebhookStoreTest, ALeaseThatIsTooLongToCountNeverEnds) {
  auto store = MustOpen(path_);
  ASSERT_TRUE(store->Insert(Event("e")));
  EXPECT_EQ((**store->Claim(Event("e").key, kNow, Duration::max())).until, SystemTime::max());
}

}  // namespace
}  // namespace understudy
