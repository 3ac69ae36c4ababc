// CacheControl: what the Cache-Control header field of a message says (RFC 9111 section 5.2,
// RFC 5861).
//
//   const CacheControl control = ParseCacheControl(response.headers);
//   if (control.no_store) return;
//   if (control.max_age) lifetime = *control.max_age;
//
// The parser accepts any bytes, and what it cannot understand never makes a cache more willing:
//
//   - names compare without case; an argument may be a token or a quoted string (5.2)
//   - a count of seconds that is too large is taken as 2^31 (1.2.2)
//   - an unusable max-age ("-1", "1.5", "soon", none), or two that differ, mean zero: the response
//     is stale (4.2.1); an unusable min-fresh means as much as possible
//   - an unusable s-maxage, max-stale, stale-while-revalidate or stale-if-error is as good as none,
//     and of two the shorter counts
//   - a quote that is not closed hides nothing: `x="a, no-store` says no-store
//   - a list of field names in no-cache="..." is ignored, so the whole response needs validation,
//     which 5.2.2.4 allows
//   - more than 128 directives mean no-store
#pragma once

#include <optional>

#include "middleware/base/time.h"
#include "middleware/http/headers.h"

namespace understudy {

// The largest count of seconds: 2^31 (RFC 9111 section 1.2.2).
inline constexpr Duration kCacheSecondsMax = std::chrono::seconds(2'147'483'648);

// Directives of requests and responses alike. All durations are 0 to kCacheSecondsMax.
struct CacheControl {
  bool no_store = false;
  bool no_cache = false;
  std::optional<Duration> max_age = {};
  std::optional<Duration> stale_if_error = {};

  // Only in requests.
  std::optional<Duration> min_fresh = {};
  std::optional<Duration> max_stale = {};  // Without argument: Duration::max(), any staleness.
  bool only_if_cached = false;

  // Only in responses.
  bool must_revalidate = false;
  bool must_understand = false;
  bool is_public = false;
  bool is_private = false;
  std::optional<Duration> s_maxage = {};  // For shared caches only; a private one ignores it.
  std::optional<Duration> stale_while_revalidate = {};

  bool operator==(const CacheControl&) const = default;
};

// All Cache-Control fields of a message. Pure; takes time proportional to their length.
CacheControl ParseCacheControl(const http::Headers& headers);

}  // namespace understudy
