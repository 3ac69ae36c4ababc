#include "harness/vendor/oauth_server.h"

#include <chrono>
#include <string>

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include "middleware/base/text.h"

namespace understudy::harness {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr SystemTime kStart = SystemTime(1000h);
constexpr TokenEntropy kEntropy{.access = 0x0123456789abcdefULL, .refresh = 0xfedcba9876543210ULL};

OAuthSpec RotatingSpec() {
  return {.path = "/oauth/token",
          .ttl = 1h,
          .initial = OAuthSpec::Initial::kExpired,
          .rotate_refresh_token = true};
}

http::Request Form(const http::FormPairs& pairs) {
  return {.method = http::Method::Post(),
          .url = *http::Url::Parse("http://acme.sim/oauth/token"),
          .headers = {{"Content-Type", "application/x-www-form-urlencoded;charset=UTF-8"}},
          .body = http::EncodeForm(pairs)};
}

http::Request RefreshWith(const std::string& token) {
  return Form({{"grant_type", "refresh_token"}, {"refresh_token", token}});
}

json BodyOf(const http::Response& response) { return json::parse(response.body); }

std::string ErrorOf(const http::Response& response) {
  return std::to_string(response.status) + " " + BodyOf(response).value("error", "none");
}

TEST(OAuthServerTest, TheInitialExpiredTokenIsExpiredFromTheStart) {
  const OAuthServer server(RotatingSpec(), kStart, kEntropy);
  ASSERT_TRUE(server.initial().has_value());
  EXPECT_EQ(server.initial()->expires_at, kStart);
  EXPECT_EQ(server.initial()->issued_at, kStart - 1h);
  EXPECT_FALSE(server.ValidAccessToken(server.initial()->access_token, kStart));
}

TEST(OAuthServerTest, TheInitialValidTokenLivesForItsTtl) {
  OAuthSpec spec = RotatingSpec();
  spec.initial = OAuthSpec::Initial::kValid;
  const OAuthServer server(spec, kStart, kEntropy);
  EXPECT_TRUE(server.ValidAccessToken(server.initial()->access_token, kStart + 1h - 1ns));
  EXPECT_FALSE(server.ValidAccessToken(server.initial()->access_token, kStart + 1h));
}

TEST(OAuthServerTest, WithoutInitialTokensThereAreNone) {
  OAuthSpec spec = RotatingSpec();
  spec.initial = OAuthSpec::Initial::kNone;
  EXPECT_FALSE(OAuthServer(spec, kStart, kEntropy).initial().has_value());
}

TEST(OAuthServerTest, IssuesAnOpaqueNumberedToken) {
  OAuthServer server(RotatingSpec(), kStart, kEntropy);
  const auto answer = server.Answer(RefreshWith(server.initial()->refresh_token), kStart, kEntropy);
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.headers.Get("Cache-Control"), "no-store");
  EXPECT_EQ(BodyOf(answer), (json{{"access_token", "at_2_0123456789abcdef"},
                                  {"refresh_token", "rt_2_fedcba9876543210"},
                                  {"token_type", "Bearer"},
                                  {"expires_in", 3600}}));
  EXPECT_TRUE(server.ValidAccessToken("at_2_0123456789abcdef", kStart + 1h - 1ns));
  EXPECT_FALSE(server.ValidAccessToken("at_2_0123456789abcdef", kStart + 1h));
}

TEST(OAuthServerTest, RoundsExpiresInDownButNeverToZero) {
  OAuthSpec spec = RotatingSpec();
  for (const auto& [ttl, seconds] : {std::pair<Duration, int>{1999ms, 1}, {500ms, 1}, {90s, 90}}) {
    spec.ttl = ttl;
    OAuthServer server(spec, kStart, kEntropy);
    const auto answer =
        server.Answer(RefreshWith(server.initial()->refresh_token), kStart, kEntropy);
    EXPECT_EQ(BodyOf(answer)["expires_in"], seconds);
  }
}

TEST(OAuthServerTest, WithoutRotationTheRefreshTokenStaysAndIsNotRepeated) {
  OAuthSpec spec = RotatingSpec();
  spec.rotate_refresh_token = false;
  OAuthServer server(spec, kStart, kEntropy);
  for (int i = 0; i < 3; ++i) {
    const auto answer =
        server.Answer(RefreshWith(server.initial()->refresh_token), kStart, kEntropy);
    EXPECT_EQ(answer.status, 200);
    EXPECT_FALSE(BodyOf(answer).contains("refresh_token"));
  }
}

