#include "harness/match/request_matcher.h"

#include <algorithm>
#include <set>

#include <nlohmann/json.hpp>
#include <re2/re2.h>

#include "harness/match/value_predicate.h"
#include "middleware/base/text.h"

namespace understudy::harness {
namespace {

using nlohmann::json;

// How much each part says about what the client meant: a request for the right path with a wrong
// parameter is nearer than one for another path.
constexpr double kPathWeight = 4;
constexpr double kMethodWeight = 2;
constexpr double kFieldWeight = 1;
constexpr double kJsonWeight = 2;

constexpr std::size_t kShownBytesMax = 200;

std::string Compact(const json& value) {
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

std::string Shortened(std::string text) {
  if (text.size() <= kShownBytesMax) return text;
  text.resize(kShownBytesMax);
  return text.append("...");
}

std::string Quoted(std::string_view text) { return Shortened(Compact(json(std::string(text)))); }

// A value of the request's body. Structured ones are not printed: their depth is the client's
// choice.
std::string Shown(const json& value) {
  if (value.is_object()) return "an object with " + std::to_string(value.size()) + " members";
  if (value.is_array()) return "an array of " + std::to_string(value.size());
  return Shortened(Compact(value));
}

std::string PointerTo(const std::string& parent, std::string_view key) {
  return parent + "/" + EscapePointerToken(key);
}

bool IsName(std::string_view text) {
  const auto is_letter = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
  };
  return !text.empty() && is_letter(text.front()) &&
         std::all_of(text.begin(), text.end(),
                     [&](char c) { return is_letter(c) || (c >= '0' && c <= '9'); });
}

// Collects what one Match finds. `stop` tells the caller to look no further.
class Findings {
 public:
  explicit Findings(MatchDetail detail) : quick_(detail == MatchDetail::kQuick) {}

  bool quick() const { return quick_; }
  bool stop() const { return quick_ && !result_.mismatches.empty(); }

  // `missed` of a part that counts `weight`: from 0 (it fits) to 1.
  void Weigh(double weight, double missed) {
    total_ += weight;
    missed_ += weight * missed;
  }
  void Add(Mismatch mismatch) {
    if (result_.mismatches.size() < RequestMatcher::kMismatchesMax) {
      result_.mismatches.push_back(std::move(mismatch));
    }
  }
  void Capture(std::string name, std::string value) {
    result_.captures.emplace_back(std::move(name), std::move(value));
  }

  MatchResult Finish() && {
    result_.matched = result_.mismatches.empty();
    if (!result_.matched) result_.captures.clear();
    result_.distance = result_.matched ? 0.0 : (quick_ || total_ <= 0 ? 1.0 : missed_ / total_);
    return std::move(result_);
  }

 private:
  const bool quick_;
  double total_ = 0;
  double missed_ = 0;
  MatchResult result_ = {};
};

class PathTemplate {
 public:
  static Result<PathTemplate> Parse(const std::string& text);

  void Check(const PreparedRequest& request, Findings& findings) const;

 private:
  struct Segment {
    bool parameter = false;
    std::string text = {};  // The parameter's name, or the literal, percent-decoded.
  };

  static Result<Segment> ParseSegment(std::string_view text);
  std::size_t CountFitting(const std::vector<std::string>& actual) const;

