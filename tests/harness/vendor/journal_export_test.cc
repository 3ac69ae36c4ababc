#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include "harness/vendor/har.h"
#include "harness/vendor/journal.h"
#include "harness/vendor/journal_json.h"
#include "harness/vendor/journal_redaction.h"
#include "middleware/platform/openssl_crypto.h"
#include "tests/harness/vendor/journal_fakes.h"

namespace understudy::harness {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(JournalRedactionTest, HidesTheValuesOfHeadersThatCarryCredentials) {
  const JournalRedaction redaction;
  for (const char* name : {"Authorization", "authorization", "Proxy-Authorization", "Cookie",
                           "Set-Cookie", "X-Api-Key", "X-Auth-Key", "X-Shopify-Access-Token",
                           "Stripe-Signature", "Api-Key", "X-Amz-Security-Token"}) {
    EXPECT_EQ(redaction.Header(name, "v"), "[redacted]") << name;
    EXPECT_EQ(JournalRedaction(JournalSecrets::kShown).Header(name, "v"), "v") << name;
  }
  for (const char* name : {"Accept", "Idempotency-Key", "Content-Type", "User-Agent", "ETag"}) {
    EXPECT_EQ(redaction.Header(name, "v"), "v") << name;
  }
}

TEST(JournalRedactionTest, HidesSecretValuesAndNothingElse) {
  const JournalRedaction redaction;
  constexpr const char* kForm = "application/x-www-form-urlencoded";
  struct Row {
    std::string name;
    std::string type;
    std::string body;
    std::string expected;
  };
  const Row rows[] = {
      {"form", kForm, "a=1&client_secret=x&&b", "a=1&client_secret=[redacted]&&b"},
      {"form, escaped name", kForm, "client%5Fsecret=x", "client%5Fsecret=[redacted]"},
      {"form, first pair empty", kForm, "&a=1", "&a=1"},
      {"no body", kForm, "", ""},
      {"json", "application/json", R"({"password": "x", "n": 1.10})",
       R"({"password": "[redacted]", "n": 1.10})"},
      {"json, told by its first byte", "", R"( {"token":"x"})", R"( {"token":"[redacted]"})"},
      {"json, escaped quote", "application/json", R"({"token":"x\"y","a":"z"})",
       R"({"token":"[redacted]","a":"z"})"},
      {"json, number", "application/json", R"({"pin":1234,"a":1})",
       R"({"pin":"[redacted]","a":1})"},
      {"json, object", "application/json", R"({"secret":{"a":["}"]},"b":2})",
       R"({"secret":"[redacted]","b":2})"},
      {"json, escaped name", "application/json", R"({"to\u006ben":"x"})",
       R"({"to\u006ben":"[redacted]"})"},
      {"json, malformed escape in a name", "application/json", R"({"to\qken":"x"})",
       R"({"to\qken":"[redacted]"})"},
      {"json, a value is no name", "application/json", R"(["token","x"])", R"(["token","x"])"},
      {"json, cut off in the value", "application/json", R"({"token":"xy)",
       R"({"token":"[redacted]")"},
      {"json, cut off before it", "application/json", R"({"token":)", R"({"token":"[redacted]")"},
      {"json, cut off in an escape", "application/json", R"({"token":"x\)",
       R"({"token":"[redacted]")"},
      {"json with a suffix", "application/hal+json; charset=utf-8", R"({"token":null})",
       R"({"token":"[redacted]"})"},
      {"other text", "text/plain", "token=x", "token=x"}};
  for (const Row& row : rows) {
    EXPECT_EQ(redaction.Body(row.type, row.body), row.expected) << row.name;
    EXPECT_EQ(JournalRedaction(JournalSecrets::kShown).Body(row.type, row.body), row.body);
  }
}

