#include "middleware/client/provider_profile.h"

#include <algorithm>
#include <array>

#include "middleware/base/text.h"
#include "middleware/client/header_rules.h"
#include "middleware/http/headers.h"
#include "middleware/http/url.h"

namespace understudy {
namespace {

using std::chrono::minutes;

// What nearly all have in common.
ProviderProfile JsonAt(std::string_view base_url) {
  ProviderProfile profile;
  profile.base_url = base_url;
  profile.headers = {{"Accept", "application/json"}};
  return profile;
}

ProviderProfile Anthropic() {
  ProviderProfile profile = JsonAt("https://api.anthropic.com");
  profile.headers.emplace_back("anthropic-version", "2023-06-01");
  profile.extra_retryable_statuses = {529};
  profile.attempt_timeout = minutes(10);
  profile.total_deadline = minutes(20);
  profile.notes = {
      "529 overloaded_error is the vendor's load, not your limit (reference vendors 2.1)",
      "an answer without streaming can take minutes; the vendor's libraries wait 10 (README of "
      "anthropic-sdk-python, Timeouts)",
      "anthropic-version is required (Anthropic API reference, Versioning)"};
  return profile;
}

ProviderProfile Atlassian() {
  ProviderProfile profile = JsonAt("");
  profile.notes = {"base URL: https://SITE.atlassian.net",
                   "RateLimit-Reason names the limit that was hit (reference vendors 2.1)"};
  return profile;
}

ProviderProfile Discord() {
  ProviderProfile profile = JsonAt("https://discord.com");
  profile.required_headers = {"User-Agent"};
  profile.notes = {
      "User-Agent must be \"DiscordBot (URL, VERSION)\" (Discord API reference, User Agent)",
      "10,000 answers of 401, 403 or 429 within 10 minutes end in a ban (reference vendors 2.1)"};
  return profile;
}

ProviderProfile GitHub() {
  ProviderProfile profile;
  profile.base_url = "https://api.github.com";
  profile.headers = {{"Accept", "application/vnd.github+json"},
                     {"X-GitHub-Api-Version", "2022-11-28"}};
  profile.ambiguous_throttling_statuses = {403};
  profile.notes = {
      "both limits answer 403 or 429; a 403 can also be a missing permission (reference vendors "
      "2.1)",
      "a GraphQL limit is a 200 with errors[].type RATE_LIMITED (reference vendors 2.1)",
      "a User-Agent is required (GitHub REST documentation, Getting started)"};
  return profile;
}

ProviderProfile Google() {
  ProviderProfile profile = JsonAt("");
  profile.ambiguous_throttling_statuses = {403};
  profile.notes = {
      "base URL: one per service, e.g. https://www.googleapis.com",
      "older services throttle with 403 and errors[].reason rateLimitExceeded (reference vendors "
      "2.1)",
      "keys, where a service has them, are in the body (reference vendors 4.5)"};
  return profile;
}

ProviderProfile HubSpot() {
  ProviderProfile profile = JsonAt("https://api.hubapi.com");
  profile.extra_retryable_statuses = {477};
  profile.notes = {"477: the account is being moved, with Retry-After (reference vendors 2.1)"};
  return profile;
}

ProviderProfile Intuit() {
  ProviderProfile profile = JsonAt("https://quickbooks.api.intuit.com");
  profile.idempotency_query = "requestid";
  profile.notes = {
      "QuickBooks Online; sandbox: https://sandbox-quickbooks.api.intuit.com",
      "a 429 has no headers: wait 60 s (reference vendors 2.1)",
      "a Fault can arrive in a 200 (reference vendors 4.4); the header intuit_tid is for support"};
  return profile;
}

ProviderProfile Linear() {
  ProviderProfile profile = JsonAt("https://api.linear.app");
  profile.ambiguous_throttling_statuses = {400};
  profile.notes = {
      "GraphQL; a limit can be a 400 with the code RATELIMITED (reference vendors 2.1)"};
  return profile;
}

ProviderProfile Okta() {
  ProviderProfile profile = JsonAt("");
  profile.notes = {
      "base URL: https://ORGANISATION.okta.com",
      "a 429 with limit 0 is the limit of concurrent requests (reference vendors 2.1)"};
  return profile;
}

ProviderProfile OpenAi() {
  ProviderProfile profile = JsonAt("https://api.openai.com");
  profile.attempt_timeout = minutes(10);
  profile.total_deadline = minutes(20);
  profile.notes = {
      "a 429 with insufficient_quota is permanent (reference vendors 2.1)",
      "an answer without streaming can take minutes; the vendor's libraries wait 10 (README of "
      "openai-python, Timeouts)"};
  return profile;
}

ProviderProfile PayPal() {
  ProviderProfile profile = JsonAt("https://api-m.paypal.com");
  profile.idempotency_header = "PayPal-Request-Id";
  profile.notes = {
      "sandbox: https://api-m.sandbox.paypal.com",
      "not every API honours the key, so none is made up: give one where the API does (PayPal REST "
      "documentation, Idempotency; reference vendors 4.5)"};
  return profile;
}

ProviderProfile Salesforce() {
  ProviderProfile profile = JsonAt("");
  profile.ambiguous_throttling_statuses = {403};
  profile.notes = {
      "base URL: the instance_url of the token answer",
      "over the limit is a 403 with errorCode REQUEST_LIMIT_EXCEEDED (reference vendors 2.1)"};
  return profile;
}

ProviderProfile Shopify() {
  ProviderProfile profile = JsonAt("");
  profile.notes = {
      "base URL: https://SHOP.myshopify.com; the version is part of the path",
      "GraphQL throttles with a 200 and extensions.code THROTTLED (reference vendors 2.1)"};
  return profile;
}

ProviderProfile Slack() {
  ProviderProfile profile = JsonAt("https://slack.com/api/");
  profile.body_codec = BodyCodec::kForm;
  profile.notes = {
      "every method takes forms, only some JSON (Slack Web API documentation, POST bodies)",
      "refusals are a 200 with ok false (reference vendors 2.1, 4.4)"};
  return profile;
}

ProviderProfile Square() {
  ProviderProfile profile = JsonAt("https://connect.squareup.com");
  profile.idempotency_field = "idempotency_key";
  profile.notes = {"the key is a field of the body (reference vendors 4.5)"};
  return profile;
}

ProviderProfile Stripe() {
  ProviderProfile profile = JsonAt("https://api.stripe.com");
  profile.body_codec = BodyCodec::kForm;
  profile.idempotency_header = "Idempotency-Key";
  profile.generate_idempotency_keys = true;
  profile.notes = {
      "the API v1; v2 takes JSON and other rules for keys (reference vendors 4.5)",
      "keys of at most 255 characters on POST; 409 while the first is in flight, 400 for other "
      "parameters (reference vendors 4.5)",
      "Stripe-Should-Retry rules retries; there is no Retry-After (reference vendors 2.1)",
      "pin the version with the header Stripe-Version"};
  return profile;
}

ProviderProfile Twilio() {
  ProviderProfile profile = JsonAt("https://api.twilio.com");
  profile.body_codec = BodyCodec::kForm;
  profile.notes = {"a 429 has the code 20429 (reference vendors 4.4)"};
  return profile;
}

ProviderProfile X() {
  ProviderProfile profile = JsonAt("https://api.x.com");
  profile.notes = {"windows of 15 minutes; the code 88 is a limit (reference vendors 2.1)"};
  return profile;
}

ProviderProfile Xero() {
  ProviderProfile profile = JsonAt("https://api.xero.com");
  profile.idempotency_header = "Idempotency-Key";
  profile.notes = {
      "answers XML unless asked for JSON (Xero API documentation, Requests and responses)",
      "keys of at most 128 characters; not known to be honoured everywhere, so none is made up "
      "(xero-node, parameter idempotencyKey)",
      "each request needs the header xero-tenant-id of its organisation"};
  return profile;
}

ProviderProfile Zendesk() {
  ProviderProfile profile = JsonAt("");
  profile.idempotency_header = "Idempotency-Key";
  profile.notes = {
      "base URL: https://SUBDOMAIN.zendesk.com",
      "keys are honoured when tickets are created, so none is made up: give one there (Zendesk "
      "Ticketing API, Idempotency)"};
  return profile;
}

struct Entry {
  std::string_view name;
  ProviderProfile (*make)();
  // Its rate limits speak a language of their own (reference vendors 2.1).
  bool has_dialect;
};
constexpr std::array<Entry, 20> kEntries = {
    {{"anthropic", Anthropic, true}, {"atlassian", Atlassian, true},
     {"discord", Discord, true},     {"github", GitHub, true},
     {"google", Google, true},       {"hubspot", HubSpot, true},
     {"intuit", Intuit, true},       {"linear", Linear, true},
     {"okta", Okta, true},           {"openai", OpenAi, true},
     {"paypal", PayPal, false},      {"salesforce", Salesforce, true},
     {"shopify", Shopify, true},     {"slack", Slack, true},
     {"square", Square, false},      {"stripe", Stripe, true},
     {"twilio", Twilio, false},      {"x", X, true},
     {"xero", Xero, true},           {"zendesk", Zendesk, true}}};

constexpr std::array<std::string_view, kEntries.size()> MakeNames() {
  std::array<std::string_view, kEntries.size()> names;
  for (std::size_t i = 0; i < names.size(); ++i) names[i] = kEntries[i].name;
  return names;
}
constexpr std::array<std::string_view, kEntries.size()> kNames = MakeNames();

bool IsName(std::string_view name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
  });
}

