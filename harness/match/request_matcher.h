// RequestMatcher: says whether a request fits a description, and if not, how far it is off and why.
//
//   auto matcher = RequestMatcher::Compile({.method = "GET", .path = "/v1/orders/{id}"});
//   if (!matcher) return matcher.error();
//   const MatchResult result = matcher->Match(request);
//   if (!result.matched) log(matcher->Explain(result));   // "method: expected GET, got POST"
//
// A match is never a bare bool: a request that fits nothing is shown next to the route it nearly
// fitted.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "harness/match/prepared_request.h"
#include "middleware/base/result.h"
#include "middleware/http/request.h"

namespace understudy::harness {

// A condition on the values of one query parameter or header. It holds if at least one value of
// that name fits.
struct FieldMatch {
  std::string name = {};
  // Serialised JSON: a scalar for equality ("\"open\""), or an object with regex, any_of, not, gte
  // or lte as ValuePredicate reads it, or {"absent": true} / {"absent": false}.
  std::string predicate = {};

  // Exactly this text.
  static FieldMatch Equals(std::string_view name, std::string_view value);
};

// What a request must look like. Everything that is not given matches anything.
struct RequestMatch {
  std::optional<std::string> method = {};  // Case-sensitive (RFC 9110 section 9.1), e.g. "GET".
  // "/v1/orders/{id}": {name} stands for one non-empty segment and captures it, percent-decoded.
  std::optional<std::string> path = {};
  // RE2 over the path as sent (percent-encoded), anchored at both ends; named groups are captured.
  std::optional<std::string> path_regex = {};
  std::vector<FieldMatch> query = {};
  std::vector<FieldMatch> headers = {};
  // Serialised JSON. Every given object member must be there and fit, others may be there too;
  // arrays and scalars must be equal.
  std::optional<std::string> json = {};
};

enum class RequestPart { kMethod, kPath, kQuery, kHeader, kJson };

std::string_view ToString(RequestPart part);  // "method", "path", "query", "header", "json"

// One reason why a request does not fit. `key` is a parameter or header name or a JSON pointer.
struct Mismatch {
  RequestPart part = RequestPart::kMethod;
  std::string key = {};
  std::string expected = {};
  std::string actual = {};

  std::string ToString() const;  // "query limit: expected \"10\", got nothing"
};

struct MatchResult {
  bool matched = false;
  double distance = 1.0;  // 0 for a match, up to 1 for a request that fits in no part.
  std::vector<Mismatch> mismatches = {};  // At most RequestMatcher::kMismatchesMax.
  std::vector<std::pair<std::string, std::string>> captures = {};
};

enum class MatchDetail {
  kFull,   // Every mismatch, with its text and the distance.
  kQuick,  // Stops at the first mismatch and says only its part; a miss has distance 1, a match no
           // captures.
};

// Immutable and cheap to copy; thread-safe.
class RequestMatcher {
 public:
  static constexpr std::size_t kMismatchesMax = 20;

  // kInvalidArgument, with what is wrong and what to write instead, for: a method that is not an
  // upper-case token; a path that does not start with "/", has a query or a parameter that is only
  // part of a segment, or names a parameter twice; both path and path_regex; an expression that RE2
  // refuses; an unknown or malformed condition; malformed JSON.
  static Result<RequestMatcher> Compile(const RequestMatch& spec);

  MatchResult Match(const http::Request& request) const;
  // For one request against many matchers: query and body are read once.
  MatchResult Match(const PreparedRequest& request, MatchDetail detail = MatchDetail::kFull) const;

  // "GET /v1/orders/{id}", with "*" for an open method or path.
  std::string Describe() const;
  // "GET /v1/orders/{id}: method: expected GET, got POST; query limit: expected \"10\", got
  // nothing"
  std::string Explain(const MatchResult& result) const;

 private:
  class Compiled;
  explicit RequestMatcher(std::shared_ptr<const Compiled> compiled);

  std::shared_ptr<const Compiled> compiled_;
};

}  // namespace understudy::harness
