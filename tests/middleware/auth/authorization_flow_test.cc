#include "middleware/auth/authorization_flow.h"

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "middleware/auth/pkce.h"
#include "middleware/platform/openssl_crypto.h"
#include "middleware/platform/system_random.h"
#include "tests/support/fake_clock.h"
#include "tests/support/scripted_transport.h"

namespace understudy::test {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::Pair;
using testing::StartsWith;

constexpr const char* kGood =
    R"({"access_token":"at-1","token_type":"Bearer","expires_in":3600,"refresh_token":"rt-1"})";

class AuthorizationFlowTest : public testing::Test {
 protected:
  static AuthorizationFlowOptions Options() {
    AuthorizationFlowOptions options;
    options.name = "acme";
    options.authorization_url = "https://as.example/authorize?tenant=7";
    options.token_url = "https://as.example/token";
    options.client_id = "app";
    options.client_secret = Secret("s3cret");
    options.redirect_uri = "https://app.example/callback?from=acme";
    options.scope = "read write";
    return options;
  }
  std::unique_ptr<AuthorizationFlow> Flow(AuthorizationFlowOptions options = Options()) {
    return AuthorizationFlow::Create(clock_, random_, crypto_, transport_, pending_,
                                     std::move(options))
        .value();
  }
  // The parameters that the browser takes to the vendor.
  static http::FormPairs Params(const AuthorizationStart& start) {
    return http::ParseForm(http::Url::Parse(start.url).value().query());
  }
  static std::string State(const AuthorizationStart& start) {
    return std::string(http::FormValue(Params(start), "state").value());
  }
  static std::string Callback(const AuthorizationStart& start, const std::string& more = {}) {
    return "code=code-1&state=" + State(start) + more;
  }
  Result<AuthorizationGrant> Finish(AuthorizationFlow& flow, const std::string& query,
                                    const std::string& session = "session-1") {
    return flow.Finish(session, query, Deadline::After(clock_.Now(), seconds(10)), {});
  }
  // code and reason of the error
  std::string Refused(AuthorizationFlow& flow, const std::string& query,
                      const std::string& session = "session-1") {
    const auto grant = Finish(flow, query, session);
    if (grant) return "granted";
    return std::string(ToString(grant.error().code)) + " " + grant.error().reason;
  }

