#include "middleware/client/body_codec.h"

#include <cmath>
#include <utility>

#include <nlohmann/json.hpp>

#include "middleware/base/utf8.h"
#include "middleware/client/utf8_text.h"

namespace understudy {
namespace {

using Json = nlohmann::json;

Error BadValue(std::string_view place, std::string_view why) {
  return InvalidArgument("the value at " + std::string(place.empty() ? "the top" : place) + " " +
                         std::string(why));
}

// What can be wrong with a value that has no children; empty if nothing is.
std::string_view WhyNotScalar(const Json& value) {
  switch (value.type()) {
    case Json::value_t::string:
      return IsUtf8(value.get_ref<const std::string&>())
                 ? ""
                 : "is not UTF-8; encode binary data as base64 text";
    case Json::value_t::number_float:
      return std::isfinite(value.get<double>()) ? "" : "is infinite or not a number";
    case Json::value_t::binary:
      return "is binary; encode it as base64 text";
    case Json::value_t::discarded:
      return "is the result of a failed parse";
    default:
      return "";
  }
}

// A member as part of a place; names may hold user data, so they are cut and cleaned.
std::string PlaceOf(std::string_view name) { return CleanText(name, 40); }

// What is wrong with `value`, and `place` extended to where; empty if nothing is. Recursion ends at
// kBodyDepthMax. The place is put together on the way back, so that a sound value costs nothing.
std::string_view WhyNot(const Json& value, std::string& place, int depth) {
  if (const std::string_view why = WhyNotScalar(value); !why.empty()) return why;
  if (!value.is_structured()) return "";
  if (depth >= kBodyDepthMax) return "is nested too deeply";
  for (const auto& [name, child] : value.items()) {
    std::string_view why = WhyNot(child, place, depth + 1);
    if (value.is_object() && !IsUtf8(name)) why = "has a name that is not UTF-8";
    if (why.empty()) continue;
    place.insert(0, "/" + PlaceOf(name));
    return why;
  }
  return "";
}

Result<void> Check(const Json& value) {
  std::string place;
  const std::string_view why = WhyNot(value, place, 0);
  if (!why.empty()) return BadValue(place, why);
  return {};
}

std::string FormText(const Json& scalar) {
  if (scalar.is_string()) return scalar.get<std::string>();
  return scalar.is_null() ? std::string() : scalar.dump();
}

std::string_view WhyNotName(std::string_view name) {
  if (name.empty()) return "has an empty name";
  if (name.find_first_of("[]") != std::string_view::npos)
    return "has a bracket in its name, which would nest it elsewhere";
  return "";
}

// `value` was checked: its depth is bounded.
Result<void> Flatten(const Json& value, const std::string& name, http::FormPairs& pairs) {
  if (!value.is_structured()) {
    pairs.emplace_back(name, FormText(value));
    return {};
  }
  if (value.empty()) {
    return InvalidArgument("the form field " + CleanText(name, 80) +
                           " is an empty object or list, which has no form; leave it out, or give "
                           "\"\" to clear it");
  }
  for (const auto& [member, child] : value.items()) {
    const std::string_view why = WhyNotName(member);
    if (!why.empty()) return BadValue(CleanText(name, 80) + "/" + PlaceOf(member), why);
    UNDERSTUDY_RETURN_IF_ERROR(
        Flatten(child, name.empty() ? member : name + "[" + member + "]", pairs));
  }
  return {};
}

}  // namespace

std::string_view ToString(BodyCodec codec) { return codec == BodyCodec::kForm ? "form" : "json"; }

std::string_view ContentTypeOf(BodyCodec codec) {
  return codec == BodyCodec::kForm ? "application/x-www-form-urlencoded" : "application/json";
}

Result<std::string> WriteJson(const Json& value) {
  UNDERSTUDY_RETURN_IF_ERROR(Check(value));
  return value.dump();  // Cannot throw: everything that it refuses was refused.
}

Result<http::FormPairs> FlattenForm(const Json& fields) {
  if (!fields.is_object()) return InvalidArgument("a form needs an object of named fields");
  UNDERSTUDY_RETURN_IF_ERROR(Check(fields));
  http::FormPairs pairs;
  for (const auto& [name, value] : fields.items()) {
    if (const std::string_view why = WhyNotName(name); !why.empty())
      return BadValue("/" + PlaceOf(name), why);
    UNDERSTUDY_RETURN_IF_ERROR(Flatten(value, name, pairs));
  }
  return pairs;
}

}  // namespace understudy
