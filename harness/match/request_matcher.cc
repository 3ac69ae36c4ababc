#include "harness/match/request_matcher.h"

#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>

#include <nlohmann/json.hpp>

#include "harness/match/body_check.h"
#include "harness/match/field_check.h"
#include "harness/match/findings.h"

namespace understudy::harness {
namespace {

using nlohmann::json;

bool IsUpperCaseToken(std::string_view text) {
  constexpr std::string_view kSpecial = "!#$%&'*+-.^_`|~";
  return !text.empty() && std::all_of(text.begin(), text.end(), [&](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           kSpecial.find(c) != std::string_view::npos;
  });
}

template <typename Pairs>
std::vector<std::string_view> ValuesOf(const Pairs& pairs, std::string_view name) {
  std::vector<std::string_view> values;
  for (const auto& [key, value] : pairs) {
    if (key == name) values.push_back(value);
  }
  return values;
}

}  // namespace

static_assert(RequestMatcher::kMismatchesMax == kMismatchesMax);

class RequestMatcher::Compiled {
 public:
  static Result<Compiled> From(const RequestMatch& spec, std::size_t depth);

  void Check(const PreparedRequest& request, Findings& findings) const;
  std::string Describe() const;
  const PathPattern& path() const { return path_; }
  const std::vector<std::string>& methods() const { return methods_; }

 private:
  using Fields = std::vector<FieldCheck>;

  static Result<Fields> CompileFields(RequestPart part, const std::vector<FieldMatch>& specs);
  Result<void> SetMethods(const RequestMatch& spec);
  Result<void> SetFields(const RequestMatch& spec);
  Result<void> SetNested(const RequestMatch& spec, std::size_t depth);
  void CheckMethod(const http::Request& request, Findings& findings) const;
  void CheckPathParameters(Findings& findings) const;
  void CheckQuery(const PreparedRequest& request, Findings& findings) const;
  void CheckHeaders(const PreparedRequest& request, Findings& findings) const;
  void CheckNested(const PreparedRequest& request, Findings& findings) const;
  void CheckAnyOf(const PreparedRequest& request, Findings& findings) const;

