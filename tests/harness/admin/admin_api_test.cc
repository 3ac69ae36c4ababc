#include "harness/admin/admin_api.h"

#include <memory>
#include <string>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "harness/plan/seeded_random.h"
#include "harness/scenario/vendor_file.h"
#include "middleware/platform/system_clock.h"

namespace understudy::harness {
namespace {

using Json = nlohmann::json;
using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr const char* kAcme = R"({"vendors": {"acme": {"routes": [
  {"id": "orders", "match": {"method": "GET", "path": "/v1/orders"}, "when_exhausted": "repeat-last",
   "respond": [{"json": []}]},
  {"id": "create", "match": {"method": "POST", "path": "/v1/orders"}, "when_exhausted": "repeat-last",
   "set_state": {"cart": "Full"}, "respond": [{"status": 201}]},
  {"id": "once", "match": {"path": "/once"}, "respond": [{"status": 200}]}
]}}})";

class AdminApiTest : public ::testing::Test {
 protected:
  explicit AdminApiTest(AdminApiOptions options = {}) : api_(clock_, journal_, std::move(options)) {
    auto file = LoadVendorText("acme.json", kAcme);
    EXPECT_TRUE(file.ok()) << file.ErrorText();
    auto vendor = ReloadableVendor::Create(
        file.vendors.at(0),
        {.clock = clock_, .random = random_, .events = events_, .journal = &journal_});
    EXPECT_TRUE(vendor.has_value());
    vendor_ = *std::move(vendor);
    api_.Add({"acme", "http://127.0.0.1:1", *vendor_});
  }

  http::Response Call(std::string_view method, const std::string& path, std::string body = "",
                      http::Headers headers = {}) {
    return api_.Handle({.method = http::Method(method),
                        .url = *http::Url::Parse("http://127.0.0.1:9" + path),
                        .headers = std::move(headers),
                        .body = std::move(body)});
  }
  Json Get(const std::string& path) { return Json::parse(Call("GET", path).body, nullptr, false); }
  Json Verify(const std::string& body) {
    const http::Response response = Call("POST", "/v1/verify", body);
    EXPECT_EQ(response.status, 200) << response.body;
    return Json::parse(response.body, nullptr, false);
  }
  // A request to the vendor; the status.
  int Send(std::string_view method, const std::string& path, std::string body = "") {
    const ResponsePlan plan = vendor_->Handle(
        {.method = http::Method(method),
         .url = *http::Url::Parse("http://127.0.0.1:1" + path),
         .headers = {{"Authorization", "Bearer hush"}, {"Content-Type", "application/json"}},
         .body = std::move(body)});
    vendor_->Completed(plan, {.completed = true});
    return plan.response.status;
  }

  SystemClock clock_;
  SeededRandom random_{1};
  NullEventSink events_;
  Journal journal_;
  std::unique_ptr<ReloadableVendor> vendor_;
  AdminApi api_;
};

TEST_F(AdminApiTest, TellsThatItIsWellAndWhatTheJournalHolds) {
  Send("GET", "/v1/orders");
  const Json health = Get("/v1/health");
  EXPECT_EQ(health.at("status"), "ok");
  EXPECT_EQ(health.at("vendors"), 1);
  EXPECT_EQ(health.at("journal").at("entries"), 1);
}

TEST_F(AdminApiTest, ListsVendors) {
  Send("GET", "/v1/orders");
  Send("GET", "/v1/ordres");
  EXPECT_EQ(Get("/v1/vendors"), Json::parse(R"({"vendors": [{"name": "acme",
      "url": "http://127.0.0.1:1", "requests": 2, "complaints": 1,
      "states": {"cart": "Started"}}]})"));
}

TEST_F(AdminApiTest, ShowsRequestsWithoutCredentials) {
  Send("POST", "/v1/orders?api_key=hush", R"({"password": "hush", "sku": "a"})");
  const http::Response response = Call("GET", "/v1/requests");
  EXPECT_EQ(response.headers.Get("Content-Type"), "application/json");
  EXPECT_THAT(response.body, AllOf(HasSubstr("[redacted]"), Not(HasSubstr("hush"))));
  const Json requests = Json::parse(response.body, nullptr, false);
  EXPECT_EQ(requests.at("requests").at(0).at("route"), "create");
  EXPECT_EQ(requests.at("last"), 1);
}

