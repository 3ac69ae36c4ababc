#include "harness/admin/wiremock_api.h"

#include <atomic>
#include <memory>
#include <string>
#include <utility>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "harness/plan/seeded_random.h"
#include "harness/server/http_server.h"
#include "middleware/platform/system_clock.h"
#include "middleware/runtime/event.h"
#include "tests/harness/server/raw_client.h"

namespace understudy::harness {
namespace {

using Json = nlohmann::json;
using ::testing::HasSubstr;
using ::testing::SizeIs;
using ::testing::StartsWith;

constexpr const char* kId = "0afc9f8e-5d3f-4c59-9d2b-6f2a3b1c0d4e";

struct Answer {
  int status = 0;
  std::string head;
  std::string body;
  Json json() const { return Json::parse(body, nullptr, false); }
};

// Over a real socket, because clients are.
class WireMockApiTest : public ::testing::Test {
 protected:
  WireMockApiTest() {
    WireMockApiOptions options;
    options.load = [this] { return ImportWireMockText(files_, {.file = "files.json"}); };
    options.report = [this](const std::string& report) { report_ += report; };
    options.shutdown = [this] { shut_down_ = true; };
    auto api = WireMockApi::Create(std::move(options),
                                   {.clock = clock_, .random = random_, .events = events_});
    EXPECT_TRUE(api) << api.error().message;
    api_ = *std::move(api);
    server_ = *HttpServer::Start(clock_, *api_, {});
  }