  FakeClock clock_;
  SystemRandom random_;
  OpensslCrypto crypto_;
  ScriptedTransport transport_{clock_};
  InMemoryPendingAuthorizations pending_;
};

TEST_F(AuthorizationFlowTest, OA11_SendsTheUserWithStateAndPkceChallenge) {
  const auto start = Flow()->Begin("session-1");
  ASSERT_TRUE(start.has_value());
  EXPECT_THAT(start->url, StartsWith("https://as.example/authorize?tenant=7&response_type=code"
                                     "&client_id=app&redirect_uri=https%3A%2F%2Fapp.example%2F"
                                     "callback%3Ffrom%3Dacme&scope=read%20write&state="));
  const http::FormPairs params = Params(*start);
  EXPECT_EQ(State(*start).size(), 65u);
  EXPECT_EQ(http::FormValue(params, "code_challenge")->size(), 43u);
  EXPECT_EQ(http::FormValue(params, "code_challenge_method"), "S256");
  EXPECT_EQ(start->expires_at, clock_.SystemNow() + minutes(10));
  EXPECT_EQ(transport_.sends(), 0u);
}

TEST_F(AuthorizationFlowTest, OA11_SendsAudienceResourcesAndExtraParameters) {
  AuthorizationFlowOptions options = Options();
  options.scope = "";
  options.audience = "https://api.example";
  options.resources = {"https://r1.example", "https://r2.example"};
  options.authorization_params = {{"access_type", "offline"}};
  options.token_params = {{"x", "y"}};
  const auto flow = Flow(options);
  const auto start = flow->Begin("session-1").value();
  EXPECT_THAT(start.url, HasSubstr("&audience=https%3A%2F%2Fapi.example"
                                   "&resource=https%3A%2F%2Fr1.example"
                                   "&resource=https%3A%2F%2Fr2.example&access_type=offline"));
  EXPECT_THAT(start.url, Not(HasSubstr("scope=")));
  transport_.Answer(200, {}, kGood);
  ASSERT_TRUE(Finish(*flow, Callback(start)).has_value());
  EXPECT_THAT(
      transport_.sent().at(0).request.body,
      HasSubstr("&resource=https%3A%2F%2Fr1.example&resource=https%3A%2F%2Fr2.example&x=y"));
}

TEST_F(AuthorizationFlowTest, OA11_ExchangesTheCodeWithVerifierAndExactRedirectUri) {
  const auto flow = Flow();
  const auto start = flow->Begin("session-1", "tenant 7").value();
  transport_.Answer(200, {}, kGood);
  const auto grant = Finish(*flow, Callback(start, "&realmId=42"));
  ASSERT_TRUE(grant.has_value()) << grant.error().ToString();
  EXPECT_EQ(grant->tokens.access_token.Reveal(), "at-1");
  EXPECT_EQ(grant->tokens.refresh_token.Reveal(), "rt-1");
  EXPECT_EQ(grant->tokens.scope, "read write");
  EXPECT_EQ(grant->tokens.expires_at, clock_.SystemNow() + seconds(3600));
  EXPECT_EQ(grant->context, "tenant 7");
  EXPECT_THAT(grant->others, ElementsAre(Pair("realmId", "42")));

  const http::Request sent = transport_.sent().at(0).request;
  EXPECT_EQ(sent.url.ToString(), "https://as.example/token");
  EXPECT_EQ(sent.headers.Get("Authorization"), "Basic YXBwOnMzY3JldA==");
  const http::FormPairs form = http::ParseForm(sent.body);
  EXPECT_EQ(http::FormValue(form, "grant_type"), "authorization_code");
  EXPECT_EQ(http::FormValue(form, "code"), "code-1");
  EXPECT_EQ(http::FormValue(form, "redirect_uri"), "https://app.example/callback?from=acme");
  const Secret verifier(std::string(http::FormValue(form, "code_verifier").value()));
  EXPECT_EQ(PkceChallenge(crypto_, verifier),
            http::FormValue(Params(start), "code_challenge").value());
}

TEST_F(AuthorizationFlowTest, OA11_APublicClientSendsItsIdInTheBody) {
  AuthorizationFlowOptions options = Options();
  options.client_secret = Secret();
  const auto flow = Flow(options);
  const auto start = flow->Begin("session-1").value();
  transport_.Answer(200, {}, kGood);
  ASSERT_TRUE(Finish(*flow, Callback(start)).has_value());
  EXPECT_FALSE(transport_.sent().at(0).request.headers.Get("Authorization").has_value());
  EXPECT_THAT(transport_.sent().at(0).request.body, HasSubstr("client_id=app"));
}

TEST_F(AuthorizationFlowTest, OA11_AStateWorksOnceWhateverCameOfIt) {
  const auto flow = Flow();
  const auto start = flow->Begin("session-1").value();
  transport_.Answer(503);
  EXPECT_EQ(Refused(*flow, Callback(start)), "connection 503");
  EXPECT_EQ(Refused(*flow, Callback(start)), "unverified state");
  EXPECT_EQ(transport_.sends(), 1u);
}

TEST_F(AuthorizationFlowTest, OA11_AStateThatWasNotGivenOutIsRefusedBeforeAnythingIsSent) {
  const auto flow = Flow();
  const std::string state = State(flow->Begin("session-1").value());
  for (const std::string& wrong :
       {std::string("x"), state.substr(0, 22), state.substr(0, 64), state + "x",
        std::string(65, 'A'), state.substr(0, 22) + std::string(43, 'A')}) {
    EXPECT_EQ(Refused(*flow, "code=c&state=" + wrong), "unverified state") << wrong;
  }
  EXPECT_EQ(transport_.sends(), 0u);
}

TEST_F(AuthorizationFlowTest, OA11_AnotherUsersSessionCannotFinishTheLogIn) {
  const auto flow = Flow();
  for (const char* const session : {"session-2", ""}) {
    const auto start = flow->Begin("session-1").value();
    EXPECT_EQ(Refused(*flow, Callback(start), session), "unverified session");
  }
  EXPECT_EQ(flow->Begin("").error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(transport_.sends(), 0u);
}

TEST_F(AuthorizationFlowTest, OA11_ALogInExpires) {
  const auto flow = Flow();
  const auto in_time = flow->Begin("session-1").value();
  const auto late = flow->Begin("session-1").value();
  transport_.Answer(200, {}, kGood);
  clock_.Advance(minutes(10) - Duration(1));
  EXPECT_EQ(Refused(*flow, Callback(in_time)), "granted");
  clock_.Advance(Duration(1));
  EXPECT_EQ(Refused(*flow, Callback(late)), "unverified expired");
}

TEST_F(AuthorizationFlowTest, OA11_AnAnswerOfAnotherVendorIsRefused) {
  AuthorizationFlowOptions other = Options();
  other.name = "mallory";
  const auto start = Flow()->Begin("session-1").value();
  EXPECT_EQ(Refused(*Flow(other), Callback(start)), "unverified flow");
}

struct IssuerCase {
  const char* name;
  const char* issuer;
  bool require;
  const char* answer;
  const char* outcome;
};

class IssuerTest : public AuthorizationFlowTest, public testing::WithParamInterface<IssuerCase> {};

TEST_P(IssuerTest, OA11_IsComparedAsRfc9207Says) {
  AuthorizationFlowOptions options = Options();
  options.issuer = GetParam().issuer;
  options.require_issuer = GetParam().require;
  const auto flow = Flow(options);
  const auto start = flow->Begin("session-1").value();
  transport_.Answer(200, {}, kGood);
  EXPECT_EQ(Refused(*flow, Callback(start, GetParam().answer)), GetParam().outcome);
}

INSTANTIATE_TEST_SUITE_P(
    Cases, IssuerTest,
    testing::Values(
        IssuerCase{"Equal", "https://as.example", true, "&iss=https%3A%2F%2Fas.example", "granted"},
        IssuerCase{"Other", "https://as.example", false, "&iss=https%3A%2F%2Fevil.example",
                   "unverified issuer"},
        IssuerCase{"SlashIsAnother", "https://as.example", false,
                   "&iss=https%3A%2F%2Fas.example%2F", "unverified issuer"},
        IssuerCase{"AbsentButRequired", "https://as.example", true, "", "unverified issuer"},
        IssuerCase{"AbsentAndOptional", "https://as.example", false, "", "granted"},
        IssuerCase{"NothingToCompareWith", "", false, "&iss=https%3A%2F%2Fas.example", "granted"}),
    [](const auto& test) { return test.param.name; });

TEST_F(AuthorizationFlowTest, AnErrorOfTheVendorIsTypedAndComesOnlyWithAValidState) {
  const auto flow = Flow();
  EXPECT_EQ(Refused(*flow, "error=access_denied&state=nobody"), "unverified state");
  for (const auto& [error, refused] : std::vector<std::pair<std::string, std::string>>{
           {"access_denied", "auth access_denied"},
           {"invalid_scope", "auth invalid_scope"},
           {"server_error", "connection server_error"},
           {"temporarily_unavailable", "connection temporarily_unavailable"}}) {
    const std::string state = State(flow->Begin("session-1").value());
    EXPECT_EQ(Refused(*flow, "error=" + error + "&state=" + state), refused);
  }
  EXPECT_EQ(transport_.sends(), 0u);
}

TEST_F(AuthorizationFlowTest, ARefusedCodeIsInvalidGrantAndNothingIsRepeated) {
  const auto flow = Flow();
  const auto start = flow->Begin("session-1").value();
  transport_.Answer(400, {}, R"({"error":"invalid_grant","error_description":"code code-1 used"})");
  const auto grant = Finish(*flow, Callback(start));
  ASSERT_FALSE(grant.has_value());
  EXPECT_EQ(grant.error().reason, "invalid_grant");
  EXPECT_EQ(transport_.sends(), 1u);
}

TEST_F(AuthorizationFlowTest, OA10_ErrorsHoldNoCodeNoVerifierNoStateAndNoSecret) {
  const auto flow = Flow();
  const std::vector<std::pair<int, std::string>> answers = {
      {400, R"({"error":"invalid_grant","error_description":"code code-1 is used"})"},
      {400, R"({"error":"code-1"})"},
      {400, "code-1 s3cret"},
      {200, R"({"access_token":"at-1\r\n","token_type":"Bearer","code":"code-1"})"},
      {200, R"({"error":"invalid_client","error_description":"s3cret is wrong"})"}};
  for (const auto& [status, body] : answers) {
    const auto start = flow->Begin("session-1").value();
    transport_.Answer(status, {}, body);
    const auto grant = Finish(*flow, Callback(start));
    ASSERT_FALSE(grant.has_value()) << body;
    for (const std::string& secret :
         {std::string("code-1"), std::string("s3cret"), std::string("at-1"), State(start)}) {
      EXPECT_THAT(grant.error().ToString(), Not(HasSubstr(secret))) << body;
    }
  }
}

TEST_F(AuthorizationFlowTest, OA13_AnEndpointThatHangsIsATimeout) {
  const auto flow = Flow();
  const auto start = flow->Begin("session-1").value();
  transport_.Hang();
  EXPECT_EQ(Finish(*flow, Callback(start)).error().code, ErrorCode::kTimeout);
}

TEST_F(AuthorizationFlowTest, PendingLogInsAreBoundedAndExpiredOnesMakeRoom) {
  InMemoryPendingAuthorizations two(2);
  const auto flow =
      AuthorizationFlow::Create(clock_, random_, crypto_, transport_, two, Options()).value();
  const auto first = flow->Begin("session-1").value();
  ASSERT_TRUE(flow->Begin("session-1").has_value());
  const auto refused = flow->Begin("session-1");
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, ErrorCode::kOverloaded);
  EXPECT_EQ(refused.error().reason, "pending-full");
  transport_.Answer(200, {}, kGood);
  EXPECT_EQ(Refused(*flow, Callback(first)), "granted") << "nobody's log-in was forgotten";
  ASSERT_TRUE(flow->Begin("session-1").has_value());
  clock_.Advance(minutes(10));
  EXPECT_TRUE(flow->Begin("session-1").has_value());
}

TEST_F(AuthorizationFlowTest, RefusesAContextThatIsTooLarge) {
  EXPECT_TRUE(Flow()->Begin("session-1", std::string(4096, 'x')).has_value());
  EXPECT_EQ(Flow()->Begin("session-1", std::string(4097, 'x')).error().code,
            ErrorCode::kInvalidArgument);
}

struct BadOptions {
  const char* name;
  std::function<void(AuthorizationFlowOptions&)> change;
  const char* complaint;
};

class BadFlowOptionsTest : public AuthorizationFlowTest,
                           public testing::WithParamInterface<BadOptions> {};

TEST_P(BadFlowOptionsTest, OA12_AreRefused) {
  AuthorizationFlowOptions options = Options();
  GetParam().change(options);
  const auto flow =
      AuthorizationFlow::Create(clock_, random_, crypto_, transport_, pending_, options);
  ASSERT_FALSE(flow.has_value());
  EXPECT_EQ(flow.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(flow.error().message, HasSubstr(GetParam().complaint));
}

INSTANTIATE_TEST_SUITE_P(
    Options, BadFlowOptionsTest,
    testing::Values(
        BadOptions{"NoName", [](auto& o) { o.name = ""; }, "name"},
        BadOptions{"HttpAuthorization",
                   [](auto& o) { o.authorization_url = "http://as.example/a"; },
                   "authorization URL must be https"},
        BadOptions{"HttpToken", [](auto& o) { o.token_url = "http://as.example/t"; },
                   "token URL must be https"},
        BadOptions{"NoClient", [](auto& o) { o.client_id = ""; }, "client_id"},
        BadOptions{"NoRedirect", [](auto& o) { o.redirect_uri = ""; }, "redirect_uri"},
        BadOptions{"HttpRedirect", [](auto& o) { o.redirect_uri = "http://app.example/"; },
                   "redirect_uri"},
        BadOptions{"RedirectWithFragment",
                   [](auto& o) { o.redirect_uri = "https://app.example/#"; }, "redirect_uri"},
        BadOptions{"OwnState",
                   [](auto& o) {
                     o.authorization_params = {{"state", "1"}};
                   },
                   "\"state\""},
        BadOptions{"OwnVerifier",
                   [](auto& o) {
                     o.token_params = {{"code_verifier", "1"}};
                   },
                   "\"code_verifier\""},
        BadOptions{"IssuerMissing", [](auto& o) { o.require_issuer = true; }, "issuer"},
        BadOptions{"NoLifetime", [](auto& o) { o.lifetime = Duration::zero(); }, "lifetime"},
        BadOptions{"LongLifetime",
                   [](auto& o) { o.lifetime = std::chrono::hours(24) + Duration(1); }, "lifetime"}),
    [](const auto& test) { return test.param.name; });

TEST_F(AuthorizationFlowTest, AllProblemsAreNamedAtOnce) {
  const auto flow = AuthorizationFlow::Create(clock_, random_, crypto_, transport_, pending_, {});
  ASSERT_FALSE(flow.has_value());
  EXPECT_THAT(flow.error().message, HasSubstr("name must"));
  EXPECT_THAT(flow.error().message, HasSubstr("redirect_uri must"));
}

TEST_F(AuthorizationFlowTest, ALoopbackRedirectMayBeHttp) {
  AuthorizationFlowOptions options = Options();
  options.redirect_uri = "http://127.0.0.1:8123/callback";
  EXPECT_TRUE(Flow(options)->Begin("session-1").has_value());
}

}  // namespace
}  // namespace understudy::test
