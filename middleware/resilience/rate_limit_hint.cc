#include "middleware/resilience/rate_limit_hint.h"

#include <algorithm>
#include <array>
#include <compare>
#include <cstdint>
#include <string_view>
#include <utility>
#include <variant>

#include "middleware/base/text.h"
#include "middleware/http/date.h"
#include "middleware/http/retry_after.h"
#include "middleware/http/structured_field.h"
#include "middleware/resilience/rate_limit_body.h"

namespace understudy {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::string_view kRetryAfter = "retry-after";
constexpr std::string_view kRetryAfterMs = "retry-after-ms";
constexpr std::string_view kRateLimit = "ratelimit";
constexpr std::string_view kRateLimitPolicy = "ratelimit-policy";

// Without a prefix nothing starts with it: an option that was not set matches nothing.
bool StartsWithIgnoreCase(std::string_view text, std::string_view prefix) {
  return !prefix.empty() && text.size() >= prefix.size() &&
         EqualsIgnoreAsciiCase(text.substr(0, prefix.size()), prefix);
}

void KeepLonger(std::optional<Duration>& longest, std::optional<Duration> candidate) {
  if (candidate && (!longest || *candidate > *longest)) longest = candidate;
}

template <typename T>
void KeepSmaller(std::optional<T>& smallest, std::optional<T> candidate) {
  if (candidate && (!smallest || *candidate < *smallest)) smallest = candidate;
}

// For logs and as a key: bounded, and no control characters.
std::string CleanName(std::string_view text) {
  std::string name(text.substr(0, kQuotaNameMax));
  std::replace_if(
      name.begin(), name.end(), [](char c) { return c < ' ' || c > '~'; }, '?');
  return name;
}

template <typename F>
void ForEachNameOf(const QuotaHeaders& quota, F f) {
  f(quota.limit);
  f(quota.remaining);
  f(quota.reset);
  f(quota.used);
  f(quota.reset_after);
  f(quota.window_ms);
  f(quota.name_header);
}

// Every header name that the dialect knows, some of them empty.
template <typename F>
void ForEachName(const RateLimitDialect& dialect, F f) {
  f(kRetryAfter);
  f(kRetryAfterMs);
  if (dialect.ietf_fields) {
    f(kRateLimit);
    f(kRateLimitPolicy);
  }
  for (const QuotaHeaders& quota : dialect.quotas) ForEachNameOf(quota, f);
  for (const UsageHeader& usage : dialect.usages) f(usage.header);
  for (const std::string& name : dialect.should_retry_headers) f(name);
  for (const HeaderValue& field : dialect.global_when) f(field.header);
  f(dialect.scope_header);
  f(dialect.reason_header);
}

// A cheap hash of a header name without its case: most names that differ, differ in it. 10 bits.
std::uint32_t ShortHash(std::string_view name) {
  if (name.empty()) return 0;
  // The case of an ASCII letter is in bit 5.
  const auto letter = [&](std::size_t at) { return static_cast<std::uint32_t>(name[at]) & 31U; };
  const auto length = static_cast<std::uint32_t>(name.size());
  const std::uint32_t sum = length + 37 * letter(0) + 211 * letter(name.size() / 2) +
                            1009 * letter(name.size() - 1) + 499 * letter(name.size() * 3 / 4);
  return sum & 1023U;
}

// A bit for a name among 64: two names may share one.
std::uint64_t BitOf(std::uint32_t hash) { return std::uint64_t{1} << (hash % 64); }

}  // namespace

namespace internal {

// The names of a dialect, in the order of their hashes, so that a field that is none of them is
// passed over with one look.
class KnownNames {
 public:
  explicit KnownNames(const RateLimitDialect& dialect) {
    ForEachName(dialect, [&](std::string_view name) {
      if (!name.empty()) names_.push_back({ShortHash(name), name});
    });
    std::sort(names_.begin(), names_.end());
    names_.erase(std::unique(names_.begin(), names_.end()), names_.end());
    for (const Name& name : names_) known_[name.hash / 64] |= BitOf(name.hash);
    for (const QuotaHeaders& quota : dialect.quotas) {
      std::uint64_t bits = 0;
      ForEachNameOf(quota, [&](std::string_view name) {
        if (!name.empty()) bits |= BitOf(ShortHash(name));
      });
      quota_bits_.push_back(bits);
    }
  }