void CheckBaseUrl(Problems& problems, const std::string& base_url) {
  if (base_url.empty()) return;
  const Result<http::Url> url = http::Url::Parse(base_url);
  if (!url) {
    problems.push_back("profile.base_url is unusable: " + url.error().message);
  } else if (url->scheme() != "https" && !url->IsLoopback()) {
    problems.push_back("profile.base_url must be https; credentials would go out in clear text");
  }
}

void CheckHeaders(Problems& problems, const ProviderProfile& profile) {
  for (const auto& [name, value] : profile.headers) {
    if (const Result<void> added = http::Headers().Add(name, value); !added) {
      problems.push_back("profile.headers: " + added.error().message);
    } else if (const std::string_view why = WhyNotFromCaller(name); !why.empty()) {
      problems.push_back("profile.headers: " + name + " " + std::string(why));
    } else if (IsCredentialHeader(name)) {
      problems.push_back("profile.headers: " + name + " holds credentials; use an AuthStrategy");
    }
  }
  for (const std::string& name : profile.required_headers) {
    if (!profile.HasHeader(name)) {
      problems.push_back("profile.headers: " + name + " is missing; " + profile.name +
                         " refuses requests without it");
    }
  }
}

void CheckIdempotency(Problems& problems, const ProviderProfile& profile) {
  const std::string& header = profile.idempotency_header;
  if (!header.empty() && !http::Headers().Add(header, "1"))
    problems.push_back("profile.idempotency_header must be a header name");
  if (header.empty() && profile.generate_idempotency_keys)
    problems.push_back("profile.generate_idempotency_keys needs profile.idempotency_header");
}

