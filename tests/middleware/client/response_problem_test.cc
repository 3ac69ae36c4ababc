#include "middleware/client/response_problem.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace understudy {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Le;
using ::testing::Not;
using ::testing::StartsWith;

ResponseProblem Read(int status, const std::string& body, http::Headers headers = {}) {
  return ResponseProblem::From({status, std::move(headers), body}).value();
}

ResponseProblem WithDetail(const std::string& detail) {
  return Read(400, nlohmann::json{{"detail", detail}}.dump());
}

struct EnvelopeRow {
  std::string name;
  int status;
  std::string body;
  std::string type;
  std::string code;
  std::string title;
  std::string detail;
};
class EnvelopeTest : public ::testing::TestWithParam<EnvelopeRow> {};

TEST_P(EnvelopeTest, IsReadIntoOneShape) {
  const EnvelopeRow& row = GetParam();
  const ResponseProblem problem = Read(row.status, row.body);
  EXPECT_EQ(problem.status, row.status);
  EXPECT_EQ(problem.type, row.type);
  EXPECT_EQ(problem.code, row.code);
  EXPECT_EQ(problem.title, row.title);
  EXPECT_EQ(problem.detail, row.detail);
}

INSTANTIATE_TEST_SUITE_P(
    Vendors, EnvelopeTest,
    ::testing::Values(
        EnvelopeRow{"rfc9457", 403,
                    R"({"type":"https://v.example/out-of-credit?u=1","title":"No credit",)"
                    R"("status":403,"detail":"Balance is 30.","instance":"/a"})",
                    "https://v.example/out-of-credit", "", "No credit", "Balance is 30."},
        EnvelopeRow{"stripe", 402,
                    R"({"error":{"type":"card_error","code":"card_declined","message":"Declined.",)"
                    R"("decline_code":"lost_card"}})",
                    "card_error", "card_declined", "", "Declined."},
        EnvelopeRow{"oauth", 400, R"({"error":"invalid_grant","error_description":"Expired."})", "",
                    "invalid_grant", "", "Expired."},
        EnvelopeRow{
            "quickbooks", 400,
            R"({"Fault":{"Error":[{"Message":"Stale","Detail":"Another user","code":"5010"}],)"
            R"("type":"ValidationFault"},"time":"t"})",
            "ValidationFault", "5010", "Stale", "Another user"},
        EnvelopeRow{
            "quickbooks_in_a_200", 200,
            R"({"fault":{"error":[{"message":"m","detail":"d","code":"3200"}],"type":"AUTH"}})",
            "AUTH", "3200", "m", "d"},
        EnvelopeRow{
            "github", 422,
            R"({"message":"Validation Failed","errors":[{"resource":"Issue","field":"title",)"
            R"("code":"missing_field"}],"status":"422"})",
            "", "missing_field", "", "Validation Failed"},
        EnvelopeRow{"google", 429,
                    R"({"error":{"code":429,"message":"Quota.","status":"RESOURCE_EXHAUSTED"}})",
                    "", "RESOURCE_EXHAUSTED", "", "Quota."},
        EnvelopeRow{
            "older_google", 403,
            R"({"error":{"errors":[{"reason":"rateLimitExceeded"}],"code":403,"message":"m"}})", "",
            "rateLimitExceeded", "", "m"},
        EnvelopeRow{"salesforce", 403,
                    R"([{"errorCode":"REQUEST_LIMIT_EXCEEDED","message":"Limit exceeded."}])", "",
                    "REQUEST_LIMIT_EXCEEDED", "", "Limit exceeded."},
        EnvelopeRow{"slack_in_a_200", 200, R"({"ok":false,"error":"ratelimited"})", "",
                    "ratelimited", "", ""},
        EnvelopeRow{"twilio", 429, R"({"code":20429,"message":"Too many","status":429})", "",
                    "20429", "", "Too many"},
        EnvelopeRow{"paypal", 422,
                    R"({"name":"UNPROCESSABLE_ENTITY","message":"m","debug_id":"d","details":[]})",
                    "", "UNPROCESSABLE_ENTITY", "", "m"},
        EnvelopeRow{
            "square", 400,
            R"({"errors":[{"category":"INVALID_REQUEST_ERROR","code":"BAD","detail":"d"}]})",
            "INVALID_REQUEST_ERROR", "BAD", "", "d"},
        EnvelopeRow{"shopify_rest", 404, R"({"errors":"Not Found"})", "", "", "", "Not Found"},
        EnvelopeRow{"shopify_graphql_in_a_200", 200,
                    R"({"errors":[{"message":"Throttled","extensions":{"code":"THROTTLED"}}]})", "",
                    "THROTTLED", "", "Throttled"},
        EnvelopeRow{"hubspot", 429, R"({"status":"error","message":"m","category":"RATE_LIMITS"})",
                    "", "RATE_LIMITS", "", "m"},
        EnvelopeRow{"okta", 403, R"({"errorCode":"E0000006","errorSummary":"No permission"})", "",
                    "E0000006", "", "No permission"},
        EnvelopeRow{
            "anthropic", 529,
            R"({"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}})",
            "overloaded_error", "", "", "Overloaded"},
        EnvelopeRow{"atlassian", 400, R"({"errorMessages":["No issue"],"errors":{}})", "", "", "",
                    "No issue"},
        EnvelopeRow{"zendesk", 422, R"({"error":"RecordInvalid","description":"Invalid"})", "",
                    "RecordInvalid", "", "Invalid"},
        EnvelopeRow{"a_sentence", 500, R"({"error":"Something broke"})", "", "", "",
                    "Something broke"},
        EnvelopeRow{"github_token_in_a_200", 200, R"({"error":"bad_refresh_token"})", "",
                    "bad_refresh_token", "", ""}),
    [](const auto& test) { return test.param.name; });

