#include "middleware/resilience/rate_limit_dialect.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <initializer_list>

#include "middleware/base/text.h"
#include "middleware/http/headers.h"
#include "middleware/http/retry_after.h"

namespace understudy {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using Effect = BodyRule::Effect;

// PREFIX-limit, PREFIX-remaining, PREFIX-reset.
QuotaHeaders Family(std::string_view name, const std::string& prefix, ResetForm form) {
  return {.name = std::string(name),
          .limit = prefix + "-limit",
          .remaining = prefix + "-remaining",
          .reset = prefix + "-reset",
          .reset_form = form};
}

// x-ratelimit-limit-NAME and so on.
QuotaHeaders NamedLast(const std::string& name, ResetForm form) {
  return {.name = name,
          .limit = "x-ratelimit-limit-" + name,
          .remaining = "x-ratelimit-remaining-" + name,
          .reset = "x-ratelimit-reset-" + name,
          .reset_form = form};
}

BodyRule Says(std::string_view path, std::string_view text, Effect effect = Effect::kThrottled) {
  return {.path = std::string(path), .effect = effect, .text = std::string(text)};
}

BodyRule Mentions(std::string_view path, std::string_view text) {
  return {.path = std::string(path), .text = std::string(text), .contains = true};
}

// Draft 10, section "Problem Types"; a type is a URI with the name as its fragment.
std::vector<BodyRule> IetfProblems() {
  return {Mentions("/type", "#quota-exceeded"), Mentions("/type", "#temporary-reduced-capacity"),
          Mentions("/type", "#abnormal-usage-detected"),
          Says("/violated-policies/*", "", Effect::kUsedUp)};
}

RateLimitDialect Anthropic() {
  RateLimitDialect dialect;
  // 529 is their overload, not our limit, so it is not among the throttling statuses.
  for (const std::string_view kind : {"requests", "tokens", "input-tokens", "output-tokens"}) {
    dialect.quotas.push_back(
        Family(kind, "anthropic-ratelimit-" + std::string(kind), ResetForm::kTimestamp));
  }
  return dialect;
}

RateLimitDialect Atlassian() {
  RateLimitDialect dialect;
  // By shape: other servers send an epoch under this name.
  dialect.quotas = {Family("", "x-ratelimit", ResetForm::kAuto)};
  dialect.scope_header = "ratelimit-reason";
  return dialect;
}

RateLimitDialect Discord() {
  RateLimitDialect dialect;
  QuotaHeaders bucket = Family("", "x-ratelimit", ResetForm::kEpochSeconds);
  bucket.reset_after = "x-ratelimit-reset-after";
  dialect.quotas = {bucket};
  dialect.fractional_retry_after = true;
  dialect.scope_header = "x-ratelimit-bucket";
  dialect.global_when = {{"x-ratelimit-global", "true"}, {"x-ratelimit-scope", "global"}};
  dialect.body_rules = {Says("/retry_after", "", Effect::kRetryAfter),
                        Says("/global", "true", Effect::kGlobal)};
  return dialect;
}

RateLimitDialect GitHub() {
  RateLimitDialect dialect;
  QuotaHeaders resource = Family("", "x-ratelimit", ResetForm::kEpochSeconds);
  resource.name_header = "x-ratelimit-resource";
  resource.used = "x-ratelimit-used";
  dialect.quotas = {resource};
  dialect.scope_header = "x-ratelimit-resource";
  dialect.default_wait = minutes(1);
  dialect.body_rules = {Says("/errors/*/type", "RATE_LIMITED"),
                        Mentions("/message", "secondary rate limit"),
                        Mentions("/message", "abuse detection")};
  dialect.success_markers = {"RATE_LIMITED"};
  return dialect;
}

RateLimitDialect Google() {
  RateLimitDialect dialect;
  dialect.body_rules = {{.path = "/error/details/*/retryDelay",
                         .effect = Effect::kRetryAfter,
                         .form = ResetForm::kGoDuration},
                        Says("/error/message", "Retry after ", Effect::kRetryAt),
                        Says("/error/status", "RESOURCE_EXHAUSTED"),
                        Says("/error/errors/*/reason", "rateLimitExceeded"),
                        Says("/error/errors/*/reason", "userRateLimitExceeded")};
  return dialect;
}

RateLimitDialect HubSpot() {
  const std::string prefix = "x-hubspot-ratelimit-";
  RateLimitDialect dialect;
  dialect.quotas = {{.name = "interval",
                     .limit = prefix + "max",
                     .remaining = prefix + "remaining",
                     .window_ms = prefix + "interval-milliseconds"},
                    {.name = "secondly",
                     .limit = prefix + "secondly",
                     .remaining = prefix + "secondly-remaining",
                     .window = seconds(1),
                     .default_wait = seconds(1)},
                    {.name = "daily",
                     .limit = prefix + "daily",
                     .remaining = prefix + "daily-remaining",
                     .window = hours(24),
                     // Chosen: the day ends at midnight of a time zone that is not told.
                     .default_wait = minutes(10)}};
  dialect.body_rules = {Says("/policyName", "", Effect::kReason)};
  dialect.reason_waits = {{"SECONDLY", seconds(1)},
                          {"TEN_SECONDLY_ROLLING", seconds(10)},
                          {"DAILY", minutes(10)}};  // Chosen, as above.
  dialect.default_wait = seconds(10);               // The rolling window.
  return dialect;
}

RateLimitDialect Ietf() {
  RateLimitDialect dialect;
  dialect.ietf_fields = true;
  dialect.quotas = {Family("", "ratelimit", ResetForm::kDeltaSeconds)};
  dialect.body_rules = IetfProblems();
  return dialect;
}

RateLimitDialect Intuit() {
  RateLimitDialect dialect;
  dialect.default_wait = minutes(1);
  for (const std::string_view fault : {"/Fault/Error/*/", "/fault/error/*/"}) {
    const std::string path(fault);
    dialect.body_rules.push_back(Says(path + "code", "003001"));
    dialect.body_rules.push_back(Says(path + "code", "3001"));
    dialect.body_rules.push_back(Mentions(path + "Message", "ThrottleExceeded"));
    dialect.body_rules.push_back(Mentions(path + "message", "ThrottleExceeded"));
  }
  // A Fault can arrive in a 200.
  dialect.success_markers = {"ThrottleExceeded", "003001"};
  return dialect;
}

RateLimitDialect Linear() {
  RateLimitDialect dialect;
  for (const std::string_view kind : {"requests", "complexity"}) {
    dialect.quotas.push_back(
        Family(kind, "x-ratelimit-" + std::string(kind), ResetForm::kEpochMilliseconds));
  }
  dialect.body_rules = {Says("/errors/*/extensions/code", "RATELIMITED")};
  dialect.success_markers = {"RATELIMITED"};
  return dialect;
}

RateLimitDialect Okta() {
  RateLimitDialect dialect;
  QuotaHeaders endpoint = Family("", "x-rate-limit", ResetForm::kEpochSeconds);
  endpoint.zero_limit_name = "concurrency";
  dialect.quotas = {endpoint};
  return dialect;
}

RateLimitDialect OpenAi() {
  RateLimitDialect dialect;
  dialect.quotas = {NamedLast("requests", ResetForm::kGoDuration),
                    NamedLast("tokens", ResetForm::kGoDuration)};
  dialect.should_retry_headers = {"x-should-retry"};
  dialect.body_rules = {Says("/error/code", "insufficient_quota", Effect::kPermanent),
                        Says("/error/type", "insufficient_quota", Effect::kPermanent)};
  return dialect;
}

RateLimitDialect Salesforce() {
  RateLimitDialect dialect;
  for (const std::string_view key : {"api-usage", "per-app-api-usage"}) {
    dialect.usages.push_back({.name = std::string(key),
                              .header = "sforce-limit-info",
                              .key = std::string(key),
                              .window = hours(24)});
  }
  dialect.body_rules = {Says("/*/errorCode", "REQUEST_LIMIT_EXCEEDED")};
  return dialect;
}

RateLimitDialect Shopify() {
  RateLimitDialect dialect;
  // 40 units leak at 2/s; larger plans have a larger bucket that leaks faster.
  dialect.usages = {
      {.header = "x-shopify-shop-api-call-limit", .leak_time = seconds(20), .window = seconds(20)}};
  dialect.fractional_retry_after = true;
  dialect.default_wait = milliseconds(500);
  return dialect;
}

RateLimitDialect ShopifyGraphQl() {
  RateLimitDialect dialect;
  const std::string cost = "/extensions/cost/";
  dialect.cost = CostBody{.name = "cost",
                          .requested = cost + "requestedQueryCost",
                          .maximum = cost + "throttleStatus/maximumAvailable",
                          .available = cost + "throttleStatus/currentlyAvailable",
                          .restored_per_second = cost + "throttleStatus/restoreRate"};
  dialect.body_rules = {Says("/errors/*/extensions/code", "THROTTLED")};
  dialect.success_markers = {"throttleStatus", "THROTTLED"};
  dialect.fractional_retry_after = true;
  dialect.default_wait = seconds(1);  // Chosen, for an answer without its cost.
  return dialect;
}

RateLimitDialect Slack() {
  RateLimitDialect dialect;
  dialect.body_rules = {Says("/error", "ratelimited"), Says("/error", "rate_limited")};
  dialect.success_markers = {"ratelimited", "rate_limited"};
  return dialect;
}

RateLimitDialect Stripe() {
  const std::string reason = "stripe-rate-limited-reason";
  RateLimitDialect dialect;
  dialect.should_retry_headers = {"stripe-should-retry"};
  dialect.scope_header = reason;
  dialect.global_when = {{reason, "global-rate"}, {reason, "global-concurrency"}};
  dialect.body_rules = {Says("/error/code", "rate_limit"),
                        // Another request holds the object: no limit is reached.
                        Says("/error/code", "lock_timeout", Effect::kNotThrottled)};
  return dialect;
}

RateLimitDialect X() {
  RateLimitDialect dialect;
  QuotaHeaders endpoint = Family("", "x-rate-limit", ResetForm::kEpochSeconds);
  endpoint.window = minutes(15);
  dialect.quotas = {endpoint};
  dialect.body_rules = {Says("/errors/*/code", "88")};
  return dialect;
}

RateLimitDialect Xero() {
  RateLimitDialect dialect;
  dialect.quotas = {
      {.name = "minute", .remaining = "x-minlimit-remaining", .window = minutes(1)},
      {.name = "day", .remaining = "x-daylimit-remaining", .window = hours(24)},
      {.name = "app-minute", .remaining = "x-appminlimit-remaining", .window = minutes(1)}};
  dialect.reason_header = "x-rate-limit-problem";
  // Chosen, for a refusal without Retry-After.
  dialect.reason_waits = {{"concurrent", seconds(1)}, {"minute", minutes(1)}, {"day", minutes(10)}};
  return dialect;
}

RateLimitDialect Zendesk() {
  RateLimitDialect dialect;
  dialect.quotas = {Family("", "ratelimit", ResetForm::kDeltaSeconds),
                    {.limit = "x-rate-limit", .remaining = "x-rate-limit-remaining"}};
  dialect.parameters = {{.prefix = "zendesk-ratelimit-",
                         .limit_key = "total",
                         .remaining_key = "remaining",
                         .reset_key = "resets"}};
  return dialect;
}

struct Entry {
  std::string_view vendor;
  RateLimitDialect (*make)();
};
constexpr std::array<Entry, 19> kEntries = {{{"anthropic", Anthropic},
                                             {"atlassian", Atlassian},
                                             {"discord", Discord},
                                             {"github", GitHub},
                                             {"google", Google},
                                             {"hubspot", HubSpot},
                                             {"ietf", Ietf},
                                             {"intuit", Intuit},
                                             {"linear", Linear},
                                             {"okta", Okta},
                                             {"openai", OpenAi},
                                             {"salesforce", Salesforce},
                                             {"shopify", Shopify},
                                             {"shopify-graphql", ShopifyGraphQl},
                                             {"slack", Slack},
                                             {"stripe", Stripe},
                                             {"x", X},
                                             {"xero", Xero},
                                             {"zendesk", Zendesk}}};

constexpr std::array<std::string_view, kEntries.size()> MakeNames() {
  std::array<std::string_view, kEntries.size()> names;
  for (std::size_t i = 0; i < names.size(); ++i) names[i] = kEntries[i].vendor;
  return names;
}
constexpr std::array<std::string_view, kEntries.size()> kVendors = MakeNames();

// Collects problems of one dialect; each message names the member.
class Checker {
 public:
  explicit Checker(Problems& problems) : problems_(problems) {}

