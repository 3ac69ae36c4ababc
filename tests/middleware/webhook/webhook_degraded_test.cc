// A database that is full, locked, slow or gone: the vendor is told to come again, and nothing that
// was acknowledged is lost.
#include <array>
#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include <gtest/gtest.h>
#include <sqlite3.h>

#include "middleware/platform/openssl_crypto.h"
#include "middleware/platform/postgres_database.h"
#include "middleware/platform/postgres_webhook_store.h"
#include "middleware/platform/sqlite_webhook_store.h"
#include "middleware/platform/system_runtime.h"
#include "middleware/webhook/webhook_receiver.h"
#include "tests/support/postgres_server.h"

namespace understudy::test {
namespace {

using namespace std::chrono_literals;  // NOLINT: literals

const Secret kSecret = Secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");

// A receiver in queued mode over a store; the test is its own worker.
class Endpoint {
 public:
  explicit Endpoint(WebhookStore& store) : store_(store), processor_(system_.view(), store) {
    processor_.RegisterHandler("order.paid", [](const WebhookEvent& event, WebhookTransaction& t) {
      return t.Put(event.key.event_id, "paid");
    });
    auto verifier = SignatureVerifier::Create(crypto_, *FindScheme("stripe"), {kSecret});
    receiver_ =
        WebhookReceiver::Create(system_.view(), std::move(verifier).value(), store, processor_,
                                {.provider = "acme", .mode = WebhookMode::kQueued})
            .value();
  }

  http::Response Deliver(const std::string& id, std::size_t bytes = 0) {
    http::Request request;
    request.method = http::Method::Post();
    request.body =
        R"({"id":")" + id + R"(","type":"order.paid","note":")" + std::string(bytes, 'x') + R"("})";
    request.headers = *Sign(crypto_, *FindScheme("stripe"), kSecret, "",
                            std::chrono::system_clock::now(), request.body);
    http::Response response = receiver_->Handle(request);
    if (response.status == 200) ++acknowledged_;
    return response;
  }

  void ExpectRefusedForNow(const http::Response& response) {
    EXPECT_EQ(response.status, 503);
    EXPECT_EQ(response.body, R"({"error":"storage-failed"})");
    EXPECT_EQ(response.headers.Get("Retry-After"), "5");
  }

  // Processes everything there is: as many as were acknowledged.
  void ExpectEverythingAcknowledgedIsProcessed() {
    std::size_t processed = 0;
    for (;;) {
      const auto pending = store_.List(WebhookStatus::kPending, 1);
      ASSERT_TRUE(pending) << pending.error().ToString();
      if (pending->empty()) break;
      const WebhookKey key = pending->front().event.key;
      ASSERT_EQ(processor_.ProcessNow(key).outcome, WebhookOutcome::kCompleted);
      EXPECT_EQ(*store_.GetEffect(key.event_id), "paid");
      ++processed;
    }
    EXPECT_EQ(processed, acknowledged_);
  }

