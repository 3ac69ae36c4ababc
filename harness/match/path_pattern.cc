#include "harness/match/path_pattern.h"

#include <algorithm>
#include <set>
#include <utility>

#include <re2/re2.h>

#include "middleware/base/text.h"

namespace understudy::harness {
namespace {

bool IsName(std::string_view text) {
  const auto is_letter = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
  };
  return !text.empty() && is_letter(text.front()) &&
         std::all_of(text.begin(), text.end(),
                     [&](char c) { return is_letter(c) || (c >= '0' && c <= '9'); });
}

Result<PathPattern::Segment> ParseSegment(std::string_view text) {
  if (text.find_first_of("{}") == std::string_view::npos) {
    auto literal = http::PercentDecode(text);
    if (!literal) return InvalidArgument("\"%\" must be followed by two hexadecimal digits");
    return PathPattern::Segment{.text = *std::move(literal)};
  }
  const bool whole = text.front() == '{' && text.back() == '}';
  const std::string_view name = whole ? text.substr(1, text.size() - 2) : std::string_view();
  if (!IsName(name)) {
    return InvalidArgument("segment \"" + std::string(text) +
                           "\": a parameter is a whole segment such as {id}; use path_regex for "
                           "anything finer");
  }
  return PathPattern::Segment{.parameter = true, .text = std::string(name)};
}

}  // namespace

Result<PathPattern> PathPattern::Compile(const RequestMatch& spec) {
  const std::pair<Kind, const std::optional<std::string>*> given[] = {
      {Kind::kTemplate, &spec.path},
      {Kind::kExact, &spec.path_exact},
      {Kind::kRegex, &spec.path_regex},
      {Kind::kTarget, &spec.target},
      {Kind::kTargetRegex, &spec.target_regex}};
  PathPattern pattern;
  for (const auto& [kind, text] : given) {
    if (!*text) continue;
    if (pattern.kind_ != Kind::kAny) {
      return InvalidArgument(
          "two of path, path_exact, path_regex, target and target_regex are given; keep one");
    }
    pattern.kind_ = kind;
    pattern.text_ = **text;
  }
  const bool literal = pattern.kind_ == Kind::kExact || pattern.kind_ == Kind::kTarget;
  if (literal && (pattern.text_.empty() || pattern.text_.front() != '/')) {
    return InvalidArgument("path " + Quoted(pattern.text_) + ": it must start with \"/\"");
  }
  if (pattern.kind_ == Kind::kTemplate) UNDERSTUDY_RETURN_IF_ERROR(pattern.ParseTemplate());
  if (pattern.kind_ == Kind::kRegex) UNDERSTUDY_RETURN_IF_ERROR(pattern.ParseRegex("path_regex"));
  if (pattern.kind_ == Kind::kTargetRegex) {
    UNDERSTUDY_RETURN_IF_ERROR(pattern.ParseRegex("target_regex"));
  }
  return pattern;
}

Result<void> PathPattern::ParseTemplate() {
  const auto bad = [&](const std::string& why) {
    return InvalidArgument("path " + Quoted(text_) + ": " + why);
  };
  if (text_.empty() || text_.front() != '/') return bad("it must start with \"/\"");
  if (text_.find_first_of("?#") != std::string::npos) {
    return bad("it must not have a query or fragment; use \"query\" for parameters");
  }
  std::set<std::string> names;
  for (const std::string_view piece : Split(std::string_view(text_).substr(1), '/')) {
    auto segment = ParseSegment(piece);
    if (!segment) return bad(segment.error().message);
    if (segment->parameter && !names.insert(segment->text).second) {
      return bad("the parameter {" + segment->text + "} appears twice");
    }
    segments_.push_back(*std::move(segment));
  }
  return {};
}

Result<void> PathPattern::ParseRegex(std::string_view key) {
  regex_ = std::make_shared<const re2::RE2>(text_, re2::RE2::Quiet);
  if (regex_->ok()) return {};
  return InvalidArgument(std::string(key) + " " + Quoted(text_) + ": " + regex_->error() +
                         " (RE2 syntax: no look-around, no back-references)");
}