  bool Has(std::string_view name, std::uint32_t hash) const {
    if ((known_[hash / 64] & BitOf(hash)) == 0) return false;
    auto place = std::lower_bound(names_.begin(), names_.end(), Name{hash, {}});
    for (; place != names_.end() && place->hash == hash; ++place) {
      if (EqualsIgnoreAsciiCase(place->text, name)) return true;
    }
    return false;
  }

  // May one of the fields with these bits belong to the dialect's quota of that index?
  bool MayBelong(std::size_t quota, std::uint64_t field_bits) const {
    return (quota_bits_[quota] & field_bits) != 0;
  }

 private:
  struct Name {
    std::uint32_t hash = 0;
    std::string_view text = {};
    auto operator<=>(const Name&) const = default;  // NOLINT(modernize-use-nullptr)
  };

  std::vector<Name> names_;
  std::array<std::uint64_t, 16> known_ = {};
  std::vector<std::uint64_t> quota_bits_;
};

}  // namespace internal

namespace {

using internal::KnownNames;

// The fields of an answer that the dialect knows. Views into the answer.
class KnownFields {
 public:
  KnownFields(const http::Headers& headers, const RateLimitDialect& dialect,
              const KnownNames& names)
      : names_(names) {
    for (const http::Headers::Entry& field : headers) {
      const std::uint32_t hash = ShortHash(field.first);
      if (!names.Has(field.first, hash) && !HasPrefix(field.first, dialect)) continue;
      if (fields_.empty()) fields_.reserve(8);
      fields_.push_back(&field);
      bits_ |= BitOf(hash);
    }
  }

  // May there be one that belongs to the dialect's quota of that index?
  bool MayHaveQuota(std::size_t quota) const { return names_.MayBelong(quota, bits_); }
  bool empty() const { return fields_.empty(); }

  // An empty name has no lines.
  template <typename F>
  void ForEachLine(std::string_view name, F f) const {
    if (name.empty()) return;
    for (const http::Headers::Entry* field : fields_) {
      if (EqualsIgnoreAsciiCase(field->first, name)) f(std::string_view(field->second));
    }
  }

  bool Has(std::string_view name) const { return First(name).has_value(); }

  std::optional<std::string_view> First(std::string_view name) const {
    std::optional<std::string_view> first;
    ForEachLine(name, [&](std::string_view value) {
      if (!first) first = value;
    });
    return first;
  }

  // Calls f(rest of the name, value).
  template <typename F>
  void ForEachWithPrefix(std::string_view prefix, F f) const {
    for (const http::Headers::Entry* field : fields_) {
      if (StartsWithIgnoreCase(field->first, prefix))
        f(std::string_view(field->first).substr(prefix.size()), std::string_view(field->second));
    }
  }

 private:
  static bool HasPrefix(std::string_view name, const RateLimitDialect& dialect) {
    return std::any_of(
        dialect.parameters.begin(), dialect.parameters.end(),
        [&](const ParameterHeaders& family) { return StartsWithIgnoreCase(name, family.prefix); });
  }

