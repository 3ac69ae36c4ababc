#include "harness/match/body_check.h"

#include <algorithm>
#include <utility>

#include <nlohmann/json.hpp>

#include "harness/match/json_compare.h"
#include "middleware/base/text.h"

namespace understudy::harness {

using nlohmann::json;

struct BodyCheck::JsonParts {
  std::optional<json> subset = {};
  std::optional<json> equal = {};
  JsonCompare::Options options = {};
};

namespace {

constexpr std::string_view kNoJson = "a body that is not JSON";

Result<json> ParseExpected(std::string_view key, const std::string& text) {
  json parsed = json::parse(text, nullptr, false);
  if (parsed.is_discarded()) {
    return InvalidArgument(std::string(key) + ": the expected body is not JSON: " + Quoted(text));
  }
  if (DeeperThan(parsed, BodyCheck::kDepthMax)) {
    return InvalidArgument(std::string(key) + ": the expected body is nested too deeply");
  }
  return parsed;
}

std::string Kind(const PreparedRequest& request) {
  return request.request().body.empty() ? "no body" : std::string(kNoJson);
}

// Bytes for people: as text if they are printable, else in hexadecimal.
std::string ShownBytes(std::string_view bytes) {
  constexpr std::size_t kBytesMax = 64;
  const std::string size = std::to_string(bytes.size()) + " bytes";
  if (bytes.empty()) return "no body";
  const bool printable = std::all_of(bytes.begin(), bytes.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return (byte >= 0x20 && byte < 0x7f) || c == '\n' || c == '\r' || c == '\t';
  });
  if (printable) return size + " " + Quoted(bytes);
  return size + " " + HexEncode(bytes.substr(0, kBytesMax)) +
         (bytes.size() > kBytesMax ? "..." : "");
}

}  // namespace

BodyCheck::BodyCheck() = default;
BodyCheck::BodyCheck(BodyCheck&&) noexcept = default;
BodyCheck& BodyCheck::operator=(BodyCheck&&) noexcept = default;
BodyCheck::~BodyCheck() = default;

Result<BodyCheck> BodyCheck::Compile(const RequestMatch& spec) {
  BodyCheck check;
  check.body_ = spec.body;
  if (spec.text) {
    const json condition = json::parse(*spec.text, nullptr, false);
    if (condition.is_discarded()) {
      return InvalidArgument("text: the condition is not JSON: " + Quoted(*spec.text));
    }
    if (DeeperThan(condition, kDepthMax)) return InvalidArgument("text: nested too deeply");
    auto compiled = ValuePredicate::Compile(condition);
    if (!compiled) return InvalidArgument("text: " + compiled.error().message);
    check.text_ = *std::move(compiled);
  }
  UNDERSTUDY_RETURN_IF_ERROR(check.CompileJson(spec));
  UNDERSTUDY_RETURN_IF_ERROR(check.CompilePaths(spec));
  if (spec.json_schema) {
    auto compiled = JsonSchema::Compile(*spec.json_schema);
    if (!compiled) return InvalidArgument("json_schema: " + compiled.error().message);
    check.schema_ = *std::move(compiled);
  }
  return check;
}

Result<void> BodyCheck::CompileJson(const RequestMatch& spec) {
  if (!spec.json && !spec.json_equal) return {};
  auto parts = std::make_unique<JsonParts>();
  if (spec.json) {
    UNDERSTUDY_ASSIGN_OR_RETURN(parts->subset, ParseExpected("json", *spec.json));
  }
  if (spec.json_equal) {
    UNDERSTUDY_ASSIGN_OR_RETURN(parts->equal, ParseExpected("json_equal", spec.json_equal->json));
    parts->options = {.ignore_order = spec.json_equal->ignore_order,
                      .ignore_extra = spec.json_equal->ignore_extra};
  }
  json_ = std::move(parts);
  return {};
}

Result<void> BodyCheck::CompilePaths(const RequestMatch& spec) {
  const auto flavour = spec.jayway ? JsonPath::Flavour::kJayway : JsonPath::Flavour::kStandard;
  for (const FieldMatch& field : spec.json_path) {
    auto path = JsonPath::Parse(field.name, flavour);
    if (!path) {
      return InvalidArgument("json_path " + Quoted(field.name) + ": " + path.error().message);
    }
    UNDERSTUDY_ASSIGN_OR_RETURN(auto check, FieldCheck::Parse(RequestPart::kJsonPath, field));
    paths_.push_back({*std::move(path), std::move(check)});
  }
  return {};
}

