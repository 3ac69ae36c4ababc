// From what is captured on the thread of a call to the line in the trail.
#include "middleware/audit/audit_record.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "middleware/audit/audit_renderer.h"
#include "middleware/platform/openssl_crypto.h"

namespace understudy {
namespace {

using namespace std::chrono_literals;  // NOLINT: literals
using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::Not;
using Tag = AuditCapture::Tag;

class AuditRecordTest : public ::testing::Test {
 protected:
  json Line(const AuditCapture& capture, Secret digest_key = {}) {
    const AuditRenderer renderer(redactor_, crypto_, 0xabc, std::move(digest_key));
    const AuditEntry entry = ToEntry(renderer.Render(capture));
    const auto checked = CheckAuditEntry(entry);
    EXPECT_TRUE(checked) << checked.error().message;
    text_ = entry.text;
    return json::parse(entry.text);
  }

  AuditCapture Attempt() {
    AuditCapture capture(AuditKind::kAttempt);
    capture.number = 7;
    capture.call = 5;
    capture.at = SystemTime(1s + 5ns);
    capture.after = 20ms;
    capture.duration = 30ms;
    capture.attempt = 2;
    capture.sends = 3;
    return capture;
  }

  http::Request Request() {
    http::Request request;
    request.method = http::Method::Post();
    request.url = http::Url::Parse("https://api.example:8443/v1/pay?limit=2&token=abc").value();
    request.headers = {{"Content-Type", "application/json"},
                       {"Authorization", "Bearer verysecret"},
                       {"X-Shopify-Access-Token", "verysecret"}};
    request.body = R"({"amount":5,"password":"verysecret"})";
    return request;
  }

