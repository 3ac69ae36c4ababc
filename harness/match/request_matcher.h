// RequestMatcher: says whether a request fits a description, and if not, how far it is off and why.
//
//   auto matcher = RequestMatcher::Compile({.method = "GET", .path = "/v1/orders/{id}"});
//   if (!matcher) return matcher.error();
//   const MatchResult result = matcher->Match(request);
//   if (!result.matched) log(matcher->Explain(result));   // "method: expected GET, got POST"
//
// A match is never a bare bool: a request that fits nothing is shown next to the route it nearly
// fitted (see near_miss.h). To find one of many routes, use RouteIndex.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "harness/match/match_result.h"
#include "harness/match/path_pattern.h"
#include "harness/match/prepared_request.h"
#include "harness/match/request_match.h"
#include "middleware/base/result.h"
#include "middleware/http/request.h"

namespace understudy::harness {

// Immutable and cheap to copy; thread-safe.
class RequestMatcher {
 public:
  static constexpr std::size_t kMismatchesMax = 20;
  static constexpr std::size_t kNestingMax = 16;  // Of all_of, any_of and none_of.

  // kInvalidArgument, with what is wrong and what to write instead, for: a method that is not an
  // upper-case token; a path that does not start with "/", has a query or a parameter that is only
  // part of a segment, or names a parameter twice; several kinds of path; an expression that RE2
  // refuses; an unknown or malformed condition, JSONPath or JSON Schema; malformed JSON; a path
  // parameter that the path has not.
  static Result<RequestMatcher> Compile(const RequestMatch& spec);

  MatchResult Match(const http::Request& request) const;
  // For one request against many matchers: query and body are read once.
  MatchResult Match(const PreparedRequest& request, MatchDetail detail = MatchDetail::kFull) const;
  // Match(...).matched, as fast as it goes.
  bool Fits(const PreparedRequest& request) const;

  // "GET /v1/orders/{id}", with "*" for an open method or path.
  std::string Describe() const;
  // "GET /v1/orders/{id}: method: expected GET, got POST; query limit: expected \"10\", got
  // nothing"
  std::string Explain(const MatchResult& result) const;

  // What RouteIndex sorts routes by. The path is kAny, and the methods are empty, where any fits.
  const PathPattern& path() const;
  const std::vector<std::string>& methods() const;

 private:
  class Compiled;
  explicit RequestMatcher(std::shared_ptr<const Compiled> compiled);
  static Result<RequestMatcher> Compile(const RequestMatch& spec, std::size_t depth);

  std::shared_ptr<const Compiled> compiled_;
};

}  // namespace understudy::harness
