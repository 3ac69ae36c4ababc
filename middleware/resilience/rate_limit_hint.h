// RateLimitHint: what one answer of a vendor says about its rate limits, whatever the vendor's way
// of saying it.
//
//   const RateLimitHint hint = ParseRateLimitHint(response, clock.SystemNow(), dialect);
//   if (hint.retry_after) limiter.BlockUntil(hint.scope, clock.Now() + *hint.retry_after);
//   for (const QuotaReport& quota : hint.quotas) quotas.Merge(quota, clock.Now());
//
// All durations count from the moment of the answer. They are values, not times: whoever keeps one
// adds it to the monotonic clock on receipt, so that it decays and no clock can be set.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "middleware/base/function_ref.h"
#include "middleware/base/time.h"
#include "middleware/http/response.h"
#include "middleware/resilience/rate_limit_dialect.h"

namespace understudy {

inline constexpr std::size_t kQuotaReportsMax = 16;
// Of names and scopes; longer ones are cut, and quotas whose cut names are equal are merged.
inline constexpr std::size_t kQuotaNameMax = 64;
inline constexpr std::size_t kHintBodyBytesMax = std::size_t{64} * 1024;
inline constexpr int kHintBodyDepthMax = 32;

// One quota as the answer reports it. What is not there was not said, or was malformed.
struct QuotaReport {
  // "core", "requests", "tokens"; empty if the vendor has one quota and no name for it.
  std::string name = {};
  // 0 to kQuotaCountMax. A limit of 0 together with nothing left is not reported as a limit: that
  // is a refusal of the moment (Okta's limit of concurrent requests), not a size.
  std::optional<std::int64_t> limit = {};
  // Never negative; 0 means used up.
  std::optional<std::int64_t> remaining = {};
  // When it is full again; of one that is used up, when at least one request fits. 0 to
  // kRetryAfterCap. If the quota is used up and the answer does not say, the dialect's wait.
  std::optional<Duration> reset_after = {};
  // Its length, or the time in which a leaky bucket runs empty. More than zero.
  std::optional<Duration> window = {};

  bool operator==(const QuotaReport&) const = default;
};

// A value type.
struct RateLimitHint {
  // Nothing may be sent in `scope` before that: as Retry-After or a body says (the longer), and for
  // a refusal for rate also as the resets of the used-up quotas say (the longest; of all quotas
  // that do not tell what is left, if none is known to be used up), else as the dialect says. 0 to
  // kRetryAfterCap. Of an answer that is no refusal, a Retry-After is not taken for a limit (a 202
  // means by it when to poll), and a used-up quota is only in `quotas`.
  std::optional<Duration> retry_after = {};
  bool throttled = false;  // This answer is a refusal for rate.
  bool permanent = false;  // The quota is used up for good: repeating never helps.
  // What Stripe-Should-Retry, x-should-retry say.
  std::optional<bool> should_retry = {};
  // Which of the vendor's limits this is about: Discord's bucket, GitHub's resource. Empty: the
  // vendor did not say, or it is global. Printable ASCII.
  std::string scope = {};
  bool global = false;                   // The refusal is about everything, not about one scope.
  std::vector<QuotaReport> quotas = {};  // At most kQuotaReportsMax; names are unique.

  bool operator==(const RateLimitHint&) const = default;
};

// What the answer says, read as `dialect` says. `now` is the wall clock at the receipt of the
// answer, and is used only if it has no Date of its own: an absolute time is compared with the
// vendor's clock.
//
// Total over any bytes, no errors: a malformed field is ignored as if it were not there (RFC 9110
// 10.2.3; draft-ietf-httpapi-ratelimit-headers 10, section 4). Names compare without case. Of
// repeated fields the more careful one counts: the longest wait, the smallest number left. Nothing
// that was asked for is ever rounded down.
//
// Bodies are looked at if the status is 400 or above, or if a 2xx has one of the dialect's
// success_markers; up to kHintBodyBytesMax bytes and kHintBodyDepthMax levels, larger ones are
// ignored as a whole.
//
// Pure, thread-safe. A 2xx with nothing of interest does not allocate.
RateLimitHint ParseRateLimitHint(const http::Response& response, SystemTime now,
                                 const RateLimitDialect& dialect);

namespace internal {
class KnownNames;
}  // namespace internal

// The same for many answers of one vendor: what can be prepared from the dialect is.
//
//   const RateLimitHintParser parser(dialect);
//   const RateLimitHint hint = parser.Parse(response, [&] { return clock.SystemNow(); });
//
// Immutable and thread-safe.
class RateLimitHintParser {
 public:
  explicit RateLimitHintParser(std::shared_ptr<const RateLimitDialect> dialect);
  ~RateLimitHintParser();
  RateLimitHintParser(const RateLimitHintParser&) = delete;
  RateLimitHintParser& operator=(const RateLimitHintParser&) = delete;

  // `now` is called at most once, and only for what can be a time: hardly ever for a 2xx.
  RateLimitHint Parse(const http::Response& response, FunctionRef<SystemTime()> now) const;

 private:
  const std::shared_ptr<const RateLimitDialect> dialect_;
  const std::unique_ptr<const internal::KnownNames> names_;
};

}  // namespace understudy