  OpensslCrypto crypto_;
  Redactor redactor_ = Redactor::Create().value();
  std::string text_;
};

TEST_F(AuditRecordTest, AU6_AnAttemptTellsEverythingThatIsKnown) {
  AuditCapture capture = Attempt();
  capture.Put(Tag::kProvider, "stripe");
  capture.Put(Tag::kOperation, "charges.create");
  capture.Put(Tag::kBreaker, "half-open");
  capture.Put(Tag::kBecause, "503, retry in 20ms");
  capture.Put(Tag::kOutcome, "unavailable");
  capture.TakeRequest(Request(), redactor_, BodyAudit::kLength);
  capture.TakeResponse({503, {{"Retry-After", "1"}, {"Set-Cookie", "s=1"}}, "busy"}, redactor_,
                       BodyAudit::kLength);
  EXPECT_EQ(Line(capture), json::parse(R"({
    "v": 1, "at": "1970-01-01T00:00:01.000000005Z", "id": "0000000000000abc-0000000000000007",
    "call_id": "0000000000000abc-0000000000000005", "kind": "attempt", "provider": "stripe",
    "operation": "charges.create", "method": "POST",
    "url": "https://api.example:8443/v1/pay?limit=2&token=[redacted]",
    "attempt": 2, "send": 3, "after_ns": 20000000, "duration_ns": 30000000, "status": 503,
    "outcome": "unavailable", "breaker": "half-open", "because": "503, retry in 20ms",
    "request_headers": [["Content-Type", "application/json"]],
    "hidden_request_headers": ["Authorization", "X-Shopify-Access-Token"],
    "request_body": {"length": 36}, "response_headers": [["Retry-After", "1"]],
    "hidden_response_headers": ["Set-Cookie"], "response_body": {"length": 4}})"));
}

TEST_F(AuditRecordTest, AU1_AnErrorOfTheNetworkIsRecordedWithWhatItMeans) {
  AuditCapture capture = Attempt();
  capture.TakeRequest(Request(), redactor_, BodyAudit::kLength);
  capture.TakeError({ErrorCode::kConnection,
                     "reset\r\nby https://u:p@h.example/?x=1",
                     Delivery::kMaybeSent,
                     Origin::kRemote,
                     {},
                     "reset"});
  const json line = Line(capture);
  EXPECT_EQ(line["error"], "connection");
  EXPECT_EQ(line["delivery"], "maybe-sent");
  EXPECT_EQ(line["origin"], "remote");
  EXPECT_EQ(line["reason"], "reset");
  EXPECT_EQ(line["message"], "reset  by https://h.example/?x=[redacted]");
  EXPECT_FALSE(line.contains("status"));
  EXPECT_FALSE(line.contains("response_body"));
}

TEST_F(AuditRecordTest, AU3_BodiesAreNotCapturedUnlessAskedFor) {
  AuditCapture capture = Attempt();
  capture.TakeRequest(Request(), redactor_, BodyAudit::kLength);
  Line(capture);
  EXPECT_THAT(text_, Not(HasSubstr("amount")));
  EXPECT_THAT(text_, Not(HasSubstr("sha256")));
}

TEST_F(AuditRecordTest, AU4_ABodyHasItsDigestLengthAndRedactedPreview) {
  AuditCapture capture = Attempt();
  capture.TakeRequest(Request(), redactor_, BodyAudit::kPreview);
  capture.TakeResponse({200, {}, std::string("\x00\x01", 2)}, redactor_, BodyAudit::kPreview);
  const json line = Line(capture);
  EXPECT_EQ(line["request_body"]["preview"], R"({"amount":5,"password":"[redacted]"})");
  EXPECT_EQ(line["request_body"]["length"], 36);
  EXPECT_EQ(line["request_body"]["sha256"].get<std::string>().size(), 64u);
  // Bytes are not dropped silently: they have a length and a digest, and it says why no text.
  EXPECT_EQ(line["response_body"], json::parse(R"({"length": 2, "hidden": "type", "sha256":
                "b413f47d13ee2fe6c845b2ee141af81de858df4ec549a58b7970bb96645bc8d2"})"));
}

TEST_F(AuditRecordTest, AU4_WhatIsTakenOfALongBodyIsBounded) {
  http::Request request = Request();
  request.body = "[" + std::string(10'000'000, '1') + "]";
  AuditCapture capture = Attempt();
  capture.TakeRequest(request, redactor_, BodyAudit::kDigest);
  EXPECT_LE(capture.bytes(), std::size_t{AuditCapture::kBodyBytesMax} * 2 + 4096);
  const json line = Line(capture);
  EXPECT_EQ(line["request_body"]["length"], 10'000'002);
  EXPECT_EQ(line["request_body"]["digest_bytes"], AuditCapture::kBodyBytesMax);
  EXPECT_FALSE(line["request_body"].contains("preview"));
}

TEST_F(AuditRecordTest, AU3_AMessageThatIsTooLongIsCutBetweenWords) {
  const std::string before(4000, 'x');
  const struct {
    const char* name;
    std::string message;
    std::string taken;
  } tests[] = {
      {"within a URL", before + " https://me:" + std::string(200, 's') + "@host/", before},
      {"without a space", std::string(5000, 's'), "(a long text without a space)"},
      {"as long as allowed", std::string(4096, 'x'), std::string(4096, 'x')},
  };
  for (const auto& test : tests) {
    AuditCapture capture = Attempt();
    capture.Put(AuditCapture::Tag::kMessage, test.message);
    std::string taken;
    capture.ForEach([&](AuditCapture::Tag tag, std::string_view value) {
      if (tag == AuditCapture::Tag::kMessage) taken = value;
    });
    EXPECT_EQ(taken, test.taken) << test.name;
  }
}

TEST_F(AuditRecordTest, AKeyedDigestCannotBeGuessed) {
  AuditCapture capture = Attempt();
  capture.TakeRequest(Request(), redactor_, BodyAudit::kDigest);
  const json line = Line(capture, Secret("key"));
  EXPECT_TRUE(line["request_body"].contains("hmac_sha256"));
  EXPECT_FALSE(line["request_body"].contains("sha256"));
}

TEST_F(AuditRecordTest, TwoContentTypesAreNone) {
  http::Request request = Request();
  ASSERT_TRUE(request.headers.Add("content-type", "application/x-www-form-urlencoded"));
  AuditCapture capture = Attempt();
  capture.TakeRequest(request, redactor_, BodyAudit::kPreview);
  EXPECT_EQ(Line(capture)["request_body"]["hidden"], "type");
}

TEST_F(AuditRecordTest, TheTraceIsThatOfTheRequest) {
  http::Request request = Request();
  ASSERT_TRUE(request.headers.Set("traceparent",
                                  "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"));
  AuditCapture capture = Attempt();
  capture.TakeRequest(request, redactor_, BodyAudit::kLength);
  EXPECT_EQ(Line(capture)["trace_id"], "4bf92f3577b34da6a3ce929d0e0e4736");
}

TEST_F(AuditRecordTest, ACallHasItsDecisions) {
  AuditCapture capture(AuditKind::kCall);
  capture.number = capture.call = 1;
  capture.fallback = true;
  capture.status = 200;
  capture.PutDecision(5ms, "retry", "503, retry in 100ms");
  capture.PutDecision(105ms, "breaker", "refused: token=abc");
  const json line = Line(capture);
  EXPECT_EQ(line["id"], line["call_id"]);
  EXPECT_EQ(line["fallback"], true);
  EXPECT_EQ(line["decisions"], json::parse(R"([
    {"after_ns": 5000000, "layer": "retry", "what": "503, retry in 100ms"},
    {"after_ns": 105000000, "layer": "breaker", "what": "refused: token=[redacted]"}])"));
}

TEST_F(AuditRecordTest, AU7_NoFieldCanStartALineOfItsOwn) {
  AuditCapture capture(AuditKind::kCall);
  capture.number = capture.call = 1;
  const std::string evil = "x\n{\"v\":1}\r\x1b[2J\xe2\x80\xa8\"\\";
  for (const Tag tag :
       {Tag::kProvider, Tag::kOperation, Tag::kMethod, Tag::kUrl, Tag::kOutcome, Tag::kReason,
        Tag::kMessage, Tag::kBreaker, Tag::kBecause, Tag::kTraceparent, Tag::kRequestHeader,
        Tag::kRequestHeaderValue, Tag::kResponseHeader, Tag::kDecisionLayer}) {
    capture.Put(tag, evil);
  }
  capture.PutDecision(0ns, evil, evil);
  Line(capture);  // Checks for control characters, and that it is JSON.
  EXPECT_THAT(text_, Not(HasSubstr("\xe2\x80\xa8")));
}

TEST_F(AuditRecordTest, HeadersBeyondTheBoundAreLeftOut) {
  http::Request request = Request();
  for (int i = 0; i < 500; ++i) ASSERT_TRUE(request.headers.Add("Accept", std::string(5000, 'a')));
  AuditCapture capture = Attempt();
  capture.TakeRequest(request, redactor_, BodyAudit::kLength);
  EXPECT_LT(capture.bytes(), 200'000u);
  const json line = Line(capture);
  EXPECT_EQ(line["request_headers"].size() + line["hidden_request_headers"].size(),
            AuditCapture::kHeadersMax);
}

TEST_F(AuditRecordTest, AUrlBeyondTheBoundShowsItsOrigin) {
  http::Request request = Request();
  request.url.AddQuery("x", std::string(9000, 'a'));
  AuditCapture capture = Attempt();
  capture.TakeRequest(request, redactor_, BodyAudit::kLength);
  EXPECT_EQ(Line(capture)["url"], "https://api.example:8443/...");
}

}  // namespace
}  // namespace understudy