  std::vector<std::string> methods_;
  PathPattern path_;
  std::optional<FieldCheck> host_;
  Fields path_parameters_;
  Fields query_;
  bool query_exact_ = false;
  Fields headers_;
  Fields cookies_;
  Fields form_;
  BodyCheck body_;
  std::vector<RequestMatcher> all_of_;
  std::vector<RequestMatcher> any_of_;
  std::vector<RequestMatcher> none_of_;
};

Result<RequestMatcher::Compiled::Fields> RequestMatcher::Compiled::CompileFields(
    RequestPart part, const std::vector<FieldMatch>& specs) {
  Fields fields;
  for (const FieldMatch& spec : specs) {
    UNDERSTUDY_ASSIGN_OR_RETURN(auto check, FieldCheck::Parse(part, spec));
    fields.push_back(std::move(check));
  }
  return fields;
}

Result<void> RequestMatcher::Compiled::SetMethods(const RequestMatch& spec) {
  if (spec.method && !spec.methods.empty()) {
    return InvalidArgument("method and methods are both given; keep one");
  }
  methods_ = spec.methods;
  if (spec.method) methods_.push_back(*spec.method);
  for (const std::string& method : methods_) {
    if (IsUpperCaseToken(method)) continue;
    return InvalidArgument("method " + Quoted(method) +
                           ": methods are case-sensitive; write it as sent, e.g. \"GET\"");
  }
  return {};
}

Result<void> RequestMatcher::Compiled::SetFields(const RequestMatch& spec) {
  UNDERSTUDY_ASSIGN_OR_RETURN(path_parameters_,
                              CompileFields(RequestPart::kPathParameter, spec.path_parameters));
  for (const FieldMatch& field : spec.path_parameters) {
    if (path_.HasParameter(field.name)) continue;
    return InvalidArgument("path parameter " + Quoted(field.name) + ": the path has no {" +
                           field.name + "}");
  }
  UNDERSTUDY_ASSIGN_OR_RETURN(query_, CompileFields(RequestPart::kQuery, spec.query));
  query_exact_ = spec.query_exact;
  UNDERSTUDY_ASSIGN_OR_RETURN(headers_, CompileFields(RequestPart::kHeader, spec.headers));
  UNDERSTUDY_ASSIGN_OR_RETURN(cookies_, CompileFields(RequestPart::kCookie, spec.cookies));
  UNDERSTUDY_ASSIGN_OR_RETURN(form_, CompileFields(RequestPart::kForm, spec.form));
  if (spec.host) {
    UNDERSTUDY_ASSIGN_OR_RETURN(auto host,
                                FieldCheck::Parse(RequestPart::kHost, {"of the URL", *spec.host}));
    host_ = std::move(host);
  }
  return {};
}

Result<void> RequestMatcher::Compiled::SetNested(const RequestMatch& spec, std::size_t depth) {
  const auto set = [&](std::string_view key, const std::vector<RequestMatch>& specs,
                       std::vector<RequestMatcher>& out) -> Result<void> {
    if (!specs.empty() && depth >= kNestingMax) {
      return InvalidArgument(std::string(key) + ": nested too deeply");
    }
    for (const RequestMatch& inner : specs) {
      auto compiled = RequestMatcher::Compile(inner, depth + 1);
      if (!compiled) return InvalidArgument(std::string(key) + ": " + compiled.error().message);
      out.push_back(*std::move(compiled));
    }
    return {};
  };
  UNDERSTUDY_RETURN_IF_ERROR(set("all_of", spec.all_of, all_of_));
  UNDERSTUDY_RETURN_IF_ERROR(set("any_of", spec.any_of, any_of_));
  return set("none_of", spec.none_of, none_of_);
}

Result<RequestMatcher::Compiled> RequestMatcher::Compiled::From(const RequestMatch& spec,
                                                                std::size_t depth) {
  Compiled compiled;
  UNDERSTUDY_RETURN_IF_ERROR(compiled.SetMethods(spec));
  UNDERSTUDY_ASSIGN_OR_RETURN(compiled.path_, PathPattern::Compile(spec));
  UNDERSTUDY_RETURN_IF_ERROR(compiled.SetFields(spec));
  UNDERSTUDY_ASSIGN_OR_RETURN(compiled.body_, BodyCheck::Compile(spec));
  UNDERSTUDY_RETURN_IF_ERROR(compiled.SetNested(spec, depth));
  return compiled;
}

void RequestMatcher::Compiled::CheckMethod(const http::Request& request, Findings& findings) const {
  if (methods_.empty()) return;
  const std::string_view name = request.method.name();
  const bool fits = std::find(methods_.begin(), methods_.end(), name) != methods_.end();
  findings.Weigh(kMethodWeight, fits ? 0 : 1);
  if (findings.quick()) {
    if (!fits) findings.Miss(RequestPart::kMethod);
    return;
  }
  if (fits && !findings.reports()) return;
  std::string expected;
  for (const std::string& method : methods_) {
    expected.append(expected.empty() ? "" : " or ").append(method);
  }
  Mismatch told{RequestPart::kMethod, "", Shortened(expected), Shortened(std::string(name))};
  if (fits) return findings.Fit(std::move(told));
  findings.Add(std::move(told));
}

void RequestMatcher::Compiled::CheckPathParameters(Findings& findings) const {
  for (const FieldCheck& check : path_parameters_) {
    if (findings.stop()) return;
    std::vector<std::string_view> values;
    if (const std::string* const value = findings.FindCapture(check.name())) {
      values.push_back(*value);
    }
    check.Check(values, findings);
  }
}

void RequestMatcher::Compiled::CheckQuery(const PreparedRequest& request,
                                          Findings& findings) const {
  if (query_.empty() && !query_exact_) return;
  for (const FieldCheck& check : query_) {
    check.Check(ValuesOf(request.query(), check.name()), findings);
    if (findings.stop()) return;
  }
  if (!query_exact_) return;
  for (const auto& [name, value] : request.query()) {
    const std::string& asked = name;
    const bool known = std::any_of(query_.begin(), query_.end(),
                                   [&](const FieldCheck& check) { return check.name() == asked; });
    if (known) continue;
    findings.Weigh(kFieldWeight, 1);
    findings.Miss(RequestPart::kQuery);
    if (findings.quick()) return;
    findings.Add({RequestPart::kQuery, Shortened(name), "nothing", Quoted(value)});
  }
}

void RequestMatcher::Compiled::CheckHeaders(const PreparedRequest& request,
                                            Findings& findings) const {
  for (const FieldCheck& check : headers_) {
    if (findings.stop()) return;
    check.Check(request.request().headers.GetAll(check.name()), findings);
  }
  for (const FieldCheck& check : cookies_) {
    if (findings.stop()) return;
    check.Check(ValuesOf(request.cookies(), check.name()), findings);
  }
  for (const FieldCheck& check : form_) {
    if (findings.stop()) return;
    check.Check(ValuesOf(request.form(), check.name()), findings);
  }
}

// The nearest of the alternatives says what is missing.
void RequestMatcher::Compiled::CheckAnyOf(const PreparedRequest& request,
                                          Findings& findings) const {
  const bool fits = std::any_of(any_of_.begin(), any_of_.end(), [&](const RequestMatcher& matcher) {
    return matcher.Fits(request);
  });
  if (findings.quick()) {
    if (!fits) findings.Miss(RequestPart::kAnyOf);
    return;
  }
  const std::string expected = "one of " + std::to_string(any_of_.size()) + " alternatives";
  if (fits) {
    findings.Weigh(kFieldWeight, 0);
    return findings.Fit({RequestPart::kAnyOf, "", expected, "one that fits"});
  }
  MatchResult nearest;
  for (const RequestMatcher& matcher : any_of_) {
    MatchResult result = matcher.Match(request);
    if (nearest.mismatches.empty() || result.distance < nearest.distance) {
      nearest = std::move(result);
    }
  }
  findings.Weigh(kFieldWeight, nearest.distance);
  findings.Add({RequestPart::kAnyOf, "", expected, "none; the nearest lacks:"});
  for (Mismatch& mismatch : nearest.mismatches) findings.Add(std::move(mismatch));
}

void RequestMatcher::Compiled::CheckNested(const PreparedRequest& request,
                                           Findings& findings) const {
  for (const RequestMatcher& matcher : all_of_) {
    if (findings.stop()) return;
    matcher.compiled_->Check(request, findings);
  }
  if (!any_of_.empty() && !findings.stop()) CheckAnyOf(request, findings);
  for (const RequestMatcher& matcher : none_of_) {
    if (findings.stop()) return;
    const bool fits = matcher.Fits(request);
    findings.Weigh(kFieldWeight, fits ? 1 : 0);
    if (fits) findings.Miss(RequestPart::kNoneOf);
    if (!fits || findings.quick()) continue;
    findings.Add({RequestPart::kNoneOf, "", "not " + matcher.Describe(), "a request that fits it"});
  }
}

// The cheap parts first: most routes differ in them.
void RequestMatcher::Compiled::Check(const PreparedRequest& request, Findings& findings) const {
  CheckMethod(request.request(), findings);
  if (findings.stop()) return;
  path_.Check(request, !path_parameters_.empty(), findings);
  if (findings.stop()) return;
  if (host_) host_->CheckOne(request.request().url.host(), findings);
  CheckPathParameters(findings);
  if (findings.stop()) return;
  CheckQuery(request, findings);
  if (findings.stop()) return;
  CheckHeaders(request, findings);
  if (findings.stop()) return;
  body_.Check(request, findings);
  if (findings.stop()) return;
  CheckNested(request, findings);
}

std::string RequestMatcher::Compiled::Describe() const {
  std::string text;
  for (const std::string& method : methods_) text.append(text.empty() ? "" : "|").append(method);
  return (text.empty() ? "*" : text) + " " + path_.text();
}

RequestMatcher::RequestMatcher(std::shared_ptr<const Compiled> compiled)
    : compiled_(std::move(compiled)) {}

Result<RequestMatcher> RequestMatcher::Compile(const RequestMatch& spec) {
  return Compile(spec, 0);
}

Result<RequestMatcher> RequestMatcher::Compile(const RequestMatch& spec, std::size_t depth) {
  UNDERSTUDY_ASSIGN_OR_RETURN(auto compiled, Compiled::From(spec, depth));
  return RequestMatcher(std::make_shared<const Compiled>(std::move(compiled)));
}

MatchResult RequestMatcher::Match(const http::Request& request) const {
  return Match(PreparedRequest(request), MatchDetail::kFull);
}

MatchResult RequestMatcher::Match(const PreparedRequest& request, MatchDetail detail) const {
  Findings findings(detail);
  compiled_->Check(request, findings);
  MatchResult result = std::move(findings).Finish();
  if (detail == MatchDetail::kQuick) result.captures.clear();
  return result;
}

bool RequestMatcher::Fits(const PreparedRequest& request) const {
  Findings findings(MatchDetail::kQuick);
  compiled_->Check(request, findings);
  return findings.fits();
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

const PathPattern& RequestMatcher::path() const { return compiled_->path(); }

const std::vector<std::string>& RequestMatcher::methods() const { return compiled_->methods(); }

}  // namespace understudy::harness