TEST_F(AdminApiTest, NarrowsRequestsByRouteVendorAndWhetherARouteMatched) {
  Send("GET", "/v1/orders");
  Send("POST", "/v1/orders");
  Send("GET", "/nowhere");
  const auto numbers = [&](const std::string& query) {
    std::string text;
    const Json answer = Get("/v1/requests" + query);
    for (const Json& request : answer.at("requests")) text += request.at("number").dump();
    return text;
  };
  EXPECT_EQ(numbers(""), "123");
  EXPECT_EQ(numbers("?route=create"), "2");
  EXPECT_EQ(numbers("?unmatched=true"), "3");
  EXPECT_EQ(numbers("?vendor=other"), "");
  EXPECT_EQ(numbers("?limit=2"), "23") << "the last ones";
  EXPECT_EQ(numbers("?after=0&limit=2"), "12") << "onward from there";
  EXPECT_EQ(numbers("?after=2"), "3");
}

TEST_F(AdminApiTest, SaysWhetherThereIsMoreAfterAPage) {
  for (int i = 0; i < 3; ++i) Send("GET", "/v1/orders");
  const Json page = Get("/v1/requests?after=0&limit=2");
  EXPECT_EQ(page.at("more"), true);
  EXPECT_EQ(page.at("last"), 2);
  EXPECT_EQ(Get("/v1/requests?after=2&limit=2").at("more"), false);
  EXPECT_EQ(Get("/v1/requests?after=3").at("last"), 3) << "nothing new: ask from here again";
}

TEST_F(AdminApiTest, ShowsOneRequestAndForgetsSome) {
  Send("GET", "/v1/orders");
  Send("POST", "/v1/orders");
  EXPECT_EQ(Get("/v1/requests/2").at("route"), "create");
  EXPECT_EQ(Call("GET", "/v1/requests/3").status, 404);
  EXPECT_EQ(Call("GET", "/v1/requests/x").status, 400);
  EXPECT_EQ(Call("DELETE", "/v1/requests?route=create").body, "{\"removed\":1}\n");
  EXPECT_EQ(Call("GET", "/v1/requests/2").status, 404);
  EXPECT_EQ(Call("DELETE", "/v1/requests").body, "{\"removed\":1}\n");
}

TEST_F(AdminApiTest, VerifiesWhatCame) {
  Send("POST", "/v1/orders", R"({"amount": 500, "sku": "a"})");
  const Json good = Verify(
      R"({"match": {"method": "POST", "path": "/v1/orders", "json": {"amount": 500}}, "times": 1})");
  EXPECT_EQ(good.at("ok"), true) << good;
  EXPECT_EQ(good.at("numbers"), Json::parse("[1]"));
  EXPECT_EQ(Verify(R"({"match": {}, "min": 2})").at("ok"), false);
  EXPECT_EQ(Verify(R"({"match": {}, "max": 1})").at("ok"), true);
  EXPECT_EQ(Verify(R"({"match": {}, "times": 0})").at("ok"), false);
  EXPECT_EQ(Verify(R"({"match": {}, "times": 0, "vendor": "other"})").at("ok"), true);
  EXPECT_EQ(Verify(R"({"match": {}, "times": 0, "after": 1})").at("ok"), true);
}

TEST_F(AdminApiTest, AFailedVerificationNamesTheNearestRequest) {
  Send("POST", "/v1/orders", R"({"amount": 499})");
  const Json failed =
      Verify(R"({"match": {"method": "POST", "path": "/v1/orders", "json": {"amount": 500}}})");
  EXPECT_EQ(failed.at("ok"), false);
  EXPECT_EQ(failed.at("near").at(0).at("number"), 1);
  EXPECT_THAT(failed.at("message").get<std::string>(), AllOf(HasSubstr("500"), HasSubstr("499")));
}

TEST_F(AdminApiTest, AVerificationWaitsForARequest) {
  std::thread later([&] { Send("POST", "/v1/orders"); });
  EXPECT_EQ(Verify(R"({"match": {"method": "POST"}, "within": "30s"})").at("ok"), true);
  later.join();
}

TEST_F(AdminApiTest, StopEndsAVerificationThatWaits) {
  std::thread stopper([&] { api_.Stop(); });
  EXPECT_EQ(Verify(R"({"match": {"method": "POST"}, "within": "5m"})").at("ok"), false);
  stopper.join();
}