  void Header(std::string_view member, const std::string& name) {
    if (!http::Headers().Add(name, "1"))
      Add(member, "'" + name + "' is not a header name (letters, digits, - and a few signs)");
  }
  void OptionalHeader(std::string_view member, const std::string& name) {
    if (!name.empty()) Header(member, name);
  }
  void Time(std::string_view member, Duration time) {
    if (time < Duration::zero() || time > kRetryAfterCap) {
      Add(member,
          "is " + FormatDuration(time) + "; it must be 0s to " + FormatDuration(kRetryAfterCap));
    }
  }
  void OptionalTime(std::string_view member, std::optional<Duration> time) {
    if (time) Time(member, *time);
  }
  void Path(std::string_view member, const std::string& path) {
    constexpr std::size_t kPathMax = 256;
    if (!path.starts_with('/') || path.size() > kPathMax) {
      Add(member, "'" + path.substr(0, kPathMax) +
                      "' must be member names behind slashes, at most 256 bytes: /error/code");
    }
  }
  void Count(std::string_view member, std::size_t count) {
    constexpr std::size_t kMax = 64;
    if (count > kMax)
      Add(member, "has " + std::to_string(count) + " entries; at most 64 are allowed");
  }
  void Statuses(std::string_view member, const std::vector<int>& statuses) {
    Count(member, statuses.size());
    for (const int status : statuses) {
      if (status < 400 || status > 599)
        Add(member, "has " + std::to_string(status) + "; it must be 400 to 599");
    }
  }
  void Add(std::string_view member, const std::string& what) {
    problems_.push_back("dialect." + std::string(member) + " " + what);
  }

