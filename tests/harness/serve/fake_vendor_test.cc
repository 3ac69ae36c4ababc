#include "harness/serve/fake_vendor.h"

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "harness/vendor/verification.h"
#include "middleware/platform/curl_transport.h"
#include "middleware/platform/file.h"
#include "middleware/platform/system_clock.h"
#include "tests/support/temporary_folder.h"

namespace understudy::harness {
namespace {

using ::testing::HasSubstr;

class FakeVendorTest : public ::testing::Test {
 protected:
  FakeVendor Start(VendorSpec spec = {.name = "acme"}) {
    auto vendor = FakeVendor::Start(std::move(spec));
    EXPECT_TRUE(vendor.has_value()) << vendor.error().message;
    return *std::move(vendor);
  }
  http::Response Send(std::string_view method, const std::string& url, std::string body = {}) {
    auto parsed = http::Url::Parse(url);
    EXPECT_TRUE(parsed.has_value());
    auto answer = curl_.Send({http::Method(method), *std::move(parsed), {}, std::move(body)}, {});
    EXPECT_TRUE(answer.has_value()) << answer.error().message;
    return answer ? *std::move(answer) : http::Response{.status = 0};
  }
  http::Response Get(const std::string& url) { return Send("GET", url); }

  SystemClock clock_;
  CurlTransport curl_{clock_};
};

TEST_F(FakeVendorTest, AnswersAsItIsTold) {
  FakeVendor vendor = Start();
  vendor.On("GET /v1/orders/{id}").Reply(200, R"({"id": "{{request.path.id}}"})");
  EXPECT_EQ(Get(vendor.url() + "/v1/orders/o7").body, R"({"id": "o7"})");
  EXPECT_EQ(vendor.ComplaintText(), "");
}

TEST_F(FakeVendorTest, AnswersOneAfterTheOther) {
  FakeVendor vendor = Start();
  vendor.On("/flaky").Reply(503).Times(2).With("Retry-After", "1").Reply(200);
  EXPECT_EQ(Get(vendor.url() + "/flaky").headers.Get("Retry-After"), "1");
  EXPECT_EQ(Get(vendor.url() + "/flaky").status, 503);
  EXPECT_EQ(Get(vendor.url() + "/flaky").status, 200);
  EXPECT_EQ(Get(vendor.url() + "/flaky").status, 200);
}

TEST_F(FakeVendorTest, ComplainsAboutWhatNobodyPlanned) {
  FakeVendor vendor = Start();
  vendor.On("GET /once").Reply(200).ThenFail();
  Get(vendor.url() + "/once");
  EXPECT_EQ(Get(vendor.url() + "/once").status, 500);
  const http::Response unmatched = Get(vendor.url() + "/onse");
  EXPECT_EQ(unmatched.status, 404);
  EXPECT_THAT(unmatched.body, HasSubstr("GET /once"));
  EXPECT_EQ(vendor.complaint_count(), 2U);
  vendor.Reset();
  EXPECT_EQ(Get(vendor.url() + "/once").status, 200);
  EXPECT_EQ(vendor.ComplaintText(), "");
}

TEST_F(FakeVendorTest, ARouteThatComesLaterLeavesTheOthersWhereTheyAre) {
  FakeVendor vendor = Start();
  vendor.On("/a").Reply(201).Reply(202);
  EXPECT_EQ(Get(vendor.url() + "/a").status, 201);
  vendor.On("/b").Reply(204);
  EXPECT_EQ(Get(vendor.url() + "/a").status, 202);
  EXPECT_EQ(Get(vendor.url() + "/b").status, 204);
  vendor.On("/b").Reply(205);
  EXPECT_EQ(Get(vendor.url() + "/b").status, 205) << "the same pattern replaces the route";
}

TEST_F(FakeVendorTest, MatchesMoreThanThePath) {
  FakeVendor vendor = Start();
  vendor.On("POST /o").Id("special").Json(R"({"sku": "a"})").Query("dry", "1").Reply(202);
  vendor.On("POST /o").Id("other").Reply(201);
  EXPECT_EQ(Send("POST", vendor.url() + "/o?dry=1", R"({"sku":"a","n":1})").status, 202);
  EXPECT_EQ(Send("POST", vendor.url() + "/o", R"({"sku":"a","n":1})").status, 201);
}

TEST_F(FakeVendorTest, StatesLeadFromOneRouteToTheNext) {
  FakeVendor vendor = Start();
  vendor.On("GET /job").Id("done").WhenState("job", "Done").Reply(200);
  vendor.On("GET /job").Id("pending").Reply(202);
  vendor.On("POST /finish").SetState("job", "Done").Reply(204);
  EXPECT_EQ(Get(vendor.url() + "/job").status, 202);
  Send("POST", vendor.url() + "/finish");
  EXPECT_EQ(Get(vendor.url() + "/job").status, 200);
}

TEST_F(FakeVendorTest, AnswersAreComputed) {
  FakeVendor vendor = Start();
  vendor.On("/echo").Compute([](const RouteRequest& request) {
    return ResponseSpec{.body = request.request.body, .content_type = "text/plain"};
  });
  EXPECT_EQ(Send("POST", vendor.url() + "/echo", "hello").body, "hello");
}

TEST_F(FakeVendorTest, SeveralVendorsLiveBesideEachOther) {
  FakeVendor one = Start({.name = "one"});
  FakeVendor two = Start({.name = "two"});
  one.On("/").ReplyText(200, "{{vendor}}");
  two.On("/").ReplyText(200, "{{vendor}}");
  EXPECT_EQ(Get(one.url() + "/").body, "one");
  EXPECT_EQ(Get(two.url() + "/").body, "two");
}

TEST_F(FakeVendorTest, AMalformedRouteIsAnErrorWithDone) {
  FakeVendor vendor = Start();
  EXPECT_FALSE(vendor.On("GET no-slash").Reply(200).Done().has_value());
  EXPECT_FALSE(vendor.On("GET /{id}").Reply(200, "\"{{request.path.ib}}\"").Done().has_value());
  EXPECT_EQ(Get(vendor.url() + "/x").status, 404) << "nothing has changed";
}

TEST_F(FakeVendorTest, SetReplacesTheAnswers) {
  FakeVendor vendor = Start();
  vendor.On("/a").Id("a").Reply(200);
  ASSERT_TRUE(vendor.Set("a", {{.status = 503}}).has_value());
  EXPECT_EQ(Get(vendor.url() + "/a").status, 503);
  EXPECT_THAT(vendor.Set("b", {{.status = 503}}).error().message, HasSubstr("no route"));
}

TEST_F(FakeVendorTest, AFileIsHostedByItsVendorsName) {
  const std::filesystem::path path =
      std::filesystem::temp_directory_path() /
      ("fake_vendor_test_" + std::to_string(clock_.Now().time_since_epoch().count()) + ".json");
  std::ofstream(path) << R"({"vendors": {"a": {"routes": [{"id": "r", "match": {"path": "/r"},
      "respond": [{"body": "a"}]}]}, "b": {}}})";
  EXPECT_THAT(FakeVendor::StartFile(path).error().message, HasSubstr("2 vendors"));
  EXPECT_EQ(FakeVendor::StartFile(path, {}, "c").error().code, ErrorCode::kNotFound);
  auto vendor = FakeVendor::StartFile(path, {}, "a");
  ASSERT_TRUE(vendor.has_value()) << vendor.error().message;
  EXPECT_EQ(Get(vendor->url() + "/r").body, "a");
  std::filesystem::remove(path);
}