  const KnownNames& names_;
  std::vector<const http::Headers::Entry*> fields_;
  std::uint64_t bits_ = 0;
};

// "12/40": used and limit.
struct Usage {
  std::int64_t used = 0;
  std::int64_t limit = 0;
};

std::optional<Usage> ParseUsage(std::string_view text) {
  const std::size_t slash = text.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  const auto used = ParseQuotaCount(text.substr(0, slash));
  const auto limit = ParseQuotaCount(text.substr(slash + 1));
  if (!used || !limit) return std::nullopt;
  return Usage{*used, *limit};
}

// Takes the text up to the next `;` or `,` that is not within parentheses.
std::string_view TakeElement(std::string_view& text) {
  int depth = 0;
  std::size_t end = 0;
  for (; end < text.size(); ++end) {
    const char c = text[end];
    if (c == '(') ++depth;
    if (c == ')') --depth;
    if (depth <= 0 && (c == ';' || c == ',')) break;
  }
  const std::string_view element = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return TrimOws(element);
}

// The value of `key` in "key=value; other=value(name=x)", without what is in parentheses.
std::optional<std::string_view> ParameterOf(std::string_view text, std::string_view key) {
  while (!text.empty()) {
    const std::string_view element = TakeElement(text);
    const std::size_t equals = element.find('=');
    if (equals == std::string_view::npos) continue;
    if (!EqualsIgnoreAsciiCase(TrimOws(element.substr(0, equals)), key)) continue;
    const std::string_view value = element.substr(equals + 1);
    return TrimOws(value.substr(0, value.find('(')));
  }
  return std::nullopt;
}

std::optional<Duration> SecondsOf(std::optional<std::int64_t> count) {
  if (!count || *count < 0) return std::nullopt;
  if (*count >= kRetryAfterCap / seconds(1)) return kRetryAfterCap;
  return seconds(*count);
}

std::optional<std::int64_t> NotNegative(std::optional<std::int64_t> count) {
  return count ? std::optional(std::max<std::int64_t>(*count, 0)) : std::nullopt;
}

// The name of a policy: a string, or a token, which one draft had.
std::optional<std::string> PolicyName(const http::BareItem& value) {
  if (const auto* text = std::get_if<std::string>(&value)) return CleanName(*text);
  if (const auto* token = std::get_if<http::StructuredToken>(&value)) return CleanName(token->text);
  return std::nullopt;
}

// One policy of RateLimit-Policy, or one window in a limit of the drafts before 06.
struct Policy {
  std::optional<std::string> name = {};  // nullopt: it is a bare number.
  std::int64_t limit = 0;
  std::optional<Duration> window = {};
};

// nullopt for a member that is not one: of another type, no quota, or a window that is not
// positive.
std::optional<Policy> PolicyOf(const http::StructuredMember& member) {
  const auto* item = std::get_if<http::StructuredItem>(&member);
  if (item == nullptr) return std::nullopt;
  const auto* number = std::get_if<std::int64_t>(&item->value);
  const std::optional<std::int64_t> limit =
      number != nullptr ? std::optional(*number) : item->parameters.Integer("q");
  Policy policy{.name = PolicyName(item->value)};
  if ((number == nullptr && !policy.name) || !limit || *limit < 0) return std::nullopt;
  policy.limit = *limit;
  if (item->parameters.Find("w") != nullptr) {
    policy.window = SecondsOf(item->parameters.Integer("w"));
    if (!policy.window || *policy.window == Duration::zero()) return std::nullopt;
  }
  return policy;
}

std::vector<Policy> ParsePolicies(std::string_view text) {
  std::vector<Policy> policies;
  const Result<http::StructuredList> list = http::ParseStructuredList(text);
  if (!list) return policies;
  for (const http::StructuredMember& member : *list) {
    if (std::optional<Policy> policy = PolicyOf(member)) policies.push_back(std::move(*policy));
  }
  return policies;
}

// The quotas of one answer, merged by name.
class Quotas {
 public:
  // `fallback` is how long to wait if it is used up and no reset is known.
  void Add(QuotaReport report, std::optional<Duration> fallback) {
    const bool says_something = report.limit || report.remaining || report.reset_after;
    if (!says_something) return;
    if (Slot* slot = Find(report.name)) {
      Merge(report, fallback, *slot);
      return;
    }
    if (slots_.size() < kQuotaReportsMax) {
      slots_.push_back({std::move(report), fallback});
      return;
    }
    // What is used up must not get lost behind what is not.
    const auto other = std::find_if(slots_.begin(), slots_.end(),
                                    [](const Slot& slot) { return slot.report.remaining != 0; });
    if (report.remaining == 0 && other != slots_.end()) *other = {std::move(report), fallback};
  }

  const QuotaReport* Get(std::string_view name) {
    const Slot* slot = Find(name);
    return slot == nullptr ? nullptr : &slot->report;
  }

  void MarkUsedUp(std::string_view name) {
    if (Slot* slot = Find(name)) slot->report.remaining = 0;
  }

