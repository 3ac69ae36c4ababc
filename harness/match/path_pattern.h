// PathPattern: what the path (or path and query) of a request must be. Inner working of
// RequestMatcher and RouteIndex.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "harness/match/findings.h"
#include "harness/match/prepared_request.h"
#include "harness/match/request_match.h"
#include "middleware/base/result.h"

namespace re2 {
class RE2;
}

namespace understudy::harness {

// Immutable; thread-safe; cheap to copy but for a template's segments.
class PathPattern {
 public:
  enum class Kind { kAny, kTemplate, kExact, kRegex, kTarget, kTargetRegex };

  struct Segment {
    bool parameter = false;
    std::string text = {};  // The parameter's name, or the literal, percent-decoded.
  };

  // The one of `path`, `path_exact`, `path_regex`, `target` and `target_regex` that is given; kAny
  // without one. kInvalidArgument for several, and for a malformed one.
  static Result<PathPattern> Compile(const RequestMatch& spec);

  Kind kind() const { return kind_; }
  const std::vector<Segment>& segments() const { return segments_; }  // Of a kTemplate.
  const std::string& text() const { return text_; }                   // As written; "*" for kAny.
  bool HasParameter(std::string_view name) const;

  // `captures`: does somebody need the captures although the match is a quick one?
  void Check(const PreparedRequest& request, bool captures, Findings& findings) const;

 private:
  Result<void> ParseTemplate();
  Result<void> ParseRegex(std::string_view key);
  void CheckTemplate(const PreparedRequest& request, bool captures, Findings& findings) const;
  void CheckRegex(std::string_view subject, bool captures, Findings& findings) const;
  void CheckText(std::string_view subject, Findings& findings) const;
  void Tell(bool fits, double missed, std::string_view subject, Findings& findings) const;

  Kind kind_ = Kind::kAny;
  std::string text_ = "*";
  std::vector<Segment> segments_;
  std::shared_ptr<const re2::RE2> regex_;
};

}  // namespace understudy::harness
