// RateLimitDialect: how one vendor says its rate limits, as data: which headers, in which units,
// which codes in a body, and how long to wait when it says nothing.
//
//   const RateLimitDialect dialect =
//       RateLimitDialect::ForVendor("github").value_or(RateLimitDialect::Generic());
//   const RateLimitHint hint = ParseRateLimitHint(response, clock.SystemNow(), dialect);
//
//   RateLimitDialect mine;   // A vendor of one's own: nothing but what is set here is looked at.
//   mine.quotas = {{.limit = "X-Quota", .remaining = "X-Quota-Left", .reset = "X-Quota-Reset",
//                   .reset_form = ResetForm::kDeltaSeconds}};
//
// Header names compare without case. Retry-After (and retry-after-ms) is always looked at. The
// facts stand in reference vendors 2.1; where a vendor says nothing and a wait had to be chosen,
// the table says so.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "middleware/base/problems.h"
#include "middleware/base/time.h"
#include "middleware/resilience/rate_limit_value.h"

namespace understudy {

// One quota in headers of its own. An empty name of a header: the vendor has none for it.
struct QuotaHeaders {
  std::string name = {};         // QuotaReport::name.
  std::string name_header = {};  // Its value is the name instead, if it is there.
  std::string limit = {};        // Also "100, 100;w=60" (IETF drafts before 06).
  std::string remaining = {};
  std::string used = {};  // Together with `limit` as good as `remaining`.
  std::string reset = {};
  ResetForm reset_form = ResetForm::kAuto;
  std::string reset_after = {};  // A delay in seconds; wins over `reset`: no clock is involved.
  std::string window_ms = {};    // The length of the window in milliseconds.
  // The length when the vendor has it only in its documentation; zero: unknown.
  Duration window = {};
  // When the quota is used up and no reset is there: this, else RateLimitDialect::default_wait.
  std::optional<Duration> default_wait = {};
  // Limit 0 with remaining 0 is another limit than this one (Okta: requests at the same time), to
  // be reported under this name. Empty: under its own.
  std::string zero_limit_name = {};
};

// "25/5000": used and limit in one value.
struct UsageHeader {
  std::string name = {};
  std::string header = {};
  // "api-usage": only this one of "api-usage=25/5000; per-app-api-usage=17/250(appName=a)". Empty:
  // the value is one pair.
  std::string key = {};
  // A leaky bucket that runs empty in this time: one unit leaks every `leak_time / limit`, which is
  // how long to wait when it is full. Zero: it does not leak, and has no reset.
  Duration leak_time = {};
  Duration window = {};  // As QuotaHeaders::window.
};

// "total=100; remaining=99; resets=41", resets in seconds.
struct ParameterHeaders {
  std::string prefix =
      {};  // Of the header's name; what follows is the quota's name, in lower case.
  std::string limit_key = {};
  std::string remaining_key = {};
  std::string reset_key = {};
};

struct HeaderValue {
  std::string header = {};
  std::string value = {};  // Without case.
  bool operator==(const HeaderValue&) const = default;
};

// How long to wait after a refusal for this reason if nothing in the answer says it.
struct ReasonWait {
  std::string reason = {};
  Duration wait = {};
};

// One fact that a JSON body may hold.
struct BodyRule {
  enum class Effect {
    kThrottled,     // A refusal for rate, whatever the status.
    kNotThrottled,  // Not one, even if the status is 429. Wins over kThrottled.
    kPermanent,     // Refused, and repeating never helps.
    kGlobal,        // RateLimitHint::global.
    kReason,        // The value is a reason for `reason_waits`.
    kRetryAfter,    // The value is a delay, in `form`; as good as the header.
    kRetryAt,       // `text` is followed by a point in time.
    kUsedUp,        // The value is the name of a quota that is used up.
  };
  // Where: member names behind slashes, `*` for each element of a list: "/errors/*/code".
  std::string path = {};
  Effect effect = Effect::kThrottled;
  // What: a string, number or boolean with this text; empty: any value.
  std::string text = {};
  bool contains = false;  // `text` is a part of the value, without case.
  ResetForm form = ResetForm::kDeltaSeconds;
};

// A cost in points, as GraphQL servers count it (all are numbers); empty: none.
struct CostBody {
  std::string name = {};
  std::string requested = {};  // Paths as in BodyRule, without `*`.
  std::string maximum = {};
  std::string available = {};
  std::string restored_per_second = {};
};

// A plain value; copying copies a few dozen strings, so keep it beside the client.
struct RateLimitDialect {
  std::string name = {};  // "github"; for messages.

  std::vector<QuotaHeaders> quotas = {};
  std::vector<UsageHeader> usages = {};
  std::vector<ParameterHeaders> parameters = {};
  // RateLimit and RateLimit-Policy of the IETF drafts 03 to 10 (structured fields).
  bool ietf_fields = false;

  // Retry-After may have a fraction ("2.0"), which RFC 9110 does not allow.
  bool fractional_retry_after = false;
  // "true" or "false"; if several are there, "false" wins.
  std::vector<std::string> should_retry_headers = {};
  // Its value is RateLimitHint::scope.
  std::string scope_header = {};
  // Each makes the hint global.
  std::vector<HeaderValue> global_when = {};
  // Its value is a reason for `reason_waits`.
  std::string reason_header = {};
  std::vector<ReasonWait> reason_waits = {};

  // Refusals for rate, unless the body says no (BodyRule::Effect::kNotThrottled).
  std::vector<int> throttling_statuses = {429};
  // Refusals for rate if the answer has a Retry-After or a quota that is used up.
  std::vector<int> ambiguous_statuses = {403};

  std::vector<BodyRule> body_rules = {};
  std::optional<CostBody> cost = {};
  // The body of a 2xx is looked at only if it has one of these (exact bytes): GraphQL and some
  // others refuse with 200.
  std::vector<std::string> success_markers = {};

  // When a quota is used up, or the answer is a refusal for rate, and nothing says for how long.
  // nullopt: not known, the caller's back-off decides.
  std::optional<Duration> default_wait = {};

  // One of Vendors(); nullopt for any other name.
  static std::optional<RateLimitDialect> ForVendor(std::string_view vendor);
  // In alphabetical order.
  static std::span<const std::string_view> Vendors();
  // What a vendor of which nothing is known most likely means: the IETF fields of all drafts,
  // X-RateLimit-*, X-Rate-Limit-* and RateLimit-* with resets by their shape, and the same for
  // requests and tokens as model vendors count them.
  static RateLimitDialect Generic();
};

// Everything that would make the parser misbehave or miss what it should see.
Problems FindProblems(const RateLimitDialect& dialect);

}  // namespace understudy