  // Without a Content-Type, as some clients send it.
  Answer Call(const std::string& method, const std::string& path, const std::string& body = "",
              const std::string& headers = "") {
    RawClient client(server_->port());
    client.Send(method + " " + path + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n" +
                headers + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
    const std::string message = client.ReadToEnd();
    end_ = client.end();
    raw_ = message;
    const std::size_t split = message.find("\r\n\r\n");
    if (split == std::string::npos) return {};
    return {std::stoi(message.substr(9, 3)), message.substr(0, split), message.substr(split + 4)};
  }
  Answer Get(const std::string& path) { return Call("GET", path); }
  Json Stub(const std::string& json) {
    const Answer answer = Call("POST", "/__admin/mappings", json);
    EXPECT_EQ(answer.status, 201) << answer.body;
    return answer.json();
  }
  std::int64_t Count(const std::string& pattern) {
    return Call("POST", "/__admin/requests/count", pattern).json().value("count", std::int64_t{-1});
  }

  std::string files_ = R"({"mappings":[]})";
  std::string report_;
  std::atomic<bool> shut_down_ = false;
  SystemClock clock_;
  SeededRandom random_{1};
  NullEventSink events_;
  std::unique_ptr<WireMockApi> api_;
  std::unique_ptr<HttpServer> server_;
  RawClient::End end_ = RawClient::End::kOpen;
  std::string raw_;
};

// ---- stubs --------------------------------------------------------------------------------------

TEST_F(WireMockApiTest, AStubThatIsPostedAnswersAtOnce) {
  const Json stub = Stub(R"({"request":{"method":"GET","url":"/a"},
                            "response":{"status":203,"body":"hello","headers":{"X":["1","2"]}}})");
  EXPECT_TRUE(IsUuid(stub.at("id").get<std::string>()));
  const Answer answer = Get("/a");
  EXPECT_EQ(answer.status, 203);
  EXPECT_EQ(answer.body, "hello");
  EXPECT_THAT(answer.head, HasSubstr("X: 1\r\nX: 2"));
}

TEST_F(WireMockApiTest, StubsAreListedNewestFirstInPages) {
  Stub(R"({"name":"one"})");
  Stub(R"({"name":"two"})");
  const Json all = Get("/__admin/mappings").json();
  EXPECT_EQ(all.at("meta").at("total"), 2);
  EXPECT_EQ(all.at("mappings").at(0).at("name"), "two");
  const Json page = Get("/__admin/mappings?limit=1&offset=1").json();
  ASSERT_THAT(page.at("mappings"), SizeIs(1));
  EXPECT_EQ(page.at("mappings").at(0).at("name"), "one");
}

TEST_F(WireMockApiTest, AStubIsReadChangedAndDeletedByItsId) {
  const std::string id(kId);
  Stub(R"({"id":")" + id + R"(","request":{"url":"/a"},"response":{"body":"1"}})");
  EXPECT_EQ(Get("/__admin/mappings/" + id).json().at("id"), id);
  const Answer changed =
      Call("PUT", "/__admin/mappings/" + id, R"({"request":{"url":"/a"},"response":{"body":"2"}})");
  EXPECT_EQ(changed.status, 200);
  EXPECT_EQ(changed.json().at("id"), id);
  EXPECT_EQ(Get("/a").body, "2");
  EXPECT_EQ(Call("DELETE", "/__admin/mappings/" + id).status, 200);
  EXPECT_EQ(Get("/a").status, 404);
  EXPECT_EQ(Get("/__admin/mappings/" + id).status, 404);
  EXPECT_EQ(Call("PUT", "/__admin/mappings/" + id, "{}").status, 404);
  EXPECT_EQ(Get("/__admin/mappings/nonsense").status, 400);
}

TEST_F(WireMockApiTest, PriorityComesFirstThenTheNewest) {
  Stub(R"({"request":{"url":"/a"},"response":{"body":"old"}})");
  Stub(R"({"request":{"url":"/a"},"response":{"body":"new"}})");
  EXPECT_EQ(Get("/a").body, "new");
  Stub(R"({"priority":1,"request":{"url":"/a"},"response":{"body":"first"}})");
  Stub(R"({"request":{"url":"/a"},"response":{"body":"newest"}})");
  EXPECT_EQ(Get("/a").body, "first");
}

TEST_F(WireMockApiTest, WhatCannotBeReadIs422WithThePointer) {
  const Answer bad = Call("POST", "/__admin/mappings", R"({"request":{"url":5}})");
  EXPECT_EQ(bad.status, 422);
  const Json error = bad.json().at("errors").at(0);
  EXPECT_EQ(error.at("code"), 10);
  EXPECT_EQ(error.at("source").at("pointer"), "/request/url");
  EXPECT_EQ(error.at("detail"), "it is a text");
  EXPECT_EQ(Call("POST", "/__admin/mappings", "{").status, 422);
  EXPECT_EQ(Call("POST", "/__admin/mappings", std::string(1000, '[')).status, 422);
  EXPECT_EQ(Call("POST", "/__admin/requests/count", R"({"urlPattern":"/(a"})").status, 422);
}

TEST_F(WireMockApiTest, AStubThatWouldNotDoWhatItSaysIs422) {
  for (const char* const stub :
       {R"({"request":{"bodyPatterns":[{"equalToXml":"<a/>"}]}})",
        R"({"response":{"proxyBaseUrl":"http://x"}})", R"({"request":{"urlPattern":"(?=a).*"}})"}) {
    EXPECT_EQ(Call("POST", "/__admin/mappings", stub).status, 422) << stub;
  }
  EXPECT_EQ(api_->stub_count(), 0U);
}

TEST_F(WireMockApiTest, ReportsWhatIsLostOfAStub) {
  Stub(R"({"serveEventListeners":[{"name":"webhook"}]})");
  EXPECT_THAT(report_, HasSubstr("/serveEventListeners/0: lost"));
}

TEST_F(WireMockApiTest, ResetGoesBackToTheFiles) {
  files_ = R"({"mappings":[{"request":{"url":"/file"}}]})";
  EXPECT_EQ(Call("POST", "/__admin/mappings/reset").status, 200);
  Stub(R"({"request":{"url":"/posted"}})");
  EXPECT_EQ(Get("/file").status, 200);
  EXPECT_EQ(Call("POST", "/__admin/reset").status, 200);
  EXPECT_EQ(Get("/__admin/requests").json().at("meta").at("total"), 0);
  EXPECT_EQ(Get("/posted").status, 404);
  EXPECT_EQ(Get("/file").status, 200);
  EXPECT_EQ(Call("DELETE", "/__admin/mappings").status, 200);
  EXPECT_EQ(Get("/file").status, 404);
}

TEST_F(WireMockApiTest, ImportsAccordingToItsOptions) {
  const std::string id(kId);
  Stub(R"({"id":")" + id + R"(","request":{"url":"/a"},"response":{"body":"1"}})");
  Stub(R"({"request":{"url":"/other"}})");
  const std::string again =
      R"({"mappings":[{"id":")" + id + R"(","request":{"url":"/a"},"response":{"body":"2"}}])";
  EXPECT_EQ(Call("POST", "/__admin/mappings/import",
                 again + R"(,"importOptions":{"duplicatePolicy":"IGNORE"}})")
                .status,
            200);
  EXPECT_EQ(Get("/a").body, "1");
  EXPECT_EQ(Call("POST", "/__admin/mappings/import", again + "}").status, 200);
  EXPECT_EQ(Get("/a").body, "2");
  EXPECT_EQ(Get("/other").status, 200);
  Call("POST", "/__admin/mappings/import",
       again + R"(,"importOptions":{"deleteAllNotInImport":true}})");
  EXPECT_EQ(Get("/other").status, 404);
}

TEST_F(WireMockApiTest, FindsAndRemovesStubsByMetadata) {
  Stub(R"({"metadata":{"team":"red"}})");
  Stub(R"({"metadata":{"team":"blue"}})");
  Stub("{}");
  const std::string red = R"({"matchesJsonPath":{"expression":"$.team","equalTo":"red"}})";
  const Json found = Call("POST", "/__admin/mappings/find-by-metadata", red).json();
  ASSERT_THAT(found.at("mappings"), SizeIs(1));
  EXPECT_EQ(Call("POST", "/__admin/mappings/remove-by-metadata", red).status, 200);
  EXPECT_EQ(api_->stub_count(), 2U);
}

TEST_F(WireMockApiTest, RemovesAStubByItsRequest) {
  Stub(R"({"request":{"url":"/a"}})");
  EXPECT_EQ(Call("POST", "/__admin/mappings/remove", R"({"request":{"url":"/a"}})").status, 200);
  EXPECT_EQ(Get("/a").status, 404);
}

TEST_F(WireMockApiTest, TemplatesAreFilledIn) {
  Stub(R"({"request":{"urlPathTemplate":"/o/{id}"},"response":{"transformers":["response-template"],
          "headers":{"Content-Type":"application/json"},
          "body":"{\"id\":\"{{request.path.id}}\",\"n\":{{jsonPath request.body '$.n'}}}"}})");
  EXPECT_EQ(Call("POST", "/o/o1", R"({"n":7})").body, R"({"id":"o1","n":7})");
}

// ---- faults -------------------------------------------------------------------------------------

TEST_F(WireMockApiTest, FaultsEndTheConnectionAsTheySay) {
  Stub(R"({"request":{"url":"/reset"},"response":{"fault":"CONNECTION_RESET_BY_PEER"}})");
  Stub(R"({"request":{"url":"/empty"},"response":{"fault":"EMPTY_RESPONSE"}})");
  Stub(R"({"request":{"url":"/random"},"response":{"fault":"RANDOM_DATA_THEN_CLOSE"}})");
  Stub(R"({"request":{"url":"/chunk"},"response":{"fault":"MALFORMED_RESPONSE_CHUNK"}})");
  Get("/reset");
  EXPECT_EQ(end_, RawClient::End::kReset);
  EXPECT_EQ(raw_, "");
  Get("/empty");
  EXPECT_EQ(end_, RawClient::End::kFin);
  EXPECT_EQ(raw_, "");
  Get("/random");
  EXPECT_EQ(end_, RawClient::End::kFin);
  EXPECT_THAT(raw_, SizeIs(36));
  const Answer chunk = Get("/chunk");
  EXPECT_EQ(end_, RawClient::End::kFin);
  EXPECT_EQ(chunk.status, 200);
  EXPECT_THAT(chunk.head, HasSubstr("chunked"));
}

// ---- the journal --------------------------------------------------------------------------------

TEST_F(WireMockApiTest, CountsAndFindsRequests) {
  Stub(R"({"request":{"urlPath":"/a"}})");
  Call("POST", "/a?q=1", "body", "X-A: 1\r\nCookie: sid=s\r\n");
  Get("/b");
  EXPECT_EQ(Count(R"({"method":"POST","urlPath":"/a"})"), 1);
  EXPECT_EQ(Count(R"({"method":"ANY"})"), 2);
  EXPECT_EQ(Count("{}"), 2);
  const Json found = Call("POST", "/__admin/requests/find", R"({"urlPath":"/a"})").json();
  ASSERT_THAT(found.at("requests"), SizeIs(1));
  const Json request = found.at("requests").at(0);
  EXPECT_EQ(request.at("url"), "/a?q=1");
  EXPECT_EQ(request.at("method"), "POST");
  EXPECT_EQ(request.at("body"), "body");
  EXPECT_EQ(request.at("headers").at("X-A"), "1");
  EXPECT_EQ(request.at("cookies").at("sid"), "s");
  EXPECT_EQ(request.at("queryParams").at("q").at("values").at(0), "1");
  const Json unmatched = Get("/__admin/requests/unmatched").json();
  ASSERT_THAT(unmatched.at("requests"), SizeIs(1));
  EXPECT_EQ(unmatched.at("requests").at(0).at("url"), "/b");
}

TEST_F(WireMockApiTest, ListsServeEventsNewestFirst) {
  const Json stub = Stub(R"({"request":{"urlPath":"/a"},"response":{"body":"x"}})");
  Get("/a");
  Get("/b");
  const Json all = Get("/__admin/requests").json();
  EXPECT_EQ(all.at("meta").at("total"), 2);
  EXPECT_EQ(all.at("requestJournalDisabled"), false);
  EXPECT_EQ(all.at("requests").at(0).at("wasMatched"), false);
  const Json event = all.at("requests").at(1);
  EXPECT_EQ(event.at("wasMatched"), true);
  EXPECT_EQ(event.at("stubMapping"), stub);
  EXPECT_EQ(event.at("response").at("body"), "x");
  EXPECT_EQ(Get("/__admin/requests/" + event.at("id").get<std::string>()).json().at("id"),
            event.at("id"));
  EXPECT_EQ(Get("/__admin/requests/" + std::string(kId)).status, 404);
  const auto listed = [&](const std::string& query) {
    return Get("/__admin/requests?" + query).json().at("requests").size();
  };
  EXPECT_EQ(listed("limit=1"), 1U);
  EXPECT_EQ(listed("unmatched=true"), 1U);
  EXPECT_EQ(listed("matchingStub=" + stub.at("id").get<std::string>()), 1U);
  EXPECT_EQ(listed("since=2999-01-01T00:00:00Z"), 0U);
  EXPECT_EQ(listed("since=2001-01-01T00:00:00.5Z"), 2U);
  EXPECT_EQ(Get("/__admin/requests?since=yesterday").status, 422);
}

TEST_F(WireMockApiTest, RequestsAreRemovedByPatternOrAltogether) {
  Get("/a");
  Get("/b");
  const Json removed = Call("POST", "/__admin/requests/remove", R"({"url":"/a"})").json();
  EXPECT_THAT(removed.at("serveEvents"), SizeIs(1));
  EXPECT_EQ(Count("{}"), 1);
  EXPECT_EQ(Call("DELETE", "/__admin/requests").status, 200);
  EXPECT_EQ(Count("{}"), 0);
}

TEST_F(WireMockApiTest, ADelayedRequestIsRecordedBeforeItsDelayEndsAndDoesNotComeBack) {
  Stub(R"({"request":{"url":"/slow"},"response":{"fixedDelayMilliseconds":86400000}})");
  RawClient client(server_->port());
  client.Send("GET /slow HTTP/1.1\r\nHost: x\r\n\r\n");
  while (Count(R"({"url":"/slow"})") == 0) {
  }
  Call("DELETE", "/__admin/requests");
  EXPECT_EQ(Count("{}"), 0);
  server_->Stop();  // Ends the delay.
  EXPECT_EQ(api_->journal().Count(), 0U);
}

// ---- near misses --------------------------------------------------------------------------------

TEST_F(WireMockApiTest, AnUnmatchedRequestGetsADiffOfTheNearestStub) {
  EXPECT_THAT(Get("/a").body, HasSubstr("no stub mappings"));
  Stub(R"({"name":"orders","request":{"method":"GET","url":"/orders"}})");
  Stub(R"({"request":{"method":"POST","url":"/elsewhere"}})");
  const Answer answer = Get("/order");
  EXPECT_EQ(answer.status, 404);
  EXPECT_THAT(answer.head, HasSubstr("text/plain"));
  EXPECT_THAT(answer.body, StartsWith("Request was not matched"));
  EXPECT_THAT(answer.body, HasSubstr("Closest stub: orders"));
  EXPECT_THAT(answer.body, HasSubstr("/orders"));
}

TEST_F(WireMockApiTest, TellsThatOnlyTheScenariosStateIsInTheWay) {
  Stub(R"({"scenarioName":"cart","requiredScenarioState":"full","request":{"url":"/c"}})");
  EXPECT_THAT(Get("/c").body, HasSubstr("scenario \"cart\" is in another state"));
}

TEST_F(WireMockApiTest, A404OfAStubStaysAsItIs) {
  Stub(R"({"request":{"url":"/gone"},"response":{"status":404,"body":"gone"}})");
  EXPECT_EQ(Get("/gone").body, "gone");
}

TEST_F(WireMockApiTest, TellsNearMisses) {
  const Json stub = Stub(R"({"request":{"method":"GET","url":"/orders"}})");
  Get("/order");
  const Json misses = Get("/__admin/requests/unmatched/near-misses").json().at("nearMisses");
  ASSERT_THAT(misses, SizeIs(1));
  EXPECT_EQ(misses.at(0).at("stubMapping"), stub);
  EXPECT_EQ(misses.at(0).at("request").at("url"), "/order");
  EXPECT_GT(misses.at(0).at("matchResult").at("distance").get<double>(), 0);
  const Json of_request =
      Call("POST", "/__admin/near-misses/request", R"({"url":"/order","method":"GET"})").json();
  EXPECT_THAT(of_request.at("nearMisses"), SizeIs(1));
  const Json of_pattern =
      Call("POST", "/__admin/near-misses/request-pattern", R"({"url":"/orderz"})").json();
  ASSERT_THAT(of_pattern.at("nearMisses"), SizeIs(1));
  EXPECT_EQ(of_pattern.at("nearMisses").at(0).at("requestPattern").at("url"), "/orderz");
}

// ---- scenarios and the rest ---------------------------------------------------------------------

TEST_F(WireMockApiTest, ScenariosMoveAreShownSetAndReset) {
  Stub(R"({"scenarioName":"cart","requiredScenarioState":"Started","newScenarioState":"full",
          "request":{"url":"/c"},"response":{"body":"empty"}})");
  Stub(R"({"scenarioName":"cart","requiredScenarioState":"full",
          "request":{"url":"/c"},"response":{"body":"full"}})");
  const auto state = [&] {
    return Get("/__admin/scenarios").json().at("scenarios").at(0).at("state").get<std::string>();
  };
  EXPECT_EQ(state(), "Started");
  EXPECT_EQ(Get("/c").body, "empty");
  EXPECT_EQ(Get("/c").body, "full");
  EXPECT_EQ(state(), "full");
  EXPECT_EQ(Call("POST", "/__admin/scenarios/reset").status, 200);
  EXPECT_EQ(state(), "Started");
  EXPECT_EQ(Call("PUT", "/__admin/scenarios/cart/state", R"({"state":"full"})").status, 200);
  EXPECT_EQ(Get("/c").body, "full");
  EXPECT_EQ(Call("PUT", "/__admin/scenarios/cart/state").status, 200);
  EXPECT_EQ(state(), "Started");
  EXPECT_EQ(Call("PUT", "/__admin/scenarios/none/state", R"({"state":"x"})").status, 404);
  EXPECT_EQ(Call("PUT", "/__admin/scenarios/cart/state", R"({"state":"x"})").status, 422);
  const Json scenario = Get("/__admin/scenarios").json().at("scenarios").at(0);
  EXPECT_EQ(scenario.at("possibleStates"), Json::parse(R"(["Started","full"])"));
  EXPECT_THAT(scenario.at("mappings"), SizeIs(2));
}

