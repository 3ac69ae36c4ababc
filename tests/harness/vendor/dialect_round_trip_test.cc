// What the fake vendor says in each dialect, the middleware's own parser understands, with the same
// waiting time.
#include <algorithm>
#include <chrono>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <gmock/gmock.h>

#include "harness/vendor/builtin_dialects.h"
#include "harness/vendor/rate_limiter.h"
#include "middleware/resilience/rate_limit_hint.h"
#include "tests/support/fake_clock.h"

namespace understudy::harness {
namespace {

using namespace std::chrono_literals;

using Kind = LimitSpec::Kind;

// What a client is told of how long to wait.
enum class Wait {
  kAsDecided,    // As long as the vendor refuses, rounded up by less than `slack`.
  kOfTheClient,  // Nothing: the middleware's dialect knows `client_wait`.
  kUnknown,      // Nothing at all: the client's back-off decides.
};

struct Row {
  std::string form;    // "github/primary"
  std::string client;  // The middleware's dialect; empty: the generic one.
  // The quota that an answer with one request left is understood as; nullopt: none.
  std::optional<std::string> quota = {};
  Wait wait = Wait::kAsDecided;
  Duration client_wait = {};
  Duration slack = 1s;
  Kind kind = Kind::kFixed;
  bool says_limit = true;
  bool throttled = true;
  bool permanent = false;
};

std::vector<Row> Rows() {
  std::vector<Row> rows = {
      {.form = "anthropic/requests", .client = "anthropic", .quota = "requests"},
      {.form = "anthropic/tokens", .client = "anthropic", .quota = "tokens"},
      {.form = "anthropic/input-tokens", .client = "anthropic", .quota = "input-tokens"},
      {.form = "anthropic/output-tokens", .client = "anthropic", .quota = "output-tokens"},
      {.form = "anthropic/overloaded",
       .client = "anthropic",
       .wait = Wait::kUnknown,
       .throttled = false},
      {.form = "atlassian/burst", .client = "atlassian", .quota = ""},
      {.form = "atlassian/issue-write", .client = "atlassian", .quota = ""},
      {.form = "discord/user", .client = "discord", .quota = ""},
      {.form = "discord/shared", .client = "discord", .quota = ""},
      {.form = "discord/global", .client = "discord"},
      {.form = "generic/epoch-seconds", .client = "", .quota = ""},
      {.form = "generic/delta-seconds", .client = "", .quota = ""},
      {.form = "generic/epoch-milliseconds", .client = "", .quota = ""},
      {.form = "generic/rfc3339", .client = "", .quota = ""},
      {.form = "github/primary", .client = "github", .quota = "core"},
      {.form = "github/primary-429", .client = "github", .quota = "core"},
      {.form = "github/search", .client = "github", .quota = "search"},
      {.form = "github/secondary", .client = "github"},
      {.form = "github/secondary-429", .client = "github"},
      {.form = "github/secondary-silent",
       .client = "github",
       .wait = Wait::kOfTheClient,
       .client_wait = 60s},
      {.form = "github/graphql", .client = "github", .quota = "graphql"},
      {.form = "google/retry-info", .client = "google", .slack = 1ms},
      {.form = "google/rate-limit-403", .client = "google", .wait = Wait::kUnknown},
      {.form = "google/user-rate-limit-403", .client = "google", .wait = Wait::kUnknown},
      {.form = "google/gmail", .client = "google"},
      // No reset: the length of the window, or what the policy's name means.
      {.form = "hubspot/interval",
       .client = "hubspot",
       .quota = "interval",
       .wait = Wait::kOfTheClient,
       .client_wait = 60s},
      {.form = "hubspot/secondly",
       .client = "hubspot",
       .quota = "secondly",
       .wait = Wait::kOfTheClient,
       .client_wait = 1s},
      {.form = "hubspot/daily",
       .client = "hubspot",
       .quota = "daily",
       .wait = Wait::kOfTheClient,
       .client_wait = 10min},
      {.form = "ietf-06/window", .client = "ietf", .quota = ""},
      {.form = "ietf-07/window", .client = "ietf", .quota = ""},
      {.form = "ietf-10/quota", .client = "ietf", .quota = "l"},
      {.form = "ietf-10/reduced-capacity", .client = "ietf", .quota = "l"},
      {.form = "intuit/realm", .client = "intuit", .wait = Wait::kOfTheClient, .client_wait = 60s},
      {.form = "linear/requests", .client = "linear", .quota = "requests", .slack = 1ms},
      {.form = "linear/complexity", .client = "linear", .quota = "complexity", .slack = 1ms},
      {.form = "okta/endpoint", .client = "okta", .quota = ""},
      {.form = "okta/concurrency", .client = "okta", .kind = Kind::kConcurrency},
      {.form = "openai/requests", .client = "openai", .quota = "requests"},
      {.form = "openai/tokens", .client = "openai", .quota = "tokens"},
      {.form = "openai/insufficient-quota",
       .client = "openai",
       .wait = Wait::kUnknown,
       .permanent = true},
      {.form = "salesforce/api-usage",
       .client = "salesforce",
       .quota = "api-usage",
       .wait = Wait::kUnknown},
      {.form = "salesforce/per-app",
       .client = "salesforce",
       .quota = "per-app-api-usage",
       .wait = Wait::kUnknown},
      {.form = "salesforce/concurrent", .client = "salesforce", .wait = Wait::kUnknown},
      {.form = "shopify-rest/bucket",
       .client = "shopify",
       .quota = "",
       .slack = 1ms,
       .kind = Kind::kLeakyBucket},
      // What is available is written in whole points: up to one of them more.
      {.form = "shopify-graphql/cost",
       .client = "shopify-graphql",
       .quota = "cost",
       .slack = 31s,
       .kind = Kind::kLeakyBucket},
      {.form = "slack/method", .client = "slack"},
      {.form = "slack/without-retry-after", .client = "slack", .wait = Wait::kUnknown},
      {.form = "twilio/requests", .client = "", .wait = Wait::kUnknown},
      {.form = "x/v1.1", .client = "x", .quota = ""},
      {.form = "x/v2", .client = "x", .quota = ""},
      {.form = "xero/minute", .client = "xero", .quota = "minute", .says_limit = false},
      {.form = "xero/day", .client = "xero", .quota = "day", .says_limit = false},
      {.form = "xero/concurrent", .client = "xero"},
      {.form = "zendesk/account", .client = "zendesk", .quota = ""},
      {.form = "zendesk/tickets-index", .client = "zendesk", .quota = "tickets-index"},
  };
  for (const char* const reason : {"global-rate", "endpoint-rate", "global-concurrency",
                                   "endpoint-concurrency", "resource-specific"}) {
    rows.push_back(
        {.form = std::string("stripe/") + reason, .client = "stripe", .wait = Wait::kUnknown});
  }
  return rows;
}

std::string RowName(const ::testing::TestParamInfo<Row>& test) {
  std::string name = test.param.form;
  std::replace_if(
      name.begin(), name.end(), [](char c) { return c == '/' || c == '-' || c == '.'; }, '_');
  return name;
}

TEST(DialectCoverageTest, EveryFormOfEveryPackHasARow) {
  std::set<std::string> named;
  for (const Row& row : Rows()) EXPECT_TRUE(named.insert(row.form).second) << row.form;
  std::set<std::string> built_in;
  for (const BuiltinDialect& dialect : BuiltinDialects()) {
    const auto pack = DialectPack::Parse(dialect.name, dialect.json);
    for (const std::string_view form : pack->form_names())
      built_in.insert(std::string(dialect.name).append("/").append(form));
  }
  EXPECT_EQ(named, built_in);
}

class DialectRoundTripTest : public ::testing::TestWithParam<Row> {
 protected:
  DialectRoundTripTest() {
    // Not at a full second: rounding shows.
    clock_.SetSystemStart(SystemTime(1'767'225'600'250ms));
    VendorSpec spec{.name = "acme"};
    spec.routes = {{.id = "orders"}};
    spec.limits = {{.id = "l",
                    .max = 2,
                    .window = GetParam().kind == Kind::kConcurrency ? Duration(7s) : 60s,
                    .kind = GetParam().kind,
                    .dialect = GetParam().form}};
    limiter_ = *RateLimiter::Create(spec);
  }

