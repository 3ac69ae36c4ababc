// Wherever a secret is put into a request or an answer, it is not in the bytes that a sink keeps.
#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "middleware/audit/audit_log.h"
#include "middleware/http/form.h"
#include "middleware/platform/json_lines_audit_sink.h"
#include "middleware/platform/openssl_crypto.h"
#include "middleware/platform/sqlite_audit_sink.h"
#include "middleware/platform/system_runtime.h"

namespace understudy {
namespace {

namespace fs = std::filesystem;

// Short and without a known form: only its place gives it away.
constexpr std::string_view kSecret = "hunter2z";

struct Place {
  http::Request request = {};
  http::Response response = {};
  Error error = {};
};

std::vector<std::string> SecretNames() {
  return {"Authorization",
          "authorization",
          "PROXY-AUTHORIZATION",
          "Cookie",
          "Set-Cookie",
          "X-Api-Key",
          "x-apikey",
          "api-key",
          "X-Auth-Token",
          "PRIVATE-TOKEN",
          "X-Shopify-Access-Token",
          "Stripe-Signature",
          "X-Amz-Security-Token",
          "Ocp-Apim-Subscription-Key",
          "X-Vault-Token",
          "DD-API-KEY",
          "X-Csrf-Token",
          "X-Session-Id",
          "WWW-Authenticate",
          "X-Unknown-Header"};
}

std::vector<std::string> BodyKeys() {
  return {"password",      "newPassword", "client_secret", "clientSecret",  "access_token",
          "refreshToken",  "id_token",    "api-key",       "APIKEY",        "private_key",
          "authorization", "session_id",  "cvc",           "security_code", "card_number",
          "otp",           "pin",         "signature",     "iban",          "account_number"};
}

http::Request Base() {
  http::Request request;
  request.method = http::Method::Post();
  request.url = http::Url::Parse("https://api.example/v1/things").value();
  return request;
}

std::vector<Place> Places() {
  const std::string secret(kSecret);
  std::vector<Place> places;
  const auto add = [&](Place place) { places.push_back(std::move(place)); };
  const auto body = [&](const std::string& type, const std::string& text) {
    Place place{.request = Base()};
    place.request.headers = {{"Content-Type", type}};
    place.request.body = text;
    place.response.headers = {{"Content-Type", type}};
    place.response.body = text;
    add(std::move(place));
  };
  for (const std::string& name : SecretNames()) {
    Place place{.request = Base()};
    EXPECT_TRUE(place.request.headers.Add(name, "Bearer " + secret));
    EXPECT_TRUE(place.response.headers.Add(name, secret));
    place.error.message = "refused: " + name + ": " + secret + " was sent";
    if (!name.starts_with("X-Unknown") && !name.starts_with("WWW")) {
      add(std::move(place));
    } else {
      place.error.message.clear();
      add(std::move(place));
    }
  }
  for (const std::string& url : std::vector<std::string>{
           "https://api.example/x?token=" + secret,
           "https://api.example/x?a=1&b=" + secret + "&c=2", "https://api.example/x?" + secret,
           "https://api.example/?q=%68unter2z", "https://api.example/services/" + secret,
           "https://api.example/bot" + secret + "/send", "https://api.example/x;sid=" + secret,
           "https://api.example/token=" + secret}) {
    Place place{.request = Base()};
    place.request.url = http::Url::Parse(url).value();
    place.error.message = "GET " + url + " failed";
    add(std::move(place));
  }
  for (const std::string& location : std::vector<std::string>{
           "https://u:" + secret + "@h.example/", "https://h.example/cb#token=" + secret,
           "https://h.example/cb?code=" + secret, "//u:" + secret + "@h.example/",
           "mailto:" + secret + "@h.example"}) {
    Place place{.request = Base()};
    EXPECT_TRUE(place.response.headers.Add("Location", location));
    add(std::move(place));
  }
  for (const std::string& key : BodyKeys()) {
    const std::string member = "\"" + key + "\":";
    body("application/json", "{" + member + "\"" + secret + "\"}");
    body("application/json",
         "{\"a\":[1,{\"b\":{" + member + "[\"x\",{\"y\":\"" + secret + "\"}]}}]}");
    body("application/vnd.api+json", "{\"p\":\"{\\\"" + key + "\\\":\\\"" + secret + "\\\"}\"}");
    body("application/json", "{" + member + "\"" + secret + "\"");  // malformed
    body("application/json", "{" + member + "\"" + secret + "\"} garbage");
    body("application/x-www-form-urlencoded", key + "=" + secret + "&x=1");
    body("application/x-www-form-urlencoded", "a[" + key + "]=" + secret);
    body("application/x-www-form-urlencoded",
         "p=" + http::PercentEncode("{\"" + key + "\":\"" + secret + "\"}"));
    body("multipart/form-data; boundary=b", "--b\r\nContent-Disposition: form-data; name=\"" + key +
                                                "\"\r\n\r\n" + secret + "\r\n--b--\r\n");
    body("text/plain", key + "=" + secret);
    body("application/xml", "<" + key + ">" + secret + "</" + key + ">");
    // Long before and after it: the cuts fall elsewhere.
    const std::string filler(70'000, 'x');
    body("application/json", "{\"a\":\"" + filler + "\"," + member + "\"" + secret + "\"}");
    body("application/json", "{" + member + "\"" + secret + "\",\"a\":\"" + filler + "\"}");
  }
  return places;
}

void RecordAll(AuditLog& log, const std::vector<Place>& places) {
  for (const Place& place : places) {
    AuditCapture capture(AuditKind::kAttempt);
    capture.number = log.NextNumber();
    capture.call = capture.number;
    capture.at = SystemTime(std::chrono::hours(24 * 20781));
    capture.TakeRequest(place.request, log.redactor(), BodyAudit::kPreview);
    capture.TakeResponse(place.response, log.redactor(), BodyAudit::kPreview);
    if (!place.error.message.empty()) capture.TakeError(place.error);
    log.Record(std::move(capture));
  }
}

// Every byte of every file of the folder.
std::string AllBytes(const fs::path& folder) {
  std::ostringstream bytes;
  for (const auto& entry : fs::directory_iterator(folder))
    bytes << std::ifstream(entry.path(), std::ios::binary).rdbuf();
  return bytes.str();
}

class NoSecretLeaksTest : public ::testing::TestWithParam<bool> {
 protected:
  NoSecretLeaksTest() {
    std::string pattern = (fs::temp_directory_path() / "understudy-leak-XXXXXX").string();
    folder_ = mkdtemp(pattern.data());
  }
  ~NoSecretLeaksTest() override { fs::remove_all(folder_); }

  std::shared_ptr<AuditSink> Sink() const {
    const std::string path = (folder_ / "trail").string();
    if (GetParam()) return SqliteAuditSink::Open(path).value();
    return JsonLinesAuditSink::Open(path).value();
  }

  fs::path folder_;
};

TEST_P(NoSecretLeaksTest, AU3_NoSecretReachesTheDiskWhereverItIs) {
  SystemRuntime system;
  const OpensslCrypto crypto;
  const std::vector<Place> places = Places();
  const auto sink = Sink();
  const auto log = AuditLog::Create({.bytes_max = std::size_t{1} << 28U, .chain = true}, sink,
                                    crypto, system.view())
                       .value();
  RecordAll(*log, places);
  ASSERT_TRUE(log->Flush(Deadline::Never()));
  EXPECT_EQ(log->stats().stored, places.size());
  // Named one by one, so that a failure says where.
  const auto found = sink->Find({.limit = AuditQuery::kLimitMax});
  ASSERT_TRUE(found);
  ASSERT_EQ(found->size(), places.size());
  for (std::size_t i = 0; i < found->size(); ++i) {
    EXPECT_EQ((*found)[i].text.find(kSecret), std::string::npos)
        << (*found)[i].text << "\nof body " << places[i].request.body.substr(0, 200);
  }
  EXPECT_EQ(AllBytes(folder_).find(kSecret), std::string::npos);
}

INSTANTIATE_TEST_SUITE_P(Sinks, NoSecretLeaksTest, ::testing::Bool(),
                         [](const auto& test) { return test.param ? "Sqlite" : "JsonLines"; });

}  // namespace
}  // namespace understudy