 private:
  Problems& problems_;
};

void CheckQuotas(Checker& check, const RateLimitDialect& dialect) {
  check.Count("quotas", dialect.quotas.size());
  for (const QuotaHeaders& quota : dialect.quotas) {
    for (const std::string* name : {&quota.name_header, &quota.limit, &quota.remaining, &quota.used,
                                    &quota.reset, &quota.reset_after, &quota.window_ms}) {
      check.OptionalHeader("quotas", *name);
    }
    if (quota.limit.empty() && quota.remaining.empty() && quota.reset.empty() &&
        quota.reset_after.empty()) {
      check.Add("quotas", "has one with no limit, remaining or reset; it would say nothing");
    }
    if (!quota.used.empty() && quota.limit.empty())
      check.Add("quotas", "has one with used but no limit; what is left cannot be told");
    check.Time("quotas.window", quota.window);
    check.OptionalTime("quotas.default_wait", quota.default_wait);
  }
}

void CheckOtherHeaders(Checker& check, const RateLimitDialect& dialect) {
  check.Count("usages", dialect.usages.size());
  for (const UsageHeader& usage : dialect.usages) {
    check.Header("usages", usage.header);
    check.Time("usages.leak_time", usage.leak_time);
    check.Time("usages.window", usage.window);
  }
  check.Count("parameters", dialect.parameters.size());
  for (const ParameterHeaders& family : dialect.parameters)
    check.Header("parameters", family.prefix);
  check.Count("should_retry_headers", dialect.should_retry_headers.size());
  for (const std::string& name : dialect.should_retry_headers)
    check.Header("should_retry_headers", name);
  check.Count("global_when", dialect.global_when.size());
  for (const HeaderValue& field : dialect.global_when) check.Header("global_when", field.header);
  check.OptionalHeader("scope_header", dialect.scope_header);
  check.OptionalHeader("reason_header", dialect.reason_header);
}

void CheckBody(Checker& check, const RateLimitDialect& dialect) {
  check.Count("body_rules", dialect.body_rules.size());
  for (const BodyRule& rule : dialect.body_rules) {
    check.Path("body_rules", rule.path);
    if (rule.effect == Effect::kRetryAt && rule.text.empty())
      check.Add("body_rules", "has a kRetryAt without the text that precedes the time");
  }
  check.Count("success_markers", dialect.success_markers.size());
  for (const std::string& marker : dialect.success_markers) {
    if (marker.empty())
      check.Add("success_markers", "has an empty one; the body of each 2xx would be parsed");
  }
  if (!dialect.cost) return;
  check.Path("cost.maximum", dialect.cost->maximum);
  check.Path("cost.available", dialect.cost->available);
  check.Path("cost.restored_per_second", dialect.cost->restored_per_second);
  if (!dialect.cost->requested.empty()) check.Path("cost.requested", dialect.cost->requested);
}

}  // namespace