TEST(OAuthServerTest, TheRotatedRefreshTokenWorks) {
  OAuthServer server(RotatingSpec(), kStart, kEntropy);
  std::string token = server.initial()->refresh_token;
  for (int i = 0; i < 3; ++i) {
    const auto answer = server.Answer(RefreshWith(token), kStart, kEntropy);
    ASSERT_EQ(answer.status, 200);
    token = BodyOf(answer)["refresh_token"];
  }
}

TEST(OAuthServerTest, ReuseOfARefreshTokenRevokesTheFamily) {
  OAuthServer server(RotatingSpec(), kStart, kEntropy);
  const std::string first = server.initial()->refresh_token;
  const json issued = BodyOf(server.Answer(RefreshWith(first), kStart, kEntropy));
  EXPECT_EQ(ErrorOf(server.Answer(RefreshWith(first), kStart, kEntropy)), "400 invalid_grant");
  EXPECT_FALSE(server.ValidAccessToken(issued["access_token"].get<std::string>(), kStart));
  EXPECT_EQ(ErrorOf(server.Answer(RefreshWith(issued["refresh_token"]), kStart, kEntropy)),
            "400 invalid_grant");
}

TEST(OAuthServerTest, AnotherGrantSurvivesTheRevocationOfAFamily) {
  OAuthServer server(RotatingSpec(), kStart, kEntropy);
  const json other =
      BodyOf(server.Answer(Form({{"grant_type", "client_credentials"}}), kStart, kEntropy));
  const std::string first = server.initial()->refresh_token;
  EXPECT_EQ(server.Answer(RefreshWith(first), kStart, kEntropy).status, 200);
  EXPECT_EQ(server.Answer(RefreshWith(first), kStart, kEntropy).status, 400);
  EXPECT_TRUE(server.ValidAccessToken(other["access_token"].get<std::string>(), kStart));
}

TEST(OAuthServerTest, RevokeAllKillsOnlyWhatWasGivenOut) {
  OAuthServer server(RotatingSpec(), kStart, kEntropy);
  server.RevokeAll();
  EXPECT_EQ(ErrorOf(server.Answer(RefreshWith(server.initial()->refresh_token), kStart, kEntropy)),
            "400 invalid_grant");
  const json fresh =
      BodyOf(server.Answer(Form({{"grant_type", "client_credentials"}}), kStart, kEntropy));
  EXPECT_TRUE(server.ValidAccessToken(fresh["access_token"].get<std::string>(), kStart));
}

TEST(OAuthServerTest, ClientCredentialsGetNoRefreshToken) {
  OAuthServer server(RotatingSpec(), kStart, kEntropy);
  const auto answer = server.Answer(Form({{"grant_type", "client_credentials"}}), kStart, kEntropy);
  EXPECT_EQ(answer.status, 200);
  EXPECT_FALSE(BodyOf(answer).contains("refresh_token"));
}

struct BadTokenRequest {
  const char* name;
  http::FormPairs form;
  const char* error;
};

class TokenErrorTest : public ::testing::TestWithParam<BadTokenRequest> {};

TEST_P(TokenErrorTest, IsRefused) {
  OAuthServer server(RotatingSpec(), kStart, kEntropy);
  EXPECT_EQ(ErrorOf(server.Answer(Form(GetParam().form), kStart, kEntropy)), GetParam().error);
}

INSTANTIATE_TEST_SUITE_P(
    Requests, TokenErrorTest,
    ::testing::Values(
        BadTokenRequest{"NoGrant", {{"a", "b"}}, "400 invalid_request"},
        BadTokenRequest{
            "PasswordGrant", {{"grant_type", "password"}}, "400 unsupported_grant_type"},
        BadTokenRequest{"NoRefreshToken", {{"grant_type", "refresh_token"}}, "400 invalid_request"},
        BadTokenRequest{"UnknownToken",
                        {{"grant_type", "refresh_token"}, {"refresh_token", "rt_9_0"}},
                        "400 invalid_grant"},
        BadTokenRequest{"Repeated",
                        {{"grant_type", "refresh_token"}, {"grant_type", "client_credentials"}},
                        "400 invalid_request"}),
    [](const auto& test) { return test.param.name; });

TEST(OAuthServerTest, RefusesAnotherContentType) {
  OAuthServer server(RotatingSpec(), kStart, kEntropy);
  http::Request request = RefreshWith(server.initial()->refresh_token);
  ASSERT_TRUE(request.headers.Set("Content-Type", "application/json").has_value());
  EXPECT_EQ(ErrorOf(server.Answer(request, kStart, kEntropy)), "400 invalid_request");
}

