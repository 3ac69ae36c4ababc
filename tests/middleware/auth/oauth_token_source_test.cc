#include "middleware/auth/oauth_token_source.h"

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/fake_clock.h"
#include "tests/support/scripted_transport.h"

namespace understudy::test {
namespace {

using std::chrono::hours;
using std::chrono::seconds;
using testing::HasSubstr;
using testing::Not;

constexpr const char* kGood = R"({"access_token":"at","token_type":"bearer","expires_in":3600})";

class OAuthTokenSourceTest : public testing::Test {
 protected:
  static OAuthTokenSourceOptions Options() {
    OAuthTokenSourceOptions options;
    options.token_url = "https://auth.example.com/oauth/token";
    options.client_id = "app";
    options.client_secret = Secret("s3cret");
    return options;
  }
  Result<TokenSet> Fetch(OAuthTokenSourceOptions options = Options(),
                         const std::string& refresh_token = "rt-old") {
    auto source = OAuthTokenSource::Create(clock_, transport_, std::move(options));
    EXPECT_TRUE(source.has_value());
    return (*source)->Fetch(Secret(refresh_token), Deadline::After(clock_.Now(), seconds(10)), {});
  }
  Result<TokenSet> FetchAnswer(int status, std::string body, http::Headers headers = {}) {
    transport_.Answer(status, std::move(headers), std::move(body));
    return Fetch();
  }
  const http::Request& Sent() {
    sent_ = transport_.sent();
    return sent_.back().request;
  }

