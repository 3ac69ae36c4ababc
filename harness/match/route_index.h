// RouteIndex: finds the first of many routes that a request fits, without trying them all.
//
//   const RouteIndex index({{matcher_a, 1}, {matcher_b, 0}});
//   if (const auto route = index.Find(PreparedRequest(request))) Serve(*route);   // *route is 0 or
//   1
//
// The first is the one with the smallest priority number, and of equal ones the one declared first.
// Templates are kept in a trie of segments, exact paths in a table, and expressions in one
// automaton for all of them, so that a request is tried only against routes whose path fits. Routes
// without a condition on the path are always tried.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <vector>

#include "harness/match/request_matcher.h"
#include "middleware/base/function_ref.h"

namespace understudy::harness {

// Immutable; thread-safe. Movable.
class RouteIndex {
 public:
  static constexpr int kDefaultPriority = 5;

  struct Route {
    RequestMatcher matcher;
    int priority = kDefaultPriority;
  };

  explicit RouteIndex(std::vector<Route> routes);
  ~RouteIndex();
  RouteIndex(RouteIndex&&) noexcept;
  RouteIndex& operator=(RouteIndex&&) noexcept;

  // The index of the route in the list that was given.
  std::optional<std::size_t> Find(const PreparedRequest& request) const;
  // As above, of the routes that `accepts`: it is asked of those that the request fits, in order,
  // until it says yes. For what is not in the request, such as the state of a route.
  std::optional<std::size_t> Find(const PreparedRequest& request,
                                  FunctionRef<bool(std::size_t)> accepts) const;

  // How many routes would be tried for a request that fits none of them.
  std::size_t CountCandidates(const PreparedRequest& request) const;

 private:
  class Tables;

  std::unique_ptr<const Tables> tables_;
};

}  // namespace understudy::harness