  RateVerdict Ask() {
    const http::Request request{http::Method::Get(), *http::Url::Parse("http://acme.sim/"), {}, {}};
    return limiter_->Admit({request, "orders"}, clock_.Now(), clock_.SystemNow());
  }
  http::Response Answer() {
    const RateVerdict verdict = Ask();
    EXPECT_EQ(verdict.refusal, nullptr);
    http::Response response{.body = R"({"data":1})"};
    limiter_->Annotate(verdict, response);
    return response;
  }
  RateLimitHint Read(const http::Response& response) const {
    const std::string& client = GetParam().client;
    const RateLimitDialect dialect =
        client.empty() ? RateLimitDialect::Generic() : *RateLimitDialect::ForVendor(client);
    return ParseRateLimitHint(response, clock_.SystemNow(), dialect);
  }

  test::FakeClock clock_;
  std::unique_ptr<RateLimiter> limiter_;
};

TEST_P(DialectRoundTripTest, AnAnswerIsNoRefusalAndSaysWhatIsLeft) {
  const RateLimitHint hint = Read(Answer());
  EXPECT_FALSE(hint.throttled);
  EXPECT_FALSE(hint.retry_after);
  if (!GetParam().quota) {
    EXPECT_TRUE(hint.quotas.empty());
    return;
  }
  const auto quota = std::find_if(hint.quotas.begin(), hint.quotas.end(), [](const auto& report) {
    return report.name == *GetParam().quota;
  });
  ASSERT_NE(quota, hint.quotas.end());
  EXPECT_EQ(quota->remaining, 1);
  EXPECT_EQ(quota->limit, GetParam().says_limit ? std::optional<std::int64_t>(2) : std::nullopt);
}

TEST_P(DialectRoundTripTest, ARefusalIsUnderstoodWithTheSameWaitingTime) {
  for (int i = 0; i < 2; ++i) Answer();
  clock_.Advance(7300ms);
  const RateVerdict verdict = Ask();
  ASSERT_NE(verdict.refusal, nullptr);
  const Duration decided = verdict.readings.front().retry_after;
  const RateLimitHint hint = Read(verdict.refusal->response);
  EXPECT_EQ(hint.throttled, GetParam().throttled);
  EXPECT_EQ(hint.permanent, GetParam().permanent);
  switch (GetParam().wait) {
    case Wait::kUnknown:
      EXPECT_FALSE(hint.retry_after);
      return;
    case Wait::kOfTheClient:
      EXPECT_EQ(hint.retry_after, GetParam().client_wait);
      return;
    case Wait::kAsDecided:
      break;
  }
  ASSERT_TRUE(hint.retry_after);
  EXPECT_GE(*hint.retry_after, decided);
  EXPECT_LT(*hint.retry_after, decided + GetParam().slack);
}

TEST_P(DialectRoundTripTest, WhoWaitsAsToldIsLetPass) {
  if (GetParam().wait != Wait::kAsDecided || GetParam().kind == Kind::kConcurrency) return;
  for (int i = 0; i < 2; ++i) Answer();
  clock_.Advance(7300ms);
  const RateLimitHint hint = Read(Ask().refusal->response);
  ASSERT_TRUE(hint.retry_after);
  clock_.Advance(*hint.retry_after);
  EXPECT_EQ(Ask().refusal, nullptr);
}

INSTANTIATE_TEST_SUITE_P(Forms, DialectRoundTripTest, ::testing::ValuesIn(Rows()), RowName);

}  // namespace
}  // namespace understudy::harness
