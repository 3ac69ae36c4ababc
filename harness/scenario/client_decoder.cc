#include "harness/scenario/client_decoder.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <iterator>

namespace understudy::harness {
namespace {

constexpr IntRange kSmallRange = {1, 100};
constexpr IntRange kPoolRange = {1, 100'000};
constexpr IntRange kOptionalPoolRange = {0, 100'000};
constexpr IntRange kStatusRange = {100, 599};

using PolicyOptions = decltype(StackPolicy::options);

// Reports a length of time that must not be zero.
void RequirePositive(const NodeReader& reader, std::string_view key) {
  const auto found = reader.Find(key);
  if (!found || !found->node().IsString()) return;
  if (found->node().text().find_first_of("123456789") == std::string::npos) {
    found->Error("\"" + std::string(key) + "\" must be longer than zero");
  }
}

// Reads a value that may be written under either of two names.
template <typename ReadOne>
void ReadAliased(const NodeReader& reader, std::string_view key, std::string_view alias,
                 ReadOne read) {
  if (reader.Has(key) && reader.Has(alias)) {
    reader.ErrorAtKey(alias, "\"" + std::string(alias) + "\" is another name of \"" +
                                 std::string(key) + "\"; give one of them");
  }
  read(reader.Has(alias) ? alias : key);
}

// Stores a number of a range.
void ReadShare(const NodeReader& reader, std::string_view key, double min, double max,
               double& out) {
  if (const auto found = reader.Find(key)) out = found->AsNumber(min, max).value_or(out);
}

PolicyOptions DecodeFallback(const NodeReader& reader) {
  FallbackOptions options;
  reader.ExpectKeys({"serve", "json", "status", "vendors"});
  static constexpr Word<bool> kServe[] = {{"last-good", true}};
  reader.ReadWord("serve", options.serve_last_good, kServe);
  reader.ReadJson("json", options.json);
  reader.ReadInt("status", options.status, kStatusRange);
  if (const auto vendors = reader.Find("vendors")) {
    for (const NodeReader& vendor : vendors->Items()) {
      if (auto name = vendor.AsString()) options.vendors.push_back(*std::move(name));
    }
    if (options.vendors.empty()) {
      vendors->Error("\"vendors\" names the vendors to ask when the operation's own cannot serve");
    }
  }
  if (reader.Has("serve") && (reader.Has("json") || reader.Has("status"))) {
    reader.ErrorAtKey("serve", "a fallback serves the last good answer or a fixed one, not both",
                      "drop \"serve\", or \"json\" and \"status\"");
  } else if (!reader.Has("serve") && !reader.Has("json") && !reader.Has("status") &&
             !reader.Has("vendors")) {
    reader.Error("a fallback needs something to serve",
                 "add \"serve\": \"last-good\", \"json\" or \"vendors\"");
  }
  return options;
}

PolicyOptions DecodeCache(const NodeReader& reader) {
  CacheOptions options;
  reader.ExpectKeys({"ttl", "stale_if_error", "stale_while_revalidate"});
  reader.Require("ttl");
  reader.Read("ttl", options.ttl);
  reader.Read("stale_if_error", options.stale_if_error);
  reader.Read("stale_while_revalidate", options.stale_while_revalidate);
  return options;
}

PolicyOptions DecodeDeadline(const NodeReader& reader) {
  DeadlineOptions options;
  reader.ExpectKeys({"total", "attempt"});
  reader.Read("total", options.total);
  reader.Read("attempt", options.attempt);
  RequirePositive(reader, "total");
  RequirePositive(reader, "attempt");
  if (!reader.Has("total") && !reader.Has("attempt")) {
    reader.Error("a deadline needs \"total\" or \"attempt\"");
  }
  return options;
}

PolicyOptions DecodeHedge(const NodeReader& reader) {
  HedgeOptions options;
  reader.ExpectKeys({"after", "max"});
  reader.Require("after");
  reader.Read("after", options.after);
  reader.ReadInt("max", options.max, {1, 10});
  return options;
}

void DecodeRetryBudget(const NodeReader& reader, RetryOptions& options) {
  if (reader.node().kind() == JsonNode::Kind::kBoolean) {
    if (reader.node().boolean()) return;  // The default budget.
    options.budget.reset();
    return;
  }
  if (!reader.node().IsObject()) {
    reader.Error("a retry budget is an object or false, got " +
                 std::string(reader.node().KindName()));
    return;
  }
  reader.ExpectKeys({"ratio", "min"});
  RetryBudgetOptions budget;
  if (const auto ratio = reader.Find("ratio"))
    budget.ratio = ratio->AsNumber(0, 1).value_or(budget.ratio);
  reader.ReadInt("min", budget.min, kOptionalPoolRange);
  options.budget = budget;
}

PolicyOptions DecodeRetry(const NodeReader& reader) {
  static constexpr Word<RetryJitter> kJitters[] = {{"full", RetryJitter::kFull},
                                                   {"none", RetryJitter::kNone}};
  RetryOptions options;
  reader.ExpectKeys({"attempts", "max_attempts", "backoff", "base", "backoff_max", "max_backoff",
                     "jitter", "budget", "idempotency_header", "generate_keys",
                     "respect_retry_after"});
  ReadAliased(reader, "attempts", "max_attempts",
              [&](std::string_view key) { reader.ReadInt(key, options.attempts, kSmallRange); });
  ReadAliased(reader, "backoff", "base",
              [&](std::string_view key) { reader.Read(key, options.backoff); });
  ReadAliased(reader, "backoff_max", "max_backoff",
              [&](std::string_view key) { reader.Read(key, options.backoff_max); });
  reader.ReadWord("jitter", options.jitter, kJitters);
  if (const auto budget = reader.Find("budget")) DecodeRetryBudget(*budget, options);
  reader.Read("idempotency_header", options.idempotency_header);
  reader.Read("generate_keys", options.generate_keys);
  reader.Read("respect_retry_after", options.respect_retry_after);
  if (options.backoff > options.backoff_max) {
    reader.Error("the first backoff is longer than the longest one", "raise \"backoff_max\"");
  }
  return options;
}

PolicyOptions DecodeBreaker(const NodeReader& reader) {
  static constexpr Word<BreakerScope> kScopes[] = {{"client", BreakerScope::kClient},
                                                   {"vendor", BreakerScope::kVendor},
                                                   {"operation", BreakerScope::kOperation}};
  BreakerOptions options;
  reader.ExpectKeys({"failures", "window", "calls", "failure_rate", "slow_rate", "slow_call",
                     "min_calls", "min_logical_calls", "open_for", "open_growth", "open_for_max",
                     "half_open_calls", "half_open_successes", "half_open_max", "ramp_up",
                     "scope"});
  options.has_failures = reader.Has("failures");
  reader.ReadInt("failures", options.failures, kPoolRange);
  reader.Read("window", options.window);
  reader.ReadInt("calls", options.calls, kPoolRange);
  ReadShare(reader, "failure_rate", 0, 1, options.failure_rate);
  ReadShare(reader, "slow_rate", 0, 1, options.slow_rate);
  reader.Read("slow_call", options.slow_call);
  reader.ReadInt("min_calls", options.min_calls, kPoolRange);
  reader.ReadInt("min_logical_calls", options.min_logical_calls, kPoolRange);
  reader.Read("open_for", options.open_for);
  ReadShare(reader, "open_growth", 1, 100, options.open_growth);
  reader.Read("open_for_max", options.open_for_max);
  reader.ReadInt("half_open_calls", options.half_open_calls, kPoolRange);
  reader.ReadInt("half_open_successes", options.half_open_successes, kPoolRange);
  reader.Read("half_open_max", options.half_open_max);
  reader.Read("ramp_up", options.ramp_up);
  reader.ReadWord("scope", options.scope, kScopes);
  for (const std::string_view key :
       {"window", "slow_call", "open_for", "open_for_max", "half_open_max", "ramp_up"}) {
    RequirePositive(reader, key);
  }
  const bool rates = reader.Has("failure_rate") || reader.Has("slow_rate");
  if (reader.Has("calls")) {
    options.kind = BreakerWindowKind::kCount;
  } else if (rates) {
    options.kind = BreakerWindowKind::kTime;
  }
  if (options.kind == BreakerWindowKind::kStreak && reader.Has("min_calls")) {
    reader.ErrorAtKey("min_calls", "\"min_calls\" goes with a rate",
                      "add \"failure_rate\" or \"slow_rate\"");
  }
  if (reader.Has("slow_rate") && !reader.Has("slow_call")) {
    reader.ErrorAtKey("slow_rate",
                      "\"slow_rate\" needs \"slow_call\", the time from which a call is slow");
  }
  return options;
}

PolicyOptions DecodeQuota(const NodeReader& reader) {
  QuotaOptions options;
  reader.ExpectKeys({"dialect", "wait_max", "keep_back", "pace_below"});
  reader.Read("dialect", options.dialect);
  reader.Read("wait_max", options.wait_max);
  ReadShare(reader, "keep_back", 0, 0.99, options.keep_back);
  ReadShare(reader, "pace_below", 0, 1, options.pace_below);
  return options;
}

PolicyOptions DecodeRateLimit(const NodeReader& reader) {
  RateLimitOptions options;
  static constexpr Word<bool> kAlgorithms[] = {{"even", false}, {"sliding-window", true}};
  reader.ExpectKeys({"max", "window", "burst", "algorithm"});
  reader.Require("max");
  reader.Require("window");
  reader.ReadInt("max", options.max, kPoolRange);
  reader.Read("window", options.window);
  reader.ReadInt("burst", options.burst, kPoolRange);
  reader.ReadWord("algorithm", options.sliding, kAlgorithms);
  RequirePositive(reader, "window");
  return options;
}

PolicyOptions DecodeBulkhead(const NodeReader& reader) {
  BulkheadOptions options;
  static constexpr Word<AdaptiveKind> kAdaptive[] = {{"none", AdaptiveKind::kNone},
                                                     {"aimd", AdaptiveKind::kAimd},
                                                     {"vegas", AdaptiveKind::kVegas}};
  reader.ExpectKeys({"max", "queue", "wait", "adaptive", "min", "initial"});
  reader.ReadInt("max", options.max, kPoolRange);
  reader.ReadInt("queue", options.queue, kOptionalPoolRange);
  reader.Read("wait", options.wait);
  reader.ReadWord("adaptive", options.adaptive, kAdaptive);
  reader.ReadInt("min", options.min, kPoolRange);
  reader.ReadInt("initial", options.initial, kPoolRange);
  return options;
}

// ---- auth ----

BasicAuth DecodeBasic(const NodeReader& reader) {
  BasicAuth basic;
  reader.ExpectKeys({"user", "password"});
  reader.Require("user");
  reader.Require("password");
  reader.Read("user", basic.user);
  reader.Read("password", basic.password);
  return basic;
}

ApiKeyAuth DecodeApiKey(const NodeReader& reader) {
  ApiKeyAuth api_key;
  reader.ExpectKeys({"header", "query", "value"});
  reader.Require("value");
  reader.Read("value", api_key.value);
  if (reader.Has("header") == reader.Has("query")) {
    reader.Error("an API key goes into one of \"header\" and \"query\"",
                 "give the name of the header or query field");
    return api_key;
  }
  api_key.in_query = reader.Has("query");
  reader.Read(api_key.in_query ? "query" : "header", api_key.name);
  return api_key;
}

OAuthAuth DecodeOAuth(const NodeReader& reader) {
  OAuthAuth oauth;
  reader.ExpectKeys({"vendor", "refresh_skew", "timeout", "client_id", "client_secret"});
  reader.Read("vendor", oauth.vendor);
  reader.Read("refresh_skew", oauth.refresh_skew);
  reader.Read("timeout", oauth.timeout);
  reader.Read("client_id", oauth.client_id);
  reader.Read("client_secret", oauth.client_secret);
  RequirePositive(reader, "timeout");
  return oauth;
}

PolicyOptions DecodeAuth(const NodeReader& reader) {
  constexpr std::array<std::string_view, 4> kMethods = {"bearer", "basic", "api_key", "oauth"};
  AuthOptions options;
  const auto method = SelectForm(reader, kMethods, {}, "auth", "method");
  if (!method) return options;
  reader.ExpectKeys(kMethods);
  const NodeReader value = *reader.Find(*method);
  if (*method == "bearer") {
    options.method = BearerAuth{value.AsString().value_or("")};
  } else if (*method == "basic") {
    options.method = DecodeBasic(value);
  } else if (*method == "api_key") {
    options.method = DecodeApiKey(value);
  } else {
    options.method = DecodeOAuth(value);
  }
  return options;
}

// ---- what watches ----

PolicyOptions DecodeAudit(const NodeReader& reader) {
  AuditOptions options;
  reader.ExpectKeys({"must", "attempts", "wait", "sink_fails"});
  reader.Read("must", options.must);
  reader.Read("attempts", options.attempts);
  reader.Read("wait", options.wait);
  RequirePositive(reader, "wait");
  if (const auto fails = reader.Find("sink_fails"); fails && fails->ExpectKeys({"from", "until"})) {
    options.fails_from = Duration::zero();
    fails->Read("from", options.fails_from);
    fails->Read("until", options.fails_until);
    if (options.fails_until && *options.fails_until <= *options.fails_from) {
      fails->Error("the sink works again before it fails", "raise \"until\"");
    }
  }
  return options;
}

PolicyOptions DecodeHealth(const NodeReader& reader) {
  HealthOptions options;
  reader.ExpectKeys({"probe", "every", "timeout", "failures", "successes", "critical"});
  reader.Require("probe");
  reader.Read("probe", options.probe);
  reader.Read("every", options.every);
  reader.Read("timeout", options.timeout);
  reader.ReadInt("failures", options.failures, kSmallRange);
  reader.ReadInt("successes", options.successes, kSmallRange);
  reader.Read("critical", options.critical);
  RequirePositive(reader, "timeout");
  if (options.every < options.timeout) {
    reader.Error("a probe would start before the one before it has timed out",
                 "raise \"every\", or lower \"timeout\"");
  }
  return options;
}

// ---- stack ----

using DecodePolicy = PolicyOptions (*)(const NodeReader&);
// In the order of kPolicyNames.
constexpr DecodePolicy kDecoders[] = {
    DecodeFallback, DecodeCache,     DecodeDeadline, DecodeHedge, DecodeRetry, DecodeBreaker,
    DecodeQuota,    DecodeRateLimit, DecodeBulkhead, DecodeAuth,  DecodeAudit, DecodeHealth};
static_assert(std::size(kDecoders) == std::size(kPolicyNames));
static_assert(std::size(kDecoders) == std::variant_size_v<PolicyOptions>);

void DecodeStackEntry(const NodeReader& entry, ClientSpec& client) {
  if (!entry.ExpectKeys(kPolicyNames)) return;
  const auto& members = entry.node().members();
  if (members.size() != 1) {
    entry.Error(
        "each element of \"stack\" is one policy; this one has " + std::to_string(members.size()),
        "write one object per policy");
    return;
  }
  const auto* const name =
      std::find(std::begin(kPolicyNames), std::end(kPolicyNames), members.front().key);
  if (name == std::end(kPolicyNames)) return;  // Reported as an unknown key.
  const NodeReader reader = *entry.Find(*name);
  if (!reader.ExpectObject()) return;
  const auto index = static_cast<std::size_t>(name - std::begin(kPolicyNames));
  for (const StackPolicy& other : client.stack) {
    if (other.options.index() != index) continue;
    entry.ErrorAtKey(*name,
                     "the stack has two \"" + std::string(*name) +
                         "\" policies, the first at line " + std::to_string(other.at.position.line),
                     "keep one");
    return;
  }
  client.stack.push_back({kDecoders[index](reader), entry.Location()});
}

void DecodeOperation(const std::string& name, const NodeReader& reader, ClientSpec& client) {
  if (!reader.ExpectKeys({"vendor", "method", "path", "headers", "json", "idempotency_key"}))
    return;
  Operation operation;
  operation.name = name;
  operation.vendor.clear();
  operation.at = reader.Location();
  reader.Require("method");
  reader.Require("path");
  reader.Read("vendor", operation.vendor);
  reader.Read("method", operation.method);
  reader.Read("path", operation.path);
  reader.ReadStrings("headers", operation.headers);
  reader.ReadJson("json", operation.json);
  reader.Read("idempotency_key", operation.idempotency_key);
  if (!operation.path.empty() && operation.path.front() != '/') {
    reader.Find("path")->Error("a path begins with \"/\"", "write \"/" + operation.path + "\"");
  }
  client.operations.emplace(name, std::move(operation));
}

}  // namespace

void DecodeClient(const NodeReader& reader, bool included, ClientSpec& client,
                  IdSet& operation_ids) {
  const bool object = included ? reader.ExpectKeys({"operations"})
                               : reader.ExpectKeys({"operations", "program", "config", "stack"});
  if (!object) return;
  if (const auto operations = reader.Find("operations")) {
    for (const auto& [name, operation] : operations->Members()) {
      if (operation_ids.Add(operation, name, "operation")) DecodeOperation(name, operation, client);
    }
  }
  if (included) return;
  reader.Read("program", client.program);
  if (const auto config = reader.Find("config"); config && config->ExpectObject()) {
    client.config = config->node().Serialise();
  }
  if (const auto stack = reader.Find("stack")) {
    for (const NodeReader& entry : stack->Items()) DecodeStackEntry(entry, client);
  }
}

void ResolveClientVendors(Scenario& scenario, ProblemList& problems) {
  if (scenario.vendors.empty()) return;  // Reported where vendors are read.
  std::vector<std::string_view> names;
  for (const auto& [name, vendor] : scenario.vendors) names.push_back(name);
  const auto check = [&](const SourceLocation& at, const std::string& name) {
    if (scenario.vendors.find(name) != scenario.vendors.end()) return;
    std::string suggestion = DidYouMean(name, names);
    if (suggestion.empty()) suggestion = "the vendors are " + QuotedList(names);
    problems.Add({at.file, at.position.line, at.position.column, at.pointer,
                  "there is no vendor \"" + name + "\"", std::move(suggestion)});
  };
  for (auto& [name, operation] : scenario.client.operations) {
    if (operation.vendor.empty()) {
      operation.vendor =
          names.size() == 1 ? std::string(names.front()) : std::string(kDefaultVendor);
    }
    check(operation.at, operation.vendor);
  }
  for (const StackPolicy& policy : scenario.client.stack) {
    const auto* const auth = std::get_if<AuthOptions>(&policy.options);
    const auto* const oauth = auth == nullptr ? nullptr : std::get_if<OAuthAuth>(&auth->method);
    if (oauth != nullptr && !oauth->vendor.empty()) check(policy.at, oauth->vendor);
    const auto* const health = std::get_if<HealthOptions>(&policy.options);
    if (health != nullptr && !scenario.client.operations.contains(health->probe)) {
      problems.Add({policy.at.file, policy.at.position.line, policy.at.position.column,
                    policy.at.pointer,
                    "health probes the operation \"" + health->probe + "\", which is not there",
                    "declare it in client.operations"});
    }
    if (const auto* const fallback = std::get_if<FallbackOptions>(&policy.options)) {
      for (const std::string& vendor : fallback->vendors) check(policy.at, vendor);
    }
  }
}

}  // namespace understudy::harness
