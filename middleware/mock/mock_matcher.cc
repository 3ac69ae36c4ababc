#include "middleware/mock/mock_matcher.h"

#include <algorithm>
#include <set>

#include <nlohmann/json.hpp>

#include "middleware/base/text.h"
#include "middleware/http/url.h"
#include "middleware/mock/diagnostic_text.h"

namespace understudy::internal {
namespace {

using nlohmann::json;

// How much each part says about what the client meant: a request for the right path with a wrong
// parameter is nearer than one for another path.
constexpr double kPathWeight = 4;
constexpr double kMethodWeight = 2;
constexpr double kBodyWeight = 2;
constexpr double kFieldWeight = 1;

std::string_view NameOf(MockMatcher::Part part) {
  switch (part) {
    case MockMatcher::Part::kQuery:
      return "query";
    case MockMatcher::Part::kHeader:
      return "header";
    case MockMatcher::Part::kForm:
      return "form";
  }
  return "form";
}

std::vector<std::string> SegmentsOf(std::string_view path) {
  std::vector<std::string> segments;
  for (const std::string_view segment : Split(path.substr(path.empty() ? 0 : 1), '/')) {
    segments.push_back(http::PercentDecode(segment).value_or(std::string(segment)));
  }
  return segments;
}

bool IsName(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  });
}

bool IsMethod(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(),
                                      [](char c) { return (c >= 'A' && c <= 'Z') || c == '-'; });
}

std::vector<std::string_view> ValuesIn(const http::FormPairs& pairs, std::string_view name) {
  std::vector<std::string_view> values;
  for (const auto& [key, value] : pairs) {
    if (key == name) values.emplace_back(value);
  }
  return values;
}

std::string PointerTo(const std::string& parent, std::string_view key) {
  return parent + "/" + EscapePointerToken(key);
}

// Counts the leaves of what is expected and those that the request misses, and says where.
class JsonComparison {
 public:
  explicit JsonComparison(std::vector<std::string>& differences) : differences_(differences) {}

  // Recursion ends with `expected`, whose depth ParseBoundedJson bounds.
  void Compare(const json& expected, const json& actual, const std::string& pointer) {
    if (expected.is_object() && actual.is_object())
      return CompareMembers(expected, actual, pointer);
    ++leaves_;
    if (expected == actual) return;
    ++misses_;
    const bool same_size_arrays =
        expected.is_array() && actual.is_array() && expected.size() == actual.size();
    if (same_size_arrays) return ReportElement(expected, actual, pointer);
    Report(pointer, ShownJson(pointer, expected), ShownJson(pointer, actual));
  }

  double missed() const {
    return leaves_ == 0 ? 0.0 : static_cast<double>(misses_) / static_cast<double>(leaves_);
  }

 private:
  void CompareMembers(const json& expected, const json& actual, const std::string& pointer) {
    for (const auto& [key, value] : expected.items()) {
      const std::string inner = PointerTo(pointer, key);
      const auto member = actual.find(key);
      if (member != actual.end()) {
        Compare(value, *member, inner);
        continue;
      }
      ++leaves_;
      ++misses_;
      Report(inner, ShownJson(inner, value), "nothing");
    }
  }

  // Arrays fit only as a whole; the first element that differs says most.
  void ReportElement(const json& expected, const json& actual, const std::string& pointer) {
    std::size_t i = 0;
    while (expected[i] == actual[i]) ++i;
    const std::string inner = PointerTo(pointer, std::to_string(i));
    Report(inner, ShownJson(inner, expected[i]), ShownJson(inner, actual[i]));
  }

  void Report(const std::string& pointer, const std::string& expected, const std::string& actual) {
    if (differences_.size() >= MockMatcher::kMismatchesMax) return;
    std::string text = "json at " + (pointer.empty() ? "the root" : Quoted(pointer));
    text.append(": expected ").append(expected).append(", got ").append(actual);
    // Two structures that differ only inside look the same when only their size is shown.
    differences_.push_back(expected == actual ? text + " with other values" : std::move(text));
  }

  std::vector<std::string>& differences_;
  std::size_t leaves_ = 0;
  std::size_t misses_ = 0;
};

}  // namespace

struct MockRequestView::Body {
  std::optional<http::FormPairs> form = {};
  std::optional<std::optional<nlohmann::json>> parsed = {};
};

MockRequestView::MockRequestView(const MockRequest& seen)
    : seen_(seen),
      segments_(SegmentsOf(seen.request.url.path())),
      query_(http::ParseForm(seen.request.url.query())),
      body_(std::make_unique<Body>()) {}

MockRequestView::~MockRequestView() = default;

const http::FormPairs& MockRequestView::form() const {
  if (!body_->form) body_->form = http::ParseForm(seen_.request.body);
  return *body_->form;
}

const nlohmann::json* MockRequestView::json() const {
  if (!body_->parsed) body_->parsed = ParseBoundedJson(seen_.request.body);
  return *body_->parsed ? &**body_->parsed : nullptr;
}

