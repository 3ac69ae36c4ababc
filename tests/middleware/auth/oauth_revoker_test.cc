#include "middleware/auth/oauth_revoker.h"

#include <chrono>
#include <memory>
#include <string>
#include <utility>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/fake_clock.h"
#include "tests/support/scripted_transport.h"

namespace understudy::test {
namespace {

using std::chrono::seconds;
using testing::HasSubstr;
using testing::Not;

class OAuthRevokerTest : public testing::Test {
 protected:
  static OAuthRevokerOptions Options() {
    OAuthRevokerOptions options;
    options.revocation_url = "https://as.example/revoke";
    options.client_id = "app";
    options.client_secret = Secret("s3cret");
    return options;
  }
  Result<Revoked> Revoke(const OAuthRevokerOptions& options = Options(),
                         TokenKind kind = TokenKind::kRefresh, const std::string& token = "rt-1") {
    const auto revoker = OAuthRevoker::Create(clock_, transport_, options).value();
    return revoker->Revoke(Secret(token), kind, Deadline::After(clock_.Now(), seconds(10)), {});
  }
  std::string Outcome(int status, std::string body, http::Headers headers = {}) {
    transport_.Answer(status, std::move(headers), std::move(body));
    const auto revoked = Revoke();
    if (revoked) return *revoked == Revoked::kConfirmed ? "confirmed" : "unsupported";
    EXPECT_THAT(revoked.error().ToString(), Not(HasSubstr("rt-1")));
    EXPECT_THAT(revoked.error().ToString(), Not(HasSubstr("s3cret")));
    return std::string(ToString(revoked.error().code)) + " " + revoked.error().reason;
  }

  FakeClock clock_;
  ScriptedTransport transport_{clock_};
};

TEST_F(OAuthRevokerTest, OA14_SendsTheFormOfRfc7009) {
  transport_.Answer(200).Forever();
  EXPECT_EQ(Revoke().value(), Revoked::kConfirmed);
  EXPECT_EQ(Revoke(Options(), TokenKind::kAccess, "at-1").value(), Revoked::kConfirmed);
  const auto sent = transport_.sent();
  EXPECT_EQ(sent.at(0).request.body, "token=rt-1&token_type_hint=refresh_token");
  EXPECT_EQ(sent.at(0).request.headers.Get("Authorization"), "Basic YXBwOnMzY3JldA==");
  EXPECT_EQ(sent.at(0).operation, "oauth.revoke");
  EXPECT_EQ(sent.at(1).request.body, "token=at-1&token_type_hint=access_token");
}

TEST_F(OAuthRevokerTest, OA14_SendsIntuitsJsonIfAsked) {
  OAuthRevokerOptions options = Options();
  options.body = OAuthBody::kJson;
  options.send_hint = false;
  transport_.Answer(200);
  EXPECT_EQ(Revoke(options, TokenKind::kRefresh, "rt\"1").value(), Revoked::kConfirmed);
  const http::Request sent = transport_.sent().at(0).request;
  EXPECT_EQ(sent.body, R"({"token":"rt\"1"})");
  EXPECT_EQ(sent.headers.Get("Content-Type"), "application/json");
  EXPECT_EQ(sent.headers.Get("Authorization"), "Basic YXBwOnMzY3JldA==");
}

TEST_F(OAuthRevokerTest, OA14_TheAnswerIsNotIgnored) {
  EXPECT_EQ(Outcome(200, ""), "confirmed");
  EXPECT_EQ(Outcome(200, "any text"), "confirmed");
  EXPECT_EQ(Outcome(204, ""), "confirmed");
  EXPECT_EQ(Outcome(400, R"({"error":"invalid_token"})"), "confirmed");
  EXPECT_EQ(Outcome(400, R"({"error":"unsupported_token_type"})"), "unsupported");
  EXPECT_EQ(Outcome(401, R"({"error":"invalid_client"})"), "auth invalid_client");
  EXPECT_EQ(Outcome(200, R"({"ok":false,"error":"not_allowed"})"), "auth not_allowed");
  EXPECT_EQ(Outcome(400, "rt-1 s3cret"), "protocol 400");
  EXPECT_EQ(Outcome(302, ""), "protocol 302");
  EXPECT_EQ(Outcome(503, ""), "connection 503");
  EXPECT_EQ(Outcome(400, R"({"error":"bad","error_description":"rt-1"})"), "auth bad");
}

TEST_F(OAuthRevokerTest, OA14_ServerTroubleIsTransientWithItsRetryAfter) {
  http::Headers headers;
  ASSERT_TRUE(headers.Set("Retry-After", "7").has_value());
  transport_.Answer(503, headers);
  EXPECT_EQ(Revoke().error().retry_after, seconds(7));
}

TEST_F(OAuthRevokerTest, OA12_OnlyHttpsAndNeverAnEmptyToken) {
  OAuthRevokerOptions options = Options();
  options.revocation_url = "http://as.example/revoke";
  EXPECT_EQ(OAuthRevoker::Create(clock_, transport_, options).error().code,
            ErrorCode::kInvalidArgument);
  EXPECT_EQ(Revoke(Options(), TokenKind::kRefresh, "").error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(transport_.sends(), 0u);
}

}  // namespace
}  // namespace understudy::test