  // `refused`: the answer is an error.
  std::vector<QuotaReport> Finish(bool refused, std::optional<Duration> default_wait) && {
    std::vector<QuotaReport> reports;
    for (Slot& slot : slots_) {
      QuotaReport& report = slot.report;
      const bool used_up = report.remaining == 0;
      const bool zero_limit = report.limit == 0;
      if (zero_limit) report.limit.reset();
      if (used_up && !report.reset_after)
        report.reset_after = slot.fallback ? slot.fallback : default_wait;
      // A limit of nothing: served in spite of it, or without an end, it says nothing.
      if (zero_limit && used_up && (!refused || !report.reset_after)) continue;
      if (report.limit || report.remaining || report.reset_after)
        reports.push_back(std::move(report));
    }
    return reports;
  }

 private:
  struct Slot {
    QuotaReport report;
    std::optional<Duration> fallback;
  };

  Slot* Find(std::string_view name) {
    const auto found = std::find_if(slots_.begin(), slots_.end(),
                                    [&](const Slot& slot) { return slot.report.name == name; });
    return found == slots_.end() ? nullptr : &*found;
  }

  static void Merge(const QuotaReport& report, std::optional<Duration> fallback, Slot& slot) {
    KeepSmaller(slot.report.limit, report.limit);
    KeepSmaller(slot.report.remaining, report.remaining);
    KeepLonger(slot.report.reset_after, report.reset_after);
    KeepLonger(slot.report.window, report.window);
    KeepLonger(slot.fallback, fallback);
  }

  std::vector<Slot> slots_;
};

bool Contains(const std::vector<int>& statuses, int status) {
  return std::find(statuses.begin(), statuses.end(), status) != statuses.end();
}

bool WantsBody(const http::Response& response, const RateLimitDialect& dialect) {
  if (dialect.body_rules.empty() && !dialect.cost) return false;
  if (response.body.empty() || response.body.size() > kHintBodyBytesMax) return false;
  if (response.status >= 400) return true;
  const std::string_view body = response.body;
  return response.ok() && std::any_of(dialect.success_markers.begin(),
                                      dialect.success_markers.end(), [&](const auto& marker) {
                                        return body.find(marker) != std::string_view::npos;
                                      });
}

// What a clock can show: differences to dates and sums with the cap do not overflow.
SystemTime Plausible(SystemTime now) {
  constexpr auto kMin = SystemTime(std::chrono::sys_days(std::chrono::year(1970) / 1 / 1));
  constexpr auto kMax = SystemTime(std::chrono::sys_days(std::chrono::year(2200) / 1 / 1));
  return std::clamp(now, kMin, kMax);
}

// Reads one answer, once.
class HintReader {
 public:
  HintReader(const http::Response& response, const KnownFields& fields,
             FunctionRef<SystemTime()> now, const RateLimitDialect& dialect)
      : response_(response), fields_(fields), dialect_(dialect), read_now_(now) {}

  RateLimitHint Read(bool with_body) {
    if (dialect_.ietf_fields) ReadRateLimitField();
    for (std::size_t i = 0; i < dialect_.quotas.size(); ++i) {
      if (fields_.MayHaveQuota(i)) ReadQuota(dialect_.quotas[i]);
    }
    for (const UsageHeader& usage : dialect_.usages) ReadUsage(usage);
    for (const ParameterHeaders& family : dialect_.parameters) ReadParameters(family);
    if (dialect_.ietf_fields) ReadPolicyField();
    if (with_body) ReadBody();
    hint_.quotas = std::move(quotas_).Finish(response_.status >= 400, dialect_.default_wait);
    ReadScope();
    ReadShouldRetry();
    Decide();
    return std::move(hint_);
  }

 private:
  // Both are read when they are first needed, which is seldom.
  SystemTime Now();
  SystemTime AnsweredAt();  // By the vendor's clock if it is known.

  void ReadRateLimitField();
  void ReadPolicyField();
  void ReadQuota(const QuotaHeaders& names);
  void ReadLimit(const QuotaHeaders& names, QuotaReport& report);
  std::optional<Duration> ReadReset(const QuotaHeaders& names);
  void ReadUsage(const UsageHeader& usage);
  void ReadParameters(const ParameterHeaders& family);
  void ReadBody();
  void ReadScope();
  void ReadShouldRetry();
  void Decide();
  bool IsRefusalForRate(bool has_retry_after) const;
  bool HasUsedUpQuota() const;
  std::optional<Duration> ReadRetryAfter();
  std::optional<Duration> WaitForQuota() const;
  std::optional<Duration> ReasonWait() const;