void BodyCheck::Check(const PreparedRequest& request, Findings& findings) const {
  CheckBytes(request, findings);
  if (json_ != nullptr && json_->subset && !findings.stop()) CheckSubset(request, findings);
  if (json_ != nullptr && json_->equal && !findings.stop()) CheckEqual(request, findings);
  if (!paths_.empty() && !findings.stop()) CheckPaths(request, findings);
  if (schema_ && !findings.stop()) CheckSchema(request, findings);
}

void BodyCheck::CheckBytes(const PreparedRequest& request, Findings& findings) const {
  const std::string& body = request.request().body;
  const auto judge = [&](RequestPart part, bool fits, const std::string& expected) {
    findings.Weigh(kBodyWeight, fits ? 0 : 1);
    if (findings.quick()) {
      if (!fits) findings.Miss(part);
      return;
    }
    if (fits && !findings.reports()) return;
    Mismatch told{part, "", expected, ShownBytes(body)};
    if (fits) return findings.Fit(std::move(told));
    findings.Add(std::move(told));
  };
  if (body_) judge(RequestPart::kBody, body == *body_, ShownBytes(*body_));
  if (!text_ || findings.stop()) return;
  judge(RequestPart::kText, text_->MatchesText(body), Shortened(text_->Describe()));
}

void BodyCheck::CheckSubset(const PreparedRequest& request, Findings& findings) const {
  const json* const actual = request.json();
  if (actual == nullptr) {
    findings.Weigh(kBodyWeight, 1);
    if (findings.quick()) return findings.Miss(RequestPart::kJson);
    return findings.Add(
        {RequestPart::kJson, "", Shortened(Compact(*json_->subset)), Kind(request)});
  }
  JsonCompare compare({.ignore_members = true}, findings.quick());
  compare.Run(*json_->subset, *actual);
  findings.Weigh(kBodyWeight, compare.missed());
  for (Mismatch& difference : compare.TakeDifferences()) findings.Add(std::move(difference));
  if (compare.missed() > 0) {
    findings.Miss(RequestPart::kJson);
  } else if (findings.reports()) {
    findings.Fit({RequestPart::kJson, "", Shortened(Compact(*json_->subset)), Shown(*actual)});
  }
}

void BodyCheck::CheckEqual(const PreparedRequest& request, Findings& findings) const {
  const json* const actual = request.json();
  if (actual == nullptr) {
    findings.Weigh(kBodyWeight, 1);
    if (findings.quick()) return findings.Miss(RequestPart::kJson);
    return findings.Add({RequestPart::kJson, "", Shortened(Compact(*json_->equal)), Kind(request)});
  }
  JsonCompare compare(json_->options, findings.quick());
  compare.Run(*json_->equal, *actual);
  findings.Weigh(kBodyWeight, compare.missed());
  for (Mismatch& difference : compare.TakeDifferences()) findings.Add(std::move(difference));
  if (compare.missed() > 0) {
    findings.Miss(RequestPart::kJson);
  } else if (findings.reports()) {
    findings.Fit({RequestPart::kJson, "", Shortened(Compact(*json_->equal)), Shown(*actual)});
  }
}

void BodyCheck::CheckPaths(const PreparedRequest& request, Findings& findings) const {
  const json* const actual = request.json();
  for (const PathRow& row : paths_) {
    if (findings.stop()) return;
    if (actual == nullptr) {
      findings.Weigh(kFieldWeight, 1);
      findings.Miss(RequestPart::kJsonPath);
      if (!findings.quick()) {
        findings.Add({RequestPart::kJsonPath, row.path.text(), "a JSON body", Kind(request)});
      }
      continue;
    }
    const JsonPath::Selection selection = row.path.Select(*actual);
    row.check.Check(selection.nodes, !selection.cut, findings);
  }
}

void BodyCheck::CheckSchema(const PreparedRequest& request, Findings& findings) const {
  const json* const actual = request.json();
  const bool fits = actual != nullptr && schema_->IsValid(*actual);
  findings.Weigh(kBodyWeight, fits ? 0 : 1);
  if (!fits) findings.Miss(RequestPart::kJsonSchema);
  if (findings.quick()) return;
  if (fits) {
    return findings.Fit({RequestPart::kJsonSchema, "", "a valid body", "a valid body"});
  }
  if (actual == nullptr) {
    return findings.Add({RequestPart::kJsonSchema, "", "a JSON body", Kind(request)});
  }
  for (const JsonSchema::Violation& violation : schema_->Validate(*actual)) {
    findings.Add({RequestPart::kJsonSchema, violation.instance, "to satisfy " + violation.schema,
                  Shortened("a failure: " + violation.message)});
  }
}

}  // namespace understudy::harness