class NoEnvelopeTest : public ::testing::TestWithParam<std::pair<std::string, std::string>> {};
TEST_P(NoEnvelopeTest, AFailureIsOneWithItsStatusAlone) {
  EXPECT_EQ(Read(502, GetParam().second), (ResponseProblem{.status = 502}));
}
INSTANTIATE_TEST_SUITE_P(
    Bodies, NoEnvelopeTest,
    ::testing::Values(std::pair{"empty", ""}, std::pair{"html", "<html>Bad gateway</html>"},
                      std::pair{"broken", "{\"error\":"}, std::pair{"scalar", "\"error\""},
                      std::pair{"empty_list", "[]"}, std::pair{"empty_object", "{}"},
                      std::pair{"wrong_types",
                                R"({"error":[],"code":{},"detail":7.5,"type":null})"},
                      std::pair{"twice", R"({"detail":"a","detail":"b"})"}),
    [](const auto& test) { return std::string(test.param.first); });

class NoProblemTest : public ::testing::TestWithParam<std::pair<std::string, std::string>> {};
TEST_P(NoProblemTest, ASuccessIsNone) {
  EXPECT_EQ(ResponseProblem::From({200, {}, GetParam().second}), std::nullopt);
}
INSTANTIATE_TEST_SUITE_P(Bodies, NoProblemTest,
                         ::testing::Values(std::pair{"empty", ""},
                                           std::pair{"object", R"({"code":"A","message":"m"})"},
                                           std::pair{"slack", R"({"ok":true,"error":""})"},
                                           std::pair{"no_errors", R"({"data":{},"errors":[]})"},
                                           std::pair{"null_error", R"({"error":null})"},
                                           std::pair{"list", R"([{"errorCode":"A"}])"}),
                         [](const auto& test) { return std::string(test.param.first); });

TEST(ResponseProblemTest, ALargeBodyIsNotLookedAt) {
  const std::string padding(64 * 1024, ' ');
  EXPECT_EQ(Read(400, R"({"detail":"d"})" + padding), (ResponseProblem{.status = 400}));
}

