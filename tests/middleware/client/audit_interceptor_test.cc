#include "middleware/client/audit_interceptor.h"

#include <atomic>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "middleware/auth/static_auth.h"
#include "middleware/platform/openssl_crypto.h"
#include "middleware/platform/system_runtime.h"
#include "middleware/store/in_memory_audit_sink.h"
#include "tests/middleware/client/client_test_support.h"

namespace understudy {
namespace {

using namespace std::chrono_literals;  // NOLINT: literals
using nlohmann::json;
using test::ClientWorld;
using test::ConnectionReset;
using test::PlainRetry;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

// The calls live in the time of a FakeClock; the log works on real threads.
class AuditInterceptorTest : public ::testing::Test, protected ClientWorld {
 protected:
  AuditInterceptorTest() { Open({}); }
  ~AuditInterceptorTest() override {
    client.reset();
    log_.reset();
  }

  void Open(AuditLogOptions options) {
    log_.reset();
    log_ = AuditLog::Create(std::move(options), sink_, crypto_, system_.view()).value();
  }
  void UseAudited(ClientBuilder& builder, const AuditOptions& options = {}) {
    builder.Audit(*log_, options);
    Use(builder);
  }
  void UseAudited(ClientBuilder&& builder, const AuditOptions& options = {}) {
    UseAudited(builder, options);
  }
  // The records so far.
  std::vector<json> Trail() {
    EXPECT_TRUE(log_->Flush(Deadline::Never()));
    std::vector<json> records;
    text_.clear();
    for (const std::string& line : sink_->Lines()) {
      records.push_back(json::parse(line));
      text_ += line + "\n";
    }
    return records;
  }
  std::vector<std::string> Kinds() {
    std::vector<std::string> kinds;
    for (const json& record : Trail()) kinds.push_back(record["kind"]);
    return kinds;
  }