using FakeVendorDeathTest = FakeVendorTest;

TEST_F(FakeVendorDeathTest, AMalformedRouteInTheSourceStopsTheProgram) {
  FakeVendor vendor = Start();
  EXPECT_DEATH(vendor.On("GET no-slash").Reply(200), "no-slash");
}

TEST_F(FakeVendorTest, EveryRequestIsInTheJournal) {
  FakeVendor vendor = Start();
  vendor.On("GET /a").Reply(200);
  Get(vendor.url() + "/a?x=1");
  Get(vendor.url() + "/nowhere");
  const auto verified =
      Verify(vendor.journal(), *ParseRequestLine("GET /a?x=1"), Times::Exactly(1));
  ASSERT_TRUE(verified.has_value());
  EXPECT_TRUE(verified->ok) << verified->message;
  EXPECT_EQ(vendor.journal().Count({.unmatched_only = true}), 1U);
  vendor.Reset();
  EXPECT_EQ(vendor.journal().Count(), 0U);
}

TEST_F(FakeVendorTest, ARequestCanBeWaitedFor) {
  FakeVendor vendor = Start();
  vendor.On("POST /refunds").Reply(204);
  std::thread later([&] { Send("POST", vendor.url() + "/refunds"); });
  const auto came = AwaitRequests(
      vendor.journal(), *ParseRequestLine("POST /refunds"), Times::AtLeast(1),
      Deadline::After(vendor.clock().Now(), std::chrono::seconds(30)), vendor.clock());
  later.join();
  ASSERT_TRUE(came.has_value());
  EXPECT_TRUE(came->ok) << came->message;
}

