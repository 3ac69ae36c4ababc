#include "middleware/resilience/rate_limit_dialect.h"

#include <algorithm>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "middleware/http/retry_after.h"

namespace understudy {
namespace {

using std::chrono::nanoseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::string RowName(const auto& test) { return std::string(test.param.name); }

// ---- The table

TEST(RateLimitDialectTest, EachVendorOfTheReferenceHasOne) {
  const auto vendors = RateLimitDialect::Vendors();
  const std::set<std::string_view> expected = {
      "github",  "x",          "okta",   "shopify",   "shopify-graphql",
      "stripe",  "salesforce", "google", "slack",     "discord",
      "hubspot", "atlassian",  "openai", "anthropic", "zendesk",
      "linear",  "intuit",     "xero",   "ietf"};
  EXPECT_EQ(std::set<std::string_view>(vendors.begin(), vendors.end()), expected);
  EXPECT_TRUE(std::is_sorted(vendors.begin(), vendors.end()));
}

TEST(RateLimitDialectTest, NoneOfThemHasProblems) {
  for (const std::string_view vendor : RateLimitDialect::Vendors()) {
    const auto dialect = RateLimitDialect::ForVendor(vendor);
    ASSERT_TRUE(dialect) << vendor;
    EXPECT_EQ(dialect->name, vendor);
    EXPECT_THAT(FindProblems(*dialect), IsEmpty()) << vendor;
  }
  EXPECT_THAT(FindProblems(RateLimitDialect::Generic()), IsEmpty());
  EXPECT_THAT(FindProblems(RateLimitDialect{}), IsEmpty());
}

TEST(RateLimitDialectTest, AnUnknownVendorHasNone) {
  EXPECT_FALSE(RateLimitDialect::ForVendor("acme"));
  EXPECT_FALSE(RateLimitDialect::ForVendor(""));
  EXPECT_FALSE(RateLimitDialect::ForVendor("GitHub"));
}

// ---- Problems

struct ProblemRow {
  std::string_view name;
  RateLimitDialect dialect;
  std::string_view problem;
};

class RateLimitDialectProblemTest : public ::testing::TestWithParam<ProblemRow> {};

TEST_P(RateLimitDialectProblemTest, IsNamed) {
  EXPECT_THAT(FindProblems(GetParam().dialect),
              ElementsAre(HasSubstr(std::string(GetParam().problem))));
}

INSTANTIATE_TEST_SUITE_P(
    Table, RateLimitDialectProblemTest,
    ::testing::Values(
        ProblemRow{"header_name", {.quotas = {{.limit = "X Limit"}}}, "dialect.quotas 'X Limit'"},
        ProblemRow{"empty_quota", {.quotas = {{.name = "core"}}}, "would say nothing"},
        ProblemRow{"used_without_limit",
                   {.quotas = {{.used = "X-Used", .reset = "X-Reset"}}},
                   "used but no limit"},
        ProblemRow{"negative_window",
                   {.quotas = {{.limit = "X-L", .window = seconds(-1)}}},
                   "dialect.quotas.window"},
        ProblemRow{"endless_wait",
                   {.quotas = {{.limit = "X-L", .default_wait = kRetryAfterCap + seconds(1)}}},
                   "dialect.quotas.default_wait"},
        ProblemRow{"too_many_quotas",
                   {.quotas = std::vector<QuotaHeaders>(65, QuotaHeaders{.limit = "X-L"})},
                   "at most 64"},
        ProblemRow{"usage_without_header", {.usages = {{.name = "a"}}}, "dialect.usages"},
        ProblemRow{"negative_leak",
                   {.usages = {{.header = "X-U", .leak_time = seconds(-1)}}},
                   "dialect.usages.leak_time"},
        ProblemRow{"prefix_missing", {.parameters = {{}}}, "dialect.parameters"},
        ProblemRow{"should_retry", {.should_retry_headers = {"a:b"}}, "should_retry_headers"},
        ProblemRow{"scope", {.scope_header = "a b"}, "dialect.scope_header"},
        ProblemRow{"global", {.global_when = {{"", "true"}}}, "dialect.global_when"},
        ProblemRow{"reason", {.reason_header = "a\nb"}, "dialect.reason_header"},
        ProblemRow{"reason_wait", {.reason_waits = {{"a", seconds(-1)}}}, "dialect.reason_waits"},
        ProblemRow{"throttling_success", {.throttling_statuses = {200}}, "has 200"},
        ProblemRow{"ambiguous_status", {.ambiguous_statuses = {600}}, "has 600"},
        ProblemRow{"path", {.body_rules = {{.path = "error"}}}, "dialect.body_rules 'error'"},
        ProblemRow{"long_path", {.body_rules = {{.path = std::string(257, '/')}}}, "at most 256"},
        ProblemRow{"retry_at",
                   {.body_rules = {{.path = "/a", .effect = BodyRule::Effect::kRetryAt}}},
                   "kRetryAt"},
        ProblemRow{"empty_marker", {.success_markers = {""}}, "each 2xx would be parsed"},
        ProblemRow{"cost",
                   {.cost = CostBody{.maximum = "/a", .available = "/b"}},
                   "dialect.cost.restored_per_second"},
        ProblemRow{"default_wait", {.default_wait = nanoseconds(-1)}, "dialect.default_wait"}),
    [](const auto& test) { return RowName(test); });

TEST(RateLimitDialectProblemsTest, AllAreNamedAtOnce) {
  const RateLimitDialect dialect{.scope_header = " ", .default_wait = seconds(-1)};
  EXPECT_EQ(FindProblems(dialect).size(), 2U);
}

}  // namespace
}  // namespace understudy