 private:
  WebhookStore& store_;
  SystemRuntime system_;
  const OpensslCrypto crypto_;
  WebhookProcessor processor_;
  std::unique_ptr<WebhookReceiver> receiver_;
  std::size_t acknowledged_ = 0;
};

class WebhookOverSqliteTest : public testing::Test {
 protected:
  WebhookOverSqliteTest() {
    std::string pattern = (std::filesystem::temp_directory_path() / "us-degraded-XXXXXX").string();
    EXPECT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  ~WebhookOverSqliteTest() override {
    sqlite3_close(foreign_);
    std::filesystem::remove_all(folder_);
  }

  std::string File() const { return (folder_ / "webhooks.db").string(); }
  std::unique_ptr<SqliteWebhookStore> Open(const SqliteWebhookStoreOptions& options) const {
    auto store = SqliteWebhookStore::Open(File(), options);
    EXPECT_TRUE(store) << store.error().ToString();
    return std::move(store).value();
  }
  // As another program's connection.
  void Foreign(const char* sql) {
    if (foreign_ == nullptr) {
      EXPECT_EQ(sqlite3_open(File().c_str(), &foreign_), SQLITE_OK);
    }
    EXPECT_EQ(sqlite3_exec(foreign_, sql, nullptr, nullptr, nullptr), SQLITE_OK);
  }

  std::filesystem::path folder_;
  sqlite3* foreign_ = nullptr;
};

TEST_F(WebhookOverSqliteTest, AFullFileIs503AndKeepsWhatWasAcknowledged) {
  auto store = Open({.file_bytes_max = 400'000});
  Endpoint endpoint(*store);
  int delivered = 0;
  while (endpoint.Deliver("e" + std::to_string(delivered), 5'000).status == 200) {
    ASSERT_LT(++delivered, 200);
  }
  EXPECT_GT(delivered, 20);
  endpoint.ExpectRefusedForNow(endpoint.Deliver("late", 5'000));
  EXPECT_EQ(store->Insert({{"acme", "", "x"}, "t", std::string(5'000, 'x'), {}}).error().reason,
            "full");
  store.reset();
  store = Open({});
  Endpoint after(*store);
  EXPECT_EQ(after.Deliver("e0", 5'000).body, R"({"received":true,"duplicate":true})");
  EXPECT_EQ(store->List(WebhookStatus::kPending, 1000)->size(),
            static_cast<std::size_t>(delivered));
}

TEST_F(WebhookOverSqliteTest, ALockedFileIs503WithinABound) {
  const auto store = Open({.busy_timeout = 30ms});
  Endpoint endpoint(*store);
  ASSERT_EQ(endpoint.Deliver("before").status, 200);
  Foreign("BEGIN IMMEDIATE");
  endpoint.ExpectRefusedForNow(endpoint.Deliver("during"));
  Foreign("ROLLBACK");
  EXPECT_EQ(endpoint.Deliver("during").status, 200) << "the vendor's next delivery";
  endpoint.ExpectEverythingAcknowledgedIsProcessed();
}

TEST_F(WebhookOverSqliteTest, ManySendersAtALockedFileDoNotWaitOneAfterTheOther) {
  const auto store = Open({.busy_timeout = 200ms});
  Foreign("CREATE TABLE IF NOT EXISTS other (x); BEGIN IMMEDIATE");
  const auto start = std::chrono::steady_clock::now();
  std::vector<std::thread> senders;
  for (int i = 0; i < 20; ++i) {
    senders.emplace_back([&, i] {
      const WebhookEvent event{{"acme", "", std::to_string(i)}, "t", "{}", {}};
      EXPECT_EQ(store->Insert(event).error().reason, "busy");
    });
  }
  for (std::thread& sender : senders) sender.join();
  // One batch of one, one batch of all the others; not twenty of 200 ms.
  EXPECT_LT(std::chrono::steady_clock::now() - start, 2s);
  Foreign("ROLLBACK");
}

TEST_F(WebhookOverSqliteTest, ASlowFileDelaysTheAcknowledgement) {
  const auto store = Open({.busy_timeout = 30s});
  Endpoint endpoint(*store);
  Foreign("BEGIN IMMEDIATE");
  http::Response response;
  std::thread sender([&] { response = endpoint.Deliver("e"); });
  Foreign("CREATE TABLE other (x); COMMIT");
  sender.join();
  EXPECT_EQ(response.status, 200);
  endpoint.ExpectEverythingAcknowledgedIsProcessed();
}

class WebhookOverPostgresTest : public testing::Test {
 protected:
  void SetUp() override {
    auto server = PostgresServer::Start({.fsync = true});
    if (!server && server.error().code == ErrorCode::kNotFound) {
      GTEST_SKIP() << server.error().message;
    }
    ASSERT_TRUE(server) << server.error().message;
    server_ = std::move(server).value();
  }

  std::unique_ptr<PostgresServer> server_;
};

TEST_F(WebhookOverPostgresTest, AServerThatIsGoneLockedOrSlowIs503AndLosesNothing) {
  auto store =
      PostgresWebhookStore::Open(server_->conninfo(), {.statement_timeout = 300ms}).value();
  Endpoint endpoint(*store);
  ASSERT_EQ(endpoint.Deliver("before").status, 200);

  auto other = internal::PostgresDatabase::Open(server_->conninfo(), {}).value();
  ASSERT_TRUE(other.InTransaction([&]() -> Result<void> {
    EXPECT_TRUE(other.Execute("LOCK TABLE webhook_events"));
    endpoint.ExpectRefusedForNow(endpoint.Deliver("locked"));
    return {};
  }));
  ASSERT_EQ(endpoint.Deliver("locked").status, 200);

  server_->Psql(
      "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
      "PERFORM pg_sleep(5); RETURN new; END $$; CREATE TRIGGER slow BEFORE INSERT ON "
      "webhook_events FOR EACH ROW EXECUTE FUNCTION slow()");
  endpoint.ExpectRefusedForNow(endpoint.Deliver("slow"));
  server_->Psql("DROP TRIGGER slow ON webhook_events");
  ASSERT_EQ(endpoint.Deliver("slow").status, 200);

  server_->Crash();
  endpoint.ExpectRefusedForNow(endpoint.Deliver("gone"));
  ASSERT_TRUE(server_->Restart());
  ASSERT_EQ(endpoint.Deliver("gone").status, 200);
  endpoint.ExpectEverythingAcknowledgedIsProcessed();
}

}  // namespace
}  // namespace understudy::test