TEST(ResponseProblemTest, TakesTheRequestIdFromTheHeaders) {
  EXPECT_EQ(Read(400, "", {{"request-id", "req_1"}}).request_id, "req_1");
  EXPECT_EQ(Read(400, "", {{"intuit_tid", "1-2-3"}}).request_id, "1-2-3");
  EXPECT_EQ(Read(400, "", {{"Request-Id", "a b"}, {"X-Request-Id", "c"}}).request_id, "c");
  EXPECT_EQ(Read(400, "", {{"Request-Id", std::string(101, 'a')}}).request_id, "");
}

TEST(ResponseProblemTest, IsOneBoundedLineWhateverTheVendorSends) {
  const std::string text = "a\n\x1b[2J " + std::string(10'000, 'x') + "\xe2\x80\xae";
  const nlohmann::json body = {{"title", text}, {"detail", text}, {"code", text}, {"type", text}};
  const ResponseProblem problem = Read(400, body.dump());
  EXPECT_THAT(problem.title.size(), Le(200u));
  EXPECT_THAT(problem.detail.size(), Le(500u));
  EXPECT_THAT(problem.detail, StartsWith("a [2J xxx"));
  EXPECT_EQ(problem.code, "");
  EXPECT_EQ(problem.type, "");
}

TEST(ResponseProblemTest, SaysItInOneLine) {
  EXPECT_EQ(Read(429, R"({"error":{"code":"rate_limit","message":"Slow down."}})",
                 {{"Request-Id", "req_1"}})
                .ToString(),
            "429 rate_limit: Slow down. (request req_1)");
  EXPECT_EQ(Read(502, "").ToString(), "502");
  EXPECT_EQ(Read(403, R"({"type":"t","title":"No"})").ToString(), "403 t: No");
}

// --- secrets

class SecretTest : public ::testing::TestWithParam<std::pair<std::string, std::string>> {};
TEST_P(SecretTest, IsHiddenWhereverItStands) {
  const std::string& secret = GetParam().second;
  for (const std::string& text :
       {secret, "Invalid key: " + secret + ".", "'" + secret + "'", "key=" + secret + "&a=b",
        "(" + secret + ")", "https://v.example/a/" + secret + "/b",
        "https://v.example/a?key=" + secret, std::string(480, 'x') + " " + secret}) {
    const ResponseProblem problem = WithDetail(text);
    EXPECT_THAT(problem.detail, Not(HasSubstr(secret.substr(0, 8)))) << text;
  }
}
INSTANTIATE_TEST_SUITE_P(
    Kinds, SecretTest,
    ::testing::Values(std::pair{"stripe", "sk_test_abc"}, std::pair{"openai", "sk-abcdef"},
                      std::pair{"slack", "xoxb-12-ab"}, std::pair{"github", "ghp_abcdefgh"},
                      std::pair{"shopify", "shpat_0f0f"}, std::pair{"aws", "AKIAIOSFODNN"},
                      std::pair{"jwt", "eyJhbGciOiJI.eyJzdWIi.c2ln"},
                      std::pair{"webhook", "whsec_abc"}, std::pair{"hex", "0123456789abcdef0123"},
                      std::pair{"base64", "c2VjcmV0IHNlY3JldCBz1A=="},
                      std::pair{"card", "4242424242424242"},
                      std::pair{"mail", "jane.doe@example.com"}),
    [](const auto& test) { return std::string(test.param.first); });

TEST(ResponseProblemTest, HidesWhatFollowsTheSchemeOfAnAuthorizationHeader) {
  EXPECT_EQ(WithDetail("got Bearer abc instead").detail, "got Bearer [hidden] instead");
  EXPECT_EQ(WithDetail("got basic  YTpi").detail, "got basic [hidden]");
}

TEST(ResponseProblemTest, KeepsWhatHelps) {
  for (const std::string text :
       {"No such customer: cus_Nff; see https://docs.v.example/rest/limits", "Amount must be >= 50",
        "field line_items_quantity_description is missing", "API version 2024-06-20 is too old"}) {
    EXPECT_EQ(WithDetail(text).detail, text);
  }
}

TEST(ResponseProblemTest, AnAddressLosesItsQuery) {
  EXPECT_EQ(WithDetail("see https://v.example/a?token=b#c now").detail,
            "see https://v.example/a now");
}

}  // namespace
}  // namespace understudy