bool PathPattern::HasParameter(std::string_view name) const {
  return std::any_of(segments_.begin(), segments_.end(), [&](const Segment& segment) {
    return segment.parameter && segment.text == name;
  });
}

void PathPattern::Check(const PreparedRequest& request, bool captures, Findings& findings) const {
  switch (kind_) {
    case Kind::kAny:
      return;
    case Kind::kTemplate:
      return CheckTemplate(request, captures, findings);
    case Kind::kExact:
      return CheckText(request.request().url.path(), findings);
    case Kind::kRegex:
      return CheckRegex(request.request().url.path(), captures, findings);
    case Kind::kTarget:
      return CheckText(request.request().url.target(), findings);
    case Kind::kTargetRegex:
      return CheckRegex(request.request().url.target(), captures, findings);
  }
}

void PathPattern::CheckTemplate(const PreparedRequest& request, bool captures,
                                Findings& findings) const {
  const std::vector<std::string_view>& actual = request.segments();
  if (findings.quick() && actual.size() != segments_.size()) {
    return findings.Miss(RequestPart::kPath);
  }
  std::size_t fitting = 0;
  for (std::size_t i = 0; i < std::min(actual.size(), segments_.size()); ++i) {
    const Segment& segment = segments_[i];
    if (segment.parameter ? !actual[i].empty() : actual[i] == segment.text) {
      ++fitting;
    } else if (findings.quick()) {
      return findings.Miss(RequestPart::kPath);
    }
  }
  const std::size_t longer = std::max(actual.size(), segments_.size());
  const bool fits = fitting == longer;
  Tell(fits, 1.0 - static_cast<double>(fitting) / static_cast<double>(longer),
       request.request().url.path(), findings);
  if (!fits || (findings.quick() && !captures)) return;
  for (std::size_t i = 0; i < longer; ++i) {
    if (segments_[i].parameter) findings.Capture(segments_[i].text, std::string(actual[i]));
  }
}

void PathPattern::CheckRegex(std::string_view subject, bool captures, Findings& findings) const {
  const bool wanted = captures || !findings.quick();
  std::vector<re2::StringPiece> groups(
      wanted ? static_cast<std::size_t>(regex_->NumberOfCapturingGroups()) + 1U : 0U);
  const bool fits =
      regex_->Match({subject.data(), subject.size()}, 0, subject.size(), re2::RE2::ANCHOR_BOTH,
                    groups.data(), static_cast<int>(groups.size()));
  Tell(fits, fits ? 0 : 1, subject, findings);
  if (!fits || !wanted) return;
  for (const auto& [name, index] : regex_->NamedCapturingGroups()) {
    const re2::StringPiece& group = groups[static_cast<std::size_t>(index)];
    findings.Capture(name, std::string(group.data(), group.size()));
  }
}

void PathPattern::CheckText(std::string_view subject, Findings& findings) const {
  const bool fits = subject == text_;
  if (fits || findings.quick()) return Tell(fits, 0, subject, findings);
  // As far off as the share of segments that differ.
  const auto wanted = Split(text_, '/');
  const auto actual = Split(subject, '/');
  std::size_t same = 0;
  for (std::size_t i = 1; i < std::min(wanted.size(), actual.size()); ++i) {
    if (wanted[i] == actual[i]) ++same;
  }
  const auto longer = static_cast<double>(std::max(wanted.size(), actual.size()) - 1);
  Tell(false, 1.0 - static_cast<double>(same) / std::max(longer, 1.0), subject, findings);
}

void PathPattern::Tell(bool fits, double missed, std::string_view subject,
                       Findings& findings) const {
  findings.Weigh(kPathWeight, missed);
  if (findings.quick()) {
    if (!fits) findings.Miss(RequestPart::kPath);
    return;
  }
  if (fits && !findings.reports()) return;
  Mismatch told{RequestPart::kPath, "", Shortened(text_), Shortened(std::string(subject))};
  if (fits) {
    findings.Fit(std::move(told));
  } else {
    findings.Add(std::move(told));
  }
}

}  // namespace understudy::harness
