#include "middleware/platform/postgres_webhook_store.h"

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "middleware/platform/postgres_database.h"
#include "tests/contract/webhook_store_contract.h"
#include "tests/support/postgres_server.h"

namespace understudy {
namespace {

using namespace std::chrono_literals;  // NOLINT: literals
using internal::PostgresDatabase;
using test::PostgresServer;
using test::SharedPostgresServer;
using test::WebhookStoreContractTest;
using test::WebhookStoreFactory;
using testing::HasSubstr;
using testing::Not;

constexpr SystemTime kNow = SystemTime(1'700'000'000s);
constexpr Duration kLease = 30s;
constexpr auto kNothing = [](WebhookTransaction&) { return Result<void>(); };

WebhookEvent Event(const std::string& id) {
  return WebhookEvent{{"acme", "acct", id}, "order.paid", "{}", kNow};
}

std::unique_ptr<PostgresWebhookStore> MustOpen(const PostgresServer& server,
                                               PostgresWebhookStoreOptions options) {
  auto store = PostgresWebhookStore::Open(server.conninfo(), options);
  EXPECT_TRUE(store) << store.error().ToString();
  return std::move(store).value();
}

std::unique_ptr<WebhookStore> InAFreshSchema() {
  const auto server = SharedPostgresServer();
  if (!server) {
    EXPECT_EQ(server.error().code, ErrorCode::kNotFound) << server.error().message;
    return nullptr;
  }
  return MustOpen(**server, {.schema = (*server)->NewSchema()});
}

INSTANTIATE_TEST_SUITE_P(Postgres, WebhookStoreContractTest,
                         testing::Values(WebhookStoreFactory(InAFreshSchema)));

class PostgresWebhookStoreTest : public testing::Test {
 protected:
  void SetUp() override {
    UNDERSTUDY_SKIP_WITHOUT_POSTGRES();
    server_ = *SharedPostgresServer();
    options_.schema = server_->NewSchema();
  }
  std::unique_ptr<PostgresWebhookStore> Open() { return MustOpen(*server_, options_); }
  // Another program's connection.
  PostgresDatabase Foreign() {
    return std::move(PostgresDatabase::Open(server_->conninfo(), {.schema = options_.schema}))
        .value();
  }

  PostgresServer* server_ = nullptr;
  PostgresWebhookStoreOptions options_ = {};
};

TEST_F(PostgresWebhookStoreTest, KeepsEventsLeasesAndEffectsOverARestart) {
  WebhookLease lease;
  {
    auto store = Open();
    ASSERT_TRUE(store->Insert(Event("done")));
    ASSERT_TRUE(store->Insert(Event("claimed")));
    ASSERT_TRUE(store->Complete(**store->Claim(Event("done").key, kNow, kLease),
                                [](WebhookTransaction& t) { return t.Put("k", "v"); }));
    lease = **store->Claim(Event("claimed").key, kNow, kLease);
  }
  auto store = Open();
  EXPECT_EQ(store->Insert(Event("done"))->status, WebhookStatus::kCompleted);
  EXPECT_EQ(*store->GetEffect("k"), "v");
  EXPECT_EQ(**store->NextDue(), kNow + kLease);
  EXPECT_TRUE(store->Complete(lease, kNothing)) << "the lease is still held";
}

TEST_F(PostgresWebhookStoreTest, SeveralStoresShareTheEvents) {
  constexpr int kEvents = 40;
  auto writer = Open();
  for (int i = 0; i < kEvents; ++i) ASSERT_TRUE(writer->Insert(Event(std::to_string(i))));
  std::atomic<int> claims = 0;
  std::vector<std::thread> workers;
  for (int i = 0; i < 3; ++i) {
    workers.emplace_back([&] {
      auto store = Open();
      for (int empty = 0; empty < 3;) {
        const auto lease = store->ClaimNext(kNow, kLease);
        ASSERT_TRUE(lease) << lease.error().ToString();
        if (!*lease) {
          ++empty;
          continue;
        }
        ++claims;
        ASSERT_TRUE(store->Complete(**lease, [](WebhookTransaction& t) -> Result<void> {
          UNDERSTUDY_ASSIGN_OR_RETURN(const auto ignored, t.Get("never written"));
          static_cast<void>(ignored);
          return t.Put("last", "x");
        }));
      }
    });
  }
  for (std::thread& worker : workers) worker.join();
  EXPECT_EQ(claims, kEvents);
}

TEST_F(PostgresWebhookStoreTest, AWorkerPassesByAnEventThatAnotherIsTaking) {
  auto store = Open();
  ASSERT_TRUE(store->Insert(Event("a")));
  ASSERT_TRUE(store->Insert(Event("b")));
  PostgresDatabase other = Foreign();
  ASSERT_TRUE(other.InTransaction([&]() -> Result<void> {
    EXPECT_TRUE(other.Execute("SELECT 1 FROM webhook_events WHERE seq = 1 FOR UPDATE"));
    const auto claimed = store->ClaimNext(kNow, kLease);
    EXPECT_TRUE(claimed && *claimed && (*claimed)->event.key.event_id == "b");
    return {};
  }));
  EXPECT_EQ((**store->ClaimNext(kNow, kLease)).event.key.event_id, "a");
}

TEST_F(PostgresWebhookStoreTest, ALockedTableIsBusyWithinABoundAndNothingIsLost) {
  options_.statement_timeout = 50ms;
  auto store = Open();
  ASSERT_TRUE(store->Insert(Event("before")));
  PostgresDatabase other = Foreign();
  ASSERT_TRUE(other.InTransaction([&]() -> Result<void> {
    EXPECT_TRUE(other.Execute("LOCK TABLE webhook_events"));
    const auto refused = store->Insert(Event("e"));
    EXPECT_EQ(refused.error().code, ErrorCode::kStorage);
    EXPECT_EQ(refused.error().reason, "busy");
    EXPECT_EQ(store->ClaimNext(kNow, kLease).error().reason, "busy");
    return {};
  }));
  EXPECT_EQ(store->Insert(Event("e"))->outcome, InsertOutcome::kInserted);
  EXPECT_EQ(store->Insert(Event("before"))->outcome, InsertOutcome::kDuplicate);
}

TEST_F(PostgresWebhookStoreTest, OneEventThatCannotBeStoredDoesNotFailTheOthers) {
  auto store = Open();
  server_->Psql("SET search_path = " + options_.schema +
                "; ALTER TABLE webhook_events ADD CHECK (event_id <> 'bad')");
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&, i] {
      for (int n = 0; n < 25; ++n) {
        EXPECT_TRUE(store->Insert(Event(std::to_string(i) + "/" + std::to_string(n))));
        EXPECT_EQ(store->Insert(Event("bad")).error().reason, "constraint");
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(store->List(WebhookStatus::kPending, 1000)->size(), 100U);
}

TEST_F(PostgresWebhookStoreTest, EffectsThatCannotBeWrittenRollBackTheCompletion) {
  auto store = Open();
  ASSERT_TRUE(store->Insert(Event("e")));
  const WebhookLease lease = **store->Claim(Event("e").key, kNow, kLease);
  server_->Psql("SET search_path = " + options_.schema +
                "; ALTER TABLE webhook_effects ADD CONSTRAINT no CHECK (key <> 'k')");
  const auto failed =
      store->Complete(lease, [](WebhookTransaction& t) { return t.Put("k", "topsecret"); });
  EXPECT_EQ(failed.error().code, ErrorCode::kStorage);
  EXPECT_THAT(failed.error().ToString(), Not(HasSubstr("topsecret")));
  EXPECT_EQ((**store->Find(lease.event.key)).status, WebhookStatus::kProcessing);
  EXPECT_TRUE(store->Complete(lease, kNothing));
}

TEST_F(PostgresWebhookStoreTest, AKeyThatIsTooLongIsRefusedAlone) {
  auto store = Open();
  // Noise, because PostgreSQL compresses what it can.
  std::string noise;
  std::uint64_t state = 1;
  for (int i = 0; i < 9000; ++i) {
    state = state * 6364136223846793005U + 1442695040888963407U;
    noise.push_back(static_cast<char>(state >> 56U));
  }
  EXPECT_EQ(store->Insert(Event(noise)).error().reason, "too-large");
  EXPECT_TRUE(store->Insert(Event("e")));
}

TEST_F(PostgresWebhookStoreTest, RefusesTablesOfANewerProgram) {
  Open();
  server_->Psql("UPDATE " + options_.schema + ".understudy_migrations SET version = 99");
  EXPECT_EQ(PostgresWebhookStore::Open(server_->conninfo(), options_).error().reason, "schema");
}

TEST_F(PostgresWebhookStoreTest, ShowsTheEventsToOperators) {
  auto store = Open();
  ASSERT_TRUE(store->Insert(Event("e")));
  EXPECT_EQ(
      server_->Psql("SELECT provider, event_id, status, received_at AT TIME ZONE 'UTC' FROM " +
                    options_.schema + ".webhook_events_readable"),
      "acme|e|pending|2023-11-14 22:13:20");
}

TEST_F(PostgresWebhookStoreTest, AServerThatIsGoneLosesNothingThatWasAcknowledged) {
  auto own = PostgresServer::Start({.fsync = true});
  ASSERT_TRUE(own) << own.error().message;
  auto store = MustOpen(**own, {});
  ASSERT_TRUE(store->Insert(Event("kept")));
  const WebhookLease lease = **store->Claim(Event("kept").key, kNow, kLease);
  (*own)->Crash();
  EXPECT_EQ(store->Insert(Event("refused")).error().reason, "gone");
  EXPECT_EQ(store->ClaimNext(kNow, kLease).error().reason, "gone");
  EXPECT_EQ(store->Complete(lease, kNothing).error().reason, "gone");
  EXPECT_EQ(PostgresWebhookStore::Open((*own)->conninfo()).error().reason, "gone");
  ASSERT_TRUE((*own)->Restart());
  EXPECT_EQ(store->Insert(Event("kept"))->outcome, InsertOutcome::kDuplicate);
  EXPECT_EQ(store->Insert(Event("refused"))->outcome, InsertOutcome::kInserted);
  EXPECT_TRUE(store->Complete(lease, kNothing)) << "the lease outlived the server's crash";
}

TEST_F(PostgresWebhookStoreTest, RefusesOptionsThatMakeNoSense) {
  EXPECT_EQ(PostgresWebhookStore::Open(server_->conninfo(), {.connections_max = 1}).error().code,
            ErrorCode::kInvalidArgument);
  EXPECT_EQ(PostgresWebhookStore::Open(server_->conninfo(), {.statement_timeout = 0s}).error().code,
            ErrorCode::kInvalidArgument);
  EXPECT_EQ(PostgresWebhookStore::Open("no string").error().code, ErrorCode::kInvalidArgument);
}

TEST_F(PostgresWebhookStoreTest, ALeaseThatIsTooLongToCountNeverEnds) {
  auto store = Open();
  ASSERT_TRUE(store->Insert(Event("e")));
  EXPECT_EQ((**store->Claim(Event("e").key, kNow, Duration::max())).until, SystemTime::max());
}

}  // namespace
}  // namespace understudy
