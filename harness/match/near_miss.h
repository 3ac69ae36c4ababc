// Near misses: which routes a request nearly fitted, and a diff that shows in what it did not.
//
//   for (const NearMiss& miss : FindNearMisses(matchers, prepared)) {
//     std::cerr << RenderDiff(matchers[miss.route], miss.result);
//   }
//
//   POST /v1/orders (distance 0.29)
//                    expected                 actual
//     method         POST                     POST
//   ! path           /v1/orders               /v1/order
//   ! query limit    "10"                     nothing
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "harness/match/request_matcher.h"

namespace understudy::harness {

struct NearMiss {
  std::size_t route = 0;    // Index into the matchers.
  MatchResult result = {};  // With what fits as well (MatchDetail::kReport).
};

inline constexpr std::size_t kNearMissesMax = 3;

// The `limit` matchers with the smallest distance, the nearest first; of equal ones the earlier
// first. A matcher that fits is left out. Pure; matches the request in full against each of them,
// so it is for requests that no route has answered.
std::vector<NearMiss> FindNearMisses(std::span<const RequestMatcher> matchers,
                                     const PreparedRequest& request,
                                     std::size_t limit = kNearMissesMax);

// Several lines, each ended by "\n": the route, and a row per part; "!" marks what differs. `title`
// stands instead of the matcher's description if it is not empty. Bounded: at most 2 *
// RequestMatcher::kMismatchesMax rows of a few hundred bytes. Line breaks within values are
// escaped.
std::string RenderDiff(const RequestMatcher& matcher, const MatchResult& result,
                       const std::string& title = {});

}  // namespace understudy::harness