  OpensslCrypto crypto_;
  SystemRuntime system_;
  std::atomic<bool> sink_fails_ = false;
  std::shared_ptr<InMemoryAuditSink> sink_ = std::make_shared<InMemoryAuditSink>(
      InMemoryAuditSinkOptions{.before = [this](std::string_view) -> Result<void> {
        if (!sink_fails_) return {};
        return Error{ErrorCode::kStorage, "disk full", Delivery::kNotSent,
                     Origin::kLocal,      {},          "full"};
      }});
  std::unique_ptr<AuditLog> log_;
  std::string text_;
};

TEST_F(AuditInterceptorTest, AU2_TheSlotIsOutermostAndInnermost) {
  UseAudited(Builder().Fallback({}).Retry({}).Breaker({}).AttemptTimeout(2s));
  const std::string text = client->Describe();
  EXPECT_THAT(text, HasSubstr("  1. audit: the call\n"));
  EXPECT_THAT(text, HasSubstr(". audit: the attempt\n"));
  EXPECT_LT(text.find("attempt timeout"), text.find("audit: the attempt"));
  EXPECT_LT(text.find("audit: the attempt"), text.find(". transport"));
}

TEST_F(AuditInterceptorTest, AU6_OneRecordPerAttemptAndOnePerCallShareTheCallId) {
  UseAudited(Builder().Retry(PlainRetry()).Breaker({}));
  vendor.Answer(503).After(20ms);
  vendor.Answer(200, {{"Content-Type", "text/plain"}}, "hello").After(30ms);
  ASSERT_TRUE(Get({.operation = "orders.get"}));
  const std::vector<json> trail = Trail();
  ASSERT_EQ(trail.size(), 3u);
  const json& first = trail[0];
  const json& second = trail[1];
  const json& call = trail[2];
  EXPECT_EQ(first["kind"], "attempt");
  EXPECT_EQ(first["attempt"], 1);
  EXPECT_EQ(first["send"], 1);
  EXPECT_EQ(first["status"], 503);
  EXPECT_EQ(first["outcome"], "unavailable");
  EXPECT_EQ(first["breaker"], "closed");
  EXPECT_EQ(first["duration_ns"], 20'000'000);
  EXPECT_EQ(first["after_ns"], 0);
  EXPECT_FALSE(first.contains("because"));
  EXPECT_EQ(second["attempt"], 2);
  EXPECT_EQ(second["status"], 200);
  EXPECT_EQ(second["after_ns"], 120'000'000);
  EXPECT_THAT(second["because"], HasSubstr("retry in 100ms"));
  EXPECT_EQ(second["response_headers"], json::parse(R"([["Content-Type", "text/plain"]])"));
  EXPECT_EQ(second["response_body"]["length"], 5);
  EXPECT_EQ(call["kind"], "call");
  EXPECT_EQ(call["sends"], 2);
  EXPECT_EQ(call["status"], 200);
  EXPECT_EQ(call["duration_ns"], 150'000'000);
  EXPECT_EQ(call["provider"], "vendor");
  EXPECT_EQ(call["operation"], "orders.get");
  EXPECT_EQ(call["decisions"][0]["layer"], "retry");
  for (const json& record : trail) {
    EXPECT_EQ(record["call_id"], call["id"]);
    EXPECT_EQ(record["url"], "https://api.vendor.example/v1/things/1");
    EXPECT_EQ(record["method"], "GET");
  }
  EXPECT_NE(first["id"], second["id"]);
  // The wall clock, with its zone.
  EXPECT_EQ(first["at"], "1994-11-06T08:49:37.000000000Z");
  EXPECT_EQ(second["at"], "1994-11-06T08:49:37.120000000Z");
}

TEST_F(AuditInterceptorTest, AU1_ManyCallsHaveEachTheirOwnIdAndNothingIsKeptOfThem) {
  UseAudited(Builder());
  vendor.Answer(200).Times(1000);
  for (int i = 0; i < 1000; ++i) ASSERT_TRUE(Get());
  std::set<std::string> ids;
  for (const json& record : Trail()) {
    ids.insert(record["call_id"]);
    EXPECT_GE(record["duration_ns"], 0);
  }
  EXPECT_EQ(ids.size(), 1000u);
  EXPECT_EQ(log_->stats().queued_bytes, 0u);
}

TEST_F(AuditInterceptorTest, AU1_NetworkErrorsAreInTheTrail) {
  UseAudited(Builder());
  vendor.Fail(ConnectionReset());
  ASSERT_FALSE(Get());
  const std::vector<json> trail = Trail();
  ASSERT_EQ(trail.size(), 2u);
  for (const json& record : trail) {
    EXPECT_EQ(record["error"], "connection");
    EXPECT_EQ(record["delivery"], "maybe-sent");
    EXPECT_EQ(record["reason"], "reset");
  }
}

TEST_F(AuditInterceptorTest, ACallThatIsNotSentIsInTheTrailToo) {
  UseAudited(Builder().Breaker({.failures = 1}));
  vendor.Answer(500);
  static_cast<void>(Get());
  ASSERT_EQ(Get().error().code, ErrorCode::kCircuitOpen);
  const std::vector<json> trail = Trail();
  ASSERT_EQ(trail.size(), 3u);
  EXPECT_EQ(trail[2]["kind"], "call");
  EXPECT_EQ(trail[2]["error"], "circuit-open");
  EXPECT_EQ(trail[2]["sends"], 0);
}

TEST_F(AuditInterceptorTest, AU3_CredentialsOfTheRequestAreNotInTheTrail) {
  UseAudited(Builder().Auth(BearerAuth::Create(Secret("verysecret")).value()),
             {.bodies = BodyAudit::kPreview});
  vendor.Answer(200, {{"Set-Cookie", "s=verysecret"}, {"Content-Type", "application/json"}},
                R"({"access_token":"verysecret","id":1})");
  ASSERT_TRUE(Post());
  const std::vector<json> trail = Trail();
  EXPECT_THAT(trail[0]["hidden_request_headers"], Not(json::array()));
  EXPECT_EQ(trail[0]["response_body"]["preview"], R"({"access_token":"[redacted]","id":1})");
  EXPECT_THAT(text_, Not(HasSubstr("verysecret")));
}

TEST_F(AuditInterceptorTest, TheTraceOfTheCallerJoinsTheRecords) {
  UseAudited(Builder());
  vendor.Answer(200);
  ASSERT_TRUE(Get({.traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}));
  EXPECT_EQ(Trail().back()["trace_id"], "4bf92f3577b34da6a3ce929d0e0e4736");
}

TEST_F(AuditInterceptorTest, AttemptsCanBeLeftOut) {
  UseAudited(Builder(), {.attempts = false});
  vendor.Answer(200);
  ASSERT_TRUE(Get());
  EXPECT_THAT(Kinds(), ElementsAre("call"));
}

TEST_F(AuditInterceptorTest, QS1_AFailingSinkChangesNeitherTheResultNorTheBreaker) {
  auto breakers = std::make_shared<BreakerRegistry>(world.runtime());
  UseAudited(Builder().Breaker({.failures = 1}, breakers));
  sink_fails_ = true;
  vendor.Answer(201, {}, "charged").Times(20);
  for (int i = 0; i < 20; ++i) {
    const auto charged = Post();
    ASSERT_TRUE(charged);  // Money moved, and the caller sees that.
    EXPECT_EQ(charged->body, "charged");
  }
  EXPECT_EQ(world.events.Count("breaker"), 0u);
  sink_fails_ = false;
  EXPECT_EQ(Trail().size(), 40u);
}

TEST_F(AuditInterceptorTest, QS1_AFullQueueChangesNothing) {
  Open({.records_max = 1});
  UseAudited(Builder().Breaker({.failures = 1}));
  sink_fails_ = true;
  vendor.Answer(200).Times(50);
  for (int i = 0; i < 50; ++i) ASSERT_TRUE(Get());
  EXPECT_GE(log_->stats().lost(AuditDrop::kQueueFull), 99u);
  sink_fails_ = false;
}

TEST_F(AuditInterceptorTest, QS1_AMustAuditRefusalIsNoOutcomeOfTheBreaker) {
  UseAudited(Builder().Breaker({.failures = 1}).Retry(PlainRetry()), {.must_audit = true});
  sink_fails_ = true;
  for (int i = 0; i < 3; ++i) {
    const auto refused = Post();
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::kStorage);
    EXPECT_EQ(refused.error().reason, "audit-unavailable");
    EXPECT_EQ(refused.error().delivery, Delivery::kNotSent);
  }
  EXPECT_EQ(vendor.sends(), 0u);
  EXPECT_EQ(world.events.Count("breaker"), 0u);
  EXPECT_EQ(world.events.Count("retry"), 0u);
  EXPECT_THAT(report.ToString(), HasSubstr("audit: refused"));
  sink_fails_ = false;
  static_cast<void>(Trail());
  vendor.Answer(200);
  EXPECT_TRUE(Post());
}

TEST_F(AuditInterceptorTest, AU5_AMustAuditCallIsInTheTrailBeforeItIsSent) {
  UseAudited(Builder(), {.must_audit = true});
  std::vector<std::string> seen;
  vendor.Call([&](const http::Request&) -> Result<http::Response> {
    seen = sink_->Lines();
    return http::Response{200, {}, {}};
  });
  ASSERT_TRUE(Post());
  ASSERT_EQ(seen.size(), 1u);
  EXPECT_EQ(json::parse(seen[0])["kind"], "call.start");
  EXPECT_THAT(Kinds(), ElementsAre("call.start", "attempt", "call"));
  const std::vector<json> trail = Trail();
  EXPECT_EQ(trail[0]["call_id"], trail[2]["id"]);
}

TEST_F(AuditInterceptorTest, AHedgedRequestBelongsToTheSameCall) {
  UseAudited(Builder());
  vendor.Answer(200);
  ASSERT_TRUE(Get());
  CallContext context({});
  context.set_audit_tag({7, TimePoint(5s)});
  EXPECT_EQ(context.Fork({}).audit_tag().call, 7u);
  EXPECT_EQ(context.Fork({}).audit_tag().started, TimePoint(5s));
}

}  // namespace
}  // namespace understudy