class ClientAuthenticationTest : public ::testing::Test {
 protected:
  static OAuthSpec Spec() {
    OAuthSpec spec = RotatingSpec();
    spec.client_id = "app:1";
    spec.client_secret = "p%ss";
    return spec;
  }
  static http::Request Basic(std::string_view credentials) {
    http::Request request = Form({{"grant_type", "client_credentials"}});
    EXPECT_TRUE(request.headers.Set("Authorization", "Basic " + Base64Encode(credentials)));
    return request;
  }

  OAuthServer server_{Spec(), kStart, kEntropy};
};

TEST_F(ClientAuthenticationTest, AcceptsBasicWithEncodedParts) {
  EXPECT_EQ(server_.Answer(Basic("app%3A1:p%25ss"), kStart, kEntropy).status, 200);
}

TEST_F(ClientAuthenticationTest, AcceptsCredentialsInTheBody) {
  const auto request = Form(
      {{"grant_type", "client_credentials"}, {"client_id", "app:1"}, {"client_secret", "p%ss"}});
  EXPECT_EQ(server_.Answer(request, kStart, kEntropy).status, 200);
}

TEST_F(ClientAuthenticationTest, RefusesAWrongSecret) {
  const auto answer = server_.Answer(Basic("app%3A1:wrong"), kStart, kEntropy);
  EXPECT_EQ(ErrorOf(answer), "401 invalid_client");
  EXPECT_THAT(std::string(answer.headers.Get("WWW-Authenticate").value_or("")),
              StartsWith("Basic"));
}

TEST_F(ClientAuthenticationTest, RefusesNoAuthentication) {
  const auto answer =
      server_.Answer(Form({{"grant_type", "client_credentials"}}), kStart, kEntropy);
  EXPECT_EQ(ErrorOf(answer), "401 invalid_client");
}

TEST_F(ClientAuthenticationTest, RefusesTwoMethodsAtOnce) {
  http::Request request = Basic("app%3A1:p%25ss");
  request.body += "&client_secret=p%25ss";
  EXPECT_EQ(ErrorOf(server_.Answer(request, kStart, kEntropy)), "400 invalid_request");
}

TEST_F(ClientAuthenticationTest, AFailedAuthenticationDoesNotUseTheRefreshToken) {
  const std::string token = server_.initial()->refresh_token;
  EXPECT_EQ(server_.Answer(RefreshWith(token), kStart, kEntropy).status, 401);
  http::Request request = RefreshWith(token);
  request.body += "&client_id=app%3A1&client_secret=p%25ss";
  EXPECT_EQ(server_.Answer(request, kStart, kEntropy).status, 200);
}

TEST(OAuthServerTest, ForgetsTheOldestTokensBeyondItsBound) {
  OAuthServer server(RotatingSpec(), kStart, kEntropy);
  const http::Request request = Form({{"grant_type", "client_credentials"}});
  const std::string first = BodyOf(server.Answer(request, kStart, kEntropy))["access_token"];
  std::string last;
  for (std::size_t i = 0; i < OAuthServer::kTokensMax; ++i) {
    last = server.Answer(request, kStart, {.access = i}).body;
  }
  EXPECT_FALSE(server.ValidAccessToken(first, kStart));
  EXPECT_TRUE(
      server.ValidAccessToken(json::parse(last)["access_token"].get<std::string>(), kStart));
}

struct BadOAuth {
  const char* name;
  OAuthSpec spec;
  const char* message;
};

class OAuthSpecErrorTest : public ::testing::TestWithParam<BadOAuth> {};

TEST_P(OAuthSpecErrorTest, IsRefused) {
  const auto checked = CheckOAuth(GetParam().spec);
  ASSERT_FALSE(checked.has_value());
  EXPECT_THAT(checked.error().message, HasSubstr(GetParam().message));
}

INSTANTIATE_TEST_SUITE_P(
    Specs, OAuthSpecErrorTest,
    ::testing::Values(BadOAuth{"NoTtl", {.path = "/t", .ttl = 0s}, "ttl"},
                      BadOAuth{"Latency", {.path = "/t", .latency = LatencySpec{2s, 1s}}, "upper"},
                      BadOAuth{"EmptyClientId", {.path = "/t", .client_id = ""}, "client id"},
                      BadOAuth{
                          "SecretAlone", {.path = "/t", .client_secret = "s"}, "needs a client"}),
    [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace understudy::harness