// Collects what one Match finds.
class MockMatcher::Findings {
 public:
  // A part that counts `weight` and misses `missed` of it, from 0 (it fits) to 1.
  void Weigh(double weight, double missed) {
    total_ += weight;
    missed_ += weight * missed;
  }
  void Add(std::string mismatch) {
    if (match_.mismatches.size() < kMismatchesMax) match_.mismatches.push_back(std::move(mismatch));
  }
  void Expect(const std::string& what, std::string_view expected, std::string_view actual) {
    std::string text = what;
    Add(text.append(": expected ").append(expected).append(", got ").append(actual));
  }
  bool fits() const { return match_.mismatches.empty(); }
  MockMatch& match() { return match_; }

  MockMatch Finish() && {
    match_.matched = match_.mismatches.empty();
    match_.distance = match_.matched ? 0.0 : missed_ / total_;
    if (!match_.matched) match_.path_parameters.clear();
    return std::move(match_);
  }

 private:
  double total_ = 0;
  double missed_ = 0;
  MockMatch match_ = {};
};

Result<MockMatcher::Segment> MockMatcher::ParseSegment(std::string_view text) {
  if (text.find_first_of("{}") == std::string_view::npos) {
    auto literal = http::PercentDecode(text);
    if (!literal) return InvalidArgument("\"%\" must be followed by two hexadecimal digits");
    return Segment{.text = *std::move(literal)};
  }
  const bool whole = text.front() == '{' && text.back() == '}';
  const std::string_view name = whole ? text.substr(1, text.size() - 2) : std::string_view();
  if (!IsName(name)) {
    return InvalidArgument("segment " + Quoted(text) +
                           ": a parameter is a whole segment such as {id}; use Where for anything "
                           "finer");
  }
  return Segment{.parameter = true, .text = std::string(name)};
}

Result<MockMatcher> MockMatcher::Create(std::string_view method, std::string_view path) {
  const auto bad = [&](const std::string& why) {
    return InvalidArgument("path " + Quoted(path) + ": " + why);
  };
  if (!IsMethod(method)) {
    return InvalidArgument("method " + Quoted(method) +
                           ": write it in upper case, such as \"GET\"");
  }
  if (path.empty() || path.front() != '/') return bad("it must start with \"/\"");
  if (path.find_first_of("?#") != std::string_view::npos) {
    return bad("it must not have a query or a fragment; use WithQuery for parameters");
  }
  MockMatcher matcher;
  matcher.method_ = method;
  matcher.path_ = path;
  matcher.name_ = std::string(method) + " " + Shortened(path);
  std::set<std::string> names;
  for (const std::string_view piece : Split(path.substr(1), '/')) {
    auto segment = ParseSegment(piece);
    if (!segment) return bad(segment.error().message);
    if (segment->parameter && !names.insert(segment->text).second) {
      return bad("the parameter {" + segment->text + "} appears twice");
    }
    matcher.segments_.push_back(*std::move(segment));
  }
  return matcher;
}

Result<void> MockMatcher::AddField(Part part, std::string_view name, Presence presence,
                                   std::string_view value) {
  if (name.empty()) return InvalidArgument(std::string(NameOf(part)) + ": the name is empty");
  fields_.push_back({part, std::string(name), presence, std::string(value)});
  return {};
}

Result<void> MockMatcher::SetJson(std::string_view text) {
  std::optional<json> parsed = ParseBoundedJson(text);
  if (!parsed) return InvalidArgument("WithJson: not JSON, or nested too deep: " + Quoted(text));
  json_ = std::make_shared<const json>(*std::move(parsed));
  return {};
}

void MockMatcher::SetBody(std::string_view body) { body_ = body; }

Result<void> MockMatcher::SetOrigin(std::string_view origin) {
  const Result<http::Url> url = http::Url::Parse(origin);
  if (!url || url->target() != "/" || origin.ends_with('/')) {
    return InvalidArgument("WithOrigin: " + Quoted(origin) +
                           " is not an origin such as \"https://api.example.com\"");
  }
  origin_ = url->origin();
  return {};
}

Result<void> MockMatcher::AddCondition(std::string_view what, Condition condition) {
  if (!condition) return InvalidArgument("Where " + Quoted(what) + ": there is no function");
  conditions_.emplace_back(what, std::move(condition));
  return {};
}

MockMatch MockMatcher::Match(const MockRequestView& request) const {
  Findings findings;
  const http::Request& sent = request.seen().request;
  const bool same_method = sent.method.name() == method_;
  findings.Weigh(kMethodWeight, same_method ? 0 : 1);
  if (!same_method) findings.Expect("method", method_, Shortened(sent.method.name()));
  CheckPath(request, findings);
  if (origin_) {
    const bool same_origin = sent.url.origin() == *origin_;
    findings.Weigh(kFieldWeight, same_origin ? 0 : 1);
    if (!same_origin) findings.Expect("origin", *origin_, Shortened(sent.url.origin()));
  }
  for (const Field& field : fields_) CheckField(field, request, findings);
  if (json_) CheckJson(request, findings);
  if (body_) CheckBody(request, findings);
  CheckConditions(request, findings);
  return std::move(findings).Finish();
}

