// BodyCheck: the conditions on the body of a request. Inner working of RequestMatcher.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "harness/match/field_check.h"
#include "harness/match/findings.h"
#include "harness/match/json_path.h"
#include "harness/match/json_schema.h"
#include "harness/match/prepared_request.h"
#include "harness/match/request_match.h"
#include "harness/match/value_predicate.h"
#include "middleware/base/result.h"

namespace understudy::harness {

// Immutable; thread-safe.
class BodyCheck {
 public:
  static constexpr std::size_t kDepthMax = 200;       // Of a JSON value to compare with.
  static constexpr std::size_t kWorkMax = 1'000'000;  // Values compared for one json_equal.

  BodyCheck();
  BodyCheck(BodyCheck&&) noexcept;
  BodyCheck& operator=(BodyCheck&&) noexcept;
  ~BodyCheck();

  // kInvalidArgument, naming the key, for malformed JSON, conditions, paths and schemas.
  static Result<BodyCheck> Compile(const RequestMatch& spec);

  // Stops at the first mismatch if the findings are quick.
  void Check(const PreparedRequest& request, Findings& findings) const;

 private:
  struct JsonParts;
  struct PathRow {
    JsonPath path;
    FieldCheck check;
  };

  Result<void> CompileJson(const RequestMatch& spec);
  Result<void> CompilePaths(const RequestMatch& spec);
  void CheckBytes(const PreparedRequest& request, Findings& findings) const;
  void CheckSubset(const PreparedRequest& request, Findings& findings) const;
  void CheckEqual(const PreparedRequest& request, Findings& findings) const;
  void CheckPaths(const PreparedRequest& request, Findings& findings) const;
  void CheckSchema(const PreparedRequest& request, Findings& findings) const;

  std::optional<ValuePredicate> text_;
  std::optional<std::string> body_;
  std::unique_ptr<const JsonParts> json_;
  std::vector<PathRow> paths_;
  std::optional<JsonSchema> schema_;
};

}  // namespace understudy::harness