TEST_F(WireMockApiTest, AnotherStubDoesNotMoveAScenario) {
  Stub(R"({"scenarioName":"cart","newScenarioState":"full","request":{"url":"/c"}})");
  Get("/c");
  Stub(R"({"request":{"url":"/new"}})");
  EXPECT_EQ(Get("/__admin/scenarios").json().at("scenarios").at(0).at("state"), "full");
}

TEST_F(WireMockApiTest, TheGlobalDelayIsThatOfStubsWithoutTheirOwn) {
  Stub(R"({"request":{"url":"/own"},"response":{"fixedDelayMilliseconds":0}})");
  Stub(R"({"request":{"url":"/global"}})");
  EXPECT_EQ(Call("POST", "/__admin/settings", R"({"fixedDelay":86400000})").status, 200);
  EXPECT_EQ(Get("/__admin/settings").json().at("settings").at("fixedDelay"), 86400000);
  EXPECT_EQ(Get("/own").status, 200);
  {
    RawClient client(server_->port());
    client.Send("GET /global HTTP/1.1\r\nHost: x\r\n\r\n");
    while (Count(R"({"url":"/global"})") == 0) {
    }
    EXPECT_EQ(api_->journal().Find().back().record->latency, std::chrono::hours(24));
  }
  EXPECT_EQ(Call("PUT", "/__admin/settings", R"({"fixedDelay":-1})").status, 422);
  EXPECT_EQ(Call("PUT", "/__admin/settings", "{}").status, 200);
  EXPECT_EQ(Get("/global").status, 200);
}

TEST_F(WireMockApiTest, TellsItsHealthAndVersionAndShutsDown) {
  EXPECT_EQ(Get("/__admin/health").json().at("status"), "healthy");
  EXPECT_THAT(Get("/__admin/version").json().at("version").get<std::string>(), StartsWith("3."));
  EXPECT_EQ(Call("POST", "/__admin/shutdown").status, 200);
  EXPECT_TRUE(shut_down_);
}

TEST_F(WireMockApiTest, CallsThatAreNotThereAreErrorsInWireMocksShape) {
  EXPECT_THAT(Get("/__admin/nothing").json().at("errors"), SizeIs(1));
  EXPECT_EQ(Get("/__admin/nothing").status, 404);
  EXPECT_EQ(Call("POST", "/__admin/recordings/start", "{}").status, 422);
  EXPECT_EQ(Call("POST", "/__admin/mappings/save").status, 422);
  EXPECT_EQ(Count("{}"), 0);  // They are no requests to the stubs.
}

}  // namespace
}  // namespace understudy::harness
