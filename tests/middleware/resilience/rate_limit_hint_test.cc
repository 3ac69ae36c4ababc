#include "middleware/resilience/rate_limit_hint.h"

#include <chrono>
#include <ostream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "middleware/http/retry_after.h"

namespace understudy {

// Found by gtest, for readable failures.
static void Print(std::ostream& out, const char* name, const std::optional<Duration>& time) {
  if (time) out << ' ' << name << '=' << time->count() << "ns";
}

static void PrintTo(const RateLimitHint& hint, std::ostream* out) {
  *out << "{throttled=" << hint.throttled << " permanent=" << hint.permanent
       << " global=" << hint.global << " scope='" << hint.scope << "'";
  if (hint.should_retry) *out << " should_retry=" << *hint.should_retry;
  Print(*out, "retry_after", hint.retry_after);
  for (const QuotaReport& quota : hint.quotas) {
    *out << " ['" << quota.name << "'";
    if (quota.limit) *out << " limit=" << *quota.limit;
    if (quota.remaining) *out << " remaining=" << *quota.remaining;
    Print(*out, "reset_after", quota.reset_after);
    Print(*out, "window", quota.window);
    *out << ']';
  }
  *out << '}';
}

namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::nanoseconds;
using std::chrono::seconds;

// Tue, 14 Nov 2023 22:13:20 GMT
constexpr SystemTime kNow = SystemTime(seconds(1'700'000'000));

RateLimitDialect Dialect(std::string_view vendor) {
  if (vendor == "generic") return RateLimitDialect::Generic();
  return RateLimitDialect::ForVendor(vendor).value();
}

RateLimitHint Parse(std::string_view vendor, const http::Response& response,
                    SystemTime now = kNow) {
  return ParseRateLimitHint(response, now, Dialect(vendor));
}

struct Row {
  std::string_view name;
  std::string_view vendor;
  http::Response response;
  RateLimitHint expected;
};

std::string RowName(const auto& test) { return std::string(test.param.name); }

class RateLimitHintTest : public ::testing::TestWithParam<Row> {};

TEST_P(RateLimitHintTest, IsReadAsItsRow) {
  EXPECT_EQ(Parse(GetParam().vendor, GetParam().response), GetParam().expected);
}

// ---- Each form of reference vendors 2.1, as it should be

INSTANTIATE_TEST_SUITE_P(
    GitHub, RateLimitHintTest,
    ::testing::Values(
        Row{"RL6_resource",
            "github",
            {.headers = {{"x-ratelimit-limit", "5000"},
                         {"x-ratelimit-remaining", "4987"},
                         {"x-ratelimit-used", "13"},
                         {"x-ratelimit-reset", "1700000060"},
                         {"x-ratelimit-resource", "core"}}},
            {.scope = "core",
             .quotas =
                 {{.name = "core", .limit = 5000, .remaining = 4987, .reset_after = seconds(60)}}}},
        Row{"primary_limit_is_a_403",
            "github",
            {.status = 403,
             .headers = {{"X-RateLimit-Limit", "60"},
                         {"X-RateLimit-Remaining", "0"},
                         {"X-RateLimit-Reset", "1700000300"},
                         {"X-RateLimit-Resource", "search"}},
             .body = R"({"message":"API rate limit exceeded for 192.0.2.1."})"},
            {.retry_after = minutes(5),
             .throttled = true,
             .scope = "search",
             .quotas =
                 {{.name = "search", .limit = 60, .remaining = 0, .reset_after = minutes(5)}}}},
        Row{"RL6_secondary_limit_with_retry_after",
            "github",
            {.status = 403,
             .headers = {{"Retry-After", "17"}, {"X-RateLimit-Remaining", "4000"}},
             .body = R"({"message":"You have exceeded a secondary rate limit."})"},
            {.retry_after = seconds(17), .throttled = true, .quotas = {{.remaining = 4000}}}},
        Row{"RL6_secondary_limit_without_a_hint_is_a_minute",
            "github",
            {.status = 403,
             .headers = {{"X-RateLimit-Remaining", "4000"}, {"X-RateLimit-Reset", "1700003000"}},
             .body = R"({"message":"You have exceeded a SECONDARY rate limit. Please wait."})"},
            {.retry_after = minutes(1),
             .throttled = true,
             .quotas = {{.remaining = 4000, .reset_after = seconds(3000)}}}},
        Row{"a_403_for_permission_is_none",
            "github",
            {.status = 403,
             .headers = {{"X-RateLimit-Remaining", "4000"}},
             .body = R"({"message":"Resource not accessible by integration"})"},
            {.quotas = {{.remaining = 4000}}}},
        Row{"graphql_limit_is_a_200",
            "github",
            {.headers = {{"X-RateLimit-Remaining", "0"}, {"X-RateLimit-Reset", "1700000100"}},
             .body = R"({"errors":[{"type":"RATE_LIMITED","message":"API rate limit exceeded"}]})"},
            {.retry_after = seconds(100),
             .throttled = true,
             .quotas = {{.remaining = 0, .reset_after = seconds(100)}}}},
        Row{"a_200_that_only_mentions_the_code_is_none",
            "github",
            {.body = R"({"data":{"title":"What does RATE_LIMITED mean?"}})"},
            {}},
        Row{"used_stands_for_remaining",
            "github",
            {.headers = {{"X-RateLimit-Limit", "60"}, {"X-RateLimit-Used", "70"}}},
            {.quotas = {{.limit = 60, .remaining = 0, .reset_after = minutes(1)}}}},
        Row{"used_up_in_a_200_is_no_refusal",
            "github",
            {.headers = {{"X-RateLimit-Remaining", "0"}, {"X-RateLimit-Reset", "1700000100"}}},
            {.quotas = {{.remaining = 0, .reset_after = seconds(100)}}}}),
    [](const auto& test) { return RowName(test); });

INSTANTIATE_TEST_SUITE_P(
    XOktaAtlassian, RateLimitHintTest,
    ::testing::Values(
        Row{"RL6_x",
            "x",
            {.status = 429,
             .headers = {{"x-rate-limit-limit", "300"},
                         {"x-rate-limit-remaining", "0"},
                         {"x-rate-limit-reset", "1700000900"}},
             .body = R"({"errors":[{"code":88,"message":"Rate limit exceeded"}]})"},
            {.retry_after = minutes(15),
             .throttled = true,
             .quotas = {{.limit = 300,
                         .remaining = 0,
                         .reset_after = minutes(15),
                         .window = minutes(15)}}}},
        Row{"x_code_88_alone",
            "x",
            {.status = 400, .body = R"({"errors":[{"code":88}]})"},
            {.throttled = true}},
        Row{"x_other_code", "x", {.status = 403, .body = R"({"errors":[{"code":87}]})"}, {}},
        Row{"okta",
            "okta",
            {.headers = {{"X-Rate-Limit-Limit", "600"},
                         {"X-Rate-Limit-Remaining", "599"},
                         {"X-Rate-Limit-Reset", "1700000030"}}},
            {.quotas = {{.limit = 600, .remaining = 599, .reset_after = seconds(30)}}}},
        Row{"RL12_okta_concurrency_is_no_limit_of_zero",
            "okta",
            {.status = 429,
             .headers = {{"X-Rate-Limit-Limit", "0"},
                         {"X-Rate-Limit-Remaining", "0"},
                         {"X-Rate-Limit-Reset", "1700000030"}}},
            {.retry_after = seconds(30),
             .throttled = true,
             .quotas = {{.name = "concurrency", .remaining = 0, .reset_after = seconds(30)}}}},
        Row{"RL12_okta_concurrency_without_an_end_reports_nothing",
            "okta",
            {.status = 429,
             .headers = {{"X-Rate-Limit-Limit", "0"}, {"X-Rate-Limit-Remaining", "0"}}},
            {.throttled = true}},
        Row{"RL12_limit_zero_of_a_served_request_means_nothing",
            "generic",
            {.headers = {{"X-RateLimit-Limit", "0"},
                         {"X-RateLimit-Remaining", "0"},
                         {"X-RateLimit-Reset", "0"}}},
            {}},
        Row{"atlassian_without_seconds",
            "atlassian",
            {.status = 429,
             .headers = {{"X-RateLimit-Limit", "100"},
                         {"X-RateLimit-Remaining", "0"},
                         {"X-RateLimit-Reset", "2023-11-14T22:15Z"},
                         {"X-RateLimit-NearLimit", "true"},
                         {"RateLimit-Reason", "jira-burst-based"}}},
            {.retry_after = seconds(100),
             .throttled = true,
             .scope = "jira-burst-based",
             .quotas = {{.limit = 100, .remaining = 0, .reset_after = seconds(100)}}}},
        Row{"atlassian_retry_after_wins",
            "atlassian",
            {.status = 429,
             .headers = {{"Retry-After", "5"}, {"X-RateLimit-Reset", "2023-11-14T22:15Z"}}},
            {.retry_after = seconds(5),
             .throttled = true,
             .quotas = {{.reset_after = seconds(100)}}}}),
    [](const auto& test) { return RowName(test); });

INSTANTIATE_TEST_SUITE_P(
    Shopify, RateLimitHintTest,
    ::testing::Values(
        Row{"bucket",
            "shopify",
            {.headers = {{"X-Shopify-Shop-Api-Call-Limit", "32/40"}}},
            {.quotas = {{.limit = 40, .remaining = 8, .window = seconds(20)}}}},
        Row{"RL2_full_bucket_leaks_in_half_a_second",
            "shopify",
            {.status = 429, .headers = {{"X-Shopify-Shop-Api-Call-Limit", "40/40"}}},
            {.retry_after = milliseconds(500),
             .throttled = true,
             .quotas = {{.limit = 40,
                         .remaining = 0,
                         .reset_after = milliseconds(500),
                         .window = seconds(20)}}}},
        Row{"larger_bucket_leaks_faster",
            "shopify",
            {.headers = {{"X-Shopify-Shop-Api-Call-Limit", "401/400"}}},
            {.quotas = {{.limit = 400,
                         .remaining = 0,
                         .reset_after = milliseconds(50),
                         .window = seconds(20)}}}},
        Row{"RL5_retry_after_with_a_fraction",
            "shopify",
            {.status = 429, .headers = {{"Retry-After", "2.0"}}},
            {.retry_after = seconds(2), .throttled = true}},
        Row{"no_hint_is_one_leak",
            "shopify",
            {.status = 429},
            {.retry_after = milliseconds(500), .throttled = true}},
        Row{"RL6_graphql_cost",
            "shopify-graphql",
            {.body = R"({"data":{},"extensions":{"cost":{"requestedQueryCost":101,)"
                     R"("throttleStatus":{"maximumAvailable":1000.0,"currentlyAvailable":118,)"
                     R"("restoreRate":50.0}}}})"},
            {.quotas = {{.name = "cost", .limit = 1000, .remaining = 118, .window = seconds(20)}}}},
        Row{"RL6_graphql_throttled_in_a_200",
            "shopify-graphql",
            {.body = R"({"errors":[{"message":"Throttled","extensions":{"code":"THROTTLED"}}],)"
                     R"("extensions":{"cost":{"requestedQueryCost":318,"actualQueryCost":null,)"
                     R"("throttleStatus":{"maximumAvailable":1000.0,"currentlyAvailable":118,)"
                     R"("restoreRate":50.0}}}})"},
            {.retry_after = seconds(4),
             .throttled = true,
             .quotas = {{.name = "cost", .limit = 1000, .remaining = 118, .window = seconds(20)}}}},
        Row{"graphql_used_up",
            "shopify-graphql",
            {.body = R"({"extensions":{"cost":{"requestedQueryCost":1,"throttleStatus":)"
                     R"({"maximumAvailable":1000,"currentlyAvailable":0.5,"restoreRate":50}}}})"},
            {.quotas = {{.name = "cost",
                         .limit = 1000,
                         .remaining = 0,
                         .reset_after = milliseconds(10),
                         .window = seconds(20)}}}},
        Row{"graphql_throttled_without_cost",
            "shopify-graphql",
            {.body = R"({"errors":[{"extensions":{"code":"THROTTLED"}}]})"},
            {.retry_after = seconds(1), .throttled = true}}),
    [](const auto& test) { return RowName(test); });

INSTANTIATE_TEST_SUITE_P(
    StripeSalesforceGoogle, RateLimitHintTest,
    ::testing::Values(
        Row{"RL6_stripe",
            "stripe",
            {.status = 429,
             .headers = {{"Stripe-Rate-Limited-Reason", "endpoint-rate"},
                         {"Stripe-Should-Retry", "true"}},
             .body = R"({"error":{"type":"invalid_request_error","code":"rate_limit"}})"},
            {.throttled = true, .should_retry = true, .scope = "endpoint-rate"}},
        Row{"stripe_global",
            "stripe",
            {.status = 429, .headers = {{"stripe-rate-limited-reason", "global-concurrency"}}},
            {.throttled = true, .global = true}},
        Row{"stripe_lock_is_no_limit",
            "stripe",
            {.status = 429,
             .headers = {{"Stripe-Should-Retry", "true"}},
             .body = R"({"error":{"type":"invalid_request_error","code":"lock_timeout"}})"},
            {.should_retry = true}},
        Row{"stripe_must_not_retry",
            "stripe",
            {.status = 402, .headers = {{"Stripe-Should-Retry", "false"}}},
            {.should_retry = false}},
        Row{"salesforce",
            "salesforce",
            {.headers = {{"Sforce-Limit-Info", "api-usage=25/5000"}}},
            {.quotas =
                 {{.name = "api-usage", .limit = 5000, .remaining = 4975, .window = hours(24)}}}},
        Row{"RL13_salesforce_per_app_first",
            "salesforce",
            {.headers = {{"Sforce-Limit-Info",
                          "per-app-api-usage=17/250(appName=a;api-usage=1/2); api-usage=25/5000"}}},
            {.quotas =
                 {{.name = "api-usage", .limit = 5000, .remaining = 4975, .window = hours(24)},
                  {.name = "per-app-api-usage",
                   .limit = 250,
                   .remaining = 233,
                   .window = hours(24)}}}},
        Row{"salesforce_over_the_limit",
            "salesforce",
            {.status = 403,
             .headers = {{"Sforce-Limit-Info", "api-usage=5000/5000"}},
             .body = R"([{"errorCode":"REQUEST_LIMIT_EXCEEDED","message":"x"}])"},
            {.throttled = true,
             .quotas =
                 {{.name = "api-usage", .limit = 5000, .remaining = 0, .window = hours(24)}}}},
        Row{"salesforce_body_alone",
            "salesforce",
            {.status = 403, .body = R"([{"errorCode":"REQUEST_LIMIT_EXCEEDED"}])"},
            {.throttled = true}},
        Row{"salesforce_other_403",
            "salesforce",
            {.status = 403, .body = R"([{"errorCode":"INSUFFICIENT_ACCESS"}])"},
            {}},
        Row{"RL6_google_retry_info",
            "google",
            {.status = 429,
             .body = R"({"error":{"code":429,"status":"RESOURCE_EXHAUSTED","details":[)"
                     R"({"@type":"type.googleapis.com/google.rpc.ErrorInfo"},)"
                     R"({"@type":"type.googleapis.com/google.rpc.RetryInfo",)"
                     R"("retryDelay":"31s"}]}})"},
            {.retry_after = seconds(31), .throttled = true}},
        Row{"google_fraction",
            "google",
            {.status = 503, .body = R"({"error":{"details":[{"retryDelay":"0.1s"}]}})"},
            {.retry_after = milliseconds(100)}},
        Row{"google_longer_than_the_header",
            "google",
            {.status = 429,
             .headers = {{"Retry-After", "1"}},
             .body = R"({"error":{"details":[{"retryDelay":"31s"}]}})"},
            {.retry_after = seconds(31), .throttled = true}},
        Row{"google_older_403",
            "google",
            {.status = 403, .body = R"({"error":{"errors":[{"reason":"userRateLimitExceeded"}]}})"},
            {.throttled = true}},
        Row{"google_other_403",
            "google",
            {.status = 403, .body = R"({"error":{"errors":[{"reason":"forbidden"}]}})"},
            {}},
        Row{"gmail_message",
            "google",
            {.status = 429,
             .body = R"json({"error":{"message":"User-rate limit exceeded.  Retry after )json"
                     R"json(2023-11-14T22:14:20.500Z (Mail sending)"}})json"},
            {.retry_after = milliseconds(60'500), .throttled = true}}),
    [](const auto& test) { return RowName(test); });

INSTANTIATE_TEST_SUITE_P(
    SlackDiscordHubSpot, RateLimitHintTest,
    ::testing::Values(
        Row{"RL1_slack_retry_after_alone",
            "slack",
            {.status = 429, .headers = {{"retry-after", "30"}}},
            {.retry_after = seconds(30), .throttled = true}},
        Row{"slack_in_a_200",
            "slack",
            {.headers = {{"Retry-After", "30"}}, .body = R"({"ok":false,"error":"ratelimited"})"},
            {.retry_after = seconds(30), .throttled = true}},
        Row{"slack_other_error", "slack", {.body = R"({"ok":false,"error":"not_authed"})"}, {}},
        Row{"discord",
            "discord",
            {.headers = {{"X-RateLimit-Limit", "10"},
                         {"X-RateLimit-Remaining", "9"},
                         {"X-RateLimit-Reset", "1700000064.123"},
                         {"X-RateLimit-Reset-After", "64.57"},
                         {"X-RateLimit-Bucket", "abcd1234"}}},
            {.scope = "abcd1234",
             .quotas = {{.limit = 10, .remaining = 9, .reset_after = milliseconds(64'570)}}}},
        Row{"discord_epoch_with_a_fraction",
            "discord",
            {.headers = {{"X-RateLimit-Remaining", "1"}, {"X-RateLimit-Reset", "1700000064.123"}}},
            {.quotas = {{.remaining = 1, .reset_after = milliseconds(64'123)}}}},
        Row{"RL10_discord_bucket",
            "discord",
            {.status = 429,
             .headers = {{"X-RateLimit-Limit", "10"},
                         {"X-RateLimit-Remaining", "0"},
                         {"X-RateLimit-Reset-After", "64.57"},
                         {"X-RateLimit-Bucket", "abcd1234"},
                         {"X-RateLimit-Scope", "user"},
                         {"Retry-After", "65"}},
             .body = R"({"message":"slow down","retry_after":64.57,"global":false})"},
            {.retry_after = seconds(65),
             .throttled = true,
             .scope = "abcd1234",
             .quotas = {{.limit = 10, .remaining = 0, .reset_after = milliseconds(64'570)}}}},
        Row{"discord_body_alone",
            "discord",
            {.status = 429, .body = R"({"retry_after":64.57,"global":false})"},
            {.retry_after = milliseconds(64'570), .throttled = true}},
        Row{"discord_global_header",
            "discord",
            {.status = 429,
             .headers = {{"Retry-After", "1"},
                         {"X-RateLimit-Global", "true"},
                         {"X-RateLimit-Bucket", "abcd1234"}}},
            {.retry_after = seconds(1), .throttled = true, .global = true}},
        Row{"discord_global_body",
            "discord",
            {.status = 429, .body = R"({"retry_after":1,"global":true})"},
            {.retry_after = seconds(1), .throttled = true, .global = true}},
        Row{"discord_global_scope",
            "discord",
            {.status = 429, .headers = {{"X-RateLimit-Scope", "global"}, {"Retry-After", "1"}}},
            {.retry_after = seconds(1), .throttled = true, .global = true}},
        Row{"RL6_hubspot",
            "hubspot",
            {.headers = {{"X-HubSpot-RateLimit-Max", "100"},
                         {"X-HubSpot-RateLimit-Remaining", "99"},
                         {"X-HubSpot-RateLimit-Interval-Milliseconds", "10000"},
                         {"X-HubSpot-RateLimit-Secondly", "10"},
                         {"X-HubSpot-RateLimit-Secondly-Remaining", "9"},
                         {"X-HubSpot-RateLimit-Daily", "250000"},
                         {"X-HubSpot-RateLimit-Daily-Remaining", "249999"}}},
            {.quotas =
                 {{.name = "interval", .limit = 100, .remaining = 99, .window = seconds(10)},
                  {.name = "secondly", .limit = 10, .remaining = 9, .window = seconds(1)},
                  {.name = "daily", .limit = 250'000, .remaining = 249'999, .window = hours(24)}}}},
        Row{"hubspot_rolling_window",
            "hubspot",
            {.status = 429,
             .headers = {{"X-HubSpot-RateLimit-Remaining", "0"},
                         {"X-HubSpot-RateLimit-Interval-Milliseconds", "8000"}},
             .body = R"({"status":"error","policyName":"SECONDLY"})"},
            {.retry_after = seconds(8),
             .throttled = true,
             .quotas = {{.name = "interval",
                         .remaining = 0,
                         .reset_after = seconds(8),
                         .window = seconds(8)}}}},
        Row{"hubspot_daily_policy",
            "hubspot",
            {.status = 429, .body = R"({"status":"error","policyName":"DAILY"})"},
            {.retry_after = minutes(10), .throttled = true}},
        Row{"hubspot_without_a_policy",
            "hubspot",
            {.status = 429, .body = "<html>"},
            {.retry_after = seconds(10), .throttled = true}},
        Row{"hubspot_migration_is_no_limit",
            "hubspot",
            {.status = 477, .headers = {{"Retry-After", "600"}}},
            {.retry_after = minutes(10)}}),
    [](const auto& test) { return RowName(test); });

INSTANTIATE_TEST_SUITE_P(
    OpenAiAnthropicZendesk, RateLimitHintTest,
    ::testing::Values(
        Row{"openai",
            "openai",
            {.headers = {{"x-ratelimit-limit-requests", "60"},
                         {"x-ratelimit-limit-tokens", "150000"},
                         {"x-ratelimit-remaining-requests", "59"},
                         {"x-ratelimit-remaining-tokens", "149984"},
                         {"x-ratelimit-reset-requests", "20ms"},
                         {"x-ratelimit-reset-tokens", "6m30s"}}},
            {.quotas = {{.name = "requests",
                         .limit = 60,
                         .remaining = 59,
                         .reset_after = milliseconds(20)},
                        {.name = "tokens",
                         .limit = 150'000,
                         .remaining = 149'984,
                         .reset_after = seconds(390)}}}},
        Row{"openai_longest_of_the_used_up",
            "openai",
            {.status = 429,
             .headers = {{"x-ratelimit-remaining-requests", "0"},
                         {"x-ratelimit-remaining-tokens", "0"},
                         {"x-ratelimit-reset-requests", "1s"},
                         {"x-ratelimit-reset-tokens", "6m0s"},
                         {"x-should-retry", "true"}}},
            {.retry_after = minutes(6),
             .throttled = true,
             .should_retry = true,
             .quotas = {{.name = "requests", .remaining = 0, .reset_after = seconds(1)},
                        {.name = "tokens", .remaining = 0, .reset_after = minutes(6)}}}},
        Row{"openai_what_is_left_does_not_count",
            "openai",
            {.status = 429,
             .headers = {{"x-ratelimit-remaining-requests", "0"},
                         {"x-ratelimit-remaining-tokens", "5"},
                         {"x-ratelimit-reset-requests", "1s"},
                         {"x-ratelimit-reset-tokens", "6m0s"}}},
            {.retry_after = seconds(1),
             .throttled = true,
             .quotas = {{.name = "requests", .remaining = 0, .reset_after = seconds(1)},
                        {.name = "tokens", .remaining = 5, .reset_after = minutes(6)}}}},
        Row{"openai_milliseconds",
            "openai",
            {.status = 429, .headers = {{"retry-after", "1"}, {"retry-after-ms", "1234"}}},
            {.retry_after = milliseconds(1234), .throttled = true}},
        Row{"openai_quota_is_used_up_for_good",
            "openai",
            {.status = 429,
             .headers = {{"x-ratelimit-remaining-requests", "0"},
                         {"x-ratelimit-reset-requests", "1s"}},
             .body = R"({"error":{"type":"insufficient_quota","code":"insufficient_quota"}})"},
            {.throttled = true,
             .permanent = true,
             .quotas = {{.name = "requests", .remaining = 0, .reset_after = seconds(1)}}}},
        Row{"anthropic",
            "anthropic",
            {.status = 429,
             .headers = {{"anthropic-ratelimit-requests-limit", "50"},
                         {"anthropic-ratelimit-requests-remaining", "0"},
                         {"anthropic-ratelimit-requests-reset", "2023-11-14T22:14:20Z"},
                         {"anthropic-ratelimit-input-tokens-remaining", "1000"},
                         {"anthropic-ratelimit-output-tokens-reset", "2023-11-14T23:14:20+01:00"},
                         {"retry-after", "12"}}},
            {.retry_after = seconds(12),
             .throttled = true,
             .quotas =
                 {{.name = "requests", .limit = 50, .remaining = 0, .reset_after = seconds(60)},
                  {.name = "input-tokens", .remaining = 1000},
                  {.name = "output-tokens", .reset_after = seconds(60)}}}},
        Row{"anthropic_overload_is_no_limit",
            "anthropic",
            {.status = 529, .body = R"({"type":"error","error":{"type":"overloaded_error"}})"},
            {}},
        Row{"zendesk",
            "zendesk",
            {.headers = {{"x-rate-limit", "700"},
                         {"x-rate-limit-remaining", "698"},
                         {"ratelimit-limit", "700"},
                         {"ratelimit-remaining", "699"},
                         {"ratelimit-reset", "41"},
                         {"Zendesk-RateLimit-tickets-index",
                          "total=100; remaining=99; resets=41"}}},
            {.quotas = {{.limit = 700, .remaining = 698, .reset_after = seconds(41)},
                        {.name = "tickets-index",
                         .limit = 100,
                         .remaining = 99,
                         .reset_after = seconds(41)}}}},
        Row{"zendesk_endpoint_used_up",
            "zendesk",
            {.status = 429,
             .headers = {{"ratelimit-remaining", "5"},
                         {"zendesk-ratelimit-Tickets-Index", "resets=9;remaining=0;total=100"}}},
            {.retry_after = seconds(9),
             .throttled = true,
             .quotas = {{.remaining = 5},
                        {.name = "tickets-index",
                         .limit = 100,
                         .remaining = 0,
                         .reset_after = seconds(9)}}}}),
    [](const auto& test) { return RowName(test); });

INSTANTIATE_TEST_SUITE_P(
    LinearIntuitXero, RateLimitHintTest,
    ::testing::Values(
        Row{"linear",
            "linear",
            {.status = 400,
             .headers = {{"x-ratelimit-requests-limit", "1500"},
                         {"x-ratelimit-requests-remaining", "0"},
                         {"x-ratelimit-requests-reset", "1700000060000"}},
             .body = R"({"errors":[{"extensions":{"code":"RATELIMITED"}}]})"},
            {.retry_after = seconds(60),
             .throttled = true,
             .quotas = {{.name = "requests",
                         .limit = 1500,
                         .remaining = 0,
                         .reset_after = seconds(60)}}}},
        Row{"linear_other_400",
            "linear",
            {.status = 400, .body = R"({"errors":[{"extensions":{"code":"INVALID"}}]})"},
            {}},
        Row{"intuit_without_headers",
            "intuit",
            {.status = 429},
            {.retry_after = minutes(1), .throttled = true}},
        Row{"intuit_fault_code",
            "intuit",
            {.status = 403, .body = R"({"Fault":{"Error":[{"code":"003001"}]}})"},
            {.retry_after = minutes(1), .throttled = true}},
        Row{"intuit_fault_in_a_200",
            "intuit",
            {.body = R"({"fault":{"error":[{"message":"message=ThrottleExceeded; x"}]}})"},
            {.retry_after = minutes(1), .throttled = true}},
        Row{"intuit_other_fault",
            "intuit",
            {.status = 400, .body = R"({"Fault":{"Error":[{"code":"6240"}]}})"},
            {}},
        Row{"xero",
            "xero",
            {.status = 429,
             .headers = {{"Retry-After", "23"},
                         {"X-Rate-Limit-Problem", "minute"},
                         {"X-MinLimit-Remaining", "0"},
                         {"X-DayLimit-Remaining", "4000"}}},
            {.retry_after = seconds(23),
             .throttled = true,
             .quotas = {{.name = "minute", .remaining = 0, .window = minutes(1)},
                        {.name = "day", .remaining = 4000, .window = hours(24)}}}},
        Row{"xero_concurrency",
            "xero",
            {.status = 429, .headers = {{"X-Rate-Limit-Problem", "Concurrent"}}},
            {.retry_after = seconds(1), .throttled = true}}),
    [](const auto& test) { return RowName(test); });

INSTANTIATE_TEST_SUITE_P(
    Ietf, RateLimitHintTest,
    ::testing::Values(
        Row{"RL6_draft_03_limit_with_its_window",
            "ietf",
            {.headers = {{"RateLimit-Limit", "100, 100;w=60, 5000;w=86400"},
                         {"RateLimit-Remaining", "50"},
                         {"RateLimit-Reset", "50"}}},
            {.quotas = {{.limit = 100,
                         .remaining = 50,
                         .reset_after = seconds(50),
                         .window = seconds(60)}}}},
        Row{"R9_draft_06",
            "ietf",
            {.headers = {{"RateLimit-Limit", "50"},
                         {"RateLimit-Remaining", "49"},
                         {"RateLimit-Reset", "50"},
                         {"RateLimit-Policy", "10;w=1, 50;w=60"}}},
            {.quotas =
                 {{.limit = 50, .remaining = 49, .reset_after = seconds(50), .window = seconds(60)},
                  {.name = "10;w=1", .limit = 10, .window = seconds(1)}}}},
        Row{"R9_draft_07",
            "ietf",
            {.headers = {{"RateLimit", "limit=100, remaining=50, reset=5"},
                         {"RateLimit-Policy", "100;w=10"}}},
            {.quotas = {{.limit = 100,
                         .remaining = 50,
                         .reset_after = seconds(5),
                         .window = seconds(10)}}}},
        Row{"R9_draft_10",
            "ietf",
            {.headers = {{"RateLimit-Policy", R"("burst";q=100;w=60,"daily";q=1000;w=86400)"},
                         {"RateLimit", R"("burst";r=50;t=30)"}}},
            {.quotas = {{.name = "burst",
                         .limit = 100,
                         .remaining = 50,
                         .reset_after = seconds(30),
                         .window = seconds(60)},
                        {.name = "daily", .limit = 1000, .window = hours(24)}}}},
        Row{"R9_partition_key_unit_and_unknown_parameters",
            "ietf",
            {.headers = {{"RateLimit", R"("default";r=50;t=30;pk=:dHJpYWwxMjEzMjM=:;x="y")"},
                         {"RateLimit-Policy",
                          R"("default";q=65535;qu="content-bytes";w=10;pk=:sdfjLJUOUH==:)"}}},
            {.quotas = {{.name = "default", .remaining = 50, .reset_after = seconds(30)}}}},
        Row{"R9_two_field_lines",
            "ietf",
            {.headers = {{"RateLimit", R"("a";r=1)"}, {"ratelimit", R"("b";r=2;t=3)"}}},
            {.quotas = {{.name = "a", .remaining = 1},
                        {.name = "b", .remaining = 2, .reset_after = seconds(3)}}}},
        Row{"names_may_be_tokens",
            "ietf",
            {.headers = {{"RateLimit", "default;r=50;t=30"}}},
            {.quotas = {{.name = "default", .remaining = 50, .reset_after = seconds(30)}}}},
        Row{"R9_retry_after_wins_over_t",
            "ietf",
            {.status = 429,
             .headers = {{"RateLimit", R"("default";r=0;t=30)"}, {"Retry-After", "10"}}},
            {.retry_after = seconds(10),
             .throttled = true,
             .quotas = {{.name = "default", .remaining = 0, .reset_after = seconds(30)}}}},
        Row{"the_window_stands_for_t",
            "ietf",
            {.status = 429,
             .headers = {{"RateLimit", R"("default";r=0)"},
                         {"RateLimit-Policy", R"("default";q=10;w=60)"}}},
            {.retry_after = seconds(60),
             .throttled = true,
             .quotas = {{.name = "default",
                         .limit = 10,
                         .remaining = 0,
                         .reset_after = seconds(60),
                         .window = seconds(60)}}}},
        Row{"problem_type_of_a_503",
            "ietf",
            {.status = 503,
             .headers = {{"RateLimit", R"("daily";r=5;t=30, "burst";r=1;t=7)"}},
             .body = R"({"type":"https://iana.org/assignments/http-problem-types)"
                     R"(#temporary-reduced-capacity","violated-policies":["burst","other"]})"},
            {.retry_after = seconds(7),
             .throttled = true,
             .quotas = {{.name = "daily", .remaining = 5, .reset_after = seconds(30)},
                        {.name = "burst", .remaining = 0, .reset_after = seconds(7)}}}},
        Row{"a_503_with_retry_after_is_no_limit",
            "ietf",
            {.status = 503, .headers = {{"Retry-After", "120"}}},
            {.retry_after = minutes(2)}},
        Row{"a_202_says_when_to_poll",
            "ietf",
            {.status = 202, .headers = {{"Retry-After", "120"}}},
            {}}),
    [](const auto& test) { return RowName(test); });

INSTANTIATE_TEST_SUITE_P(
    Generic, RateLimitHintTest,
    ::testing::Values(
        Row{"RL12_epoch_seconds",
            "generic",
            {.headers = {{"X-RateLimit-Remaining", "5"}, {"X-RateLimit-Reset", "1700000060"}}},
            {.quotas = {{.remaining = 5, .reset_after = seconds(60)}}}},
        Row{"RL12_epoch_milliseconds",
            "generic",
            {.headers = {{"X-Rate-Limit-Remaining", "5"}, {"X-Rate-Limit-Reset", "1700000060500"}}},
            {.quotas = {{.remaining = 5, .reset_after = milliseconds(60'500)}}}},
        Row{"RL12_delay",
            "generic",
            {.headers = {{"RateLimit-Remaining", "5"}, {"RateLimit-Reset", "60"}}},
            {.quotas = {{.remaining = 5, .reset_after = seconds(60)}}}},
        Row{"timestamp",
            "generic",
            {.headers = {{"X-RateLimit-Reset", "2023-11-14T22:13:30Z"}}},
            {.quotas = {{.reset_after = seconds(10)}}}},
        Row{"go_duration",
            "generic",
            {.headers = {{"x-ratelimit-remaining-tokens", "5"},
                         {"x-ratelimit-reset-tokens", "1m30s"}}},
            {.quotas = {{.name = "tokens", .remaining = 5, .reset_after = seconds(90)}}}},
        Row{"http_date",
            "generic",
            {.headers = {{"X-RateLimit-Reset", "Tue, 14 Nov 2023 22:13:50 GMT"}}},
            {.quotas = {{.reset_after = seconds(30)}}}},
        Row{"ietf_fields",
            "generic",
            {.status = 429, .headers = {{"RateLimit", R"("default";r=0;t=30)"}}},
            {.retry_after = seconds(30),
             .throttled = true,
             .quotas = {{.name = "default", .remaining = 0, .reset_after = seconds(30)}}}},
        Row{"a_reset_without_what_is_left_counts_in_a_refusal",
            "generic",
            {.status = 429, .headers = {{"X-RateLimit-Reset", "30"}}},
            {.retry_after = seconds(30),
             .throttled = true,
             .quotas = {{.reset_after = seconds(30)}}}},
        Row{"RL1_429_without_a_hint", "generic", {.status = 429}, {.throttled = true}},
        Row{"RL1_429_with_retry_after_alone",
            "generic",
            {.status = 429, .headers = {{"Retry-After", "30"}}},
            {.retry_after = seconds(30), .throttled = true}},
        Row{"403_with_retry_after",
            "generic",
            {.status = 403, .headers = {{"Retry-After", "30"}}},
            {.retry_after = seconds(30), .throttled = true}},
        Row{"403", "generic", {.status = 403}, {}},
        Row{"RL3_200_without_a_hint",
            "generic",
            {.headers = {{"Date", "Tue, 14 Nov 2023 22:13:20 GMT"},
                         {"Content-Type", "text/plain"},
                         {"X-Request-Id", "1"}}},
            {}},
        Row{"404_merges_its_quota",
            "generic",
            {.status = 404, .headers = {{"X-RateLimit-Remaining", "7"}}},
            {.quotas = {{.remaining = 7}}}}),
    [](const auto& test) { return RowName(test); });

// ---- The same forms, malformed: ignored as if they were not there

INSTANTIATE_TEST_SUITE_P(
    Malformed, RateLimitHintTest,
    ::testing::Values(
        Row{"words_for_numbers",
            "github",
            {.headers = {{"X-RateLimit-Limit", "many"},
                         {"X-RateLimit-Remaining", "few"},
                         {"X-RateLimit-Reset", "soon"}}},
            {}},
        Row{"RL5_nan_and_infinity",
            "generic",
            {.status = 429,
             .headers = {{"Retry-After", "inf"},
                         {"X-RateLimit-Limit", "NaN"},
                         {"X-RateLimit-Remaining", "Infinity"},
                         {"X-RateLimit-Reset", "nan"}}},
            {.throttled = true}},
        Row{"RL5_signs_exponents_and_hexadecimal",
            "generic",
            {.status = 429,
             .headers = {{"Retry-After", "-5"},
                         {"X-RateLimit-Limit", "+5"},
                         {"X-RateLimit-Remaining", "1e3"},
                         {"X-RateLimit-Reset", "0x10"}}},
            {.throttled = true}},
        Row{"RL12_negative_remaining_is_zero",
            "generic",
            {.headers = {{"X-RateLimit-Limit", "10"},
                         {"X-RateLimit-Remaining", "-3"},
                         {"X-RateLimit-Reset", "5"}}},
            {.quotas = {{.limit = 10, .remaining = 0, .reset_after = seconds(5)}}}},
        Row{"negative_limit_is_none",
            "generic",
            {.headers = {{"X-RateLimit-Limit", "-1"}, {"X-RateLimit-Remaining", "3"}}},
            {.quotas = {{.remaining = 3}}}},
        Row{"negative_reset_is_none",
            "generic",
            {.headers = {{"X-RateLimit-Remaining", "3"}, {"X-RateLimit-Reset", "-5"}}},
            {.quotas = {{.remaining = 3}}}},
        Row{"RL12_reset_zero_is_a_value",
            "generic",
            {.headers = {{"X-RateLimit-Remaining", "0"}, {"X-RateLimit-Reset", "0"}}},
            {.quotas = {{.remaining = 0, .reset_after = seconds(0)}}}},
        Row{"RL12_remaining_zero_is_a_value",
            "generic",
            {.headers = {{"X-RateLimit-Remaining", "0"}}},
            {.quotas = {{.remaining = 0}}}},
        Row{"past_epoch_is_zero",
            "github",
            {.headers = {{"X-RateLimit-Remaining", "3"}, {"X-RateLimit-Reset", "1699999000"}}},
            {.quotas = {{.remaining = 3, .reset_after = seconds(0)}}}},
        Row{"past_timestamp_is_zero",
            "anthropic",
            {.headers = {{"anthropic-ratelimit-tokens-reset", "2001-01-01T00:00:00Z"}}},
            {.quotas = {{.name = "tokens", .reset_after = seconds(0)}}}},
        Row{"huge_counts_are_the_largest",
            "generic",
            {.headers = {{"X-RateLimit-Remaining", "99999999999999999999999"}}},
            {.quotas = {{.remaining = kQuotaCountMax}}}},
        Row{"huge_reset_is_the_cap",
            "generic",
            {.headers = {{"X-RateLimit-Reset", "99999999999999999999999"}}},
            {.quotas = {{.reset_after = kRetryAfterCap}}}},
        Row{"huge_go_duration_is_the_cap",
            "openai",
            {.headers = {{"x-ratelimit-reset-tokens", "99999999999999999999h"}}},
            {.quotas = {{.name = "tokens", .reset_after = kRetryAfterCap}}}},
        Row{"fractions_of_a_request_are_none",
            "generic",
            {.headers = {{"X-RateLimit-Remaining", "7.9"}}},
            {.quotas = {{.remaining = 7}}}},
        Row{"openai_numbers_without_unit",
            "openai",
            {.headers = {{"x-ratelimit-remaining-tokens", "5"},
                         {"x-ratelimit-reset-tokens", "60"}}},
            {.quotas = {{.name = "tokens", .remaining = 5}}}},
        Row{"anthropic_epoch",
            "anthropic",
            {.headers = {{"anthropic-ratelimit-tokens-remaining", "5"},
                         {"anthropic-ratelimit-tokens-reset", "1700000060"}}},
            {.quotas = {{.name = "tokens", .remaining = 5}}}},
        Row{"shopify_without_slash",
            "shopify",
            {.headers = {{"X-Shopify-Shop-Api-Call-Limit", "32"}}},
            {}},
        Row{"shopify_words",
            "shopify",
            {.headers = {{"X-Shopify-Shop-Api-Call-Limit", "a/b"}}},
            {}},
        Row{"shopify_negative",
            "shopify",
            {.headers = {{"X-Shopify-Shop-Api-Call-Limit", "-1/40"}}},
            {}},
        Row{"RL12_shopify_limit_zero",
            "shopify",
            {.headers = {{"X-Shopify-Shop-Api-Call-Limit", "0/0"}}},
            {}},
        Row{"salesforce_nonsense",
            "salesforce",
            {.headers = {{"Sforce-Limit-Info", "api-usage;;=1/2,api-usage=x/y,((("}}},
            {}},
        Row{"RL13_salesforce_per_app_alone",
            "salesforce",
            {.headers = {{"Sforce-Limit-Info", "per-app-api-usage=17/250(appName=b)"}}},
            {.quotas = {{.name = "per-app-api-usage",
                         .limit = 250,
                         .remaining = 233,
                         .window = hours(24)}}}},
        Row{"zendesk_nonsense",
            "zendesk",
            {.headers = {{"Zendesk-RateLimit-a", "total=x; remaining; =5; resets=-1"}}},
            {}},
        Row{"hubspot_window_of_nothing",
            "hubspot",
            {.headers = {{"X-HubSpot-RateLimit-Max", "100"},
                         {"X-HubSpot-RateLimit-Interval-Milliseconds", "0"}}},
            {.quotas = {{.name = "interval", .limit = 100}}}},
        Row{"R9_malformed_field_is_ignored",
            "ietf",
            {.headers = {{"RateLimit", R"("default";r=50;T=30)"}}},
            {}},
        Row{"R9_one_bad_line_spoils_the_field",
            "ietf",
            {.headers = {{"RateLimit", R"("a";r=1)"}, {"RateLimit", "\"b"}}},
            {}},
        Row{"R9_without_r",
            "ietf",
            {.headers = {{"RateLimit", R"("a";t=5, "b";r=2, 5;r=1, ("c");r=1, "d";r=1.5)"}}},
            {.quotas = {{.name = "b", .remaining = 2}}}},
        Row{"R9_negative_values",
            "ietf",
            {.headers = {{"RateLimit", R"("a";r=-2;t=5, "b";r=2;t=-5)"}}},
            {.quotas = {{.name = "a", .remaining = 0, .reset_after = seconds(5)},
                        {.name = "b", .remaining = 2}}}},
        Row{"R9_window_zero_is_invalid",
            "ietf",
            {.headers =
                 {{"RateLimit-Policy",
                   R"("a";q=1;w=0, "b";q=2;w=-1, "c";q=3;w=1.5, "d";q=-4, "e";w=5, "f";q=6)"}}},
            {.quotas = {{.name = "f", .limit = 6}}}},
        Row{"draft_07_negative_limit",
            "ietf",
            {.headers = {{"RateLimit", "limit=-1, remaining=-1, reset=-1"}}},
            {.quotas = {{.remaining = 0}}}},
        Row{"should_retry_maybe",
            "stripe",
            {.status = 429, .headers = {{"Stripe-Should-Retry", "maybe"}}},
            {.throttled = true}},
        Row{"body_is_html",
            "google",
            {.status = 429, .body = "<html>retryDelay: 31s</html>"},
            {.throttled = true}},
        Row{"body_is_cut",
            "google",
            {.status = 429, .body = R"({"error":{"details":[{"retryDelay":"31s"}])"},
            {.throttled = true}},
        Row{"body_of_other_types",
            "google",
            {.status = 429, .body = R"({"error":{"details":{"retryDelay":"31s"},"status":[]}})"},
            {.throttled = true}},
        Row{"google_negative_delay",
            "google",
            {.status = 429, .body = R"({"error":{"details":[{"retryDelay":"-31s"}]}})"},
            {.throttled = true}},
        Row{"discord_negative_delay",
            "discord",
            {.status = 429, .body = R"({"retry_after":-1,"global":"no"})"},
            {.throttled = true}},
        Row{"discord_huge_delay",
            "discord",
            {.status = 429, .body = R"({"retry_after":1e300})"},
            {.retry_after = kRetryAfterCap, .throttled = true}},
        Row{"discord_tiny_delay_is_rounded_up",
            "discord",
            {.status = 429, .body = R"({"retry_after":1e-12})"},
            {.retry_after = nanoseconds(1), .throttled = true}},
        Row{"gmail_message_without_a_time",
            "google",
            {.status = 429, .body = R"({"error":{"message":"Retry after lunch"}})"},
            {.throttled = true}},
        Row{"shopify_cost_of_other_types",
            "shopify-graphql",
            {.body = R"({"extensions":{"cost":{"throttleStatus":{"currentlyAvailable":"118"}}}})"},
            {}},
        Row{"shopify_cost_without_a_rate",
            "shopify-graphql",
            {.body = R"({"extensions":{"cost":{"requestedQueryCost":9,"throttleStatus":)"
                     R"({"currentlyAvailable":-5,"restoreRate":0}}}})"},
            {.quotas = {{.name = "cost", .remaining = 0, .reset_after = seconds(1)}}}}),
    [](const auto& test) { return RowName(test); });

// ---- Names, repeats, clocks

INSTANTIATE_TEST_SUITE_P(
    Fields, RateLimitHintTest,
    ::testing::Values(
        Row{"RL4_lower_case",
            "okta",
            {.headers = {{"x-rate-limit-remaining", "3"}}},
            {.quotas = {{.remaining = 3}}}},
        Row{"RL4_upper_case",
            "okta",
            {.headers = {{"X-RATE-LIMIT-REMAINING", "3"}}},
            {.quotas = {{.remaining = 3}}}},
        Row{"of_repeated_fields_the_careful_one_counts",
            "generic",
            {.status = 429,
             .headers = {{"X-RateLimit-Limit", "20"},
                         {"X-RateLimit-Limit", "10"},
                         {"X-RateLimit-Remaining", "5"},
                         {"X-RateLimit-Remaining", "0"},
                         {"X-RateLimit-Reset", "7"},
                         {"X-RateLimit-Reset", "9"},
                         {"X-RateLimit-Reset", "x"}}},
            {.retry_after = seconds(9),
             .throttled = true,
             .quotas = {{.limit = 10, .remaining = 0, .reset_after = seconds(9)}}}},
        Row{"R8_of_repeated_retry_after_the_longer_counts",
            "generic",
            {.status = 429, .headers = {{"Retry-After", "5"}, {"Retry-After", "9"}}},
            {.retry_after = seconds(9), .throttled = true}},
        Row{"should_retry_false_wins",
            "stripe",
            {.headers = {{"Stripe-Should-Retry", "true"},
                         {"Stripe-Should-Retry", "false"},
                         {"Stripe-Should-Retry", "true"}}},
            {.should_retry = false}},
        Row{"families_of_one_name_are_merged",
            "generic",
            {.headers = {{"X-RateLimit-Remaining", "5"},
                         {"X-RateLimit-Reset", "1700000060"},
                         {"RateLimit-Remaining", "4"},
                         {"RateLimit-Limit", "10"}}},
            {.quotas = {{.limit = 10, .remaining = 4, .reset_after = seconds(60)}}}},
        Row{"RL8_epoch_is_relative_to_the_own_date",
            "github",
            {.headers = {{"Date", "Tue, 14 Nov 2023 23:13:20 GMT"},
                         {"X-RateLimit-Remaining", "3"},
                         {"X-RateLimit-Reset", "1700003660"}}},
            {.quotas = {{.remaining = 3, .reset_after = seconds(60)}}}},
        Row{"RL8_timestamp_is_relative_to_the_own_date",
            "anthropic",
            {.headers = {{"Date", "Tue, 14 Nov 2023 21:13:20 GMT"},
                         {"anthropic-ratelimit-tokens-reset", "2023-11-14T21:13:30Z"}}},
            {.quotas = {{.name = "tokens", .reset_after = seconds(10)}}}},
        Row{"RL5_retry_after_date_is_relative_to_the_own_date",
            "generic",
            {.status = 429,
             .headers = {{"Date", "Fri, 31 Dec 1999 23:59:29 GMT"},
                         {"Retry-After", "Fri, 31 Dec 1999 23:59:59 GMT"}}},
            {.retry_after = seconds(30), .throttled = true}},
        Row{"a_broken_date_is_ignored",
            "github",
            {.headers = {{"Date", "yesterday"},
                         {"X-RateLimit-Remaining", "3"},
                         {"X-RateLimit-Reset", "1700000060"}}},
            {.quotas = {{.remaining = 3, .reset_after = seconds(60)}}}},
        Row{"a_delay_does_not_depend_on_the_date",
            "zendesk",
            {.headers = {{"Date", "Fri, 31 Dec 1999 23:59:29 GMT"}, {"ratelimit-reset", "41"}}},
            {.quotas = {{.reset_after = seconds(41)}}}},
        Row{"names_and_scopes_are_printable",
            "github",
            {.headers = {{"X-RateLimit-Remaining", "3"}, {"X-RateLimit-Resource", "a\x01\xC3z"}}},
            {.scope = "a??z", .quotas = {{.name = "a??z", .remaining = 3}}}}),
    [](const auto& test) { return RowName(test); });

TEST(RateLimitHintClockTest, ATimeWithinTheCurrentSecondIsNeverEarly) {
  const http::Response response{
      .headers = {{"X-RateLimit-Remaining", "3"}, {"X-RateLimit-Reset", "1700000001"}}};
  const RateLimitHint hint = Parse("github", response, kNow + nanoseconds(400'000'001));
  ASSERT_EQ(hint.quotas.size(), 1U);
  EXPECT_EQ(hint.quotas[0].reset_after, nanoseconds(599'999'999));
}

TEST(RateLimitHintClockTest, AClockOfTheFarPastOrFutureDoesNotOverflow) {
  http::Response response{.status = 429,
                          .headers = {{"X-RateLimit-Remaining", "0"},
                                      {"X-RateLimit-Reset", "2199-01-01T00:00:00Z"},
                                      {"Retry-After", "Fri, 31 Dec 2199 23:59:59 GMT"}}};
  EXPECT_EQ(Parse("generic", response, SystemTime::min()).retry_after, kRetryAfterCap);
  EXPECT_EQ(Parse("generic", response, SystemTime::max()).retry_after, Duration::zero());
}

TEST(RateLimitHintClockTest, SimulatedClocksBefore2001ReadEpochsToo) {
  constexpr auto kThen = SystemTime(seconds(784'111'777));
  const http::Response response{.headers = {{"X-RateLimit-Reset", "784111807"}}};
  for (const std::string_view vendor : {"github", "generic"}) {
    const RateLimitHint hint = Parse(vendor, response, kThen);
    ASSERT_EQ(hint.quotas.size(), 1U) << vendor;
    EXPECT_EQ(hint.quotas[0].reset_after, seconds(30)) << vendor;
  }
}

// ---- Bounds

TEST(RateLimitHintBoundsTest, SixteenQuotasAreReportedAtMostAndUsedUpOnesComeFirst) {
  std::string field = R"("q0";r=5;t=1)";
  for (int i = 1; i < 40; ++i)
    field += ", \"q" + std::to_string(i) + "\";r=" + (i == 39 ? "0;t=99" : "5;t=1");
  http::Response response{.status = 429};
  ASSERT_TRUE(response.headers.Add("RateLimit", field));
  const RateLimitHint hint = Parse("ietf", response);
  EXPECT_EQ(hint.quotas.size(), kQuotaReportsMax);
  EXPECT_EQ(hint.retry_after, seconds(99));
}

TEST(RateLimitHintBoundsTest, LongNamesAreCutAndMerged) {
  const std::string name(kQuotaNameMax, 'n');
  http::Response response;
  ASSERT_TRUE(response.headers.Add("RateLimit", "\"" + name + "a\";r=5, \"" + name + "b\";r=3"));
  const RateLimitHint hint = Parse("ietf", response);
  EXPECT_EQ(hint.quotas, (std::vector<QuotaReport>{{.name = name, .remaining = 3}}));
}

http::Response GoogleAnswer(std::size_t bytes) {
  http::Response response{.status = 429, .body = R"({"error":{"details":[{"retryDelay":"31s"}]}})"};
  response.body.append(bytes - response.body.size(), ' ');
  return response;
}

TEST(RateLimitHintBoundsTest, BodiesOf64KibibytesAreReadAndLargerOnesAreNot) {
  EXPECT_EQ(Parse("google", GoogleAnswer(kHintBodyBytesMax)).retry_after, seconds(31));
  EXPECT_EQ(Parse("google", GoogleAnswer(kHintBodyBytesMax + 1)).retry_after, std::nullopt);
}

http::Response DeepAnswer(int lists) {
  const auto depth = static_cast<std::size_t>(lists);
  return {.status = 429,
          .body = R"({"error":{"details":[{"retryDelay":"31s"}]},"x":)" + std::string(depth, '[') +
                  R"("[[[[\"[")" + std::string(depth, ']') + "}"};
}

TEST(RateLimitHintBoundsTest, BodiesOf32LevelsAreReadAndDeeperOnesAreNot) {
  EXPECT_EQ(Parse("google", DeepAnswer(kHintBodyDepthMax - 1)).retry_after, seconds(31));
  EXPECT_EQ(Parse("google", DeepAnswer(kHintBodyDepthMax)).retry_after, std::nullopt);
  EXPECT_EQ(Parse("google", DeepAnswer(30'000)).retry_after, std::nullopt);
}

TEST(RateLimitHintBoundsTest, BodiesOfSuccessesAreReadOnlyWithAMarker) {
  const http::Response marked{.body = R"({"ok":false,"error":"ratelimited"})"};
  RateLimitDialect dialect = Dialect("slack");
  EXPECT_TRUE(ParseRateLimitHint(marked, kNow, dialect).throttled);
  dialect.success_markers = {"other"};
  EXPECT_FALSE(ParseRateLimitHint(marked, kNow, dialect).throttled);
}

TEST(RateLimitHintBoundsTest, BodiesOfRedirectsAreNotRead) {
  const http::Response redirect{.status = 302, .body = R"({"ok":false,"error":"ratelimited"})"};
  EXPECT_EQ(Parse("slack", redirect), RateLimitHint{});
}

// ---- A dialect of one's own

TEST(OwnRateLimitDialectTest, OnlyWhatItNamesIsLookedAt) {
  RateLimitDialect dialect;
  dialect.quotas = {{.limit = "X-Quota",
                     .remaining = "X-Quota-Left",
                     .reset = "X-Quota-Reset",
                     .reset_form = ResetForm::kDeltaSeconds}};
  const http::Response response{.status = 429,
                                .headers = {{"X-Quota", "10"},
                                            {"x-quota-left", "0"},
                                            {"X-Quota-Reset", "1.25"},
                                            {"X-RateLimit-Reset", "99"}}};
  const RateLimitHint expected{
      .retry_after = milliseconds(1250),
      .throttled = true,
      .quotas = {{.limit = 10, .remaining = 0, .reset_after = milliseconds(1250)}}};
  EXPECT_EQ(ParseRateLimitHint(response, kNow, dialect), expected);
}

TEST(OwnRateLimitDialectTest, AnEmptyOneStillKnowsStatusAndRetryAfter) {
  const http::Response response{.status = 429, .headers = {{"Retry-After", "3"}}};
  const RateLimitHint expected{.retry_after = seconds(3), .throttled = true};
  EXPECT_EQ(ParseRateLimitHint(response, kNow, RateLimitDialect{}), expected);
}

TEST(OwnRateLimitDialectTest, StatusesCanBeSet) {
  RateLimitDialect dialect;
  dialect.throttling_statuses = {420};
  dialect.ambiguous_statuses = {400};
  EXPECT_TRUE(ParseRateLimitHint({.status = 420}, kNow, dialect).throttled);
  EXPECT_FALSE(ParseRateLimitHint({.status = 429}, kNow, dialect).throttled);
  EXPECT_FALSE(ParseRateLimitHint({.status = 400}, kNow, dialect).throttled);
  const http::Response hinted{.status = 400, .headers = {{"Retry-After", "3"}}};
  EXPECT_TRUE(ParseRateLimitHint(hinted, kNow, dialect).throttled);
}

TEST(OwnRateLimitDialectTest, OneThatFindProblemsRefusesDoesNoHarm) {
  RateLimitDialect dialect;
  dialect.quotas = {{}};
  dialect.usages = {{}};
  dialect.parameters = {{}};
  dialect.body_rules = {{}, {.path = "x"}, {.path = "/", .effect = BodyRule::Effect::kRetryAt}};
  dialect.cost = CostBody{};
  dialect.success_markers = {""};
  ASSERT_FALSE(FindProblems(dialect).empty());
  const http::Response response{.headers = {{"X-A", "1"}}, .body = R"({"x":1,"":2})"};
  EXPECT_EQ(ParseRateLimitHint(response, kNow, dialect).quotas.size(), 0U);
}

}  // namespace
}  // namespace understudy