TEST(JournalRedactionTest, DeepJsonIsNoDanger) {
  const std::string deep(200'000, '[');
  EXPECT_EQ(JournalRedaction().Body("application/json", deep), deep);
  EXPECT_EQ(JournalRedaction().Body("application/json", "{\"token\":" + deep),
            R"({"token":"[redacted]")");
}

JournalRecord FullRecord() {
  JournalRecord record = MakeRecord(
      "POST", "/v1/orders?limit=10&api_key=hush",
      {{"Cookie", "sid=hush; lang=hush"}, {"Content-Type", "application/json"}, {"X-Trace", "t"}},
      R"({"amount":5,"card":"hush"})");
  record.why = "POST /v1/orders";
  record.n = 3;
  record.at = TimePoint(1s);
  record.wall = SystemTime(1'700'000'000s + 250ms);
  record.status = 201;
  record.latency = 40ms;
  record.response = std::make_shared<const http::Response>(
      http::Response{.status = 201,
                     .headers = {{"Content-Type", "application/json"},
                                 {"Location", "/v1/orders/o1"},
                                 {"Set-Cookie", "sid=hush; Path=/"}},
                     .body = R"({"id":"o1","client_secret":"hush"})"});
  return record;
}

JournalOutcome FullOutcome() {
  return {.completed = true,
          .wire = {.connection = 7,
                   .reuse = 2,
                   .request_bytes = 300,
                   .response_bytes = 200,
                   .fin_received = true,
                   .tls = WireFacts::Tls{.version = "TLSv1.3", .sni = "acme.sim"},
                   .client_address = "127.0.0.1:5"},
          .at = TimePoint(1s + 50ms)};
}

json HarOf(const Journal& journal, JournalSecrets secrets = JournalSecrets::kHidden) {
  json archive = json::parse(ToHar(journal.Find(), secrets), nullptr, false);
  EXPECT_FALSE(archive.is_discarded());
  return archive;
}

json OnlyEntry(const Journal& journal) {
  const json archive = HarOf(journal);
  EXPECT_EQ(archive.at("log").at("entries").size(), 1U);
  return archive.at("log").at("entries").at(0);
}

// Of each object, the members that HAR 1.2 demands and their types.
void CheckStructure(const json& archive) {
  const json& log = archive.at("log");
  EXPECT_EQ(log.at("version"), "1.2");
  EXPECT_TRUE(log.at("creator").at("name").is_string());
  EXPECT_TRUE(log.at("creator").at("version").is_string());
  EXPECT_FALSE(log.contains("pages"));
  for (const json& entry : log.at("entries")) {
    EXPECT_FALSE(entry.contains("pageref"));
    EXPECT_THAT(entry.at("startedDateTime").get<std::string>(),
                ::testing::MatchesRegex("....-..-..T..:..:..\\....Z"));
    EXPECT_TRUE(entry.at("cache").is_object());
    double sum = 0;
    for (const char* part : {"send", "wait", "receive"}) {
      EXPECT_GE(entry.at("timings").at(part).get<double>(), 0);
      sum += entry.at("timings").at(part).get<double>();
    }
    EXPECT_NEAR(entry.at("time").get<double>(), sum, 1e-6);
    for (const char* side : {"request", "response"}) {
      const json& message = entry.at(side);
      EXPECT_TRUE(message.at("httpVersion").is_string());
      EXPECT_TRUE(message.at("headersSize").is_number_integer());
      EXPECT_TRUE(message.at("bodySize").is_number_integer());
      for (const char* list : {"cookies", "headers"}) {
        for (const json& pair : message.at(list)) {
          EXPECT_TRUE(pair.at("name").is_string() && pair.at("value").is_string());
        }
      }
    }
    EXPECT_TRUE(entry.at("request").at("method").is_string());
    EXPECT_TRUE(entry.at("request").at("url").is_string());
    EXPECT_TRUE(entry.at("request").at("queryString").is_array());
    EXPECT_TRUE(entry.at("response").at("status").is_number_integer());
    EXPECT_TRUE(entry.at("response").at("statusText").is_string());
    EXPECT_TRUE(entry.at("response").at("redirectURL").is_string());
    EXPECT_TRUE(entry.at("response").at("content").at("size").is_number_integer());
    EXPECT_TRUE(entry.at("response").at("content").at("mimeType").is_string());
  }
}

TEST(HarTest, EveryKindOfEntryHasTheStructureOfVersion12) {
  Journal journal;
  CheckStructure(HarOf(journal));
  journal.Complete(journal.Add(FullRecord()), FullOutcome());
  journal.Add(FullRecord());  // In flight.
  journal.Complete(journal.Add(FullRecord()), {.ended_by = "reset", .at = TimePoint(2s)});
  journal.Add(MakeUnmatched("GET", "/nowhere"));
  JournalRecord bare = MakeRecord("GET", "/a");
  bare.response = nullptr;
  journal.Complete(journal.Add(std::move(bare)), {.completed = true, .at = TimePoint(2s)});
  const json archive = HarOf(journal);
  EXPECT_EQ(archive.at("log").at("entries").size(), 5U);
  CheckStructure(archive);
}

TEST(HarTest, ShowsRequestResponseTimesAndFacts) {
  Journal journal;
  journal.Complete(journal.Add(FullRecord()), FullOutcome());
  const json entry = OnlyEntry(journal);
  EXPECT_EQ(entry.at("startedDateTime"), "2023-11-14T22:13:20.250Z");
  EXPECT_EQ(entry.at("time"), 50);
  EXPECT_EQ(entry.at("timings").at("wait"), 40);
  EXPECT_EQ(entry.at("timings").at("receive"), 10);
  EXPECT_EQ(entry.at("connection"), "7");
  const json& request = entry.at("request");
  EXPECT_EQ(request.at("method"), "POST");
  EXPECT_EQ(request.at("url"), "http://acme.sim/v1/orders?limit=10&api_key=[redacted]");
  EXPECT_EQ(request.at("queryString").at(0), json({{"name", "limit"}, {"value", "10"}}));
  EXPECT_EQ(request.at("postData").at("mimeType"), "application/json");
  EXPECT_EQ(request.at("postData").at("text"), R"({"amount":5,"card":"[redacted]"})");
  EXPECT_EQ(request.at("cookies").at(1).at("name"), "lang");
  const json& response = entry.at("response");
  EXPECT_EQ(response.at("status"), 201);
  EXPECT_EQ(response.at("statusText"), "Created");
  EXPECT_EQ(response.at("redirectURL"), "/v1/orders/o1");
  EXPECT_EQ(response.at("cookies").at(0), json({{"name", "sid"}, {"value", "[redacted]"}}));
  EXPECT_EQ(response.at("content").at("text"), R"({"id":"o1","client_secret":"[redacted]"})");
  EXPECT_FALSE(response.contains("_error"));
  const json& facts = entry.at("_understudy");
  EXPECT_EQ(facts.at("route"), "orders");
  EXPECT_EQ(facts.at("why"), "POST /v1/orders");
  EXPECT_EQ(facts.at("n"), 3);
  EXPECT_EQ(facts.at("wire").at("reuse"), 2);
  EXPECT_EQ(facts.at("wire").at("fin_received"), true);
  EXPECT_EQ(facts.at("wire").at("tls").at("version"), "TLSv1.3");
}

TEST(HarTest, SecretsShowOnlyIfAskedFor) {
  Journal journal;
  journal.Complete(journal.Add(FullRecord()), FullOutcome());
  EXPECT_THAT(ToHar(journal.Find()), Not(HasSubstr("hush")));
  EXPECT_THAT(ToHar(journal.Find(), JournalSecrets::kShown), HasSubstr("sid=hush; lang=hush"));
}

TEST(HarTest, AnExchangeWithoutAnAnswerHasStatus0AndAnError) {
  Journal journal;
  journal.Complete(journal.Add(FullRecord()), {.ended_by = "reset"});
  const json response = OnlyEntry(journal).at("response");
  EXPECT_EQ(response.at("status"), 0);
  EXPECT_EQ(response.at("_error"), "reset");
  EXPECT_FALSE(response.at("content").contains("text"));
}

TEST(HarTest, AnAnswerThatBrokeOffKeepsItsStatus) {
  Journal journal;
  journal.Complete(journal.Add(FullRecord()),
                   {.ended_by = "truncate", .wire = {.response_bytes = 9}});
  const json response = OnlyEntry(journal).at("response");
  EXPECT_EQ(response.at("status"), 201);
  EXPECT_EQ(response.at("_error"), "truncate");
}

TEST(HarTest, BinaryBodiesAreBase64) {
  JournalRecord record =
      MakeRecord("POST", "/a", {{"Content-Type", "image/png"}}, std::string("\x89PNG\0", 5));
  record.response = std::make_shared<const http::Response>(http::Response{.body = "\xff"});
  Journal journal;
  journal.Complete(journal.Add(std::move(record)), {.completed = true});
  const json entry = OnlyEntry(journal);
  EXPECT_EQ(entry.at("request").at("postData").at("text"), "iVBORwA=");
  EXPECT_EQ(entry.at("request").at("postData").at("_encoding"), "base64");
  EXPECT_EQ(entry.at("response").at("content").at("text"), "/w==");
  EXPECT_EQ(entry.at("response").at("content").at("encoding"), "base64");
  EXPECT_EQ(entry.at("response").at("content").at("size"), 1);
}

TEST(HarTest, FormsHaveTheirParameters) {
  Journal journal;
  journal.Add(MakeRecord("POST", "/a", {{"Content-Type", "application/x-www-form-urlencoded"}},
                         "a=b%20c&refresh_token=hush"));
  const json params = OnlyEntry(journal).at("request").at("postData").at("params");
  EXPECT_EQ(params, json::array({{{"name", "a"}, {"value", "b c"}},
                                 {{"name", "refresh_token"}, {"value", "[redacted]"}}}));
}

TEST(HarTest, AnswersToHeadHaveNoContent) {
  JournalRecord record = FullRecord();
  record.request.method = http::Method::Head();
  Journal journal;
  journal.Complete(journal.Add(std::move(record)), FullOutcome());
  EXPECT_EQ(OnlyEntry(journal).at("response").at("bodySize"), 0);
  EXPECT_FALSE(OnlyEntry(journal).at("response").at("content").contains("text"));
}

TEST(HarTest, TheOldestComesFirst) {
  Journal journal;
  JournalRecord late = MakeRecord("GET", "/late");
  late.wall = SystemTime(2s);
  journal.Add(std::move(late));
  JournalRecord early = MakeRecord("GET", "/early");
  early.wall = SystemTime(1s);
  journal.Add(std::move(early));
  EXPECT_EQ(HarOf(journal).at("log").at("entries").at(0).at("request").at("url"),
            "http://acme.sim/early");
}

TEST(JournalJsonTest, AnEntryIsOneLineWithIntegersInAStableOrder) {
  Journal journal;
  journal.Complete(journal.Add(FullRecord()), FullOutcome());
  EXPECT_EQ(
      ToJsonLines(journal.Find()),
      R"({"number":1,"at_ns":1000000000,"wall":"2023-11-14T22:13:20.250000000Z","vendor":"acme",)"
      R"("route":"orders","matched":true,"why":"POST /v1/orders","n":3,"request":{"method":"POST",)"
      R"("url":"http://acme.sim/v1/orders?limit=10&api_key=[redacted]","headers":[["Cookie",)"
      R"("[redacted]"],["Content-Type","application/json"],["X-Trace","t"]],"body":"{\"amount\":5,)"
      R"(\"card\":\"[redacted]\"}","body_bytes":26},"decision":{"status":201,"latency_ns":40000000},)"
      R"("outcome":{"completed":true,"duration_ns":50000000,"wire":{"connection":7,"reuse":2,)"
      R"("request_bytes":300,"response_bytes":200,"fin_received":true,"tls":{"version":"TLSv1.3",)"
      R"("session_reused":false,"sni":"acme.sim"},"client_address":"127.0.0.1:5"}}})"
      "\n");
}

TEST(JournalJsonTest, SaysWhatAnEntryInFlightAndACutBodyLack) {
  Journal journal({.body_bytes_max = 2, .crypto = std::make_shared<OpensslCrypto>()});
  journal.Add(MakeRecord("POST", "/a", {}, "abc"));
  const json entry = json::parse(ToJson(*journal.Get(1)));
  EXPECT_FALSE(entry.contains("outcome"));
  EXPECT_EQ(entry.at("request").at("body"), "ab");
  EXPECT_EQ(entry.at("request").at("body_bytes"), 3);
  EXPECT_EQ(entry.at("request").at("body_sha256").get<std::string>().size(), 64U);
}

TEST(JournalJsonTest, AnyBytesGiveValidJson) {
  Journal journal;
  JournalRecord record = MakeRecord("POST", "/a", {{"X", "\xff\xfe"}}, "\xff");
  record.lane = "\x01\xc3";
  journal.Add(std::move(record));
  const json entry = json::parse(ToJson(*journal.Get(1)), nullptr, false);
  ASSERT_FALSE(entry.is_discarded());
  EXPECT_EQ(entry.at("request").at("body_base64"), "/w==");
}

}  // namespace
}  // namespace understudy::harness