  std::string text_;
  std::vector<Segment> segments_;
};

Result<PathTemplate::Segment> PathTemplate::ParseSegment(std::string_view text) {
  if (text.find_first_of("{}") == std::string_view::npos) {
    auto literal = http::PercentDecode(text);
    if (!literal) return InvalidArgument("\"%\" must be followed by two hexadecimal digits");
    return Segment{.text = *std::move(literal)};
  }
  const bool whole = text.front() == '{' && text.back() == '}';
  const std::string_view name = whole ? text.substr(1, text.size() - 2) : std::string_view();
  if (!IsName(name)) {
    return InvalidArgument("segment \"" + std::string(text) +
                           "\": a parameter is a whole segment such as {id}; use path_regex for "
                           "anything finer");
  }
  return Segment{.parameter = true, .text = std::string(name)};
}

Result<PathTemplate> PathTemplate::Parse(const std::string& text) {
  const auto bad = [&](const std::string& why) {
    return InvalidArgument("path " + Quoted(text) + ": " + why);
  };
  if (text.empty() || text.front() != '/') return bad("it must start with \"/\"");
  if (text.find_first_of("?#") != std::string::npos) {
    return bad("it must not have a query or fragment; use \"query\" for parameters");
  }
  PathTemplate parsed;
  parsed.text_ = text;
  std::set<std::string> names;
  for (const std::string_view piece : Split(std::string_view(text).substr(1), '/')) {
    auto segment = ParseSegment(piece);
    if (!segment) return bad(segment.error().message);
    if (segment->parameter && !names.insert(segment->text).second) {
      return bad("the parameter {" + segment->text + "} appears twice");
    }
    parsed.segments_.push_back(*std::move(segment));
  }
  return parsed;
}

std::size_t PathTemplate::CountFitting(const std::vector<std::string>& actual) const {
  std::size_t fitting = 0;
  for (std::size_t i = 0; i < std::min(actual.size(), segments_.size()); ++i) {
    const Segment& segment = segments_[i];
    if (segment.parameter ? !actual[i].empty() : actual[i] == segment.text) ++fitting;
  }
  return fitting;
}

void PathTemplate::Check(const PreparedRequest& request, Findings& findings) const {
  const std::vector<std::string>& actual = request.segments();
  const std::size_t fitting = CountFitting(actual);
  const std::size_t longer = std::max(actual.size(), segments_.size());
  if (fitting == longer) {
    findings.Weigh(kPathWeight, 0);
    for (std::size_t i = 0; !findings.quick() && i < longer; ++i) {
      if (segments_[i].parameter) findings.Capture(segments_[i].text, actual[i]);
    }
    return;
  }
  findings.Weigh(kPathWeight, 1.0 - static_cast<double>(fitting) / static_cast<double>(longer));
  if (findings.quick()) return findings.Add({.part = RequestPart::kPath});
  findings.Add(
      {RequestPart::kPath, "", text_, Shortened(std::string(request.request().url.path()))});
}

class PathRegex {
 public:
  static Result<PathRegex> Parse(const std::string& text) {
    auto regex = std::make_shared<const re2::RE2>(text, re2::RE2::Quiet);
    if (!regex->ok()) {
      return InvalidArgument("path_regex " + Quoted(text) + ": " + regex->error() +
                             " (RE2 syntax: no look-around, no back-references)");
    }
    return PathRegex(std::move(regex));
  }

  void Check(const PreparedRequest& request, Findings& findings) const {
    const std::string_view path = request.request().url.path();
    std::vector<re2::StringPiece> groups(
        findings.quick() ? 1U : static_cast<std::size_t>(regex_->NumberOfCapturingGroups()) + 1U);
    const bool fits =
        regex_->Match({path.data(), path.size()}, 0, path.size(), re2::RE2::ANCHOR_BOTH,
                      groups.data(), findings.quick() ? 0 : static_cast<int>(groups.size()));
    findings.Weigh(kPathWeight, fits ? 0 : 1);
    if (!fits) {
      if (findings.quick()) return findings.Add({.part = RequestPart::kPath});
      return findings.Add(
          {RequestPart::kPath, "", regex_->pattern(), Shortened(std::string(path))});
    }
    if (findings.quick()) return;
    for (const auto& [name, index] : regex_->NamedCapturingGroups()) {
      const re2::StringPiece& group = groups[static_cast<std::size_t>(index)];
      findings.Capture(name, std::string(group.data(), group.size()));
    }
  }

  const std::string& pattern() const { return regex_->pattern(); }

 private:
  explicit PathRegex(std::shared_ptr<const re2::RE2> regex) : regex_(std::move(regex)) {}

