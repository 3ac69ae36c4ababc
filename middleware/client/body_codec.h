// How request bodies are written: JSON, or forms with nested names as Stripe and others read them.
//
//   const nlohmann::json fields = {{"amount", 1999}, {"metadata", {{"order", "7"}}},
//                                  {"items", {{{"price", "p_1"}}}}};
//   WriteJson(fields);    // {"amount":1999,"items":[{"price":"p_1"}],"metadata":{"order":"7"}}
//   FlattenForm(fields);  // amount=1999, items[0][price]=p_1, metadata[order]=7
//
// Which of the two a vendor wants is vendor data: ProviderProfile::body_codec.
#pragma once

#include <string>
#include <string_view>

#include <nlohmann/json_fwd.hpp>

#include "middleware/base/result.h"
#include "middleware/http/form.h"

namespace understudy {

enum class BodyCodec {
  kJson,  // application/json (RFC 8259)
  kForm,  // application/x-www-form-urlencoded (WHATWG URL section 5)
};

std::string_view ToString(BodyCodec codec);  // "json", "form"
std::string_view ContentTypeOf(BodyCodec codec);

// Both functions below are pure and thread-safe, and visit values at most kBodyDepthMax deep.
inline constexpr int kBodyDepthMax = 64;

// `value` as compact JSON. kInvalidArgument, naming the place ("/items/0/price") and never the
// value, for what JSON cannot say and a serialiser would replace silently: text that is not UTF-8,
// an infinite or undefined number, binary data, a discarded value; and for nesting beyond
// kBodyDepthMax.
Result<std::string> WriteJson(const nlohmann::json& value);

// The pairs of a form: nested members as name[member], elements of lists as name[0], name[1], ...
// (Stripe API reference, "Request bodies"; also Twilio, Rails and PHP servers). true, false and
// numbers as in JSON; null as an empty value, which clears a field at Stripe. Order is that of the
// value: of an object, by name.
//
// kInvalidArgument, naming the place, for anything but an object at the top; for an empty object or
// list, which has no form (leave it out, or give "" to clear it); for an empty member name, or one
// with a bracket, which would become another structure at the vendor; and for what WriteJson
// refuses.
Result<http::FormPairs> FlattenForm(const nlohmann::json& fields);

}  // namespace understudy
