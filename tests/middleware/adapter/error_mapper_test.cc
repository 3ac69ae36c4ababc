#include "middleware/adapter/error_mapper.h"

#include <random>
#include <string>

#include <gtest/gtest.h>

namespace understudy {
namespace {

using Dialect = ErrorDialect;
using Kind = DomainErrorKind;

struct Row {
  std::string name;
  Dialect dialect;
  int status;
  std::string body;
  Kind kind;
  std::string code;
  std::string field = "";
};

class AD10_Envelope : public testing::TestWithParam<Row> {};

TEST_P(AD10_Envelope, BecomesADomainError) {
  const Row& test = GetParam();
  const auto error = MapVendorError({.status = test.status, .body = test.body}, test.dialect);
  ASSERT_TRUE(error);
  EXPECT_EQ(error->kind, test.kind) << ToString(error->kind);
  EXPECT_EQ(error->vendor_code, test.code);
  EXPECT_EQ(error->field, test.field);
  EXPECT_EQ(error->status, test.status);
}

TEST_P(AD10_Envelope, IsToldApartByItsShape) {
  const Row& test = GetParam();
  const auto error = MapVendorError({.status = test.status, .body = test.body});
  ASSERT_TRUE(error);
  EXPECT_EQ(error->kind, test.kind) << ToString(error->kind);
  EXPECT_EQ(error->vendor_code, test.code);
}

INSTANTIATE_TEST_SUITE_P(
    Vendors, AD10_Envelope,
    testing::Values(
        Row{"StripeDecline", Dialect::kStripe, 402,
            R"({"error":{"type":"card_error","code":"card_declined","decline_code":"insufficient_funds","message":"Your card"}})",
            Kind::kCardDeclined, "card_declined/insufficient_funds"},
        Row{"StripeParameter", Dialect::kStripe, 400,
            R"({"error":{"type":"invalid_request_error","code":"parameter_missing","param":"line_items[0][price]"}})",
            Kind::kValidation, "parameter_missing", "line_items[0][price]"},
        Row{"StripeMissing", Dialect::kStripe, 404,
            R"({"error":{"type":"invalid_request_error","code":"resource_missing","param":"id"}})",
            Kind::kNotFound, "resource_missing", "id"},
        Row{"StripeIdempotency", Dialect::kStripe, 400, R"({"error":{"type":"idempotency_error"}})",
            Kind::kConflict, "idempotency_error"},
        Row{"StripeKeyInUse", Dialect::kStripe, 409,
            R"({"error":{"type":"invalid_request_error","code":"idempotency_key_in_use"}})",
            Kind::kConflict, "idempotency_key_in_use"},
        Row{"StripeApi", Dialect::kStripe, 500, R"({"error":{"type":"api_error","message":"x"}})",
            Kind::kVendorDown, "api_error"},
        Row{"StripeRate", Dialect::kStripe, 429,
            R"({"error":{"type":"invalid_request_error","code":"rate_limit"}})", Kind::kRateLimited,
            "rate_limit"},
        Row{"StripeKey", Dialect::kStripe, 401, R"({"error":{"type":"invalid_request_error"}})",
            Kind::kAuthentication, "invalid_request_error"},
        Row{"StripeDependency", Dialect::kStripe, 424,
            R"({"error":{"type":"invalid_request_error"}})", Kind::kVendorDown,
            "invalid_request_error"},
        Row{"StripeOAuth", Dialect::kStripe, 400,
            R"({"error":"invalid_grant","error_description":"expired"})", Kind::kAuthentication,
            "invalid_grant"},
        Row{"QuickBooksValidation", Dialect::kQuickBooks, 400,
            R"({"Fault":{"Error":[{"Message":"m","Detail":"d","code":"2020","element":"CustomerRef"}],"type":"ValidationFault"},"time":"t"})",
            Kind::kValidation, "2020", "CustomerRef"},
        Row{"QuickBooksStale", Dialect::kQuickBooks, 400,
            R"({"Fault":{"Error":[{"code":"5010","element":""}],"type":"ValidationFault"}})",
            Kind::kConflict, "5010"},
        Row{"QuickBooksName", Dialect::kQuickBooks, 400,
            R"({"Fault":{"Error":[{"code":"6240"}],"type":"ValidationFault"}})", Kind::kConflict,
            "6240"},
        Row{"QuickBooks200", Dialect::kQuickBooks, 200,
            R"({"Fault":{"Error":[{"code":"610"}],"type":"ValidationFault"}})", Kind::kNotFound,
            "610"},
        Row{"QuickBooksUnknown200", Dialect::kQuickBooks, 200, R"({"Fault":{}})", Kind::kUnknown,
            ""},
        Row{"QuickBooksLowerCase", Dialect::kQuickBooks, 401,
            R"({"fault":{"error":[{"code":"3200","message":"m"}],"type":"AUTHENTICATION"}})",
            Kind::kAuthentication, "3200"},
        Row{"QuickBooksZeros", Dialect::kQuickBooks, 401,
            R"({"Fault":{"Error":[{"code":"003200"}],"type":"x"}})", Kind::kAuthentication,
            "003200"},
        Row{"GitHubValidation", Dialect::kGitHub, 422,
            R"({"message":"Validation Failed","documentation_url":"u","errors":[{"resource":"Issue","field":"title","code":"missing_field"}],"status":"422"})",
            Kind::kValidation, "missing_field", "title"},
        Row{"GitHubExists", Dialect::kGitHub, 422,
            R"({"message":"m","documentation_url":"u","errors":[{"field":"name","code":"already_exists"}]})",
            Kind::kConflict, "already_exists", "name"},
        Row{"GitHubSecondary", Dialect::kGitHub, 403,
            R"({"message":"You have exceeded a secondary rate limit","documentation_url":"u"})",
            Kind::kRateLimited, ""},
        Row{"GitHubHidden", Dialect::kGitHub, 404,
            R"({"message":"Not Found","documentation_url":"u","status":"404"})", Kind::kNotFound,
            ""},
        Row{"GoogleQuota", Dialect::kGoogle, 429,
            R"({"error":{"code":429,"message":"m","status":"RESOURCE_EXHAUSTED","details":[{"@type":"e","reason":"RATE_LIMIT_EXCEEDED","domain":"d"}]}})",
            Kind::kRateLimited, "RESOURCE_EXHAUSTED/RATE_LIMIT_EXCEEDED"},
        Row{"GoogleField", Dialect::kGoogle, 400,
            R"({"error":{"code":400,"status":"INVALID_ARGUMENT","details":[{"fieldViolations":[{"field":"event.start","description":"d"}]}]}})",
            Kind::kValidation, "INVALID_ARGUMENT", "event.start"},
        Row{"GoogleOldQuota", Dialect::kGoogle, 403,
            R"({"error":{"code":403,"errors":[{"reason":"userRateLimitExceeded"}]}})",
            Kind::kRateLimited, "userRateLimitExceeded"},
        Row{"GoogleExists", Dialect::kGoogle, 409,
            R"({"error":{"code":409,"status":"ALREADY_EXISTS"}})", Kind::kConflict,
            "ALREADY_EXISTS"},
        Row{"SalesforceField", Dialect::kSalesforce, 400,
            R"([{"errorCode":"REQUIRED_FIELD_MISSING","message":"m","fields":["Name"]}])",
            Kind::kValidation, "REQUIRED_FIELD_MISSING", "Name"},
        Row{"SalesforceSession", Dialect::kSalesforce, 401,
            R"([{"errorCode":"INVALID_SESSION_ID","message":"m"}])", Kind::kAuthentication,
            "INVALID_SESSION_ID"},
        Row{"SalesforceLimit", Dialect::kSalesforce, 403,
            R"([{"errorCode":"REQUEST_LIMIT_EXCEEDED","message":"m"}])", Kind::kRateLimited,
            "REQUEST_LIMIT_EXCEEDED"},
        Row{"SalesforceAccess", Dialect::kSalesforce, 400,
            R"([{"errorCode":"INSUFFICIENT_ACCESS_OR_READONLY"}])", Kind::kPermission,
            "INSUFFICIENT_ACCESS_OR_READONLY"},
        Row{"SlackAuth", Dialect::kSlack, 200, R"({"ok":false,"error":"invalid_auth"})",
            Kind::kAuthentication, "invalid_auth"},
        Row{"SlackChannel", Dialect::kSlack, 200, R"({"ok":false,"error":"channel_not_found"})",
            Kind::kNotFound, "channel_not_found"},
        Row{"SlackScope", Dialect::kSlack, 200,
            R"({"ok":false,"error":"missing_scope","needed":"x"})", Kind::kPermission,
            "missing_scope"},
        Row{"SlackNew", Dialect::kSlack, 200, R"({"ok":false,"error":"something_new"})",
            Kind::kUnknown, "something_new"},
        Row{"SlackSilent", Dialect::kSlack, 200, R"({"ok":false})", Kind::kUnknown, ""},
        Row{"TwilioRate", Dialect::kTwilio, 429,
            R"({"code":20429,"message":"m","more_info":"u","status":429})", Kind::kRateLimited,
            "20429"},
        Row{"TwilioNumber", Dialect::kTwilio, 400,
            R"({"code":21211,"message":"The 'To' number +15551234567 is not valid","more_info":"u","status":400})",
            Kind::kValidation, "21211"},
        Row{"PayPalDeclined", Dialect::kPayPal, 422,
            R"({"name":"UNPROCESSABLE_ENTITY","message":"m","debug_id":"b1","details":[{"issue":"INSTRUMENT_DECLINED","description":"d"}]})",
            Kind::kCardDeclined, "UNPROCESSABLE_ENTITY/INSTRUMENT_DECLINED"},
        Row{"PayPalField", Dialect::kPayPal, 400,
            R"({"name":"INVALID_REQUEST","debug_id":"b2","details":[{"field":"/intent","issue":"MISSING_REQUIRED_PARAMETER"}]})",
            Kind::kValidation, "INVALID_REQUEST/MISSING_REQUIRED_PARAMETER", "/intent"},
        Row{"Problem", Dialect::kProblemDetails, 403,
            R"({"type":"https://example.com/probs/out-of-credit","title":"t","status":403,"detail":"d","instance":"/i"})",
            Kind::kPermission, "out-of-credit"},
        Row{"ProblemPointer", Dialect::kProblemDetails, 422,
            R"({"type":"https://example.net/validation-error","title":"t","errors":[{"detail":"d","pointer":"#/age"}]})",
            Kind::kValidation, "validation-error", "#/age"},
        Row{"ProblemBlank", Dialect::kProblemDetails, 409,
            R"({"type":"about:blank","title":"Conflict"})", Kind::kConflict, ""}),
    [](const auto& test) { return test.param.name; });

struct StatusRow {
  int status;
  Kind kind;
};
class AD10_Status : public testing::TestWithParam<StatusRow> {};

TEST_P(AD10_Status, DecidesWhereTheBodySaysNothing) {
  for (const std::string_view body :
       {"", "<html><h1>Bad Gateway</h1></html>", "{}", "[]", "[1]", "null", "\xff\xfe",
        "{\"error\":7}", "{\"error\":{}}", "{\"a\":"}) {
    for (int dialect = 0; dialect <= static_cast<int>(Dialect::kProblemDetails); ++dialect) {
      const auto error = MapVendorError({.status = GetParam().status, .body = std::string(body)},
                                        static_cast<Dialect>(dialect));
      ASSERT_TRUE(error);
      EXPECT_EQ(error->kind, GetParam().kind) << body;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(
    All, AD10_Status,
    testing::Values(StatusRow{0, Kind::kUnknown}, StatusRow{304, Kind::kUnknown},
                    StatusRow{400, Kind::kValidation}, StatusRow{401, Kind::kAuthentication},
                    StatusRow{402, Kind::kPaymentRequired}, StatusRow{403, Kind::kPermission},
                    StatusRow{404, Kind::kNotFound}, StatusRow{408, Kind::kVendorDown},
                    StatusRow{409, Kind::kConflict}, StatusRow{410, Kind::kNotFound},
                    StatusRow{412, Kind::kConflict}, StatusRow{418, Kind::kUnknown},
                    StatusRow{422, Kind::kValidation}, StatusRow{429, Kind::kRateLimited},
                    StatusRow{500, Kind::kVendorDown}, StatusRow{502, Kind::kVendorDown},
                    StatusRow{504, Kind::kVendorDown}, StatusRow{599, Kind::kVendorDown},
                    StatusRow{600, Kind::kUnknown}, StatusRow{-1, Kind::kUnknown}),
    [](const auto& test) {
      return "S" + std::string(test.param.status < 0 ? "Minus" : std::to_string(test.param.status));
    });

TEST(MapVendorError, ASuccessIsNoError) {
  EXPECT_FALSE(MapVendorError({.status = 200, .body = R"({"id":"in_1"})"}));
  EXPECT_FALSE(MapVendorError({.status = 204}));
  EXPECT_FALSE(MapVendorError({.status = 200, .body = R"({"ok":true})"}, Dialect::kSlack));
  // Another vendor's data may have such members.
  EXPECT_FALSE(MapVendorError({.status = 200, .body = R"({"ok":false})"}, Dialect::kStripe));
  EXPECT_FALSE(MapVendorError({.status = 200, .body = R"({"Fault":{}})"}, Dialect::kSlack));
  EXPECT_FALSE(MapVendorError({.status = 200, .body = R"({"fault":"low"})"}));
}

TEST(MapVendorError, AD10_TakesTheRequestIdFromTheVendorsHeader) {
  const auto error = [](http::Headers headers) {
    return MapVendorError({.status = 500, .headers = std::move(headers)})->request_id;
  };
  EXPECT_EQ(error({{"Request-Id", "req_1"}}), "req_1");
  EXPECT_EQ(error({{"intuit_tid", "1-5f-3a"}}), "1-5f-3a");
  EXPECT_EQ(error({{"X-GitHub-Request-Id", "AB:12"}}), "AB:12");
  EXPECT_EQ(error({{"Request-Id", "jane@example.com"}}), "");
  EXPECT_EQ(MapVendorError({.status = 422, .body = R"({"name":"X","debug_id":"f00"})"})->request_id,
            "f00");
}

TEST(MapVendorError, A403WithoutQuotaLeftIsARateLimit) {
  EXPECT_EQ(MapVendorError({.status = 403, .headers = {{"x-ratelimit-remaining", "0"}}})->kind,
            Kind::kRateLimited);
  EXPECT_EQ(MapVendorError({.status = 403, .headers = {{"x-ratelimit-remaining", "7"}}})->kind,
            Kind::kPermission);
}

TEST(MapVendorError, HintsAreOurOwnWords) {
  EXPECT_EQ(MapVendorError({.status = 429, .headers = {{"Retry-After", "30"}}})->retry_hint,
            "retry after 30 s");
  EXPECT_EQ(
      MapVendorError(
          {.status = 429,
           .body =
               R"({"error":{"status":"RESOURCE_EXHAUSTED","details":[{"retryDelay":"3.5s"}]}})"})
          ->retry_hint,
      "retry after 3.5 s");
  EXPECT_EQ(MapVendorError(
                {.status = 402,
                 .body = R"({"error":{"type":"card_error","advice_code":"do_not_try_again"}})"})
                ->retry_hint,
            "the issuer says: do not try this card again");
  EXPECT_EQ(MapVendorError({.status = 429, .headers = {{"Retry-After", "call Jane"}}})->retry_hint,
            "retry at the time that Retry-After names");
}

TEST(MapVendorError, AD10_NothingPersonalComesThrough) {
  const std::string person = "jane.roe@example.com";
  const std::string card = "4242424242424242";
  for (const std::string& secret :
       {person, card, std::string("Jane Roe <b>"), std::string("+4915112345678")}) {
    for (
        const std::string_view body :
        {R"({"error":{"type":"card_error","code":"X","param":"X","message":"X","decline_code":"X","advice_code":"X"}})",
         R"({"Fault":{"Error":[{"Message":"X","Detail":"X","code":"X","element":"X"}],"type":"X"}})",
         R"({"message":"X","documentation_url":"X","errors":[{"field":"X","code":"X"}]})",
         R"({"error":{"code":400,"message":"X","status":"X","details":[{"reason":"X","retryDelay":"Xs"}]}})",
         R"([{"errorCode":"X","message":"X","fields":["X"]}])", R"({"ok":false,"error":"X"})",
         R"({"name":"X","message":"X","debug_id":"d","details":[{"field":"X","issue":"X"}]})",
         R"({"type":"https://e.example/X","title":"X","detail":"X","code":"X","errors":[{"pointer":"X"}]})",
         R"({"error":"X","error_description":"X"})"}) {
      std::string filled;
      for (const char c : body) filled += c == 'X' ? secret : std::string(1, c);
      const auto error = MapVendorError({.status = 400, .body = filled});
      ASSERT_TRUE(error);
      EXPECT_EQ(error->ToString().find(secret), std::string::npos) << filled;
    }
  }
}

TEST(MapVendorError, IsTotalOverRandomBytes) {
  std::mt19937 random(10);
  for (int i = 0; i < 2'000; ++i) {
    std::string body(random() % 60, ' ');
    for (char& c : body) c = "{}[]\":,0eError\xff code"[random() % 21];
    const auto dialect = static_cast<Dialect>(random() % 10);
    ASSERT_TRUE(
        MapVendorError({.status = 400 + static_cast<int>(random() % 200), .body = body}, dialect));
  }
}

TEST(MapVendorError, DoesNotReadAHugeBody) {
  const std::string body =
      R"({"error":{"type":"card_error"},"x":")" + std::string(kErrorBodyMax, 'x') + "\"}";
  EXPECT_EQ(MapVendorError({.status = 400, .body = body}, Dialect::kStripe)->kind,
            Kind::kValidation);
}

TEST(QuickBooksBatchFaults, NamesTheEntriesThatFailed) {
  const auto faults = QuickBooksBatchFaults({.status = 200, .body = R"({"BatchItemResponse":[
    {"Invoice":{"Id":"1"},"bId":"a"},
    {"Fault":{"Error":[{"code":"5010"}],"type":"ValidationFault"},"bId":"b"}]})"});
  ASSERT_EQ(faults.size(), 1U);
  EXPECT_EQ(faults[0].batch_id, "b");
  EXPECT_EQ(faults[0].error.kind, Kind::kConflict);
  EXPECT_TRUE(QuickBooksBatchFaults({.status = 200, .body = "<html>"}).empty());
}

TEST(DomainError, PrintsOnOneLine) {
  const auto error = MapVendorError(
      {.status = 400,
       .headers = {{"Request-Id", "req_1"}},
       .body =
           R"({"error":{"type":"invalid_request_error","code":"parameter_invalid","param":"currency"}})"},
      Dialect::kStripe);
  EXPECT_EQ(
      error->ToString(),
      "validation (parameter_invalid), field \"currency\", status 400, request req_1; correct "
      "the request; give it a new idempotency key");
}

}  // namespace
}  // namespace understudy