void MockMatcher::CheckPath(const MockRequestView& request, Findings& findings) const {
  const std::vector<std::string>& actual = request.segments();
  const std::size_t shorter = std::min(actual.size(), segments_.size());
  const std::size_t longer = std::max(actual.size(), segments_.size());
  if (shorter != longer) {
    findings.Expect("path", Quoted(path_), Quoted(request.seen().request.url.path()));
  }
  std::size_t fitting = 0;
  for (std::size_t i = 0; i < shorter; ++i) {
    const Segment& segment = segments_[i];
    if (segment.parameter ? !actual[i].empty() : actual[i] == segment.text) {
      ++fitting;
      if (segment.parameter) {
        findings.match().path_parameters.emplace_back(segment.text, actual[i]);
      }
    } else if (shorter == longer) {
      const std::string expected =
          segment.parameter ? "a {" + segment.text + "}" : Quoted(segment.text);
      findings.Expect("path segment " + std::to_string(i + 1), expected, Quoted(actual[i]));
    }
  }
  findings.Weigh(kPathWeight, 1.0 - static_cast<double>(fitting) / static_cast<double>(longer));
}

void MockMatcher::CheckField(const Field& field, const MockRequestView& request,
                             Findings& findings) const {
  std::vector<std::string_view> values;
  switch (field.part) {
    case Part::kQuery:
      values = ValuesIn(request.query(), field.name);
      break;
    case Part::kForm:
      values = ValuesIn(request.form(), field.name);
      break;
    case Part::kHeader:
      values = request.seen().request.headers.GetAll(field.name);
      break;
  }
  bool fits = field.presence == Presence::kAbsent ? values.empty() : !values.empty();
  if (field.presence == Presence::kEquals) {
    fits = std::find(values.begin(), values.end(), field.value) != values.end();
  }
  findings.Weigh(kFieldWeight, fits ? 0 : 1);
  if (fits) return;
  std::string expected = field.presence == Presence::kAbsent ? "nothing" : "any value";
  if (field.presence == Presence::kEquals) expected = Shown(field.name, field.value);
  const std::string actual =
      values.empty() ? "nothing" : Shown(field.name, std::string_view(values.front()));
  findings.Expect(std::string(NameOf(field.part)) + " " + Shortened(field.name), expected, actual);
}

void MockMatcher::CheckJson(const MockRequestView& request, Findings& findings) const {
  const json* const actual = request.json();
  if (actual == nullptr) {
    findings.Weigh(kBodyWeight, 1);
    const bool empty = request.seen().request.body.empty();
    return findings.Expect("json", Redacted(*json_), empty ? "no body" : "a body that is not JSON");
  }
  std::vector<std::string> differences;
  JsonComparison comparison(differences);
  comparison.Compare(*json_, *actual, "");
  findings.Weigh(kBodyWeight, comparison.missed());
  for (std::string& difference : differences) findings.Add(std::move(difference));
}

void MockMatcher::CheckBody(const MockRequestView& request, Findings& findings) const {
  const std::string& actual = request.seen().request.body;
  const bool fits = actual == *body_;
  findings.Weigh(kBodyWeight, fits ? 0 : 1);
  if (fits) return;
  // Not printed: bodies have no names by which a secret could be told.
  const auto first =
      std::mismatch(actual.begin(), actual.end(), body_->begin(), body_->end()).first;
  findings.Add("body: expected " + std::to_string(body_->size()) + " bytes, got " +
               std::to_string(actual.size()) + "; they differ from byte " +
               std::to_string(first - actual.begin()));
}

void MockMatcher::CheckConditions(const MockRequestView& request, Findings& findings) const {
  if (conditions_.empty() || !findings.fits()) return;
  MockRequest with_parameters = request.seen();
  with_parameters.path_parameters = findings.match().path_parameters;
  with_parameters.route = name_;
  for (const auto& [what, condition] : conditions_) {
    const bool fits = condition(with_parameters);
    findings.Weigh(kFieldWeight, fits ? 0 : 1);
    if (!fits) findings.Add("where " + Quoted(what) + ": it does not hold");
  }
}

std::string MockMatcher::Describe() const {
  std::string text = name_;
  for (const Field& field : fields_) {
    text.append(", ").append(NameOf(field.part)).append(" ").append(Shortened(field.name));
    if (field.presence == Presence::kEquals)
      text.append(" ").append(Shown(field.name, field.value));
    if (field.presence == Presence::kAny) text.append(" of any value");
    if (field.presence == Presence::kAbsent) text.append(" absent");
  }
  if (origin_) text.append(", origin ").append(*origin_);
  if (json_) text.append(", json ").append(Redacted(*json_));
  if (body_) text.append(", body of ").append(std::to_string(body_->size())).append(" bytes");
  for (const auto& condition : conditions_) text.append(", where ").append(Quoted(condition.first));
  return text;
}

}  // namespace understudy::internal