  std::shared_ptr<const re2::RE2> regex_;
};

// The condition on one query parameter or header.
class FieldCheck {
 public:
  static Result<FieldCheck> Parse(RequestPart part, const FieldMatch& spec);

  const std::string& name() const { return name_; }
  void Check(const std::vector<std::string_view>& values, Findings& findings) const;

 private:
  enum class Presence { kValue, kAbsent, kPresent };

  static Result<Presence> ParseAbsent(const json& spec);
  bool Fits(const std::vector<std::string_view>& values) const;
  std::string Expected() const;

  RequestPart part_ = RequestPart::kQuery;
  std::string name_;
  Presence presence_ = Presence::kValue;
  std::optional<ValuePredicate> predicate_;  // For kValue.
};

Result<FieldCheck::Presence> FieldCheck::ParseAbsent(const json& spec) {
  const json& absent = spec.at("absent");
  if (spec.size() != 1 || !absent.is_boolean()) {
    return InvalidArgument("write {\"absent\": true} or {\"absent\": false}, alone");
  }
  return absent.get<bool>() ? Presence::kAbsent : Presence::kPresent;
}

Result<FieldCheck> FieldCheck::Parse(RequestPart part, const FieldMatch& spec) {
  const auto bad = [&](const std::string& why) {
    return InvalidArgument(std::string(ToString(part)) + " " + Quoted(spec.name) + ": " + why);
  };
  if (spec.name.empty()) return bad("the name is empty");
  const json predicate = json::parse(spec.predicate, nullptr, false);
  if (predicate.is_discarded()) return bad("the condition is not JSON: " + Quoted(spec.predicate));
  FieldCheck check;
  check.part_ = part;
  check.name_ = spec.name;
  if (predicate.is_object() && predicate.contains("absent")) {
    const auto presence = ParseAbsent(predicate);
    if (!presence) return bad(presence.error().message);
    check.presence_ = *presence;
    return check;
  }
  auto compiled = ValuePredicate::Compile(predicate);
  if (!compiled) return bad(compiled.error().message);
  check.predicate_ = *std::move(compiled);
  return check;
}

bool FieldCheck::Fits(const std::vector<std::string_view>& values) const {
  if (presence_ == Presence::kAbsent) return values.empty();
  if (presence_ == Presence::kPresent) return !values.empty();
  return std::any_of(values.begin(), values.end(),
                     [&](std::string_view value) { return predicate_->MatchesText(value); });
}

std::string FieldCheck::Expected() const {
  if (presence_ == Presence::kAbsent) return "nothing";
  if (presence_ == Presence::kPresent) return "any value";
  return Shortened(predicate_->Describe());
}

void FieldCheck::Check(const std::vector<std::string_view>& values, Findings& findings) const {
  const bool fits = Fits(values);
  findings.Weigh(kFieldWeight, fits ? 0 : 1);
  if (fits) return;
  if (findings.quick()) return findings.Add({.part = part_});
  std::string actual;
  for (const std::string_view value : values) {
    actual.append(actual.empty() ? "" : ", ").append(Quoted(value));
  }
  findings.Add({part_, name_, Expected(), actual.empty() ? "nothing" : Shortened(actual)});
}

// How many leaves `expected` has and how many of them `actual` misses.
class JsonSubset {
 public:
  explicit JsonSubset(Findings& findings) : findings_(findings) {}

  void Compare(const json& expected, const json& actual, const std::string& pointer) {
    if (findings_.stop()) return;
    if (expected.is_object() && actual.is_object()) {
      for (const auto& [key, value] : expected.items()) {
        CompareMember(value, actual, key, pointer);
      }
      if (expected.empty()) ++leaves_;
      return;
    }
    ++leaves_;
    if (expected != actual) Miss(expected, Shown(actual), pointer);
  }

  double missed() const {
    return leaves_ == 0 ? 0.0 : static_cast<double>(misses_) / static_cast<double>(leaves_);
  }

