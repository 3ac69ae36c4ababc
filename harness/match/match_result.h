// MatchResult: whether a request fits a description, and if not, how far it is off and why.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace understudy::harness {

enum class RequestPart {
  kMethod,
  kPath,
  kQuery,
  kHeader,
  kJson,
  kHost,
  kPathParameter,
  kCookie,
  kForm,
  kText,
  kBody,
  kJsonPath,
  kJsonSchema,
  kAnyOf,
  kNoneOf,
};

// "method", "path", "query", "header", "json", "host", "path parameter", "cookie", "form", "text",
// "body", "json_path", "json_schema", "any_of", "none_of"
std::string_view ToString(RequestPart part);

// One reason why a request does not fit. `key` is a parameter or header name, a JSON pointer or a
// JSONPath.
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
  // With MatchDetail::kReport: what fits, in the same shape. At most as many.
  std::vector<Mismatch> fitting = {};
};

enum class MatchDetail {
  kFull,    // Every mismatch, with its text and the distance.
  kQuick,   // Stops at the first mismatch and says only its part; a miss has distance 1, a match no
            // captures.
  kReport,  // As kFull, and with `fitting`.
};

}  // namespace understudy::harness