std::optional<RateLimitDialect> RateLimitDialect::ForVendor(std::string_view vendor) {
  const auto* const entry = std::find_if(kEntries.begin(), kEntries.end(),
                                         [&](const Entry& row) { return row.vendor == vendor; });
  if (entry == kEntries.end()) return std::nullopt;
  RateLimitDialect dialect = entry->make();
  dialect.name = vendor;
  return dialect;
}

std::span<const std::string_view> RateLimitDialect::Vendors() { return kVendors; }

RateLimitDialect RateLimitDialect::Generic() {
  RateLimitDialect dialect;
  dialect.name = "generic";
  dialect.ietf_fields = true;
  QuotaHeaders common = Family("", "x-ratelimit", ResetForm::kAuto);
  common.used = "x-ratelimit-used";
  common.reset_after = "x-ratelimit-reset-after";
  dialect.quotas = {common, Family("", "x-rate-limit", ResetForm::kAuto),
                    Family("", "ratelimit", ResetForm::kAuto),
                    NamedLast("requests", ResetForm::kAuto), NamedLast("tokens", ResetForm::kAuto)};
  dialect.fractional_retry_after = true;
  dialect.should_retry_headers = {"x-should-retry"};
  dialect.body_rules = IetfProblems();
  return dialect;
}

Problems FindProblems(const RateLimitDialect& dialect) {
  Problems problems;
  Checker check(problems);
  CheckQuotas(check, dialect);
  CheckOtherHeaders(check, dialect);
  CheckBody(check, dialect);
  check.Statuses("throttling_statuses", dialect.throttling_statuses);
  check.Statuses("ambiguous_statuses", dialect.ambiguous_statuses);
  check.Count("reason_waits", dialect.reason_waits.size());
  for (const ReasonWait& entry : dialect.reason_waits) check.Time("reason_waits", entry.wait);
  check.OptionalTime("default_wait", dialect.default_wait);
  return problems;
}

}  // namespace understudy