TEST_F(FakeVendorTest, AJournalIsBoundedAndCanBeShared) {
  const auto journal = std::make_shared<Journal>(JournalOptions{.entries_max = 2});
  auto one = FakeVendor::Start({.name = "one"}, {.journal = journal});
  auto two = FakeVendor::Start({.name = "two"}, {.journal = journal});
  ASSERT_TRUE(one.has_value() && two.has_value());
  Get(one->url() + "/");
  Get(two->url() + "/");
  EXPECT_EQ(journal->Count(), 2U);
  Get(two->url() + "/");
  EXPECT_EQ(journal->stats().dropped, 1U);
  two->Reset();
  EXPECT_EQ(journal->Count({.vendor = "two"}), 0U);
}

TEST_F(FakeVendorTest, SpeaksTlsWithACertificateThatClientsCanVerify) {
  auto vendor = FakeVendor::Start({.name = "acme"}, {.tls = TlsOptions{}});
  ASSERT_TRUE(vendor.has_value()) << vendor.error().message;
  vendor->On("/").ReplyText(200, "safe");
  EXPECT_TRUE(vendor->url().starts_with("https://"));
  const test::TemporaryFolder folder;
  ASSERT_TRUE(WriteFileAtomically(folder.File("ca.pem"), vendor->ca_pem()).has_value());
  CurlTransport trusting(clock_, {.ca_file = folder.File("ca.pem")});
  const http::Request request{.url = *http::Url::Parse(vendor->url() + "/")};
  const auto answer = trusting.Send(request, {});
  ASSERT_TRUE(answer.has_value()) << answer.error().message;
  EXPECT_EQ(answer->body, "safe");
  EXPECT_FALSE(curl_.Send(request, {}).has_value()) << "others do not trust it";
  EXPECT_EQ(vendor->journal().Find().at(0).outcome->wire.tls.has_value(), true);
}

TEST_F(FakeVendorTest, ConnectionsFailAsTheRulesSay) {
  VendorSpec spec{.name = "acme"};
  spec.faults.push_back({.id = "down",
                         .per = FaultRule::Per::kConnection,
                         .calls = {{1, 1}},
                         .connection_fault = ConnectionFault::kReset});
  FakeVendor vendor = Start(std::move(spec));
  vendor.On("/").Reply(200);
  const http::Request request{.url = *http::Url::Parse(vendor.url() + "/")};
  EXPECT_FALSE(curl_.Send(request, {}).has_value());
  EXPECT_TRUE(curl_.Send(request, {}).has_value());
}

}  // namespace
}  // namespace understudy::harness
