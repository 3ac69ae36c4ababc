#include "harness/match/match_result.h"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "harness/match/findings.h"

namespace understudy::harness {

using nlohmann::json;

namespace {

constexpr std::size_t kShownBytesMax = 200;

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
    case RequestPart::kHost:
      return "host";
    case RequestPart::kPathParameter:
      return "path parameter";
    case RequestPart::kCookie:
      return "cookie";
    case RequestPart::kForm:
      return "form";
    case RequestPart::kText:
      return "text";
    case RequestPart::kBody:
      return "body";
    case RequestPart::kJsonPath:
      return "json_path";
    case RequestPart::kJsonSchema:
      return "json_schema";
    case RequestPart::kAnyOf:
      return "any_of";
    case RequestPart::kNoneOf:
      return "none_of";
  }
  return "unknown";
}

std::string Mismatch::ToString() const {
  std::string text(harness::ToString(part));
  if (!key.empty()) text.append(" ").append(key);
  return text.append(": expected ").append(expected).append(", got ").append(actual);
}

bool DeeperThan(const json& value, std::size_t levels) {
  if (!value.is_structured()) return false;
  return levels == 0 || std::any_of(value.begin(), value.end(), [&](const json& child) {
           return DeeperThan(child, levels - 1);
         });
}

std::string Compact(const json& value) {
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

std::string Shortened(std::string text) {
  if (text.size() <= kShownBytesMax) return text;
  text.resize(kShownBytesMax);
  return text.append("...");
}

std::string Quoted(std::string_view text) {
  // A body may have megabytes of which a few are shown.
  return Shortened(Compact(json(std::string(text.substr(0, kShownBytesMax + 1)))));
}

std::string Shown(const json& value) {
  if (value.is_object()) return "an object with " + std::to_string(value.size()) + " members";
  if (value.is_array()) return "an array of " + std::to_string(value.size());
  return value.is_string() ? Quoted(value.get_ref<const std::string&>())
                           : Shortened(Compact(value));
}

MatchResult Findings::Finish() && {
  result_.matched = fits();
  if (!result_.matched) result_.captures.clear();
  result_.distance = result_.matched ? 0.0 : (quick_ ? 1.0 : distance());
  if (quick_ && missed_any_) result_.mismatches.push_back({.part = first_});
  return std::move(result_);
}

}  // namespace understudy::harness
