// What the JSON body of an answer says about rate limits, by the rules of a RateLimitDialect. A
// part of ParseRateLimitHint, which decides when a body is looked at and what counts more.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "middleware/base/time.h"
#include "middleware/resilience/rate_limit_dialect.h"
#include "middleware/resilience/rate_limit_hint.h"

namespace understudy {

struct BodyHints {
  bool throttled = false;
  bool not_throttled = false;
  bool permanent = false;
  bool global = false;
  std::optional<Duration> retry_after = {};  // 0 to kRetryAfterCap; of several the longest.
  // How long until the refused request fits into the quota `cost`.
  std::optional<Duration> cost_wait = {};
  std::string reason = {};
  std::vector<std::string> used_up = {};  // At most kQuotaReportsMax names.
  std::optional<QuotaReport> cost = {};
};

// Any bytes; what is not JSON, larger than kHintBodyBytesMax or deeper than kHintBodyDepthMax says
// nothing. Pure.
BodyHints ReadBodyHints(std::string_view body, const RateLimitDialect& dialect,
                        SystemTime answered_at);

}  // namespace understudy