 private:
  void CompareMember(const json& value, const json& actual, const std::string& key,
                     const std::string& pointer) {
    const auto member = actual.find(key);
    if (member != actual.end()) return Compare(value, *member, PointerTo(pointer, key));
    ++leaves_;
    Miss(value, "nothing", PointerTo(pointer, key));
  }

  void Miss(const json& expected, std::string actual, const std::string& pointer) {
    ++misses_;
    findings_.Add({RequestPart::kJson, pointer, Shortened(Compact(expected)), std::move(actual)});
  }

  Findings& findings_;
  std::size_t leaves_ = 0;
  std::size_t misses_ = 0;
};

void CheckJson(const json& expected, const PreparedRequest& request, Findings& findings) {
  const json* const actual = request.json();
  if (actual == nullptr) {
    findings.Weigh(kJsonWeight, 1);
    const bool empty = request.request().body.empty();
    return findings.Add({RequestPart::kJson, "", Shortened(Compact(expected)),
                         empty ? "no body" : "a body that is not JSON"});
  }
  JsonSubset subset(findings);
  subset.Compare(expected, *actual, "");
  findings.Weigh(kJsonWeight, subset.missed());
}

bool IsUpperCaseToken(std::string_view text) {
  constexpr std::string_view kSpecial = "!#$%&'*+-.^_`|~";
  return !text.empty() && std::all_of(text.begin(), text.end(), [&](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           kSpecial.find(c) != std::string_view::npos;
  });
}

}  // namespace

std::string_view ToString(RequestPart part) {
  switch (part) {
    case RequestPart::kMethod:
      return "method";
    case RequestPart::kPath:
      return "path";
    case RequestPart::kQuery:
      return "query";
    case RequestPart::kHeader:
      return "header";
    case RequestPart::kJson:
      return "json";
  }
  return "unknown";
}

FieldMatch FieldMatch::Equals(std::string_view name, std::string_view value) {
  return {std::string(name), Compact(json(std::string(value)))};
}

std::string Mismatch::ToString() const {
  std::string text(harness::ToString(part));
  if (!key.empty()) text.append(" ").append(key);
  return text.append(": expected ").append(expected).append(", got ").append(actual);
}

class RequestMatcher::Compiled {
 public:
  static Result<Compiled> From(const RequestMatch& spec);

  MatchResult Match(const PreparedRequest& request, MatchDetail detail) const;
  std::string Describe() const;

 private:
  Result<void> SetPath(const RequestMatch& spec);
  Result<void> SetFields(const RequestMatch& spec);
  void CheckMethod(const http::Request& request, Findings& findings) const;
  void CheckFields(const PreparedRequest& request, Findings& findings) const;

