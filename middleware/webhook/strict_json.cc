#include "middleware/webhook/strict_json.h"

#include <set>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "middleware/base/text.h"

namespace understudy {
namespace {

using Json = nlohmann::json;

}  // namespace

Error MalformedJson(std::string message, std::string reason) {
  return Error{.code = ErrorCode::kProtocol,
               .message = std::move(message),
               .delivery = Delivery::kAnswered,
               .origin = Origin::kRemote,
               .reason = std::move(reason)};
}

Result<Json> ParseStrictJson(std::string_view text, const StrictJsonLimits& limits) {
  if (text.size() > limits.bytes_max)
    return MalformedJson("the JSON text is too long", "json-size");
  // The parser takes a NUL for the end of the text, and would accept whatever follows.
  if (text.find('\0') != std::string_view::npos)
    return MalformedJson("the text holds a NUL byte", "not-json");
  std::vector<std::set<std::string>> keys;
  bool repeated = false;
  bool deep = false;
  const auto watch = [&](int depth, Json::parse_event_t event, Json& parsed) {
    const bool opens =
        event == Json::parse_event_t::object_start || event == Json::parse_event_t::array_start;
    if (opens && depth >= limits.depth_max) deep = true;
    if (deep) return false;  // Nothing more is kept.
    if (event == Json::parse_event_t::object_start) keys.emplace_back();
    if (event == Json::parse_event_t::object_end && !keys.empty()) keys.pop_back();
    if (event == Json::parse_event_t::key && !keys.empty()) {
      repeated = !keys.back().insert(parsed.get<std::string>()).second || repeated;
    }
    return true;
  };
  Json parsed = Json::parse(text, watch, /*allow_exceptions=*/false);
  if (deep) return MalformedJson("the JSON text is nested too deeply", "json-depth");
  if (parsed.is_discarded()) return MalformedJson("the text is not JSON", "not-json");
  if (repeated) return MalformedJson("the JSON text holds a key twice", "repeated-key");
  return parsed;
}

const Json* FindJsonPointer(const Json& document, std::string_view pointer) {
  const Json* node = &document;
  if (pointer.empty()) return node;
  if (pointer.front() != '/') return nullptr;
  for (const std::string_view raw : Split(pointer.substr(1), '/')) {
    const std::string token = UnescapePointerToken(raw);
    if (node->is_object()) {
      const auto member = node->find(token);
      if (member == node->end()) return nullptr;
      node = &*member;
    } else {
      const auto index = ParseUnsigned(token);
      if (!node->is_array() || !index || *index >= node->size()) return nullptr;
      node = &(*node)[static_cast<std::size_t>(*index)];
    }
  }
  return node;
}

std::optional<std::string> FindJsonString(const Json& document, std::string_view pointer) {
  const Json* const node = FindJsonPointer(document, pointer);
  if (node == nullptr || !node->is_string()) return std::nullopt;
  return node->get<std::string>();
}

}  // namespace understudy