  const http::Response& response_;
  const KnownFields& fields_;
  const RateLimitDialect& dialect_;
  const FunctionRef<SystemTime()> read_now_;
  std::optional<SystemTime> now_;
  std::optional<SystemTime> answered_at_;
  Quotas quotas_;
  BodyHints body_;
  RateLimitHint hint_;
};

SystemTime HintReader::Now() {
  if (!now_) now_ = Plausible(read_now_());
  return *now_;
}

SystemTime HintReader::AnsweredAt() {
  if (!answered_at_) {
    const std::optional<std::string_view> date = response_.headers.Get("Date");
    answered_at_ = date ? http::ParseHttpDate(*date, Now()).value_or(Now()) : Now();
  }
  return *answered_at_;
}

// Drafts 08 to 10: `"default";r=50;t=30`. Draft 07: `limit=100, remaining=50, reset=5`.
void HintReader::ReadRateLimitField() {
  if (!fields_.Has(kRateLimit)) return;
  const std::string text = http::JoinFieldLines(response_.headers, kRateLimit).value_or("");
  if (const auto list = http::ParseStructuredList(text)) {
    for (const http::StructuredMember& member : *list) {
      const auto* item = std::get_if<http::StructuredItem>(&member);
      const auto name = item == nullptr ? std::nullopt : PolicyName(item->value);
      if (!name || !item->parameters.Integer("r")) continue;
      quotas_.Add({.name = *name,
                   .remaining = NotNegative(item->parameters.Integer("r")),
                   .reset_after = SecondsOf(item->parameters.Integer("t"))},
                  {});
    }
  } else if (const auto dictionary = http::ParseStructuredDictionary(text)) {
    const std::optional<std::int64_t> limit = dictionary->Integer("limit");
    quotas_.Add({.limit = limit && *limit >= 0 ? limit : std::nullopt,
                 .remaining = NotNegative(dictionary->Integer("remaining")),
                 .reset_after = SecondsOf(dictionary->Integer("reset"))},
                {});
  }
}

// Drafts 08 to 10: `"burst";q=100;w=60`. Before: `10;w=1, 50;w=60`, of which the one that is as
// large as the limit belongs to it.
void HintReader::ReadPolicyField() {
  if (!fields_.Has(kRateLimitPolicy)) return;
  const std::vector<Policy> policies =
      ParsePolicies(http::JoinFieldLines(response_.headers, kRateLimitPolicy).value_or(""));
  for (const Policy& policy : policies) {
    QuotaReport report{.limit = policy.limit, .window = policy.window};
    const QuotaReport* main = quotas_.Get("");
    const bool is_main = main == nullptr ? policies.size() == 1 : main->limit == policy.limit;
    if (policy.name) {
      report.name = *policy.name;
    } else if (!is_main) {
      report.name = std::to_string(policy.limit);
      if (policy.window)
        report.name += ";w=" + std::to_string(*policy.window / Duration(seconds(1)));
    }
    quotas_.Add(std::move(report), policy.window);
  }
}

void HintReader::ReadLimit(const QuotaHeaders& names, QuotaReport& report) {
  fields_.ForEachLine(names.limit, [&](std::string_view text) {
    if (const auto limit = ParseQuotaCount(text)) {
      KeepSmaller(report.limit, limit);
      return;
    }
    // "100, 100;w=60"
    const std::vector<Policy> policies = ParsePolicies(text);
    if (policies.empty() || policies.front().name) return;
    KeepSmaller(report.limit, std::optional(policies.front().limit));
    for (const Policy& policy : policies) {
      if (policy.limit == policies.front().limit) KeepLonger(report.window, policy.window);
    }
  });
}

std::optional<Duration> HintReader::ReadReset(const QuotaHeaders& names) {
  std::optional<Duration> reset;
  fields_.ForEachLine(names.reset_after, [&](std::string_view text) {
    KeepLonger(reset, ParseDelay(text, seconds(1)));
  });
  if (reset) return reset;
  fields_.ForEachLine(names.reset, [&](std::string_view text) {
    KeepLonger(reset, ParseReset(text, names.reset_form, [this] { return AnsweredAt(); }));
  });
  return reset;
}

void HintReader::ReadQuota(const QuotaHeaders& names) {
  QuotaReport report{.name = names.name};
  ReadLimit(names, report);
  std::optional<std::int64_t> used;
  fields_.ForEachLine(names.remaining, [&](std::string_view text) {
    KeepSmaller(report.remaining, ParseRemaining(text));
  });
  fields_.ForEachLine(names.used, [&](std::string_view text) {
    const std::optional<std::int64_t> count = ParseQuotaCount(text);
    if (count) used = std::max(used.value_or(0), *count);
  });
  if (!report.remaining && used && report.limit)
    report.remaining = std::max<std::int64_t>(0, *report.limit - *used);
  report.reset_after = ReadReset(names);
  std::optional<Duration> stated_window = report.window;
  fields_.ForEachLine(names.window_ms, [&](std::string_view text) {
    KeepLonger(stated_window, ParseDelay(text, milliseconds(1)));
  });
  if (stated_window == Duration::zero()) stated_window.reset();
  report.window = stated_window;
  if (!report.window && names.window > Duration::zero()) report.window = names.window;
  if (const auto name = fields_.First(names.name_header)) report.name = CleanName(*name);
  if (report.limit == 0 && report.remaining == 0 && !names.zero_limit_name.empty())
    report.name = names.zero_limit_name;
  quotas_.Add(std::move(report), names.default_wait ? names.default_wait : stated_window);
}

void HintReader::ReadUsage(const UsageHeader& names) {
  fields_.ForEachLine(names.header, [&](std::string_view text) {
    const auto pair = names.key.empty() ? std::optional(text) : ParameterOf(text, names.key);
    const std::optional<Usage> usage = pair ? ParseUsage(*pair) : std::nullopt;
    if (!usage) return;
    QuotaReport report{.name = names.name,
                       .limit = usage->limit,
                       .remaining = std::max<std::int64_t>(0, usage->limit - usage->used)};
    if (names.window > Duration::zero()) report.window = names.window;
    std::optional<Duration> leak;
    if (names.leak_time > Duration::zero() && usage->limit > 0)
      leak = Duration((names.leak_time.count() + usage->limit - 1) / usage->limit);
    quotas_.Add(std::move(report), leak);
  });
}

void HintReader::ReadParameters(const ParameterHeaders& family) {
  fields_.ForEachWithPrefix(family.prefix, [&](std::string_view name, std::string_view text) {
    QuotaReport report{.name = CleanName(AsciiLower(name))};
    if (const auto limit = ParameterOf(text, family.limit_key))
      report.limit = ParseQuotaCount(*limit);
    if (const auto remaining = ParameterOf(text, family.remaining_key))
      report.remaining = ParseRemaining(*remaining);
    if (const auto reset = ParameterOf(text, family.reset_key))
      report.reset_after =
          ParseReset(*reset, ResetForm::kDeltaSeconds, [this] { return AnsweredAt(); });
    quotas_.Add(std::move(report), {});
  });
}

void HintReader::ReadBody() {
  body_ = ReadBodyHints(response_.body, dialect_, AnsweredAt());
  if (body_.cost) quotas_.Add(*body_.cost, {});
  for (const std::string& name : body_.used_up) quotas_.MarkUsedUp(CleanName(name));
}

void HintReader::ReadScope() {
  hint_.global = body_.global;
  for (const HeaderValue& field : dialect_.global_when) {
    fields_.ForEachLine(field.header, [&](std::string_view text) {
      if (EqualsIgnoreAsciiCase(TrimOws(text), field.value)) hint_.global = true;
    });
  }
  const std::optional<std::string_view> scope = fields_.First(dialect_.scope_header);
  if (scope && !hint_.global) hint_.scope = CleanName(*scope);
}

void HintReader::ReadShouldRetry() {
  for (const std::string& name : dialect_.should_retry_headers) {
    fields_.ForEachLine(name, [&](std::string_view text) {
      const bool yes = EqualsIgnoreAsciiCase(TrimOws(text), "true");
      const bool no = EqualsIgnoreAsciiCase(TrimOws(text), "false");
      if (yes || no) hint_.should_retry = hint_.should_retry.value_or(true) && yes;
    });
  }
}

std::optional<Duration> HintReader::ReadRetryAfter() {
  if (!fields_.Has(kRetryAfter) && !fields_.Has(kRetryAfterMs)) return std::nullopt;
  std::optional<Duration> longest = ParseRetryAfter(response_.headers, Now());
  if (!dialect_.fractional_retry_after) return longest;
  fields_.ForEachLine(kRetryAfter, [&](std::string_view text) {
    KeepLonger(longest, ParseDelay(text, seconds(1)));
  });
  fields_.ForEachLine(kRetryAfterMs, [&](std::string_view text) {
    KeepLonger(longest, ParseDelay(text, milliseconds(1)));
  });
  return longest;
}

bool HintReader::HasUsedUpQuota() const {
  return std::any_of(hint_.quotas.begin(), hint_.quotas.end(),
                     [](const QuotaReport& quota) { return quota.remaining == 0; });
}

bool HintReader::IsRefusalForRate(bool has_retry_after) const {
  if (body_.permanent) return true;
  if (body_.not_throttled) return false;
  if (body_.throttled || Contains(dialect_.throttling_statuses, response_.status)) return true;
  return Contains(dialect_.ambiguous_statuses, response_.status) &&
         (has_retry_after || HasUsedUpQuota());
}

std::optional<Duration> HintReader::ReasonWait() const {
  std::optional<Duration> wait;
  const std::string_view header = TrimOws(fields_.First(dialect_.reason_header).value_or(""));
  for (const auto& [reason, duration] : dialect_.reason_waits) {
    if (EqualsIgnoreAsciiCase(reason, header) || EqualsIgnoreAsciiCase(reason, body_.reason))
      KeepLonger(wait, duration);
  }
  return wait;
}

// For a refusal that does not say how long.
std::optional<Duration> HintReader::WaitForQuota() const {
  std::optional<Duration> wait = ReasonWait();
  std::optional<Duration> unsure;
  KeepLonger(wait, body_.cost_wait);
  for (const QuotaReport& quota : hint_.quotas) {
    if (quota.remaining == 0) KeepLonger(wait, quota.reset_after);
    if (!quota.remaining) KeepLonger(unsure, quota.reset_after);
  }
  // A reset without what is left, in a refusal: most likely nothing is.
  if (!wait && !HasUsedUpQuota()) wait = unsure;
  return wait ? wait : dialect_.default_wait;
}

void HintReader::Decide() {
  std::optional<Duration> retry_after = ReadRetryAfter();
  KeepLonger(retry_after, body_.retry_after);
  hint_.throttled = IsRefusalForRate(retry_after.has_value());
  hint_.permanent = body_.permanent;
  if (hint_.throttled || response_.status >= 400) hint_.retry_after = retry_after;
  if (hint_.throttled && !hint_.retry_after && !hint_.permanent) hint_.retry_after = WaitForQuota();
}

}  // namespace

RateLimitHintParser::RateLimitHintParser(std::shared_ptr<const RateLimitDialect> dialect)
    : dialect_(std::move(dialect)), names_(std::make_unique<internal::KnownNames>(*dialect_)) {}

RateLimitHintParser::~RateLimitHintParser() = default;

RateLimitHint RateLimitHintParser::Parse(const http::Response& response,
                                         FunctionRef<SystemTime()> now) const {
  const KnownFields fields(response.headers, *dialect_, *names_);
  const bool with_body = WantsBody(response, *dialect_);
  if (fields.empty() && !with_body && response.status < 400) return {};
  return HintReader(response, fields, now, *dialect_).Read(with_body);
}

RateLimitHint ParseRateLimitHint(const http::Response& response, SystemTime now,
                                 const RateLimitDialect& dialect) {
  const std::shared_ptr<const RateLimitDialect> borrowed(std::shared_ptr<void>(), &dialect);
  return RateLimitHintParser(borrowed).Parse(response, [now] { return now; });
}

}  // namespace understudy