  std::optional<std::string> method_;
  std::string described_path_ = "*";
  std::optional<PathTemplate> path_;
  std::optional<PathRegex> path_regex_;
  std::vector<FieldCheck> query_;
  std::vector<FieldCheck> headers_;
  std::optional<json> json_;
};

Result<void> RequestMatcher::Compiled::SetPath(const RequestMatch& spec) {
  if (spec.path && spec.path_regex) {
    return InvalidArgument("path and path_regex are both given; keep one");
  }
  if (spec.path) {
    UNDERSTUDY_ASSIGN_OR_RETURN(path_, PathTemplate::Parse(*spec.path));
    described_path_ = *spec.path;
  }
  if (spec.path_regex) {
    UNDERSTUDY_ASSIGN_OR_RETURN(path_regex_, PathRegex::Parse(*spec.path_regex));
    described_path_ = *spec.path_regex;
  }
  return {};
}

Result<void> RequestMatcher::Compiled::SetFields(const RequestMatch& spec) {
  for (const FieldMatch& field : spec.query) {
    UNDERSTUDY_ASSIGN_OR_RETURN(auto check, FieldCheck::Parse(RequestPart::kQuery, field));
    query_.push_back(std::move(check));
  }
  for (const FieldMatch& field : spec.headers) {
    UNDERSTUDY_ASSIGN_OR_RETURN(auto check, FieldCheck::Parse(RequestPart::kHeader, field));
    headers_.push_back(std::move(check));
  }
  return {};
}

Result<RequestMatcher::Compiled> RequestMatcher::Compiled::From(const RequestMatch& spec) {
  Compiled compiled;
  if (spec.method && !IsUpperCaseToken(*spec.method)) {
    return InvalidArgument("method " + Quoted(*spec.method) +
                           ": methods are case-sensitive; write it as sent, e.g. \"GET\"");
  }
  compiled.method_ = spec.method;
  UNDERSTUDY_RETURN_IF_ERROR(compiled.SetPath(spec));
  UNDERSTUDY_RETURN_IF_ERROR(compiled.SetFields(spec));
  if (spec.json) {
    compiled.json_ = json::parse(*spec.json, nullptr, false);
    if (compiled.json_->is_discarded()) {
      return InvalidArgument("json: the expected body is not JSON: " + Quoted(*spec.json));
    }
  }
  return compiled;
}

void RequestMatcher::Compiled::CheckMethod(const http::Request& request, Findings& findings) const {
  if (!method_) return;
  const bool fits = *method_ == request.method.name();
  findings.Weigh(kMethodWeight, fits ? 0 : 1);
  if (fits) return;
  if (findings.quick()) return findings.Add({.part = RequestPart::kMethod});
  findings.Add({RequestPart::kMethod, "", *method_, Shortened(std::string(request.method.name()))});
}

void RequestMatcher::Compiled::CheckFields(const PreparedRequest& request,
                                           Findings& findings) const {
  for (const FieldCheck& check : query_) {
    std::vector<std::string_view> values;
    for (const auto& [name, value] : request.query()) {
      if (name == check.name()) values.push_back(value);
    }
    check.Check(values, findings);
    if (findings.stop()) return;
  }
  for (const FieldCheck& check : headers_) {
    check.Check(request.request().headers.GetAll(check.name()), findings);
    if (findings.stop()) return;
  }
}

MatchResult RequestMatcher::Compiled::Match(const PreparedRequest& request,
                                            MatchDetail detail) const {
  Findings findings(detail);
  CheckMethod(request.request(), findings);
  if (path_ && !findings.stop()) path_->Check(request, findings);
  if (path_regex_ && !findings.stop()) path_regex_->Check(request, findings);
  if (!findings.stop()) CheckFields(request, findings);
  if (json_ && !findings.stop()) CheckJson(*json_, request, findings);
  return std::move(findings).Finish();
}

std::string RequestMatcher::Compiled::Describe() const {
  return method_.value_or("*") + " " + described_path_;
}

RequestMatcher::RequestMatcher(std::shared_ptr<const Compiled> compiled)
    : compiled_(std::move(compiled)) {}

Result<RequestMatcher> RequestMatcher::Compile(const RequestMatch& spec) {
  UNDERSTUDY_ASSIGN_OR_RETURN(auto compiled, Compiled::From(spec));
  return RequestMatcher(std::make_shared<const Compiled>(std::move(compiled)));
}

MatchResult RequestMatcher::Match(const http::Request& request) const {
  return Match(PreparedRequest(request), MatchDetail::kFull);
}

MatchResult RequestMatcher::Match(const PreparedRequest& request, MatchDetail detail) const {
  return compiled_->Match(request, detail);
}

std::string RequestMatcher::Describe() const { return compiled_->Describe(); }

std::string RequestMatcher::Explain(const MatchResult& result) const {
  if (result.matched) return Describe() + ": matches";
  std::string text = Describe();
  std::string_view separator = ": ";
  for (const Mismatch& mismatch : result.mismatches) {
    text.append(separator).append(mismatch.ToString());
    separator = "; ";
  }
  return text;
}

}  // namespace understudy::harness