TEST_F(AdminApiTest, ExportsAnArchive) {
  Send("GET", "/v1/orders");
  const Json har = Get("/v1/har");
  EXPECT_EQ(har.at("log").at("version"), "1.2");
  EXPECT_EQ(har.at("log").at("entries").size(), 1U);
  EXPECT_EQ(Get("/v1/har?route=create").at("log").at("entries").size(), 0U);
}

TEST_F(AdminApiTest, TellsWhatNobodyPlannedUntilAReset) {
  Send("GET", "/once");
  Send("GET", "/once");
  const Json complaints = Get("/v1/complaints?vendor=acme");
  EXPECT_EQ(complaints.at("count"), 1);
  EXPECT_EQ(complaints.at("complaints").at(0).at("kind"), "exhausted");
  EXPECT_EQ(complaints.at("complaints").at(0).at("route"), "once");
  EXPECT_EQ(Call("POST", "/v1/reset?vendor=acme").status, 200);
  EXPECT_EQ(Get("/v1/complaints").at("count"), 0);
  EXPECT_EQ(journal_.Count(), 0U);
  EXPECT_EQ(Send("GET", "/once"), 200);
}

TEST_F(AdminApiTest, ReplacesTheAnswersOfARoute) {
  const http::Response set = Call("PUT", "/v1/vendors/acme/routes/orders/responses",
                                  R"([{"times": 1, "status": 503}, {"json": [1]}])");
  EXPECT_EQ(set.body, "{\"route\":\"orders\",\"responses\":2}\n");
  EXPECT_EQ(Send("GET", "/v1/orders"), 503);
  EXPECT_EQ(Send("GET", "/v1/orders"), 200);
}

TEST_F(AdminApiTest, AnswersThatAreNoneChangeNothingAndAreExplained) {
  const http::Response wrong =
      Call("PUT", "/v1/vendors/acme/routes/orders/responses", R"([{"sttus": 503}])");
  EXPECT_EQ(wrong.status, 400);
  EXPECT_THAT(wrong.body, HasSubstr("did you mean \\\"status\\\""));
  EXPECT_EQ(Send("GET", "/v1/orders"), 200);
  const http::Response file = Call("PUT", "/v1/vendors/acme/routes/orders/responses",
                                   R"([{"body_file": "/etc/hostname"}])");
  EXPECT_EQ(file.status, 400) << "nobody may have files read";
  EXPECT_EQ(Call("PUT", "/v1/vendors/acme/routes/ordrs/responses", R"([{"status": 200}])").status,
            404);
  EXPECT_THAT(Call("PUT", "/v1/vendors/acne/routes/orders/responses", R"([{"status": 200}])").body,
              HasSubstr("did you mean \\\"acme\\\""));
}

TEST_F(AdminApiTest, ShowsAndSetsStates) {
  Send("POST", "/v1/orders");
  const std::string path = "/v1/vendors/acme/states";
  EXPECT_EQ(Call("GET", path).body, "{\"states\":{\"cart\":\"Full\"}}\n");
  EXPECT_EQ(Call("PUT", path, R"({"cart": "Started"})").body,
            "{\"states\":{\"cart\":\"Started\"}}\n");
  EXPECT_EQ(Call("PUT", path, R"({"cart": "Ful"})").status, 400);
  EXPECT_EQ(Call("PUT", path, R"({"cart": "Full", "crt": "Full"})").status, 404);
  EXPECT_EQ(Call("GET", path).body, "{\"states\":{\"cart\":\"Started\"}}\n") << "all or none";
  Send("POST", "/v1/orders");
  EXPECT_EQ(Call("DELETE", path).body, "{\"states\":{\"cart\":\"Started\"}}\n");
}

TEST_F(AdminApiTest, ARemovedVendorIsGone) {
  api_.Remove("acme");
  EXPECT_EQ(Call("GET", "/v1/vendors/acme/states").status, 404);
  EXPECT_EQ(Get("/v1/vendors").at("vendors").size(), 0U);
}

struct BadCall {
  const char* name;
  const char* method;
  const char* path;
  const char* body;
  int status;
  const char* says;
};

class AdminApiErrorTest : public AdminApiTest, public ::testing::WithParamInterface<BadCall> {};

