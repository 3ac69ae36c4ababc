#include "middleware/resilience/rate_limit_body.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <utility>

#include <nlohmann/json.hpp>

#include "middleware/base/function_ref.h"
#include "middleware/base/text.h"
#include "middleware/http/retry_after.h"

namespace understudy {
namespace {

using Json = nlohmann::json;
using Effect = BodyRule::Effect;

// An upper bound of the nesting of a text that is JSON, found before anything is allocated. The
// verdict on a text that is not JSON means nothing.
bool IsShallow(std::string_view text) {
  int depth = 0;
  bool quoted = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quoted) {
      if (c == '\\') ++i;
      if (c == '"') quoted = false;
    } else if (c == '"') {
      quoted = true;
    } else if (c == '{' || c == '[') {
      if (++depth > kHintBodyDepthMax) return false;
    } else if (c == '}' || c == ']') {
      --depth;
    }
  }
  return true;
}

bool IsScalar(const Json& value) {
  return value.is_string() || value.is_boolean() || value.is_number();
}

std::string TextOf(const Json& value) {
  return value.is_string() ? value.get_ref<const std::string&>() : value.dump();
}

// Calls `found` with each scalar at `path` ("/errors/*/code"). Recurses once per name in the path.
void VisitPath(const Json& value, std::string_view path, FunctionRef<void(const Json&)> found) {
  if (path.empty()) {
    if (IsScalar(value)) found(value);
    return;
  }
  path.remove_prefix(1);  // The slash.
  const std::size_t end = std::min(path.find('/'), path.size());
  const std::string_view name = path.substr(0, end);
  path.remove_prefix(end);
  if (name == "*") {
    if (!value.is_array()) return;
    for (const Json& element : value) VisitPath(element, path, found);
    return;
  }
  if (!value.is_object()) return;
  const auto member = value.find(std::string(name));
  if (member != value.end()) VisitPath(*member, path, found);
}

// Not negative and finite; nullopt if it is not there.
std::optional<double> NumberAt(const Json& root, const std::string& path) {
  std::optional<double> number;
  if (path.empty()) return number;
  VisitPath(root, path, [&](const Json& value) {
    if (!value.is_number()) return;
    const double candidate = value.get<double>();
    if (std::isfinite(candidate)) number = std::max(candidate, 0.0);
  });
  return number;
}

std::size_t FindIgnoreCase(const std::string& text, const std::string& part) {
  return AsciiLower(text).find(AsciiLower(part));
}

bool Matches(const BodyRule& rule, const std::string& text) {
  if (rule.text.empty()) return true;
  if (rule.contains || rule.effect == Effect::kRetryAt)
    return FindIgnoreCase(text, rule.text) != std::string::npos;
  return text == rule.text;
}

// Rounded up. `seconds` is not negative.
Duration FromSeconds(double seconds) {
  constexpr double kCap = std::chrono::duration<double>(kRetryAfterCap).count();
  if (!(seconds < kCap)) return kRetryAfterCap;
  return std::min(kRetryAfterCap, Duration(static_cast<Duration::rep>(std::ceil(seconds * 1e9))));
}

std::optional<Duration> DelayIn(const Json& value, ResetForm form, SystemTime answered_at) {
  const std::optional<Duration> delay = ParseReset(TextOf(value), form, answered_at);
  if (delay || !value.is_number()) return delay;
  // A number that prints with an exponent, or a negative one.
  const double seconds = value.get<double>();
  return seconds >= 0 ? std::optional(FromSeconds(seconds)) : std::nullopt;
}

// "... Retry after 2024-01-01T00:00:00.000Z." with `phrase` "Retry after ".
std::optional<Duration> DelayAfterPhrase(const std::string& text, const std::string& phrase,
                                         SystemTime answered_at) {
  const std::size_t at = FindIgnoreCase(text, phrase);
  if (at == std::string::npos) return std::nullopt;
  std::string_view rest = std::string_view(text).substr(at + phrase.size());
  rest = rest.substr(0, rest.find_first_not_of("0123456789-:.+TtZz"));
  while (rest.ends_with('.')) rest.remove_suffix(1);
  return ParseReset(rest, ResetForm::kTimestamp, answered_at);
}

void KeepLonger(std::optional<Duration>& longest, std::optional<Duration> candidate) {
  if (candidate && (!longest || *candidate > *longest)) longest = candidate;
}

void Apply(const BodyRule& rule, const Json& value, SystemTime answered_at, BodyHints& hints) {
  const std::string text = TextOf(value);
  if (!Matches(rule, text)) return;
  switch (rule.effect) {
    case Effect::kThrottled:
      hints.throttled = true;
      return;
    case Effect::kNotThrottled:
      hints.not_throttled = true;
      return;
    case Effect::kPermanent:
      hints.permanent = true;
      return;
    case Effect::kGlobal:
      hints.global = true;
      return;
    case Effect::kReason:
      hints.reason = text;
      return;
    case Effect::kRetryAfter:
      KeepLonger(hints.retry_after, DelayIn(value, rule.form, answered_at));
      return;
    case Effect::kRetryAt:
      KeepLonger(hints.retry_after, DelayAfterPhrase(text, rule.text, answered_at));
      return;
    case Effect::kUsedUp:
      if (hints.used_up.size() < kQuotaReportsMax) hints.used_up.push_back(text);
      return;
  }
}

std::int64_t CountOf(double number) {
  constexpr auto kMax = static_cast<double>(kQuotaCountMax);
  return number < kMax ? static_cast<std::int64_t>(number) : kQuotaCountMax;
}

void ReadCost(const Json& root, const CostBody& paths, BodyHints& hints) {
  const std::optional<double> available = NumberAt(root, paths.available);
  if (!available) return;
  QuotaReport report{.name = paths.name, .remaining = CountOf(*available)};
  const std::optional<double> maximum = NumberAt(root, paths.maximum);
  if (maximum) report.limit = CountOf(*maximum);
  const std::optional<double> rate = NumberAt(root, paths.restored_per_second);
  if (rate && *rate > 0) {
    if (maximum && *maximum > 0) report.window = FromSeconds(*maximum / *rate);
    if (*report.remaining == 0) report.reset_after = FromSeconds((1 - *available) / *rate);
    const std::optional<double> requested = NumberAt(root, paths.requested);
    if (requested && *requested > *available)
      hints.cost_wait = FromSeconds((*requested - *available) / *rate);
  }
  hints.cost = std::move(report);
}

}  // namespace

BodyHints ReadBodyHints(std::string_view body, const RateLimitDialect& dialect,
                        SystemTime answered_at) {
  BodyHints hints;
  if (body.size() > kHintBodyBytesMax || !IsShallow(body)) return hints;
  const Json root = Json::parse(body, nullptr, /*allow_exceptions=*/false);
  if (root.is_discarded()) return hints;
  for (const BodyRule& rule : dialect.body_rules) {
    VisitPath(root, rule.path, [&](const Json& value) { Apply(rule, value, answered_at, hints); });
  }
  if (dialect.cost) ReadCost(root, *dialect.cost, hints);
  return hints;
}

}  // namespace understudy
