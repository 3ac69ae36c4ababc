#include "middleware/client/provider_profile.h"

#include <algorithm>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "middleware/client/default_headers_interceptor.h"
#include "middleware/client/request_builder.h"
#include "tests/middleware/client/client_test_support.h"

namespace understudy {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

ProviderProfile Profile(std::string_view name) { return ProviderProfile::For(name).value(); }

TEST(ProviderProfileTest, KnowsTwentyVendorsByName) {
  const auto names = ProviderProfile::Names();
  EXPECT_EQ(names.size(), 20u);
  EXPECT_TRUE(std::is_sorted(names.begin(), names.end()));
  EXPECT_EQ(std::set<std::string_view>(names.begin(), names.end()).size(), names.size());
  EXPECT_EQ(ProviderProfile::For("nobody"), std::nullopt);
  EXPECT_EQ(ProviderProfile::For(""), std::nullopt);
  EXPECT_EQ(ProviderProfile::For("Stripe"), std::nullopt);
}

class EveryProfileTest : public ::testing::TestWithParam<std::string_view> {};

TEST_P(EveryProfileTest, IsUsableOnceWhatOnlyTheApplicationKnowsIsThere) {
  ProviderProfile profile = Profile(GetParam());
  EXPECT_EQ(profile.name, GetParam());
  for (const std::string& header : profile.required_headers) {
    EXPECT_THAT(FindProblems(profile), Contains(HasSubstr(header + " is missing")));
    profile.headers.emplace_back(header, "value");
  }
  EXPECT_THAT(FindProblems(profile), IsEmpty());
}

TEST_P(EveryProfileTest, SaysWhereItsFactsAreFrom) {
  EXPECT_THAT(Profile(GetParam()).notes, Not(IsEmpty()));
}

TEST_P(EveryProfileTest, QS2_NoKeyIsMadeUpWhereNothingHonoursIt) {
  const ProviderProfile profile = Profile(GetParam());
  EXPECT_EQ(profile.generate_idempotency_keys, GetParam() == "stripe");
  const bool elsewhere = !profile.idempotency_query.empty() || !profile.idempotency_field.empty();
  EXPECT_FALSE(elsewhere && !profile.idempotency_header.empty());
}

INSTANTIATE_TEST_SUITE_P(Vendors, EveryProfileTest,
                         ::testing::ValuesIn(ProviderProfile::Names().begin(),
                                             ProviderProfile::Names().end()),
                         [](const auto& test) { return std::string(test.param); });

TEST(ProviderProfileTest, QS6_BodiesAreWrittenAsTheVendorReadsThem) {
  std::vector<std::string_view> forms;
  for (const std::string_view name : ProviderProfile::Names()) {
    if (Profile(name).body_codec == BodyCodec::kForm) forms.push_back(name);
  }
  EXPECT_THAT(forms, ElementsAre("slack", "stripe", "twilio"));
}

TEST(ProviderProfileTest, QS5_StatusesAreTheVendors) {
  EXPECT_THAT(Profile("anthropic").extra_retryable_statuses, ElementsAre(529));
  EXPECT_THAT(Profile("hubspot").extra_retryable_statuses, ElementsAre(477));
  EXPECT_THAT(Profile("github").ambiguous_throttling_statuses, ElementsAre(403));
  EXPECT_THAT(Profile("salesforce").ambiguous_throttling_statuses, ElementsAre(403));
  EXPECT_THAT(Profile("google").ambiguous_throttling_statuses, ElementsAre(403));
  EXPECT_THAT(Profile("linear").ambiguous_throttling_statuses, ElementsAre(400));
  for (const std::string_view name : ProviderProfile::Names()) {
    EXPECT_THAT(Profile(name).throttling_statuses, ElementsAre(429)) << name;
  }
}

TEST(ProviderProfileTest, KeysGoWhereTheVendorLooksForThem) {
  EXPECT_EQ(Profile("stripe").idempotency_header, "Idempotency-Key");
  EXPECT_EQ(Profile("paypal").idempotency_header, "PayPal-Request-Id");
  EXPECT_EQ(Profile("intuit").idempotency_query, "requestid");
  EXPECT_EQ(Profile("square").idempotency_field, "idempotency_key");
  EXPECT_EQ(Profile("github").idempotency_header, "");
}

TEST(ProviderProfileTest, RateLimitDialectsAreTheVendorsNames) {
  EXPECT_EQ(Profile("github").rate_limit_dialect, "github");
  EXPECT_EQ(Profile("paypal").rate_limit_dialect, "");
}

TEST(ProviderProfileTest, VendorsWithLongAnswersGetMoreTime) {
  EXPECT_EQ(Profile("openai").attempt_timeout, minutes(10));
  EXPECT_EQ(Profile("stripe").attempt_timeout, seconds(10));
  EXPECT_EQ(Profile("stripe").total_deadline, seconds(30));
}

TEST(ProviderProfileTest, LooksForHeadersWithoutCase) {
  EXPECT_TRUE(Profile("github").HasHeader("ACCEPT"));
  EXPECT_FALSE(Profile("github").HasHeader("X-Nothing"));
}

struct BadRow {
  std::string name;
  void (*change)(ProviderProfile&);
  std::string problem;
};
class BadProfileTest : public ::testing::TestWithParam<BadRow> {};
TEST_P(BadProfileTest, IsRefusedAndNoHeaderValueIsShown) {
  ProviderProfile profile = Profile("stripe");
  GetParam().change(profile);
  const Problems problems = FindProblems(profile);
  EXPECT_THAT(problems,
              ElementsAre(AllOf(HasSubstr(GetParam().problem), Not(HasSubstr("s3cret")))));
}
INSTANTIATE_TEST_SUITE_P(
    Changes, BadProfileTest,
    ::testing::Values(
        BadRow{"no_name", [](auto& p) { p.name = ""; }, "profile.name"},
        BadRow{"odd_name", [](auto& p) { p.name = "My Vendor"; }, "profile.name"},
        BadRow{"broken_url", [](auto& p) { p.base_url = "api.stripe.com"; },
               "base_url is unusable"},
        BadRow{"clear_text", [](auto& p) { p.base_url = "http://api.stripe.com"; }, "https"},
        BadRow{"almost_loopback", [](auto& p) { p.base_url = "http://127.0.0.1.evil.example"; },
               "https"},
        BadRow{"five_numbers", [](auto& p) { p.base_url = "http://127.0.0.1.1"; }, "https"},
        BadRow{"injected_header", [](auto& p) { p.headers.emplace_back("A", "s3cret\r\nB: 1"); },
               "header A"},
        BadRow{"no_header_name", [](auto& p) { p.headers.emplace_back("", "s3cret"); }, "token"},
        BadRow{"framing", [](auto& p) { p.headers.emplace_back("content-length", "s3cret"); },
               "set by the transport"},
        BadRow{"body_type", [](auto& p) { p.headers.emplace_back("Content-Type", "s3cret"); },
               "comes with the body"},
        BadRow{"credentials", [](auto& p) { p.headers.emplace_back("authorization", "s3cret"); },
               "AuthStrategy"},
        BadRow{"api_key", [](auto& p) { p.headers.emplace_back("X-Api-Key", "s3cret"); },
               "AuthStrategy"},
        BadRow{"key_header", [](auto& p) { p.idempotency_header = "a b"; }, "idempotency_header"},
        BadRow{"keys_without_header", [](auto& p) { p.idempotency_header = ""; },
               "generate_idempotency_keys"},
        BadRow{"retry_success", [](auto& p) { p.extra_retryable_statuses = {399}; }, "has 399"},
        BadRow{"retry_600", [](auto& p) { p.extra_retryable_statuses = {600}; }, "has 600"},
        BadRow{"throttle_200",
               [](auto& p) {
                 p.throttling_statuses = {429, 200};
               },
               "has 200"},
        BadRow{"ambiguous_0", [](auto& p) { p.ambiguous_throttling_statuses = {0}; }, "has 0"},
        BadRow{"no_timeout", [](auto& p) { p.attempt_timeout = seconds(0); }, "attempt_timeout is"},
        BadRow{"attempt_above_total", [](auto& p) { p.attempt_timeout = seconds(31); },
               "attempt_timeout is 31s"},
        BadRow{"no_bytes", [](auto& p) { p.response_bytes_max = 0; }, "response_bytes_max is 0"}),
    [](const auto& test) { return test.param.name; });

TEST(ProviderProfileTest, LoopbackMayBeClearText) {
  ProviderProfile profile = Profile("stripe");
  for (const std::string host :
       {"127.0.0.1:8080", "127.9.9.9", "localhost", "a.localhost", "[::1]:80"}) {
    profile.base_url = "http://" + host;
    EXPECT_THAT(FindProblems(profile), IsEmpty()) << host;
  }
}

TEST(ProviderProfileTest, EveryBaseUrlTakesARelativePathBelowIt) {
  const auto base = http::Url::Parse(Profile("slack").base_url).value();
  EXPECT_EQ(
      RequestBuilder(http::Method::Post(), "chat.postMessage").Build(base).value().url.ToString(),
      "https://slack.com/api/chat.postMessage");
  EXPECT_EQ(base.Resolve("chat.postMessage").value().ToString(),
            "https://slack.com/api/chat.postMessage");
}

// --- the headers on their way

class DefaultHeadersTest : public ::testing::Test {
 protected:
  void Use(std::vector<std::pair<std::string, std::string>> headers) {
    ClientBuilder builder = w_.Builder();
    builder.AddCallInterceptor(std::make_unique<DefaultHeadersInterceptor>(std::move(headers)))
        .Retry(test::PlainRetry());
    w_.Use(builder);
  }
  test::ClientWorld w_;
};

TEST_F(DefaultHeadersTest, AreSentWithEveryAttemptOnce) {
  Use({{"Accept", "application/json"}, {"X-A", "1"}, {"X-A", "2"}});
  w_.vendor.Answer(503);
  w_.vendor.Answer(200);
  ASSERT_TRUE(w_.Get());
  for (const auto& sent : w_.vendor.sent()) {
    EXPECT_EQ(sent.request.headers,
              (http::Headers{{"Accept", "application/json"}, {"X-A", "1"}, {"X-A", "2"}}));
  }
}

TEST_F(DefaultHeadersTest, GiveWayToTheRequestsOwn) {
  Use({{"accept", "application/json"}, {"X-A", "1"}});
  w_.vendor.Answer(200);
  http::Request request = w_.client->NewRequest(http::Method::Get(), "/").value();
  ASSERT_TRUE(request.headers.Set("Accept", "text/csv"));
  ASSERT_TRUE(w_.client->Call(request));
  EXPECT_EQ(w_.vendor.sent().at(0).request.headers,
            (http::Headers{{"Accept", "text/csv"}, {"X-A", "1"}}));
}

TEST_F(DefaultHeadersTest, AreDescribedByNameOnly) {
  Use({{"Accept", "s3cret"}, {"X-A", "s3cret"}});
  EXPECT_THAT(w_.client->Describe(),
              AllOf(HasSubstr("default headers: Accept X-A\n"), Not(HasSubstr("s3cret"))));
}

}  // namespace
}  // namespace understudy