void CheckStatuses(Problems& problems, std::string_view member, const std::vector<int>& statuses) {
  for (const int status : statuses) {
    if (status >= 400 && status <= 599) continue;
    problems.push_back("profile." + std::string(member) + " has " + std::to_string(status) +
                       "; it must be 400 to 599");
  }
}

void CheckBounds(Problems& problems, const ProviderProfile& profile) {
  constexpr std::size_t kBytesMax = std::size_t{1} << 30U;
  if (profile.attempt_timeout <= Duration::zero() ||
      profile.attempt_timeout > profile.total_deadline) {
    problems.push_back("profile.attempt_timeout is " + FormatDuration(profile.attempt_timeout) +
                       "; it must be positive and not above profile.total_deadline, " +
                       FormatDuration(profile.total_deadline));
  }
  if (profile.response_bytes_max < 1 || profile.response_bytes_max > kBytesMax) {
    problems.push_back("profile.response_bytes_max is " +
                       std::to_string(profile.response_bytes_max) + "; it must be 1 to " +
                       std::to_string(kBytesMax));
  }
}

}  // namespace

std::optional<ProviderProfile> ProviderProfile::For(std::string_view name) {
  const auto* const entry = std::find_if(kEntries.begin(), kEntries.end(),
                                         [&](const Entry& row) { return row.name == name; });
  if (entry == kEntries.end()) return std::nullopt;
  ProviderProfile profile = entry->make();
  profile.name = name;
  if (entry->has_dialect) profile.rate_limit_dialect = name;
  return profile;
}

std::span<const std::string_view> ProviderProfile::Names() { return kNames; }

bool ProviderProfile::HasHeader(std::string_view header) const {
  return std::any_of(headers.begin(), headers.end(),
                     [&](const auto& field) { return EqualsIgnoreAsciiCase(field.first, header); });
}

Problems FindProblems(const ProviderProfile& profile) {
  Problems problems;
  if (!IsName(profile.name))
    problems.push_back("profile.name must be lower case letters, digits and -");
  CheckBaseUrl(problems, profile.base_url);
  CheckHeaders(problems, profile);
  CheckIdempotency(problems, profile);
  CheckStatuses(problems, "extra_retryable_statuses", profile.extra_retryable_statuses);
  CheckStatuses(problems, "throttling_statuses", profile.throttling_statuses);
  CheckStatuses(problems, "ambiguous_throttling_statuses", profile.ambiguous_throttling_statuses);
  CheckBounds(problems, profile);
  return problems;
}

}  // namespace understudy