  FakeClock clock_;
  ScriptedTransport transport_{clock_};
  std::vector<SentRequest> sent_;
};

TEST_F(OAuthTokenSourceTest, SendsARefreshWithBasicClientCredentials) {
  ASSERT_TRUE(FetchAnswer(200, kGood).has_value());
  const http::Request& request = Sent();
  EXPECT_EQ(request.method, http::Method::Post());
  EXPECT_EQ(request.url.ToString(), "https://auth.example.com/oauth/token");
  EXPECT_EQ(request.headers.Get("Authorization"), "Basic YXBwOnMzY3JldA==");
  EXPECT_EQ(request.headers.Get("Content-Type"), "application/x-www-form-urlencoded");
  EXPECT_EQ(request.headers.Get("Accept"), "application/json");
  EXPECT_EQ(request.body, "grant_type=refresh_token&refresh_token=rt-old");
}

TEST_F(OAuthTokenSourceTest, OA11_SendsTheClientCredentialsInTheBodyIfAsked) {
  OAuthTokenSourceOptions options = Options();
  options.client_auth = OAuthClientAuth::kPost;
  transport_.Answer(200, {}, kGood);
  ASSERT_TRUE(Fetch(std::move(options)).has_value());
  EXPECT_FALSE(Sent().headers.Has("Authorization"));
  const auto form = http::ParseForm(Sent().body);
  EXPECT_EQ(http::FormValue(form, "client_id"), "app");
  EXPECT_EQ(http::FormValue(form, "client_secret"), "s3cret");
}

TEST_F(OAuthTokenSourceTest, OA11_FormEncodesIdAndSecretBeforeBasic) {
  OAuthTokenSourceOptions options = Options();
  options.client_id = "a:b";
  options.client_secret = Secret("c%d");
  transport_.Answer(200, {}, kGood);
  ASSERT_TRUE(Fetch(std::move(options)).has_value());
  EXPECT_EQ(Sent().headers.Get("Authorization"), "Basic YSUzQWI6YyUyNWQ=");  // a%3Ab:c%25d
}

TEST_F(OAuthTokenSourceTest, OA11_SendsClientCredentialsGrantScopeAndExtraParameters) {
  OAuthTokenSourceOptions options = Options();
  options.grant = OAuthGrant::kClientCredentials;
  options.scope = "read write";
  options.extra_params = {{"audience", "https://api"}};
  transport_.Answer(200, {}, kGood);
  ASSERT_TRUE(Fetch(std::move(options), "").has_value());
  const auto form = http::ParseForm(Sent().body);
  EXPECT_EQ(http::FormValue(form, "grant_type"), "client_credentials");
  EXPECT_EQ(http::FormValue(form, "scope"), "read write");
  EXPECT_EQ(http::FormValue(form, "audience"), "https://api");
  EXPECT_EQ(http::FormValue(form, "refresh_token"), std::nullopt);
}

TEST_F(OAuthTokenSourceTest, ANameGivenSeveralTimesIsAListInJsonAndRepeatsInAForm) {
  OAuthTokenSourceOptions options = Options();
  options.grant = OAuthGrant::kClientCredentials;
  // RFC 8707 section 2: several resources.
  options.extra_params = {{"resource", "https://a"},
                          {"audience", "x"},
                          {"resource", "https://b"},
                          {"resource", "https://c"}};
  transport_.Answer(200, {}, kGood).Times(2);
  ASSERT_TRUE(Fetch(options, "").has_value());
  EXPECT_THAT(Sent().body, HasSubstr("resource=https%3A%2F%2Fa"));
  EXPECT_THAT(Sent().body, HasSubstr("resource=https%3A%2F%2Fb"));
  options.body = OAuthBody::kJson;
  ASSERT_TRUE(Fetch(options, "").has_value());
  EXPECT_EQ(Sent().body, R"({"audience":"x","grant_type":"client_credentials",)"
                         R"("resource":["https://a","https://b","https://c"]})");
  EXPECT_EQ(Sent().headers.Get("Content-Type"), "application/json");
}

TEST_F(OAuthTokenSourceTest, APublicClientSendsOnlyItsId) {
  OAuthTokenSourceOptions options = Options();
  options.client_secret = Secret();
  transport_.Answer(200, {}, kGood);
  ASSERT_TRUE(Fetch(std::move(options)).has_value());
  EXPECT_FALSE(Sent().headers.Has("Authorization"));
  EXPECT_EQ(http::FormValue(http::ParseForm(Sent().body), "client_id"), "app");
}

TEST_F(OAuthTokenSourceTest, OA12_NeverFollowsRedirectsAndBoundsTheAnswer) {
  const auto moved = FetchAnswer(302, "", {{"Location", "https://evil.example.com/"}});
  ASSERT_FALSE(moved.has_value());
  EXPECT_EQ(moved.error().code, ErrorCode::kProtocol);
  EXPECT_EQ(transport_.sends(), 1u);
  const auto large = FetchAnswer(200, std::string(64 * 1024 + 1, ' '));
  ASSERT_FALSE(large.has_value());
  EXPECT_EQ(large.error().reason, "too-large");
}

TEST_F(OAuthTokenSourceTest, IssuedAtIsTheTimeBeforeTheRequest) {
  const SystemTime start = clock_.SystemNow();
  transport_.Answer(200, {}, kGood).After(seconds(3));
  const auto tokens = Fetch();
  ASSERT_TRUE(tokens.has_value());
  EXPECT_EQ(tokens->issued_at, start);
  EXPECT_EQ(tokens->expires_at, start + hours(1));
}

TEST_F(OAuthTokenSourceTest, ReadsRefreshTokenAndScope) {
  const auto tokens = FetchAnswer(
      200, R"({"access_token":"at","token_type":"Bearer","refresh_token":"rt-new","scope":"a b"})");
  ASSERT_TRUE(tokens.has_value());
  EXPECT_EQ(tokens->access_token.Reveal(), "at");
  EXPECT_EQ(tokens->refresh_token.Reveal(), "rt-new");
  EXPECT_EQ(tokens->scope, "a b");
}

TEST_F(OAuthTokenSourceTest, OA2_ANullScopeOrRefreshTokenIsAbsent) {
  const auto tokens = FetchAnswer(
      200, R"({"access_token":"at","token_type":"Bearer","refresh_token":null,"scope":null})");
  ASSERT_TRUE(tokens.has_value());
  EXPECT_TRUE(tokens->refresh_token.empty());
  EXPECT_EQ(tokens->scope, "");
}

struct ExpiresInCase {
  const char* name;
  const char* json;
  std::optional<int> seconds;
  bool ok = true;
};

TEST_F(OAuthTokenSourceTest, OA2_ReadsExpiresInTolerantlyButTyped) {
  const std::vector<ExpiresInCase> cases = {
      {"number", R"(,"expires_in":3600)", 3600},
      {"text", R"(,"expires_in":"3600")", 3600},
      {"float", R"(,"expires_in":3599.9)", 3599},
      {"float text", R"(,"expires_in":"3599.9")", 3599},
      {"zero", R"(,"expires_in":0)", 0},
      {"absent", "", std::nullopt},
      {"null", R"(,"expires_in":null)", std::nullopt},
      {"bounded", R"(,"expires_in":1e300)", 10 * 365 * 24 * 3600},
      {"negative", R"(,"expires_in":-1)", std::nullopt, false},
      {"negative text", R"(,"expires_in":"-1")", std::nullopt, false},
      {"words", R"(,"expires_in":"soon")", std::nullopt, false},
      {"trailing", R"(,"expires_in":"3600.x")", std::nullopt, false},
      {"array", R"(,"expires_in":[3600])", std::nullopt, false},
      {"boolean", R"(,"expires_in":true)", std::nullopt, false},
  };
  for (const ExpiresInCase& row : cases) {
    SCOPED_TRACE(row.name);
    const SystemTime now = clock_.SystemNow();
    const auto tokens = FetchAnswer(
        200, std::string(R"({"access_token":"at","token_type":"Bearer")") + row.json + "}");
    ASSERT_EQ(tokens.has_value(), row.ok);
    if (!row.ok) {
      EXPECT_EQ(tokens.error().code, ErrorCode::kProtocol);
      continue;
    }
    EXPECT_EQ(tokens->expires_at.has_value(), row.seconds.has_value());
    if (row.seconds) {
      EXPECT_EQ(*tokens->expires_at, now + seconds(*row.seconds));
    }
  }
}

TEST_F(OAuthTokenSourceTest, OA9_RefusesTokensThatDoNotFitIntoAHeader) {
  for (const char* access : {R"("a b")", R"("a\r\nX: 1")", R"("")", "null", "17", R"("\u00e9")"}) {
    const auto tokens =
        FetchAnswer(200, std::string(R"({"token_type":"Bearer","access_token":)") + access + "}");
    ASSERT_FALSE(tokens.has_value()) << access;
    EXPECT_EQ(tokens.error().reason, "access-token") << access;
  }
}

TEST_F(OAuthTokenSourceTest, OA9_AcceptsOnlyBearerInAnyCase) {
  EXPECT_TRUE(FetchAnswer(200, R"({"access_token":"a","token_type":"BEARER"})").has_value());
  for (const char* type :
       {R"(,"token_type":"mac")", R"(,"token_type":"Bearer "})", "", R"(,"token_type":1)"}) {
    EXPECT_FALSE(FetchAnswer(200, std::string(R"({"access_token":"a")") + type + "}").has_value())
        << type;
  }
}

TEST_F(OAuthTokenSourceTest, InvalidGrantIsAnAuthErrorThatSaysSo) {
  const auto tokens =
      FetchAnswer(400, R"({"error":"invalid_grant","error_description":"Token invalid"})");
  ASSERT_FALSE(tokens.has_value());
  EXPECT_EQ(tokens.error().code, ErrorCode::kAuth);
  EXPECT_EQ(tokens.error().reason, "invalid_grant");
  EXPECT_EQ(tokens.error().delivery, Delivery::kAnswered);
  EXPECT_THAT(tokens.error().message, HasSubstr("Token invalid"));
}

TEST_F(OAuthTokenSourceTest, AnErrorInA200AnswerIsAnError) {
  const auto github = FetchAnswer(200, R"({"error":"bad_refresh_token"})");
  ASSERT_FALSE(github.has_value());
  EXPECT_EQ(github.error().reason, "invalid_grant");
  const auto slack = FetchAnswer(200, R"({"ok":false,"error":"invalid_client_id"})");
  ASSERT_FALSE(slack.has_value());
  EXPECT_EQ(slack.error().reason, "invalid_client_id");
}

TEST_F(OAuthTokenSourceTest, OA6_ServerTroubleIsTransientWithItsRetryAfter) {
  for (const int status : {408, 429, 500, 502, 503, 504}) {
    const auto tokens = FetchAnswer(status, "<html>", {{"Retry-After", "7"}});
    ASSERT_FALSE(tokens.has_value());
    EXPECT_EQ(tokens.error().code, ErrorCode::kConnection) << status;
    EXPECT_EQ(tokens.error().retry_after, seconds(7)) << status;
    EXPECT_EQ(tokens.error().reason, std::to_string(status));
  }
}

TEST_F(OAuthTokenSourceTest, OA6_RetryAfterMayBeADateAndIsBounded) {
  // The clock starts at 08:49:37.
  EXPECT_EQ(
      FetchAnswer(503, "", {{"Retry-After", "Sun, 06 Nov 1994 08:50:37 GMT"}}).error().retry_after,
      seconds(60));
  EXPECT_EQ(
      FetchAnswer(503, "", {{"Retry-After", "Sun, 06 Nov 1994 08:00:00 GMT"}}).error().retry_after,
      seconds(0));
  EXPECT_EQ(FetchAnswer(503, "", {{"Retry-After", "99999999999"}}).error().retry_after, hours(24));
  EXPECT_EQ(FetchAnswer(503, "", {{"Retry-After", "soon"}}).error().retry_after, std::nullopt);
  EXPECT_EQ(
      FetchAnswer(503, "", {{"Retry-After", "Thu, 02 Jan 1700 00:00:00 GMT"}}).error().retry_after,
      seconds(0))
      << "too far away for the difference to fit 64 bits of nanoseconds";
}

TEST_F(OAuthTokenSourceTest, OA13_AnEndpointThatHangsIsATimeout) {
  transport_.Answer(200, {}, kGood).After(hours(1));
  const auto tokens = Fetch();
  ASSERT_FALSE(tokens.has_value());
  EXPECT_EQ(tokens.error().code, ErrorCode::kTimeout);
  EXPECT_EQ(clock_.Elapsed(), seconds(10));
}

TEST_F(OAuthTokenSourceTest, AConnectionErrorKeepsItsDelivery) {
  transport_.Fail(Error{.code = ErrorCode::kConnection,
                        .message = "reset",
                        .delivery = Delivery::kMaybeSent,
                        .origin = Origin::kRemote,
                        .reason = "reset"});
  const auto tokens = Fetch();
  ASSERT_FALSE(tokens.has_value());
  EXPECT_EQ(tokens.error().code, ErrorCode::kConnection);
  EXPECT_EQ(tokens.error().delivery, Delivery::kMaybeSent);
}

TEST_F(OAuthTokenSourceTest, OA12_AnAnswerThatIsNotAJsonObjectIsATypedError) {
  for (const char* body : {"", "<html>", "[]", "{\"access_token\":", "\xff"}) {
    const auto good_status = FetchAnswer(200, body);
    ASSERT_FALSE(good_status.has_value()) << body;
    EXPECT_EQ(good_status.error().reason, "not-json") << body;
    const auto bad_status = FetchAnswer(400, body);
    ASSERT_FALSE(bad_status.has_value()) << body;
    EXPECT_EQ(bad_status.error().code, ErrorCode::kProtocol) << body;
  }
}

TEST_F(OAuthTokenSourceTest, OA10_ErrorsHoldNoSecretNoTokenAndNoBody) {
  const std::vector<std::pair<int, std::string>> answers = {
      {400, R"({"error":"invalid_grant","error_description":"rt-old was used already"})"},
      {400, R"({"error":"rt-old"})"},
      {401, R"({"error":"invalid_client","error_description":"s3cret is wrong"})"},
      {500, "rt-old s3cret at-new"},
      {400, "rt-old s3cret at-new"},
      {200, R"({"access_token":"at new","token_type":"Bearer"})"},
      {200, R"({"access_token":"at-new","token_type":"rt-old"})"}};
  for (const auto& [status, body] : answers) {
    const auto tokens = FetchAnswer(status, body);
    ASSERT_FALSE(tokens.has_value()) << body;
    const std::string text = tokens.error().ToString();
    for (const char* secret : {"rt-old", "s3cret", "at-new", "at new"}) {
      EXPECT_THAT(text, Not(HasSubstr(secret))) << body;
    }
  }
}

TEST_F(OAuthTokenSourceTest, OA10_AnErrorDescriptionIsSanitisedAndBounded) {
  const auto tokens = FetchAnswer(
      400, R"({"error":"x\ny","error_description":"a\nb)" + std::string(1000, 'z') + "\"}");
  ASSERT_FALSE(tokens.has_value());
  EXPECT_THAT(tokens.error().message, HasSubstr("x?y (a?bz"));
  EXPECT_LT(tokens.error().message.size(), 400u);
}

TEST_F(OAuthTokenSourceTest, WithoutARefreshTokenNothingIsSent) {
  const auto tokens = Fetch(Options(), "");
  ASSERT_FALSE(tokens.has_value());
  EXPECT_EQ(tokens.error().code, ErrorCode::kAuth);
  EXPECT_EQ(tokens.error().reason, "no-refresh-token");
  EXPECT_EQ(transport_.sends(), 0u);
}

TEST_F(OAuthTokenSourceTest, OA12_OnlyHttpsUnlessLoopbackIsAllowed) {
  struct Row {
    const char* url;
    bool allow;
    bool ok;
  };
  const std::vector<Row> rows = {
      {"https://auth.example.com/t", false, true},  {"http://auth.example.com/t", true, false},
      {"http://127.0.0.1:8080/t", false, false},    {"http://127.0.0.1:8080/t", true, true},
      {"http://127.9.9.9/t", true, true},           {"http://[::1]:8080/t", true, true},
      {"http://localhost/t", true, true},           {"http://localhost.evil.com/t", true, false},
      {"http://127.0.0.1.evil.com/t", true, false}, {"http://127.evil.0.1/t", true, false},
      {"ftp://auth.example.com/t", true, false},    {"", true, false},
  };
  for (const Row& row : rows) {
    OAuthTokenSourceOptions options = Options();
    options.token_url = row.url;
    options.allow_http_loopback = row.allow;
    EXPECT_EQ(OAuthTokenSource::Create(clock_, transport_, std::move(options)).has_value(), row.ok)
        << row.url << (row.allow ? " allowed" : "");
  }
}

}  // namespace
}  // namespace understudy::test