TEST_P(AdminApiErrorTest, IsAnsweredWithAReason) {
  const BadCall& bad = GetParam();
  const http::Response response = Call(bad.method, bad.path, bad.body);
  EXPECT_EQ(response.status, bad.status) << response.body;
  EXPECT_THAT(response.body, HasSubstr(bad.says));
  EXPECT_EQ(Json::parse(response.body, nullptr, false).at("error").at("status"), bad.status);
}

INSTANTIATE_TEST_SUITE_P(
    Calls, AdminApiErrorTest,
    ::testing::Values(
        BadCall{"UnknownPath", "GET", "/v1/nothing", "", 404, "nothing at this path"},
        BadCall{"Root", "GET", "/", "", 404, "nothing at this path"},
        BadCall{"UnknownParameter", "GET", "/v1/requests?rout=a", "", 400, "did you mean"},
        BadCall{"ParameterOfAnother", "DELETE", "/v1/requests?limit=1", "", 400, "limit"},
        BadCall{"NoNumber", "GET", "/v1/requests?after=x", "", 400, "?after= is no number"},
        BadCall{"NoFlag", "GET", "/v1/requests?unmatched=perhaps", "", 400, "true nor false"},
        BadCall{"WrongMethod", "PUT", "/v1/requests", "", 405, "GET, DELETE"},
        BadCall{"VerifyNoJson", "POST", "/v1/verify", "{", 400, "no JSON object"},
        BadCall{"VerifyNoMatch", "POST", "/v1/verify", "{}", 400, "\\\"match\\\" is missing"},
        BadCall{"VerifyBadMatch", "POST", "/v1/verify", R"({"match": {"methd": "GET"}})", 400,
                "did you mean \\\"method\\\""},
        BadCall{"VerifyBadKey", "POST", "/v1/verify", R"({"match": {}, "time": 1})", 400,
                "did you mean \\\"times\\\""},
        BadCall{"VerifyTimesTwice", "POST", "/v1/verify", R"({"match": {}, "times": 1, "min": 1})",
                400, "or \\\"min\\\" and"},
        BadCall{"VerifyMinAboveMax", "POST", "/v1/verify", R"({"match": {}, "min": 2, "max": 1})",
                400, ""},
        BadCall{"VerifyNegative", "POST", "/v1/verify", R"({"match": {}, "times": -1})", 400,
                "times"},
        BadCall{"VerifyWithin", "POST", "/v1/verify", R"({"match": {}, "within": 2})", 400,
                "within"},
        BadCall{"VerifyTooLong", "POST", "/v1/verify", R"({"match": {}, "within": "6m"})", 400,
                "more than"},
        BadCall{"StatesNoObject", "PUT", "/v1/vendors/acme/states", "[]", 400, "no JSON object"},
        BadCall{"ResetOfNobody", "POST", "/v1/reset?vendor=acm", "", 404, "did you mean"}),
    [](const auto& test) { return std::string(test.param.name); });

TEST_F(AdminApiTest, DeepBodiesAreRefused) {
  const std::string deep = "{\"match\":" + std::string(100'000, '[') + "}";
  EXPECT_EQ(Call("POST", "/v1/verify", deep).status, 400);
}

TEST_F(AdminApiTest, PagesInABrowserAreRefused) {
  EXPECT_EQ(Call("GET", "/v1/health", "", {{"Origin", "http://evil.example"}}).status, 403);
  const http::Response rebound = api_.Handle(
      {.method = http::Method::Get(), .url = *http::Url::Parse("http://evil.example:9/v1/health")});
  EXPECT_EQ(rebound.status, 403) << "a name that leads to the loopback";
}

class AdminApiTokenTest : public AdminApiTest {
 protected:
  AdminApiTokenTest() : AdminApiTest({.token = Secret("s3cret")}) {}
};

TEST_F(AdminApiTokenTest, EveryRequestNeedsTheToken) {
  const http::Response refused = Call("GET", "/v1/health");
  EXPECT_EQ(refused.status, 401);
  EXPECT_EQ(refused.headers.Get("WWW-Authenticate"), "Bearer");
  EXPECT_EQ(Call("GET", "/v1/health", "", {{"Authorization", "Bearer s3cre"}}).status, 401);
  EXPECT_EQ(Call("GET", "/v1/health", "", {{"Authorization", "Basic s3cret"}}).status, 401);
  EXPECT_EQ(Call("GET", "/v1/health", "", {{"Authorization", "bearer s3cret"}}).status, 200);
}

}  // namespace
}  // namespace understudy::harness
