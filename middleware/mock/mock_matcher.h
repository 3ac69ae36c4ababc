// MockMatcher: what a request must look like for a route, and how far off another request is.
//
// The parts of a MockRoute that decide, apart from its answers. Paths are templates, never regular
// expressions: a "." in a path means a dot.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "middleware/base/result.h"
#include "middleware/http/form.h"
#include "middleware/mock/mock_request.h"

namespace understudy::internal {

// A request taken apart once, however many routes look at it. Borrows the request, which must
// outlive it; used by one thread.
class MockRequestView {
 public:
  explicit MockRequestView(const MockRequest& seen);
  ~MockRequestView();
  MockRequestView(const MockRequestView&) = delete;
  MockRequestView& operator=(const MockRequestView&) = delete;

  const MockRequest& seen() const { return seen_; }
  // Between the slashes after the first one, percent-decoded; a malformed escape stays as it is.
  const std::vector<std::string>& segments() const { return segments_; }
  const http::FormPairs& query() const { return query_; }
  const http::FormPairs& form() const;
  // nullptr if the body is not JSON, or beyond the bounds of ParseBoundedJson.
  const nlohmann::json* json() const;

 private:
  struct Body;

  const MockRequest& seen_;
  const std::vector<std::string> segments_;
  const http::FormPairs query_;
  const std::unique_ptr<Body> body_;
};

struct MockMatch {
  bool matched = false;
  double distance = 1;  // 0 for a match, up to 1 if nothing fits.
  // "method: expected GET, got POST"; at most MockMatcher::kMismatchesMax.
  std::vector<std::string> mismatches = {};
  std::vector<std::pair<std::string, std::string>> path_parameters = {};
};

// A value: copies are independent. Const functions are thread-safe.
class MockMatcher {
 public:
  static constexpr std::size_t kMismatchesMax = 8;

  using Condition = std::function<bool(const MockRequest&)>;
  enum class Part { kQuery, kHeader, kForm };
  enum class Presence { kEquals, kAny, kAbsent };

  // kInvalidArgument for a method that is not an upper-case token, and for a path that does not
  // start with "/", has a query or a fragment, a malformed escape, a parameter that is only a part
  // of its segment, or one parameter twice.
  static Result<MockMatcher> Create(std::string_view method, std::string_view path);

  // kInvalidArgument for an empty name.
  Result<void> AddField(Part part, std::string_view name, Presence presence,
                        std::string_view value);
  // kInvalidArgument if `text` is not JSON, or beyond the bounds of ParseBoundedJson.
  Result<void> SetJson(std::string_view text);
  void SetBody(std::string_view body);
  // kInvalidArgument if `origin` is not "https://host" or "https://host:port".
  Result<void> SetOrigin(std::string_view origin);
  // kInvalidArgument without a function.
  Result<void> AddCondition(std::string_view what, Condition condition);

  // Conditions are asked last, and only if everything else fits. They are user code: call without a
  // Mutex.
  MockMatch Match(const MockRequestView& request) const;

  // "POST /v1/charges"
  const std::string& name() const { return name_; }
  // The name and every further condition; sensitive values are hidden.
  std::string Describe() const;

 private:
  struct Segment {
    bool parameter = false;
    std::string text = {};  // The parameter's name, or the literal, percent-decoded.
  };
  struct Field {
    Part part = Part::kQuery;
    std::string name = {};
    Presence presence = Presence::kEquals;
    std::string value = {};
  };
  class Findings;

  static Result<Segment> ParseSegment(std::string_view text);
  void CheckPath(const MockRequestView& request, Findings& findings) const;
  void CheckField(const Field& field, const MockRequestView& request, Findings& findings) const;
  void CheckJson(const MockRequestView& request, Findings& findings) const;
  void CheckBody(const MockRequestView& request, Findings& findings) const;
  void CheckConditions(const MockRequestView& request, Findings& findings) const;

  std::string name_;
  std::string method_;
  std::string path_;
  std::vector<Segment> segments_;
  std::vector<Field> fields_;
  std::shared_ptr<const nlohmann::json> json_;
  std::optional<std::string> body_;
  std::optional<std::string> origin_;
  std::vector<std::pair<std::string, Condition>> conditions_;
};

}  // namespace understudy::internal
